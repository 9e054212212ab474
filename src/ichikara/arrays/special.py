"""What the array API leaves out, and NumPy and JAX do differently: sums at indices, the error function, its inverse."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy

from .axes import is_basic_index
from .dtypes import is_half, widened
from .namespace import namespace

__all__ = ["add_into", "erf", "erfinv", "scatter_add"]


def erf(x: Any) -> Any:
    r"""The error function, elementwise. Shapes: (\*) -> (\*).

    .. math:: \operatorname{erf} x = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt
    """
    if namespace(x) is numpy:
        return _erf()(x).astype(x.dtype, copy=False)
    from jax.scipy.special import erf as of_jax

    return of_jax(x)


@cache
def _erf() -> Callable[[Any], Any]:
    """The error function of NumPy arrays: SciPy's, or where SciPy cannot be imported Python's, number by number."""
    try:
        from scipy.special import erf
    except ModuleNotFoundError:
        return numpy.vectorize(math.erf, otypes=["float64"])
    return erf


_CACHED = 1 << 13  # so many numbers at once stay in the processor's cache

# Wichura's rational approximations of the normal quantile: the coefficients above and below, the highest power first.
_CENTRAL = (
    (2509.0809287301226727, 5226.495278852545925),
    (33430.575583588128105, 28729.085735721942674),
    (67265.770927008700853, 39307.89580009271061),
    (45921.953931549871457, 21213.794301586595867),
    (13731.693765509461125, 5394.1960214247511077),
    (1971.5909503065514427, 687.1870074920579083),
    (133.14166789178437745, 42.313330701600911252),
    (3.387132872796366608, 1.0),
)
_MIDDLE = (
    (7.7454501427834140764e-4, 1.05075007164441684324e-9),
    (0.0227238449892691845833, 5.475938084995344946e-4),
    (0.24178072517745061177, 0.0151986665636164571966),
    (1.27045825245236838258, 0.14810397642748007459),
    (3.64784832476320460504, 0.68976733498510000455),
    (5.7694972214606914055, 1.6763848301838038494),
    (4.6303378461565452959, 2.05319162663775882187),
    (1.42343711074968357734, 1.0),
)
_TAIL = (
    (2.01033439929228813265e-7, 2.04426310338993978564e-15),
    (2.71155556874348757815e-5, 1.4215117583164458887e-7),
    (0.0012426609473880784386, 1.8463183175100546818e-5),
    (0.026532189526576123093, 7.868691311456132591e-4),
    (0.29656057182850489123, 0.0148753612908506148525),
    (1.7848265399172913358, 0.13692988092273580531),
    (5.4637849111641143699, 0.59983220655588793769),
    (6.6579046435011037772, 1.0),
)


def _ratio(coefficients: tuple, x: Any) -> Any:
    (first, last), *rest = coefficients
    above, below = numpy.full_like(x, first), numpy.full_like(x, last)
    for a, b in rest:
        above *= x
        above += a
        below *= x
        below += b
    above /= below
    return above


def erfinv(x: Any) -> Any:
    r"""The inverse of the error function, elementwise, of NumPy arrays. Shapes: (\*) -> (\*).

    .. math:: \operatorname{erf}^{-1}(x) = \Phi^{-1}\!\left(\tfrac{x + 1}{2}\right) / \sqrt 2

    Source: M. Wichura, "Algorithm AS 241: the percentage points of the normal distribution" (1988), PPND16, with a
    relative error of 1e-16.
    """
    y = numpy.empty(numpy.shape(x), x.dtype)
    numbers, results = numpy.reshape(x, -1), y.reshape(-1)
    for start in range(0, numbers.size, _CACHED):
        part = slice(start, start + _CACHED)
        results[part] = _quantile(numbers[part] / 2) / math.sqrt(2)
    return y


def _quantile(q: Any) -> Any:
    """The normal number below which are 1/2 + q of all."""
    quantile = q * _ratio(_CENTRAL, 0.180625 - q * q)
    outer = numpy.abs(q) > 0.425
    with numpy.errstate(divide="ignore", invalid="ignore"):
        r = numpy.sqrt(-numpy.log(0.5 - numpy.abs(q[outer])))
        far = numpy.where(r <= 5, _ratio(_MIDDLE, r - 1.6), _ratio(_TAIL, r - 5))
    quantile[outer] = numpy.copysign(numpy.where(numpy.isinf(r), r, far), q[outer])
    return quantile


def scatter_add(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """An array of zeros to which ``g`` is added at an index; elements that are named twice receive both.

    Shapes: that of an array of this shape at this index -> shape.
    """
    if is_half(g.dtype):
        return scatter_add(widened(g), index, shape).astype(g.dtype)
    zeros = namespace(g).zeros(shape, dtype=g.dtype)
    if namespace(g) is not numpy:
        return zeros.at[index].add(g)
    if is_basic_index(index):
        zeros[index] = g
    else:
        numpy.add.at(zeros, index, g)
    return zeros


def add_into(out: Any, index: Any, part: Any) -> Any:
    """Add to an array of one's own at an index, in place where that can be done; the sum is what is returned."""
    if namespace(out) is not numpy:
        return out.at[index].add(part)
    if is_basic_index(index):
        out[index] += part
    else:
        numpy.add.at(out, index, part)
    return out
