r"""Linear layers and their gradients: small ones each in one call, large ones fused with ReLU.

.. math:: Y = X W^\top + b, \qquad
    \bar X = \bar Y W, \qquad \bar W = \bar Y^\top X, \qquad \bar b = \sum_i \bar Y_i
"""

import numpy

from ..registry import fused, kernel, small
from ..threads.blas_threads import BLAS_SERIAL_LIMIT
from .epilogue import RELU
from .gemm.blas import NO_TRANSPOSE, TRANSPOSE, small_gemm
from .gemm.gemm import matmul

_OVERWRITE, _ADD = numpy.int32(0), numpy.int32(1)  # beta: whether a product is added to the array that it is written to


@small("linear")
def _linear(x, weight, bias, y):
    n, k = weight.shape
    m = y.size // n
    if bias is None:
        small_gemm(m, n, k, x, NO_TRANSPOSE, weight, TRANSPOSE, _OVERWRITE, y)
    else:
        for i in range(m):
            for j in range(n):
                y.flat[i * n + j] = bias[j]
        small_gemm(m, n, k, x, NO_TRANSPOSE, weight, TRANSPOSE, _ADD, y)


@small("linear", of="x")
def _linear_x(g, weight, gx):
    n, k = weight.shape
    small_gemm(g.size // n, k, n, g, NO_TRANSPOSE, weight, NO_TRANSPOSE, _OVERWRITE, gx)


@small("linear", of="weight")
def _linear_weight(g, x, gw):
    n, k = gw.shape
    small_gemm(n, k, g.size // n, g, TRANSPOSE, x, NO_TRANSPOSE, _OVERWRITE, gw)


@small("linear", of="bias")
def _linear_bias(g, gb):
    n = gb.size
    gb[:] = 0
    for i in range(g.size // n):
        for j in range(n):
            gb[j] += g.flat[i * n + j]


@kernel("linear")
def linear(x, weight, bias):
    return _matmul_rows(x, weight.T, bias, None)


@fused("linear", then="relu")
def linear_relu(x, weight, bias):
    return _matmul_rows(x, weight.T, bias, RELU)


@fused("linear", of="x", then="relu")
def linear_x_relu(g, weight, y):
    return _matmul_rows(g, weight, None, y.reshape(-1, y.shape[-1]))


def _matmul_rows(x, matrix, bias, epilogue):
    """All rows of an array times a matrix, with an epilogue. Shapes: (*n, k), (k, m) -> (*n, m)."""
    rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
    cost = rows.size * matrix.shape[1]
    y = matmul(rows, matrix, bias, cost, epilogue) if cost >= BLAS_SERIAL_LIMIT else None
    if y is None:
        return NotImplemented
    return y if x.ndim == 2 else y.reshape(*x.shape[:-1], matrix.shape[1])
