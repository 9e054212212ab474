r"""Normalisation: mean and variance in one reading of channels, two of rows, and all three gradients in two.

.. math:: y = w\,\hat x + b, \quad \hat x = (x - \mu)\,s, \quad
    \bar x = s\,\bigl(w \bar y - \tfrac1n \textstyle\sum w \bar y - \hat x\,\tfrac1n \sum w \bar y \hat x\bigr), \quad
    \bar w = \sum \bar y\,\hat x, \quad \bar b = \sum \bar y

Two layouts serve all kinds: *channels*, (a, c, p), with one mean for each c and one weight for each c (batch norm), and
*rows*, (r, k), with one mean for each row and one weight for each column (layer norm). An activation that leaves a
part of what is below 0 (ReLU none of it) is done in the same pass; with a ``leak`` of 1 there is none.
"""

import math
from functools import lru_cache

import numpy

from ..jit.dispatcher import compiled
from ..jit.lazy import inner
from ..once import Once
from ..registry import kernel
from ..threads.fork_join import chunk_bounds, fork_join, parallel
from ..threads.team import parallel_for, threads_for
from ..workspace import contiguous, empty, zeros
from .reduce import sum_parts


@lru_cache(256)
def _layout(x, axes, weight, bias):
    """The shape to compute in, that of the means, and whether it is of channels; None for another kind.

    Arguments: the shapes of the arrays, None for one that is not there; the axes.
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


def _filled(given, count, value, dtype):
    return numpy.full(count, value, dtype) if given is None else given.ravel()


def _shaped(found, given):
    return found if given is None else found.reshape(given.shape)


def _sums(x, cost):
    """Room for two sums of each channel over each worker's examples."""
    return zeros((threads_for(x.size * cost, len(x)), x.shape[1], 2), numpy.float64)


@kernel("normalise")
def normalise(x, weight, bias, axes, eps, into, leak):
    shapes = [None if given is None else given.shape for given in (weight, bias)]
    found = _layout(x.shape, tuple(axes), *shapes)
    if found is None:
        return NotImplemented
    shape, kept, channels = found
    leak, x = x.dtype.type(leak), contiguous(x)
    y, (mean, var, slope) = empty(x.shape, x.dtype), (empty(kept, x.dtype) for _ in range(3))
    count = shape[1]
    w, b = _filled(weight, count, 1, x.dtype), _filled(bias, count, 0, x.dtype)
    xs, (means, variances, slopes) = x.reshape(shape), (array.reshape(-1) for array in (mean, var, slope))
    given = (xs, w, b, eps, leak, y.reshape(shape), means, variances, slopes)
    if channels:
        parallel_for(_channels, x.size * 4, *given, _sums(xs, 4), empty((count, 2), x.dtype))
    else:
        parallel_for(_rows, x.size * 4, means.size, *given)
    if into is not None:
        into["mean"], into["var"] = mean, var

    def back(g):
        gs = contiguous(g).reshape(shape)
        gx = empty(x.shape, x.dtype)
        gxs = gx.reshape(shape)
        if channels:
            gw, gb = empty(w.shape, w.dtype), empty(w.shape, w.dtype)
            rooms = _sums(xs, 8), empty((count, 4), x.dtype)
            parallel_for(_channels_back, x.size * 8, gs, xs, w, b, leak, means, slopes, gxs, gw, gb, *rooms)
        else:
            sums = zeros((threads_for(x.size * 8), 2, count), x.dtype)
            parallel_for(_rows_back, x.size * 8, len(sums), gs, xs, w, b, leak, means, slopes, gxs, sums)
            sum_parts(sums, sums[0])
            gw, gb = sums[0]
        return gx, _shaped(gw, weight), _shaped(gb, bias)

    return y, mean, slope, Once(back)


# --- channels ---------------------------------------------------------------------------------------------------------
# Twice through the examples, each worker through those that are his own: what a convolution has left in his cache is
# still there. Of the channels he would find half with somebody else.


@compiled
def _channels(team, x, w, b, eps, leak, y, mean, var, slope, sums, scales):
    # Mean and variance in one reading, from the differences d to a number near the mean, that of the first example:
    # mean = near + mean d, variance = mean d^2 - (mean d)^2. What is subtracted is at most n times the variance, so no
    # more than the digits of n are lost, and the sums over the examples have digits to spare.
    number = x.dtype.type
    for c in range(mean.size):
        near = number(0)
        for i in range(x.shape[2]):
            near += x[0, c, i]
        mean[c] = near / number(x.shape[2])
    fork_join(team, len(sums), 0, _add_up, (x, mean, sums))
    count = x.shape[0] * x.shape[2]
    for c in range(mean.size):
        total, square = _totals(sums, c)
        mean[c] = number(mean[c] + total / count)
        var[c] = max((square - total * total / count) / count, 0.0)
        slope[c] = number(1) / number(math.sqrt(var[c] + number(eps)))
        scales[c, 0], scales[c, 1] = _of_channel(c, w, b, mean, slope)
    fork_join(team, len(x), 0, _scale, (x, scales, leak, y))


@inner
def _totals(sums, c):
    """The two sums of a channel over the examples of all workers."""
    one, other = 0.0, 0.0
    for part in range(len(sums)):
        one += sums[part, c, 0]
        other += sums[part, c, 1]
    return one, other


@inner
def _of_channel(c, w, b, mean, slope):
    """What a channel is multiplied by, and what is added."""
    scale = w[c] * slope[c]
    return scale, b[c] - mean[c] * scale


@inner
def _add_up(first, last, x, near, sums):
    """The sums over some parts of the examples."""
    number = x.dtype.type
    for part in range(first, last):
        begin, end = chunk_bounds(len(x), part, len(sums))
        for a in range(begin, end):
            for c in range(near.size):
                of_one, square_of_one = number(0), number(0)
                for i in range(x.shape[2]):
                    d = x[a, c, i] - near[c]
                    of_one += d
                    square_of_one += d * d
                sums[part, c, 0] += of_one
                sums[part, c, 1] += square_of_one


@inner
def _scale(first, last, x, scales, leak, y):
    for a in range(max(first, 0), last):
        for c in range(len(scales)):
            scale, shift = scales[c]
            for i in range(x.shape[2]):
                v = x[a, c, i] * scale + shift
                y[a, c, i] = v if v > 0 else leak * v


@compiled
def _channels_back(team, g, x, w, b, leak, mean, slope, gx, gw, gb, sums, scales):
    number = x.dtype.type
    for c in range(mean.size):
        # As on the way there, for the sign of what the activation was given.
        scales[c, 0], scales[c, 1] = _of_channel(c, w, b, mean, slope)
    fork_join(team, len(sums), 0, _add_up_back, (g, x, mean, scales, leak, sums))
    count = number(x.shape[0] * x.shape[2])
    for c in range(mean.size):
        total, product = _totals(sums, c)
        gb[c], gw[c] = total, product * slope[c]
        # The formula above, with what belongs to the channel taken together.
        scales[c, 2], scales[c, 3] = number(total) / count, slope[c] * slope[c] * number(product) / count
    fork_join(team, len(x), 0, _scale_back, (g, x, mean, scales, leak, gx))


@inner
def _add_up_back(first, last, g, x, mean, scales, leak, sums):
    """The sums over some parts of the examples."""
    number = x.dtype.type
    for part in range(first, last):
        begin, end = chunk_bounds(len(x), part, len(sums))
        for a in range(begin, end):
            for c in range(mean.size):
                mu, scale, shift = mean[c], scales[c, 0], scales[c, 1]
                of_one, product_of_one = number(0), number(0)
                for i in range(x.shape[2]):
                    d = g[a, c, i] if x[a, c, i] * scale + shift > 0 else g[a, c, i] * leak
                    of_one += d
                    product_of_one += d * (x[a, c, i] - mu)
                sums[part, c, 0] += of_one
                sums[part, c, 1] += product_of_one


@inner
def _scale_back(first, last, g, x, mean, scales, leak, gx):
    for a in range(max(first, 0), last):
        for c in range(mean.size):
            mu, (scale, shift, of_mean, of_var) = mean[c], scales[c]
            for i in range(x.shape[2]):
                d = g[a, c, i] if x[a, c, i] * scale + shift > 0 else g[a, c, i] * leak
                gx[a, c, i] = scale * (d - of_mean - (x[a, c, i] - mu) * of_var)


# --- rows -------------------------------------------------------------------------------------------------------------


@parallel
def _rows(first, last, x, w, b, eps, leak, y, mean, var, slope):
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
        s = slope[r] = one / number(math.sqrt(var[r] + number(eps)))
        for i in range(k):
            v = (x[r, i] - mu) * s * w[i] + b[i]
            y[r, i] = v if v > 0 else leak * v


@parallel
def _rows_back(first, last, g, x, w, b, leak, mean, slope, gx, sums):
    """Some parts of the rows; each has sums of its own, of the gradients of weight and bias."""
    for part in range(first, last):
        begin, end = chunk_bounds(x.shape[0], part, len(sums))
        _some_rows_back(begin, end, g, x, w, b, leak, mean, slope, gx, sums[part, 0], sums[part, 1])


@inner
def _some_rows_back(first, last, g, x, w, b, leak, mean, slope, gx, gw, gb):
    k = x.shape[1]
    number = x.dtype.type
    count = number(k)
    for r in range(first, last):
        mu, s = mean[r], slope[r]
        total, product = number(0), number(0)
        for i in range(k):
            normal = (x[r, i] - mu) * s
            d = g[r, i] if normal * w[i] + b[i] > 0 else g[r, i] * leak
            total += d * w[i]
            product += d * w[i] * normal
            gw[i] += d * normal
            gb[i] += d
        of_mean, of_var = total / count, product / count
        for i in range(k):
            normal = (x[r, i] - mu) * s
            d = g[r, i] if normal * w[i] + b[i] > 0 else g[r, i] * leak
            gx[r, i] = s * (d * w[i] - of_mean - normal * of_var)
