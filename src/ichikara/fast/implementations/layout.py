"""Joining, broadcasting, and taking and adding rows, by calls that a capture can record (`workspace`)."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy

from ...arrays import add_into as plain_add_into
from ...arrays import check_indices, is_basic_index, is_half, size_along, unreduce, widened
from ...ops import reduce
from .. import lookup, registry
from ..registry import implementation
from ..workspace import current_capture, empty, launch, zeros

__all__ = ["add_into", "concat", "embedding", "scatter", "scatter_add"]


@implementation("concat")
def concat(arrays, axis):
    return _concat(arrays, axis) if len(arrays) else NotImplemented


@implementation("embedding")
def embedding(indices, weight, padding_idx):
    return _take(weight, indices)


@implementation("scatter")
def scatter(x, index, shape):
    return scatter_add(x, index, shape)


implementation("sum")(reduce.sum.function).gradient(
    x=lambda g, x_shape, axis, keepdims: _broadcast(unreduce(g, x_shape, axis, keepdims), x_shape)
)
implementation("mean")(reduce.mean.function).gradient(
    x=lambda g, x_shape, axis, keepdims: _broadcast(
        unreduce(widened(g), x_shape, axis, keepdims), x_shape, size_along(x_shape, axis) or 1
    )
)


def _concat(arrays: Sequence, axis: int | None) -> Any:
    """Arrays joined along an axis; None joins all their numbers."""
    first = arrays[0]
    pays = first.__class__ is numpy.ndarray and (first.size >= registry.LARGE or current_capture())
    if not (pays and _differ_along(arrays, axis)):
        return numpy.concatenate(arrays, axis=axis)
    axis %= first.ndim
    kernel = lookup.fitting("arrays.concat", [*arrays], ()).get("")
    found = kernel(arrays, axis) if kernel else NotImplemented
    if found is not NotImplemented:
        return found
    lengths = [array.shape[axis] for array in arrays]
    out = empty((*first.shape[:axis], sum(lengths), *first.shape[axis + 1 :]), first.dtype)
    for array, part in zip(arrays, numpy.split(out, numpy.cumsum(lengths)[:-1], axis), strict=True):
        launch(numpy.copyto, part, array)
    return out


def _differ_along(arrays, axis):
    """Whether these are NumPy arrays of one type whose shapes differ along this axis alone."""
    ndim, dtype = arrays[0].ndim, arrays[0].dtype
    if axis is None or not -ndim <= axis < ndim:
        return False
    axis %= ndim
    if not all(one.__class__ is numpy.ndarray and one.ndim == ndim and one.dtype == dtype for one in arrays):
        return False
    return len({one.shape[:axis] + one.shape[axis + 1 :] for one in arrays}) == 1


def _broadcast(x: Any, shape: tuple[int, ...], divisor: int = 1) -> Any:
    r"""An array divided by a number and broadcast to a shape. Shapes: (\*) -> shape."""
    large = math.prod(shape) >= registry.LARGE
    if large and not current_capture():
        return numpy.broadcast_to(x / divisor if divisor != 1 else x, shape)
    quotient = empty(x.shape if large else shape, x.dtype)
    launch(numpy.divide, x, divisor, quotient)
    if not large:
        return quotient
    kernel = lookup.find("arrays.broadcast").get("")
    found = kernel(quotient, shape) if kernel else NotImplemented
    if found is NotImplemented:
        found = empty(shape, x.dtype)
        launch(numpy.copyto, found, quotient)
    return found


def _take(table: Any, indices: Any) -> Any:
    """The rows of a table at indices, which may be negative. Shapes: (n, *a), (*) -> (*, *a).

    Raises IndexError for indices that are not whole numbers, or beyond the table.
    """
    if not (current_capture() and isinstance(indices, numpy.ndarray)):
        check_indices(indices, table.shape[0])
        return numpy.take(table, indices, axis=0)
    rows = empty((*indices.shape, *table.shape[1:]), table.dtype)
    launch(_take_into, table, indices, rows)
    return rows


def _take_into(table, indices, rows):
    check_indices(indices, table.shape[0])
    numpy.take(table, indices, axis=0, out=rows, mode="wrap")  # another mode would go through a buffer


def scatter_add(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros to which ``g`` is added at an index; elements that are named twice receive both.

    Shapes: that of an array of this shape at this index -> shape.
    """
    if is_half(g.dtype):
        return scatter_add(widened(g), index, shape).astype(g.dtype)
    rows = index[0] if isinstance(index, tuple) and len(index) == 1 else index
    if _names_rows(rows, g, shape):
        return _add_rows(g, rows, shape)
    if isinstance(index, slice) and index.step in (None, 1):  # only the rest has to be set to 0
        first, last, _ = index.indices(shape[0])
        out = empty(shape, g.dtype)
        put = lookup.fitting("arrays.put", [g], ()).get("") or partial(launch, numpy.copyto)
        put(out[first:last], g)
        for part in (out[:first], out[max(first, last) :]):
            if part.size:
                launch(numpy.copyto, part, 0)
        return out
    out = zeros(shape, g.dtype)
    launch(_put if is_basic_index(index) else numpy.add.at, out, index, g)
    return out


def add_into(out: Any, index: Any, part: Any) -> Any:
    """`arrays.add_into`, through the workspace."""
    if not isinstance(out, numpy.ndarray):
        return plain_add_into(out, index, part)
    if is_basic_index(index):
        launch(_add_at, out, index, part)
        return out
    return out + scatter_add(part, index, out.shape)


def _put(out, index, part):
    out[index] = part


def _add_at(out, index, part):
    out[index] += part


def _names_rows(index: Any, g: Any, shape: tuple[int, ...]) -> bool:
    """Whether an index has whole numbers that name rows of the shape, and there is much to add."""
    return (
        isinstance(index, numpy.ndarray)
        and index.dtype.kind in "iu"
        and g.ndim > index.ndim > 0
        and g.dtype in (numpy.float32, numpy.float64)
        and g.size > 4096
        and -shape[0] <= index.min() <= index.max() < shape[0]
    )


def _add_rows(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """`scatter_add` of whole rows, in the order of numpy.add.at and to the same bits, some thirty times as fast.

    Without a kernel it is a product with a sparse matrix that has a one for each row that is added.
    """
    positions = empty(index.size, numpy.intp)
    launch(_non_negative, index, shape[0], positions)
    kernel = lookup.fitting("arrays.add_rows", [g], ()).get("")
    if kernel:
        return kernel(g, positions, shape)
    from scipy.sparse import csc_matrix

    n = index.size
    selection = csc_matrix((numpy.ones(n, g.dtype), positions, numpy.arange(n + 1)), shape=(shape[0], n))
    return (selection @ g.reshape(n, -1)).reshape(shape)


def _non_negative(index, length, positions):
    """Indices along an axis, those from the end counted from the start."""
    numpy.remainder(index.astype(numpy.intp).reshape(-1), length, positions)
