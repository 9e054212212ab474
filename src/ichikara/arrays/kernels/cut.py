"""ReLU and its slope, where a sum has just been computed: what is not above 0 is cut off while it is in the cache.

A number that is none, nan, stays.
"""

import numpy

from .compiled import inner

__all__ = ["ITSELF", "cut", "how_to_cut", "kept"]

ITSELF = "itself"
"""What is cut off is what is not above 0 itself, as by ReLU."""

_NOTHING, _ITSELF, _WHERE = range(3)


def how_to_cut(y, where):
    """How the numbers of an array are to be cut off, for `cut`, and the array that tells where.

    Arguments: ``where``, None for nowhere; `ITSELF`; or an array of the same shape: where that is not above 0.
    """
    if where is None:
        return _NOTHING, y
    if where is ITSELF:
        return _ITSELF, y
    return _WHERE, numpy.require(where, requirements=["C", "W"])


@inner
def kept(number, how, where):
    """What is left of a number: 0 of one that is not above 0, or lies where something else is not. In compiled code."""
    tested = number if how == _ITSELF else where
    return type(number)(0) if how and tested <= 0 else number


@inner
def cut(row, how, where):
    """Cut off a row, in place."""
    zero = row.dtype.type(0)
    # Two loops, for what another array may have written is not read in vectors; and of a number that is put back as it
    # was the compiler makes a branch: hence its size, which changes nothing here.
    if how == _ITSELF:
        for j in range(row.size):
            row[j] = abs(zero if row[j] <= zero else row[j])
    elif how == _WHERE:
        for j in range(row.size):
            row[j] = zero if where[j] <= zero else row[j]
