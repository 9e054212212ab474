r"""Softmax along an axis, and its logarithm.

.. math:: y_i = \frac{e^{x_i}}{\sum_j e^{x_j}}, \qquad \ln y_i = x_i - \ln \sum_j e^{x_j}

The maximum of a row is subtracted first, so that nothing overflows.
"""

import math

import numpy

from ..jit.elementary import exp, maximum
from ..jit.lazy import inner
from ..registry import kernel
from ..threads.fork_join import parallel
from ..threads.team import parallel_for
from ..workspace import contiguous, empty


def _as_rows(x):
    return contiguous(x).reshape(-1, x.shape[-1])


@kernel("softmax")
def softmax(x, axis):
    return _along_rows(_softmax, axis, x)


@kernel("softmax", of="x")
def softmax_x(g, y, axis):
    return _along_rows(_softmax_x, axis, g, y)


@kernel("log_softmax")
def log_softmax(x, axis):
    return _along_rows(_log_softmax, axis, x)


@kernel("log_softmax", of="x")
def log_softmax_x(g, y, axis):
    return _along_rows(_log_softmax_x, axis, g, y)


def _along_rows(function, axis, *arrays):
    if axis in (-1, arrays[0].ndim - 1):
        out = empty(arrays[0].shape, arrays[0].dtype)
        rows = [_as_rows(array) for array in (*arrays, out)]
        parallel_for(function, 8 * out.size, len(rows[0]), *rows)
        return out
    y = _along_rows(function, -1, *[numpy.moveaxis(array, axis, -1) for array in arrays])
    return numpy.moveaxis(y, -1, axis)


@inner
def row_maximum(row):
    """The maximum of a row, nan if one of its numbers is."""
    largest = row[0]
    for i in range(row.size):
        largest = maximum(largest, row[i])
    return largest


@parallel
def _softmax(first, last, x, y):
    for r in range(max(first, 0), last):
        largest = row_maximum(x[r])
        total = x.dtype.type(0)
        for i in range(x.shape[1]):
            y[r, i] = exp(x[r, i] - largest)
            total += y[r, i]
        scale = x.dtype.type(1) / total
        for i in range(x.shape[1]):
            y[r, i] *= scale


@parallel
def _softmax_x(first, last, g, y, gx):
    for r in range(max(first, 0), last):
        total = y.dtype.type(0)
        for i in range(y.shape[1]):
            total += g[r, i] * y[r, i]
        for i in range(y.shape[1]):
            gx[r, i] = y[r, i] * (g[r, i] - total)


@parallel
def _log_softmax(first, last, x, y):
    log_softmax_of_rows(x[first:last], y[first:last])


@inner
def log_softmax_of_rows(x, y):
    number = x.dtype.type
    for r in range(x.shape[0]):
        largest = row_maximum(x[r])
        total = number(0)
        for i in range(x.shape[1]):
            total += exp(x[r, i] - largest)
        log_sum = largest + number(math.log(total))
        for i in range(x.shape[1]):
            y[r, i] = x[r, i] - log_sum


@parallel
def _log_softmax_x(first, last, g, y, gx):
    for r in range(max(first, 0), last):
        total = y.dtype.type(0)
        for i in range(y.shape[1]):
            total += g[r, i]
        for i in range(y.shape[1]):
            gx[r, i] = g[r, i] - exp(y[r, i]) * total
