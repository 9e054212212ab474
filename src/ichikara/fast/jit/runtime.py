"""The functions of Numba's runtime library that compiled code calls, written again: Numba alone loads the library.

They are few. An array that compiled code allocates begins with a header, which has its reference count and the address
of its data, as Numba lays it out. It is allocated and freed here. The names and signatures are Numba's.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils

__all__ = ["NAMES", "define"]

NAMES = ("NRT_MemInfo_alloc_aligned", "NRT_MemInfo_call_dtor", "numba_attempt_nocopy_reshape")

_BYTE, _INT64, _INT32 = ir.IntType(8).as_pointer(), ir.IntType(64), ir.IntType(32)
_HEADER = 64  # bytes before the data: enough for Numba's header, which takes 48
_REFCOUNT, _DATA = 0, 24  # the offsets of the reference count and of the data's address in the header


def define(module: Any) -> None:
    """Write these functions into a module."""
    _define_alloc(module)
    _define_free(module)
    _define_reshape(module)


def _new_function(module, name, result, *arguments):
    function = ir.Function(module, ir.FunctionType(result, arguments), name)
    return ir.IRBuilder(function.append_basic_block()), function.args


def _define_alloc(module):
    """Allocate an array of ``size`` bytes, aligned to ``align`` bytes; NULL where memory runs out."""
    builder, (size, align) = _new_function(module, "NRT_MemInfo_alloc_aligned", _BYTE, _INT64, _INT32)
    align = builder.zext(align, _INT64)
    malloc = cgutils.get_or_insert_function(module, ir.FunctionType(_BYTE, [_INT64]), "malloc")
    block = builder.call(malloc, [builder.add(size, builder.add(align, _INT64(_HEADER)))])
    with builder.if_then(cgutils.is_not_null(builder, block)):
        data = builder.add(builder.ptrtoint(block, _INT64), _INT64(_HEADER))
        data = builder.mul(builder.udiv(builder.add(data, builder.sub(align, _INT64(1))), align), align)
        for offset, value in ((_REFCOUNT, _INT64(1)), (_DATA, data)):
            pointer = builder.bitcast(builder.gep(block, [_INT64(offset)]), _INT64.as_pointer())
            builder.store(value, pointer)
    builder.ret(block)


def _define_free(module):
    """Free an array that nothing refers to."""
    builder, (array,) = _new_function(module, "NRT_MemInfo_call_dtor", ir.VoidType(), _BYTE)
    free = cgutils.get_or_insert_function(module, ir.FunctionType(ir.VoidType(), [_BYTE]), "free")
    builder.call(free, [array])
    builder.ret_void()


def _define_reshape(module):
    """The strides of an array in C order after a reshape; Numba asks for no other order."""
    pointer = _INT64.as_pointer()
    parameters = _INT64, pointer, pointer, _INT64, pointer, pointer, _INT64, _INT32
    builder, arguments = _new_function(module, "numba_attempt_nocopy_reshape", _INT32, *parameters)
    count, shape, strides, size = arguments[3:7]
    step = cgutils.alloca_once_value(builder, size)
    last, stop = builder.sub(count, _INT64(1)), _INT64(-1)
    with cgutils.for_range_slice(builder, last, stop, _INT64(-1), inc=False) as (axis, _):
        builder.store(builder.load(step), builder.gep(strides, [axis]))
        builder.store(builder.mul(builder.load(step), builder.load(builder.gep(shape, [axis]))), step)
    builder.ret(_INT32(1))
