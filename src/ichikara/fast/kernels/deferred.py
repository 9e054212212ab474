"""What is written for Numba, but handed to it only when something has to be compiled.

To import Numba takes a tenth of a second. The code of kernels is kept on disk (`kept`), and a program that finds all of
it there never does that. So what compiled code calls is only noted here; `building` makes it known to Numba.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

__all__ = ["Deferred", "inner", "intrinsic", "later", "overloaded"]


class _Later:
    """A module that is imported when something of it is looked up."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        found = self.__dict__[attribute] = getattr(import_module(self._name), attribute)
        return found


def later(name: str) -> Any:
    """The module of this name, not yet imported."""
    return _Later(name)


class Deferred:
    """A function that compiled code calls; no function of Python's."""

    def __init__(self, function: Callable, made_by: str, **options: Any):
        """Arguments: ``made_by``, the function of `building` that makes of it what Numba knows, given the options."""
        self.function, self.made_by, self.options = function, made_by, options
        self.made: Any = None
        self.__doc__ = function.__doc__

    def __repr__(self):
        return f"<{self.function.__qualname__}, for compiled code>"


def inner(function: Any = None, *, makes_arrays: bool = False, inlined: bool = False) -> Any:
    """Decorator: compile what only other compiled functions call; it is a part of those.

    Arguments: ``makes_arrays``, as of `compiled`; ``inlined``, True to be put where it is called, however long it is.
    """
    if function is None:
        return partial(inner, makes_arrays=makes_arrays, inlined=inlined)
    return Deferred(function, "part", makes_arrays=makes_arrays, inlined=inlined)


def intrinsic(function: Callable) -> Any:
    """Decorator: what compiled code calls as a function is written in LLVM's instructions.

    The function takes the compiler's types of what is called with, after what knows them all; it gives the types of the
    result and of these, and a function that writes the instructions.
    """
    return Deferred(function, "intrinsic")


def overloaded(function: Callable) -> Any:
    """Decorator: which function compiled code calls depends on the types of its arguments, which this one is given."""
    return Deferred(function, "overload")
