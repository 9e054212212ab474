r"""What a neuron does with its weighted sum, number by number.

Each kernel is one pass over the memory; written with NumPy, GELU's slope takes eighteen.
"""

from . import kernel, small
from .compiled import compiled, mapped, sigmoid, tanh

_SQRT_TWO_OVER_PI = 0.7978845608028654


@kernel("relu")
def relu(x):
    return mapped(_relu, x, cost=1)


@small("relu")
@compiled
def _relu(x, y):
    for i in range(x.size):
        y.flat[i] = max(x.flat[i], 0) if x.flat[i] == x.flat[i] else x.flat[i]  # max alone would lose a nan


@kernel("relu", of="x")
def relu_x(g, y):
    return mapped(_relu_x, g, y, cost=1)


@small("relu", of="x")
@compiled
def _relu_x(g, y, gx):
    for i in range(g.size):
        gx.flat[i] = g.flat[i] * (y.flat[i] > 0)


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


@small("tanh")
@compiled
def _tanh(x, y):
    for i in range(x.size):
        y.flat[i] = tanh(x.flat[i])


@kernel("tanh", of="x")
def tanh_x(g, y):
    return mapped(_tanh_x, g, y, cost=1)


@small("tanh", of="x")
@compiled
def _tanh_x(g, y, gx):
    one = g.dtype.type(1)
    for i in range(g.size):
        gx.flat[i] = g.flat[i] * (one - y.flat[i] * y.flat[i])


@kernel("sigmoid")
def sigmoid_(x):
    return mapped(_sigmoid, x)


@small("sigmoid")
@compiled
def _sigmoid(x, y):
    for i in range(x.size):
        y.flat[i] = sigmoid(x.flat[i])


@kernel("sigmoid", of="x")
def sigmoid_x(g, y):
    return mapped(_sigmoid_x, g, y, cost=1)


@small("sigmoid", of="x")
@compiled
def _sigmoid_x(g, y, gx):
    one = g.dtype.type(1)
    for i in range(g.size):
        gx.flat[i] = g.flat[i] * y.flat[i] * (one - y.flat[i])


@kernel("gelu")
def gelu(x, approximate):
    if approximate != "tanh":
        return NotImplemented
    return mapped(_gelu, x, cost=10)


@small("gelu", approximate="tanh")
@compiled
def _gelu(x, y):
    # y = x/2 (1 + tanh u),  u = sqrt(2/pi) (x + 0.044715 x^3)
    number = x.dtype.type
    half, one, a, b = number(0.5), number(1), number(_SQRT_TWO_OVER_PI), number(0.044715)
    for i in range(x.size):
        u = a * x.flat[i] * (one + b * x.flat[i] * x.flat[i])
        y.flat[i] = half * x.flat[i] * (one + tanh(u))


@kernel("gelu", of="x")
def gelu_x(g, x):
    return mapped(_gelu_x, g, x, cost=12)


@small("gelu", of="x", approximate="tanh")
@compiled
def _gelu_x(g, x, gx):
    # dy/dx = (1 + t)/2 + x/2 (1 - t^2) du/dx,  du/dx = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
    number = x.dtype.type
    half, one, a, b, three = number(0.5), number(1), number(_SQRT_TWO_OVER_PI), number(0.044715), number(3)
    for i in range(x.size):
        square = b * x.flat[i] * x.flat[i]
        t = tanh(a * x.flat[i] * (one + square))
        slope = a * (one + three * square)
        gx.flat[i] = g.flat[i] * half * (one + t + x.flat[i] * (one - t * t) * slope)
