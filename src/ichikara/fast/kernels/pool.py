r"""Pooling by the largest, window by window.

.. math:: y_{n c i} = \max_k x_{n c (s i + k)}

The compiler knows how large the window is and how far it steps across, because they are lengths of tuples: it then
compares the elements of many windows at once.
"""

import numpy

from ..jit.elementary import maximum
from ..registry import fused, kernel
from ..threads.fork_join import parallel
from ..threads.team import parallel_for
from ..workspace import contiguous, empty, zeros
from .epilogue import APPLY_MASK, encode_epilogue


@kernel("max_pooling")
def max_pooling(x, kernel, window):
    if any(map(any, window.padding)) or kernel[0] * kernel[1] >= 256:
        return NotImplemented
    x = contiguous(x)
    shape = (*x.shape[:2], *window.positions(x.shape[2:], kernel))
    y, winners = empty(shape, x.dtype), empty(shape, numpy.uint8)
    _share(_winners, (x, y, winners), kernel, window)
    return y, winners


@kernel("max_pooling", alone=True)
def max_pooling_alone(x, kernel, window):
    if any(map(any, window.padding)):
        return NotImplemented
    x = contiguous(x)
    y = empty((*x.shape[:2], *window.positions(x.shape[2:], kernel)), x.dtype)
    _share(_largest, (x, y), kernel, window)
    return y


def _share(function, arrays, kernel, window):
    planes = [array.reshape(-1, *array.shape[2:]) for array in arrays]
    sizes = (*map(_counted, (*kernel, window.stride[1])), window.stride[0], *window.dilation)
    parallel_for(function, planes[1].size * kernel[0] * kernel[1], len(planes[0]), *planes, *sizes)


@kernel("max_unpooling")
def max_unpooling(out, winners, size, kernel, window, where=None):
    if any(map(any, window.padding)) or winners.dtype != numpy.uint8:
        return NotImplemented
    out, winners = contiguous(out), contiguous(winners)
    side_by_side = window.stride == tuple(kernel) and window.dilation == (1, 1)
    whole = side_by_side and all(n * k == of for n, k, of in zip(out.shape[2:], kernel, size, strict=True))
    x = (empty if whole else zeros)((*out.shape[:2], *size), out.dtype)
    how, where = encode_epilogue(x, where)
    planes = [array.reshape(-1, *array.shape[2:]) for array in (out, winners, x, where)]
    if side_by_side:
        parallel_for(_put_beside, 2 * x.size, len(planes[0]), *planes, how, *map(_counted, kernel))
    else:
        parallel_for(_put_back, 2 * x.size, len(planes[0]), *planes, how, kernel[1], *window.stride, *window.dilation)
    return x


@fused("max_pooling", of="x", then="relu")
def max_pooling_x_relu(g, winners, x_shape, kernel, window, y):
    return max_unpooling(g, winners, x_shape[2:], kernel, window, y)


def _counted(n):
    return (0,) * n


# An index that might be below 0 would count from the end, and the compiler would have to ask at each element. With
# max(..., 0) it need not.


@parallel
def _largest(first, last, x, y, lines, columns, steps, down, apart_down, apart_across):
    for n in range(max(first, 0), last):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                best = x[n, max(i * down, 0), max(j * len(steps), 0)]
                for k in range(len(lines)):
                    for m in range(len(columns)):
                        value = x[n, max(i * down + k * apart_down, 0), max(j * len(steps) + m * apart_across, 0)]
                        best = maximum(best, value)
                y[n, i, j] = best


@parallel
def _winners(first, last, x, y, winners, lines, columns, steps, down, apart_down, apart_across):
    for n in range(max(first, 0), last):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                best, winner = x[n, max(i * down, 0), max(j * len(steps), 0)], numpy.int32(0)
                for k in range(len(lines)):
                    for m in range(len(columns)):
                        value = x[n, max(i * down + k * apart_down, 0), max(j * len(steps) + m * apart_across, 0)]
                        # Which of two is larger cannot be foreseen: sums and products are quicker than a branch.
                        wins = numpy.int32(value > best) | numpy.int32(value != value)
                        winner += wins * (numpy.int32(k * len(columns) + m) - winner)
                        best = maximum(best, value)
                y[n, i, j], winners[n, i, j] = best, winner


@parallel
def _put_beside(first, last, out, winners, x, where, how, lines, columns):
    """Windows that lie side by side: each is emptied and its winner put there."""
    for n in range(max(first, 0), last):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                top, left, number = i * len(lines), j * len(columns), winners[n, i, j]
                for k in range(len(lines)):
                    for m in range(len(columns)):
                        x[n, max(top + k, 0), max(left + m, 0)] = 0
                row, column = max(top + number // len(columns), 0), max(left + number % len(columns), 0)
                x[n, row, column] = 0 if how == APPLY_MASK and not where[n, row, column] > 0 else out[n, i, j]


@parallel
def _put_back(first, last, out, winners, x, where, how, width, down, across, apart_down, apart_across):
    for n in range(max(first, 0), last):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                k = winners[n, i, j]
                row = max(i * down + k // width * apart_down, 0)
                column = max(j * across + k % width * apart_across, 0)
                if how != APPLY_MASK or where[n, row, column] > 0:
                    x[n, row, column] += out[n, i, j]  # windows may overlap
