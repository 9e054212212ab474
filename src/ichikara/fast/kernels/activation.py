"""Activation functions, computed elementwise, and sums before them.

Each kernel is one pass over the memory; the gradient of GELU, written with NumPy, takes eighteen.
"""

from ..jit.elementary import sigmoid, tanh
from ..jit.lazy import inner
from ..registry import fused, kernel, small
from ..threads.fork_join import parallel
from ..threads.team import parallel_for
from ..workspace import contiguous, empty
from .elementwise import binary, elementwise, ternary, unary

_SQRT_TWO_OVER_PI = 0.7978845608028654


@kernel("relu")
def relu(x):
    return elementwise(_relu, x, cost=1)


@inner
def _relu_number(x):
    return x if x > 0 or x != x else type(x)(0)  # max alone would lose nan


@small("relu")
@unary
def _relu(x):
    return _relu_number(x)


@kernel("relu", of="x")
def relu_x(g, y):
    return elementwise(_relu_x, g, y, cost=1)


@small("relu", of="x")
@binary
def _relu_x(g, y):
    return g if y > 0 else type(g)(0)


# --- sums, and ReLU of a sum ------------------------------------------------------------------------------------------


@kernel("add")
def add(a, b):
    if _same_shape(a, b):
        return elementwise(_add, a, b, cost=2)
    if not hasattr(b, "shape") or b.size < 2 or b.shape != a.shape[a.ndim - b.ndim :]:
        return NotImplemented
    out, rows = empty(a.shape, a.dtype), a.size // b.size
    operands = [array.reshape(-1, b.size) for array in (contiguous(a), out)]
    parallel_for(_add_to_rows, 2 * a.size, rows, *operands, contiguous(b).ravel())
    return out


@parallel
def _add_to_rows(first, last, a, out, b):
    for r in range(first, last):
        row, to = a[r], out[r]
        for j in range(row.size):
            to[j] = row[j] + b[j]


@binary
def _add(a, b):
    return a + b


@fused("add", then="relu")
def add_relu(a, b):
    return elementwise(_add_relu, a, b, cost=2) if _same_shape(a, b) else NotImplemented


@binary
def _add_relu(a, b):
    return _relu_number(a + b)


@fused("add", then="relu", then_of="x")
def add_relu_x(a, b, y):
    return elementwise(_add_relu_x, a, b, y, cost=3) if _same_shape(a, b) else NotImplemented


@ternary
def _add_relu_x(a, b, y):
    return a + b if y > 0 else type(a)(0)


def _same_shape(a, b):
    return hasattr(a, "shape") and hasattr(b, "shape") and a.shape == b.shape


# --- the other activations --------------------------------------------------------------------------------------------


@kernel("leaky_relu")
def leaky_relu(x, negative_slope):
    if hasattr(negative_slope, "shape"):
        return NotImplemented
    return elementwise(_leaky_relu, x, cost=1, options=(x.dtype.type(negative_slope),))


@unary
def _leaky_relu(x, slope):
    return x if x > 0 else x * slope


@kernel("leaky_relu", of="x")
def leaky_relu_x(g, x, negative_slope):
    return elementwise(_leaky_relu_x, g, x, cost=1, options=(x.dtype.type(negative_slope),))


@binary
def _leaky_relu_x(g, x, slope):
    return g if x > 0 else g * slope


@kernel("tanh")
def tanh_(x):
    return elementwise(_tanh, x)


@small("tanh")
@unary
def _tanh(x):
    return tanh(x)


@kernel("tanh", of="x")
def tanh_x(g, y):
    return elementwise(_tanh_x, g, y, cost=1)


@small("tanh", of="x")
@binary
def _tanh_x(g, y):
    return g * (type(g)(1) - y * y)


@kernel("sigmoid")
def sigmoid_(x):
    return elementwise(_sigmoid, x)


@small("sigmoid")
@unary
def _sigmoid(x):
    return sigmoid(x)


@kernel("sigmoid", of="x")
def sigmoid_x(g, y):
    return elementwise(_sigmoid_x, g, y, cost=1)


@small("sigmoid", of="x")
@binary
def _sigmoid_x(g, y):
    return g * y * (type(g)(1) - y)


@kernel("gelu")
def gelu(x, approximate):
    return elementwise(_gelu, x, cost=10) if approximate == "tanh" else NotImplemented


@small("gelu", approximate="tanh")
@unary
def _gelu(x):
    # y = x/2 (1 + tanh u),  u = sqrt(2/pi) (x + 0.044715 x^3)
    dtype = type(x)
    half, one, a, b = dtype(0.5), dtype(1), dtype(_SQRT_TWO_OVER_PI), dtype(0.044715)
    return half * x * (one + tanh(a * x * (one + b * x * x)))


@kernel("gelu", of="x")
def gelu_x(g, x):
    return elementwise(_gelu_x, g, x, cost=12)


@small("gelu", of="x", approximate="tanh")
@binary
def _gelu_x(g, x):
    # dy/dx = (1 + t)/2 + x/2 (1 - t^2) du/dx,  du/dx = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
    dtype = type(x)
    half, one, a, b, three = dtype(0.5), dtype(1), dtype(_SQRT_TWO_OVER_PI), dtype(0.044715), dtype(3)
    square = b * x * x
    t = tanh(a * x * (one + square))
    return g * half * (one + t + x * (one - t * t) * a * (one + three * square))
