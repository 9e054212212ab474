r"""Cache-blocked GEMM in register tiles of our own, for large matrices where the linear algebra library is slower.

.. math:: C = A B + b

C is divided into *blocks*, as wide as some panels (`panels`) and a few hundred rows long. The thread that computes a
block packs its columns of B, which are then in the nearer caches for all its rows, and waits for no other thread. A is
read where it lies: some rows side by side, or some numbers of a row.

With vectors of 64 bytes this takes up to a quarter less time than OpenBLAS, whose loops for them do less on a Zen 4
than those for 32 bytes. With vectors of 32 bytes it takes as long for few rows, and longer for gradients of weights.
"""

from functools import lru_cache

from ...jit.lazy import inner
from ...jit.tile import TILE_ROWS, TWO, load, mask_positive, relu, store
from ...jit.vectors import VECTOR_BYTES
from ...threads.fork_join import chunk_bounds
from ...workspace import empty
from ..epilogue import APPLY_RELU
from .panels import micro_kernel, pack_into, panel_width

__all__ = ["FASTER_THAN_BLAS", "MAX_TRANSPOSED_K", "blocked_gemm", "blocked_workspace", "pays", "splits_k"]

FASTER_THAN_BLAS = VECTOR_BYTES == 64
"""Whether our own products are as fast as the library's on this processor."""

_MIN_COST = 1_500_000  # multiplications
_MIN_K = 32  # with fewer terms in the sums, a tile has hardly started
MAX_TRANSPOSED_K = 2048
"""Up to this K a transposed A is read where it lies; of a longer one each row lies in a page of its own, and would be
fetched again for each tile."""
_MAX_K = 10_000
_PANELS_PER_BLOCK = 2
_ROWS_PER_BLOCK = 512  # their rows of C lie in as many pages of memory as the processor has address translations for
_MANY_BLOCKS = 8  # with so many blocks per thread it makes no difference whether all threads have the same number


def pays(rows: int, columns: int, depth: int, a_transposed: bool, cost: int) -> bool:
    """Whether this is faster, by the sizes of a product, the layout of A, and the number of multiplications."""
    width = 2 * VECTOR_BYTES // 4
    max_depth = MAX_TRANSPOSED_K if a_transposed else _MAX_K
    fits = _MIN_K <= depth <= max_depth and rows >= len(TILE_ROWS) and columns >= width
    return FASTER_THAN_BLAS and cost >= _MIN_COST and fits and -columns % width * 8 <= columns


def splits_k(c, depth: int, threads: int) -> bool:
    """Whether the sums of a product with a transposed A are divided among the threads, instead of its blocks.

    Then each thread reads only its own rows of A and B.
    """
    return threads > 1 and depth >= _ROWS_PER_BLOCK and 8 * c.size <= depth * sum(c.shape)


def blocked_workspace(c, depth: int, threads: int, split_k: bool):
    r"""The array for the sums, the numbers of blocks across and down, and an array for the panels of all threads.

    Shapes: of the sums, (1, \*c), which is c itself; or with ``split_k``, as of `splits_k`, (threads, \*c).
    """
    count, across, down = _block_grid(*c.shape, 1 if split_k else threads, c.itemsize)
    panels = empty((threads * -(-count // across), depth * 2 * VECTOR_BYTES // c.itemsize), c.dtype)
    sums = empty((threads, *c.shape), c.dtype) if split_k else c[None]
    return sums, across, down, panels


@lru_cache(256)
def _block_grid(rows, columns, threads, itemsize):
    """How many panels there are, and how many blocks across and down."""
    panels = -(-columns * itemsize // (2 * VECTOR_BYTES))
    across, down = -(-panels // _PANELS_PER_BLOCK), -(-rows // _ROWS_PER_BLOCK)
    while across * down % threads and across * down < _MANY_BLOCKS * threads:
        if across < panels:  # narrow and long: a thread with two blocks in a column packs the same columns twice
            across += 1
        elif rows >= 12 * (down + 1):
            down += 1
        else:
            break
    if across == 1 and columns * itemsize % (2 * VECTOR_BYTES):  # two at least, of which the second overlaps the first
        across = 2
    return panels, across, down


@inner
def blocked_gemm(first, last, threads, a, a_transposed, b, b_transposed, bias, sums, across, down, panels, code, mask):
    """The blocks of some of the threads. In compiled code.

    Arguments: ``a`` and ``b``, contiguous, each of them transposed or not; ``bias``, a row; ``sums``, of at least a
    tile's rows and a panel's columns, ``across``, ``down`` and ``panels``, as of `blocked_workspace`; ``code`` and
    ``mask``, as of `encode_epilogue`.
    """
    depth, width = a.shape[0] if a_transposed else a.shape[1], panel_width(sums)
    parts, rows, columns = sums.shape
    count = (columns + width - 1) // width
    for thread in range(first, last):
        blocks, own = chunk_bounds(parts * across * down, thread, threads), thread * len(panels) // threads
        for block in range(blocks[0], blocks[1]):
            part = block // (across * down)
            low, high = chunk_bounds(depth, part, parts)
            first_panel, last_panel = chunk_bounds(count, block % across, across)
            top, bottom = chunk_bounds(rows, block // across % down, down)
            # The last tile and the last block end where C ends: what is computed twice has the same value twice.
            right = min(last_panel * width, columns)
            left = right - (last_panel - first_panel) * width
            packed = panels[own : own + last_panel - first_panel]
            pack_into(b[left:right, low:high].T if b_transposed else b[low:high, left:right], packed)
            a_rows = a[low:high, top:bottom].T if a_transposed else a[top:bottom, low:high]
            out = sums[part, top:bottom, left:right]
            start, block_mask = bias[:, left:right], mask[top:bottom, left:right]
            for p in range(last_panel - first_panel):
                for first_row in range(0, len(out), len(TILE_ROWS)):
                    r = min(first_row, len(out) - len(TILE_ROWS))
                    micro_kernel(TILE_ROWS, r, p, a_rows, packed, start, out)
                    if code:
                        _tile_epilogue(r, p, out, code, block_mask)


@inner
def _tile_epilogue(r, p, out, code, mask):
    """Apply an epilogue to the tile of panel p that begins at row r."""
    stride, mask_stride = out.strides[0] // out.itemsize, mask.strides[0] // mask.itemsize
    offset = r * stride + p * panel_width(out)
    sums = load(TILE_ROWS, TWO, out, offset, stride)
    if code == APPLY_RELU:
        store(relu(sums), out, offset, stride)
    else:
        condition = load(TILE_ROWS, TWO, mask, r * mask_stride + p * panel_width(out), mask_stride)
        store(mask_positive(sums, condition), out, offset, stride)
