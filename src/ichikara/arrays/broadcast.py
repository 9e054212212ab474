"""Broadcasting backwards: where an array was stretched on the way forward, its gradient is summed on the way back."""

import math
from typing import Any

from .namespace import namespace

__all__ = ["normalise_axes", "size_along", "sum_to", "unreduce"]


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    r"""Sum ``x`` over the axes along which an array of the given shape was broadcast to make it.

    .. math:: \bar a = \sum_{\text{stretched axes}} \bar y

    Shapes: (\*stretched) -> shape.

    >>> import numpy
    >>> sum_to(numpy.ones((2, 3)), (1, 3)).tolist()
    [[2.0, 2.0, 2.0]]
    """
    if x.shape == shape:
        return x
    xp = namespace(x)
    new = x.ndim - len(shape)
    axes = tuple(range(new)) + tuple(i + new for i, n in enumerate(shape) if n == 1 and x.shape[i + new] != 1)
    return xp.reshape(xp.sum(x, axis=axes), shape) if axes else xp.reshape(x, shape)


def normalise_axes(axis: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """The axes meant by ``axis`` as non-negative numbers in rising order; None means all of them.

    Raises ValueError for an axis that the array does not have, or has been named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    for a in given:
        if not -ndim <= a < ndim:
            raise ValueError(f"axis {a} does not exist in an array with {ndim} axes")
    axes = sorted(a % ndim for a in given)
    if len(set(axes)) != len(axes):
        raise ValueError(f"an axis is named twice in {tuple(given)}")
    return tuple(axes)


def unreduce(g: Any, shape: tuple[int, ...], axis: int | tuple[int, ...] | None, keepdims: bool) -> Any:
    r"""Give the result of a reduction back the axes that it lost, with length 1.

    Shapes: (reduced) -> shape with 1 along ``axis``.
    """
    if keepdims:
        return g
    axes = normalise_axes(axis, len(shape))
    return namespace(g).reshape(g, tuple(1 if i in axes else n for i, n in enumerate(shape)))


def size_along(shape: tuple[int, ...], axis: int | tuple[int, ...] | None) -> int:
    """How many elements a reduction of this shape along ``axis`` takes together."""
    return math.prod(shape[a] for a in normalise_axes(axis, len(shape)))
