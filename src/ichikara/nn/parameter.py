"""Parameter: a tensor that a module learns."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..arrays import as_array, as_dtype, namespace
from ..autodiff import Tensor, raw, wrap

__all__ = ["Parameter", "converted", "limited"]

_limit: ContextVar[list[float] | None] = ContextVar("ichikara_limit", default=None)  # and what is used of it


@contextmanager
def limited(most: float) -> Iterator[None]:
    """Within the block, new parameters have at most this many bytes in all; others raise MemoryError untouched.

    >>> import ichikara
    >>> with limited(100):
    ...     Parameter(ichikara.zeros(30))
    Traceback (most recent call last):
    MemoryError: the parameters have at least 120 bytes, and 100 are free
    """
    token = _limit.set([most, 0])
    try:
        yield
    finally:
        _limit.reset(token)


class Parameter(Tensor):
    """A tensor that a module learns: assigned to an attribute of a `Module`, it is one of the module's parameters.

    Shapes: that of the data.

    Arguments: ``data``, the numbers, which are copied; ``requires_grad``, whether they are to be learnt.

    Raises TypeError for whole numbers that should require a gradient.

    >>> w = Parameter([1.0, 2.0])
    >>> (w * w).sum().backward()
    >>> w.grad
    Tensor([2., 4.])

    Source: PyTorch's ``torch.nn.Parameter``.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True):
        array, limit = raw(data), _limit.get()
        if limit is not None:
            _count(limit, array)
        self._data = as_array(array, copy=True)
        self._node = None
        self.requires_grad = requires_grad

    def convert(self, dtype) -> "Parameter":
        """Make these numbers, and their gradient, those of another floating type; the parameter stays the same object.

        An earlier graph can no longer be differentiated. Returns the parameter.
        """
        dtype = as_dtype(dtype)
        if self.dtype != dtype:
            self._data = converted(self, dtype)._data
            grad, node = self.grad, self.leaf_node()
            if node is not None:
                node.dtype = dtype
            if grad is not None:
                self.grad = converted(grad, dtype)
            self.touch()
        return self

    def __repr__(self):
        return f"Parameter containing:\n{super().__repr__()}"


def _count(limit: list[float], data: Any) -> None:
    """Count the bytes of a new parameter. Zeros that were never written to have taken no memory up to here."""
    size = math.prod(getattr(data, "shape", ())) * getattr(getattr(data, "dtype", None), "itemsize", 0)
    most, used = limit
    limit[1] += size
    if used + 4 * size > most:  # itself, and while it is drawn three more of its size
        raise MemoryError(f"the parameters have at least {used + size:,} bytes, and {int(most):,} are free")


def converted(tensor: Tensor, dtype) -> Tensor:
    """The numbers of a tensor as another type, cut from the graph. Shapes: (*) -> (*)."""
    return wrap(namespace(tensor._data).astype(tensor._data, as_dtype(dtype)), None)
