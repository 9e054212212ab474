"""Products of matrices whose rows, columns or matrices are divided among threads."""

import math

from ...arrays import sum_to
from ..product import product, sum_of_rows
from ..registry import implementation

__all__ = ["linear", "matmul"]


@implementation("matmul")
def matmul(a, b):
    return product(a, b)


def _as_matrices(g, a, b):
    """The factors and the gradient, a vector with an axis of length 1 beside its own."""
    if b.ndim == 1:
        b, g = b[:, None], g[..., None]
    if a.ndim == 1:
        a, g = a[None, :], g[..., None, :]
    return g, a, b


def _left(g, a, b):
    g, matrix, b = _as_matrices(g, a, b)
    return sum_to(product(g, b.mT), matrix.shape).reshape(a.shape)


def _right(g, a, b):
    g, a, matrix = _as_matrices(g, a, b)
    return sum_to(product(a.mT, g), matrix.shape).reshape(b.shape)


matmul.gradient(a=_left, b=_right)


@implementation("linear")
def linear(x, weight, bias):
    return _unflatten(product(_flatten(x), weight.mT, bias), x)


def _flatten(x):
    """All leading axes as one, for one product of matrices instead of many."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _unflatten(rows, x):
    """Rows with the leading axes of x."""
    return rows if x.ndim == 2 else rows.reshape((*x.shape[:-1], rows.shape[-1]))


linear.gradient(
    x=lambda g, weight: _unflatten(product(_flatten(g), weight), g),
    weight=lambda g, x: product(_flatten(g).mT, _flatten(x)),
    bias=lambda g: sum_of_rows(_flatten(g)),
)
