"""Traced arrays: the values of a step that is being captured.

A traced array has a shape and a type, and its numbers may not be looked at, since they differ in each replay. What
NumPy is asked to do with it is captured, like the functions that the engine calls (`Tracer.run`). What cannot be
captured is an error, for example a Python number made of it, or a change in place: so a replay never goes on with the
numbers of another step.
"""

import gc
import time
from collections.abc import Sequence
from typing import Any
from weakref import ref

import numpy
from numpy.lib.mixins import NDArrayOperatorsMixin

from ...arrays import seam
from ...autodiff import Tensor

__all__ = ["TracedArray", "check_index", "check_released", "concrete"]

_PAUSES = (0, 0.01, 0.05, 0.2)  # seconds, before values that seem to outlive the step are looked for again


# Functions of shapes and types alone, which are the same in every replay.
_OF_SHAPES = frozenset(
    (numpy.zeros_like, numpy.ones_like, numpy.empty_like, numpy.result_type, numpy.shape, numpy.ndim, numpy.size)
)
# Functions whose results have sizes that depend on the numbers.
_OF_NUMBERS = frozenset(
    getattr(numpy, name)
    for name in (
        *("argwhere", "compress", "extract", "flatnonzero", "intersect1d", "nonzero", "setdiff1d", "setxor1d"),
        *("trim_zeros", "union1d", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values"),
    )
)


def check_index(index: Any) -> None:
    """Raise TypeError for a part of an index that is a traced mask: the size of the result depends on its numbers."""
    if index.__class__ is TracedArray and index.dtype.kind == "b":
        raise TypeError(
            f"an index of true and false, of shape {index.shape}, chooses another number of elements in each replay of "
            "a staged function: use where(mask, x, 0), which keeps the shape"
        )


def concrete(value: Any) -> Any:
    """The value of a traced array, also in lists; any other value as it is."""
    if value.__class__ is TracedArray:
        return value.value
    return [concrete(part) for part in value] if value.__class__ is list else value


def check_released(references: Sequence[ref]) -> None:
    """Raise RuntimeError where a traced array outlives the step, since it would be an old one after a replay."""
    for pause in _PAUSES:
        if not _outliving(references):
            return
        time.sleep(pause)
        gc.collect()  # of reference cycles; it does nothing while another thread collects
    value = _outliving(references)
    if value:
        raise RuntimeError(
            f"{value} outlives a staged function (in a list, or as an attribute that is no buffer), and no replay "
            "would renew it; return it from the function instead"
        )


def _outliving(references) -> str:
    """A value that something still refers to, in words; empty if there is none."""
    return next((repr(value) for reference in references if (value := reference()) is not None), "")


class TracedArray(NDArrayOperatorsMixin):
    """The value of a captured function: ``value`` during the capture, and its ``slot`` in the program."""

    __slots__ = ("__weakref__", "slot", "tracer", "value")

    def __init__(self, tracer, slot: int, value: Any):
        self.tracer: Any = tracer
        self.slot, self.value = slot, value

    # --- what is the same in every replay -----------------------------------------------------------------------------

    @property
    def shape(self):
        return self.value.shape

    @property
    def dtype(self):
        return self.value.dtype

    @property
    def ndim(self):
        return self.value.ndim

    @property
    def size(self):
        return self.value.size

    def __len__(self):
        return len(self.value)

    # --- what is captured ---------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if any(isinstance(value, Tensor) for value in inputs):
            return NotImplemented  # it is the tensor's to answer
        if options.get("out") is not None:
            raise TypeError(
                f"an array of shape {self.shape} was to be changed in place inside a staged function, which cannot be "
                "replayed; make a new one: x = x + y instead of x += y"
            )
        return self._capture(ufunc if method == "__call__" else getattr(ufunc, method), inputs, options)

    def __array_function__(self, function, types, args, options):
        if any(issubclass(kind, Tensor) for kind in types):
            return NotImplemented
        if function in _OF_SHAPES:
            return function(*[concrete(value) for value in args], **options)
        if function in _OF_NUMBERS or (function is numpy.where and len(args) == 1):
            raise TypeError(
                f"{function.__name__} gives another number of elements in each replay of a staged function: use "
                "where(mask, x, 0), which keeps the shape, or do it outside"
            )
        return self._capture(function, args, options)

    def _capture(self, function, args, options=None):
        tracer: Any = self.tracer
        if seam.interpreter is not self.tracer:
            raise RuntimeError(
                f"a value of shape {self.shape} comes from inside a staged function, which has returned; return it "
                "from the function to use it outside"
            )
        return tracer.run(function, args, options)

    def __getitem__(self, index):
        for part in index if isinstance(index, tuple) else (index,):
            check_index(part)
        return self._capture(_item, (self, index))

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def astype(self, dtype, copy=True):
        return self._capture(numpy.astype, (self, dtype), {"copy": copy})

    def reshape(self, *shape):
        return self._capture(numpy.reshape, (self, shape[0] if len(shape) == 1 else shape))

    def copy(self):
        return self._capture(numpy.copy, (self,))

    @property
    def mT(self):
        return self._capture(numpy.matrix_transpose, (self,))

    @property
    def T(self):
        return self._capture(numpy.transpose, (self,))

    def sum(self, axis=None, keepdims=False):
        return self._capture(numpy.sum, (self,), {"axis": axis, "keepdims": keepdims})

    def mean(self, axis=None, keepdims=False):
        return self._capture(numpy.mean, (self,), {"axis": axis, "keepdims": keepdims})

    def max(self, axis=None, keepdims=False):
        return self._capture(numpy.max, (self,), {"axis": axis, "keepdims": keepdims})

    def min(self, axis=None, keepdims=False):
        return self._capture(numpy.min, (self,), {"axis": axis, "keepdims": keepdims})

    def all(self, axis=None, keepdims=False):
        return self._capture(numpy.all, (self,), {"axis": axis, "keepdims": keepdims})

    def any(self, axis=None, keepdims=False):
        return self._capture(numpy.any, (self,), {"axis": axis, "keepdims": keepdims})

    # --- what cannot be captured --------------------------------------------------------------------------------------

    def _refuse(self, *args, **options):
        raise TypeError(
            f"the numbers of a value of shape {self.shape} were asked for inside a staged function, and they are "
            "others in each replay: use where() instead of if, and return the value to read it outside"
        )

    __array__ = __bool__ = __complex__ = __float__ = __int__ = __index__ = item = tolist = _refuse

    def __setitem__(self, index, value):
        raise TypeError("an array cannot be changed in place inside a staged function; choose with where(mask, v, x)")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self):
        return f"<traced {getattr(self.value, 'dtype', type(self.value).__name__)}{list(getattr(self, 'shape', ()))}>"


def _item(x, index):
    return x[index]
