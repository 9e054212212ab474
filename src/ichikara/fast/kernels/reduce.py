r"""Reductions: means and sums of rows, and the gradient of a mean.

.. math:: y = \frac1n \sum_{i=1}^n x_i, \qquad \bar x_i = \bar y / n
"""

import math

from ...arrays.axes import normalise_axes
from ..jit.elementary import copy_row
from ..registry import ANY, kernel, small
from ..threads.fork_join import chunk_bounds, parallel
from ..threads.team import parallel_for, threads_for
from ..workspace import contiguous, empty, zeros

__all__ = ["sum_of_rows", "sum_parts"]

_MEAN_BLOCK = 256  # numbers whose sum is taken by itself: small numbers are added to small ones, and keep their digits
_ROW_BLOCK = 64  # rows, for the same reason
_MANY_ROWS = 512  # at least so many are divided among the threads; of fewer, the columns are
_ELEMENTS = 1024  # these stay in the L1 cache


# --- means ------------------------------------------------------------------------------------------------------------


@kernel("mean")
def mean(x, axis, keepdims):
    """The mean along the last axes, of many rows."""
    axes = normalise_axes(axis, x.ndim)
    remaining = [k for k in range(x.ndim) if k not in axes]
    count = math.prod(x.shape[k] for k in axes)
    last = [k for k in remaining if x.shape[k] > 1]
    rows = x.size // count if count else 0
    if rows < 2 or math.prod(x.shape[: last[-1] + 1]) != rows:
        return NotImplemented
    out = empty([1 if k in axes else n for k, n in enumerate(x.shape) if keepdims or k in remaining], x.dtype)
    parallel_for(_means, x.size, rows, contiguous(x).reshape(rows, count), out.reshape(rows))
    return out


@parallel
def _means(first, last, x, out):
    for r in range(first, last):
        total = 0.0
        for start in range(0, x.shape[1], _MEAN_BLOCK):
            partial, row = x.dtype.type(0), x[r, start : start + _MEAN_BLOCK]
            for j in range(row.size):
                partial += row[j]
            total += partial
        out[r] = total / x.shape[1]


@small("mean", axis=None, keepdims=False)
def _mean(x, y):
    total = 0.0
    for i in range(x.size):
        total += x.flat[i]
    y[()] = total / x.size


@small("mean", of="x", x_shape=ANY, axis=None, keepdims=False)
def _mean_x(g, gx):
    for i in range(gx.size):
        gx.flat[i] = g[()] / gx.size


# --- sums of rows -----------------------------------------------------------------------------------------------------


def sum_parts(parts, out):
    """Put the sum of the arrays ``parts[k]`` into ``out``, which may be the first of them. All are in C order."""
    separate = out.ctypes.data != parts.ctypes.data
    if separate or len(parts) > 1:
        parallel_for(_sum_parts, 2 * parts.size, out.size, parts.reshape(len(parts), -1), out.reshape(-1), separate)


@parallel
def _sum_parts(first, last, parts, out, separate):
    for start in range(first, last, _ELEMENTS):
        stop = min(start + _ELEMENTS, last)
        to = out[start:stop]
        if separate:
            copy_row(to, parts[0, start:stop])
        for k in range(1, len(parts)):
            part = parts[k, start:stop]
            for j in range(to.size):
                to[j] += part[j]


@kernel("arrays.sum_of_rows")
def sum_of_rows(x):
    """The sum of the rows of a matrix. Each thread takes some rows, which it may have written itself, or some columns.

    Shapes: (m, n) -> (n).
    """
    threads, many = threads_for(x.size, len(x)), len(x) >= _MANY_ROWS
    sums = zeros((threads if many else 1, x.shape[1]), x.dtype)
    parallel_for(_sum_of_rows, x.size, threads, threads, contiguous(x), empty(sums.shape, x.dtype), sums)
    sum_parts(sums, sums[0])
    return sums[0]


@parallel
def _sum_of_rows(first, last, threads, x, partial_sums, sums):
    many = len(sums) == threads
    for thread in range(first, last):
        begin, end = chunk_bounds(len(x), thread, threads) if many else (0, len(x))
        left, right = (0, x.shape[1]) if many else chunk_bounds(x.shape[1], thread, threads)
        own = thread if many else 0
        total, partial = sums[own, left:right], partial_sums[own, left:right]
        for start in range(begin, end, _ROW_BLOCK):
            stop = min(start + _ROW_BLOCK, end)
            partial[:] = 0
            for r in range(start, stop - 3, 4):  # four at once, because a load right after a store is slow
                x0, x1, x2, x3 = x[r, left:right], x[r + 1, left:right], x[r + 2, left:right], x[r + 3, left:right]
                for j in range(partial.size):
                    partial[j] += (x0[j] + x1[j]) + (x2[j] + x3[j])
            for r in range(stop - (stop - start) % 4, stop):
                row = x[r, left:right]
                for j in range(row.size):
                    partial[j] += row[j]
            for j in range(partial.size):
                total[j] += partial[j]
