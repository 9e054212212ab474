"""What kernels call, noted while they call it, so that a replay can call the same again and do nothing else.

Around what it computes a kernel looks at shapes, asks for room for its results and cuts views. For the same arrays all
this comes out the same each time, and it takes some microseconds, more where the caches are full of other things. So
kernels do it in words that are understood by a tape, if there is one: `room`, `room_like` and `zeros` for arrays, `do`
and `workers.together` for what is computed. What a kernel computes in another way is done only once and not again, and
an array that it gets from elsewhere keeps it from being repeated, unless that is said to be `constant` or `borrowed`.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy

__all__ = [
    "Constant",
    "borrowed",
    "constant",
    "contiguous",
    "copied",
    "do",
    "listener",
    "listening",
    "room",
    "room_like",
    "zeros",
]


class _Taping(threading.local):
    tape: Any = None  # of `ichikara.stage`, while it listens in this thread


_taping = _Taping()
_tapes: list = []  # of all threads: hardly ever is there one, and who asks whether there is asks often


def listener() -> Any:
    """The tape that listens in this thread, or None."""
    return _taping.tape if _tapes else None


@contextmanager
def listening(tape: Any) -> Iterator[None]:
    """A block in which a tape listens."""
    _tapes.append(tape)
    _taping.tape = tape
    try:
        yield
    finally:
        _taping.tape = None
        _tapes.remove(tape)


def room(shape: Any, dtype: Any) -> Any:
    """An array in C order whose numbers may be any."""
    tape = listener()
    return tape.room(shape, dtype) if tape else numpy.empty(shape, dtype)


def room_like(x: Any) -> Any:
    """An array as `numpy.empty_like` makes it: its axes lie in the same order."""
    if not listener():
        return numpy.empty_like(x)
    order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    return room([x.shape[axis] for axis in order], x.dtype).transpose(numpy.argsort(order))


def zeros(shape: Any, dtype: Any) -> Any:
    """An array of zeros in C order."""
    if not listener():
        return numpy.zeros(shape, dtype)
    made = room(shape, dtype)
    do(numpy.copyto, made, 0)
    return made


def contiguous(x: Any) -> Any:
    """An array in C order that may be written to: this one, or a copy of it."""
    return x if x.flags.carray else copied(x)


def copied(x: Any) -> Any:
    """A copy of an array in C order."""
    copy = room(x.shape, x.dtype)
    do(numpy.copyto, copy, x)
    return copy


def borrowed(array: Any) -> Any:
    """An array of somebody else's whose numbers lie where they are, as long as who asks says so."""
    tape = listener()
    return tape.borrowed(array) if tape else array


def do(function: Callable, *arguments: Any) -> None:
    """Call a function that computes something into one of its arguments."""
    function(*arguments)
    tape = listener()
    if tape:
        tape.note(function, arguments)


class Constant(bytearray):
    """The memory of an array that nobody changes."""


def constant(array: Any) -> Any:
    """A copy of an array, which is kept for many calls and never changed."""
    return numpy.ndarray(array.shape, array.dtype, Constant(array.tobytes()))
