"""Numbers that float32 cannot tell apart: an id above 2²⁴ is rounded to its neighbour."""

import numpy

__all__ = ["can_merge", "merged"]

WHOLE = 2**24  # up to here float32 holds every whole number
# The part of its different numbers that a column may lose. Digits after the point are mostly noise; ids never are.
LOST_WHOLE, LOST_FRACTIONS = 0.01, 0.5


def can_merge(exact: numpy.ndarray) -> numpy.ndarray:
    """The columns that are worth a look: of large numbers, or of numbers that lie close together. Shapes: (n, k).

    >>> can_merge(numpy.array([[1.0, 2.0**25], [2.0, 0.0]])).tolist()
    [1]
    """
    if not len(exact):
        return numpy.zeros(0, "int64")
    exact = exact.astype("float64", copy=False)
    largest, spread = numpy.abs(exact).max(axis=0), exact.max(axis=0) - exact.min(axis=0)
    # Where float32 has more steps in the range than there are rows, it keeps them apart, digits of noise aside.
    with numpy.errstate(all="ignore"):  # beyond the largest number of float32 there is no next one
        close = (spread > 0) & (numpy.spacing(largest.astype("float32")) * len(exact) >= spread)
    return numpy.flatnonzero((largest >= WHOLE) | close)


def merged(exact: numpy.ndarray) -> tuple[int, int] | None:
    """The rows of two different numbers that become one in float32; None if a column keeps what tells its rows apart.

    Shapes: (n,), of whole numbers (Python's, for those above 2⁶⁴) or fractions.

    >>> merged(numpy.array([9007199254740992, 9007199254740994]))
    (0, 1)
    >>> merged(numpy.array([0.1, 0.2, 0.3]))
    """
    if not len(exact):
        return None
    whole = exact.dtype.kind in "iuO" or bool((exact == numpy.floor(exact)).all())
    different, rows = numpy.unique(exact, return_index=True)
    kept = different.astype("float32")
    left = 1 + int(numpy.count_nonzero(kept[1:] != kept[:-1]))
    if len(different) - left <= (LOST_WHOLE if whole else LOST_FRACTIONS) * len(different):
        return None
    at = int(numpy.argmax(kept[1:] == kept[:-1]))
    first, second = sorted((int(rows[at]), int(rows[at + 1])))
    return first, second
