"""Places in memory that stay the same from one replay to the next."""

import threading
from collections.abc import Callable
from math import prod
from typing import Any
from weakref import finalize, ref

import numpy

from ..workspace import Constant

__all__ = ["Homes", "Memory", "each_of"]


class _Own(threading.local):
    memory: Any = None  # a reference that keeps nothing


_own = _Own()
_LINE = 64  # bytes
_ROOMY = 4  # how many times as large as needed a block may be


class Place:
    """Where the numbers of an array lie, which this does not keep.

    Attributes: ``number``, that of the room that they belong to; ``size``, of how many bytes that is.
    """

    def __init__(self, memory: "Memory", number: int, address: int, size: int, shape, dtype, strides, fixed=False):
        self.memory, self.number, self.address, self.size = memory, number, address, size
        data = {"data": (address, fixed), "shape": shape, "typestr": dtype.str, "strides": strides, "version": 3}
        self.__array_interface__ = data


class Memory:
    """The memory of a thread's plans: blocks, of which each serves one array after the other.

    An array that is made here gives its block back when the last reference to it or to a part of it goes. Who notes
    where its numbers lie has another array of the same `Place`, which does not count.
    """

    def __init__(self):
        self._blocks: list = []
        self._free: list[tuple[int, int]] = []  # sizes and addresses of those that no array has
        self._rooms = 0

    def room(self, shape: Any, dtype: Any) -> Any:
        """An array in C order whose numbers may be any."""
        dtype, shape = numpy.dtype(dtype), (shape,) if isinstance(shape, int) else tuple(map(int, shape))
        needed = -(-max(prod(shape) * dtype.itemsize, 1) // _LINE) * _LINE
        block = min((block for block in self._free if needed <= block[0] <= _ROOMY * needed), default=None)
        if block is None:
            made, address = _lines(needed)
            self._blocks.append(made)
            block = needed, address
        else:
            self._free.remove(block)
        array = self._at(block[1], needed, shape, dtype, None)
        finalize(array, self._free.append, block).atexit = False
        return array

    @staticmethod
    def of_this_thread() -> "Memory":
        """The memory of the thread that asks, as long as there are plans that have it."""
        memory = _own.memory and _own.memory()
        if memory is None:
            memory = Memory()
            _own.memory = ref(memory)
        return memory

    def borrowed(self, array: Any) -> Any:
        """An array of numbers that lie elsewhere, and stay there: who asks sees to that. Anything else as it is."""
        if type(array) is not numpy.ndarray or array.dtype.hasobject:
            return array
        fixed = not array.flags.writeable
        return self._at(array.ctypes.data, array.nbytes, array.shape, array.dtype, array.strides, fixed)

    def _at(self, *where):
        self._rooms += 1
        return numpy.asarray(Place(self, self._rooms, *where))

    def place(self, array: Any) -> Any:
        """The place of an array; None of what does not lie here or is no array."""
        base = _base(array)
        return base if isinstance(base, Place) and base.memory is self else None

    def stays(self, array: Any) -> bool:
        """Whether the numbers of an array lie where they are in each replay."""
        return isinstance(_base(array), Constant) or self.place(array) is not None

    def noted(self, array: Any, moved: int = 0) -> Any:
        """The same array, ``moved`` by some bytes, which does not count; anything else as it is."""
        found = self.place(array)
        if found is None:
            return array
        fixed = not array.flags.writeable
        address, size = array.ctypes.data + moved, found.size
        return numpy.asarray(Place(self, found.number, address, size, array.shape, array.dtype, array.strides, fixed))


class Homes:
    """Memory of its own for each of some rooms, in which it lies from the next replay on.

    Blocks are no such memory: other plans write there too.
    """

    def __init__(self, memory: Memory, places: dict[int, Place]):
        """Arguments: ``places``, of the rooms, by their numbers."""
        self._memory = memory
        self._homes = {number: (place, *_lines(place.size)) for number, place in places.items()}

    def moved(self, value: Any) -> Any:
        """An array as it will lie, and the arrays in a tuple or a list; anything else as it is."""
        if isinstance(value, tuple | list):
            return each_of(self.moved, value)
        place = self._memory.place(value)
        if place is None or place.number not in self._homes:
            return value
        old, _, address = self._homes[place.number]
        return self._memory.noted(value, address - old.address)

    def given(self, array: Any) -> tuple[Any, Any]:
        """A copy of an array where it will lie, for somebody who may keep it and with it the memory; and that."""
        old, home, address = self._homes[self._memory.place(array).number]
        offset = address - home.ctypes.data + array.ctypes.data - old.address
        made = numpy.ndarray(array.shape, array.dtype, home, offset, array.strides)
        numpy.copyto(made, array)
        return made, home


def each_of(function: Callable, parts: Any) -> Any:
    """A tuple or a list of the same kind, of what a function makes of each part."""
    make = getattr(type(parts), "_make", type(parts))  # a named tuple's
    return make(map(function, parts))


def _lines(size):
    """Some memory, and where its first whole line begins."""
    made = numpy.empty(size + _LINE, numpy.uint8)
    return made, -(-made.ctypes.data // _LINE) * _LINE


def _base(array):
    """What an array's numbers belong to."""
    while isinstance(array, numpy.ndarray) and array.base is not None:
        array = array.base
    return array
