r"""Max pooling, window by window.

.. math:: y_{n c i} = \max_k x_{n c (s i + k)}

The compiler knows the size of the window and its stride across, because they are lengths of tuples. So it vectorises
over windows.
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
    _launch(_maxima_and_winners, (x, y, winners), kernel, window)
    return y, winners


@kernel("max_pooling", inference=True)
def max_pooling_alone(x, kernel, window):
    if any(map(any, window.padding)):
        return NotImplemented
    x = contiguous(x)
    y = empty((*x.shape[:2], *window.positions(x.shape[2:], kernel)), x.dtype)
    _launch(_maxima, (x, y), kernel, window)
    return y


def _launch(function, arrays, kernel, window):
    planes = [array.reshape(-1, *array.shape[2:]) for array in arrays]
    sizes = (*map(_as_length, (*kernel, window.stride[1])), window.stride[0], *window.dilation)
    parallel_for(function, planes[1].size * kernel[0] * kernel[1], len(planes[0]), *planes, *sizes)


@kernel("max_unpooling")
def max_unpooling(out, winners, size, kernel, window, epilogue=None):
    if any(map(any, window.padding)) or winners.dtype != numpy.uint8:
        return NotImplemented
    out, winners = contiguous(out), contiguous(winners)
    disjoint = window.stride == tuple(kernel) and window.dilation == (1, 1)
    covered = disjoint and all(n * k == of for n, k, of in zip(out.shape[2:], kernel, size, strict=True))
    x = (empty if covered else zeros)((*out.shape[:2], *size), out.dtype)
    code, mask = encode_epilogue(x, epilogue)
    planes = [array.reshape(-1, *array.shape[2:]) for array in (out, winners, x, mask)]
    if disjoint:
        parallel_for(_unpool_disjoint, 2 * x.size, len(planes[0]), *planes, code, *map(_as_length, kernel))
    else:
        parallel_for(_unpool, 2 * x.size, len(planes[0]), *planes, code, kernel[1], *window.stride, *window.dilation)
    return x


@fused("max_pooling", of="x", then="relu")
def max_pooling_x_relu(g, winners, x_shape, kernel, window, y):
    return max_unpooling(g, winners, x_shape[2:], kernel, window, y)


def _as_length(n):
    return (0,) * n


# A negative index would count from the end, and the compiler would have to check each index. With max(..., 0) it need
# not.


@parallel
def _maxima(first, last, x, y, rows, columns, across, down, dilation_down, dilation_across):
    for n in range(max(first, 0), last):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                best = x[n, max(i * down, 0), max(j * len(across), 0)]
                for k in range(len(rows)):
                    for m in range(len(columns)):
                        value = x[
                            n, max(i * down + k * dilation_down, 0), max(j * len(across) + m * dilation_across, 0)
                        ]
                        best = maximum(best, value)
                y[n, i, j] = best


@parallel
def _maxima_and_winners(first, last, x, y, winners, rows, columns, across, down, dilation_down, dilation_across):
    for n in range(max(first, 0), last):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                best, winner = x[n, max(i * down, 0), max(j * len(across), 0)], numpy.int32(0)
                for k in range(len(rows)):
                    for m in range(len(columns)):
                        value = x[
                            n, max(i * down + k * dilation_down, 0), max(j * len(across) + m * dilation_across, 0)
                        ]
                        # Which of two is larger cannot be predicted: arithmetic is faster than a branch.
                        wins = numpy.int32(value > best) | numpy.int32(value != value)
                        winner += wins * (numpy.int32(k * len(columns) + m) - winner)
                        best = maximum(best, value)
                y[n, i, j], winners[n, i, j] = best, winner


@parallel
def _unpool_disjoint(first, last, out, winners, x, mask, code, rows, columns):
    """Windows that do not overlap: each is cleared, and its winner is stored."""
    for n in range(max(first, 0), last):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                top, left, winner = i * len(rows), j * len(columns), winners[n, i, j]
                for k in range(len(rows)):
                    for m in range(len(columns)):
                        x[n, max(top + k, 0), max(left + m, 0)] = 0
                row, column = max(top + winner // len(columns), 0), max(left + winner % len(columns), 0)
                x[n, row, column] = 0 if code == APPLY_MASK and not mask[n, row, column] > 0 else out[n, i, j]


@parallel
def _unpool(first, last, out, winners, x, mask, code, width, down, across, dilation_down, dilation_across):
    for n in range(max(first, 0), last):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                k = winners[n, i, j]
                row = max(i * down + k // width * dilation_down, 0)
                column = max(j * across + k % width * dilation_across, 0)
                if code != APPLY_MASK or mask[n, row, column] > 0:
                    x[n, row, column] += out[n, i, j]  # windows may overlap
