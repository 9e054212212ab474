"""Functions of each element for itself: arithmetic, powers, roundings, choices."""

from ..arrays import as_dtype, namespace
from ..arrays import erf as _erf
from ..autodiff import op


@op(r"y = a + b", binds="+", broadcasts=True)
def add(a, b, /):
    """Sum, elementwise. Shapes: (*), (*) -> (*), broadcast together."""
    return a + b


add.gradient(a=(r"\bar a = \bar y", lambda g: g), b=(r"\bar b = \bar y", lambda g: g))


@op(r"y = a - b", binds="-", broadcasts=True)
def subtract(a, b, /):
    """Difference, elementwise. Shapes: (*), (*) -> (*), broadcast together."""
    return a - b


subtract.gradient(a=(r"\bar a = \bar y", lambda g: g), b=(r"\bar b = -\bar y", lambda g: -g))


@op(r"y = a\,b", binds="*", broadcasts=True)
def multiply(a, b, /):
    """Product, elementwise. Shapes: (*), (*) -> (*), broadcast together."""
    return a * b


multiply.gradient(a=(r"\bar a = \bar y\,b", lambda g, b: g * b), b=(r"\bar b = \bar y\,a", lambda g, a: g * a))


@op(r"y = a / b", binds="/", broadcasts=True, floating=True)
def divide(a, b, /):
    """Quotient, elementwise. Shapes: (*), (*) -> (*), broadcast together."""
    return a / b


divide.gradient(
    a=(r"\bar a = \bar y / b", lambda g, b: g / b),
    b=(r"\bar b = -\bar y\,y / b", lambda g, y, b: -g * y / b),
)


@op(r"y = \lfloor a / b \rfloor", binds="//", broadcasts=True)
def floor_divide(a, b, /):
    """Quotient rounded down, elementwise; constant between its jumps. Shapes: (*), (*) -> (*), broadcast together."""
    return a // b


floor_divide.gradient(a=None, b=None)


@op(r"y = a - b \lfloor a / b \rfloor", binds="%", broadcasts=True)
def remainder(a, b, /):
    """What a division rounded down leaves, with the sign of b. Shapes: (*), (*) -> (*), broadcast together."""
    return a % b


remainder.gradient(
    a=(r"\bar a = \bar y", lambda g: g),
    b=(r"\bar b = -\bar y \lfloor a / b \rfloor", lambda g, a, b: -g * (a // b)),
)


@op(r"y = -x", binds="-x")
def negative(x, /):
    """The number of opposite sign, elementwise. Shapes: (*) -> (*)."""
    return -x


negative.gradient(x=(r"\bar x = -\bar y", lambda g: -g))


@op(r"y = a^b", binds="**", broadcasts=True)
def pow(a, b, /):
    """Power, elementwise. Shapes: (*), (*) -> (*), broadcast together.

    The gradient of the exponent is 0 where the base is 0, as the value does not change there for b > 0.
    """
    return a**b


def _slope_of_base(g, a, b):
    """The gradient of the base; that of a constant (b = 0) is 0 at a = 0 too."""
    if b.__class__ in (int, float):
        return g * b * a ** (b - 1) if b else namespace(g).zeros_like(g)
    return g * b * a ** (namespace(b).where(b == 0, namespace(b).ones_like(b), b) - 1)


def _log_or_zero(a):
    """log a, and 0 where a is 0."""
    xp = namespace(a)
    return xp.log(xp.where(a == 0, 1.0, a))


pow.gradient(
    a=(r"\bar a = \bar y\,b\,a^{b-1}", _slope_of_base),
    b=(r"\bar b = \bar y\,y \ln a", lambda g, y, a: g * y * _log_or_zero(a)),
)


@op(r"y = \sqrt{a^2 + b^2}", broadcasts=True, floating=True)
def hypot(a, b, /):
    """Length of a hypotenuse, without overflow; its slope at 0 is taken as 0.

    Shapes: (*), (*) -> (*), broadcast together.
    """
    return namespace(a, b).hypot(a, b)


def _direction(a, y):
    return a / namespace(y).where(y == 0, 1.0, y)


hypot.gradient(
    a=(r"\bar a = \bar y\,a / y", lambda g, y, a: g * _direction(a, y)),
    b=(r"\bar b = \bar y\,b / y", lambda g, y, b: g * _direction(b, y)),
)


@op(r"y = \sqrt x", binds="sqrt", floating=True)
def sqrt(x, /):
    """Square root, elementwise; its slope at 0 is infinite. Shapes: (*) -> (*)."""
    return namespace(x).sqrt(x)


sqrt.gradient(x=(r"\bar x = \bar y / (2 y)", lambda g, y: g / (2 * y)))


@op(r"y = x^2", binds="square")
def square(x, /):
    """Square, elementwise. Shapes: (*) -> (*)."""
    return x * x


square.gradient(x=(r"\bar x = 2 \bar y\,x", lambda g, x: 2 * g * x))


@op(r"y = 1 / x", binds="reciprocal", floating=True)
def reciprocal(x, /):
    """Reciprocal, elementwise. Shapes: (*) -> (*)."""
    return 1 / x


reciprocal.gradient(x=(r"\bar x = -\bar y\,y^2", lambda g, y: -g * y * y))


@op(r"y = |x|", binds=("|x|", "abs"))
def abs(x, /):
    """Magnitude, elementwise; its slope at 0 is taken as 0. Shapes: (*) -> (*)."""
    return namespace(x).abs(x)


abs.gradient(x=(r"\bar x = \bar y \operatorname{sign} x", lambda g, x: g * namespace(x).sign(x)))


@op(r"y = \operatorname{sign} x", binds="sign")
def sign(x, /):
    """-1, 0 or 1 by the sign, elementwise; constant between its jumps. Shapes: (*) -> (*)."""
    return namespace(x).sign(x)


sign.gradient(x=None)


@op(r"y = |a| \operatorname{sign} b", broadcasts=True, floating=True)
def copysign(a, b, /):
    """The magnitude of a with the sign of b, that of -0.0 included. Shapes: (*), (*) -> (*), broadcast together."""
    return namespace(a, b).copysign(a, b)


def _same_sign(g, a, b):
    xp = namespace(g, a, b)
    return g * xp.sign(a) * xp.copysign(xp.ones_like(b), b)


copysign.gradient(a=(r"\bar a = \bar y \operatorname{sign} a \operatorname{sign} b", _same_sign), b=None)


@op(r"y = \operatorname{nextafter}(a, b)", broadcasts=True, floating=True)
def nextafter(a, b, /):
    """The next number that the type has after a towards b. Shapes: (*), (*) -> (*), broadcast together."""
    return namespace(a, b).nextafter(a, b)


nextafter.gradient(a=(r"\bar a = \bar y", lambda g: g), b=None)


@op(r"y = \lfloor x \rfloor", binds="floor")
def floor(x, /):
    """Rounded down, elementwise; constant between its jumps. Shapes: (*) -> (*)."""
    return namespace(x).floor(x)


floor.gradient(x=None)


@op(r"y = \lceil x \rceil", binds="ceil")
def ceil(x, /):
    """Rounded up, elementwise; constant between its jumps. Shapes: (*) -> (*)."""
    return namespace(x).ceil(x)


ceil.gradient(x=None)


@op(r"y = \operatorname{sign} x\,\lfloor |x| \rfloor", binds=("trunc", "__trunc__"))
def trunc(x, /):
    """Rounded towards 0, elementwise; constant between its jumps. Shapes: (*) -> (*)."""
    return namespace(x).trunc(x)


trunc.gradient(x=None)


@op(r"y = \lfloor x \rceil", binds=("round", "__round__"))
def round(x, /):
    """Rounded to the nearest whole number, halves to even; constant between its jumps. Shapes: (*) -> (*)."""
    return namespace(x).round(x)


round.gradient(x=None)


@op(r"y = \operatorname{erf} x", binds="erf", floating=True)
def erf(x, /):
    r"""Error function, elementwise.

    .. math:: y = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt

    Shapes: (\*) -> (\*).
    """
    return _erf(x)


_TWO_OVER_SQRT_PI = 1.1283791670955126
erf.gradient(
    x=(
        r"\bar x = \bar y\,\tfrac{2}{\sqrt\pi} e^{-x^2}",
        lambda g, x: g * (_TWO_OVER_SQRT_PI * namespace(x).exp(-x * x)),
    )
)


def _share(g, a, b):
    """What a larger (or equal) element takes of the gradient: all of it, or half of it where both are equal."""
    xp = namespace(g, a, b)
    return xp.where(a > b, g, xp.where(a == b, g / 2, xp.zeros_like(g)))


@op(r"y = \max(a, b)", broadcasts=True)
def maximum(a, b, /):
    """The larger one, elementwise; equal elements share the gradient. Shapes: (*), (*) -> (*), broadcast together."""
    return namespace(a, b).maximum(a, b)


maximum.gradient(
    a=(r"\bar a = \bar y\,([a > b] + \tfrac12 [a = b])", _share),
    b=(r"\bar b = \bar y\,([b > a] + \tfrac12 [a = b])", lambda g, a, b: _share(g, b, a)),
)


@op(r"y = \min(a, b)", broadcasts=True)
def minimum(a, b, /):
    """The smaller one, elementwise; equal elements share the gradient. Shapes: (*), (*) -> (*), broadcast together."""
    return namespace(a, b).minimum(a, b)


minimum.gradient(
    a=(r"\bar a = \bar y\,([a < b] + \tfrac12 [a = b])", lambda g, a, b: _share(g, b, a)),
    b=(r"\bar b = \bar y\,([b < a] + \tfrac12 [a = b])", _share),
)


@op(r"y = \min(\max(x, l), h)", binds="clip", broadcasts=True)
def clip(x, /, min=None, max=None):
    """Moved into [min, max], elementwise; None leaves a side open. Shapes: (*), (*), (*) -> (*), broadcast together.

    The gradient passes to the element where it was left as it is, else to the bound. Of bounds that have changed places
    the upper one counts.
    """
    return namespace(x, min, max).clip(x, min, max)


def _inside(g, x, min, max):
    g = g if min is None else _masked(g, x >= min, True)
    return g if max is None else _masked(g, x <= max, True)


clip.gradient(
    x=(r"\bar x = \bar y\,[l \le x \le h]", _inside),
    min=(
        r"\bar l = \bar y\,[x < l < h]",
        lambda g, x, min, max: _masked(g, (x < min) if max is None else (x < min) & (min < max), True),
    ),
    max=(
        r"\bar h = \bar y\,[x > h \vee l > h]",
        lambda g, x, min, max: _masked(g, (x > max) if min is None else (x > max) | (max < min), True),
    ),
)


@op(r"y = a \text{ where } c \text{ else } b", broadcasts=True, promotes=(1, 2))
def where(condition, a, b, /):
    """The element of a where the condition holds, else that of b. Shapes: (*), (*), (*) -> (*), broadcast together."""
    return namespace(condition, a, b).where(condition, a, b)


def _masked(g, condition, keep):
    xp = namespace(g, condition)
    return xp.where(condition, g, xp.zeros_like(g)) if keep else xp.where(condition, xp.zeros_like(g), g)


where.gradient(
    condition=None,
    a=(r"\bar a = \bar y\,c", lambda g, condition: _masked(g, condition, True)),
    b=(r"\bar b = \bar y\,(1 - c)", lambda g, condition: _masked(g, condition, False)),
)


@op(r"y = x", binds="astype")
def astype(x, /, dtype, copy=True):
    """The same numbers as another type; the gradient is turned back. Shapes: (*) -> (*)."""
    return namespace(x).astype(x, as_dtype(dtype), copy=copy)


astype.gradient(x=(r"\bar x = \bar y", lambda g: g))
