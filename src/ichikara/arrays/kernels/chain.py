"""Small kernels in a chain, called one after the other by compiled code.

In a network of ten neurons a call from Python takes longer than what is computed. So a chain is called once, with the
address of a tuple of all its arrays, and goes through a list of whole numbers: for each kernel where its function is,
how many numbers follow, and for each of its arguments

- an array: its position in the tuple, and its shape, which is the same in each call;
- a number: itself;
- None: nothing.

The function of a kernel is made of it by `link`, and finds its arrays there. Python's tuples and NumPy's arrays begin
as their interfaces for C say: with what all objects have, and then the items, or where the numbers are.
"""

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy
from llvmlite import ir
from numba import from_dtype, types
from numba.core.typing import signature

from ..tape import do
from .blas import address
from .compiled import call_at, compiled, inner, intrinsic, named

__all__ = ["POSSIBLE", "Chain", "Link", "for_each", "link"]

_ITEMS, _NUMBERS = tuple.__basicsize__, object.__basicsize__  # where they begin, in bytes


def _are_there() -> bool:
    """Whether items and numbers are found where this Python and this NumPy should have them."""
    at, array = ctypes.c_size_t.from_address, numpy.zeros(1)
    row = (array,)
    return at(id(row) + _ITEMS).value == id(array) and at(id(array) + _NUMBERS).value == array.ctypes.data


POSSIBLE = _are_there()
"""Whether there can be chains; without them replays call what eager steps call."""

_linked = signature(types.boolean, types.intp, types.intp)  # f(address of the tuple, address of the arguments)


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
        self._calls, self._run = numpy.array(calls, numpy.int64), _runner()

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
    """A small kernel, compiled for arguments of these types, to be a part of chains."""
    kept = tuple(a.shape if a.__class__ is numpy.ndarray else a for a in arguments)
    names = ["n" if a is None else "i" if a.__class__ is int else f"{a.dtype.str[1:]}x{a.ndim}" for a in arguments]
    return Link(_compiled(kernel, "_".join(names), tuple(map(_kind, arguments))), kept, refused)


def _kind(argument):
    if argument is None:
        return types.none
    return types.intp if argument.__class__ is int else types.Array(from_dtype(argument.dtype), argument.ndim, "C")


@cache
def _compiled(kernel, names, kinds):
    """The address of a function of the form of ``_linked`` that calls a kernel with arguments of these types."""
    some = inner(kernel)

    @intrinsic
    def call(typing, function, arrays, numbers):
        def code(context, builder, sig, args):
            given = _Given(context, builder, *args[1:])
            called = context.typing_context.resolve_function_type(function, kinds, {})
            answer = context.get_function(function, called)(builder, [given.argument(kind) for kind in kinds])
            return answer if called.return_type == types.boolean else context.get_constant(types.boolean, True)

        return types.boolean(function, types.intp, types.intp), code

    def linked(arrays, numbers):
        return call(some, arrays, numbers)

    made = compiled(named(linked, kernel, f"_{names}"))
    made.compile(_linked.args)
    found = made.overloads[_linked.args]
    return found.library.get_pointer_to_function(found.fndesc.llvm_func_name)


class _Given:
    """Reads the arguments of a kernel, one after the other."""

    def __init__(self, context, builder, arrays, numbers):
        self._context, self._builder, self._arrays, self._numbers, self._read = context, builder, arrays, numbers, 0

    def argument(self, kind):
        if kind == types.none:
            return self._context.get_dummy_value()
        number = self._number()
        return number if kind == types.intp else self._array(kind, number)

    def _array(self, kind, position):
        from numba.np.arrayobj import populate_array  # only where something is compiled, for it takes a while

        builder, word = self._builder, ir.IntType(64)
        eight, items, numbers = (ir.Constant(word, size) for size in (8, _ITEMS, _NUMBERS))
        item = self._at(builder.add(builder.add(self._arrays, items), builder.mul(position, eight)))
        made = self._context.make_array(kind)(self._context, builder)
        size = self._context.get_abi_sizeof(self._context.get_value_type(kind.dtype))
        shape, strides = [self._number() for _ in range(kind.ndim)], [ir.Constant(word, size)]
        for length in shape[:0:-1]:
            strides.insert(0, builder.mul(strides[0], length))
        data = builder.inttoptr(self._at(builder.add(item, numbers)), made.data.type)
        populate_array(made, data, shape, strides[-kind.ndim :] if kind.ndim else [], ir.Constant(word, size), None)
        return made._getvalue()

    def _number(self):
        self._read += 1
        return self._at(self._builder.add(self._numbers, ir.Constant(self._numbers.type, 8 * (self._read - 1))))

    def _at(self, place):
        return self._builder.load(self._builder.inttoptr(place, ir.IntType(64).as_pointer()))


@intrinsic
def _call(typing, function, arrays, numbers):
    """What the function of a link answers."""

    def code(context, builder, sig, args):
        _, answer = call_at(context, builder, _linked, args[0], args[1:])
        return answer

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


@cache
def _runner():
    kinds = (types.intp, types.Array(types.int64, 1, "C"))
    _run.compile(kinds)
    return _run.overloads[kinds].entry_point
