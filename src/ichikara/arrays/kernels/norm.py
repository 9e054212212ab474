r"""Normalisation: mean and variance in one reading, and all three gradients in two.

.. math:: y = w\,\hat x + b, \quad \hat x = (x - \mu)\,s, \quad
    \bar x = s\,\bigl(w \bar y - \tfrac1n \textstyle\sum w \bar y - \hat x\,\tfrac1n \sum w \bar y \hat x\bigr), \quad
    \bar w = \sum \bar y\,\hat x, \quad \bar b = \sum \bar y

Two layouts serve all kinds: *channels*, (a, c, p), with one mean for each c and one weight for each c (batch norm), and
*rows*, (r, k), with one mean for each row and one weight for each column (layer norm).
"""

import math

import numpy

from ..once import Once
from ..workers import share
from . import kernel
from .compiled import compiled


def _layout(x, weight, bias, axes):
    """The shape to compute in, and whether it is of channels; None for another kind of normalisation."""
    axes = {axis % x.ndim for axis in axes}
    outer = x.ndim - len(axes)
    channels = x.ndim > 1 and axes == {0, *range(2, x.ndim)}
    shape: tuple[int, ...]
    if channels:
        sizes, shape = x.shape[1:2], (x.shape[0], x.shape[1], math.prod(x.shape[2:]))
    elif axes == set(range(outer, x.ndim)):
        sizes, shape = x.shape[outer:], (math.prod(x.shape[:outer]), math.prod(x.shape[outer:]))
    else:
        return None
    for given in (weight, bias):
        fits = given is None or (given.size == math.prod(sizes) and given.ndim == (x.ndim if channels else len(sizes)))
        if not fits:
            return None
    return shape, channels


def _filled(given, count, value, dtype):
    return numpy.full(count, value, dtype) if given is None else numpy.ascontiguousarray(given).reshape(-1)


def _shaped(found, given):
    return found if given is None else found.reshape(given.shape)


@kernel("normalise")
def normalise(x, weight, bias, axes, eps, into):
    found = _layout(x, weight, bias, axes)
    if found is None:
        return NotImplemented
    shape, channels = found
    x = numpy.ascontiguousarray(x)
    kept = tuple(1 if axis in {a % x.ndim for a in axes} else n for axis, n in enumerate(x.shape))
    y, mean, var = numpy.empty_like(x), numpy.empty(kept, x.dtype), numpy.empty(kept, x.dtype)
    count = shape[1]
    w, b = _filled(weight, count, 1, x.dtype), _filled(bias, count, 0, x.dtype)
    xs, ys, means, variances = x.reshape(shape), y.reshape(shape), mean.reshape(-1), var.reshape(-1)
    work = _channels if channels else _rows
    share(lambda part: work(xs, w, b, eps, ys, means, variances, part.start, part.stop), means.size, x.size * 4)
    slope = 1 / numpy.sqrt(var + x.dtype.type(eps))
    if into is not None:
        into["mean"], into["var"] = mean, var

    def back(g):
        gs = numpy.ascontiguousarray(g).reshape(shape)
        gx = numpy.empty_like(x)
        slopes, gxs = slope.reshape(-1), gx.reshape(shape)
        if channels:
            gw, gb = numpy.empty_like(w), numpy.empty_like(w)

            def work(part):
                _channels_back(gs, xs, w, means, slopes, gxs, gw, gb, part.start, part.stop)

            share(work, means.size, x.size * 8)
            return gx, _shaped(gw, weight), _shaped(gb, bias)

        def work_rows(part):
            sums = numpy.zeros((2, count), x.dtype)
            _rows_back(gs, xs, w, means, slopes, gxs, sums[0], sums[1], part.start, part.stop)
            return sums

        gw, gb = sum(share(work_rows, means.size, x.size * 8))
        return gx, _shaped(gw, weight), _shaped(gb, bias)

    return y, mean, slope, Once(back)


@compiled
def _channels(x, w, b, eps, y, mean, var, first, last):
    n, _, p = x.shape
    number = x.dtype.type
    one, count = number(1), number(n * p)
    for c in range(first, last):
        total = number(0)
        for a in range(n):
            for i in range(p):
                total += x[a, c, i]
        mu = total / count
        square = number(0)
        for a in range(n):
            for i in range(p):
                d = x[a, c, i] - mu
                square += d * d
        mean[c], var[c] = mu, square / count
        scale = w[c] * (one / number(math.sqrt(var[c] + number(eps))))
        shift = b[c] - mu * scale
        for a in range(n):
            for i in range(p):
                y[a, c, i] = x[a, c, i] * scale + shift


@compiled
def _channels_back(g, x, w, mean, slope, gx, gw, gb, first, last):
    n, _, p = x.shape
    number = x.dtype.type
    count = number(n * p)
    for c in range(first, last):
        mu, s = mean[c], slope[c]
        total, product = number(0), number(0)
        for a in range(n):
            for i in range(p):
                total += g[a, c, i]
                product += g[a, c, i] * (x[a, c, i] - mu)
        gb[c], gw[c] = total, product * s
        # The formula above, with what belongs to the channel taken together.
        scale = w[c] * s
        of_mean, of_var = total / count, s * s * product / count
        for a in range(n):
            for i in range(p):
                gx[a, c, i] = scale * (g[a, c, i] - of_mean - (x[a, c, i] - mu) * of_var)


@compiled
def _rows(x, w, b, eps, y, mean, var, first, last):
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
        s = one / number(math.sqrt(var[r] + number(eps)))
        for i in range(k):
            y[r, i] = (x[r, i] - mu) * s * w[i] + b[i]


@compiled
def _rows_back(g, x, w, mean, slope, gx, gw, gb, first, last):
    k = x.shape[1]
    number = x.dtype.type
    count = number(k)
    for r in range(first, last):
        mu, s = mean[r], slope[r]
        total, product = number(0), number(0)
        for i in range(k):
            normal = (x[r, i] - mu) * s
            total += g[r, i] * w[i]
            product += g[r, i] * w[i] * normal
            gw[i] += g[r, i] * normal
            gb[i] += g[r, i]
        of_mean, of_var = total / count, product / count
        for i in range(k):
            gx[r, i] = s * (g[r, i] * w[i] - of_mean - (x[r, i] - mu) * s * of_var)
