"""Operator fusion: two or three instructions become one, where a kernel computes them together."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from typing import Any

from ..lookup import find_fused
from .instruction import Instruction

__all__ = ["chain_small_kernels", "fuse"]


def fuse(code: Sequence[Instruction], results: Collection[int]) -> list[Instruction]:
    """The instructions, with pairs fused where the first one's value is used by the second alone.

    Arguments: ``results``, the slots whose values the step needs in the end.
    """
    uses = Counter(slot for instruction in code for slot in instruction.inputs)
    positions = {_value_slot(instruction): position for position, instruction in enumerate(code)}
    fused: list[Instruction | None] = list(code)
    for position, second in enumerate(code):
        passed = second.inputs[0] if second.inputs else -1
        first = fused[positions[passed]] if passed in positions else None
        if not (first and first.operation and second.operation):
            continue
        if first.buffers or uses[passed] > 1 or passed in results:
            continue
        kernel = find_fused(first.operation, second.operation)
        if kernel:
            both = _both(kernel, first, second)
            fused[positions[passed]] = None
            # At the position of the second, where all inputs of both are there. A third may follow.
            (name, of), (then, then_of) = first.operation, second.operation
            operation = (f"{name} then {then}", of) if of == then_of else None
            inputs = (*first.inputs, *second.inputs[1:])
            fused[position] = Instruction(both, inputs, _value_slot(second), operation=operation)
    return [instruction for instruction in fused if instruction]


def chain_small_kernels(code: Iterable[Instruction]) -> list[Instruction]:
    """The instructions, with small kernels that follow each other as one chain."""
    found: list[Instruction] = []
    for small, group in groupby(code, lambda instruction: bool(instruction.buffers)):
        run = [*group]
        if small:
            slots = dict.fromkeys(slot for instruction in run for slot in instruction.inputs)
            position = {slot: k for k, slot in enumerate(slots)}
            chains: list[Any] = [instruction.function for instruction in run]
            chain = chains[0].joined(chains, [[position[slot] for slot in each.inputs] for each in run])
            frees = {slot for instruction in run for slot in instruction.frees}
            run = [run[-1]._replace(function=chain, inputs=tuple(slots), frees=tuple(frees))]
        found += run
    return found


def _value_slot(instruction: Instruction) -> int:
    """The slot of an instruction's value, or of a small kernel's first result."""
    return instruction.buffers[0].slot if instruction.buffers else instruction.output


def _both(kernel: Callable, first: Instruction, second: Instruction) -> Callable:
    """A function that calls the kernel, and where that answers NotImplemented both functions one after the other."""
    count = len(first.inputs)

    def both(*args):
        found = kernel(*args)
        return _value(second, first.function(*args[:count]), *args[count:]) if found is NotImplemented else found

    return both


def _value(instruction: Instruction, *args) -> Any:
    """The value of an instruction for these arguments."""
    if not instruction.buffers:
        return instruction.function(*args)
    out = instruction.buffers[0].allocate()
    instruction.function(*args, out)
    return out
