r"""Products of matrices in compiled code, where one of them is used many times or by few rows.

.. math:: C = S + A B

A linear algebra library lays both matrices out anew in each product, so that what is needed next lies next. Here this
is done to B alone, and by whoever multiplies: once for all steps of a recurrence, for all queries of a head. B is cut
into *panels*, as many columns as two vectors have numbers, of which each row lies behind the one before; A is read as
it lies. So a product of a few dozen rows takes some tenth to fifth less time than in the library; of thousands, the
same.

Some rows of A and a panel are a tile, whose sums stay in registers from the first to the last column of A.
"""

import numpy

from .deferred import inner
from .tile import ONE, ROWS, TWO, add_product, fetch, lanes_of, load, store, turn

__all__ = ["pack", "pack_all", "panels_for", "rows_for", "times_all", "times_some", "width_of"]

_FOUR = (0, 1, 2, 3)
_ABREAST = 4  # panels that are filled together, so that what is read lies side by side


@inner
def width_of(array):
    """How many columns a panel of such numbers has."""
    return 2 * lanes_of(array)


@inner
def pack(b, panels):
    """Lay out a matrix in panels: ``panels[p, k width + c]`` is ``b[k, p width + c]``, 0 beyond its last column.

    The numbers of a row of b, or of a column, lie side by side.
    """
    depth, width, lanes = len(b), width_of(panels), lanes_of(panels)
    down, right, step = b.strides[0] // b.itemsize, b.strides[1] // b.itemsize, panels.strides[0] // panels.itemsize
    whole = b.shape[1] // width
    done = depth if right == 1 else depth - depth % lanes  # rows of which whole vectors are taken
    for first in range(0, whole, _ABREAST):
        last = min(first + _ABREAST, whole)
        if right == 1:
            for k in range(depth):
                for p in range(first, last):
                    store(load(ONE, TWO, b, k * down + p * width, 0), panels, p * step + k * width, 0)
        else:
            for p in range(first, last):
                for c in range(0, width, lanes):
                    for k in range(0, done, lanes):
                        turn(b, (p * width + c) * right + k, right, panels, p * step + k * width + c, width)
    for p in range(len(panels)):
        for k in range(done if p < whole else 0, depth):
            for c in range(width):
                panels[p, k * width + c] = b[k, p * width + c] if p * width + c < b.shape[1] else 0


@inner(makes_arrays=True)
def panels_for(b):
    """Room for all panels of a matrix like this, a row each."""
    return numpy.empty(((b.shape[1] + width_of(b) - 1) // width_of(b), len(b) * width_of(b)), b.dtype)


@inner(makes_arrays=True)
def rows_for(count, panels):
    """Rows of zeros as long as all panels are wide."""
    return numpy.zeros((count, len(panels) * width_of(panels)), panels.dtype)


@inner(makes_arrays=True)
def pack_all(b):
    """All panels of a matrix."""
    panels = panels_for(b)
    pack(b, panels)
    return panels


@inner
def times_all(a, panels, begin, out):
    """The product of a matrix and all panels of another, ``out[r, j] = begin[r, j] + sum_k a[r, k] b[k, j]``.

    Arguments: ``begin``, a matrix, which may be out itself, or a single row for all rows; ``out``, whose rows are as
    long as all panels are wide. Of both the numbers of a row lie side by side.
    """
    rows = len(out)
    left = rows % len(ROWS)
    if len(ROWS) == 6 < rows and 2 <= left <= 3:  # four and four instead of six and two
        left += 6
    for p in range(len(panels)):
        for r in range(0, rows - left, len(ROWS)):
            times_some(ROWS, r, p, a, panels, begin, out)
        for r in range(rows - left, rows - left % 4, 4):
            times_some(_FOUR, r, p, a, panels, begin, out)
        for r in range(rows - left % 4, rows):
            times_some(ONE, r, p, a, panels, begin, out)


@inner
def times_some(several, r, p, a, panels, begin, out):
    """The same for some rows from r on, such as ``ROWS``, and panel p."""
    width, panel = width_of(out), p * (panels.strides[0] // panels.itemsize)
    down, right, out_step = a.strides[0] // a.itemsize, a.strides[1] // a.itemsize, out.strides[0] // out.itemsize
    begin_step = begin.strides[0] // begin.itemsize if len(begin) > 1 else 0
    sums = load(several, TWO, begin, r * begin_step + p * width, begin_step)
    fetch(several, TWO, out, r * out_step + p * width, out_step)
    for k in range(a.shape[1]):
        sums = add_product(sums, a, r * down + k * right, down, panels, panel + k * width)
    store(sums, out, r * out_step + p * width, out_step)
