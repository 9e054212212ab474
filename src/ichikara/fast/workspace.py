"""Arrays and launches for kernels, which a capture records so that a replay can repeat them.

Around its computation a kernel reads shapes, allocates arrays for its results and makes views. For the same inputs all
this comes out the same each time, and it takes some microseconds, more where the caches hold other data. So a kernel
allocates with `empty`, `empty_like` and `zeros`, and computes with `launch` and `threads.team.parallel_for`. An active
capture records these calls, and a replay repeats them and nothing else.

What a kernel computes in another way happens once and is not repeated. An array that a kernel gets from elsewhere
keeps it from being replayed, unless the array is declared `constant` or `external`.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy

__all__ = [
    "Constant",
    "capturing",
    "constant",
    "contiguous",
    "copy",
    "current_capture",
    "empty",
    "empty_like",
    "external",
    "launch",
    "zeros",
]


class _Active(threading.local):
    capture: Any = None  # of `fast.replay`, while it records this thread


_active = _Active()
_captures: list = []  # of all threads; nearly always it is empty, which is faster to ask than the thread's own


def current_capture() -> Any:
    """The capture that records this thread, or None."""
    return _active.capture if _captures else None


@contextmanager
def capturing(capture: Any) -> Iterator[None]:
    """A block in which a capture records this thread.

    A capture has the methods ``empty(shape, dtype)``, ``external(array)`` and
    ``add_call(function, arguments, parallel)``, and the attribute ``limits_blas``, which is set to True when the linear
    algebra libraries are limited to one thread.
    """
    _captures.append(capture)
    _active.capture = capture
    try:
        yield
    finally:
        _active.capture = None
        _captures.remove(capture)


def empty(shape: Any, dtype: Any) -> Any:
    """An uninitialised array in C order."""
    capture = current_capture()
    return capture.empty(shape, dtype) if capture else numpy.empty(shape, dtype)


def empty_like(x: Any) -> Any:
    """An uninitialised array with the shape, type and order of axes of another, as of `numpy.empty_like`."""
    if not current_capture():
        return numpy.empty_like(x)
    order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    return empty([x.shape[axis] for axis in order], x.dtype).transpose(numpy.argsort(order))


def zeros(shape: Any, dtype: Any) -> Any:
    """An array of zeros in C order."""
    if not current_capture():
        return numpy.zeros(shape, dtype)
    out = empty(shape, dtype)
    launch(numpy.copyto, out, 0)
    return out


def contiguous(x: Any) -> Any:
    """A writeable array in C order: the given one, or a copy of it."""
    return x if x.flags.carray else copy(x)


def copy(x: Any) -> Any:
    """A copy of an array in C order."""
    out = empty(x.shape, x.dtype)
    launch(numpy.copyto, out, x)
    return out


def external(array: Any) -> Any:
    """An array that a kernel does not own. The caller guarantees that it stays where it is for every replay."""
    capture = current_capture()
    return capture.external(array) if capture else array


def launch(function: Callable, *arguments: Any) -> None:
    """Call a function that writes its result into one of its arguments."""
    function(*arguments)
    capture = current_capture()
    if capture:
        capture.add_call(function, arguments)


class Constant(bytearray):
    """The memory of an array that is never changed."""


def constant(array: Any) -> Any:
    """A copy of an array that is shared by many calls and never changed."""
    return numpy.ndarray(array.shape, array.dtype, Constant(array.tobytes()))
