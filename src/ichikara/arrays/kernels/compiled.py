"""How the kernels are compiled, what they share out among threads, and the functions of numbers that they use."""

import hashlib
import math
import sys
import warnings
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
import numpy
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.event import Listener, register
from numba.core.runtime._nrt_python import c_helpers
from numba.extending import intrinsic as _intrinsic
from numba.extending import overload, typeof_impl

intrinsic: Any = _intrinsic  # whose form differs from that of what it decorates

__all__ = [
    "call_at",
    "compiled",
    "copy",
    "exp",
    "inner",
    "intrinsic",
    "larger",
    "maximum",
    "named",
    "part",
    "sigmoid",
    "tanh",
]

# Sums may be taken in another order and products fused with sums, so that the compiler can work on many numbers at
# once; nan and infinity keep their meaning.
_MATHS = {"reassoc", "contract", "nsz", "arcp"}


def compiled(function=None, *, makes_arrays=False):
    """Decorator: compile with Numba, to run without Python's lock, and keep the result on disk for the next time.

    It is called from Python alone: what compiled code calls is `inner`, for of a kernel from disk there is nothing that
    could be linked into others.

    Who calls a kernel holds what it is given until it ends. So the compiled code does not count who refers to an array,
    which would cost more than a short row of numbers, and it makes none; unless it says so: ``makes_arrays=True``.
    """
    if function is None:
        return partial(compiled, makes_arrays=makes_arrays)
    made = numba.njit(nogil=True, no_cfunc_wrapper=True, **_options(makes_arrays))(function)
    try:
        made._cache = _Cache(function)
    except RuntimeError as error:
        if "cache" not in str(error):
            raise
        _say_that_nothing_is_kept()
    return made


def _options(makes_arrays) -> dict[str, Any]:
    return {"fastmath": _MATHS, "error_model": "numpy", "_nrt": makes_arrays}


def named(made, function, more=""):
    """A function that was made here, under the name of the one it was made of: by that the cache on disk knows it."""
    made.__module__, made.__name__ = function.__module__, function.__name__ + more
    made.__qualname__ = f"{made.__module__}.{made.__name__}"
    return made


class _Kept(CompileResultCacheImpl):
    """What is kept of a kernel: the processor's code alone.

    Numba keeps, and reads each time, what it would need to compile the kernel into others and to call Python from it,
    which takes most of the time of loading.
    """

    def reduce(self, data):
        makes_arrays = any(function.name.startswith("NRT_") for function in data.library._final_module.functions)
        (name, kind, (code, _)), *others, _, _ = super().reduce(data)
        nothing = llvmlite.binding.parse_assembly("").as_bitcode()
        return (name, kind, (code, nothing)), *others, (_let_make_arrays,) if makes_arrays else (), ()

    def rebuild(self, target_context, payload):
        _, description, environment, *_ = payload
        names = description.llvm_func_name, description.llvm_cpython_wrapper_name, environment.env_name
        target_context.codegen()._engine._defined_symbols.update(names)  # which would have been read
        return super().rebuild(target_context, payload)


def _let_make_arrays():
    """Name the functions that compiled code makes arrays by, without which code that does so cannot be loaded.

    Numba would compile others too, which are in the kernel already.
    """
    for name, address in c_helpers.items():
        llvmlite.binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


class _Cache(FunctionCache):
    """Where kernels are kept on disk."""

    _impl_class = _Kept

    def __init__(self, function):
        super().__init__(function)
        # Numba asks whether the kernel's own file is as it was, and code was taken over from others.
        self._cache_file._source_stamp = (self._cache_file._source_stamp, _stamp_of_all())

    def _index_key(self, signature, codegen):
        return signature, codegen.magic_tuple()  # and not what the function has taken from around it: see above

    # Numba's own first imports all that compiling needs, which takes longer than to load what was compiled before.
    def load_overload(self, sig, target_context):
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


@cache
def _stamp_of_all():
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


class _Part(JITCodeLibrary):
    """Code that is only ever linked into other code, where it is optimised and made into the processor's."""

    def finalize(self):
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True

    @property
    def codegen(self):
        return self

    def set_env(self, name, environment):
        """Numba would put there what a function needs that calls Python. These don't."""


class _PartCompiler(Compiler):
    def compile_extra(self, function):
        self.state.library = _Part(self.state.targetctx.codegen(), function.__qualname__)
        return super().compile_extra(function)


_PART: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": _PartCompiler}


def inner(function=None, *, makes_arrays=False, inlined=False):
    """Decorator: compile what only other compiled functions call; it is kept on disk as a part of those.

    Arguments: ``makes_arrays``, as of `compiled`; ``inlined``, True to be put where it is called, however long it is.
    """
    if function is None:
        return partial(inner, makes_arrays=makes_arrays, inlined=inlined)
    return _Inner(function, {"forceinline": inlined, **_PART, **_options(makes_arrays)})


class _Inner:
    """A function that is made ready for the compiler when that asks for it: not where all comes from disk."""

    def __init__(self, function, options):
        self._function, self._options = function, options

    @cached_property
    def for_numba(self):
        return numba.njit(**self._options)(self._function)


@typeof_impl.register(_Inner)
def _type_of_inner(inner, context):
    return types.Dispatcher(inner.for_numba)


def call_at(context, builder, form, address, arguments):
    """Call the compiled function of a form that lies at an address: how it ended, and what it gave."""
    kind = context.call_conv.get_function_type(form.return_type, form.args)
    function = builder.inttoptr(address, kind.as_pointer())
    return context.call_conv.call_function(builder, function, form.return_type, form.args, arguments)


def part(context, function, signature):
    """The description of an `inner` function, compiled for these types and linked into what is being compiled."""
    found = function.for_numba.get_compile_result(signature)
    context.active_code_library.add_linking_library(found.library)
    return found.fndesc


@cache
def _say_that_nothing_is_kept():
    warnings.warn(
        "compiled kernels cannot be kept, for neither the package's folder nor the user's cache can be written; each "
        "run compiles them anew (set NUMBA_CACHE_DIR to a folder that can be written)",
        stacklevel=4,
    )


class _Saying(Listener):
    """Says once, to a person at a terminal, what the wait is for."""

    said = False

    def on_start(self, event):
        if not self.said and sys.stderr and sys.stderr.isatty():
            print("compiling kernels for this processor; the next run finds them ready …", file=sys.stderr, flush=True)
        self.said = True

    def on_end(self, event):
        pass


register("numba:compile", _Saying())


@inner
def copy(out, x):
    """Copy a row of numbers; in compiled code, where an assignment of arrays would count who refers to them."""
    for j in range(x.size):
        out[j] = x[j]


# --- functions of one number ------------------------------------------------------------------------------------------
# The C library's are called number by number. A polynomial is computed for sixteen numbers at once.


def exp(x):
    """The exponential; in float32 within 2 units of the last place."""
    return math.exp(x)


@overload(exp)
def _exp(x):
    return _exp32 if x == types.float32 else lambda x: math.exp(x)


_LOG2_E = numpy.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = numpy.float32(0.693359375), numpy.float32(-2.12194440e-4)
_LOWEST, _HIGHEST = numpy.float32(-87.3), numpy.float32(89.0)  # there 2^k is 0 already, or the result infinite


@intrinsic
def _added(typing, x, a, b):
    """x + a b, for a sum whose order must not be changed."""

    def code(context, builder, signature, arguments):
        number = arguments[0].type
        kind = f"llvm.fmuladd.f{x.bitwidth}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(number, [number] * 3), kind)
        return builder.call(function, [*arguments[1:], arguments[0]])

    return x(x, x, x), code


def _exp32(x):
    # e^x = 2^k e^r with k the nearest whole number to x / ln 2; then |r| <= ln 2 / 2, and a polynomial will do.
    # ln 2 is taken off in two parts, so that r keeps its digits (W. Cody and W. Waite 1980). 2^k is made of its bits,
    # as 2 2^(k-1), because 2^128 has none. math.floor would give a whole number of 64 bits, of which AVX2 makes no
    # vectors: with it this took four times as long. nan is not beyond the bounds, and stays nan to the end.
    one, half = numpy.float32(1.0), numpy.float32(0.5)
    inside = _HIGHEST if x > _HIGHEST else x
    inside = _LOWEST if inside < _LOWEST else inside
    k = numpy.floor(inside * _LOG2_E + half)
    r = _added(_added(inside, -k, _LN2_HIGH), -k, _LN2_LOW)
    p = numpy.float32(1.9875691500e-4)
    p = p * r + numpy.float32(1.3981999507e-3)
    p = p * r + numpy.float32(8.3334519073e-3)
    p = p * r + numpy.float32(4.1665795894e-2)
    p = p * r + numpy.float32(1.6666665459e-1)
    p = p * r + numpy.float32(5.0000001201e-1)
    p = p * r * r + r + one
    power = numpy.int32((numpy.int32(k) + numpy.int32(126)) << numpy.int32(23)).view(numpy.float32)
    return p * power * numpy.float32(2.0)


def tanh(x):
    """The hyperbolic tangent; in float32 within 5 units of the last place."""
    return math.tanh(x)


@overload(tanh)
def _tanh(x):
    return _tanh32 if x == types.float32 else lambda x: math.tanh(x)


_FLAT = numpy.float32(7.90531111)


def _tanh32(x):
    # The quotient of an odd and an even polynomial; beyond 7.9 it is 1 to the last place.
    # Source: the coefficients are those of Eigen's and XLA's approximation.
    u = _FLAT if x > _FLAT else x  # nan stays
    u = -_FLAT if u < -_FLAT else u
    s = u * u
    p = numpy.float32(-2.76076847742355e-16)
    p = p * s + numpy.float32(2.00018790482477e-13)
    p = p * s + numpy.float32(-8.60467152213735e-11)
    p = p * s + numpy.float32(5.12229709037114e-08)
    p = p * s + numpy.float32(1.48572235717979e-05)
    p = p * s + numpy.float32(6.37261928875436e-04)
    p = p * s + numpy.float32(4.89352455891786e-03)
    q = numpy.float32(1.19825839466702e-06)
    q = q * s + numpy.float32(1.18534705686654e-04)
    q = q * s + numpy.float32(2.26843463243900e-03)
    q = q * s + numpy.float32(4.89352518554385e-03)
    y = u * p / q
    y = numpy.float32(1.0) if x > _FLAT else y
    return numpy.float32(-1.0) if x < -_FLAT else y


def sigmoid(x):
    """The logistic sigmoid; e to a large power is infinite, and the quotient then 0."""
    return 1 / (1 + math.exp(-x))


@overload(sigmoid)
def _sigmoid(x):
    one = numpy.float32(1) if x == types.float32 else 1.0
    return lambda x: one / (one + exp(-x))


@intrinsic
def larger(typing, a, b):
    """The larger of two numbers, nan if one of them is; in compiled code.

    For the largest of a row the compiler then looks at many at once. With Python's max, which says nothing of nan, it
    looks at one after the other: a third of the time of a softmax.
    """

    def code(context, builder, signature, arguments):
        return maximum(builder, f"f{a.bitwidth}", *arguments)

    return a(a, a), code


def maximum(builder, kind, a, b):
    """The instruction for the larger of two numbers or, place by place, of two vectors, such as "f32" or "v16f32"."""
    function = ir.FunctionType(a.type, [a.type, b.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.maximum.{kind}"), [a, b])
