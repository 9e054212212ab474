"""Exponentials and logarithms, elementwise."""

import math

from ..arrays import namespace
from ..autodiff import op

_LN_2, _LN_10 = math.log(2), math.log(10)


@op(r"y = e^x", binds="exp", floating=True)
def exp(x, /):
    """Exponential, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).exp(x)


exp.gradient(x=(r"\bar x = \bar y\,y", lambda g, y: g * y))


@op(r"y = e^x - 1", binds="expm1", floating=True)
def expm1(x, /):
    """Exponential less one, elementwise, exact near 0. Shapes: (*) -> (*)."""
    return namespace(x).expm1(x)


expm1.gradient(x=(r"\bar x = \bar y\,(y + 1)", lambda g, y: g * (y + 1)))


@op(r"y = \ln x", binds="log", floating=True)
def log(x, /):
    """Natural logarithm, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).log(x)


log.gradient(x=(r"\bar x = \bar y / x", lambda g, x: g / x))


@op(r"y = \ln(1 + x)", binds="log1p", floating=True)
def log1p(x, /):
    """Natural logarithm of one more, elementwise, exact near 0. Shapes: (*) -> (*)."""
    return namespace(x).log1p(x)


log1p.gradient(x=(r"\bar x = \bar y / (1 + x)", lambda g, x: g / (1 + x)))


@op(r"y = \log_2 x", binds="log2", floating=True)
def log2(x, /):
    """Logarithm of base 2, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).log2(x)


log2.gradient(x=(r"\bar x = \bar y / (x \ln 2)", lambda g, x: g / (x * _LN_2)))


@op(r"y = \log_{10} x", binds="log10", floating=True)
def log10(x, /):
    """Logarithm of base 10, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).log10(x)


log10.gradient(x=(r"\bar x = \bar y / (x \ln 10)", lambda g, x: g / (x * _LN_10)))


@op(r"y = \ln(e^a + e^b)", broadcasts=True, floating=True)
def logaddexp(a, b, /):
    """Logarithm of a sum of two exponentials, without overflow. Shapes: (*), (*) -> (*), broadcast together."""
    return namespace(a, b).logaddexp(a, b)


def _share(a, b):
    """What e^a is of e^a + e^b."""
    xp, same = namespace(a, b), a == b
    a, b = xp.where(same, 0.0, a), xp.where(same, 0.0, b)  # there is no difference of infinities
    return xp.exp(-xp.logaddexp(xp.zeros_like(a), b - a))


logaddexp.gradient(
    a=(r"\bar a = \bar y\,e^{a - y}", lambda g, a, b: g * _share(a, b)),
    b=(r"\bar b = \bar y\,e^{b - y}", lambda g, a, b: g * _share(b, a)),
)
