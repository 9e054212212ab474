"""Values of a step that is being recorded: they have a shape and a type, and their numbers may not be looked at.

`ichikara.stage` runs a step once and notes which functions were applied to which arrays, so that the next time these
functions alone are run. For this every function of arrays that the engine calls goes through `run`, and what it gives
is a `Recorded`: the array, and where it is kept when the recording is replayed. What NumPy is asked to do with one is
noted as well; what cannot be noted (a Python number made of it, a change in place) is an error, so that a replay never
goes on with the numbers of another step.
"""

import threading
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy
from numpy.lib.mixins import NDArrayOperatorsMixin

__all__ = ["Recorded", "compute", "effect", "of_fixed_count", "plain", "recording", "refuse", "run"]


class _Recording(threading.local):
    recorder: Any = None  # of `ichikara.stage`, while it records in this thread


recording = _Recording()

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


def run(function: Callable, *args: Any, again: Callable | None = None) -> Any:
    """The function's value; in a step that is being recorded, the replays will call the function too.

    Arguments: ``again``, does the same to the same arguments in words that can be repeated (`arrays.tape`) and returns
    a function that says, each time, whether they may be; or does nothing and returns None. It is asked after the
    recording's guards, by which parameters have the arrays that they had.
    """
    recorder = recording.recorder
    return function(*args) if recorder is None else recorder.run(function, args, effect=True, again=again)


def compute(function: Callable, args: Any, of: tuple[str, str] | None = None) -> Any:
    """The function's value; in a step that is being recorded, the replays that need the value will call it too.

    Arguments: ``of``, the operation that it is and the input whose gradient it gives, or an empty word; or None.
    """
    recorder = recording.recorder
    return function(*args) if recorder is None else recorder.run(function, args, of=of)


def effect(method: Callable) -> Callable:
    """Decorator: a method that draws or changes something outside of the step; replays call it anew, in its place."""

    @wraps(method)
    def called(self, *args, **options):
        recorder = recording.recorder
        if recorder is None:
            return method(self, *args, **options)
        return recorder.run(partial(method, self), args, options, effect=True)

    return called


def refuse(what: str) -> None:
    """Raise TypeError in a step that is being recorded: this cannot be replayed."""
    if recording.recorder is not None:
        raise TypeError(f"{what} cannot be replayed; do it outside of the staged function")


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
    """What a recorded value holds; anything else as it is."""
    return value.value if value.__class__ is Recorded else value


class Recorded(NDArrayOperatorsMixin):
    """A value that a recorded function gave: ``value``, and the ``slot`` of the recording that stands for it."""

    __slots__ = ("__weakref__", "recorder", "slot", "value")

    def __init__(self, recorder, slot: int, value: Any):
        self.recorder, self.slot, self.value = recorder, slot, value

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
        if recording.recorder is not self.recorder:
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
