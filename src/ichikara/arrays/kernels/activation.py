r"""What a neuron does with its weighted sum, number by number.

Each kernel is one pass over the memory; written with NumPy, GELU's slope takes eighteen.
"""

from . import kernel
from .compiled import compiled, mapped, sigmoid, tanh

_SQRT_TWO_OVER_PI = 0.7978845608028654


@kernel("relu")
def relu(x):
    return mapped(_relu, x, cost=1)


@compiled
def _relu(x, y):
    for i in range(x.size):
        y[i] = max(x[i], 0) if x[i] == x[i] else x[i]  # max alone would lose a nan


@kernel("relu", of="x")
def relu_x(g, y):
    return mapped(_relu_x, g, y, cost=1)


@compiled
def _relu_x(g, y, gx):
    for i in range(g.size):
        gx[i] = g[i] * (y[i] > 0)


@kernel("leaky_relu")
def leaky_relu(x, negative_slope):
    return mapped(_leaky_relu, x, cost=1, options=(x.dtype.type(negative_slope),))


@compiled
def _leaky_relu(x, y, slope):
    for i in range(x.size):
        y[i] = x[i] if x[i] > 0 else x[i] * slope


@kernel("leaky_relu", of="x")
def leaky_relu_x(g, x, negative_slope):
    return mapped(_leaky_relu_x, g, x, cost=1, options=(x.dtype.type(negative_slope),))


@compiled
def _leaky_relu_x(g, x, gx, slope):
    for i in range(g.size):
        gx[i] = g[i] if x[i] > 0 else g[i] * slope


@kernel("tanh")
def tanh_(x):
    return mapped(_tanh, x)


@compiled
def _tanh(x, y):
    for i in range(x.size):
        y[i] = tanh(x[i])


@kernel("sigmoid")
def sigmoid_(x):
    return mapped(_sigmoid, x)


@compiled
def _sigmoid(x, y):
    for i in range(x.size):
        y[i] = sigmoid(x[i])


@kernel("gelu")
def gelu(x, approximate):
    if approximate != "tanh":
        return NotImplemented
    return mapped(_gelu, x, cost=10)


@compiled
def _gelu(x, y):
    # y = x/2 (1 + tanh u),  u = sqrt(2/pi) (x + 0.044715 x^3)
    number = x.dtype.type
    half, one, a, b = number(0.5), number(1), number(_SQRT_TWO_OVER_PI), number(0.044715)
    for i in range(x.size):
        u = a * x[i] * (one + b * x[i] * x[i])
        y[i] = half * x[i] * (one + tanh(u))


@kernel("gelu", of="x")
def gelu_x(g, x):
    return mapped(_gelu_x, g, x, cost=12)


@compiled
def _gelu_x(g, x, gx):
    # dy/dx = (1 + t)/2 + x/2 (1 - t^2) du/dx,  du/dx = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
    number = x.dtype.type
    half, one, a, b, three = number(0.5), number(1), number(_SQRT_TWO_OVER_PI), number(0.044715), number(3)
    for i in range(x.size):
        square = b * x[i] * x[i]
        t = tanh(a * x[i] * (one + square))
        slope = a * (one + three * square)
        gx[i] = g[i] * half * (one + t + x[i] * (one - t * t) * slope)
