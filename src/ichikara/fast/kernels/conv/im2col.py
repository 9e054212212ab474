r"""Implicit im2col: a matrix of what a window sees, as two lists of offsets, and GEMM that gathers from the image.

.. math:: X_{p k} = x[\mathrm{row}_p + \mathrm{column}_k]

Row p of X holds what the window sees at position p, and column k what its element k sees at every position. In a padded
image both are offsets: number (p, k) is at the sum of where the position begins and how far from there the element is.
So two short lists of offsets stand for all of X, whatever the stride and the dilation. X is never made; it is read
where the image lies.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy

from ...jit.lazy import inner
from ...jit.tile import ONE, TILE_ROWS, TWO, fma_gather, lanes_of, load, store, transpose_block
from ...jit.vectors import VECTOR_BYTES
from ...workspace import constant, empty, launch, zeros

__all__ = [
    "GatherOffsets",
    "gather_gemm",
    "im2col",
    "pack_weight",
    "padded_columns",
    "padded_to_tiles",
    "panel_width",
    "transpose",
    "transposed_im2col",
]

_K_BLOCK = 320  # so many columns of X are used at a time: for all rows of a tile they stay in the L1 cache


class GatherOffsets(NamedTuple):
    """The matrix X of images, as offsets into a padded image."""

    padded: tuple[int, int]
    """The size of the padded image."""
    before: tuple[int, int]
    """The padding above it and to its left."""
    rows: Any
    """The offset of each position."""
    columns: Any
    """The offset of each element of the window."""
    positions: int
    """How many rows there are before they are padded to whole tiles."""


@lru_cache(256)
def im2col(shape, weight_shape, window):
    """The offsets of a window in an image. Arguments: ``shape`` of the image; ``weight_shape``, that of one output."""
    (top, _), (left, _) = window.padding
    padded, (down, across) = window.padded(shape[1:]), window.positions(shape[1:], weight_shape[1:])
    rows = _offsets(padded, 1, numpy.arange(down) * window.stride[0], numpy.arange(across) * window.stride[1])
    elements = [numpy.arange(length) * d for length, d in zip(weight_shape[1:], window.dilation, strict=True)]
    columns = constant(_offsets(padded, weight_shape[0], *elements))
    return GatherOffsets(padded, (top, left), constant(padded_to_tiles(rows)), columns, rows.size)


@lru_cache(256)
def padded_columns(shape, weight_shape, window):
    """The columns of `im2col`, padded to whole tiles as its rows are."""
    return constant(padded_to_tiles(im2col(shape, weight_shape, window).columns))


@lru_cache(256)
def transposed_im2col(size, weight_shape, positions, window):
    """The offsets of a transposed convolution with stride 1: what each pixel of an image sees of the outputs.

    Arguments: ``size`` of the image; ``weight_shape``, that of one channel; ``positions`` of the window.
    """
    # Pixel m is seen from the position m + e by element k, where m + e + d k = m + p.
    shifts = [
        p - numpy.arange(length) * d
        for length, (p, _), d in zip(weight_shape[1:], window.padding, window.dilation, strict=True)
    ]
    before = tuple(max(0, -e.min()) for e in shifts)
    padded = tuple(b + max(n, m + e.max()) for b, n, m, e in zip(before, positions, size, shifts, strict=True))
    columns = _offsets(padded, weight_shape[0], *(b + e for b, e in zip(before, shifts, strict=True)))
    rows = _offsets(padded, 1, *map(numpy.arange, size))
    return GatherOffsets(padded, before, constant(padded_to_tiles(rows)), constant(columns), rows.size)


def _offsets(size, channels, rows, columns):
    """The offsets in an image of this size of the pixels at some rows and columns of each channel, in this order."""
    c = numpy.arange(channels) * (size[0] * size[1])
    return (c[:, None, None] + rows[:, None] * size[1] + columns).reshape(-1).astype(numpy.intp)


def padded_to_tiles(offsets):
    """The list with its last offset repeated up to a multiple of a tile's rows, so that all tiles are whole."""
    return numpy.pad(offsets, (0, -offsets.size % len(TILE_ROWS)), "edge" if offsets.size else "constant")


def panel_width(outputs, itemsize):
    """How many outputs a panel has: one vector of them, or two."""
    lanes = VECTOR_BYTES // itemsize
    return lanes if outputs <= lanes else 2 * lanes


def pack_weight(weight):
    """The weight packed into panels, in which some outputs lie side by side, element by element of the window.

    Shapes: (groups, outputs, elements) -> (groups, panels, elements, width).
    """
    groups, outputs, elements = weight.shape
    width = panel_width(outputs, weight.itemsize)
    whole, rest = divmod(outputs, width)
    panels = (zeros if rest else empty)((groups, -(-outputs // width), elements, width), weight.dtype)
    by_output = panels.swapaxes(2, 3)
    launch(numpy.copyto, by_output[:, :whole], weight[:, : whole * width].reshape(groups, whole, width, elements))
    if rest:
        launch(numpy.copyto, by_output[:, whole, :rest], weight[:, whole * width :])
    return panels


@inner
def transpose(x, out):
    """Put the transpose of a matrix into another. The sizes of both are multiples of the number of lanes."""
    rows, columns = x.shape
    for i in range(0, rows, lanes_of(x)):
        for j in range(0, columns, lanes_of(x)):
            transpose_block(x, i * columns + j, columns, out, j * rows + i, rows)


@inner
def gather_gemm(x, rows, columns, v, out):
    """Add the product of X, gathered from the image ``x``, and the matrix ``v`` to ``out``.

    Arguments: ``rows`` and ``columns``, the offsets of X.
    """
    if out.shape[1] * out.itemsize == VECTOR_BYTES:
        _gather_gemm_tiles(TILE_ROWS, ONE, x, rows, columns, v, out)
    else:
        _gather_gemm_tiles(TILE_ROWS, TWO, x, rows, columns, v, out)


@inner
def _gather_gemm_tiles(tile_rows, tile_columns, x, rows, columns, v, out):
    width = v.shape[1]
    for first in range(0, columns.size, _K_BLOCK):
        last = min(first + _K_BLOCK, columns.size)
        for i in range(0, rows.size, len(tile_rows)):
            tile = load(tile_rows, tile_columns, out, i * width, width)
            for k in range(first, last):
                tile = fma_gather(tile, x, rows, i, columns, k, v, k * width)
            store(tile, out, i * width, width)
