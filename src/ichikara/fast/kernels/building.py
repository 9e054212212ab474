"""The code of kernels, made by Numba; it is imported where something has to be compiled, and only there.

A kernel becomes a function of C, whose arguments are addresses: one that Python calls, or a link of a `chain`. It reads
them (`objects`), and calls what Numba has made of the kernel.
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
from .deferred import Deferred
from .kept import Code
from .objects import Reader, type_of

__all__ = ["call_at", "called", "link", "part"]

# Sums may be taken in another order and products fused with sums, so that the compiler can work on many numbers at
# once; nan and infinity keep their meaning.
_MATHS = {"reassoc", "contract", "nsz", "arcp"}

_WORD = ir.IntType(64)


def _ask_not_for_scipy():
    """Let Numba begin without SciPy's linear algebra, whose import would be a third of that.

    It asks whether that is there; where it is used, it asks again.
    """
    asked, linalg.ensure_blas = linalg.ensure_blas, lambda: None
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        linalg.ensure_blas = asked


_ask_not_for_scipy()

# --- what compiled code calls -----------------------------------------------------------------------------------------


class _Part(JITCodeLibrary):
    """Code that is only ever linked into other code, where it is optimised and made into the processor's."""

    def finalize(self):
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True

    def _optimize_functions(self, module):
        # So that each is small when it is put into others; Numba would do all that can be done, and then again there.
        module.data_layout = self._codegen._data_layout
        passes, builder = self._codegen._function_pass_manager(opt=1)
        for function in module.functions:
            passes.run(function, builder)

    @property
    def codegen(self):
        return self

    def set_env(self, name, environment):
        """Numba would put there what a function needs that calls Python. These don't."""


class _PartCompiler(Compiler):
    def compile_extra(self, function):
        self.state.library = _Part(self.state.targetctx.codegen(), function.__qualname__)
        return super().compile_extra(function)


class _Makers:
    """What Numba knows of functions that are `Deferred`, by the names that these give."""

    @staticmethod
    def part(function, *, makes_arrays, inlined):
        form = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": _PartCompiler}
        maths = {"fastmath": _MATHS, "error_model": "numpy"}
        return numba.njit(forceinline=inlined, _nrt=makes_arrays, **form, **maths)(function)

    @staticmethod
    def intrinsic(function):
        return numba.extending.intrinsic(function)

    @staticmethod
    def overload(function):
        def stands_for():
            """What Numba finds the function by."""

        numba.extending.overload(stands_for)(function)
        return stands_for


def _made(deferred: Deferred) -> Any:
    if deferred.made is None:
        deferred.made = getattr(_Makers, deferred.made_by)(deferred.function, **deferred.options)
        cpu_target.typing_context.refresh()  # it has been made known to Numba
        cpu_target.target_context.refresh()
    return deferred.made


@typeof_impl.register(Deferred)
def _type_of_deferred(deferred, context):
    return cpu_target.typing_context.resolve_value_type(_made(deferred))


def call_at(context: Any, builder: Any, form: Any, address: Any, arguments: Sequence) -> tuple[Any, Any]:
    """Call the compiled function of a form that lies at an address: how it ended, and what it gave."""
    kind = context.call_conv.get_function_type(form.return_type, form.args)
    function = builder.inttoptr(address, kind.as_pointer())
    return context.call_conv.call_function(builder, function, form.return_type, form.args, arguments)


def part(context: Any, function: Deferred, signature: Any) -> Any:
    """The description of an `inner` function, compiled for these types and linked into what is being compiled."""
    found = _made(function).get_compile_result(signature)
    context.active_code_library.add_linking_library(found.library)
    return found.fndesc


# --- a kernel ---------------------------------------------------------------------------------------------------------


def called(name: str, function: Deferred, kinds: tuple) -> Code:
    """The code of a kernel as Python calls it: ``PyObject *name(PyObject *self, PyObject *const *given, Py_ssize_t)``.

    Arguments: ``kinds``, those of what it is called with.
    """

    def write(entry, given):
        reader, byte = entry.reader, ir.IntType(8).as_pointer()
        builder, nothing = reader.builder, _WORD(0)
        values = [reader.value(kind, reader.load(given[1], 8 * k)) for k, kind in enumerate(kinds)]
        with builder.if_then(builder.icmp_unsigned("!=", reader.call("PyErr_Occurred", _WORD), nothing)):
            builder.ret(nothing)  # a number is too large
        lock = reader.call("PyEval_SaveThread", byte)
        status, answer = entry.call(values)
        reader.call("PyEval_RestoreThread", ir.VoidType(), byte, lock)
        with builder.if_then(status.is_error, likely=False):
            kind = ir.GlobalVariable(builder.module, ir.IntType(8), "ichikara_memory_error")
            text = cgutils.global_constant(builder.module, "said", cgutils.make_bytearray(_FAILED))
            reader.call("PyErr_SetString", ir.VoidType(), byte, kind, byte, builder.bitcast(text, byte))
            builder.ret(nothing)
        if entry.gives == types.boolean:
            builder.ret(reader.call("PyBool_FromLong", _WORD, _WORD, builder.zext(answer, _WORD)))
        elif entry.gives == types.none:
            none = ir.GlobalVariable(builder.module, ir.IntType(8), "_Py_NoneStruct")
            reader.call("Py_IncRef", ir.VoidType(), byte, none)
            builder.ret(builder.ptrtoint(none, _WORD))
        else:
            raise TypeError(f"a kernel gives a truth or nothing, and {name} gives {entry.gives}")

    return _code(name, function, [*map(type_of, kinds)], 3, write)


_FAILED = b"a kernel has failed, most likely for want of memory\0"


def link(name: str, function: Deferred, kinds: tuple) -> Code:
    """The code of a kernel as a link of a `chain`: ``int64 name(address of a tuple of arrays, address of numbers)``.

    Arguments: ``kinds``, those of what it is called with: arrays in C order, whole numbers, and None.
    """
    numbers = [*map(type_of, kinds)]

    def write(entry, given):
        reader, at = entry.reader, 0
        builder, values = reader.builder, []

        def number():
            nonlocal at
            at += 1
            return reader.load(given[1], 8 * (at - 1))

        for kind in numbers:
            if kind == types.none:
                values.append(reader.context.get_dummy_value())
                continue
            value = number()
            if kind != types.intp:
                item = reader.item(given[0], value)
                lengths = [number() for _ in range(kind.ndim)]
                steps = [_WORD(reader.size_of(kind))]
                for length in lengths[:0:-1]:
                    steps.insert(0, builder.mul(steps[0], length))
                value = reader.array(kind, item, lengths, steps[-kind.ndim :] if kind.ndim else [])
            values.append(value)
        _, answer = entry.call(values)
        builder.ret(builder.zext(answer, _WORD) if entry.gives == types.boolean else _WORD(1))

    return _code(name, function, numbers, 2, write)


class _Entry:
    """The function of C while it is written, which calls what has been made of a kernel."""

    def __init__(self, context, module, name, parameters, described, own):
        """Arguments: ``described``, as Numba describes it; ``own``, how many parameters there are before one for the
        rest, None where there is none for that."""
        kind = ir.FunctionType(_WORD, [_WORD] * parameters)
        self.function = ir.Function(module, kind, name)
        self.gives = described.restype
        self.reader = Reader(context, ir.IRBuilder(self.function.append_basic_block()))
        self._described, self._own = described, own

    def call(self, values):
        """Call it: how it ended, and what it gave."""
        context, builder, described = self.reader.context, self.reader.builder, self._described
        if self._own is not None:
            rest = context.make_tuple(builder, described.argtypes[-1], values[self._own :])
            values = [*values[: self._own], rest]
        function = context.declare_function(builder.module, described)
        return context.call_conv.call_function(builder, function, described.restype, described.argtypes, values)


class _Whole(JITCodeLibrary):
    """Code that is not linked into other code; it is kept, and loaded from there, and not by Numba."""

    def _optimize_final_module(self):
        for name in runtime.NAMES:
            self.get_function(name).linkage = "internal"  # so that they go where nothing calls them
        super()._optimize_final_module()

    def _finalize_final_module(self):
        self._finalized = True


@contextmanager
def _uncollected():
    """A block whose objects stay: garbage is not looked for among them, or a compiler would take a tenth longer."""
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
@_uncollected()
def _code(name, function, numbers, parameters, write):
    """A kernel as a function of C.

    Arguments: ``numbers``, the types of what the kernel is called with; ``parameters``, how many the function has;
    ``write``, which writes its instructions, given it and its arguments.
    """
    _say_what_the_wait_is_for()
    typing, context = cpu_target.typing_context, cpu_target.target_context
    typing.refresh()
    context.refresh()
    code, own = function.function.__code__, None
    if code.co_flags & inspect.CO_VARARGS:  # the kernel has parameters of its own, and one for all the rest
        own = code.co_argcount
        numbers = [*numbers[:own], types.StarArgTuple(tuple(numbers[own:]))]
    made = _made(function).get_compile_result(signature(None, *numbers))

    library = _Whole(context.codegen(), name)
    module = library.create_ir_module(name)
    entry = _Entry(context, module, name, parameters, made.fndesc, own)
    write(entry, entry.function.args)
    runtime.define(module)
    library.add_ir_module(module)
    library.add_linking_library(made.library)
    library.finalize()
    final = library._final_module
    for defined in [*final.functions, *final.global_variables]:
        if not defined.is_declaration and defined.name != name:
            defined.linkage = "internal"  # another kernel may have others of these names
    outside = [f.name for f in [*final.functions, *final.global_variables] if f.is_declaration]
    calls = [each for each in outside if not each.startswith("llvm.")]
    return Code(name, calls, library.codegen._tm.emit_object(final))


@cache
def _say_what_the_wait_is_for():
    """Once, to a person at a terminal."""
    if sys.stderr and sys.stderr.isatty():
        print("compiling kernels for this processor; the next run finds them ready …", file=sys.stderr, flush=True)
