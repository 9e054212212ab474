r"""Normalisation: the statistics of channels in one pass, those of rows in two, and all three gradients in two passes.

.. math:: y = w\,\hat x + b, \quad \hat x = (x - \mu)\,s, \quad
    \bar x = s\,\bigl(w \bar y - \tfrac1n \textstyle\sum w \bar y - \hat x\,\tfrac1n \sum w \bar y \hat x\bigr), \quad
    \bar w = \sum \bar y\,\hat x, \quad \bar b = \sum \bar y

Two layouts serve all kinds: *channels*, (a, c, p), with a mean and a weight for each c (batch norm), and *rows*,
(r, k), with a mean for each row and a weight for each column (layer norm). A leaky ReLU is fused into the same pass;
with a ``negative_slope`` of 0 it is ReLU, and with 1 there is none. ``inv_std`` is s, one over the standard deviation.
"""

import math
from functools import lru_cache

import numpy

from ..jit.dispatcher import compiled
from ..jit.lazy import inner
from ..registry import kernel
from ..shared_backward import SharedBackward
from ..threads.fork_join import chunk_bounds, fork_join, parallel
from ..threads.team import parallel_for, threads_for
from ..workspace import contiguous, empty, zeros
from .reduce import sum_parts


@lru_cache(256)
def _layout(x, axes, weight, bias):
    """The shape to compute in, that of the means, and whether it is of channels; None for another kind.

    Arguments: the shapes of the arrays, None for a missing one; the axes.
    """
    ndim = len(x)
    axes = {axis % ndim for axis in axes}
    outer = ndim - len(axes)
    channels = ndim > 1 and axes == {0, *range(2, ndim)}
    shape: tuple[int, ...]
    if channels:
        sizes, shape = x[1:2], (x[0], x[1], math.prod(x[2:]))
    elif axes == set(range(outer, ndim)):
        sizes, shape = x[outer:], (math.prod(x[:outer]), math.prod(x[outer:]))
    else:
        return None
    for given in (weight, bias):
        if given is not None and (math.prod(given), len(given)) != (math.prod(sizes), ndim if channels else len(sizes)):
            return None
    return shape, tuple(1 if axis in axes else n for axis, n in enumerate(x)), channels


def _flat_or_constant(parameter, count, value, dtype):
    return numpy.full(count, value, dtype) if parameter is None else parameter.ravel()


def _in_shape_of(parameter, gradient):
    return gradient if parameter is None else gradient.reshape(parameter.shape)


def _channel_sums(x, cost):
    """Zeros for two sums of each channel over each thread's examples."""
    return zeros((threads_for(x.size * cost, len(x)), x.shape[1], 2), numpy.float64)


@kernel("normalise")
def normalise(x, weight, bias, axes, eps):
    return normalise_leaky(x, weight, bias, axes, eps, 1.0)


@kernel("normalise_leaky")
def normalise_leaky(x, weight, bias, axes, eps, negative_slope):
    layout = _layout(x.shape, tuple(axes), *[None if array is None else array.shape for array in (weight, bias)])
    if layout is None:
        return NotImplemented
    shape, statistics_shape, channels = layout
    negative_slope, x = x.dtype.type(negative_slope), contiguous(x)
    y, (mean, var, inv_std) = empty(x.shape, x.dtype), (empty(statistics_shape, x.dtype) for _ in range(3))
    count = shape[1]
    w, b = _flat_or_constant(weight, count, 1, x.dtype), _flat_or_constant(bias, count, 0, x.dtype)
    xs, (means, variances, inv_stds) = x.reshape(shape), (array.reshape(-1) for array in (mean, var, inv_std))
    operands = (xs, w, b, eps, negative_slope, y.reshape(shape), means, variances, inv_stds)
    if channels:
        parallel_for(_channels, x.size * 4, *operands, _channel_sums(xs, 4), empty((count, 2), x.dtype))
    else:
        parallel_for(_rows, x.size * 4, means.size, *operands)

    def backward(g):
        gx = empty(x.shape, x.dtype)
        operands = (contiguous(g).reshape(shape), xs, w, b, negative_slope, means, inv_stds, gx.reshape(shape))
        if channels:
            gw, gb = empty(w.shape, w.dtype), empty(w.shape, w.dtype)
            buffers = _channel_sums(xs, 8), empty((count, 4), x.dtype)
            parallel_for(_channels_backward, x.size * 8, *operands, gw, gb, *buffers)
        else:
            sums = zeros((threads_for(x.size * 8), 2, count), x.dtype)
            parallel_for(_rows_backward, x.size * 8, len(sums), *operands, sums)
            sum_parts(sums, sums[0])
            gw, gb = sums[0]
        return gx, _in_shape_of(weight, gw), _in_shape_of(bias, gb)

    return y, mean, var, inv_std, SharedBackward(backward)


# --- channels ---------------------------------------------------------------------------------------------------------
# Each thread goes twice through its own examples: what a convolution has left in its cache is still there. If the
# channels were divided, half of what a thread needs would be in another thread's cache.


@compiled
def _channels(team, x, w, b, eps, negative_slope, y, mean, var, inv_std, sums, scales):
    # Mean and variance in one pass, from the differences d to a pivot near the mean, that of the first example:
    # mean = pivot + mean d, variance = mean d^2 - (mean d)^2. What is subtracted is at most n times the variance, so no
    # more than the digits of n are lost, and the sums over the examples have digits to spare.
    number = x.dtype.type
    for c in range(mean.size):
        pivot = number(0)
        for i in range(x.shape[2]):
            pivot += x[0, c, i]
        mean[c] = pivot / number(x.shape[2])
    fork_join(team, len(sums), 0, _sum_channels, (x, mean, sums))
    count = x.shape[0] * x.shape[2]
    for c in range(mean.size):
        total, square = _totals(sums, c)
        mean[c] = number(mean[c] + total / count)
        var[c] = max((square - total * total / count) / count, 0.0)
        inv_std[c] = number(1) / number(math.sqrt(var[c] + number(eps)))
        scales[c, 0], scales[c, 1] = _scale_and_shift(c, w, b, mean, inv_std)
    fork_join(team, len(x), 0, _normalise_channels, (x, scales, negative_slope, y))


@inner
def _totals(sums, c):
    """The two sums of a channel over the examples of all threads."""
    first, second = 0.0, 0.0
    for part in range(len(sums)):
        first += sums[part, c, 0]
        second += sums[part, c, 1]
    return first, second


@inner
def _scale_and_shift(c, w, b, mean, inv_std):
    """The factor and the summand of a channel."""
    scale = w[c] * inv_std[c]
    return scale, b[c] - mean[c] * scale


@inner
def _sum_channels(first, last, x, pivot, sums):
    """The sums of d and of d^2 over some parts of the examples."""
    number = x.dtype.type
    for part in range(first, last):
        begin, end = chunk_bounds(len(x), part, len(sums))
        for a in range(begin, end):
            for c in range(pivot.size):
                total, square = number(0), number(0)
                for i in range(x.shape[2]):
                    d = x[a, c, i] - pivot[c]
                    total += d
                    square += d * d
                sums[part, c, 0] += total
                sums[part, c, 1] += square


@inner
def _normalise_channels(first, last, x, scales, negative_slope, y):
    for a in range(max(first, 0), last):
        for c in range(len(scales)):
            scale, shift = scales[c]
            for i in range(x.shape[2]):
                v = x[a, c, i] * scale + shift
                y[a, c, i] = v if v > 0 else negative_slope * v


@compiled
def _channels_backward(team, g, x, w, b, negative_slope, mean, inv_std, gx, gw, gb, sums, scales):
    number = x.dtype.type
    for c in range(mean.size):
        # As in the forward pass, for the sign of what the activation was given.
        scales[c, 0], scales[c, 1] = _scale_and_shift(c, w, b, mean, inv_std)
    fork_join(team, len(sums), 0, _sum_gradients, (g, x, mean, scales, negative_slope, sums))
    count = number(x.shape[0] * x.shape[2])
    for c in range(mean.size):
        total, product = _totals(sums, c)
        gb[c], gw[c] = total, product * inv_std[c]
        # The formula above, with the factors of a channel multiplied once.
        scales[c, 2], scales[c, 3] = number(total) / count, inv_std[c] * inv_std[c] * number(product) / count
    fork_join(team, len(x), 0, _channel_gradients, (g, x, mean, scales, negative_slope, gx))


@inner
def _sum_gradients(first, last, g, x, mean, scales, negative_slope, sums):
    """The sums of the gradient, and of its product with x - mean, over some parts of the examples."""
    number = x.dtype.type
    for part in range(first, last):
        begin, end = chunk_bounds(len(x), part, len(sums))
        for a in range(begin, end):
            for c in range(mean.size):
                mu, scale, shift = mean[c], scales[c, 0], scales[c, 1]
                total, product = number(0), number(0)
                for i in range(x.shape[2]):
                    d = g[a, c, i] if x[a, c, i] * scale + shift > 0 else g[a, c, i] * negative_slope
                    total += d
                    product += d * (x[a, c, i] - mu)
                sums[part, c, 0] += total
                sums[part, c, 1] += product


@inner
def _channel_gradients(first, last, g, x, mean, scales, negative_slope, gx):
    for a in range(max(first, 0), last):
        for c in range(mean.size):
            mu, (scale, shift, of_mean, of_var) = mean[c], scales[c]
            for i in range(x.shape[2]):
                d = g[a, c, i] if x[a, c, i] * scale + shift > 0 else g[a, c, i] * negative_slope
                gx[a, c, i] = scale * (d - of_mean - (x[a, c, i] - mu) * of_var)


# --- rows -------------------------------------------------------------------------------------------------------------


@parallel
def _rows(first, last, x, w, b, eps, negative_slope, y, mean, var, inv_std):
    k = x.shape[1]
    number = x.dtype.type
    one, count = number(1), number(k)
    for r in range(first, last):
        total = number(0)
        for i in range(k):
            total += x[r, i]
        mu = total / count
        square = number(0)
        for i in range(k):
            d = x[r, i] - mu
            square += d * d
        mean[r], var[r] = mu, square / count
        s = inv_std[r] = one / number(math.sqrt(var[r] + number(eps)))
        for i in range(k):
            v = (x[r, i] - mu) * s * w[i] + b[i]
            y[r, i] = v if v > 0 else negative_slope * v


@parallel
def _rows_backward(first, last, g, x, w, b, negative_slope, mean, inv_std, gx, sums):
    """Some parts of the rows; each has its own sums, the gradients of weight and bias."""
    for part in range(first, last):
        begin, end = chunk_bounds(x.shape[0], part, len(sums))
        _row_gradients(begin, end, g, x, w, b, negative_slope, mean, inv_std, gx, sums[part, 0], sums[part, 1])


@inner
def _row_gradients(first, last, g, x, w, b, negative_slope, mean, inv_std, gx, gw, gb):
    k = x.shape[1]
    number = x.dtype.type
    count = number(k)
    for r in range(first, last):
        mu, s = mean[r], inv_std[r]
        total, product = number(0), number(0)
        for i in range(k):
            normal = (x[r, i] - mu) * s
            d = g[r, i] if normal * w[i] + b[i] > 0 else g[r, i] * negative_slope
            total += d * w[i]
            product += d * w[i] * normal
            gw[i] += d * normal
            gb[i] += d
        of_mean, of_var = total / count, product / count
        for i in range(k):
            normal = (x[r, i] - mu) * s
            d = g[r, i] if normal * w[i] + b[i] > 0 else g[r, i] * negative_slope
            gx[r, i] = s * (d * w[i] - of_mean - normal * of_var)
