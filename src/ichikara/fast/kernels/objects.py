"""How compiled code reads Python's objects: arrays, numbers, None and tuples of these.

Numba has code for that too, which asks of each object first what it is. Here that has been found out before: what is
compiled is for arguments of certain *kinds*. Python's tuples and NumPy's arrays begin as their interfaces for C say:
with what all objects have, and then the items, or where the numbers are, how many axes there are, and where their
lengths and steps are.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy

from .deferred import later

__all__ = ["POSSIBLE", "ArrayKind", "Reader", "kind_of", "type_of"]

cgutils, ir, types = later("numba.core.cgutils"), later("llvmlite.ir"), later("numba.types")
_numba, _arrays = later("numba"), later("numba.np.arrayobj")

_BEGIN = object.__basicsize__  # where what is an object's own begins, in bytes
_DATA, _LENGTHS, _STEPS = _BEGIN, _BEGIN + 16, _BEGIN + 24  # of an array, with the number of axes between
_ITEMS = tuple.__basicsize__


def _are_there() -> bool:
    """Whether all of it is found where this Python and this NumPy should have it."""
    at, array, number = ctypes.c_size_t.from_address, numpy.zeros((3, 5), numpy.int16)[:2, ::2], numpy.int64(1234567)
    row, steps = (array,), array.strides
    lengths = [at(at(id(array) + _LENGTHS).value + 8 * axis).value for axis in range(2)]
    return (
        ctypes.sizeof(ctypes.c_size_t) == 8
        and at(id(row) + _ITEMS).value == id(array)
        and at(id(array) + _DATA).value == array.ctypes.data
        and lengths == [2, 3]
        and [at(at(id(array) + _STEPS).value + 8 * axis).value for axis in range(2)] == [*steps]
        and at(id(number) + _BEGIN).value == 1234567
    )


POSSIBLE = _are_there()
"""Whether there can be compiled code for this Python; without it operations do what they do without kernels."""


class ArrayKind(NamedTuple):
    """The kind of an array."""

    dtype: str
    ndim: int
    layout: str
    """"C" or "F", in whose order it is without gaps, or "A", any."""


def kind_of(x: Any) -> Any:
    """The kind of an argument: what code that is compiled for it may rely on.

    Of a tuple it is that of its items, of a number of NumPy's its type's name, of another number or None its class.
    """
    if isinstance(x, numpy.ndarray):
        flags = x.flags
        return ArrayKind(x.dtype.str, x.ndim, "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A")
    if isinstance(x, tuple):
        return tuple(map(kind_of, x))
    if isinstance(x, numpy.generic):
        return x.dtype.str
    if x is None or type(x) in (bool, int, float):
        return type(x).__name__
    raise TypeError(f"compiled code takes arrays, numbers, None and tuples of these, not {type(x).__name__} {x!r}")


_NAMED: dict[str, Callable[[], Any]] = {
    "bool": lambda: types.boolean,
    "int": lambda: types.intp,
    "float": lambda: types.float64,
    "NoneType": lambda: types.none,
}


def type_of(kind: Any) -> Any:
    """The compiler's type of a kind."""
    if isinstance(kind, ArrayKind):
        return types.Array(_numba.from_dtype(numpy.dtype(kind.dtype)), kind.ndim, kind.layout)
    if isinstance(kind, tuple):
        return types.Tuple([*map(type_of, kind)])
    return _NAMED[kind]() if kind in _NAMED else _numba.from_dtype(numpy.dtype(kind))


class Reader:
    """Reads objects, in the instructions of a function that Python's lock is held for.

    An object is named by its address, as a number.
    """

    def __init__(self, context: Any, builder: Any):
        self.context, self.builder = context, builder
        self._word = ir.IntType(64)

    def value(self, kind: Any, item: Any) -> Any:
        """What compiled code takes as an argument of this kind, of an object."""
        number = type_of(kind)
        if isinstance(kind, ArrayKind):
            lengths, steps = self.load(item, _LENGTHS), self.load(item, _STEPS)
            every = range(kind.ndim)
            return self.array(number, item, *([self.load(at, 8 * axis) for axis in every] for at in (lengths, steps)))
        if isinstance(kind, tuple):
            items = [self.value(each, self.load(item, _ITEMS + 8 * k)) for k, each in enumerate(kind)]
            return self.context.make_tuple(self.builder, number, items)
        if kind == "NoneType":
            return self.context.get_dummy_value()
        if kind in _CALLED:
            return self._called(kind, item)
        place = self.builder.inttoptr(self._after(item, _BEGIN), self.context.get_data_type(number).as_pointer())
        return self.context.unpack_value(self.builder, number, place)

    def _called(self, kind, item):
        name, result = _CALLED[kind]
        found = self.call(name, result(), self._word, item)
        return self.builder.icmp_signed("!=", found, found.type(0)) if kind == "bool" else found

    def array(self, kind: Any, item: Any, lengths: Sequence, steps: Sequence) -> Any:
        """An array of the compiler's type ``kind``, of the object and of numbers for its axes."""
        made = self.context.make_array(kind)(self.context, self.builder)
        size, data = self._word(self.size_of(kind)), self.builder.inttoptr(self.load(item, _DATA), made.data.type)
        _arrays.populate_array(made, data, lengths, steps, size, None)
        return made._getvalue()

    def size_of(self, kind: Any) -> int:
        """How many bytes a number of an array of the compiler's type ``kind`` takes."""
        return self.context.get_abi_sizeof(self.context.get_data_type(kind.dtype))

    def item(self, row: Any, position: Any) -> Any:
        """An item of a tuple at a position that compiled code knows."""
        return self.load(self.builder.add(row, self.builder.mul(position, self._word(8))), _ITEMS)

    def load(self, address: Any, offset: int = 0) -> Any:
        """The number of 64 bits that lies so many bytes after an address."""
        return self.builder.load(self.builder.inttoptr(self._after(address, offset), self._word.as_pointer()))

    def _after(self, address, offset):
        return self.builder.add(address, self._word(offset))

    def call(self, name: str, result: Any, *given: Any) -> Any:
        """Call a function of C; ``given`` are the types of its arguments and they, in turn."""
        kinds, values = given[::2], given[1::2]
        function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(result, kinds), name)
        return self.builder.call(function, values)


_CALLED: dict[str, tuple[str, Callable[[], Any]]] = {
    "bool": ("PyObject_IsTrue", lambda: ir.IntType(32)),
    "int": ("PyLong_AsSsize_t", lambda: ir.IntType(64)),
    "float": ("PyFloat_AsDouble", lambda: ir.DoubleType()),
}
