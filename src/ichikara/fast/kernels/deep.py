r"""The gradient of a weight of a recurrence: a product whose sums go over all steps of all examples, thousands deep.

.. math:: C = A^\top B

Each worker takes the sums over some rows of A and B, which he may have written himself, and they are added up in the
end. He goes over them part by part: the numbers of a part are laid out in the order in which they are needed, those of
A in tiles and those of B in panels (`panel`), in the nearer caches, and what they give is added to his C. So all is
read row by row; column by column each number of A would lie in a page of its own.
"""

from ..tape import room
from .deferred import inner
from .panel import pack, times_some, width_of
from .strips import ARE_QUICK, DEEP, are_long
from .team import bounds
from .tile import BYTES, ONE, ROWS, load, store

__all__ = ["add_deep_sums", "are_deep", "room_for_deep"]

_PART = 256  # rows of A and B whose numbers are laid out at once


def are_deep(c, depth: int, workers: int) -> bool:
    """Whether the sums of a product whose A is turned are so long that it pays to lay out both factors."""
    (rows, columns), lanes = c.shape, BYTES // c.itemsize
    are_whole = rows % lanes == 0 and columns % (2 * lanes) == 0
    return ARE_QUICK and depth > DEEP and are_whole and are_long(c, depth, workers)


def room_for_deep(a, b, workers: int):
    """Room for the sums of each worker, for his tiles and for his panels."""
    lanes, (rows, columns) = BYTES // a.itemsize, (a.shape[1], b.shape[1])
    sums = room((workers, rows, columns), a.dtype)
    # A line more for each tile, for else all of them would begin in the same set of lines of a cache.
    tiles = room((workers, rows // lanes, (_PART + 1) * lanes), a.dtype)
    return sums, tiles, room((workers, columns // (2 * lanes), _PART * 2 * lanes), a.dtype)


@inner
def add_deep_sums(first, last, workers, a, b, sums, tiles, panels):
    """What some of the workers have to do. In compiled code."""
    depth, rows = a.shape
    lanes = width_of(sums) // 2
    for worker in range(first, last):
        out, side, used = sums[worker], tiles[worker], panels[worker]
        low, high = bounds(depth, worker, workers)
        for r in range(rows):
            out[r, :] = 0
        for start in range(low, high, _PART):
            count = min(_PART, high - start)
            pack(b[start : start + count], used)
            for k in range(count):
                for t in range(len(side)):
                    numbers = load(ONE, ONE, a, (start + k) * rows + t * lanes, 0)
                    store(numbers, side, t * side.shape[1] + k * lanes, 0)
            for p in range(len(used)):
                for t in range(len(side)):
                    tile = side[t, : count * lanes].reshape(count, lanes).T
                    for r in range(0, lanes, len(ROWS)):
                        some = out[t * lanes + r :]
                        times_some(ROWS, 0, p, tile[r:], used, some, some)
