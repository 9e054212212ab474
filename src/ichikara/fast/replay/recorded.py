"""Values of a step that is being recorded: they have a shape and a type, and their numbers may not be looked at.

`ichikara.stage` runs a step once and notes which functions were applied to which arrays, so that the next time these
functions alone are run. For this every function of arrays that the engine calls goes through `run`, and what it gives
is a `Recorded`: the array, and where it is kept when the recording is replayed. What NumPy is asked to do with one is
noted as well; what cannot be noted (a Python number made of it, a change in place) is an error, so that a replay never
goes on with the numbers of another step.
"""

from typing import Any

import numpy
from numpy.lib.mixins import NDArrayOperatorsMixin

from ...arrays import seam

__all__ = ["Recorded", "of_fixed_count", "plain"]


# What depends on shapes and types alone is the same in every replay.
_OF_SHAPES = frozenset(
    (numpy.zeros_like, numpy.ones_like, numpy.empty_like, numpy.result_type, numpy.shape, numpy.ndim, numpy.size)
)
# How many elements these give depends on the numbers.
_OF_NUMBERS = frozenset(
    getattr(numpy, name)
    for name in (
        *("argwhere", "compress", "extract", "flatnonzero", "intersect1d", "nonzero", "setdiff1d", "setxor1d"),
        *("trim_zeros", "union1d", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values"),
    )
)


def of_fixed_count(index: Any) -> Any:
    """The part of an index, as it is.

    Raises TypeError for true and false that are others in each replay: so many elements are chosen as are true, and a
    recording is of fixed shapes.
    """
    if index.__class__ is Recorded and index.dtype.kind == "b":
        raise TypeError(
            f"an index of true and false, of shape {index.shape}, chooses another number of elements in each replay of "
            "a staged function: use where(mask, x, 0), which keeps the shape"
        )
    return index


def plain(value: Any) -> Any:
    """What a recorded value holds, also in lists; anything else as it is."""
    if value.__class__ is Recorded:
        return value.value
    return [plain(part) for part in value] if value.__class__ is list else value


class Recorded(NDArrayOperatorsMixin):
    """A value that a recorded function gave: ``value``, and the ``slot`` of the recording that stands for it."""

    __slots__ = ("__weakref__", "recorder", "slot", "value")

    def __init__(self, recorder, slot: int, value: Any):
        self.recorder: Any = recorder
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

    # --- what is noted ------------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if options.get("out") is not None:
            raise TypeError(
                f"an array of shape {self.shape} was to be changed in place inside a staged function, which cannot be "
                "replayed; make a new one: x = x + y instead of x += y"
            )
        return self._noted(ufunc if method == "__call__" else getattr(ufunc, method), inputs, options)

    def __array_function__(self, function, types, args, options):
        if function in _OF_SHAPES:
            return function(*[plain(value) for value in args], **options)
        if function in _OF_NUMBERS or (function is numpy.where and len(args) == 1):
            raise TypeError(
                f"{function.__name__} gives another number of elements in each replay of a staged function: use "
                "where(mask, x, 0), which keeps the shape, or do it outside"
            )
        return self._noted(function, args, options)

    def _noted(self, function, args, options=None):
        if seam.interpreter is not self.recorder:
            raise RuntimeError(
                f"a value of shape {self.shape} comes from inside a staged function, which has returned; return it "
                "from the function to use it outside"
            )
        return self.recorder.run(function, args, options)

    def __getitem__(self, index):
        for part in index if isinstance(index, tuple) else (index,):
            of_fixed_count(part)
        return self._noted(_item, (self, index))

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def astype(self, dtype, copy=True):
        return self._noted(numpy.astype, (self, dtype), {"copy": copy})

    def reshape(self, *shape):
        return self._noted(numpy.reshape, (self, shape[0] if len(shape) == 1 else shape))

    def copy(self):
        return self._noted(numpy.copy, (self,))

    @property
    def mT(self):
        return self._noted(numpy.matrix_transpose, (self,))

    @property
    def T(self):
        return self._noted(numpy.transpose, (self,))

    def sum(self, axis=None, keepdims=False):
        return self._noted(numpy.sum, (self,), {"axis": axis, "keepdims": keepdims})

    def mean(self, axis=None, keepdims=False):
        return self._noted(numpy.mean, (self,), {"axis": axis, "keepdims": keepdims})

    def max(self, axis=None, keepdims=False):
        return self._noted(numpy.max, (self,), {"axis": axis, "keepdims": keepdims})

    def min(self, axis=None, keepdims=False):
        return self._noted(numpy.min, (self,), {"axis": axis, "keepdims": keepdims})

    def all(self, axis=None, keepdims=False):
        return self._noted(numpy.all, (self,), {"axis": axis, "keepdims": keepdims})

    def any(self, axis=None, keepdims=False):
        return self._noted(numpy.any, (self,), {"axis": axis, "keepdims": keepdims})

    # --- what would end a recording -----------------------------------------------------------------------------------

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
        return f"<recorded {getattr(self.value, 'dtype', type(self.value).__name__)}{list(getattr(self, 'shape', ()))}>"


def _item(x, index):
    return x[index]
