"""Functions for compiled code, handed to Numba only when something has to be compiled.

Importing Numba takes a tenth of a second. The object code of kernels is cached on disk (`code_cache`), and a program
that finds all of it there never imports Numba. So a function for compiled code is only declared here, and `codegen`
hands it to Numba.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

__all__ = ["LazyFunction", "inner", "intrinsic", "lazy_import", "overloaded"]


class _LazyModule:
    """A module that is imported when one of its attributes is looked up."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = self.__dict__[attribute] = getattr(import_module(self._name), attribute)
        return value


def lazy_import(name: str) -> Any:
    """The module of this name, not yet imported."""
    return _LazyModule(name)


class LazyFunction:
    """A function that compiled code calls; Python cannot call it."""

    def __init__(self, function: Callable, factory: str, **options: Any):
        """Arguments: ``factory``, the name of the method of `codegen` that hands it to Numba with the options."""
        self.function, self.factory, self.options = function, factory, options
        self.instance: Any = None
        self.__doc__ = function.__doc__

    def __repr__(self):
        return f"<{self.function.__qualname__}, for compiled code>"


def inner(function: Any = None, *, makes_arrays: bool = False, inlined: bool = False) -> Any:
    """Decorator: compile a function that only other compiled functions call; it is linked into those.

    In CUDA's terms it is a device function.

    Arguments: ``makes_arrays``, as of `dispatcher.compiled`; ``inlined``, True to inline it wherever it is called,
    however long it is.
    """
    if function is None:
        return partial(inner, makes_arrays=makes_arrays, inlined=inlined)
    return LazyFunction(function, "inner", makes_arrays=makes_arrays, inlined=inlined)


def intrinsic(function: Callable) -> Any:
    """Decorator: a function that compiled code calls, written in LLVM's instructions.

    The decorated function takes Numba's typing context and the types of the arguments. It returns the signature and a
    function that writes the instructions.
    """
    return LazyFunction(function, "intrinsic")


def overloaded(function: Callable) -> Any:
    """Decorator: a function that chooses, by the types of the arguments, the function that compiled code calls."""
    return LazyFunction(function, "overload")
