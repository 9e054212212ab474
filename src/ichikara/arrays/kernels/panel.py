r"""Products of matrices in compiled code, where one of them is used many times or by few rows.

.. math:: C = S + A B

A linear algebra library lays both matrices out anew in each product, so that what is needed next lies next. Here this
is done to B alone, and by whoever multiplies: once for all steps of a recurrence, for all queries of a head. B is cut
into *panels*, as many columns as two vectors have numbers, of which each row lies behind the one before; A is read as
it lies. So a product of a few dozen rows takes some tenth to fifth less time than in the library; of thousands, the
same.

Six rows of A and a panel are a tile, whose twelve sums stay in registers from the first to the last column of A.
"""

import numpy

from .compiled import inner
from .tile import add_product, lanes_of, load, store, turn

__all__ = ["pack", "pack_all", "panels_for", "times", "times_all", "width_of"]

_SIX, _FOUR, _ONE = (0, 1, 2, 3, 4, 5), (0, 1, 2, 3), (0,)
_TWO = (0, 1)


@inner
def width_of(array):
    """How many columns a panel of such numbers has."""
    return 2 * lanes_of(array)


@inner
def pack(b, j, panels):
    """Lay out columns of a matrix from j on: ``panels[p, k width + c]`` is ``b[k, j + p width + c]``, 0 beyond b.

    The numbers of a row of b, or of a column, lie side by side.
    """
    depth, width, lanes = len(b), width_of(panels), lanes_of(panels)
    down, right = b.strides[0] // b.itemsize, b.strides[1] // b.itemsize
    whole, deep = min((b.shape[1] - j) // width, len(panels)), depth - depth % lanes
    step = panels.strides[0] // panels.itemsize
    if right == 1:
        for k in range(depth):
            for p in range(whole):
                store(load(_ONE, _TWO, b, k * down + j + p * width, 0), panels, p * step + k * width, 0)
    else:
        for p in range(whole):
            for c in range(0, width, lanes):
                for k in range(0, deep, lanes):
                    turn(b, (j + p * width + c) * right + k, right, panels, p * step + k * width + c, width)
            for k in range(deep, depth):
                for c in range(width):
                    panels[p, k * width + c] = b[k, j + p * width + c]
    for p in range(whole, len(panels)):
        for k in range(depth):
            for c in range(width):
                column = j + p * width + c
                panels[p, k * width + c] = b[k, column] if column < b.shape[1] else 0


@inner(makes_arrays=True)
def panels_for(b):
    """Room for all panels of a matrix like this, a row each."""
    return numpy.empty((-(-b.shape[1] // width_of(b)), len(b) * width_of(b)), b.dtype)


@inner(makes_arrays=True)
def pack_all(b):
    """All panels of a matrix."""
    panels = panels_for(b)
    pack(b, 0, panels)
    return panels


@inner
def times_all(a, panels, begin, out):
    """The product of a matrix and all panels of another, and what it is added to; see `times`."""
    for p in range(len(panels)):
        times(a, panels[p], begin, out, p * width_of(out))


@inner
def times(a, panel, begin, out, j):
    """The columns of a product from j on, ``out[r, j + c] = begin[r, j + c] + sum_k a[r, k] b[k, j + c]``.

    The numbers of each row of out lie side by side. Arguments: ``begin``, a matrix, which may be out itself, or a
    single row for all rows.
    """
    if j + width_of(panel) > out.shape[1]:
        _last(a, panel, begin, out, j)
    else:
        _rows(a, panel, begin, out, j)


@inner(makes_arrays=True)
def _last(a, panel, begin, out, j):
    """The last columns, fewer than a panel has: it needs a place for what is beyond them."""
    sums, nothing = numpy.empty((len(out), width_of(panel)), out.dtype), numpy.zeros((1, width_of(panel)), out.dtype)
    _rows(a, panel, nothing, sums, 0)
    for r in range(len(out)):
        start = begin[r if len(begin) > 1 else 0]
        for c in range(out.shape[1] - j):
            out[r, j + c] = start[j + c] + sums[r, c]


@inner
def _rows(a, panel, begin, out, j):
    left = len(out) % 6
    if len(out) > 6 and 2 <= left <= 3:  # four and four instead of six and two
        left += 6
    for r in range(0, len(out) - left, 6):
        _tile(_SIX, r, a, panel, begin, out, j)
    for r in range(len(out) - left, len(out) - left % 4, 4):
        _tile(_FOUR, r, a, panel, begin, out, j)
    for r in range(len(out) - left % 4, len(out)):
        _tile(_ONE, r, a, panel, begin, out, j)


@inner
def _tile(several, r, a, panel, begin, out, j):
    down, right, out_step = a.strides[0] // a.itemsize, a.strides[1] // a.itemsize, out.strides[0] // out.itemsize
    begin_step = begin.strides[0] // begin.itemsize if len(begin) > 1 else 0
    sums = load(several, _TWO, begin, r * begin_step + j, begin_step)
    for k in range(a.shape[1]):
        sums = add_product(sums, a, r * down + k * right, down, panel, k * width_of(panel))
    store(sums, out, r * out_step + j, out_step)
