r"""Convolution: a product of matrices of which one is never made.

.. math:: Y = X\,W^\top + b, \qquad \bar W = \bar Y^\top X

Row p of X is what the window sees at position p (`seen`). The gradient of the weight is the same sum with positions and
elements exchanged, for X is then multiplied from the other side; that of the image is in `spread`.

The outputs lie side by side in vectors, and the sums stay in registers (`tile`). The images of a batch are shared out
among threads; where there are few, so are the positions.
"""

import numpy

from ..registry import ALONE, fused, kernel
from ..tape import contiguous, do, room, zeros
from ..workers import parts_for, together
from . import winograd
from .cut import BY_ITSELF, ITSELF, WHERE, cut, cut_where, how_to_cut
from .deferred import inner
from .product import add_up
from .seen import add_seen, filled_columns, panels_of, seen_by, transpose, width_for
from .team import bounds, shared
from .tile import BYTES

__all__ = ["correlate"]

_TOGETHER = 96  # so many rows are computed at a time, for all outputs: what they see stays in the fastest cache


@kernel("convolution")
def convolution(x, weight, bias, window, groups, where=None):
    positions = window.positions(x.shape[2:], weight.shape[2:])
    if winograd.fits(x.dtype, weight.shape, window, groups, positions):
        return winograd.correlate(x, weight, bias, window, where)
    seen = seen_by(x.shape[1:], weight.shape[1:], window)
    y = room((len(x), len(weight), *positions), x.dtype)
    w = panels_of(weight.reshape(groups, len(weight) // groups, -1))
    correlate(contiguous(x), w, bias, y, seen, where)
    return y


@fused("convolution", then="relu")
def convolution_relu(x, weight, bias, window, groups):
    return convolution(x, weight, bias, window, groups, ITSELF)


@fused("convolution", then="max_pooling", then_of=ALONE)
def convolution_pooled(x, weight, bias, window, groups, kernel, pooling, where=None):
    plain = not any(map(any, pooling.padding)) and pooling.dilation == (1, 1)
    positions = window.positions(x.shape[2:], weight.shape[2:])
    if not (plain and winograd.fits(x.dtype, weight.shape, window, groups, positions)):
        return NotImplemented
    return winograd.correlate(x, weight, bias, window, where, (kernel, pooling))


@fused("convolution then relu", then="max_pooling", then_of=ALONE)
def convolution_relu_pooled(x, weight, bias, window, groups, kernel, pooling):
    return convolution_pooled(x, weight, bias, window, groups, kernel, pooling, ITSELF)


@kernel("convolution_weight")
def convolution_weight(out, x, size, window, groups):
    if winograd.fits(x.dtype, (out.shape[1], x.shape[1], *size), window, groups, out.shape[2:]):
        return winograd.correlate_weight(out, x, size, window)
    x, g = contiguous(x), contiguous(out)
    channels, outputs = x.shape[1] // groups, out.shape[1] // groups
    seen = seen_by(x.shape[1:], (channels, *size), window)
    elements = channels * size[0] * size[1]
    width = width_for(outputs, x.itemsize)
    positions, seen_elements = seen.rows[: seen.positions], filled_columns(x.shape[1:], (channels, *size), window)
    parts = parts_for(g.size * elements, len(x))
    totals = zeros((parts, groups, -(-outputs // width), seen_elements.size, width), x.dtype)
    together(_of_weight, g.size * elements, parts, x, g, totals, *seen[:2], positions, seen_elements)
    add_up(totals, totals[0])
    total = totals[0, :, :, :elements]
    weight = contiguous(total.swapaxes(2, 3)).reshape(groups, totals.shape[2] * width, elements)[:, :outputs]
    return weight.reshape(g.shape[1], channels, *size)


@kernel("convolution", of="bias")
def convolution_bias(g):
    planes = contiguous(g).reshape(*g.shape[:2], -1)
    sums = zeros((parts_for(planes.size, len(planes)), planes.shape[1]), g.dtype)
    together(_sum_planes, planes.size, len(sums), planes, sums)
    add_up(sums, sums[0])
    return sums[0]


def correlate(images, panels, bias, y, seen, where):
    """Put into ``y`` what is seen of images times the weights, cut off as `how_to_cut` says."""
    b = zeros((panels.shape[0], panels.shape[1] * panels.shape[3]), y.dtype)
    if bias is not None:
        do(numpy.copyto, b[:, : y.shape[1] // len(b)], bias.reshape(len(b), -1))
    bands = -(-seen.positions // _TOGETHER)
    cost = len(images) * seen.positions * panels.size
    together(_products, cost, len(images) * bands, images, panels, b, y, *how_to_cut(y, where), *seen)


# --- the sums ---------------------------------------------------------------------------------------------------------


@shared(makes_arrays=True)
def _products(start, stop, images, panels, bias, y, how, where, padded, before, rows, columns, count):
    """The rows of some bands of images times the panels: ``start`` and ``stop`` count bands of ``_TOGETHER`` rows."""
    bands = -(-count // _TOGETHER)
    groups, width = panels.shape[0], panels.shape[3]
    outputs, plane = y.shape[1] // groups, padded[0] * padded[1]
    whole = images.shape[2] == padded[0] and images.shape[3] == padded[1]  # it is between its zeros already
    image = numpy.zeros(0 if whole else images.shape[1] * plane, images.dtype)
    out, turned = numpy.empty((_TOGETHER, width), y.dtype), numpy.empty((width, _TOGETHER), y.dtype)
    for band in range(start, stop):
        n, first = band // bands, band % bands * _TOGETHER
        last = min(first + _TOGETHER, rows.size)
        if whole:
            image = images[n].reshape(-1)
        elif band == start or not first:
            _put(images[n], image, padded, before)
        result = y[n].reshape(y.shape[1], y.shape[2] * y.shape[3])
        above = where[n].reshape(result.shape)
        for group in range(groups):
            seen = image[group * (images.shape[1] // groups) * plane :]
            for panel in range(panels.shape[1]):
                o = panel * width
                for r in range(_TOGETHER):
                    for c in range(width):
                        out[r, c] = bias[group, o + c]
                add_seen(seen, rows[first:last], columns, panels[group, panel], out)
                begin, end = group * outputs + o, group * outputs + min(outputs, o + width)
                _take(out, turned, result[begin:end], first, min(_TOGETHER, count - first), how, above[begin:end])


@shared
def _of_weight(first, last, x, g, totals, padded, before, positions, elements):
    """Some parts of the images, each with a sum of its own."""
    for part in range(first, last):
        begin, end = bounds(len(x), part, len(totals))
        _of_some(x[begin:end], g[begin:end], totals[part], padded, before, positions, elements)


@inner(makes_arrays=True)
def _of_some(x, g, total, padded, before, positions, elements):
    groups, width = total.shape[0], total.shape[3]
    outputs, plane = g.shape[1] // groups, padded[0] * padded[1]
    image = numpy.zeros(x.shape[1] * plane, x.dtype)
    area = positions.size
    lanes = BYTES // g.itemsize
    v, rows = (
        numpy.empty((-(-area // lanes) * lanes, width), g.dtype),
        numpy.zeros((width, -(-area // lanes) * lanes), g.dtype),
    )
    for n in range(x.shape[0]):
        _put(x[n], image, padded, before)
        out = g[n].reshape(g.shape[1], area)
        for group in range(groups):
            seen = image[group * (x.shape[1] // groups) * plane :]
            for panel in range(total.shape[1]):
                o = panel * width
                for r in range(min(outputs - o, width)):
                    for p in range(area):
                        rows[r, p] = out[group * outputs + o + r, p]
                transpose(rows, v)
                add_seen(seen, elements, positions, v, total[group, panel])


@shared
def _sum_planes(first, last, planes, sums):
    """Some parts of the images, each with a sum of its own."""
    for part in range(first, last):
        begin, end = bounds(len(planes), part, len(sums))
        for n in range(begin, end):
            for o in range(planes.shape[1]):
                plane, found = planes[n, o], planes.dtype.type(0)
                for p in range(plane.size):
                    found += plane[p]
                sums[part, o] += found


@inner
def _put(image, out, padded, before):
    """Put an image between zeros."""
    for c in range(image.shape[0]):
        for i in range(image.shape[1]):
            line, start = image[c, i], ((c * padded[0]) + before[0] + i) * padded[1] + before[1]
            to = out[start : start + line.size]
            for j in range(line.size):
                to[j] = line[j]


@inner
def _take(out, turned, y, first, count, how, where):
    """Put some rows of outputs where they belong in the images of the outputs, cut off."""
    first = max(first, 0)
    transpose(out, turned)
    if how == BY_ITSELF:
        cut(turned.reshape(-1))
    for o in range(y.shape[0]):
        for p in range(count):
            y[o, first + p] = turned[o, p]
        if how == WHERE:
            cut_where(y[o, first : first + count], where[o, first : first + count])
