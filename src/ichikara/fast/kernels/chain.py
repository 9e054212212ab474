"""Small kernels in a chain, called one after the other by compiled code.

In a network of ten neurons a call from Python takes longer than what is computed. So a chain is called once, with the
address of a tuple of all its arrays, and goes through a list of whole numbers: for each kernel where its function is,
how many numbers follow, and for each of its arguments

- an array: its position in the tuple, and its shape, which is the same in each call;
- a number: itself;
- None: nothing.

The function of a kernel is made of it by `link`, and finds its arrays there.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy

from ..tape import do
from .blas import address
from .compiled import compiled, load_code
from .deferred import inner, intrinsic, later
from .objects import ArrayKind, kind_of

__all__ = ["Chain", "Link", "for_each", "link"]

ir, types = later("llvmlite.ir"), later("numba.types")


class Link(NamedTuple):
    """A small kernel, and what it is called with each time."""

    function: int
    """The address of what has been compiled of it."""
    arguments: tuple
    """The shapes of arrays, numbers and Nones."""
    refused: Callable | None
    """What says what is wrong with the same arguments where the kernel answers False."""

    @property
    def arrays(self) -> int:
        """How many arrays there are among the arguments."""
        return sum(argument.__class__ is tuple for argument in self.arguments)


class Chain:
    """Small kernels as one function of all their arrays, which are C-ordered and of the shapes that were linked.

    Arguments: ``links``, the kernels in order; ``places``, for each of them the positions of its arrays among all.
    """

    def __init__(self, links: Sequence[Link], places: Sequence[Sequence[int]]):
        self.links, self.places = links, places
        calls: list[int] = []
        for each, positions in zip(links, places, strict=True):
            numbers = _numbers(each.arguments, iter(positions))
            calls += each.function, len(numbers), *numbers
        self._calls = numpy.array(calls, numpy.int64)
        self._run = _run.compiled_for((0, self._calls))

    def __call__(self, *arrays: Any) -> None:
        if self._run(id(arrays), self._calls):
            self._say_what_is_wrong(arrays)

    @staticmethod
    def joined(chains: Sequence["Chain"], places: Sequence[Sequence[int]]) -> "Chain":
        """Chains as one; ``places``, for each of them the positions of its arrays among all."""
        links = [each for chain in chains for each in chain.links]
        moved = zip(chains, places, strict=True)
        return Chain(links, [[among[k] for k in own] for chain, among in moved for own in chain.places])

    def _say_what_is_wrong(self, arrays):
        for each, positions in zip(self.links, self.places, strict=True):
            if each.refused:
                left = iter(positions)
                each.refused(*[arrays[next(left)] if a.__class__ is tuple else a for a in each.arguments])
        raise RuntimeError("a small kernel has refused what it was given")


def _numbers(arguments, positions):
    """What the function of a link reads."""
    numbers: list[int] = []
    for argument in arguments:
        if argument.__class__ is tuple:
            numbers += next(positions), *argument
        elif argument is not None:
            numbers.append(argument)
    return numbers


def for_each(kernel: Callable, rows: Sequence[Sequence], shared: Sequence) -> None:
    """Call a kernel for each row of arrays, all in one call.

    The kernel is given one after the other as rows of numbers: those arrays, of as many numbers each, what is shared,
    and as a number whether it is the first. All arrays are in C order.
    """
    arrays = [*(array for row in rows for array in row), *shared]
    links, places = [], []
    for k, row in enumerate(rows):
        links.append(link(kernel, [*(array.reshape(-1) for array in row), *shared, int(k == 0)], None))
        places.append([*range(k * len(row), (k + 1) * len(row)), *range(len(arrays) - len(shared), len(arrays))])
    do(Chain(links, places), *arrays)


def link(kernel: Callable, arguments: Sequence, refused: Callable | None) -> Link:
    """A small kernel, compiled for arguments of these kinds, to be a part of chains."""
    kept = tuple(a.shape if a.__class__ is numpy.ndarray else a for a in arguments)
    return Link(_compiled(kernel, tuple(map(kind_of, arguments))), kept, refused)


@cache
def _compiled(kernel, kinds):
    """The address of what has been compiled of a kernel for arguments of these kinds."""
    in_order = [kind._replace(layout="C") if isinstance(kind, ArrayKind) else kind for kind in kinds]
    return load_code(inner(kernel), tuple(in_order), "link")


@intrinsic
def _call(typing, function, arrays, numbers):
    """What the function of a link answers."""

    def code(context, builder, signature, arguments):
        kind = ir.FunctionType(arguments[0].type, [argument.type for argument in arguments[1:]])
        answer = builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return builder.icmp_unsigned("!=", answer, answer.type(0))

    return types.boolean(types.intp, types.intp, types.intp), code


@compiled
def _run(arrays, calls):
    """Whether a kernel has refused what it was given, which ends the chain."""
    at = 0
    while at < calls.size:
        if not _call(calls[at], arrays, address(calls) + 8 * (at + 2)):
            return True
        at += 2 + calls[at + 1]
    return False
