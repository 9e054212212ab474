r"""Convolution: each element of the window sees the whole image, shifted; the shifted images are weighed and added up.

.. math:: y_o[p] = b_o + \sum_{c, k} w_{o c k}\, x_c[p + d_k]

An image with zeros around it lies in memory line after line, so that a shift in two directions is a distance d_k in
one, and an output at all places p is a sum of vectors read at such distances. At the end of a line p is no place of
the window: what is computed there is thrown away. The zeros to the right of a line are those to the left of the next.

A window of stride s sees of each s-th line and column: the image is first taken apart into *phases*, each of them an
image that the window passes in steps of one. The gradient of the image is the same sum with the roles exchanged: each
phase of it is what the elements of the window that belong to the phase see of the outputs, from the other side. That of
the weight multiplies the same vectors and adds along p.

Only as many images as the cache holds are put between zeros at a time. The batch is shared out among threads.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy

from ..workers import share
from . import kernel
from .compiled import compiled
from .tile import BYTES, add_inner, add_outer, add_sums, spread, store, zeros

_CACHE = 1 << 18  # so many bytes of images stay in the cache, beside what is made of them
_FOUR, _ONE = (0, 1, 2, 3), (0,)  # the rows of a tile are outputs
_THREE, _TWO = (0, 1, 2), (0, 1)  # its columns are places, or elements of the window


class _Lines(NamedTuple):
    """How an image lies in memory: place (i, j) of phase q is the image's number at ``starts[q] + step (i, j)``, or 0.

    ``pitch`` is the distance from a line to the next and ``plane`` that from a channel to the next.
    """

    starts: Any
    step: tuple[int, int]
    pitch: int
    plane: int


@kernel("convolution")
def convolution(x, weight, bias, window, groups):
    positions = window.positions(x.shape[2:], weight.shape[2:])
    lines, distances = _seen(x.shape[1:], weight.shape[1:], window)
    x = numpy.ascontiguousarray(x)
    b = numpy.zeros(len(weight), x.dtype) if bias is None else numpy.ascontiguousarray(bias)
    w = _in_tiles(weight.reshape(groups, len(weight) // groups, -1))
    y = numpy.empty((len(x), len(weight), *positions), x.dtype)
    target = _Lines(numpy.zeros((1, 2), numpy.intp), (1, 1), lines.pitch, 0)

    def work(part):
        _correlate(x[part], w, b, y[part], groups, lines, distances, target)

    share(work, len(x), y.size * distances.size)
    return y


@kernel("convolution_weight")
def convolution_weight(out, x, size, window, groups):
    lines, distances = _seen(x.shape[1:], (x.shape[1] // groups, *size), window)
    x, g = numpy.ascontiguousarray(x), numpy.ascontiguousarray(out)

    def work(part):
        total = numpy.zeros((g.shape[1], distances.size), x.dtype)
        _of_weight(g[part], x[part], total, groups, lines, distances)
        return total

    return sum(share(work, len(x), g.size * distances.size)).reshape(g.shape[1], x.shape[1] // groups, *size)


@kernel("convolution_image")
def convolution_image(out, weight, size, window, groups):
    g = numpy.ascontiguousarray(out)
    parted = weight.reshape(groups, len(weight) // groups, *weight.shape[1:]).swapaxes(1, 2)
    x = numpy.empty((len(g), groups * weight.shape[1], *size), g.dtype)
    nothing = numpy.zeros(x.shape[1], x.dtype)
    phases = [
        (_in_tiles(parted[..., i, j].reshape(*parted.shape[:2], distances.size)), lines, distances, target)
        for (i, j), lines, distances, target in _seen_from_outputs(x.shape[2:], parted.shape[2:], out.shape[2:], window)
    ]

    def work(part):
        for w, lines, distances, target in phases:
            _correlate(g[part], w, nothing, x[part], groups, lines, distances, target)

    share(work, len(g), g.size * weight[0].size)
    return x


@kernel("convolution", of="bias")
def convolution_bias(g):
    return g.sum(axis=(2, 3)).sum(axis=0)


# --- where things lie -------------------------------------------------------------------------------------------------


@lru_cache(256)
def _seen(shape, seen, window):
    """How images lie so that a window takes steps of one, and how far away the numbers are that an output sees.

    Arguments: ``shape`` of an image; ``seen``, that of the weight of one output.
    """
    positions = window.positions(shape[1:], seen[1:])
    sees = [[d * k for k in range(length)] for d, length in zip(window.dilation, seen[1:], strict=True)]
    phases = [sorted({k % s for k in ks}) for s, ks in zip(window.stride, sees, strict=True)]
    (top, _), (left, _) = window.padding
    starts = [(a - top, b - left) for a in phases[0] for b in phases[1]]
    extent = [n + ks[-1] // s for n, s, ks in zip(positions, window.stride, sees, strict=True)]
    lines = _lines(starts, window.stride, extent, shape[1:], positions[1])
    (down, across), number = window.stride, {start: q for q, start in enumerate(starts)}
    distances = [
        (number[i % down - top, j % across - left] * shape[0] + c) * lines.plane + i // down * lines.pitch + j // across
        for c in range(seen[0])
        for i in sees[0]
        for j in sees[1]
    ]
    return lines, numpy.array(distances, numpy.intp)


@lru_cache(256)
def _seen_from_outputs(size, weighed, positions, window):
    """For each phase of an image: the elements of the window that see it; how outputs lie so that it sees them in steps
    of one, and how far away the numbers are that it sees; and how it lies in the image.

    Arguments: ``size`` of the image; ``weighed``, the shape of the weight of one channel; ``positions`` of the window.
    """
    # Place s m + a of the image is seen by element k of the output at m + e, where s (m + e) + d k = s m + a + p.
    counts, from_where = [], []
    for n, length, s, (p, _), d in zip(
        size, weighed[1:], window.stride, window.padding, window.dilation, strict=True
    ):
        counts.append([len(range(a, n, s)) for a in range(min(s, n))])
        from_where.append([
            [(k, (a + p - d * k) // s) for k in range(length) if (a + p - d * k) % s == 0] for a in range(min(s, n))
        ])
    reach = [[(m + e, e) for m, ks in zip(ms, seen, strict=True) for _, e in ks]
             for ms, seen in zip(counts, from_where, strict=True)]
    before = [max([0, *(-e for _, e in ends)]) for ends in reach]
    extent = [max([1, *(end for end, _ in ends)]) + b for ends, b in zip(reach, before, strict=True)]
    lines = _lines([(-before[0], -before[1])], (1, 1), extent, positions, max(counts[1], default=1))
    phases = []
    for a, down in enumerate(from_where[0]):
        for b, across in enumerate(from_where[1]):
            pairs = [(i, j, (before[0] + e) * lines.pitch + before[1] + f) for i, e in down for j, f in across]
            elements = numpy.array([pair[:2] for pair in pairs], numpy.intp).reshape(-1, 2).T
            distances = [o * lines.plane + pair[2] for o in range(weighed[0]) for pair in pairs]
            target = _Lines(numpy.array([(a, b)], numpy.intp), window.stride, lines.pitch, 0)
            phases.append((elements, lines, numpy.array(distances, numpy.intp), target))
    return phases


def _lines(starts, step, extent, size, across):
    """How phases of an image lie of which so many lines and columns are seen, from ``across`` places of a line."""
    rows, seen = extent
    first = min(max(0, -(left // step[1])) for _, left in starts)
    last = min(max((size[1] - 1 - left) // step[1] for _, left in starts), seen - 1)
    if last < first:  # nothing but zeros
        first, last = 0, -1
    pitch = max(last + 1, seen - first, across)
    return _Lines(numpy.array(starts, numpy.intp), step, pitch, rows * pitch)


def _in_tiles(weight):
    """The weights in the order in which they are used: those of four outputs side by side, the rest output by output.

    Shapes: (groups, outputs, seen) -> (groups outputs seen).
    """
    groups, outputs, seen = weight.shape
    fours = outputs // 4 * 4
    tiles = weight[:, :fours].reshape(groups, outputs // 4, 4, seen).swapaxes(2, 3)
    return numpy.concatenate([tiles.reshape(groups, fours * seen), weight[:, fours:].reshape(groups, -1)], 1).reshape(-1)


@compiled
def _room(images, lines, lanes):
    """Zeros for as many images as the cache holds. A vector may begin at the last number, and a line end in the next."""
    size = lines.starts.shape[0] * images.shape[1] * lines.plane + lines.pitch + lanes
    together = max(min(_CACHE // (size * images.itemsize), images.shape[0]), 1)
    return numpy.zeros((together, size), images.dtype)


@compiled
def _put(images, source, lines):
    """Put images between zeros, each phase by itself, channel after channel."""
    (down, across), pitch, plane = lines.step, lines.pitch, lines.plane
    channels, height, width = images.shape[1:]
    for q in range(lines.starts.shape[0]):
        top, left = lines.starts[q, 0], lines.starts[q, 1]
        first, end = max(0, -(left // across)), min(pitch, (width - 1 - left) // across + 1)
        above, below = max(0, -(top // down)), min(-(-plane // pitch), (height - 1 - top) // down + 1)
        for n in range(images.shape[0]):
            for c in range(channels):
                for i in range(above, below):
                    line = source[n, (q * channels + c) * plane + i * pitch :]
                    seen = images[n, c, top + i * down]
                    for j in range(first, end):
                        line[j] = seen[left + j * across]


@compiled
def _take(out, length, image, lines):
    """Take from each row what is an output, and leave what lies between the lines."""
    (down, across), pitch = lines.step, lines.pitch
    top, left = lines.starts[0, 0], lines.starts[0, 1]
    height, width = (image.shape[1] - top + down - 1) // down, (image.shape[2] - left + across - 1) // across
    for o in range(image.shape[0]):
        for i in range(height):
            line, here = out[o * length + i * pitch :], image[o, top + i * down]
            for j in range(width):
                here[left + j * across] = line[j]


# --- the sums ---------------------------------------------------------------------------------------------------------


@compiled
def _vectors(image, lines, lanes):
    """How many vectors reach from the first to the last place of an image that lies in lines."""
    (down, across), top, left = lines.step, lines.starts[0, 0], lines.starts[0, 1]
    height, width = (image.shape[1] - top + down - 1) // down, (image.shape[2] - left + across - 1) // across
    return ((height - 1) * lines.pitch + width + lanes - 1) // lanes


@compiled
def _correlate(images, weight, bias, y, groups, lines, distances, target):
    """Each number of ``y`` that lies in the target's lines: the numbers at the distances from it, weighed and added."""
    channels, outputs = images.shape[1] // groups, y.shape[1] // groups
    lanes = BYTES // images.itemsize
    vectors = _vectors(y[0], target, lanes)
    length = vectors * lanes
    source, out = _room(images, lines, lanes), numpy.empty(len(_FOUR) * length, y.dtype)
    for n in range(0, images.shape[0], source.shape[0]):
        some = images[n : n + source.shape[0]]
        _put(some, source, lines)
        for group in range(groups):
            first = group * channels * lines.plane
            o, end = group * outputs, (group + 1) * outputs
            while o < end:
                rows = len(_FOUR) if end - o >= len(_FOUR) else 1
                for m in range(some.shape[0]):
                    if rows == 1:
                        _row(_ONE, source[m, first:], weight, bias, o, distances, out, vectors)
                    else:
                        _row(_FOUR, source[m, first:], weight, bias, o, distances, out, vectors)
                    _take(out, length, y[n + m, o : o + rows], target)
                o += rows


@compiled
def _row(rows, image, weight, bias, o, distances, out, vectors):
    """All places of some outputs, three vectors at a time or two."""
    length, p = vectors * (BYTES // image.itemsize), 0
    while vectors == 3 or vectors > 4:
        p = _tile(rows, _THREE, image, weight, bias, o, distances, out, length, p)
        vectors -= 3
    while vectors > 1:
        p = _tile(rows, _TWO, image, weight, bias, o, distances, out, length, p)
        vectors -= 2
    if vectors:
        _tile(rows, _ONE, image, weight, bias, o, distances, out, length, p)


@compiled
def _tile(rows, columns, image, weight, bias, o, distances, out, length, p):
    tile, at = spread(rows, columns, bias, o), o * distances.size
    for k in range(distances.size):
        tile = add_outer(tile, weight, at + k * len(rows), image, p + distances[k])
    store(tile, out, p, length)
    return p + len(columns) * (BYTES // image.itemsize)


@compiled
def _of_weight(g, x, total, groups, lines, distances):
    """Add to each weight the products of what it has weighed and what has become of it."""
    channels, outputs = x.shape[1] // groups, g.shape[1] // groups
    lanes = BYTES // x.itemsize
    straight = _Lines(numpy.zeros((1, 2), numpy.intp), (1, 1), lines.pitch, 0)
    length = _vectors(g[0], straight, lanes) * lanes
    straight = _Lines(straight.starts, (1, 1), lines.pitch, length)
    source, out = _room(x, lines, lanes), _room(g, straight, lanes)
    together = min(source.shape[0], out.shape[0])
    for n in range(0, x.shape[0], together):
        some = x[n : n + together]
        _put(some, source, lines)
        _put(g[n : n + together], out, straight)
        seen, made = source[: some.shape[0]], out[: some.shape[0]]
        for group in range(groups):
            first = group * channels * lines.plane
            o, end = group * outputs, (group + 1) * outputs
            while o + len(_FOUR) <= end:
                _weights(_FOUR, seen[:, first:], made[:, o * length :], length, total[o:], distances)
                o += len(_FOUR)
            while o < end:
                _weights(_ONE, seen[:, first:], made[:, o * length :], length, total[o:], distances)
                o += 1


@compiled
def _weights(rows, seen, made, length, total, distances):
    """All weights of some outputs, three at a time."""
    k = 0
    while k + len(_THREE) <= distances.size:
        _products(rows, _THREE, seen, made, length, total, distances, k)
        k += len(_THREE)
    while k < distances.size:
        _products(rows, _ONE, seen, made, length, total, distances, k)
        k += 1


@compiled
def _products(rows, columns, seen, made, length, total, distances, k):
    tile = zeros(rows, columns, seen)
    for n in range(seen.shape[0]):
        here, x = made[n], seen[n]
        for p in range(0, length, BYTES // seen.itemsize):
            tile = add_inner(tile, here, p, length, x, distances, k, p)
    add_sums(tile, total.reshape(-1), k, distances.size)
