r"""A product of large matrices in tiles of our own, where the linear algebra library's are slower.

.. math:: C = A B + b

C is cut into *strips*, as wide as some panels (`panel`) and a few hundred rows long. Whoever does a strip lays out its
columns of B, which are then in the nearer caches for all its rows, and waits for nobody. A is read as it lies: some
rows side by side, or some numbers of a row.

With vectors of 64 bytes this takes up to a quarter less time than OpenBLAS, whose loops for them do less on a Zen 4
than those for 32 bytes; with vectors of 32 bytes as long for few rows, and longer for gradients of weights.
"""

from functools import lru_cache

from ..tape import room
from .cut import BY_ITSELF
from .deferred import inner
from .panel import pack, times_some, width_of
from .team import bounds
from .tile import BYTES, ROWS, TWO, above, above_where, load, store

__all__ = ["ARE_QUICK", "DEEP", "are_long", "do_strips", "pay", "room_for"]

ARE_QUICK = BYTES == 64
"""Whether products of our own are as quick as the library's on this processor."""

_LEAST = 1_500_000  # multiplications
_SHALLOW = 32  # for fewer sums a tile is hardly begun
DEEP = 2048  # of a longer A that is turned each row lies in a page of its own, and would be fetched anew for each tile
_DEEPEST = 10_000
_WIDE = 2  # panels of a strip
_LONG = 512  # rows of a strip: those of C lie in as many pages of memory as the processor has at hand
_MANY = 8  # strips for each worker are many: whether all have as many makes no difference


def pay(rows: int, columns: int, depth: int, a_turned: bool, cost: int) -> bool:
    """Whether strips take less time, by the sizes of a product, how A lies, and the multiplications."""
    width = 2 * BYTES // 4
    fits = _SHALLOW <= depth <= (DEEP if a_turned else _DEEPEST) and rows >= len(ROWS) and columns >= width
    return ARE_QUICK and cost >= _LEAST and fits and -columns % width * 8 <= columns


def are_long(c, depth: int, workers: int) -> bool:
    """Whether the sums of a product whose A is turned, and not its strips, are divided among workers.

    Then each of them reads rows of A and B that are his own.
    """
    return workers > 1 and depth >= _LONG and 8 * c.size <= depth * sum(c.shape)


def room_for(c, depth: int, workers: int, long: bool):
    """Room for the sums, how many strips are side by side in a product, how many below each other, and room for all
    workers' panels. Shapes: of the first, (1, *c), which is c, or if it is ``long``, as of `are_long`, (workers, *c).
    """
    panels, widths, heights = _divided(*c.shape, 1 if long else workers, c.itemsize)
    rooms = room((workers * -(-panels // widths), depth * 2 * BYTES // c.itemsize), c.dtype)
    sums = room((workers, *c.shape), c.dtype) if long else c[None]
    return sums, widths, heights, rooms


@lru_cache(256)
def _divided(rows, columns, workers, size):
    panels = -(-columns * size // (2 * BYTES))
    widths, heights = -(-panels // _WIDE), -(-rows // _LONG)
    while widths * heights % workers and widths * heights < _MANY * workers:
        if widths < panels:  # narrow as well as long, for who does two below each other lays out the same columns twice
            widths += 1
        elif rows >= 12 * (heights + 1):
            heights += 1
        else:
            break
    if widths == 1 and columns * size % (2 * BYTES):  # two at the least, of which the second then reaches back
        widths = 2
    return panels, widths, heights


@inner
def do_strips(first, last, workers, a, a_turned, b, b_turned, bias, sums, widths, heights, room, how, where):
    """What some of the workers have to do, each with a part of the strips and of the room. In compiled code.

    Arguments: ``a`` and ``b``, without gaps, each of them turned or not; ``bias``, a row; ``sums``, each of a tile's
    rows and a panel's columns at the least, ``widths``, ``heights`` and ``room``, as of `room_for`; ``how`` and
    ``where``, as of `how_to_cut`.
    """
    depth, width = a.shape[0] if a_turned else a.shape[1], width_of(sums)
    layers, height, across = sums.shape
    panels = (across + width - 1) // width
    for worker in range(first, last):
        strips, place = bounds(layers * widths * heights, worker, workers), worker * len(room) // workers
        for strip in range(strips[0], strips[1]):
            layer = strip // (widths * heights)
            low, high = bounds(depth, layer, layers)
            of, until = bounds(panels, strip % widths, widths)
            top, bottom = bounds(height, strip // widths % heights, heights)
            # The last tile and the last strip end where C ends: what is done twice becomes the same twice.
            right = min(until * width, across)
            left = right - (until - of) * width
            used = room[place : place + until - of]
            pack(b[left:right, low:high].T if b_turned else b[low:high, left:right], used)
            rows = a[low:high, top:bottom].T if a_turned else a[top:bottom, low:high]
            out = sums[layer, top:bottom, left:right]
            begin, of_where = bias[:, left:right], where[top:bottom, left:right]
            for p in range(until - of):
                for first_row in range(0, len(out), len(ROWS)):
                    r = min(first_row, len(out) - len(ROWS))
                    times_some(ROWS, r, p, rows, used, begin, out)
                    if how:
                        _cut_off(r, p, out, how, of_where)


@inner
def _cut_off(r, p, out, how, where):
    """Cut off a tile, by itself or by another array."""
    step, where_step = out.strides[0] // out.itemsize, where.strides[0] // where.itemsize
    at = r * step + p * width_of(out)
    sums = load(ROWS, TWO, out, at, step)
    if how == BY_ITSELF:
        store(above(sums), out, at, step)
    else:
        by = load(ROWS, TWO, where, r * where_step + p * width_of(out), where_step)
        store(above_where(sums, by), out, at, step)
