r"""Convolution, image by image: laid out as columns that stay in the cache, then one product of matrices.

.. math:: Y_n = W\,\mathrm{columns}(x_n) + b, \qquad
    \bar W = \textstyle\sum_n \bar Y_n\,\mathrm{columns}(x_n)^\top, \qquad
    \bar x_n = \mathrm{columns}^\top(W^\top \bar Y_n)

A column holds what the window sees at one position, so the columns of an image of 32 channels have 9 times its size
for a window of 3 x 3: too much to be written to memory for a whole batch, little enough for one image. The batch is
shared out among threads, each with one buffer.
"""

import numpy

from ..workers import share
from . import kernel
from .compiled import compiled


@kernel("convolution")
def convolution(x, weight, bias, window, groups):
    if groups != 1:
        return NotImplemented
    x, places = numpy.ascontiguousarray(x), (*weight.shape[2:], *window.stride, *window.dilation)
    positions = window.positions(x.shape[2:], weight.shape[2:])
    matrix = numpy.ascontiguousarray(weight).reshape(len(weight), -1)
    b = numpy.zeros(len(weight), x.dtype) if bias is None else numpy.ascontiguousarray(bias)
    y = numpy.empty((len(x), len(weight), *positions), x.dtype)
    share(
        lambda part: _forward(x[part], matrix, b, y[part], window.padding, places),
        len(x),
        cost=y.size * matrix.shape[1],
    )
    return y


@kernel("convolution_weight")
def convolution_weight(out, x, size, window, groups):
    if groups != 1:
        return NotImplemented
    x, g, places = numpy.ascontiguousarray(x), numpy.ascontiguousarray(out), (*size, *window.stride, *window.dilation)
    rows = x.shape[1] * size[0] * size[1]

    def work(part):
        total = numpy.zeros((rows, out.shape[1]), x.dtype)
        _of_weight(g[part], x[part], total, window.padding, places)
        return total

    total = sum(share(work, len(x), cost=g.size * rows))
    return numpy.ascontiguousarray(total.T).reshape(out.shape[1], x.shape[1], *size)


@kernel("convolution_image")
def convolution_image(out, weight, size, window, groups):
    if groups != 1:
        return NotImplemented
    g, places = numpy.ascontiguousarray(out), (*weight.shape[2:], *window.stride, *window.dilation)
    matrix = numpy.ascontiguousarray(weight).reshape(len(weight), -1)
    x = numpy.empty((len(out), weight.shape[1], *size), out.dtype)
    share(
        lambda part: _of_image(g[part], matrix, x[part], window.padding, places),
        len(out),
        cost=g.size * matrix.shape[1],
    )
    return x


@kernel("convolution", of="bias")
def convolution_bias(g):
    return g.sum(axis=(2, 3)).sum(axis=0)


@compiled
def _forward(x, weight, bias, y, padding, places):
    padded = _room(x, padding)
    columns = numpy.empty((weight.shape[1], y.shape[2], y.shape[3]), x.dtype)
    for n in range(x.shape[0]):
        _lay_out(_put_inside(x[n], padded, padding), columns, places)
        out = y[n].reshape(y.shape[1], -1)
        numpy.dot(weight, columns.reshape(columns.shape[0], -1), out)
        for o in range(out.shape[0]):
            for i in range(out.shape[1]):
                out[o, i] += bias[o]


@compiled
def _of_weight(g, x, total, padding, places):
    padded = _room(x, padding)
    columns = numpy.empty((total.shape[0], g.shape[2], g.shape[3]), x.dtype)
    product = numpy.empty_like(total)
    for n in range(x.shape[0]):
        _lay_out(_put_inside(x[n], padded, padding), columns, places)
        numpy.dot(columns.reshape(columns.shape[0], -1), g[n].reshape(g.shape[1], -1).T, product)
        total += product


@compiled
def _of_image(g, weight, x, padding, places):
    padded = _room(x, padding)
    (top, _), (left, _) = padding
    columns = numpy.empty((weight.shape[1], g.shape[2], g.shape[3]), x.dtype)
    for n in range(x.shape[0]):
        numpy.dot(weight.T, g[n].reshape(g.shape[1], -1), columns.reshape(columns.shape[0], -1))
        padded[:] = 0
        _gather(columns, padded, places)
        x[n] = padded[:, top : top + x.shape[2], left : left + x.shape[3]]


@compiled
def _room(x, padding):
    """Room for one image with zeros around it."""
    (top, bottom), (left, right) = padding
    return numpy.zeros((x.shape[1], top + x.shape[2] + bottom, left + x.shape[3] + right), x.dtype)


@compiled
def _put_inside(image, padded, padding):
    """The image with its padding, where there is any; around it the zeros have stayed."""
    if image.shape == padded.shape:
        return image
    (top, _), (left, _) = padding
    padded[:, top : top + image.shape[1], left : left + image.shape[2]] = image
    return padded


# Written with max(..., 0), an index is known to be at least 0. Where it might be below, it would count from the end,
# and the compiler would have to ask at each element; as it is, the innermost loops copy many at a time.


@compiled
def _lay_out(image, columns, places):
    """A row of the columns for each element of the window: the image, shifted by where the element is."""
    height, width, down, across, apart_down, apart_across = places
    row = 0
    for c in range(image.shape[0]):
        for k in range(height):
            for m in range(width):
                top, left = max(k * apart_down, 0), max(m * apart_across, 0)
                for i in range(columns.shape[1]):
                    h = max(i * down, 0) + top
                    if across == 1:
                        for j in range(columns.shape[2]):
                            columns[row, i, j] = image[c, h, j + left]
                    else:
                        for j in range(columns.shape[2]):
                            columns[row, i, j] = image[c, h, max(j * across, 0) + left]
                row += 1


@compiled
def _gather(columns, image, places):
    """The transpose of `_lay_out`: every element is added to where it was read from."""
    height, width, down, across, apart_down, apart_across = places
    row = 0
    for c in range(image.shape[0]):
        for k in range(height):
            for m in range(width):
                top, left = max(k * apart_down, 0), max(m * apart_across, 0)
                for i in range(columns.shape[1]):
                    h = max(i * down, 0) + top
                    if across == 1:
                        for j in range(columns.shape[2]):
                            image[c, h, j + left] += columns[row, i, j]
                    else:
                        for j in range(columns.shape[2]):
                            image[c, h, max(j * across, 0) + left] += columns[row, i, j]
                row += 1
