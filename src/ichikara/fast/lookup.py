"""Finds the kernels that fit given arrays. The first lookup imports all kernels."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy

from . import registry
from .memory import retain_freed_memory

__all__ = [
    "are_loaded",
    "find",
    "find_fused",
    "find_small",
    "fitting",
    "fitting_in_place",
    "have_one_dtype",
    "load_kernels",
]

_NONE: dict[str, Callable] = {}


@lru_cache(1)
def load_kernels() -> bool:
    """Import all kernels, which takes some hundredths of a second. Returns whether there are any: not without Numba."""
    retain_freed_memory()
    try:
        from . import kernels as _registers_them  # noqa: F401 - the import registers them
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("numba", "llvmlite"):
            raise
        return False
    return True


def are_loaded() -> bool:
    """Whether the kernels have been imported."""
    return load_kernels.cache_info().currsize > 0


def find(operation: str) -> dict[str, Callable]:
    """The kernels of an operation, as in `registry.kernels`."""
    load_kernels()
    return registry.kernels.get(operation, {})


def find_fused(first: registry.Name, second: registry.Name) -> Callable | None:
    """The kernel of two operations, or of two gradients."""
    load_kernels()
    return registry.fused_kernels.get((first, second))


def find_small(operation: str, of: str = "") -> tuple[Callable, Callable | None, dict[str, Any]] | None:
    """The small kernel of an operation or a gradient, as in `registry.small_kernels`."""
    load_kernels()
    return registry.small_kernels.get((operation, of))


def fitting(operation: str, values: Sequence, mixed: Iterable[int]) -> dict[str, Callable]:
    """The kernels of an operation, if it is called with large NumPy arrays of one type; none otherwise.

    Arguments: ``values``, what it is called with; ``mixed``, the positions of those that must have the same type.
    """
    first: Any = values[0] if values else None
    if (
        first.__class__ is not numpy.ndarray
        or first.size < registry.LARGE
        or not first.ndim
        or first.dtype.char not in "fd"
    ):
        return _NONE
    found = find(operation)
    if found:
        for i in mixed:
            dtype: Any = getattr(values[i], "dtype", first.dtype)
            if dtype.kind == "f" and dtype != first.dtype:
                return _NONE
    return found


def fitting_in_place(rule: str, parameter: Any, gradient: Any, captured: bool) -> registry.InPlace | None:
    """The in-place kernel of a rule, if it pays: for a large parameter, or in a step that is ``captured``."""
    if (
        not (captured or parameter.size >= registry.LARGE)
        or parameter.__class__ is not numpy.ndarray
        or gradient.__class__ is not numpy.ndarray
        or parameter.dtype.char not in "fd"
        or gradient.dtype != parameter.dtype
        or not parameter.ndim
    ):
        return None
    load_kernels()
    return registry.in_place_kernels.get(rule)


def have_one_dtype(values: Iterable) -> bool:
    """Whether a fused kernel may get these values: NumPy's arrays, whose floating-point numbers have one type.

    Tensors are looked into, and what is no array is passed over.
    """
    first: Any = None
    for value in values:
        array = getattr(value, "_data", value)
        dtype = getattr(array, "dtype", None)
        if dtype is None:
            continue
        if array.__class__ is not numpy.ndarray:
            return False
        if dtype is not first and dtype.kind == "f":
            if first is not None and dtype != first:
                return False
            first = dtype
    return first is not None and first.char in "fd"
