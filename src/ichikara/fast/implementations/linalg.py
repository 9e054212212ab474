"""Products of matrices whose rows, columns or matrices are divided among threads."""

from ...arrays import sum_to
from ...ops.linalg import as_matrices, flatten_rows
from ..product import product, sum_of_rows
from ..registry import implementation

__all__ = ["linear", "matmul"]


@implementation("matmul")
def matmul(a, b):
    return product(a, b)


def _left(g, a, b):
    g, matrix, b = as_matrices(g, a, b)
    return sum_to(product(g, b.mT), matrix.shape).reshape(a.shape)


def _right(g, a, b):
    g, a, matrix = as_matrices(g, a, b)
    return sum_to(product(a.mT, g), matrix.shape).reshape(b.shape)


matmul.gradient(a=_left, b=_right)


@implementation("linear")
def linear(x, weight, bias):
    return _unflatten(product(flatten_rows(x), weight.mT, bias), x)


def _unflatten(rows, x):
    """Rows with the leading axes of x."""
    return rows if x.ndim == 2 else rows.reshape((*x.shape[:-1], rows.shape[-1]))


linear.gradient(
    x=lambda g, weight: _unflatten(product(flatten_rows(g), weight), g),
    weight=lambda g, x: product(flatten_rows(g).mT, flatten_rows(x)),
    bias=lambda g: sum_of_rows(flatten_rows(g)),
)
