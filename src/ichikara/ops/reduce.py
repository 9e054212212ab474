"""Functions that take many elements together: sums, means, extremes, products, spreads."""

import math
import warnings

from ..arrays import (
    is_floating,
    namespace,
    normalise_axes,
    reduced_axes,
    size_along,
    sum_along,
    unreduce,
    widened,
)
from ..autodiff import composed, op
from .elementwise import astype, sqrt, where
from .shape import concat, flip, permute_dims, reshape


def _to_each(g, x_shape, axis, keepdims):
    """The gradient of a sum, for each of its terms."""
    return namespace(g).broadcast_to(unreduce(g, x_shape, axis, keepdims), x_shape)


@op(r"y = \sum_i x_i", binds="sum")
def sum(x, /, axis=None, keepdims=False):
    """Sum along axes, or of everything. Shapes: (*) -> (*) without the axes, or with length 1 there."""
    return sum_along(x, axis, keepdims)


sum.gradient(x=(r"\bar x_i = \bar y", _to_each))
sum.jacobian(x=r"\frac{\partial y}{\partial x} = \mathbf{1}^\top")


@op(r"y = \frac{1}{n} \sum_i x_i", binds="mean", floating=True)
def mean(x, /, axis=None, keepdims=False):
    """Mean along axes, or of everything. Shapes: (*) -> (*) without the axes, or with length 1 there."""
    return namespace(x).mean(x, axis=axis, keepdims=keepdims)


mean.gradient(
    x=(
        r"\bar x_i = \bar y / n",
        lambda g, x_shape, axis, keepdims: _to_each(
            widened(g) / (size_along(x_shape, axis) or 1), x_shape, axis, keepdims
        ),
    )
)
mean.jacobian(x=r"\frac{\partial y}{\partial x} = \frac{1}{n} \mathbf{1}^\top")


def _to_the_extreme(g, y, x, axis, keepdims):
    """An extreme's gradient, shared evenly among the elements that attain it."""
    xp = namespace(g, y, x)
    hit = x == unreduce(y, x.shape, axis, keepdims)
    share = widened(xp.astype(hit, g.dtype))
    return unreduce(g, x.shape, axis, keepdims) * share / xp.sum(share, axis=axis, keepdims=True)


@op(r"y = \max_i x_i", binds="max")
def max(x, /, axis=None, keepdims=False):
    """Largest element along axes, or of all. Shapes: (*) -> (*) without the axes, or with length 1 there."""
    return namespace(x).max(x, axis=axis, keepdims=keepdims)


max.gradient(x=(r"\bar x_i = \bar y\,\frac{[x_i = y]}{\sum_j [x_j = y]}", _to_the_extreme))
max.jacobian(x=r"\frac{\partial y}{\partial x_i} = \frac{[x_i = y]}{\sum_j [x_j = y]}")


@op(r"y = \min_i x_i", binds="min")
def min(x, /, axis=None, keepdims=False):
    """Smallest element along axes, or of all. Shapes: (*) -> (*) without the axes, or with length 1 there."""
    return namespace(x).min(x, axis=axis, keepdims=keepdims)


min.gradient(x=(r"\bar x_i = \bar y\,\frac{[x_i = y]}{\sum_j [x_j = y]}", _to_the_extreme))
min.jacobian(x=r"\frac{\partial y}{\partial x_i} = \frac{[x_i = y]}{\sum_j [x_j = y]}")


@op(r"y = \ln \sum_i e^{x_i}", binds="logsumexp", floating=True, accumulates=True)
def logsumexp(x, /, axis=None, keepdims=False):
    """Logarithm of a sum of exponentials, without overflow. Shapes: (*) -> (*) without the axes, or length 1 there."""
    xp = namespace(x)
    top = (xp.max if x.size else xp.sum)(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))  # all -inf gives -inf, and not nan
    total = xp.sum(xp.exp(x - top), axis=axis, keepdims=True)
    y = xp.where(total == 0, -math.inf, xp.log(xp.where(total == 0, 1.0, total)) + top)
    return y if keepdims else xp.reshape(y, xp.sum(x, axis=axis).shape)


def _to_the_addends(g, y, x, axis, keepdims):
    """A logsumexp's gradient, shared by weight; where all are -inf (and y is) nothing has a weight."""
    xp = namespace(g, y, x)
    y = unreduce(xp.where(y == -math.inf, 0.0, y), x.shape, axis, keepdims)
    return unreduce(g, x.shape, axis, keepdims) * xp.exp(x - y)


logsumexp.gradient(x=(r"\bar x_i = \bar y\,e^{x_i - y}", _to_the_addends))
logsumexp.jacobian(x=r"\frac{\partial y}{\partial x_i} = e^{x_i - y}")


@composed(r"y = \frac{1}{n - c} \sum_i (x_i - \mu)^2", binds="var", accumulates=True)
def var(x, /, axis=None, correction=0.0, keepdims=False):
    """Variance along axes, or of everything; with ``correction=1`` that of the population a sample was drawn from.

    A correction of n or more leaves nothing to divide by: the variance is infinite then, and a warning says so.

    Shapes: (*) -> (*) without the axes, or with length 1 there.
    """
    away = x - mean(x, axis=axis, keepdims=True)
    squares = sum(away * away, axis=axis, keepdims=keepdims)
    divisor = size_along(x.shape, axis) - correction
    if divisor > 0:
        return squares / divisor
    warnings.warn(
        f"a variance of {size_along(x.shape, axis)} numbers with correction={correction} divides by nothing: it is "
        "infinite, or nan where they are equal; take more numbers, or a smaller correction",
        RuntimeWarning,
        stacklevel=3,
    )
    return squares * where(squares == 0, math.nan, math.inf)


@composed(r"y = \sqrt{\frac{1}{n - c} \sum_i (x_i - \mu)^2}", binds="std", accumulates=True)
def std(x, /, axis=None, correction=0.0, keepdims=False):
    """Standard deviation along axes, or of everything; the gradient of equal numbers is 0.

    Shapes: (*) -> (*) without the axes, or with length 1 there.
    """
    variance = var(x, axis=axis, correction=correction, keepdims=keepdims)
    equal = variance == 0
    return where(equal, 0.0, sqrt(where(equal, 1.0, variance)))  # the root's slope at 0 is infinite


@composed(r"y = \prod_i x_i", binds="prod", accumulates=True)
def prod(x, /, axis=None, keepdims=False):
    """Product along axes, or of everything. Shapes: (*) -> (*) without the axes, or with length 1 there.

    Elements are multiplied in pairs, and the products again; so the gradient is right where elements are 0, which
    the shorter rule (the product divided by the element) is not. Products of whole numbers are int64, or uint64.
    """
    axes = reduced_axes(axis, x.ndim)
    if x.dtype.kind in "iub" and x.dtype.itemsize < 8:
        x = astype(x, "uint64" if x.dtype.kind == "u" else "int64")  # NumPy's type of such products
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    shape = tuple(x.shape[i] for i in kept)
    factors = reshape(permute_dims(x, axes + kept), (math.prod(x.shape[i] for i in axes), *shape))
    if factors.shape[0] == 0:
        y = sum(factors, axis=0) + 1  # of nothing; it knows what it was made from all the same
    else:
        while factors.shape[0] > 1:
            half, odd = divmod(factors.shape[0], 2)
            paired = factors[:half] * factors[half : 2 * half]
            factors = concat([paired, factors[2 * half :]], axis=0) if odd else paired
        y = factors[0]
    return reshape(y, tuple(1 if i in axes else n for i, n in enumerate(x.shape))) if keepdims else y


@op(r"y_i = \sum_{j \le i} x_j", binds="cumulative_sum", accumulates=True)
def cumulative_sum(x, /, axis=-1, include_initial=False):
    """Running sum along an axis; with ``include_initial`` from 0 on. Shapes: (*) -> (*), or one longer there."""
    return namespace(x).cumulative_sum(x, axis=_one_axis(x, axis), include_initial=include_initial)


def _one_axis(x, axis):
    """The axis counted from the front. Raises ValueError where there is none of that number, or several are meant."""
    axes = normalise_axes(axis, x.ndim)
    if len(axes) != 1:
        raise ValueError(f"this goes along one axis, and axis={axis} names {len(axes)} of {x.ndim}")
    return axes[0]


def _sum_of_later(g, axis, include_initial):
    axis = _one_axis(g, axis)
    if include_initial:
        g = g[(slice(None),) * axis + (slice(1, None),)]
    return flip(cumulative_sum(flip(g, axis=axis), axis=axis), axis=axis)


cumulative_sum.gradient(x=(r"\bar x_j = \sum_{i \ge j} \bar y_i", _sum_of_later))
cumulative_sum.jacobian(x=r"\frac{\partial y_i}{\partial x_j} = [j \le i]")


@composed(r"y_i = \prod_{j \le i} x_j", binds="cumulative_prod", accumulates=True)
def cumulative_prod(x, /, axis=-1, include_initial=False):
    """Running product along an axis; with ``include_initial`` from 1 on. Shapes: (*) -> (*), or one longer there.

    Stretches of 1, 2, 4, … factors are multiplied; so the gradient is right where elements are 0.

    Source: W. Hillis and G. Steele, "Data Parallel Algorithms" (1986).
    """
    axis = _one_axis(x, axis)
    part = lambda first, last: x[(slice(None),) * axis + (slice(first, last),)]
    if not is_floating(x):
        x = astype(x, sum(part(0, 0)).dtype)  # products of short whole numbers are long ones, as sums are
    n, stretch = x.shape[axis], 1
    while stretch < n:
        x = concat([part(None, stretch), part(stretch, None) * part(None, n - stretch)], axis=axis)
        stretch *= 2
    return concat([prod(part(0, 0), axis=axis, keepdims=True), x], axis=axis) if include_initial else x


@composed(r"y_i = x_{i+1} - x_i", binds="diff")
def diff(x, /, axis=-1, n=1, prepend=None, append=None):
    """Difference of neighbours along an axis, n times over. Shapes: (*a, k, *b) -> (*a, k - n, *b).

    Arguments: ``prepend``, ``append``, arrays that are joined on before.

    >>> diff([1, 4, 9, 16]).tolist()
    [3, 5, 7]
    """
    axis = _one_axis(x, axis)
    if not isinstance(n, int) or n < 0:
        raise ValueError(f"n, how often differences are taken, is a whole number of at least 0, not {n!r}")
    if prepend is not None or append is not None:
        x = concat([part for part in (prepend, x, append) if part is not None], axis=axis)
    for _ in range(n):
        before = (slice(None),) * axis
        x = x[(*before, slice(1, None))] - x[(*before, slice(None, -1))]
    return x


@composed(r"y = \sum_i [x_i \ne 0]", binds="count_nonzero")
def count_nonzero(x, /, axis=None, keepdims=False):
    """How many are not 0, along axes or in all. Shapes: (*) -> (*) without the axes, or with length 1 there."""
    return sum(x != 0, axis=axis, keepdims=keepdims)


@op(r"y = \arg\max_i x_i", binds="argmax")
def argmax(x, /, axis=None, keepdims=False):
    """Position of the first largest element along an axis, or in the flattened array.

    Shapes: (*) -> (*) without the axis, or with length 1 there.
    """
    return namespace(x).argmax(x, axis=axis, keepdims=keepdims)


argmax.gradient(x=None)


@op(r"y = \arg\min_i x_i", binds="argmin")
def argmin(x, /, axis=None, keepdims=False):
    """Position of the first smallest element along an axis, or in the flattened array.

    Shapes: (*) -> (*) without the axis, or with length 1 there.
    """
    return namespace(x).argmin(x, axis=axis, keepdims=keepdims)


argmin.gradient(x=None)


@op(r"y = \bigwedge_i x_i", binds="all")
def all(x, /, axis=None, keepdims=False):
    """Whether all hold, along axes or of everything. Shapes: (*) -> (*) without the axes, or with length 1 there."""
    return namespace(x).all(x, axis=axis, keepdims=keepdims)


all.gradient(x=None)


@op(r"y = \bigvee_i x_i", binds="any")
def any(x, /, axis=None, keepdims=False):
    """Whether any holds, along axes or of everything. Shapes: (*) -> (*) without the axes, or with length 1 there."""
    return namespace(x).any(x, axis=axis, keepdims=keepdims)


any.gradient(x=None)

__all__ = [
    "all",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "logsumexp",
    "max",
    "mean",
    "min",
    "prod",
    "std",
    "sum",
    "var",
]
