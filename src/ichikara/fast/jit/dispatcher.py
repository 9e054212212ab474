"""Dispatch of kernels: each is compiled once for the types of its arguments, and then cached on disk."""

import ctypes
import hashlib
import os
import re
import sys
import threading
from collections.abc import Callable
from functools import partial, update_wrapper
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy

from .code_cache import add_symbol, load, read, write
from .lazy import LazyFunction, inner
from .unboxing import SUPPORTED, typeof

__all__ = ["Dispatcher", "compiled", "load_or_compile", "named_after"]

_DISABLED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
if _DISABLED or not SUPPORTED or find_spec("numba") is None:
    raise ImportError("kernels are compiled by Numba, for an interpreter that it supports", name="numba")


# What kernels raise. The name stands for a pointer to MemoryError: its address here, or, once Numba is imported,
# Numba's own symbol.
add_symbol("ichikara_memory_error", id(MemoryError))


def compiled(function: Any = None, *, makes_arrays: bool = False) -> Any:
    """Decorator: compile a function that Python calls, to run without Python's lock, and cache its code on disk.

    Only Python calls it. What compiled code calls is `lazy.inner`, because a kernel that comes from the cache has
    nothing that could be linked into others. It returns a bool or None.

    The caller holds the arguments of a kernel until it ends. So compiled code does not count references to arrays,
    which would cost more than a short row of numbers, and it cannot allocate arrays unless it says so:
    ``makes_arrays=True``.
    """
    if function is None:
        return partial(compiled, makes_arrays=makes_arrays)
    return Dispatcher(function, inner(function, makes_arrays=makes_arrays))


class Dispatcher:
    """A function that is compiled when it is called with arguments of new types."""

    def __init__(self, function: Callable, part: LazyFunction):
        update_wrapper(self, function)
        self._part = part
        self._entries: dict[tuple, Callable] = {}  # by keys that are fast to compute, and by signatures

    def __call__(self, *arguments: Any) -> Any:
        return self.specialised_for(arguments)(*arguments)

    def specialised_for(self, arguments: tuple) -> Callable:
        """The function compiled for the types of these arguments; it must be called with no others."""
        key = _fast_key(arguments)
        entry = self._entries.get(key)
        if entry is None:
            signature = tuple(map(typeof, arguments))
            entry = self._entries.get(signature)
            if entry is None:
                address = load_or_compile(self._part, signature, "python_entry")
                entry = self._entries.setdefault(signature, _python_callable(self._part.function.__name__, address))
            self._entries[key] = entry
        return entry


def _fast_key(arguments):
    key: list[Any] = []
    for x in arguments:
        if isinstance(x, numpy.ndarray):
            key += x.dtype, x.ndim, x.flags.num
        elif isinstance(x, tuple):
            key.append(_fast_key(x))
        else:
            key.append(x.__class__)
    return tuple(key)


def named_after(function: Any, original: Callable, suffix: str = "") -> Any:
    """A generated function, under the name of the one it was made from, by which the cache knows it."""
    function.__module__, function.__name__ = original.__module__, original.__name__ + suffix
    function.__qualname__ = f"{function.__module__}.{function.__name__}"
    return function


# --- code -------------------------------------------------------------------------------------------------------------

_lock = threading.RLock()


def load_or_compile(part: LazyFunction, signature: tuple, form: str) -> int:
    """The address of the code of a function for arguments of these types.

    Arguments: ``signature``, the types; ``form``, the function of `codegen` that makes the code.
    """
    function = part.function
    source, name = _source_file(function), _cache_name(function, signature, form)
    with _lock:
        code = read(source, name) if source else None
        if code is not None:
            try:
                return load(code)
            except ImportError:  # it calls a symbol that only Numba brings along
                pass
        from . import codegen

        code = getattr(codegen, form)(name, part, signature)
        if source:
            write(source, code)
        return load(code)


def _source_file(function):
    """The file that a function was read from; None if it was typed in."""
    file = getattr(sys.modules.get(function.__module__), "__file__", None)
    return Path(file) if file else None


def _cache_name(function, signature, form):
    identity = repr((function.__module__, function.__qualname__, function.__code__.co_firstlineno, signature, form))
    readable = re.sub(r"\W+", "_", f"{function.__module__.rpartition('.')[2]}.{function.__name__}")
    return f"{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


# --- as a Python function ---------------------------------------------------------------------------------------------

_FASTCALL = 0x80  # METH_FASTCALL of Python's C interface: called with the address of the arguments and their number


class _MethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_make_function = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.POINTER(_MethodDef), ctypes.py_object, ctypes.c_void_p)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)


def _python_callable(name, address):
    """The C function at an address, as a Python function."""
    definition = _MethodDef(name.encode(), address, _FASTCALL, None)
    # The function refers to the definition, and so has to hold it.
    return _make_function(ctypes.pointer(definition), definition, None)
