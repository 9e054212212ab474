"""Arrays joined, broadcast, and rows of them taken or added, in calls that a replay can repeat (`tape`)."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy

from ...arrays import check_indices, is_basic_index, namespace, size_along, unreduce
from ...ops import reduce
from .. import registry as kernels
from ..registry import implementation
from ..workspace import current_capture, empty, launch, zeros

__all__ = ["add_into", "concat", "embedding", "joined", "scatter", "stretched"]


@implementation("concat")
def concat(arrays, axis):
    if not len(arrays):
        return NotImplemented
    return joined(arrays, axis)


@implementation("embedding")
def embedding(indices, weight, padding_idx):
    return rows_at(weight, indices)


@implementation("scatter")
def scatter(x, index, shape):
    return scatter_add(x, index, shape)


implementation("sum")(reduce.sum.function).gradient(
    x=lambda g, x_shape, axis, keepdims: stretched(unreduce(g, x_shape, axis, keepdims), x_shape)
)
implementation("mean")(reduce.mean.function).gradient(
    x=lambda g, x_shape, axis, keepdims: stretched(
        unreduce(g, x_shape, axis, keepdims), x_shape, size_along(x_shape, axis) or 1
    )
)


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


def scatter_add(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """An array of zeros to which ``g`` is added at an index; elements that are named twice receive both.

    Shapes: that of an array of this shape at this index -> shape.
    """
    if namespace(g) is not numpy:
        return namespace(g).zeros(shape, dtype=g.dtype).at[index].add(g)
    rows = index[0] if isinstance(index, tuple) and len(index) == 1 else index
    if _are_rows(rows, g, shape):
        return _add_rows(g, rows, shape)
    if isinstance(index, slice) and index.step in (None, 1):  # only what is left needs to be 0
        first, last, _ = index.indices(shape[0])
        out = empty(shape, g.dtype)
        put = kernels.fitting("arrays.put", [g], ()).get("") or partial(launch, numpy.copyto)
        put(out[first:last], g)
        for part in (out[:first], out[max(first, last) :]):
            if part.size:
                launch(numpy.copyto, part, 0)
        return out
    out = zeros(shape, g.dtype)
    launch(_put if is_basic_index(index) else numpy.add.at, out, index, g)
    return out


def add_into(out: Any, index: Any, part: Any) -> Any:
    """Add to an array of one's own at an index, as `scatter_add` does to zeros; the sum is what is returned."""
    if isinstance(out, numpy.ndarray) and is_basic_index(index):
        launch(_add_at, out, index, part)
        return out
    return out + scatter_add(part, index, out.shape) if namespace(out) is numpy else out.at[index].add(part)


def _are_rows(index: Any, g: Any, shape: tuple[int, ...]) -> bool:
    """Whether an index is of whole numbers that name rows of the shape, for many numbers at a time."""
    return (
        isinstance(index, numpy.ndarray)
        and index.dtype.kind in "iu"
        and g.ndim > index.ndim > 0
        and g.dtype in (numpy.float32, numpy.float64)
        and g.size > 4096
        and -shape[0] <= index.min() <= index.max() < shape[0]
    )


def _put(out, index, part):
    out[index] = part


def _add_at(out, index, part):
    out[index] += part


def _from_the_first(index, count, places):
    """Places that may be counted from the last one, as counted from the first."""
    numpy.remainder(index.astype(numpy.intp).reshape(-1), count, places)


def _add_rows(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """`scatter_add` of whole rows, in the same order as numpy.add.at, to the same bits, some thirty times as fast.

    Without a kernel it is a product with a sparse matrix that has a one for each row that is added.
    """
    places = empty(index.size, numpy.intp)
    launch(_from_the_first, index, shape[0], places)
    fast = kernels.fitting("arrays.add_rows", [g], ()).get("")
    if fast:
        return fast(g, places, shape)
    from scipy.sparse import csc_matrix

    n = index.size
    chooser = csc_matrix((numpy.ones(n, g.dtype), places, numpy.arange(n + 1)), shape=(shape[0], n))
    return (chooser @ g.reshape(n, -1)).reshape(shape)
