"""What compiled code calls of Numba's own libraries, written again, for these are loaded with Numba alone.

It is little: arrays that compiled code makes begin with who refers to them and where their numbers are, as Numba has
it, and are made and let go here. The names and forms are Numba's.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils

__all__ = ["NAMES", "define"]

NAMES = ("NRT_MemInfo_alloc_aligned", "NRT_MemInfo_call_dtor", "numba_attempt_nocopy_reshape")

_BYTE, _SIZE, _NUMBER = ir.IntType(8).as_pointer(), ir.IntType(64), ir.IntType(32)
_HEAD = 64  # bytes before the numbers of an array: enough for Numba's description of it, which takes 48
_REFERRED, _DATA = 0, 24  # where that has the count of those who refer to the array, and its numbers' address


def define(module: Any) -> None:
    """Write these functions into a module."""
    _define_alloc(module)
    _define_free(module)
    _define_reshape(module)


def _begin(module, name, result, *arguments):
    function = ir.Function(module, ir.FunctionType(result, arguments), name)
    return ir.IRBuilder(function.append_basic_block()), function.args


def _define_alloc(module):
    """An array of so many bytes, whose address is a multiple of the second number; NULL where there is no memory."""
    builder, (size, align) = _begin(module, "NRT_MemInfo_alloc_aligned", _BYTE, _SIZE, _NUMBER)
    align = builder.zext(align, _SIZE)
    malloc = cgutils.get_or_insert_function(module, ir.FunctionType(_BYTE, [_SIZE]), "malloc")
    made = builder.call(malloc, [builder.add(size, builder.add(align, _SIZE(_HEAD)))])
    with builder.if_then(cgutils.is_not_null(builder, made)):
        begin = builder.add(builder.ptrtoint(made, _SIZE), _SIZE(_HEAD))
        begin = builder.mul(builder.udiv(builder.add(begin, builder.sub(align, _SIZE(1))), align), align)
        for offset, value in ((_REFERRED, _SIZE(1)), (_DATA, begin)):
            place = builder.bitcast(builder.gep(made, [_SIZE(offset)]), _SIZE.as_pointer())
            builder.store(value, place)
    builder.ret(made)


def _define_free(module):
    """Nobody refers to an array any more."""
    builder, (array,) = _begin(module, "NRT_MemInfo_call_dtor", ir.VoidType(), _BYTE)
    free = cgutils.get_or_insert_function(module, ir.FunctionType(ir.VoidType(), [_BYTE]), "free")
    builder.call(free, [array])
    builder.ret_void()


def _define_reshape(module):
    """The steps of an array in C order after its axes have become others; in no other order does Numba ask for it."""
    sizes = _SIZE.as_pointer()
    forms = _SIZE, sizes, sizes, _SIZE, sizes, sizes, _SIZE, _NUMBER
    builder, given = _begin(module, "numba_attempt_nocopy_reshape", _NUMBER, *forms)
    count, lengths, steps, size = given[3:7]
    step = cgutils.alloca_once_value(builder, size)
    with cgutils.for_range_slice(builder, builder.sub(count, _SIZE(1)), _SIZE(-1), _SIZE(-1), inc=False) as (axis, _):
        builder.store(builder.load(step), builder.gep(steps, [axis]))
        builder.store(builder.mul(builder.load(step), builder.load(builder.gep(lengths, [axis]))), step)
    builder.ret(_NUMBER(1))
