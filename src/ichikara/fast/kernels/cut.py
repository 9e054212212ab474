"""ReLU and its slope, where a sum has just been computed: what is not above 0 is cut off while it is in the cache.

ReLU leaves nan as it is.
"""

from ..tape import contiguous
from .deferred import inner

__all__ = ["BY_ITSELF", "ITSELF", "WHERE", "cut", "cut_part", "cut_where", "how_to_cut"]

ITSELF = "itself"
"""What is cut off is what is not above 0 itself, as by ReLU."""

BY_ITSELF, WHERE = 1, 2  # and 0 for nothing


def how_to_cut(y, where):
    """How the numbers of an array are to be cut off, 0 or one of the numbers above, and the array that tells where.

    Arguments: ``where``, None for nowhere; `ITSELF`; or an array of the same shape: where that is not above 0.
    """
    if where is None:
        return 0, y
    if where is ITSELF:
        return BY_ITSELF, y
    return WHERE, contiguous(where)


@inner
def cut(row):
    """Cut off a row by itself, in place. In compiled code."""
    zero = row.dtype.type(0)
    for j in range(row.size):
        # The size changes nothing here; but of a number that is put back as it was the compiler makes a branch.
        row[j] = abs(zero if row[j] <= zero else row[j])


@inner
def cut_where(row, where):
    """Cut off a row where another one is not above 0, in place. In compiled code."""
    zero = row.dtype.type(0)
    for j in range(row.size):
        row[j] = row[j] if where[j] > zero else zero


@inner
def cut_part(array, top, bottom, left, right, how, where):
    """Cut off these rows and columns of an array in the way that `how_to_cut` has said, in place. In compiled code."""
    for r in range(top, bottom if how else top):
        # Of a row of the whole array the compiler knows that its numbers lie side by side.
        if how == BY_ITSELF:
            cut(array[r, left:right])
        else:
            cut_where(array[r, left:right], where[r, left:right])
