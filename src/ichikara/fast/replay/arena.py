"""Memory for arrays that lie at the same addresses in each replay."""

import threading
from collections.abc import Callable
from math import prod
from typing import Any
from weakref import finalize, ref

import numpy

from ..workspace import Constant

__all__ = ["Arena", "Buffer", "DedicatedBuffers", "map_parts"]


class _Own(threading.local):
    arena: Any = None  # a weak reference


_own = _Own()
_LINE = 64  # bytes of a cache line
_MAX_WASTE = 4  # how many times as large as needed a block may be


class Buffer:
    """The memory of one value, from the instruction that makes it to the last one that needs it.

    A buffer does not own its memory. An array in it, or a view of such an array, has the buffer as its base.

    Attributes: ``number``, by which buffers are told apart; the aliases of an array have the number of its buffer, too;
    ``size``, in bytes.
    """

    def __init__(self, arena: "Arena", number: int, address: int, size: int, shape, dtype, strides, read_only=False):
        self.arena, self.number, self.address, self.size = arena, number, address, size
        data = {"data": (address, read_only), "shape": shape, "typestr": dtype.str, "strides": strides, "version": 3}
        self.__array_interface__ = data


class Arena:
    """The memory of a thread's plans: blocks, each of which serves one buffer after the other.

    The lifetime of a buffer ends when the last reference to its array, or to a view of that, is gone; then the block
    is free again. An `alias` is another array in the same memory that does not extend this lifetime.
    """

    def __init__(self):
        self._blocks: list = []
        self._free: list[tuple[int, int]] = []  # the sizes and addresses of free blocks
        self._count = 0  # of buffers

    def empty(self, shape: Any, dtype: Any) -> Any:
        """An uninitialised array in C order, in a new buffer."""
        dtype, shape = numpy.dtype(dtype), (shape,) if isinstance(shape, int) else tuple(map(int, shape))
        needed = -(-max(prod(shape) * dtype.itemsize, 1) // _LINE) * _LINE
        block = min((block for block in self._free if needed <= block[0] <= _MAX_WASTE * needed), default=None)
        if block is None:
            memory, address = _aligned(needed)
            self._blocks.append(memory)
            block = needed, address
        else:
            self._free.remove(block)
        array = self._array(block[1], needed, shape, dtype, None)
        finalize(array, self._free.append, block).atexit = False
        return array

    @staticmethod
    def of_this_thread() -> "Arena":
        """The arena of the calling thread, which lives as long as one of its plans."""
        arena = _own.arena and _own.arena()
        if arena is None:
            arena = Arena()
            _own.arena = ref(arena)
        return arena

    def external(self, array: Any) -> Any:
        """An alias of an array outside of the arena, in a buffer of its own; any other value as it is.

        The caller guarantees that the array stays where it is.
        """
        if type(array) is not numpy.ndarray or array.dtype.hasobject:
            return array
        read_only = not array.flags.writeable
        return self._array(array.ctypes.data, array.nbytes, array.shape, array.dtype, array.strides, read_only)

    def _array(self, *where):
        self._count += 1
        return numpy.asarray(Buffer(self, self._count, *where))

    def buffer_of(self, array: Any) -> Any:
        """The buffer of an array; None for an array outside of the arena, and for what is no array."""
        base = _base(array)
        return base if isinstance(base, Buffer) and base.arena is self else None

    def is_fixed(self, array: Any) -> bool:
        """Whether an array lies at the same address in each replay."""
        return isinstance(_base(array), Constant) or self.buffer_of(array) is not None

    def alias(self, array: Any, offset: int = 0) -> Any:
        """An alias of an array of the arena, ``offset`` bytes away; any other value as it is."""
        buffer = self.buffer_of(array)
        if buffer is None:
            return array
        address, read_only = array.ctypes.data + offset, not array.flags.writeable
        where = address, buffer.size, array.shape, array.dtype, array.strides, read_only
        return numpy.asarray(Buffer(self, buffer.number, *where))


class DedicatedBuffers:
    """Memory of its own for each of some buffers, which moves there from the next replay on.

    A block will not do for these, since other plans write to it.
    """

    def __init__(self, arena: Arena, buffers: dict[int, Buffer]):
        """Arguments: ``buffers``, by their numbers."""
        self._arena = arena
        self._moved = {number: (buffer, *_aligned(buffer.size)) for number, buffer in buffers.items()}

    def relocated(self, value: Any) -> Any:
        """An alias of an array at its new address, also in tuples and lists; any other value as it is."""
        if isinstance(value, tuple | list):
            return map_parts(self.relocated, value)
        buffer = self._arena.buffer_of(value)
        if buffer is None or buffer.number not in self._moved:
            return value
        old, _, address = self._moved[buffer.number]
        return self._arena.alias(value, address - old.address)

    def copied(self, array: Any) -> tuple[Any, Any]:
        """A copy of an array at its new address, which owns the memory; and this memory."""
        old, memory, address = self._moved[self._arena.buffer_of(array).number]
        offset = address - memory.ctypes.data + array.ctypes.data - old.address
        copy = numpy.ndarray(array.shape, array.dtype, memory, offset, array.strides)
        numpy.copyto(copy, array)
        return copy, memory


def map_parts(function: Callable, parts: Any) -> Any:
    """A tuple or a list of the same kind, with the function applied to each part."""
    make = getattr(type(parts), "_make", type(parts))  # that of a named tuple
    return make(map(function, parts))


def _aligned(size):
    """New memory, and the address of the first whole cache line in it."""
    memory = numpy.empty(size + _LINE, numpy.uint8)
    return memory, -(-memory.ctypes.data // _LINE) * _LINE


def _base(array):
    """The object that owns the memory of an array."""
    while isinstance(array, numpy.ndarray) and array.base is not None:
        array = array.base
    return array
