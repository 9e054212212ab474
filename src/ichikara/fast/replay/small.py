"""Which small kernel does an operation of a captured step."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..registry import ANY, LARGE, find_small

__all__ = ["small_for"]


def small_for(operation: str, of: str, given: dict[str, Any], results: Sequence) -> tuple[Callable, list[str]] | None:
    """The small kernel of an operation, or of the gradient ``of`` an input, as a `Chain` of one.

    None if there is none for what the operation is ``given``, by the names of its parameters. With it come the names of
    the arrays that it is called with, before places for the ``results``.
    """
    found = find_small(operation, of)
    arrays = [value for value in given.values() if value.__class__ is numpy.ndarray]
    if found is None or not arrays:
        return None
    function, refused, options = found
    names = [name for name in given if name not in options]
    if (
        any(value is not ANY and given.get(name) != value for name, value in options.items())
        or any(given[name].__class__ not in (numpy.ndarray, int, type(None)) for name in names)
        or arrays[0].dtype.char not in "fd"
        or any(array.dtype != arrays[0].dtype for array in arrays if array.dtype.kind == "f")
        or not all(0 < array.size < LARGE and array.flags.c_contiguous and array.dtype.isnative for array in arrays)
        or any(result.size >= LARGE for result in results)
    ):
        return None
    from ..jit import chain

    link = chain.link(function, [*(given[name] for name in names), *results], refused)
    return chain.Chain([link], [range(link.arrays)]), [name for name in names if given[name].__class__ is numpy.ndarray]
