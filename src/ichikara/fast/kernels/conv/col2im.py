r"""The gradient of the images of a convolution, which is also the transposed convolution.

.. math:: \bar x[\mathrm{row}_p + \mathrm{column}_k] \mathrel{+}= \sum_o \bar Y_{p o} W_{o k}

Where the window moves with stride 1, each pixel of an image sees the outputs through the flipped window, and this is a
convolution again. With a larger stride it sees them through some elements of the window, and its neighbour through
others. There the product of the outputs and the weight is scattered over all pixels that the window saw (col2im).

The channels lie side by side in vectors; where there are so few that most of a vector would be empty, the positions do.
"""

from functools import lru_cache

import numpy

from ...jit.lazy import inner
from ...jit.tile import TILE_ROWS
from ...jit.vectors import VECTOR_BYTES
from ...registry import fused, kernel
from ...threads.fork_join import parallel
from ...threads.team import parallel_for
from ...workspace import constant, contiguous, empty, launch
from ..epilogue import APPLY_MASK, apply_mask, encode_epilogue
from . import winograd
from .convolution import convolution_bias, implicit_gemm
from .im2col import gather_gemm, im2col, pack_weight, padded_to_tiles, transpose, transposed_im2col

__all__ = ["convolution_image"]

_BAND = 96  # positions at a time: their products with an element of the window stay in the L1 cache


@kernel("convolution_image")
def convolution_image(out, weight, bias, size, window, groups, epilogue=None):
    if winograd.fits(out.dtype, weight.shape, window, groups, out.shape[2:]):
        return winograd.input_gradient(out, weight, bias, size, window, epilogue)
    g, channels, outputs = contiguous(out), weight.shape[1], len(weight) // groups
    x = empty((len(g), groups * channels, *size), g.dtype)
    by_group = weight.reshape(groups, outputs, *weight.shape[1:])
    if 2 * channels * g.itemsize <= VECTOR_BYTES:
        _scatter_positions(g, by_group, x, window, epilogue)
    elif window.stride == (1, 1):
        by_group = by_group.swapaxes(1, 2)
        offsets = transposed_im2col(tuple(size), by_group.shape[2:], out.shape[2:], window)
        packed = pack_weight(contiguous(by_group).reshape(groups, channels, -1))
        implicit_gemm(g, packed, None, x, offsets, epilogue)
    else:
        _scatter_channels(g, by_group, x, window, epilogue)
    if bias is not None:
        launch(numpy.add, x, bias[:, None, None], x)
    return x


kernel("convolution_image", of="bias")(convolution_bias)


@fused("convolution", of="x", then="relu")
def convolution_x_relu(g, weight, x_shape, window, groups, y):
    return convolution_image(g, weight, None, x_shape[2:], window, groups, y)


@lru_cache(256)
def _range(count, step=1):
    """The offsets 0, step, 2 step and so on."""
    return constant(numpy.arange(count) * step)


@lru_cache(256)
def _range_of_tiles(count):
    return constant(padded_to_tiles(_range(count)))


# --- channels in vectors ----------------------------------------------------------------------------------------------


def _scatter_channels(g, weight, x, window, epilogue):
    groups, outputs, channels, *lengths = weight.shape
    offsets = im2col((1, *x.shape[2:]), (1, *lengths), window)
    panels = pack_weight(contiguous(weight.transpose(0, 2, 3, 4, 1)).reshape(groups, channels, -1))
    g_rows, g_columns = _range(_BAND), _range(outputs, _BAND)
    planes = g.reshape(*g.shape[:2], offsets.positions)
    cost = g.size * weight[0, 0].size
    count = len(g) * groups * panels.shape[1]
    operands = (planes, panels, g_rows, g_columns, x)
    parallel_for(_scatter_some_channels, cost, count, *operands, *encode_epilogue(x, epilogue), *offsets)


@parallel(makes_arrays=True)
def _scatter_some_channels(
    start, stop, g, panels, g_rows, g_columns, x, code, mask, padded, before, rows, columns, positions
):
    """Some panels of channels of some images."""
    groups, per_group, width, outputs = panels.shape[0], panels.shape[1], panels.shape[3], g_columns.size
    channels, lanes = x.shape[1] // groups, VECTOR_BYTES // x.itemsize
    plane = (padded[0] * padded[1] + lanes - 1) // lanes * lanes
    image, transposed = numpy.empty((plane, width), x.dtype), numpy.empty((width, plane), x.dtype)
    band, out = numpy.zeros(outputs * _BAND, x.dtype), numpy.empty((_BAND, width), x.dtype)
    for k in range(start, stop):
        n, group, panel = k // (groups * per_group), k // per_group % groups, k % per_group
        image.reshape(-1)[:] = 0  # in one loop
        for first in range(0, positions, _BAND):
            count = min(_BAND, positions - first)
            for o in range(outputs):
                row, to = g[n, group * outputs + o, first : first + count], band[o * _BAND :]
                for p in range(row.size):
                    to[p] = row[p]
            band_rows = g_rows[: (count + len(TILE_ROWS) - 1) // len(TILE_ROWS) * len(TILE_ROWS)]
            for e in range(columns.size):
                out[: band_rows.size] = 0
                gather_gemm(band, band_rows, g_columns, panels[group, panel, e * outputs : (e + 1) * outputs], out)
                for p in range(count):
                    to, sums = image[rows[first + p] + columns[e]], out[p]
                    for c in range(width):
                        to[c] += sums[c]
        transpose(image, transposed)
        for c in range(min(width, channels - panel * width)):
            channel = group * channels + panel * width + c
            _unpad_plane(transposed[c], padded, before, x[n, channel], code, mask[n, channel])


# --- positions in vectors ---------------------------------------------------------------------------------------------


def _scatter_positions(g, weight, x, window, epilogue):
    groups, outputs, channels, *lengths = weight.shape
    offsets = im2col((channels, *x.shape[2:]), (channels, *lengths), window)
    elements = offsets.columns.size
    w_rows, w_columns = _range_of_tiles(elements), _range(outputs, elements)
    planes = g.reshape(len(g) * groups, outputs, offsets.positions)
    w = contiguous(weight).reshape(groups, -1)
    code, mask = encode_epilogue(x, epilogue)
    images, masks = (array.reshape(len(planes), channels, *x.shape[2:]) for array in (x, mask))
    operands = (planes, w, w_rows, w_columns, images, code, masks)
    parallel_for(_scatter_some_positions, g.size * elements, len(planes), *operands, *offsets)


@parallel(makes_arrays=True)
def _scatter_some_positions(
    start, stop, g, weight, w_rows, w_columns, x, code, mask, padded, before, positions, elements, area
):
    """The groups of some images."""
    width, plane = 2 * VECTOR_BYTES // g.itemsize, padded[0] * padded[1]
    image = numpy.empty(x.shape[1] * plane, x.dtype)
    v, out = numpy.zeros((g.shape[1], width), g.dtype), numpy.empty((w_rows.size, width), g.dtype)
    for n in range(start, stop):
        image[:] = 0
        for first in range(0, area, width):
            count = min(width, area - first)
            for o in range(g.shape[1]):
                for p in range(count):
                    v[o, p] = g[n, o, first + p]
            out[:] = 0
            gather_gemm(weight[n % len(weight)], w_rows, w_columns, v, out)
            pixels = positions[first : first + count]
            for k in range(elements.size):
                to, sums = image[elements[k] :], out[k]
                for p in range(pixels.size):
                    to[pixels[p]] += sums[p]
        for c in range(x.shape[1]):
            _unpad_plane(image[c * plane : (c + 1) * plane], padded, before, x[n, c], code, mask[n, c])


@inner
def _unpad_plane(plane, padded, before, image, code, mask):
    """Copy a plane of an image without its padding, with the epilogue applied."""
    for i in range(image.shape[0]):
        start, to = (before[0] + i) * padded[1] + before[1], image[i]
        row = plane[start : start + to.size]
        for j in range(to.size):
            to[j] = row[j]
    if code == APPLY_MASK:
        apply_mask(image.reshape(-1), mask.reshape(-1))
