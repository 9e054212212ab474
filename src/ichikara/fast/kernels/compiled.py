"""How kernels are called: each is compiled for the kinds of what it is called with, once, and then kept on disk."""

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

from .deferred import Deferred, inner
from .kept import load, name_address, read, write
from .objects import POSSIBLE, kind_of

__all__ = ["Kernel", "compiled", "load_code", "named"]

_SWITCHED_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
if _SWITCHED_OFF or not POSSIBLE or find_spec("numba") is None:
    raise ImportError("kernels are compiled by Numba, for an interpreter that it knows", name="numba")


# What kernels raise. Python's own name of it stands for where it is kept, or, once Numba is there, for itself.
name_address("ichikara_memory_error", id(MemoryError))


def compiled(function: Any = None, *, makes_arrays: bool = False) -> Any:
    """Decorator: compile a function, to run without Python's lock, and keep the result on disk for the next time.

    It is called from Python alone: what compiled code calls is `inner`, for of a kernel from disk there is nothing that
    could be linked into others. It gives a truth or nothing.

    Who calls a kernel holds what it is given until it ends. So the compiled code does not count who refers to an array,
    which would cost more than a short row of numbers, and it makes none; unless it says so: ``makes_arrays=True``.
    """
    if function is None:
        return partial(compiled, makes_arrays=makes_arrays)
    return Kernel(function, inner(function, makes_arrays=makes_arrays))


class Kernel:
    """A function that is compiled when it is called with arguments of kinds that are new to it."""

    def __init__(self, function: Callable, part: Deferred):
        update_wrapper(self, function)
        self._part = part
        self._entries: dict[tuple, Callable] = {}  # by what is quickly seen of arguments

    def __call__(self, *arguments: Any) -> Any:
        return self.compiled_for(arguments)(*arguments)

    def compiled_for(self, arguments: tuple) -> Callable:
        """The function that has been compiled for arguments such as these, and must be called with no others."""
        seen = _seen(arguments)
        found = self._entries.get(seen)
        if found is None:
            kinds = tuple(map(kind_of, arguments))
            found = self._entries.get(kinds)
            if found is None:
                address = load_code(self._part, kinds, "called")
                found = self._entries.setdefault(kinds, _callable(self._part.function.__name__, address))
            self._entries[seen] = found
        return found


def _seen(arguments):
    found: list[Any] = []
    for x in arguments:
        if isinstance(x, numpy.ndarray):
            found += x.dtype, x.ndim, x.flags.num
        elif isinstance(x, tuple):
            found.append(_seen(x))
        else:
            found.append(x.__class__)
    return tuple(found)


def named(made: Any, function: Callable, more: str = "") -> Any:
    """A function that was made here, under the name of the one it was made of: by that the disk knows it."""
    made.__module__, made.__name__ = function.__module__, function.__name__ + more
    made.__qualname__ = f"{made.__module__}.{made.__name__}"
    return made


# --- code -------------------------------------------------------------------------------------------------------------

_lock = threading.RLock()


def load_code(part: Deferred, kinds: tuple, form: str) -> int:
    """The address of what is compiled of a function for arguments of these kinds.

    Arguments: ``form``, the function of `building` that makes it.
    """
    function = part.function
    source, name = _source_of(function), _name_of(function, kinds, form)
    with _lock:
        code = read(source, name) if source else None
        if code is not None:
            try:
                return load(code)
            except ImportError:  # what only Numba brings along
                pass
        from . import building

        code = getattr(building, form)(name, part, kinds)
        if source:
            write(source, code)
        return load(code)


def _source_of(function):
    """The file that a function was read from; none of one that was typed in."""
    file = getattr(sys.modules.get(function.__module__), "__file__", None)
    return Path(file) if file else None


def _name_of(function, kinds, form):
    which = repr((function.__module__, function.__qualname__, function.__code__.co_firstlineno, kinds, form))
    words = re.sub(r"\W+", "_", f"{function.__module__.rpartition('.')[2]}.{function.__name__}")
    return f"{words}-{hashlib.sha256(which.encode()).hexdigest()[:16]}"


# --- as a function of Python's ----------------------------------------------------------------------------------------

_FASTCALL = 0x80  # METH_FASTCALL of Python's interface for C: called with where the arguments are, and their number


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


def _callable(name, address):
    """The function of C at an address, as one of Python's."""
    definition = _MethodDef(name.encode(), address, _FASTCALL, None)
    return _make_function(ctypes.pointer(definition), definition, None)  # which it refers to, and so has to hold
