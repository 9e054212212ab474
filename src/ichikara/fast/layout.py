"""Arrays joined, given to each of many, and rows of them taken, in words that a replay can repeat (`tape`)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy

from . import registry as kernels
from ..arrays.axes import check_indices
from ..arrays.namespace import namespace
from .workspace import current_capture, empty, launch

__all__ = ["joined", "rows_at", "stretched"]


def joined(arrays: Sequence, axis: int | None) -> Any:
    """Arrays joined along an axis, None for all of their numbers in a row. Shapes: as of ``concat``."""
    xp, first = namespace(*arrays), arrays[0]
    pays = first.__class__ is numpy.ndarray and (first.size >= kernels.LARGE or current_capture())
    if xp is not numpy or not (pays and _are_alike(arrays, axis)):
        return xp.concat(arrays, axis=axis)
    axis %= first.ndim
    fast = kernels.fitting("arrays.joined", [*arrays], ()).get("")
    found = fast(arrays, axis) if fast else NotImplemented
    if found is not NotImplemented:
        return found
    lengths = [array.shape[axis] for array in arrays]
    out = empty((*first.shape[:axis], sum(lengths), *first.shape[axis + 1 :]), first.dtype)
    for array, part in zip(arrays, numpy.split(out, numpy.cumsum(lengths)[:-1], axis), strict=True):
        launch(numpy.copyto, part, array)
    return out


def stretched(x: Any, shape: tuple[int, ...], parts: int = 1) -> Any:
    r"""An array broadcast to a shape, and divided into so many parts. Shapes: (\*) -> shape."""
    xp, large = namespace(x), math.prod(shape) >= kernels.LARGE
    if xp is not numpy or (large and not current_capture()):
        return xp.broadcast_to(x / parts if parts != 1 else x, shape)
    part = empty(x.shape if large else shape, x.dtype)
    launch(numpy.divide, x, parts, part)
    if not large:
        return part
    fast = kernels.find("arrays.stretched").get("")
    found = fast(part, shape) if fast else NotImplemented
    if found is NotImplemented:
        found = empty(shape, x.dtype)
        launch(numpy.copyto, found, part)
    return found


def rows_at(table: Any, indices: Any) -> Any:
    """The rows of a table at indices, which may be counted from the last one. Shapes: (n, *a), (*) -> (*, *a).

    Raises IndexError for indices that are not whole numbers, or beyond the table.
    """
    xp = namespace(table, indices)
    if xp is not numpy or not (current_capture() and isinstance(indices, numpy.ndarray)):
        check_indices(indices, table.shape[0])
        return xp.take(table, indices, axis=0)
    rows = empty((*indices.shape, *table.shape[1:]), table.dtype)
    launch(_take, table, indices, rows)
    return rows


def _take(table, indices, rows):
    check_indices(indices, table.shape[0])
    numpy.take(table, indices, axis=0, out=rows, mode="wrap")  # else into other memory first


def _are_alike(arrays, axis):
    """Whether these are NumPy's arrays of one type that differ in their length along the axis alone."""
    ndim, dtype = arrays[0].ndim, arrays[0].dtype
    if axis is None or not -ndim <= axis < ndim:
        return False
    axis %= ndim
    if not all(one.__class__ is numpy.ndarray and one.ndim == ndim and one.dtype == dtype for one in arrays):
        return False
    return len({one.shape[:axis] + one.shape[axis + 1 :] for one in arrays}) == 1
