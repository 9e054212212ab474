r"""Convolution: some images at a time laid out as rows that stay in the cache, then one product of matrices.

.. math:: Y = \mathrm{rows}(x)\,W^\top + b, \qquad
    \bar W = \bar Y^\top\,\mathrm{rows}(x), \qquad
    \bar x = \mathrm{rows}^\top(\bar Y\,W)

A row holds what the window sees at one position. The rows of an image of 32 channels have 9 times its size for a window
of 3 x 3: too much to be written to memory for a whole batch, little enough for a few images. For this the channels come
last, so that what the window sees in one line of the image lies side by side, whatever the stride. The batch is shared
out among threads, each with its own buffers.
"""

import math

import numpy
import scipy.linalg.cython_blas  # noqa: F401  (numpy.dot is this library's in compiled code)

from ..workers import share
from . import kernel
from .compiled import compiled

_ROWS = 256  # so many make a product of matrices that is worth its start; a small image has less


@kernel("convolution")
def convolution(x, weight, bias, window, groups):
    if groups != 1:
        return NotImplemented
    x, places = numpy.ascontiguousarray(x), _places(weight.shape[1:], window)
    positions = window.positions(x.shape[2:], weight.shape[2:])
    b = numpy.zeros(len(weight), x.dtype) if bias is None else numpy.ascontiguousarray(bias)
    matrix = numpy.ascontiguousarray(_channels_last(weight).T)
    y = numpy.empty((len(x), len(weight), *positions), x.dtype)
    share(lambda part: _forward(x[part], matrix, b, y[part], window.padding, places), len(x), y.size * len(matrix))
    return y


@kernel("convolution_weight")
def convolution_weight(out, x, size, window, groups):
    if groups != 1:
        return NotImplemented
    x, g, places = numpy.ascontiguousarray(x), numpy.ascontiguousarray(out), _places((x.shape[1], *size), window)
    shape = (out.shape[1], *size, x.shape[1])
    seen = math.prod(shape[1:])

    def work(part):
        total = numpy.zeros((shape[0], seen), x.dtype)
        _of_weight(g[part], x[part], total, window.padding, places)
        return total

    total = sum(share(work, len(x), cost=g.size * seen))
    return numpy.ascontiguousarray(total.reshape(shape).transpose(0, 3, 1, 2))


@kernel("convolution_image")
def convolution_image(out, weight, size, window, groups):
    if groups != 1:
        return NotImplemented
    g, places = numpy.ascontiguousarray(out), _places(weight.shape[1:], window)
    matrix = _channels_last(weight)
    x = numpy.empty((len(out), weight.shape[1], *size), out.dtype)
    share(lambda part: _of_image(g[part], matrix, x[part], window.padding, places), len(out), g.size * matrix.shape[1])
    return x


@kernel("convolution", of="bias")
def convolution_bias(g):
    return g.sum(axis=(2, 3)).sum(axis=0)


def _channels_last(weight):
    """The weights of each output as a row, in the order in which `_lay_out` lays out what the window sees."""
    return numpy.ascontiguousarray(weight.transpose(0, 2, 3, 1)).reshape(len(weight), -1)


def _places(shape, window):
    """Where the window looks, counted in lines of the image and in numbers of a line: its height; the pieces of a line
    that it sees, and how long each is; its steps down and across; how far apart its lines and its pieces are.

    A line of the window without gaps is one piece.
    """
    channels, height, width = shape
    pieces, run = (1, width * channels) if window.dilation[1] == 1 else (width, channels)
    down, across = window.stride
    apart_down, apart_across = window.dilation
    return height, pieces, run, down, across * channels, apart_down, apart_across * channels


@compiled
def _forward(x, weight, bias, y, padding, places):
    area = y.shape[2] * y.shape[3]
    together, padded, rows = _buffers(x, area, weight.shape[0], padding)
    out = numpy.empty((together * area, y.shape[1]), x.dtype)
    for n in range(0, x.shape[0], together):
        images = x[n : n + together]
        seen = rows[: images.shape[0] * area]
        _lay_out(images, padded, seen, y.shape[3], padding, places)
        numpy.dot(seen, weight, out[: seen.shape[0]])
        _add_bias(out, bias, y[n : n + together])


@compiled
def _of_weight(g, x, total, padding, places):
    area = g.shape[2] * g.shape[3]
    together, padded, rows = _buffers(x, area, total.shape[1], padding)
    room, product = numpy.empty(together * area * g.shape[1], x.dtype), numpy.empty_like(total)
    for n in range(0, x.shape[0], together):
        images = x[n : n + together]
        seen = rows[: images.shape[0] * area]
        _lay_out(images, padded, seen, g.shape[3], padding, places)
        numpy.dot(_side_by_side(g[n : n + together], room), seen, product)
        total += product


@compiled
def _of_image(g, weight, x, padding, places):
    area = g.shape[2] * g.shape[3]
    together, padded, rows = _buffers(x, area, weight.shape[1], padding)
    room = numpy.empty(together * area * g.shape[1], x.dtype)
    for n in range(0, x.shape[0], together):
        images = x[n : n + together]
        seen = rows[: images.shape[0] * area]
        numpy.dot(_side_by_side(g[n : n + together], room).T, weight, seen)
        _gather(seen, padded, images, g.shape[3], padding, places)


@compiled
def _buffers(x, area, seen, padding):
    """How many images are laid out together; room for one, its channels last, with zeros around it, a row for each of
    its lines; and room for the rows of what the window sees in all of them.
    """
    (top, bottom), (left, right) = padding
    together = max(min(_ROWS // area, x.shape[0]), 1)
    padded = numpy.zeros((top + x.shape[2] + bottom, (left + x.shape[3] + right) * x.shape[1]), x.dtype)
    return together, padded, numpy.empty((together * area, seen), x.dtype)


@compiled
def _side_by_side(images, room):
    """Images beside each other, a row for each channel."""
    count, channels = images.shape[0], images.shape[1]
    area = images.shape[2] * images.shape[3]
    beside = room[: channels * count * area].reshape(channels, count, area)
    for n in range(count):
        image = images[n].reshape(channels, area)
        for c in range(channels):
            for i in range(area):
                beside[c, n, i] = image[c, i]
    return beside.reshape(channels, count * area)


@compiled
def _add_bias(rows, bias, y):
    outputs, area = y.shape[1], y.shape[2] * y.shape[3]
    for n in range(y.shape[0]):
        out, image = rows[n * area : (n + 1) * area], y[n].reshape(outputs, area)
        for o in range(outputs):
            for i in range(area):
                image[o, i] = out[i, o] + bias[o]


@compiled
def _lay_out(images, padded, rows, across, padding, places):
    """A row for each position of the window: what it sees there, line by line; ``across`` of them are side by side."""
    height, pieces, run, step_down, step_across, apart_down, apart_across = places
    area = rows.shape[0] // images.shape[0]
    for n in range(images.shape[0]):
        _put_inside(images[n], padded, padding)
        for p in range(area):
            top, left = p // across * step_down, p % across * step_across
            for k in range(height):
                for m in range(pieces):
                    seen = padded[top + k * apart_down, left + m * apart_across :]
                    row = rows[n * area + p, (k * pieces + m) * run :]
                    for j in range(run):
                        row[j] = seen[j]


@compiled
def _gather(rows, padded, images, across, padding, places):
    """The transpose of `_lay_out`: every number is added to where it was read from."""
    height, pieces, run, step_down, step_across, apart_down, apart_across = places
    area = rows.shape[0] // images.shape[0]
    for n in range(images.shape[0]):
        padded[:] = 0
        for p in range(area):
            top, left = p // across * step_down, p % across * step_across
            for k in range(height):
                for m in range(pieces):
                    seen = padded[top + k * apart_down, left + m * apart_across :]
                    row = rows[n * area + p, (k * pieces + m) * run :]
                    for j in range(run):
                        seen[j] += row[j]
        _take_out(padded, images[n], padding)


@compiled
def _put_inside(image, padded, padding):
    """The image with its channels last; around it the zeros have stayed."""
    (top, _), (left, _) = padding
    channels, height, width = image.shape
    for i in range(height):
        line = padded[top + i, left * channels : (left + width) * channels].reshape(width, channels)
        for c in range(channels):
            for j in range(width):
                line[j, c] = image[c, i, j]


@compiled
def _take_out(padded, image, padding):
    """The transpose of `_put_inside`."""
    (top, _), (left, _) = padding
    channels, height, width = image.shape
    for i in range(height):
        line = padded[top + i, left * channels : (left + width) * channels].reshape(width, channels)
        for c in range(channels):
            for j in range(width):
                image[c, i, j] = line[j, c]
