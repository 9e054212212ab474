"""Packed panels of a matrix, and GEMM with them in compiled code.

.. math:: C = S + A B

A linear algebra library packs both matrices in each product, so that they are read in order. Here only B is packed, and
by the caller: once for all steps of a recurrence, or for all queries of a head. B is divided into *panels*, as many
columns as two vectors have lanes, in which the rows follow each other; A is read where it lies. So a product of a few
dozen rows takes a tenth to a fifth less time than in the library; one of thousands takes the same.

The micro-kernel computes a register tile of some rows of A and one panel. Its sums stay in registers from the first to
the last column of A.
"""

import numpy

from ...jit.lazy import inner
from ...jit.tile import ONE, TILE_ROWS, TWO, fma, lanes_of, load, prefetch, store, transpose_block

__all__ = ["empty_panels", "micro_kernel", "pack", "pack_into", "packed_gemm", "panel_width", "zero_rows"]

_FOUR = (0, 1, 2, 3)
_PANELS_AT_ONCE = 4  # panels that are filled at once, so that b is read contiguously


@inner
def panel_width(array):
    """How many columns a panel of an array's type has."""
    return 2 * lanes_of(array)


@inner
def pack_into(b, panels):
    """Pack a matrix into panels: ``panels[p, k width + c]`` is ``b[k, p width + c]``, 0 beyond its last column.

    The elements of a row of b, or of a column, are contiguous.
    """
    depth, width, lanes = len(b), panel_width(panels), lanes_of(panels)
    row_stride, column_stride = b.strides[0] // b.itemsize, b.strides[1] // b.itemsize
    panel_stride = panels.strides[0] // panels.itemsize
    whole_panels = b.shape[1] // width
    vectorised = depth if column_stride == 1 else depth - depth % lanes  # rows of which whole vectors are packed
    for first in range(0, whole_panels, _PANELS_AT_ONCE):
        last = min(first + _PANELS_AT_ONCE, whole_panels)
        if column_stride == 1:
            for k in range(depth):
                for p in range(first, last):
                    store(load(ONE, TWO, b, k * row_stride + p * width, 0), panels, p * panel_stride + k * width, 0)
        else:
            for p in range(first, last):
                for c in range(0, width, lanes):
                    for k in range(0, vectorised, lanes):
                        source, to = (p * width + c) * column_stride + k, p * panel_stride + k * width + c
                        transpose_block(b, source, column_stride, panels, to, width)
    for p in range(len(panels)):
        for k in range(vectorised if p < whole_panels else 0, depth):
            for c in range(width):
                panels[p, k * width + c] = b[k, p * width + c] if p * width + c < b.shape[1] else 0


@inner(makes_arrays=True)
def empty_panels(b):
    """An uninitialised array for all panels of a matrix like this, one row for each."""
    return numpy.empty(((b.shape[1] + panel_width(b) - 1) // panel_width(b), len(b) * panel_width(b)), b.dtype)


@inner(makes_arrays=True)
def zero_rows(count, panels):
    """Rows of zeros as long as all panels are wide."""
    return numpy.zeros((count, len(panels) * panel_width(panels)), panels.dtype)


@inner(makes_arrays=True)
def pack(b):
    """All panels of a matrix."""
    panels = empty_panels(b)
    pack_into(b, panels)
    return panels


@inner
def packed_gemm(a, panels, start, out):
    """The product of a matrix and a packed one, ``out[r, j] = start[r, j] + sum_k a[r, k] b[k, j]``.

    Arguments: ``start``, a matrix, which may be out itself, or a single row for all rows; ``out``, whose rows are as
    long as all panels are wide. The rows of both are contiguous.
    """
    rows = len(out)
    remaining = rows % len(TILE_ROWS)
    if len(TILE_ROWS) == 6 < rows and 2 <= remaining <= 3:  # two tiles of four rows instead of six and two
        remaining += 6
    for p in range(len(panels)):
        for r in range(0, rows - remaining, len(TILE_ROWS)):
            micro_kernel(TILE_ROWS, r, p, a, panels, start, out)
        for r in range(rows - remaining, rows - remaining % 4, 4):
            micro_kernel(_FOUR, r, p, a, panels, start, out)
        for r in range(rows - remaining % 4, rows):
            micro_kernel(ONE, r, p, a, panels, start, out)


@inner
def micro_kernel(tile_rows, r, p, a, panels, start, out):
    """The same for one register tile: some rows from r on, as many as ``tile_rows`` is long, and panel p."""
    width, panel = panel_width(out), p * (panels.strides[0] // panels.itemsize)
    row_stride, column_stride = a.strides[0] // a.itemsize, a.strides[1] // a.itemsize
    out_stride, start_stride = (
        out.strides[0] // out.itemsize,
        start.strides[0] // start.itemsize if len(start) > 1 else 0,
    )
    sums = load(tile_rows, TWO, start, r * start_stride + p * width, start_stride)
    prefetch(tile_rows, TWO, out, r * out_stride + p * width, out_stride)
    for k in range(a.shape[1]):
        sums = fma(sums, a, r * row_stride + k * column_stride, row_stride, panels, panel + k * width)
    store(sums, out, r * out_stride + p * width, out_stride)
