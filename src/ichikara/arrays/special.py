"""What the array API leaves out, and NumPy and JAX do differently: adding at indices, the error function."""

from functools import partial
from typing import Any

import numpy

from ..fast import registry as kernels
from .axes import is_basic_index
from .namespace import namespace
from ..fast.workspace import empty, launch, zeros

__all__ = ["add_into", "erf", "scatter_add"]


def erf(x: Any) -> Any:
    r"""The error function, elementwise. Shapes: (\*) -> (\*).

    .. math:: \operatorname{erf} x = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt
    """
    if namespace(x) is numpy:
        from scipy.special import erf as of_scipy

        return of_scipy(x).astype(x.dtype, copy=False)
    from jax.scipy.special import erf as of_jax

    return of_jax(x)


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
