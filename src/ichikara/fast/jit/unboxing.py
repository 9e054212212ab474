"""How compiled code unboxes Python's objects: arrays, numbers, None and tuples of these.

Numba can unbox them too, but asks of each object first what it is. Here the types are known before the call, because a
kernel is compiled for them. The objects are laid out as the C interfaces of Python and NumPy say: a header that all
objects have, and then, of a tuple, the items; of an array, the address of its data, the number of its axes, and the
addresses of its shape and its strides.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy

from .lazy import lazy_import

__all__ = ["SUPPORTED", "ArrayType", "Unboxer", "numba_type", "typeof"]

cgutils, ir, types = lazy_import("numba.core.cgutils"), lazy_import("llvmlite.ir"), lazy_import("numba.types")
_numba, _arrays = lazy_import("numba"), lazy_import("numba.np.arrayobj")

_HEADER = object.__basicsize__  # the size of the header in bytes
_DATA, _SHAPE, _STRIDES = _HEADER, _HEADER + 16, _HEADER + 24  # of an array; the number of axes lies between
_ITEMS = tuple.__basicsize__


def _layout_is_known() -> bool:
    """Whether this Python and this NumPy lay out objects as expected."""
    read, array, number = ctypes.c_size_t.from_address, numpy.zeros((3, 5), numpy.int16)[:2, ::2], numpy.int64(1234567)
    items, strides = (array,), array.strides
    shape = [read(read(id(array) + _SHAPE).value + 8 * axis).value for axis in range(2)]
    return (
        ctypes.sizeof(ctypes.c_size_t) == 8
        and read(id(items) + _ITEMS).value == id(array)
        and read(id(array) + _DATA).value == array.ctypes.data
        and shape == [2, 3]
        and [read(read(id(array) + _STRIDES).value + 8 * axis).value for axis in range(2)] == [*strides]
        and read(id(number) + _HEADER).value == 1234567
    )


SUPPORTED = _layout_is_known()
"""Whether kernels can be compiled for this Python; otherwise operations compute without kernels."""


class ArrayType(NamedTuple):
    """The type of an array."""

    dtype: str
    ndim: int
    layout: str
    """"C" or "F", the order in which it is contiguous, or "A", any."""


def typeof(x: Any) -> Any:
    """The type of an argument, on which the code compiled for it relies.

    The type of a tuple consists of those of its items. A number of NumPy's has its type's name, another number or None
    the name of its class.
    """
    if isinstance(x, numpy.ndarray):
        flags = x.flags
        return ArrayType(x.dtype.str, x.ndim, "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A")
    if isinstance(x, tuple):
        return tuple(map(typeof, x))
    if isinstance(x, numpy.generic):
        return x.dtype.str
    if x is None or type(x) in (bool, int, float):
        return type(x).__name__
    raise TypeError(f"compiled code takes arrays, numbers, None and tuples of these, not {type(x).__name__} {x!r}")


_SCALARS: dict[str, Callable[[], Any]] = {
    "bool": lambda: types.boolean,
    "int": lambda: types.intp,
    "float": lambda: types.float64,
    "NoneType": lambda: types.none,
}


def numba_type(kind: Any) -> Any:
    """Numba's type for a type given by `typeof`."""
    if isinstance(kind, ArrayType):
        return types.Array(_numba.from_dtype(numpy.dtype(kind.dtype)), kind.ndim, kind.layout)
    if isinstance(kind, tuple):
        return types.Tuple([*map(numba_type, kind)])
    return _SCALARS[kind]() if kind in _SCALARS else _numba.from_dtype(numpy.dtype(kind))


class Unboxer:
    """Writes the instructions that unbox objects, in a function that runs with Python's lock.

    An object is given by its address, an integer.
    """

    def __init__(self, context: Any, builder: Any):
        self.context, self.builder = context, builder
        self._int64 = ir.IntType(64)

    def unbox(self, kind: Any, item: Any) -> Any:
        """The native value of an object of a type."""
        compiler_type = numba_type(kind)
        if isinstance(kind, ArrayType):
            shape, strides = self.load(item, _SHAPE), self.load(item, _STRIDES)
            sizes, steps = ([self.load(start, 8 * axis) for axis in range(kind.ndim)] for start in (shape, strides))
            return self.array(compiler_type, item, sizes, steps)
        if isinstance(kind, tuple):
            items = [self.unbox(each, self.load(item, _ITEMS + 8 * k)) for k, each in enumerate(kind)]
            return self.context.make_tuple(self.builder, compiler_type, items)
        if kind == "NoneType":
            return self.context.get_dummy_value()
        if kind in _CONVERTERS:
            return self._converted(kind, item)
        pointer = self.builder.inttoptr(self._at(item, _HEADER), self.context.get_data_type(compiler_type).as_pointer())
        return self.context.unpack_value(self.builder, compiler_type, pointer)

    def _converted(self, kind, item):
        name, returned = _CONVERTERS[kind]
        result = self.call(name, returned(), self._int64, item)
        return self.builder.icmp_signed("!=", result, result.type(0)) if kind == "bool" else result

    def array(self, kind: Any, item: Any, shape: Sequence, strides: Sequence) -> Any:
        """A native array of Numba's type ``kind``, with the data of an object and a given shape and strides."""
        view = self.context.make_array(kind)(self.context, self.builder)
        size, data = self._int64(self.item_size(kind)), self.builder.inttoptr(self.load(item, _DATA), view.data.type)
        _arrays.populate_array(view, data, shape, strides, size, None)
        return view._getvalue()

    def item_size(self, kind: Any) -> int:
        """The size in bytes of an element of an array of Numba's type ``kind``."""
        return self.context.get_abi_sizeof(self.context.get_data_type(kind.dtype))

    def item(self, items: Any, position: Any) -> Any:
        """The item of a tuple at a position that is known at run time."""
        return self.load(self.builder.add(items, self.builder.mul(position, self._int64(8))), _ITEMS)

    def load(self, address: Any, offset: int = 0) -> Any:
        """The 64-bit integer at an offset in bytes from an address."""
        return self.builder.load(self.builder.inttoptr(self._at(address, offset), self._int64.as_pointer()))

    def _at(self, address, offset):
        return self.builder.add(address, self._int64(offset))

    def call(self, name: str, result: Any, *arguments: Any) -> Any:
        """Call a C function; ``arguments`` are the type and the value of each of its arguments, in turn."""
        kinds, values = arguments[::2], arguments[1::2]
        function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(result, kinds), name)
        return self.builder.call(function, values)


_CONVERTERS: dict[str, tuple[str, Callable[[], Any]]] = {
    "bool": ("PyObject_IsTrue", lambda: ir.IntType(32)),
    "int": ("PyLong_AsSsize_t", lambda: ir.IntType(64)),
    "float": ("PyFloat_AsDouble", lambda: ir.DoubleType()),
}
