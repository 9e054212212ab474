"""The address of an array's data, in compiled code."""

from .lazy import intrinsic, lazy_import

__all__ = ["address"]

ir, types = lazy_import("llvmlite.ir"), lazy_import("numba.types")


@intrinsic
def address(typing, array):
    """The address of an array's first element."""

    def code(context, builder, sig, args):
        return builder.ptrtoint(context.make_array(array)(context, builder, args[0]).data, ir.IntType(64))

    return types.intp(array), code
