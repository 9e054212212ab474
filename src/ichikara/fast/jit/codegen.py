"""Code generation: Numba compiles a kernel, and the C function around it is written here, in LLVM's instructions.

This module is imported only when something has to be compiled. The C function takes addresses. It is one that Python
calls, or a link of a `chain`. It unboxes the arguments (`unboxing`) and calls what Numba has compiled.
"""

import gc
import importlib
import inspect
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.core.typing import signature
from numba.extending import typeof_impl
from numba.np import linalg

from . import runtime
from .code_cache import ObjectCode
from .lazy import LazyFunction
from .unboxing import Unboxer, numba_type

__all__ = ["call_pointer", "chain_entry", "link_inner", "python_entry"]

# Sums may be reordered and products fused with sums, so that loops can be vectorised; nan and infinity keep their
# meaning.
_FASTMATH = {"reassoc", "contract", "nsz", "arcp"}

_INT64 = ir.IntType(64)


def _skip_scipy_check():
    """Let Numba start without SciPy's linear algebra, whose import would be a third of Numba's own.

    Numba asks for it when it starts; where it is used, Numba asks again.
    """
    original, linalg.ensure_blas = linalg.ensure_blas, lambda: None
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        linalg.ensure_blas = original


_skip_scipy_check()

# --- functions that compiled code calls -------------------------------------------------------------------------------


class _InnerLibrary(JITCodeLibrary):
    """Code that is only linked into other code, where it is optimised and translated to machine code."""

    def finalize(self):
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True

    def _optimize_functions(self, module):
        # Lightly, so that each function is small when it is linked. Numba would optimise fully here, and again there.
        module.data_layout = self._codegen._data_layout
        passes, builder = self._codegen._function_pass_manager(opt=1)
        for function in module.functions:
            passes.run(function, builder)

    @property
    def codegen(self):
        return self

    def set_env(self, name, environment):
        """Numba would store here what a function needs to call Python. These functions do not call it."""


class _InnerCompiler(Compiler):
    def compile_extra(self, function):
        self.state.library = _InnerLibrary(self.state.targetctx.codegen(), function.__qualname__)
        return super().compile_extra(function)


class _Factories:
    """What makes Numba's functions of a `LazyFunction`, by the name of its factory."""

    @staticmethod
    def inner(function, *, makes_arrays, inlined):
        form = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": _InnerCompiler}
        arithmetic = {"fastmath": _FASTMATH, "error_model": "numpy"}
        return numba.njit(forceinline=inlined, _nrt=makes_arrays, **form, **arithmetic)(function)

    @staticmethod
    def intrinsic(function):
        return numba.extending.intrinsic(function)

    @staticmethod
    def overload(function):
        def stub():
            """The function by which Numba finds the overload."""

        numba.extending.overload(stub)(function)
        return stub


def _instance(lazy: LazyFunction) -> Any:
    if lazy.instance is None:
        lazy.instance = getattr(_Factories, lazy.factory)(lazy.function, **lazy.options)
        cpu_target.typing_context.refresh()  # Numba learns of the new function
        cpu_target.target_context.refresh()
    return lazy.instance


@typeof_impl.register(LazyFunction)
def _typeof_lazy_function(lazy, context):
    return cpu_target.typing_context.resolve_value_type(_instance(lazy))


def call_pointer(context: Any, builder: Any, form: Any, address: Any, arguments: Sequence) -> tuple[Any, Any]:
    """Call the compiled function at an address; returns its status and its result.

    Arguments: ``form``, its Numba signature.
    """
    kind = context.call_conv.get_function_type(form.return_type, form.args)
    function = builder.inttoptr(address, kind.as_pointer())
    return context.call_conv.call_function(builder, function, form.return_type, form.args, arguments)


def link_inner(context: Any, function: LazyFunction, form: Any) -> Any:
    """The descriptor of an `inner` function, compiled for a Numba signature and linked into the current code."""
    compiled = _instance(function).get_compile_result(form)
    context.active_code_library.add_linking_library(compiled.library)
    return compiled.fndesc


# --- kernels ----------------------------------------------------------------------------------------------------------


def python_entry(name: str, function: LazyFunction, argument_types: tuple) -> ObjectCode:
    """The code of a kernel that Python calls: ``PyObject *name(PyObject *self, PyObject *const *args, Py_ssize_t)``."""

    def write(entry, parameters):
        unboxer, byte = entry.unboxer, ir.IntType(8).as_pointer()
        builder, null = unboxer.builder, _INT64(0)
        values = [unboxer.unbox(each, unboxer.load(parameters[1], 8 * k)) for k, each in enumerate(argument_types)]
        with builder.if_then(builder.icmp_unsigned("!=", unboxer.call("PyErr_Occurred", _INT64), null)):
            builder.ret(null)  # a number is too large
        lock = unboxer.call("PyEval_SaveThread", byte)
        status, result = entry.call(values)
        unboxer.call("PyEval_RestoreThread", ir.VoidType(), byte, lock)
        with builder.if_then(status.is_error, likely=False):
            error = ir.GlobalVariable(builder.module, ir.IntType(8), "ichikara_memory_error")
            text = cgutils.global_constant(builder.module, "message", cgutils.make_bytearray(_MESSAGE))
            unboxer.call("PyErr_SetString", ir.VoidType(), byte, error, byte, builder.bitcast(text, byte))
            builder.ret(null)
        if entry.return_type == types.boolean:
            builder.ret(unboxer.call("PyBool_FromLong", _INT64, _INT64, builder.zext(result, _INT64)))
        elif entry.return_type == types.none:
            none = ir.GlobalVariable(builder.module, ir.IntType(8), "_Py_NoneStruct")
            unboxer.call("Py_IncRef", ir.VoidType(), byte, none)
            builder.ret(builder.ptrtoint(none, _INT64))
        else:
            raise TypeError(f"a kernel returns a bool or None, and {name} returns {entry.return_type}")

    return _compile_entry(name, function, [*map(numba_type, argument_types)], 3, write)


_MESSAGE = b"a kernel failed, most likely because memory ran out\0"


def chain_entry(name: str, function: LazyFunction, argument_types: tuple) -> ObjectCode:
    """The code of a kernel as a link of a `chain`: ``int64 name(address of a tuple of arrays, address of numbers)``.

    Arguments: ``argument_types``, of arrays in C order, integers and None.
    """
    compiler_types = [*map(numba_type, argument_types)]

    def write(entry, parameters):
        unboxer, position = entry.unboxer, 0
        builder, values = unboxer.builder, []

        def next_number():
            nonlocal position
            position += 1
            return unboxer.load(parameters[1], 8 * (position - 1))

        for kind in compiler_types:
            if kind == types.none:
                values.append(unboxer.context.get_dummy_value())
                continue
            value = next_number()
            if kind != types.intp:
                item = unboxer.item(parameters[0], value)
                shape = [next_number() for _ in range(kind.ndim)]
                strides = [_INT64(unboxer.item_size(kind))]
                for length in shape[:0:-1]:
                    strides.insert(0, builder.mul(strides[0], length))
                value = unboxer.array(kind, item, shape, strides[-kind.ndim :] if kind.ndim else [])
            values.append(value)
        _, result = entry.call(values)
        builder.ret(builder.zext(result, _INT64) if entry.return_type == types.boolean else _INT64(1))

    return _compile_entry(name, function, compiler_types, 2, write)


class _Entry:
    """The C function that is being written, which calls what Numba has compiled of a kernel."""

    def __init__(self, context, module, name, parameters, descriptor, fixed):
        """Arguments: ``descriptor``, Numba's of the kernel; ``fixed``, how many parameters the kernel has before
        ``*args``, None where it has no ``*args``."""
        kind = ir.FunctionType(_INT64, [_INT64] * parameters)
        self.function = ir.Function(module, kind, name)
        self.return_type = descriptor.restype
        self.unboxer = Unboxer(context, ir.IRBuilder(self.function.append_basic_block()))
        self._descriptor, self._fixed = descriptor, fixed

    def call(self, values):
        """Call the kernel; returns its status and its result."""
        context, builder, descriptor = self.unboxer.context, self.unboxer.builder, self._descriptor
        if self._fixed is not None:
            rest = context.make_tuple(builder, descriptor.argtypes[-1], values[self._fixed :])
            values = [*values[: self._fixed], rest]
        function = context.declare_function(builder.module, descriptor)
        return context.call_conv.call_function(builder, function, descriptor.restype, descriptor.argtypes, values)


class _EntryLibrary(JITCodeLibrary):
    """Code that is not linked into other code. It is cached and loaded by `code_cache`, not by Numba."""

    def _optimize_final_module(self):
        for name in runtime.NAMES:
            self.get_function(name).linkage = "internal"  # so that they are removed where nothing calls them
        super()._optimize_final_module()

    def _finalize_final_module(self):
        self._finalized = True


@contextmanager
def _without_gc():
    """A block without garbage collection, which would cost a tenth of the time: the block's objects stay alive."""
    if not gc.isenabled() or gc.get_freeze_count():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()  # into the oldest generation, without a look at them
        gc.enable()


@global_compiler_lock
@_without_gc()
def _compile_entry(name, function, compiler_types, parameters, write):
    """The object code of a kernel as a C function.

    Arguments: ``compiler_types``, Numba's of the kernel's arguments; ``parameters``, how many the C function has;
    ``write``, which writes its instructions, given the `_Entry` and the parameters.
    """
    _announce_compilation()
    typing, context = cpu_target.typing_context, cpu_target.target_context
    typing.refresh()
    context.refresh()
    code, fixed = function.function.__code__, None
    if code.co_flags & inspect.CO_VARARGS:
        fixed = code.co_argcount
        compiler_types = [*compiler_types[:fixed], types.StarArgTuple(tuple(compiler_types[fixed:]))]
    compiled = _instance(function).get_compile_result(signature(None, *compiler_types))

    library = _EntryLibrary(context.codegen(), name)
    module = library.create_ir_module(name)
    entry = _Entry(context, module, name, parameters, compiled.fndesc, fixed)
    write(entry, entry.function.args)
    runtime.define(module)
    library.add_ir_module(module)
    library.add_linking_library(compiled.library)
    library.finalize()
    final = library._final_module
    for symbol in [*final.functions, *final.global_variables]:
        if not symbol.is_declaration and symbol.name != name:
            symbol.linkage = "internal"  # another kernel may have symbols of the same names
    undefined = [symbol.name for symbol in [*final.functions, *final.global_variables] if symbol.is_declaration]
    externals = [each for each in undefined if not each.startswith("llvm.")]
    return ObjectCode(name, externals, library.codegen._tm.emit_object(final))


@cache
def _announce_compilation():
    """Tell a person at a terminal, once, what the wait is for."""
    if sys.stderr and sys.stderr.isatty():
        print("compiling kernels for this processor; the next run finds them ready …", file=sys.stderr, flush=True)
