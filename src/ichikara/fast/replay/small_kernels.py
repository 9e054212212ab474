"""Finds the small kernel of an operation in a captured step."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..lookup import find_small
from ..registry import ANY, LARGE

__all__ = ["small_kernel_for"]


def small_kernel_for(
    operation: str, of: str, arguments: dict[str, Any], results: Sequence
) -> tuple[Callable, list[str]] | None:
    """The small kernel of an operation, or of the gradient ``of`` an input, as a `Chain` of one; None if none fits.

    With it come the names of the arguments that it is called with, which come before the arrays for its results.

    Arguments: ``arguments``, those of the operation, by name; ``results``, the arrays that it gave.
    """
    found = find_small(operation, of)
    arrays = [value for value in arguments.values() if value.__class__ is numpy.ndarray]
    if found is None or not arrays:
        return None
    function, refused, options = found
    names = [name for name in arguments if name not in options]
    if (
        any(value is not ANY and arguments.get(name) != value for name, value in options.items())
        or any(arguments[name].__class__ not in (numpy.ndarray, int, type(None)) for name in names)
        or arrays[0].dtype.char not in "fd"
        or any(array.dtype != arrays[0].dtype for array in arrays if array.dtype.kind == "f")
        or not all(0 < array.size < LARGE and array.flags.c_contiguous and array.dtype.isnative for array in arrays)
        or any(result.size >= LARGE for result in results)
    ):
        return None
    from ..jit import chain

    link = chain.link(function, [*(arguments[name] for name in names), *results], refused)
    kernel = chain.Chain([link], [range(link.arrays)])
    return kernel, [name for name in names if arguments[name].__class__ is numpy.ndarray]
