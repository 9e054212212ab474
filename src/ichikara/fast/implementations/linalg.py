"""Products of matrices whose rows, columns or matrices are shared out among threads."""

import math

from ...arrays import namespace, sum_to
from ..product import product, sum_of_rows
from ..registry import implementation

__all__ = ["linear", "matmul"]


@implementation("matmul")
def matmul(a, b):
    return product(a, b)


def _as_matrices(g, a, b):
    """The factors and the gradient with the axes that a vector lacks, of length 1."""
    if b.ndim == 1:
        b, g = b[:, None], g[..., None]
    if a.ndim == 1:
        a, g = a[None, :], g[..., None, :]
    return g, a, b


def _left(g, a, b):
    g, matrix, b = _as_matrices(g, a, b)
    return namespace(g).reshape(sum_to(product(g, b.mT), matrix.shape), a.shape)


def _right(g, a, b):
    g, a, matrix = _as_matrices(g, a, b)
    return namespace(g).reshape(sum_to(product(a.mT, g), matrix.shape), b.shape)


matmul.gradient(a=_left, b=_right)


@implementation("linear")
def linear(x, weight, bias):
    return _as_before(product(_rows(x), weight.mT, bias), x)


def _rows(x):
    """All leading axes as one, for one product of matrices instead of many."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _as_before(rows, x):
    """Rows with the leading axes of x again."""
    return rows if x.ndim == 2 else rows.reshape((*x.shape[:-1], rows.shape[-1]))


linear.gradient(
    x=lambda g, weight: _as_before(product(_rows(g), weight), g),
    weight=lambda g, x: product(_rows(g).mT, _rows(x)),
    bias=lambda g: sum_of_rows(_rows(g)),
)
