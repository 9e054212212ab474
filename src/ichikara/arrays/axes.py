"""Axes and indices: what of an array they name."""

import math
from typing import Any

import numpy

from .dtypes import is_half, widened
from .namespace import namespace

__all__ = [
    "check_indices",
    "is_basic_index",
    "normalise_axes",
    "reduced_axes",
    "size_along",
    "sum_along",
    "sum_to",
    "unreduce",
]


def is_basic_index(index: Any) -> bool:
    """Whether an index is made of numbers, slices, ``...`` and None alone, so that it names no element twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(isinstance(p, int | numpy.integer | slice | type(None) | type(...)) for p in parts) and not any(
        isinstance(p, bool) for p in parts
    )


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


def reduced_axes(axis: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """The axes that a reduction takes together, as `normalise_axes`; a single number has none, and 0 and -1 name it."""
    if ndim == 0 and axis in (0, -1, (0,), (-1,)):
        return ()
    return normalise_axes(axis, ndim)


def unreduce(g: Any, shape: tuple[int, ...], axis: int | tuple[int, ...] | None, keepdims: bool) -> Any:
    r"""Give the result of a reduction back the axes that it lost, with length 1.

    Shapes: (reduced) -> shape with 1 along ``axis``.
    """
    if keepdims:
        return g
    axes = reduced_axes(axis, len(shape))
    return namespace(g).reshape(g, tuple(1 if i in axes else n for i, n in enumerate(shape)))


def size_along(shape: tuple[int, ...], axis: int | tuple[int, ...] | None) -> int:
    """How many elements a reduction of this shape along ``axis`` takes together."""
    return math.prod(shape[a] for a in reduced_axes(axis, len(shape)))


def sum_along(x: Any, axis: int | tuple[int, ...] | None, keepdims: bool = False) -> Any:
    """Sum along axes; numbers of half precision are added up in float32. Shapes: (*) -> (*) without the axes."""
    if is_half(x.dtype):
        return namespace(x).astype(widened(x).sum(axis=axis, keepdims=keepdims), x.dtype)
    return x.sum(axis=axis, keepdims=keepdims)


def check_indices(indices: Any, length: int) -> None:
    """Raise IndexError where these cannot be indices along an axis of this length."""
    if not hasattr(indices, "dtype"):
        if isinstance(indices, float):
            raise IndexError(f"indices are whole numbers, not {indices}")
        return
    if indices.dtype.kind not in "iu":
        raise IndexError(f"indices are whole numbers, not {indices.dtype}")
    if (
        namespace(indices).__name__ == "numpy"
        and indices.size
        and not -length <= indices.min() <= indices.max() < length
    ):
        raise IndexError(f"indices from {indices.min()} to {indices.max()} do not fit an axis of length {length}")


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    r"""Sum ``x`` over the axes along which an array of the given shape was broadcast to make it.

    .. math:: \bar a = \sum_{\text{broadcast axes}} \bar y

    Shapes: (\*broadcast) -> shape.

    >>> sum_to(numpy.ones((2, 3)), (1, 3)).tolist()
    [[2.0, 2.0, 2.0]]
    """
    if x.shape == shape:
        return x
    xp = namespace(x)
    new = x.ndim - len(shape)
    axes = (*range(new), *(i + new for i, n in enumerate(shape) if n == 1 != x.shape[i + new]))
    return xp.reshape(sum_along(x, axes), shape) if axes else xp.reshape(x, shape)
