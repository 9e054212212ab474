r"""The gradient of the images of a convolution.

.. math:: \bar x[\mathrm{row}_p + \mathrm{column}_k] \mathrel{+}= \sum_o \bar Y_{p o} W_{o k}

Where the window moves in steps of one, each place of an image sees the outputs through the window turned around, and
this is a convolution again. In larger steps it sees them through some elements of the window, and its neighbour through
others; there what the outputs of a position give is *spread* over all that the window saw from it.

The channels lie side by side in vectors; where there are so few that most of a vector would be empty, the positions.
"""

from functools import lru_cache

import numpy

from ..registry import fused, kernel
from ..tape import constant, contiguous, do, room
from ..workers import together
from . import winograd
from .convolution import convolution_bias, correlate
from .cut import WHERE, cut_where, how_to_cut
from .deferred import inner
from .seen import add_seen, filled, panels_of, seen_by, seen_from_outputs, transpose
from .team import shared
from .tile import BYTES, ROWS

_TOGETHER = 96  # positions: what they give for an element of the window stays in the fastest cache


@kernel("convolution_image")
def convolution_image(out, weight, bias, size, window, groups, where=None):
    if winograd.fits(out.dtype, weight.shape, window, groups, out.shape[2:]):
        return winograd.correlate_back(out, weight, bias, size, window, where)
    g, channels, outputs = contiguous(out), weight.shape[1], len(weight) // groups
    x = room((len(g), groups * channels, *size), g.dtype)
    parted = weight.reshape(groups, outputs, *weight.shape[1:])
    if 2 * channels * g.itemsize <= BYTES:
        _spread_few(g, parted, x, window, where)
    elif window.stride == (1, 1):
        parted = parted.swapaxes(1, 2)
        seen = seen_from_outputs(tuple(size), parted.shape[2:], out.shape[2:], window)
        correlate(g, panels_of(contiguous(parted).reshape(groups, channels, -1)), None, x, seen, where)
    else:
        _spread(g, parted, x, window, where)
    if bias is not None:
        do(numpy.add, x, bias[:, None, None], x)
    return x


kernel("convolution_image", of="bias")(convolution_bias)


@fused("convolution", of="x", then="relu")
def convolution_x_relu(g, weight, x_shape, window, groups, y):
    return convolution_image(g, weight, None, x_shape[2:], window, groups, y)


@lru_cache(256)
def _every(count, apart=1):
    """So many places, one as far from the next as the other."""
    return constant(numpy.arange(count) * apart)


@lru_cache(256)
def _filled(count):
    return constant(filled(_every(count)))


# --- channels side by side --------------------------------------------------------------------------------------------


def _spread(g, weight, x, window, where):
    groups, outputs, channels, *lengths = weight.shape
    seen = seen_by((1, *x.shape[2:]), (1, *lengths), window)
    panels = panels_of(contiguous(weight.transpose(0, 2, 3, 4, 1)).reshape(groups, channels, -1))
    places, outs = _every(_TOGETHER), _every(outputs, _TOGETHER)
    planes = g.reshape(*g.shape[:2], seen.positions)
    cost = g.size * weight[0, 0].size
    count = len(g) * groups * panels.shape[1]
    together(_spread_some, cost, count, planes, panels, places, outs, x, *how_to_cut(x, where), *seen)


@shared(makes_arrays=True)
def _spread_some(start, stop, g, panels, places, outs, x, how, where, padded, before, rows, columns, area):
    """Some panels of channels of some images."""
    groups, wide, width, outputs = panels.shape[0], panels.shape[1], panels.shape[3], outs.size
    channels, lanes = x.shape[1] // groups, BYTES // x.itemsize
    plane = (padded[0] * padded[1] + lanes - 1) // lanes * lanes
    image, turned = numpy.empty((plane, width), x.dtype), numpy.empty((width, plane), x.dtype)
    given, out = numpy.zeros(outputs * _TOGETHER, x.dtype), numpy.empty((_TOGETHER, width), x.dtype)
    for k in range(start, stop):
        n, group, panel = k // (groups * wide), k // wide % groups, k % wide
        image.reshape(-1)[:] = 0  # in one loop
        for first in range(0, area, _TOGETHER):
            count = min(_TOGETHER, area - first)
            for o in range(outputs):
                line, to = g[n, group * outputs + o, first : first + count], given[o * _TOGETHER :]
                for p in range(line.size):
                    to[p] = line[p]
            some = places[: (count + len(ROWS) - 1) // len(ROWS) * len(ROWS)]
            for e in range(columns.size):
                out[: some.size] = 0
                add_seen(given, some, outs, panels[group, panel, e * outputs : (e + 1) * outputs], out)
                for p in range(count):
                    to, sums = image[rows[first + p] + columns[e]], out[p]
                    for c in range(width):
                        to[c] += sums[c]
        transpose(image, turned)
        for c in range(min(width, channels - panel * width)):
            channel = group * channels + panel * width + c
            _take_out(turned[c], padded, before, x[n, channel], how, where[n, channel])


# --- positions side by side -------------------------------------------------------------------------------------------


def _spread_few(g, weight, x, window, where):
    groups, outputs, channels, *lengths = weight.shape
    seen = seen_by((channels, *x.shape[2:]), (channels, *lengths), window)
    elements = seen.columns.size
    rows, columns = _filled(elements), _every(outputs, elements)
    planes = g.reshape(len(g) * groups, outputs, seen.positions)
    w = contiguous(weight).reshape(groups, -1)
    how, where = how_to_cut(x, where)
    images = [array.reshape(len(planes), channels, *x.shape[2:]) for array in (x, where)]
    together(
        _spread_some_few, g.size * elements, len(planes), planes, w, rows, columns, images[0], how, images[1], *seen
    )


@shared(makes_arrays=True)
def _spread_some_few(start, stop, g, weight, rows, columns, x, how, where, padded, before, positions, elements, area):
    width, plane = 2 * BYTES // g.itemsize, padded[0] * padded[1]
    image = numpy.empty(x.shape[1] * plane, x.dtype)
    v, out = numpy.zeros((g.shape[1], width), g.dtype), numpy.empty((rows.size, width), g.dtype)
    for n in range(start, stop):
        image[:] = 0
        for first in range(0, area, width):
            count = min(width, area - first)
            for o in range(g.shape[1]):
                for p in range(count):
                    v[o, p] = g[n, o, first + p]
            out[:] = 0
            add_seen(weight[n % len(weight)], rows, columns, v, out)
            here = positions[first : first + count]
            for k in range(elements.size):
                seen, sums = image[elements[k] :], out[k]
                for p in range(here.size):
                    seen[here[p]] += sums[p]
        for c in range(x.shape[1]):
            _take_out(image[c * plane : (c + 1) * plane], padded, before, x[n, c], how, where[n, c])


@inner
def _take_out(plane, padded, before, image, how, where):
    """Take a plane of an image out from between the zeros, cut off."""
    for i in range(image.shape[0]):
        start, to = (before[0] + i) * padded[1] + before[1], image[i]
        line = plane[start : start + to.size]
        for j in range(to.size):
            to[j] = line[j]
    if how == WHERE:
        cut_where(image.reshape(-1), where.reshape(-1))
