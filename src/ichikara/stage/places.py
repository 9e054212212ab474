"""Places in memory that stay the same from one replay to the next."""

import threading
from math import prod
from typing import Any
from weakref import finalize

import numpy

from ..arrays.tape import Constant

__all__ = ["Memory", "Place"]

_own = threading.local()
_LINE = 64  # bytes
_ROOMY = 4  # how many times as large as needed a block may be


class Place:
    """Where the numbers of an array lie, which this does not keep; ``number``, that of the room that they belong to."""

    def __init__(self, memory: "Memory", number: int, address: int, shape: Any, dtype: Any, strides: Any, fixed=False):
        self.memory, self.number, self.address = memory, number, address
        data = {"data": (address, fixed), "shape": shape, "typestr": dtype.str, "strides": strides, "version": 3}
        self.__array_interface__ = data


class Memory:
    """The memory of a thread's plans: blocks, of which each serves one array after the other.

    An array that is made here gives its block back when the last reference to it or to a part of it goes. Who notes
    where its numbers lie has another array of the same `Place`, which does not count.
    """

    def __init__(self):
        self._blocks: dict[int, Any] = {}  # by their addresses
        self._free: list[tuple[int, int]] = []  # sizes and addresses of those that no array has
        self._rooms = 0

    def room(self, shape: Any, dtype: Any) -> Any:
        """An array in C order whose numbers may be any."""
        dtype, shape = numpy.dtype(dtype), (shape,) if isinstance(shape, int) else tuple(map(int, shape))
        needed = -(-max(prod(shape) * dtype.itemsize, 1) // _LINE) * _LINE
        block = min((block for block in self._free if needed <= block[0] <= _ROOMY * needed), default=None)
        if block is None:
            made = numpy.empty(needed + _LINE, numpy.uint8)
            block = needed, -(-made.ctypes.data // _LINE) * _LINE
            self._blocks[block[1]] = made
        else:
            self._free.remove(block)
        array = self._at(block[1], shape, dtype, None)
        finalize(array, self._give_back, block).atexit = False
        return array

    def _give_back(self, block):
        if block[1] in self._blocks:  # it has not been given away
            self._free.append(block)

    @staticmethod
    def of_this_thread() -> "Memory":
        """The memory of the thread that asks."""
        if not hasattr(_own, "memory"):
            _own.memory = Memory()
        return _own.memory

    def borrowed(self, array: Any) -> Any:
        """An array of numbers that lie elsewhere, and stay there: who asks sees to that. Anything else as it is."""
        if type(array) is not numpy.ndarray or array.dtype.hasobject:
            return array
        return self._at(array.ctypes.data, array.shape, array.dtype, array.strides, not array.flags.writeable)

    def _at(self, address, shape, dtype, strides, fixed=False):
        self._rooms += 1
        return numpy.asarray(Place(self, self._rooms, address, shape, dtype, strides, fixed))

    def place(self, array: Any) -> Any:
        """The place of an array; None of what does not lie here or is no array."""
        base = _base(array)
        return base if isinstance(base, Place) and base.memory is self else None

    def stays(self, array: Any) -> bool:
        """Whether the numbers of an array lie where they are in each replay."""
        return isinstance(_base(array), Constant) or self.place(array) is not None

    def noted(self, array: Any) -> Any:
        """The same array, which does not count; anything else as it is."""
        found = self.place(array)
        if found is None:
            return array
        fixed = not array.flags.writeable
        where = Place(self, found.number, array.ctypes.data, array.shape, array.dtype, array.strides, fixed)
        return numpy.asarray(where)

    def give_away(self, place: Place) -> Any:
        """The block of an array that is kept, to whoever asks: it will serve no other one."""
        return self._blocks.pop(place.address)


def _base(array):
    """What an array's numbers belong to."""
    while isinstance(array, numpy.ndarray) and array.base is not None:
        array = array.base
    return array
