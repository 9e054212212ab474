r"""A layer's weighted sums and their gradients: for few rows and neurons, each in one call; for many, with ReLU.

.. math:: Y = X W^\top + b, \qquad
    \bar X = \bar Y W, \qquad \bar W = \bar Y^\top X, \qquad \bar b = \sum_i \bar Y_i
"""

import numpy

from ..registry import fused, kernel, small
from ..threads.blas_threads import BLAS_SERIAL_LIMIT
from .epilogue import RELU
from .gemm.blas import NO_TRANSPOSE, TRANSPOSE, small_gemm
from .gemm.gemm import matmul

_NEW, _ADDED = numpy.int32(0), numpy.int32(1)  # whether a product is added to what is there


@small("linear")
def _linear(x, weight, bias, y):
    n, k = weight.shape
    m = y.size // n
    if bias is None:
        small_gemm(m, n, k, x, NO_TRANSPOSE, weight, TRANSPOSE, _NEW, y)
    else:
        for i in range(m):
            for j in range(n):
                y.flat[i * n + j] = bias[j]
        small_gemm(m, n, k, x, NO_TRANSPOSE, weight, TRANSPOSE, _ADDED, y)


@small("linear", of="x")
def _linear_x(g, weight, gx):
    n, k = weight.shape
    small_gemm(g.size // n, k, n, g, NO_TRANSPOSE, weight, NO_TRANSPOSE, _NEW, gx)


@small("linear", of="weight")
def _linear_weight(g, x, gw):
    n, k = gw.shape
    small_gemm(n, k, g.size // n, g, TRANSPOSE, x, NO_TRANSPOSE, _NEW, gw)


@small("linear", of="bias")
def _linear_bias(g, gb):
    n = gb.size
    gb[:] = 0
    for i in range(g.size // n):
        for j in range(n):
            gb[j] += g.flat[i * n + j]


@kernel("linear")
def linear(x, weight, bias):
    return _rows_times(x, weight.T, bias, None)


@fused("linear", then="relu")
def linear_relu(x, weight, bias):
    return _rows_times(x, weight.T, bias, RELU)


@fused("linear", of="x", then="relu")
def linear_x_relu(g, weight, y):
    return _rows_times(g, weight, None, y.reshape(-1, y.shape[-1]))


def _rows_times(x, matrix, bias, where):
    """All rows of an array times a matrix. Shapes: (*n, k), (k, m) -> (*n, m)."""
    rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
    cost = rows.size * matrix.shape[1]
    found = matmul(rows, matrix, bias, cost, where) if cost >= BLAS_SERIAL_LIMIT else None
    if found is None:
        return NotImplemented
    return found if x.ndim == 2 else found.reshape(*x.shape[:-1], matrix.shape[1])
