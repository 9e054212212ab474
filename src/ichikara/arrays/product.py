"""The product of arrays: the one way through which the engine calls a linear algebra library."""

from typing import Any

import numpy

from . import kernels
from .workers import share

__all__ = ["product"]

_FEW = 200_000  # up to so many multiplications OpenBLAS uses one thread of its own accord
_SMALL = 10_000_000  # and so many are done before another thread has been woken up


def product(a: Any, b: Any) -> Any:
    """The product of arrays; the rows, the columns or the matrices are shared out.

    Shapes: as of ``@``.
    """
    if not (isinstance(a, numpy.ndarray) and isinstance(b, numpy.ndarray) and a.ndim and b.ndim):
        return a @ b
    columns = b.shape[-1] if b.ndim > 1 else 1
    cost = max(a.size * columns, b.size)
    if cost < _FEW or a.dtype != b.dtype:
        return a @ b
    if b.ndim == 1:
        return product(a, b[:, None])[..., 0]
    if a.ndim == 1:
        return product(a[None], b)[..., 0, :]
    if a.shape[:-2] != b.shape[:-2]:  # broadcast: not shared out, but still kept to one thread
        return share(lambda part: a @ b, 1, cost)[0]
    if a.ndim == 2 and a.dtype.char in "fd":
        fast = kernels.find("arrays.product").get("")
        if fast and a.shape[1] == b.shape[0]:
            y = fast(a, b, cost)
            if y is not None:
                return y
    y = numpy.empty((*a.shape[:-1], columns), a.dtype)
    if a.ndim > 2:
        count, work = len(a), lambda part: numpy.matmul(a[part], b[part], out=y[part])
    elif len(a) >= columns:
        count, work = len(a), lambda part: numpy.matmul(a[part], b, out=y[part])
    else:
        count, work = columns, lambda part: numpy.matmul(a, b[:, part], out=y[:, part])
    share(work, count, cost, _SMALL)
    return y
