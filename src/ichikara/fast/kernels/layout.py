"""Kernels that move data: copies, concatenation, broadcasting, and the gradient of indexing.

Arrays are divided by rows of their pages, as other kernels divide them. So a thread copies what it has computed itself
and still has in its own cache.
"""

import math

import numpy

from ...arrays.axes import is_basic_index
from ..jit.elementary import copy_row
from ..registry import LARGE, fused, kernel
from ..threads.fork_join import parallel
from ..threads.team import parallel_for
from ..workspace import contiguous, empty, launch, zeros

# --- copies -----------------------------------------------------------------------------------------------------------


def in_order(x):
    """An array in C order: the given one, or a copy."""
    if x.flags.carray:
        return x
    out = empty(x.shape, x.dtype)
    put(out, x)
    return out


@kernel("arrays.put")
def put(out, x):
    """Copy an array to another one in C order. Of several pages each thread copies the same rows of all."""
    if x.ndim == 3 and x.size >= LARGE and x.strides[2] == x.itemsize and x.dtype == out.dtype:
        parallel_for(_copy_rows, 4 * x.size, x.shape[1], x, out, 0)
    else:
        launch(numpy.copyto, out, x)


@parallel
def _copy_rows(first, last, x, out, offset):
    """Copy rows of all pages into another array, from a column on."""
    for page in range(len(x)):
        for r in range(first, last):
            copy_row(out[page, r, offset:], x[page, r])


# --- concatenation ----------------------------------------------------------------------------------------------------


@kernel("arrays.concat")
def concat(arrays, axis):
    """The concatenation along an axis other than the first, of arrays of the same shape but for their length there."""
    if axis == 0:
        return NotImplemented
    shape = arrays[0].shape
    total, offset = sum(array.shape[axis] for array in arrays), 0
    out = empty((*shape[:axis], total, *shape[axis + 1 :]), arrays[0].dtype)
    pages, rows = math.prod(shape[: axis - 1]), shape[axis - 1]
    for array in arrays:
        part = contiguous(array).reshape(pages, rows, -1)
        parallel_for(_copy_rows, 4 * array.size, rows, part, out.reshape(pages, rows, -1), offset)
        offset += part.shape[2]
    return out


# --- broadcasting -----------------------------------------------------------------------------------------------------


@kernel("arrays.broadcast")
def broadcast(x, shape):
    """An array broadcast along its last axes."""
    if x.dtype.char not in "fd" or x.ndim != len(shape):
        return NotImplemented
    remaining = [k for k, n in enumerate(shape) if n > 1 and x.shape[k] == n]
    rows = x.size
    if math.prod(shape[: remaining[-1] + 1] if remaining else ()) != rows:
        return NotImplemented
    out = empty(shape, x.dtype)
    parallel_for(_broadcast_rows, out.size, rows, contiguous(x).reshape(rows), out.reshape(rows, -1))
    return out


@parallel
def _broadcast_rows(first, last, x, out):
    for r in range(first, last):
        out[r, :] = x[r]


# --- the gradient of indexing -----------------------------------------------------------------------------------------


@fused("getitem", of="x", then="permute_dims")
def getitem_x_permuted(g, x_shape, index, axes):
    """The gradient of an array that was permuted and then indexed."""
    order = numpy.argsort([axis % len(axes) for axis in axes])
    return _zero_padded(g, [x_shape[k] for k in order], (), axes, index)


@fused("getitem then permute_dims", of="x", then="getitem")
def getitem_x_permuted_getitem(g, x_shape, index, axes, whole_shape, index_before):
    """The same for an array that was itself a part of another one."""
    return _zero_padded(g, whole_shape, index_before, axes, index)


def _zero_padded(g, shape, index_before, axes, index):
    if not (is_basic_index(index_before) and is_basic_index(index)):
        return NotImplemented
    out = _parallel_zeros(shape, g.dtype)
    launch(numpy.copyto, _view_at(_view_at(out, index_before).transpose(axes), index), g)
    return out


def _view_at(array, index):
    """The part of an array at an index, as an array also where it is one number."""
    index = index if isinstance(index, tuple) else (index,)
    return array[index if Ellipsis in index else (*index, ...)]


def _parallel_zeros(shape, dtype):
    """Zeros. Of several pages each thread clears the same rows of all."""
    if len(shape) < 3 or math.prod(shape) < LARGE:
        return zeros(shape, dtype)
    out = empty(shape, dtype)
    parallel_for(_clear_rows, out.size, shape[1], out.reshape(shape[0], shape[1], -1))
    return out


@parallel
def _clear_rows(first, last, x):
    for page in range(len(x)):
        for r in range(first, last):
            x[page, r, :] = 0
