"""Functions of angles, round and hyperbolic, and their inverses; all elementwise, angles in radians."""

from ..arrays import namespace
from ..autodiff import op


@op(r"y = \sin x", binds="sin", floating=True)
def sin(x, /):
    """Sine of an angle in radians, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).sin(x)


sin.gradient(x=(r"\bar x = \bar y \cos x", lambda g, x: g * namespace(x).cos(x)))


@op(r"y = \cos x", binds="cos", floating=True)
def cos(x, /):
    """Cosine of an angle in radians, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).cos(x)


cos.gradient(x=(r"\bar x = -\bar y \sin x", lambda g, x: -g * namespace(x).sin(x)))


@op(r"y = \tan x", binds="tan", floating=True)
def tan(x, /):
    """Tangent of an angle, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).tan(x)


tan.gradient(x=(r"\bar x = \bar y\,(1 + y^2)", lambda g, y: g * (1 + y * y)))


@op(r"y = \arcsin x", binds="asin", floating=True)
def asin(x, /):
    """Angle whose sine is x, from -π/2 to π/2, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).asin(x)


asin.gradient(x=(r"\bar x = \bar y / \sqrt{1 - x^2}", lambda g, x: g / namespace(x).sqrt(1 - x * x)))


@op(r"y = \arccos x", binds="acos", floating=True)
def acos(x, /):
    """Angle whose cosine is x, from 0 to π, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).acos(x)


acos.gradient(x=(r"\bar x = -\bar y / \sqrt{1 - x^2}", lambda g, x: -g / namespace(x).sqrt(1 - x * x)))


@op(r"y = \arctan x", binds="atan", floating=True)
def atan(x, /):
    """Angle whose tangent is x, from -π/2 to π/2, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).atan(x)


atan.gradient(x=(r"\bar x = \bar y / (1 + x^2)", lambda g, x: g / (1 + x * x)))


@op(r"y = \operatorname{atan2}(a, b)", broadcasts=True, floating=True)
def atan2(a, b, /):
    """Angle from the first axis to the point (b, a), from -π to π. Shapes: (*), (*) -> (*), broadcast together."""
    return namespace(a, b).atan2(a, b)


atan2.gradient(
    a=(r"\bar a = \bar y\,b / (a^2 + b^2)", lambda g, a, b: g * b / (a * a + b * b)),
    b=(r"\bar b = -\bar y\,a / (a^2 + b^2)", lambda g, a, b: -g * a / (a * a + b * b)),
)


@op(r"y = \sinh x", binds="sinh", floating=True)
def sinh(x, /):
    """Hyperbolic sine, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).sinh(x)


sinh.gradient(x=(r"\bar x = \bar y \cosh x", lambda g, x: g * namespace(x).cosh(x)))


@op(r"y = \cosh x", binds="cosh", floating=True)
def cosh(x, /):
    """Hyperbolic cosine, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).cosh(x)


cosh.gradient(x=(r"\bar x = \bar y \sinh x", lambda g, x: g * namespace(x).sinh(x)))


@op(r"y = \tanh x", binds="tanh", floating=True)
def tanh(x, /):
    """Hyperbolic tangent, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).tanh(x)


tanh.gradient(x=(r"\bar x = \bar y\,(1 - y^2)", lambda g, y: g * (1 - y * y)))


@op(r"y = \operatorname{arsinh} x", binds="asinh", floating=True)
def asinh(x, /):
    """Number whose hyperbolic sine is x, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).asinh(x)


asinh.gradient(x=(r"\bar x = \bar y / \sqrt{x^2 + 1}", lambda g, x: g / namespace(x).sqrt(x * x + 1)))


@op(r"y = \operatorname{arcosh} x", binds="acosh", floating=True)
def acosh(x, /):
    """Number of at least 0 whose hyperbolic cosine is x, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).acosh(x)


acosh.gradient(x=(r"\bar x = \bar y / \sqrt{x^2 - 1}", lambda g, x: g / namespace(x).sqrt(x * x - 1)))


@op(r"y = \operatorname{artanh} x", binds="atanh", floating=True)
def atanh(x, /):
    """Number whose hyperbolic tangent is x, elementwise. Shapes: (*) -> (*)."""
    return namespace(x).atanh(x)


atanh.gradient(x=(r"\bar x = \bar y / (1 - x^2)", lambda g, x: g / (1 - x * x)))
