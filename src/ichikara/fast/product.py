"""Products and sums of arrays, divided among threads. All large products of matrices go through `product`."""

import math
from typing import Any

import numpy

from ..arrays import sum_along
from ..arrays import sum_to as plain_sum_to
from . import lookup, registry
from .threads.blas_threads import BLAS_SERIAL_LIMIT
from .threads.team import parallel_map

__all__ = ["product", "sum_of_rows", "sum_of_two", "sum_to"]

_SMALL = 10_000_000  # multiplications; so many are done before another thread has woken up


def product(a: Any, b: Any, bias: Any = None) -> Any:
    """The product of arrays, plus a bias; the rows, the columns or the matrices are divided among threads.

    Shapes: as of ``@``; a bias has one axis, and is for two matrices.
    """
    if isinstance(a, numpy.ndarray) and isinstance(b, numpy.ndarray) and a.ndim and b.ndim:
        cost = max(a.size * (b.shape[-1] if b.ndim > 1 else 1), b.size)
        if cost >= BLAS_SERIAL_LIMIT and a.dtype == b.dtype:
            return _large_product(a, b, bias, cost)
    y = a @ b
    return y if bias is None else y + bias


def _large_product(a, b, bias, cost):
    if b.ndim == 1:
        return product(a, b[:, None])[..., 0]
    if a.ndim == 1:
        return product(a[None], b)[..., 0, :]
    if a.shape[:-2] != b.shape[:-2]:  # broadcast: not divided, and the library uses one thread
        return parallel_map(lambda part: a @ b, 1, cost)[0]
    # For smaller matrices a kernel takes as long as the library, and would have to be compiled.
    if a.ndim == 2 and a.dtype.char in "fd" and max(a.size, b.size, len(a) * b.shape[1]) >= registry.LARGE:
        kernel = lookup.find("arrays.product").get("")
        if kernel and a.shape[1] == b.shape[0]:
            y = kernel(a, b, bias, cost)
            if y is not None:
                return y
    y = numpy.empty((*a.shape[:-1], b.shape[-1]), a.dtype)
    if a.ndim > 2:
        count, work = len(a), lambda part: numpy.matmul(a[part], b[part], out=y[part])
    elif len(a) >= y.shape[-1]:
        count, work = len(a), lambda part: numpy.matmul(a[part], b, out=y[part])
    else:
        count, work = y.shape[-1], lambda part: numpy.matmul(a, b[:, part], out=y[:, part])
    parallel_map(work, count, cost, _SMALL)
    if bias is not None:
        y += bias
    return y


def sum_of_two(a: Any, b: Any) -> Any:
    """The sum of two arrays. Shapes: (*), (*) -> (*)."""
    kernel = lookup.fitting("add", [a, b], (0, 1)).get("")
    found = kernel(a, b) if kernel else NotImplemented
    return a + b if found is NotImplemented else found


def sum_of_rows(x: Any) -> Any:
    """The sum of the rows of a matrix. Shapes: (m, n) -> (n)."""
    kernel = lookup.fitting("arrays.sum_of_rows", [x], ()).get("")
    return kernel(x) if kernel else sum_along(x, 0)


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    """`arrays.sum_to`, the sum of a matrix's rows by a kernel."""
    new = x.ndim - len(shape)
    if new > 0 and isinstance(x, numpy.ndarray) and x.shape[new:] == shape:
        return sum_of_rows(x.reshape(math.prod(x.shape[:new]), math.prod(shape))).reshape(shape)
    return plain_sum_to(x, shape)
