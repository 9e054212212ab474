r"""What a neuron does with its weighted sum, number by number.

Each kernel is one pass over the memory; written with NumPy, GELU's slope takes eighteen.
"""

from ..registry import fused, kernel, small
from ..tape import contiguous, room
from ..workers import together
from .deferred import inner
from .elementary import sigmoid, tanh
from .mapped import mapped, of_one, of_three, of_two
from .team import shared

_SQRT_TWO_OVER_PI = 0.7978845608028654


@kernel("relu")
def relu(x):
    return mapped(_relu, x, cost=1)


@inner
def _relu_of(x):
    return x if x > 0 or x != x else type(x)(0)  # with max alone nan would be lost


@small("relu")
@of_one
def _relu(x):
    return _relu_of(x)


@kernel("relu", of="x")
def relu_x(g, y):
    return mapped(_relu_x, g, y, cost=1)


@small("relu", of="x")
@of_two
def _relu_x(g, y):
    return g * type(g)(y > 0)


# --- a sum before it --------------------------------------------------------------------------------------------------


@kernel("add")
def add(a, b):
    if _alike(a, b):
        return mapped(_add, a, b, cost=2)
    if not hasattr(b, "shape") or b.size < 2 or b.shape != a.shape[a.ndim - b.ndim :]:
        return NotImplemented
    out, rows = room(a.shape, a.dtype), a.size // b.size
    parts = [array.reshape(-1, b.size) for array in (contiguous(a), out)]
    together(_add_to_each, 2 * a.size, rows, *parts, contiguous(b).ravel())
    return out


@shared
def _add_to_each(first, last, a, out, b):
    for r in range(first, last):
        row, to = a[r], out[r]
        for j in range(row.size):
            to[j] = row[j] + b[j]


@of_two
def _add(a, b):
    return a + b


@fused("add", then="relu")
def add_relu(a, b):
    return mapped(_add_relu, a, b, cost=2) if _alike(a, b) else NotImplemented


@of_two
def _add_relu(a, b):
    return _relu_of(a + b)


@fused("add", then="relu", then_of="x")
def add_relu_x(a, b, y):
    return mapped(_add_relu_x, a, b, y, cost=3) if _alike(a, b) else NotImplemented


@of_three
def _add_relu_x(a, b, y):
    return (a + b) * type(a)(y > 0)


def _alike(a, b):
    return hasattr(a, "shape") and hasattr(b, "shape") and a.shape == b.shape


# --- the others -------------------------------------------------------------------------------------------------------


@kernel("leaky_relu")
def leaky_relu(x, negative_slope):
    return mapped(_leaky_relu, x, cost=1, options=(x.dtype.type(negative_slope),))


@of_one
def _leaky_relu(x, slope):
    return x if x > 0 else x * slope


@kernel("leaky_relu", of="x")
def leaky_relu_x(g, x, negative_slope):
    return mapped(_leaky_relu_x, g, x, cost=1, options=(x.dtype.type(negative_slope),))


@of_two
def _leaky_relu_x(g, x, slope):
    return g if x > 0 else g * slope


@kernel("tanh")
def tanh_(x):
    return mapped(_tanh, x)


@small("tanh")
@of_one
def _tanh(x):
    return tanh(x)


@kernel("tanh", of="x")
def tanh_x(g, y):
    return mapped(_tanh_x, g, y, cost=1)


@small("tanh", of="x")
@of_two
def _tanh_x(g, y):
    return g * (type(g)(1) - y * y)


@kernel("sigmoid")
def sigmoid_(x):
    return mapped(_sigmoid, x)


@small("sigmoid")
@of_one
def _sigmoid(x):
    return sigmoid(x)


@kernel("sigmoid", of="x")
def sigmoid_x(g, y):
    return mapped(_sigmoid_x, g, y, cost=1)


@small("sigmoid", of="x")
@of_two
def _sigmoid_x(g, y):
    return g * y * (type(g)(1) - y)


@kernel("gelu")
def gelu(x, approximate):
    return mapped(_gelu, x, cost=10) if approximate == "tanh" else NotImplemented


@small("gelu", approximate="tanh")
@of_one
def _gelu(x):
    # y = x/2 (1 + tanh u),  u = sqrt(2/pi) (x + 0.044715 x^3)
    number = type(x)
    half, one, a, b = number(0.5), number(1), number(_SQRT_TWO_OVER_PI), number(0.044715)
    return half * x * (one + tanh(a * x * (one + b * x * x)))


@kernel("gelu", of="x")
def gelu_x(g, x):
    return mapped(_gelu_x, g, x, cost=12)


@small("gelu", of="x", approximate="tanh")
@of_two
def _gelu_x(g, x):
    # dy/dx = (1 + t)/2 + x/2 (1 - t^2) du/dx,  du/dx = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
    number = type(x)
    half, one, a, b, three = number(0.5), number(1), number(_SQRT_TWO_OVER_PI), number(0.044715), number(3)
    square = b * x * x
    t = tanh(a * x * (one + square))
    return g * half * (one + t + x * (one - t * t) * a * (one + three * square))
