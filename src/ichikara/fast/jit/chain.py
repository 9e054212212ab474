"""Chains of small kernels, which compiled code calls one after the other.

In a network of ten neurons a call from Python takes longer than the computation. So a chain is called once, with the
address of a tuple of all its arrays. It reads a list of integers: for each kernel the address of its function, how many
numbers follow, and for each of its arguments

- an array: its position in the tuple, and its shape, which is the same in each call;
- a number: the number itself;
- None: nothing.

The function of a kernel is compiled by `link`, and reads its arguments from there.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy

from .address import address
from .dispatcher import compiled, load_or_compile
from .lazy import inner, intrinsic, lazy_import
from .unboxing import ArrayType, typeof

__all__ = ["Chain", "Link", "link"]

ir, types = lazy_import("llvmlite.ir"), lazy_import("numba.types")


class Link(NamedTuple):
    """A small kernel with its arguments."""

    function: int
    """The address of its compiled function."""
    arguments: tuple
    """The shapes of arrays, numbers and Nones."""
    raise_error: Callable | None
    """Called with the same arguments where the kernel returns False, to raise the error."""

    @property
    def arrays(self) -> int:
        """How many arrays there are among the arguments."""
        return sum(argument.__class__ is tuple for argument in self.arguments)


class Chain:
    """Small kernels as one function of all their arrays, which are C-ordered and have the shapes that were linked.

    Arguments: ``links``, the kernels in order; ``positions``, for each of them the positions of its arrays among all.
    """

    def __init__(self, links: Sequence[Link], positions: Sequence[Sequence[int]]):
        self.links, self.positions = links, positions
        calls: list[int] = []
        for each, own in zip(links, positions, strict=True):
            numbers = _encoded(each.arguments, iter(own))
            calls += each.function, len(numbers), *numbers
        self._calls = numpy.array(calls, numpy.int64)
        self._run = _run.specialised_for((0, self._calls))

    def __call__(self, *arrays: Any) -> None:
        if self._run(id(arrays), self._calls):
            self._raise_error(arrays)

    @staticmethod
    def joined(chains: Sequence["Chain"], positions: Sequence[Sequence[int]]) -> "Chain":
        """Chains as one. Arguments: ``positions``, for each of them the positions of its arrays among all."""
        links = [each for chain in chains for each in chain.links]
        pairs = zip(chains, positions, strict=True)
        return Chain(links, [[among[k] for k in own] for chain, among in pairs for own in chain.positions])

    def _raise_error(self, arrays):
        for each, own in zip(self.links, self.positions, strict=True):
            if each.raise_error:
                remaining = iter(own)
                each.raise_error(*[arrays[next(remaining)] if a.__class__ is tuple else a for a in each.arguments])
        raise RuntimeError("a small kernel rejected its arguments")


def _encoded(arguments, positions):
    """The numbers that the function of a link reads."""
    numbers: list[int] = []
    for argument in arguments:
        if argument.__class__ is tuple:
            numbers += next(positions), *argument
        elif argument is not None:
            numbers.append(argument)
    return numbers


def link(kernel: Callable, arguments: Sequence, raise_error: Callable | None) -> Link:
    """A small kernel as a link of chains, compiled for arguments of these types."""
    fixed = tuple(a.shape if a.__class__ is numpy.ndarray else a for a in arguments)
    return Link(_compiled_address(kernel, tuple(map(typeof, arguments))), fixed, raise_error)


@cache
def _compiled_address(kernel, argument_types):
    """The address of the function compiled of a kernel for arguments of these types."""
    c_ordered = [kind._replace(layout="C") if isinstance(kind, ArrayType) else kind for kind in argument_types]
    return load_or_compile(inner(kernel), tuple(c_ordered), "chain_entry")


@intrinsic
def _call(typing, function, arrays, numbers):
    """Call the function of a link; returns its result."""

    def code(context, builder, signature, arguments):
        kind = ir.FunctionType(arguments[0].type, [argument.type for argument in arguments[1:]])
        result = builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return builder.icmp_unsigned("!=", result, result.type(0))

    return types.boolean(types.intp, types.intp, types.intp), code


@compiled
def _run(arrays, calls):
    """Call the kernels in order. Returns whether one of them rejected its arguments, which ends the chain."""
    position = 0
    while position < calls.size:
        if not _call(calls[position], arrays, address(calls) + 8 * (position + 2)):
            return True
        position += 2 + calls[position + 1]
    return False
