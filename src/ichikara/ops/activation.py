"""What a neuron does with its weighted sum."""

from ..arrays import erf, namespace
from ..autodiff import op

__all__ = [
    "elu",
    "gelu",
    "heaviside",
    "leaky_relu",
    "log_softmax",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
]


@op(r"y = [x > 0]", promotes=(0, 1))
def heaviside(x, /, at_zero=0.0):
    """Unit step: 0 below zero, 1 above, and at zero as said. It has no slope anywhere that descent could use.

    Shapes: (*) -> (*). Source: the lecture's A2.
    """
    xp = namespace(x)
    ones, zeros = xp.ones_like(x), xp.zeros_like(x)
    return xp.where(x > 0, ones, xp.where(x == 0, ones * at_zero, zeros))


heaviside.gradient(x=None)


@op(r"y = \sigma(x) = \frac{1}{1 + e^{-x}}", binds="sigmoid", floating=True)
def sigmoid(x, /):
    """Logistic sigmoid, elementwise; only e to a negative power is computed, which cannot overflow.

    Shapes: (*) -> (*).
    """
    xp = namespace(x)
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, xp.ones_like(e), e) / (1 + e)


sigmoid.gradient(x=(r"\bar x = \bar y\,y\,(1 - y)", lambda g, y: g * y * (1 - y)))


@op(r"y = \max(x, 0)")
def relu(x, /):
    """Rectified linear unit, elementwise; its slope at 0 is taken as 0. Shapes: (*) -> (*).

    Source: V. Nair and G. Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines" (2010).
    """
    return namespace(x).maximum(x, 0)


relu.gradient(x=(r"\bar x = \bar y\,[x > 0]", lambda g, y: namespace(g, y).where(y > 0, g, 0.0)))


@op(r"y = x \text{ where } x > 0 \text{ else } a x", floating=True, broadcasts=True)
def leaky_relu(x, /, negative_slope=0.01):
    """Rectified linear unit with a small slope for negative input. Shapes: (*), (*) -> (*), broadcast together.

    Source: A. Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models" (2013).
    """
    return namespace(x).where(x > 0, x, x * negative_slope)


leaky_relu.gradient(
    x=(
        r"\bar x = \bar y \text{ where } x > 0 \text{ else } a \bar y",
        lambda g, x, negative_slope: namespace(g, x).where(x > 0, g, g * negative_slope),
    ),
    negative_slope=(
        r"\bar a = 0 \text{ where } x > 0 \text{ else } \bar y x",
        lambda g, x: g * namespace(g, x).where(x > 0, 0.0, x),
    ),
)


@op(r"y = x \text{ where } x > 0 \text{ else } \alpha (e^x - 1)", floating=True, broadcasts=True)
def elu(x, /, alpha=1.0):
    """Exponential linear unit, elementwise. Shapes: (*), (*) -> (*), broadcast together.

    Source: D.-A. Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units" (2015).
    """
    xp = namespace(x)
    return xp.where(x > 0, x, alpha * xp.expm1(xp.where(x > 0, xp.zeros_like(x), x)))


elu.gradient(
    x=(
        r"\bar x = \bar y \text{ where } x > 0 \text{ else } \bar y (y + \alpha)",
        lambda g, y, x, alpha: namespace(g, x).where(x > 0, g, g * (y + alpha)),
    ),
    alpha=(
        r"\bar \alpha = 0 \text{ where } x > 0 \text{ else } \bar y (e^x - 1)",
        lambda g, x: g * namespace(g, x).expm1(namespace(g, x).where(x > 0, 0.0, x)),
    ),
)

_SQRT_HALF = 0.7071067811865476
_SQRT_TWO_OVER_PI = 0.7978845608028654
_ONE_OVER_SQRT_TWO_PI = 0.3989422804014327


def _gelu_slope(g, x, approximate):
    xp = namespace(g, x)
    if approximate == "tanh":
        t = xp.tanh(_SQRT_TWO_OVER_PI * (x + 0.044715 * x * x * x))
        inner = _SQRT_TWO_OVER_PI * (1 + 3 * 0.044715 * x * x)
        return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner)
    return g * (0.5 * (1 + _erf(x * _SQRT_HALF)) + x * _ONE_OVER_SQRT_TWO_PI * xp.exp(-0.5 * x * x))


def _erf(x):
    """The error function of arrays, or the operation on Tensors."""
    return x.erf() if hasattr(x, "erf") else erf(x)


@op(r"y = x\,\Phi(x) = \tfrac{x}{2} \bigl(1 + \operatorname{erf} \tfrac{x}{\sqrt 2}\bigr)", floating=True)
def gelu(x, /, approximate="none"):
    """Gaussian error linear unit, elementwise; ``approximate="tanh"`` for the cheaper form. Shapes: (*) -> (*).

    Source: D. Hendrycks and K. Gimpel, "Gaussian Error Linear Units" (2016).
    """
    if approximate == "tanh":
        return 0.5 * x * (1 + namespace(x).tanh(_SQRT_TWO_OVER_PI * (x + 0.044715 * x * x * x)))
    if approximate != "none":
        raise ValueError(f"approximate is 'none' or 'tanh', not {approximate!r}")
    return 0.5 * x * (1 + _erf(x * _SQRT_HALF))


gelu.gradient(x=(r"\bar x = \bar y\,(\Phi(x) + x\,\varphi(x))", _gelu_slope))


@op(r"y = x\,\sigma(x)", floating=True)
def silu(x, /):
    """Sigmoid linear unit (swish), elementwise. Shapes: (*) -> (*).

    Source: P. Ramachandran et al., "Searching for Activation Functions" (2017).
    """
    return x * sigmoid.function(x)


def _silu_slope(g, x):
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


silu.gradient(x=(r"\bar x = \bar y\,\sigma(x) (1 + x (1 - \sigma(x)))", _silu_slope))


@op(r"y = \tfrac{1}{\beta} \ln(1 + e^{\beta x})", floating=True, broadcasts=True)
def softplus(x, /, beta=1.0, threshold=20.0):
    """A smooth rectified linear unit; beyond ``beta x > threshold`` it is x itself.

    Shapes: (*), (*) -> (*), broadcast together.

    Source: C. Dugas et al., "Incorporating Second-Order Functional Knowledge for Better Option Pricing" (2001).
    """
    xp = namespace(x)
    u = beta * x
    smooth = (xp.maximum(u, 0) + xp.log1p(xp.exp(-xp.abs(u)))) / beta
    return xp.where(u > threshold, x, smooth)


softplus.gradient(
    x=(
        r"\bar x = \bar y\,\sigma(\beta x)",
        lambda g, x, beta, threshold: namespace(g, x).where(beta * x > threshold, g, g * sigmoid(beta * x)),
    ),
    beta=(
        r"\bar \beta = \tfrac{1}{\beta} \bar y\,(x\,\sigma(\beta x) - y)",
        lambda g, y, x, beta, threshold: namespace(g, x).where(
            beta * x > threshold, 0.0, g * (x * sigmoid(beta * x) - y) / beta
        ),
    ),
)


@op(r"y_i = \frac{e^{x_i}}{\sum_j e^{x_j}}", binds="softmax", floating=True, accumulates=True)
def softmax(x, /, axis=-1):
    """Exponentials that add up to 1 along an axis; the largest is taken off first, so nothing overflows.

    Of nothing but -inf it is nan, as in PyTorch; `scaled_dot_product_attention` gives 0 there.

    Shapes: (*) -> (*).
    """
    xp = namespace(x)
    if not x.size:
        xp.sum(x, axis=axis)  # raises where there is no such axis
        return x  # nothing has no largest
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


softmax.gradient(
    x=(
        r"\bar x_i = y_i \bigl(\bar y_i - \textstyle\sum_j \bar y_j y_j\bigr)",
        lambda g, y, axis: y * (g - namespace(g).sum(g * y, axis=axis, keepdims=True)),
    )
)
softmax.jacobian(x=r"\frac{\partial y}{\partial x} = \operatorname{diag}(y) - y y^\top")


@op(r"y_i = x_i - \ln \sum_j e^{x_j}", binds="log_softmax", floating=True, accumulates=True)
def log_softmax(x, /, axis=-1):
    """Logarithm of `softmax`, exact where the softmax itself would round to 0; of nothing but -inf it is nan.

    Shapes: (*) -> (*).
    """
    xp = namespace(x)
    if not x.size:
        xp.sum(x, axis=axis)  # raises where there is no such axis
        return x  # nothing has no largest
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=axis, keepdims=True))


log_softmax.gradient(
    x=(
        r"\bar x_i = \bar y_i - e^{y_i} \textstyle\sum_j \bar y_j",
        lambda g, y, axis: g - namespace(g).exp(y) * g.sum(axis=axis, keepdims=True),
    )
)
log_softmax.jacobian(x=r"\frac{\partial y}{\partial x} = I - \mathbf{1}\;(e^y)^\top")
