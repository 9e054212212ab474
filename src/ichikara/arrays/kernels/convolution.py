r"""Convolution: a product of matrices of which one is never made.

.. math:: Y = X\,W^\top + b, \qquad \bar W = \bar Y^\top X, \qquad X_{p k} = x[\mathrm{row}_p + \mathrm{column}_k]

Row p of X holds what the window sees at position p, and column k what its element k sees at every position. In an image
with zeros around it the two are a distance each: number (p, k) lies at the sum of where the position begins and how far
from there the element is. So two short lists of numbers stand for all of X, whatever the stride and the dilation, and
X is read where the image lies.

The gradient of the image is the same sum with the roles exchanged: an image of a window of stride s falls into s times
s *phases*, and each sees the outputs through those elements of the window that reach it, in steps of one. The gradient
of the weight is the same too, with positions and elements exchanged, for X is then multiplied from the other side.

The outputs lie side by side in vectors, and the sums stay in registers (`tile`). The images of a batch are shared out
among threads; where there are few, so are the positions.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy

from ..workers import parts_for, together
from . import fused, kernel, winograd
from .compiled import inner
from .cut import BY_ITSELF, ITSELF, WHERE, cut, cut_where, how_to_cut
from .team import bounds, shared
from .tile import BYTES, ONE, ROWS, TWO, add_products, load, store, turn

_TOGETHER = 96  # so many rows are computed at a time, for all outputs: what they see stays in the fastest cache
_DEEP = 320  # and so many of their columns


class _Seen(NamedTuple):
    """What is seen of images: of which size they are with their zeros, how many of these come before, and the lists."""

    padded: tuple[int, int]
    before: tuple[int, int]
    rows: Any
    columns: Any
    positions: int
    """How many rows there are before they are filled up."""


class _Phase(NamedTuple):
    """Every s-th place of an image, down and across, from the ``first`` on."""

    elements: Any
    """Those of the window that reach it."""
    first: tuple[int, int]
    lengths: tuple[int, int]
    seen: _Seen


@kernel("convolution")
def convolution(x, weight, bias, window, groups, where=None):
    positions = window.positions(x.shape[2:], weight.shape[2:])
    if winograd.fits(x.dtype, weight.shape, window, groups, positions):
        return winograd.correlate(x, weight, bias, window, where)
    seen = _seen(x.shape[1:], weight.shape[1:], window)
    y = numpy.empty((len(x), len(weight), *positions), x.dtype)
    w = _panels(weight.reshape(groups, len(weight) // groups, -1))
    _correlate(numpy.ascontiguousarray(x), w, bias, y, seen, where)
    return y


@fused("convolution", then="relu")
def convolution_relu(x, weight, bias, window, groups):
    return convolution(x, weight, bias, window, groups, ITSELF)


@kernel("convolution_image")
def convolution_image(out, weight, size, window, groups, where=None):
    if winograd.fits(out.dtype, weight.shape, window, groups, out.shape[2:]):
        return winograd.correlate_back(out, weight, size, window, where)
    g = numpy.ascontiguousarray(out)
    if groups == 1 and 2 * weight.shape[1] * g.itemsize <= BYTES:
        return _image_of_few(g, weight, size, window) if where is None else NotImplemented
    parted = weight.reshape(groups, len(weight) // groups, *weight.shape[1:]).swapaxes(1, 2)
    shape = (len(g), groups * weight.shape[1])
    phases = _seen_from_outputs(tuple(size), parted.shape[2:], out.shape[2:], window)
    if len(phases) == 1:
        x = numpy.empty((*shape, *size), g.dtype)
        _correlate(g, _panels(parted.reshape(*parted.shape[:2], -1)), None, x, phases[0].seen, where)
        return x
    reached = [phase for phase in phases if phase.seen.columns.size]
    x = (numpy.empty if len(reached) == len(phases) else numpy.zeros)((*shape, *size), g.dtype)
    how, where = how_to_cut(x, where)
    planes = [array.reshape(-1, *size) for array in (x, where)]
    for (i, j), first, lengths, seen in reached:
        part = numpy.empty((*shape, *lengths), g.dtype)
        _correlate(g, _panels(parted[..., i, j].reshape(*parted.shape[:2], -1)), None, part, seen, None)
        parts = part.reshape(-1, *lengths)
        together(_put_phase, 4 * part.size, len(parts), parts, *planes, how, first, window.stride)
    return x


@fused("convolution", of="x", then="relu")
def convolution_x_relu(g, weight, x_shape, window, groups, y):
    return convolution_image(g, weight, x_shape[2:], window, groups, y)


def _image_of_few(g, weight, size, window):
    """The image where it has so few channels that side by side they would leave most of a vector empty.

    So the positions lie side by side, and what the outputs of a position give is spread over all that the window saw.
    """
    x = numpy.empty((len(g), weight.shape[1], *size), g.dtype)
    seen = _seen(x.shape[1:], weight.shape[1:], window)
    elements = seen.columns.size
    rows, columns = _filled(numpy.arange(elements)), numpy.arange(len(weight)) * elements
    w = numpy.ascontiguousarray(weight).reshape(-1)
    planes = g.reshape(*g.shape[:2], -1)
    together(_spread, g.size * elements, len(g), planes, w, rows, columns, x, *seen)
    return x


@kernel("convolution_weight")
def convolution_weight(out, x, size, window, groups):
    if winograd.fits(x.dtype, (out.shape[1], x.shape[1], *size), window, groups, out.shape[2:]):
        return winograd.correlate_weight(out, x, size, window)
    x, g = numpy.ascontiguousarray(x), numpy.ascontiguousarray(out)
    channels, outputs = x.shape[1] // groups, out.shape[1] // groups
    seen = _seen(x.shape[1:], (channels, *size), window)
    elements = channels * size[0] * size[1]
    width = _width(outputs, x.itemsize)
    positions, seen_elements = seen.rows[: seen.positions], _filled(seen.columns)
    parts = parts_for(g.size * elements, len(x))
    totals = numpy.zeros((parts, groups, -(-outputs // width), seen_elements.size, width), x.dtype)
    together(_of_weight, g.size * elements, parts, x, g, totals, *seen[:2], positions, seen_elements)
    total = totals.sum(axis=0)[:, :, :elements]
    weight = total.swapaxes(2, 3).reshape(groups, totals.shape[2] * width, elements)[:, :outputs]
    return weight.reshape(g.shape[1], channels, *size)


@kernel("convolution", of="bias")
def convolution_bias(g):
    planes = numpy.ascontiguousarray(g).reshape(*g.shape[:2], -1)
    sums = numpy.zeros((parts_for(planes.size, len(planes)), planes.shape[1]), g.dtype)
    together(_sum_planes, planes.size, len(sums), planes, sums)
    return sums.sum(axis=0)


def _correlate(images, panels, bias, y, seen, where):
    b = numpy.zeros(panels.shape[0] * panels.shape[1] * panels.shape[3], y.dtype).reshape(panels.shape[0], -1)
    if bias is not None:
        b[:, : y.shape[1] // len(b)] = bias.reshape(len(b), -1)
    bands = -(-seen.positions // _TOGETHER)
    cost = len(images) * seen.positions * panels.size
    together(_products, cost, len(images) * bands, images, panels, b, y, *how_to_cut(y, where), *seen)


# --- where things lie -------------------------------------------------------------------------------------------------


@lru_cache(256)
def _seen(shape, seen, window):
    """What a window sees of an image. Arguments: ``shape`` of an image; ``seen``, of the weight of one output."""
    (top, _), (left, _) = window.padding
    padded, (down, across) = window.padded(shape[1:]), window.positions(shape[1:], seen[1:])
    rows = _places(padded, 1, numpy.arange(down) * window.stride[0], numpy.arange(across) * window.stride[1])
    elements = [numpy.arange(length) * d for length, d in zip(seen[1:], window.dilation, strict=True)]
    return _Seen(padded, (top, left), _filled(rows), _places(padded, seen[0], *elements), rows.size)


@lru_cache(256)
def _seen_from_outputs(size, weighed, positions, window):
    """For each phase of an image the elements of the window that reach it, and what it sees of the outputs.

    Arguments: ``size`` of the image; ``weighed``, the shape of the weight of one channel; ``positions`` of the window.
    """
    # Place s m + a of the image is reached from position m + e by element k, where s (m + e) + d k = s m + a + p.
    reach = []
    for n, length, s, (p, _), d in zip(size, weighed[1:], window.stride, window.padding, window.dilation, strict=True):
        ways = [
            [(k, (a + p - d * k) // s) for k in range(length) if (a + p - d * k) % s == 0] for a in range(min(s, n))
        ]
        reach.append(
            [(a, numpy.arange(len(range(a, n, s))), numpy.array(way).reshape(-1, 2).T) for a, way in enumerate(ways)]
        )
    before = tuple(max([0, *(-e.min() for _, _, (_, e) in phases if e.size)]) for phases in reach)
    padded = tuple(
        b + max([n, *(m.size + e.max() for _, m, (_, e) in phases if e.size)])
        for b, n, phases in zip(before, positions, reach, strict=True)
    )
    found = []
    for a, m, (i, e) in reach[0]:
        for b, n, (j, f) in reach[1]:
            columns = _places(padded, weighed[0], before[0] + e, before[1] + f)
            elements = i.astype(numpy.intp)[:, None], j.astype(numpy.intp)[None, :]
            seen = _Seen(padded, before, _filled(_places(padded, 1, m, n)), columns, m.size * n.size)
            found.append(_Phase(elements, (a, b), (m.size, n.size), seen))
    return found


def _places(size, channels, lines, columns):
    """Where numbers lie in images of this size: those at some lines and columns of each channel, in this order."""
    c = numpy.arange(channels) * (size[0] * size[1])
    return (c[:, None, None] + lines[:, None] * size[1] + columns).reshape(-1).astype(numpy.intp)


def _filled(places):
    """The list with its last number repeated up to a multiple of a tile's rows, so that all tiles are whole."""
    return numpy.pad(places, (0, -places.size % len(ROWS)), "edge" if places.size else "constant")


def _width(outputs, size):
    """How many outputs lie side by side: one vector of them, or two."""
    lanes = BYTES // size
    return lanes if outputs <= lanes else 2 * lanes


def _panels(weight):
    """The weights in the order in which they are used: those of some outputs side by side, element by element.

    Shapes: (groups, outputs, elements) -> (groups, panels, elements, width).
    """
    groups, outputs, elements = weight.shape
    width = _width(outputs, weight.itemsize)
    count = -(-outputs // width)
    panels = numpy.zeros((groups, count * width, elements), weight.dtype)
    panels[:, :outputs] = weight
    return numpy.ascontiguousarray(panels.reshape(groups, count, width, elements).swapaxes(2, 3))


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
                _add(seen, rows[first:last], columns, panels[group, panel], out)
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
                for p in range(0, v.shape[0], lanes):
                    for r in range(0, width, lanes):
                        turn(rows, r * v.shape[0] + p, v.shape[0], v, p * width + r, width)
                _add(seen, elements, positions, v, total[group, panel])


@shared(makes_arrays=True)
def _spread(start, stop, g, weight, rows, columns, x, padded, before, positions, elements, area):
    g, x = g[start:stop], x[start:stop]
    width = 2 * BYTES // g.itemsize
    image = numpy.empty(x.shape[1] * padded[0] * padded[1], x.dtype)
    v, out = numpy.zeros((g.shape[1], width), g.dtype), numpy.zeros((rows.size, width), g.dtype)
    for n in range(g.shape[0]):
        for i in range(image.size):
            image[i] = 0
        for first in range(0, area, width):
            count = min(width, area - first)
            for o in range(g.shape[1]):
                for p in range(count):
                    v[o, p] = g[n, o, first + p]
            _add(weight, rows, columns, v, out)
            for k in range(rows.size):
                for p in range(width):
                    if k < elements.size and p < count:
                        image[positions[first + p] + elements[k]] += out[k, p]
                    out[k, p] = 0
        for c in range(x.shape[1]):
            for i in range(x.shape[2]):
                start = (c * padded[0] + before[0] + i) * padded[1] + before[1]
                for j in range(x.shape[3]):
                    x[n, c, i, j] = image[start + j]


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
    lanes, first = BYTES // y.itemsize, max(first, 0)
    for p in range(0, out.shape[0], lanes):
        for o in range(0, out.shape[1], lanes):
            turn(out, p * out.shape[1] + o, out.shape[1], turned, o * out.shape[0] + p, out.shape[0])
    if how == BY_ITSELF:
        cut(turned.reshape(-1))
    for o in range(y.shape[0]):
        for p in range(count):
            y[o, first + p] = turned[o, p]
        if how == WHERE:
            cut_where(y[o, first : first + count], where[o, first : first + count])


@shared
def _put_phase(start, stop, part, x, where, how, first, steps):
    """Put a phase where it belongs in some planes of images, cut off."""
    top, left = max(first[0], 0), max(first[1], 0)
    down, across = max(steps[0], 0), max(steps[1], 0)
    for n in range(max(start, 0), stop):
        for i in range(part.shape[1]):
            line, to, above = part[n, i], x[n, top + i * down], where[n, top + i * down]
            if how == WHERE:
                for j in range(line.size):
                    to[left + j * across] = line[j] if above[left + j * across] > 0 else 0
            else:
                for j in range(line.size):
                    to[left + j * across] = line[j]


@inner
def _add(x, rows, columns, v, out):
    """Add to each row of ``out`` the product of that row of X with the matrix ``v``."""
    if out.shape[1] * out.itemsize == BYTES:
        _add_in_tiles(ROWS, ONE, x, rows, columns, v, out)
    else:
        _add_in_tiles(ROWS, TWO, x, rows, columns, v, out)


@inner
def _add_in_tiles(tile_rows, tile_columns, x, rows, columns, v, out):
    width = v.shape[1]
    for first in range(0, columns.size, _DEEP):
        last = min(first + _DEEP, columns.size)
        for i in range(0, rows.size, len(tile_rows)):
            tile = load(tile_rows, tile_columns, out, i * width, width)
            for k in range(first, last):
                tile = add_products(tile, x, rows, i, columns, k, v, k * width)
            store(tile, out, i * width, width)
