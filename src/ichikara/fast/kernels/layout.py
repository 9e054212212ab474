"""Numbers that are put elsewhere: arrays joined, given to each of many, or put among zeros.

Who has made the numbers of an example, in a row of a page, has them in a cache of his own, and puts them there.
"""

import math

import numpy

from ...arrays.axes import is_basic_index
from ..jit.elementary import copy_row
from ..registry import LARGE, fused, kernel
from ..threads.fork_join import parallel
from ..threads.team import parallel_for
from ..workspace import contiguous, empty, launch, zeros

# --- copied -----------------------------------------------------------------------------------------------------------


def in_order(x):
    """An array in C order: this one, or a copy."""
    if x.flags.carray:
        return x
    out = empty(x.shape, x.dtype)
    put(out, x)
    return out


@kernel("arrays.put")
def put(out, x):
    """Copy an array to another one in C order; of pages whoever has to do with a row of theirs."""
    if x.ndim == 3 and x.size >= LARGE and x.strides[2] == x.itemsize and x.dtype == out.dtype:
        parallel_for(_copy, 4 * x.size, x.shape[1], x, out, 0)
    else:
        launch(numpy.copyto, out, x)


@parallel
def _copy(first, last, x, out, begin):
    """Copy rows of all pages, to those of another array from a column on."""
    for page in range(len(x)):
        for r in range(first, last):
            copy_row(out[page, r, begin:], x[page, r])


# --- joined -----------------------------------------------------------------------------------------------------------


@kernel("arrays.joined")
def joined(arrays, axis):
    """Joined along an axis that is not the first, of arrays that are alike but for their length there."""
    if axis == 0:
        return NotImplemented
    shape = arrays[0].shape
    length, begin = sum(array.shape[axis] for array in arrays), 0
    out = empty((*shape[:axis], length, *shape[axis + 1 :]), arrays[0].dtype)
    pages, rows = math.prod(shape[: axis - 1]), shape[axis - 1]
    for array in arrays:
        part = contiguous(array).reshape(pages, rows, -1)
        parallel_for(_copy, 4 * array.size, rows, part, out.reshape(pages, rows, -1), begin)
        begin += part.shape[2]
    return out


# --- given to each ----------------------------------------------------------------------------------------------------


@kernel("arrays.stretched")
def stretched(x, shape):
    """An array broadcast along its last axes."""
    if x.dtype.char not in "fd" or x.ndim != len(shape):
        return NotImplemented
    kept = [k for k, n in enumerate(shape) if n > 1 and x.shape[k] == n]
    rows = x.size
    if math.prod(shape[: kept[-1] + 1] if kept else ()) != rows:
        return NotImplemented
    out = empty(shape, x.dtype)
    parallel_for(_stretch, out.size, rows, contiguous(x).reshape(rows), out.reshape(rows, -1))
    return out


@parallel
def _stretch(first, last, x, out):
    for r in range(first, last):
        out[r, :] = x[r]


# --- among zeros ------------------------------------------------------------------------------------------------------


@fused("getitem", of="x", then="permute_dims")
def getitem_x_permuted(g, x_shape, index, axes):
    """The gradient of an array whose axes were put in another order before a part of it was taken."""
    order = numpy.argsort([axis % len(axes) for axis in axes])
    return _among_zeros(g, [x_shape[k] for k in order], (), axes, index)


@fused("getitem then permute_dims", of="x", then="getitem")
def getitem_x_permuted_getitem(g, x_shape, index, axes, whole_shape, index_before):
    """The same, where this was itself a part of another array."""
    return _among_zeros(g, whole_shape, index_before, axes, index)


def _among_zeros(g, shape, index_before, axes, index):
    if not (is_basic_index(index_before) and is_basic_index(index)):
        return NotImplemented
    out = _zeros(shape, g.dtype)
    launch(numpy.copyto, _part(_part(out, index_before).transpose(axes), index), g)
    return out


def _part(array, index):
    """What lies at an index, as an array also where it is one number."""
    index = index if isinstance(index, tuple) else (index,)
    return array[index if Ellipsis in index else (*index, ...)]


def _zeros(shape, dtype):
    """Zeros; of many pages whoever has to do with a row of theirs writes that."""
    if len(shape) < 3 or math.prod(shape) < LARGE:
        return zeros(shape, dtype)
    out = empty(shape, dtype)
    parallel_for(_clear, out.size, shape[1], out.reshape(shape[0], shape[1], -1))
    return out


@parallel
def _clear(first, last, x):
    for page in range(len(x)):
        for r in range(first, last):
            x[page, r, :] = 0
