r"""Split-K GEMM with both matrices packed: the gradient of a recurrent weight, whose sums have thousands of terms.

.. math:: C = A^\top B

The sums go over all steps of all examples. Each thread computes those over some rows of A and B, which it may have
written itself, and at the end these partial products are added. A thread goes through its rows block by block. It packs
those of A into tiles and those of B into panels (`panels`), which fit into the nearer caches, and adds their product to
its partial one. So everything is read row by row; column by column, each number of A would lie in another page.
"""

from ...jit.lazy import inner
from ...jit.tile import ONE, TILE_ROWS, load, store
from ...jit.vectors import VECTOR_BYTES
from ...threads.fork_join import chunk_bounds
from ...workspace import empty
from .blocked import FASTER_THAN_BLAS, MAX_TRANSPOSED_K, splits_k
from .panels import micro_kernel, pack_into, panel_width

__all__ = ["packs_both", "split_k_gemm", "split_k_workspace"]

_BLOCK = 256  # rows of A and B that are packed at once


def packs_both(c, depth: int, threads: int) -> bool:
    """Whether the sums of a product with a transposed A are so long that packing both matrices pays."""
    (rows, columns), lanes = c.shape, VECTOR_BYTES // c.itemsize
    whole_tiles = rows % lanes == 0 and columns % (2 * lanes) == 0
    return FASTER_THAN_BLAS and depth > MAX_TRANSPOSED_K and whole_tiles and splits_k(c, depth, threads)


def split_k_workspace(a, b, threads: int):
    """Arrays for each thread's partial product, its tiles of A and its panels of B."""
    lanes, (rows, columns) = VECTOR_BYTES // a.itemsize, (a.shape[1], b.shape[1])
    sums = empty((threads, rows, columns), a.dtype)
    # One row more for each tile, or all tiles would begin in the same set of a cache's lines.
    tiles = empty((threads, rows // lanes, (_BLOCK + 1) * lanes), a.dtype)
    return sums, tiles, empty((threads, columns // (2 * lanes), _BLOCK * 2 * lanes), a.dtype)


@inner
def split_k_gemm(first, last, threads, a, b, sums, tiles, panels):
    """The partial products of some of the threads. In compiled code."""
    depth, rows = a.shape
    lanes = panel_width(sums) // 2
    for thread in range(first, last):
        out, tiles_of_a, panels_of_b = sums[thread], tiles[thread], panels[thread]
        low, high = chunk_bounds(depth, thread, threads)
        for r in range(rows):
            out[r, :] = 0
        for start in range(low, high, _BLOCK):
            count = min(_BLOCK, high - start)
            pack_into(b[start : start + count], panels_of_b)
            for k in range(count):
                for t in range(len(tiles_of_a)):
                    vector = load(ONE, ONE, a, (start + k) * rows + t * lanes, 0)
                    store(vector, tiles_of_a, t * tiles_of_a.shape[1] + k * lanes, 0)
            for p in range(len(panels_of_b)):
                for t in range(len(tiles_of_a)):
                    tile = tiles_of_a[t, : count * lanes].reshape(count, lanes).T
                    for r in range(0, lanes, len(TILE_ROWS)):
                        block = out[t * lanes + r :]
                        micro_kernel(TILE_ROWS, 0, p, tile[r:], panels_of_b, block, block)
