r"""Pooling by the largest, window by window.

.. math:: y_{n c i} = \max_k x_{n c (s i + k)}
"""

import numpy

from ..workers import share
from . import kernel
from .compiled import compiled


@kernel("max_pooling")
def max_pooling(x, kernel, window):
    if any(map(any, window.padding)) or kernel[0] * kernel[1] >= 256:
        return NotImplemented
    x = numpy.ascontiguousarray(x)
    shape = (*x.shape[:2], *window.positions(x.shape[2:], kernel))
    y, winners = numpy.empty(shape, x.dtype), numpy.empty(shape, numpy.uint8)
    planes = [array.reshape(-1, *array.shape[2:]) for array in (x, y, winners)]
    sizes = (*kernel, *window.stride, *window.dilation)
    share(lambda part: _largest(*[p[part] for p in planes], *sizes), len(planes[0]), y.size * kernel[0] * kernel[1])
    return y, winners


@compiled
def _largest(x, y, winners, height, width, down, across, apart_down, apart_across):
    # An index that might be below 0 would count from the end, and the compiler would have to ask at each element.
    # With max(..., 0) it need not.
    for n in range(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                y[n, i, j] = x[n, max(i * down, 0), max(j * across, 0)]
                winners[n, i, j] = 0
            number = 0
            for k in range(height):
                row = max(i * down + k * apart_down, 0)
                for m in range(width):
                    column = max(m * apart_across, 0)
                    if number:
                        for j in range(y.shape[2]):
                            value = x[n, row, max(j * across, 0) + column]
                            if value > y[n, i, j] or value != value:
                                y[n, i, j], winners[n, i, j] = value, number
                    number += 1


@kernel("max_unpooling")
def max_unpooling(out, winners, size, kernel, window):
    if any(map(any, window.padding)) or winners.dtype != numpy.uint8:
        return NotImplemented
    out, winners = numpy.ascontiguousarray(out), numpy.ascontiguousarray(winners)
    x = numpy.zeros((*out.shape[:2], *size), out.dtype)
    planes = [array.reshape(-1, *array.shape[2:]) for array in (out, winners, x)]
    sizes = (kernel[1], *window.stride, *window.dilation)
    share(lambda part: _put_back(*[p[part] for p in planes], *sizes), len(planes[0]), x.size * 2)
    return x


@compiled
def _put_back(out, winners, x, width, down, across, apart_down, apart_across):
    for n in range(out.shape[0]):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                k = winners[n, i, j]
                row, column = i * down + k // width * apart_down, j * across + k % width * apart_across
                x[n, max(row, 0), max(column, 0)] += out[n, i, j]  # windows may overlap
