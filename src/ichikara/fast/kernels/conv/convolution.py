r"""Convolution as an implicit GEMM, a product of matrices of which one is never made, and two of its gradients.

.. math:: Y = X\,W^\top + b, \qquad \bar W = \bar Y^\top X

Row p of X is what the window sees at position p (`im2col`). The gradient of the weight is the same sum with positions
and elements exchanged, since X is then multiplied from the other side. The gradient of the images is in `col2im`.

The outputs lie side by side in vectors, and the sums stay in register tiles. The images of a batch are divided among
the threads; where there are few, so are the positions.
"""

import numpy

from ...jit.lazy import inner
from ...jit.vectors import VECTOR_BYTES
from ...registry import INFERENCE, fused, kernel
from ...threads.fork_join import chunk_bounds, parallel
from ...threads.team import parallel_for, threads_for
from ...workspace import contiguous, empty, launch, zeros
from ..epilogue import APPLY_MASK, APPLY_RELU, RELU, apply_mask, apply_relu, encode_epilogue
from ..reduce import sum_parts
from . import winograd, winograd_weight
from .im2col import gather_gemm, im2col, pack_weight, padded_columns, panel_width, transpose

__all__ = ["implicit_gemm"]

_BAND = 96  # so many rows of X are computed at a time, for all outputs: what they see stays in the L1 cache


@kernel("convolution")
def convolution(x, weight, bias, window, groups, epilogue=None):
    positions = window.positions(x.shape[2:], weight.shape[2:])
    if winograd.fits(x.dtype, weight.shape, window, groups, positions):
        return winograd.convolve(x, weight, bias, window, epilogue)
    offsets = im2col(x.shape[1:], weight.shape[1:], window)
    y = empty((len(x), len(weight), *positions), x.dtype)
    w = pack_weight(weight.reshape(groups, len(weight) // groups, -1))
    implicit_gemm(contiguous(x), w, bias, y, offsets, epilogue)
    return y


@fused("convolution", then="relu")
def convolution_relu(x, weight, bias, window, groups):
    return convolution(x, weight, bias, window, groups, RELU)


@fused("convolution", then="max_pooling", then_of=INFERENCE)
def convolution_pooled(x, weight, bias, window, groups, kernel, pooling, epilogue=None):
    plain = not any(map(any, pooling.padding)) and pooling.dilation == (1, 1)
    positions = window.positions(x.shape[2:], weight.shape[2:])
    if not (plain and winograd.fits(x.dtype, weight.shape, window, groups, positions)):
        return NotImplemented
    return winograd.convolve(x, weight, bias, window, epilogue, (kernel, pooling))


@fused("convolution then relu", then="max_pooling", then_of=INFERENCE)
def convolution_relu_pooled(x, weight, bias, window, groups, kernel, pooling):
    return convolution_pooled(x, weight, bias, window, groups, kernel, pooling, RELU)


@kernel("convolution_weight")
def convolution_weight(out, x, size, window, groups):
    if winograd.fits(x.dtype, (out.shape[1], x.shape[1], *size), window, groups, out.shape[2:]):
        return winograd_weight.weight_gradient(out, x, size, window)
    x, g = contiguous(x), contiguous(out)
    channels, outputs = x.shape[1] // groups, out.shape[1] // groups
    offsets = im2col(x.shape[1:], (channels, *size), window)
    elements = channels * size[0] * size[1]
    width = panel_width(outputs, x.itemsize)
    rows, columns = offsets.rows[: offsets.positions], padded_columns(x.shape[1:], (channels, *size), window)
    parts = threads_for(g.size * elements, len(x))
    totals = zeros((parts, groups, -(-outputs // width), columns.size, width), x.dtype)
    parallel_for(_weight_gradient, g.size * elements, parts, x, g, totals, *offsets[:2], rows, columns)
    sum_parts(totals, totals[0])
    total = totals[0, :, :, :elements]
    weight = contiguous(total.swapaxes(2, 3)).reshape(groups, totals.shape[2] * width, elements)[:, :outputs]
    return weight.reshape(g.shape[1], channels, *size)


@kernel("convolution", of="bias")
def convolution_bias(g):
    planes = contiguous(g).reshape(*g.shape[:2], -1)
    sums = zeros((threads_for(planes.size, len(planes)), planes.shape[1]), g.dtype)
    parallel_for(_bias_gradient, planes.size, len(sums), planes, sums)
    sum_parts(sums, sums[0])
    return sums[0]


def implicit_gemm(images, panels, bias, y, offsets, epilogue):
    """Put the product of the implicit im2col matrix of images and the packed weight into ``y``.

    Arguments: ``epilogue``, as of `encode_epilogue`.
    """
    b = zeros((panels.shape[0], panels.shape[1] * panels.shape[3]), y.dtype)
    if bias is not None:
        launch(numpy.copyto, b[:, : y.shape[1] // len(b)], bias.reshape(len(b), -1))
    bands = -(-offsets.positions // _BAND)
    cost = len(images) * offsets.positions * panels.size
    count = len(images) * bands
    parallel_for(_implicit_gemm, cost, count, images, panels, b, y, *encode_epilogue(y, epilogue), *offsets)


# --- compiled ---------------------------------------------------------------------------------------------------------


@parallel(makes_arrays=True)
def _implicit_gemm(start, stop, images, panels, bias, y, code, mask, padded, before, rows, columns, count):
    """The outputs at some bands of positions: ``start`` and ``stop`` count bands of all images."""
    bands = -(-count // _BAND)
    groups, width = panels.shape[0], panels.shape[3]
    outputs, plane = y.shape[1] // groups, padded[0] * padded[1]
    no_padding = images.shape[2] == padded[0] and images.shape[3] == padded[1]
    image = numpy.zeros(0 if no_padding else images.shape[1] * plane, images.dtype)
    out, transposed = numpy.empty((_BAND, width), y.dtype), numpy.empty((width, _BAND), y.dtype)
    for band in range(start, stop):
        n, first = band // bands, band % bands * _BAND
        last = min(first + _BAND, rows.size)
        if no_padding:
            image = images[n].reshape(-1)
        elif band == start or not first:
            _pad_image(images[n], image, padded, before)
        result = y[n].reshape(y.shape[1], y.shape[2] * y.shape[3])
        image_mask = mask[n].reshape(result.shape)
        for group in range(groups):
            channels = image[group * (images.shape[1] // groups) * plane :]
            for panel in range(panels.shape[1]):
                o = panel * width
                for r in range(_BAND):
                    for c in range(width):
                        out[r, c] = bias[group, o + c]
                gather_gemm(channels, rows[first:last], columns, panels[group, panel], out)
                begin, end = group * outputs + o, group * outputs + min(outputs, o + width)
                to, to_mask = result[begin:end], image_mask[begin:end]
                _store_outputs(out, transposed, to, first, min(_BAND, count - first), code, to_mask)


@parallel
def _weight_gradient(first, last, x, g, totals, padded, before, rows, columns):
    """The gradients from some parts of the images, each with a sum of its own."""
    for part in range(first, last):
        begin, end = chunk_bounds(len(x), part, len(totals))
        _weight_gradient_part(x[begin:end], g[begin:end], totals[part], padded, before, rows, columns)


@inner(makes_arrays=True)
def _weight_gradient_part(x, g, total, padded, before, positions, elements):
    groups, width = total.shape[0], total.shape[3]
    outputs, plane = g.shape[1] // groups, padded[0] * padded[1]
    image = numpy.zeros(x.shape[1] * plane, x.dtype)
    area = positions.size
    lanes = VECTOR_BYTES // g.itemsize
    v, rows = (
        numpy.empty((-(-area // lanes) * lanes, width), g.dtype),
        numpy.zeros((width, -(-area // lanes) * lanes), g.dtype),
    )
    for n in range(x.shape[0]):
        _pad_image(x[n], image, padded, before)
        out = g[n].reshape(g.shape[1], area)
        for group in range(groups):
            channels = image[group * (x.shape[1] // groups) * plane :]
            for panel in range(total.shape[1]):
                o = panel * width
                for r in range(min(outputs - o, width)):
                    for p in range(area):
                        rows[r, p] = out[group * outputs + o + r, p]
                transpose(rows, v)
                gather_gemm(channels, elements, positions, v, total[group, panel])


@parallel
def _bias_gradient(first, last, planes, sums):
    """The sums over some parts of the images, each with a sum of its own."""
    for part in range(first, last):
        begin, end = chunk_bounds(len(planes), part, len(sums))
        for n in range(begin, end):
            for o in range(planes.shape[1]):
                plane, total = planes[n, o], planes.dtype.type(0)
                for p in range(plane.size):
                    total += plane[p]
                sums[part, o] += total


@inner
def _pad_image(image, out, padded, before):
    """Copy an image into a padded one, whose padding is there already."""
    for c in range(image.shape[0]):
        for i in range(image.shape[1]):
            row, start = image[c, i], ((c * padded[0]) + before[0] + i) * padded[1] + before[1]
            to = out[start : start + row.size]
            for j in range(row.size):
                to[j] = row[j]


@inner
def _store_outputs(out, transposed, y, first, count, code, mask):
    """Store some rows of outputs in the images of the outputs, with the epilogue applied."""
    first = max(first, 0)
    transpose(out, transposed)
    if code == APPLY_RELU:
        apply_relu(transposed.reshape(-1))
    for o in range(y.shape[0]):
        for p in range(count):
            y[o, first + p] = transposed[o, p]
        if code == APPLY_MASK:
            apply_mask(y[o, first : first + count], mask[o, first : first + count])
