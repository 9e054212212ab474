"""Two instructions in one, or three: where the value of one goes into another only, and a kernel does both."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from typing import Any

from ..registry import find_fused
from .instruction import Instruction

__all__ = ["chained", "fuse"]


def fuse(code: Sequence[Instruction], kept: Collection[int]) -> list[Instruction]:
    """The instructions, some pairs of them as one. Arguments: ``kept``, the slots whose values are wanted."""
    uses = Counter(slot for instruction in code for slot in instruction.takes)
    places = {_result(instruction): place for place, instruction in enumerate(code)}
    found: list[Instruction | None] = list(code)
    for place, second in enumerate(code):
        passed = second.takes[0] if second.takes else -1
        first = found[places[passed]] if passed in places else None
        if not (first and first.of and second.of) or first.rooms or uses[passed] > 1 or passed in kept:
            continue
        kernel = find_fused(first.of, second.of)
        if kernel:
            both = _both(kernel, first, second)
            found[places[passed]] = None
            # Where the second was, for there is all that either takes. A third may follow.
            name = (f"{first.of[0]} then {second.of[0]}", first.of[1]) if first.of[1] == second.of[1] else None
            found[place] = Instruction(both, (*first.takes, *second.takes[1:]), _result(second), of=name)
    return [instruction for instruction in found if instruction]


def chained(code: Iterable[Instruction]) -> list[Instruction]:
    """The instructions, those of small kernels that follow each other as one."""
    found: list[Instruction] = []
    for small, some in groupby(code, lambda instruction: bool(instruction.rooms)):
        together = [*some]
        if small:
            slots = dict.fromkeys(slot for instruction in together for slot in instruction.takes)
            place = {slot: k for k, slot in enumerate(slots)}
            chains, takes = ([getattr(instruction, name) for instruction in together] for name in ("function", "takes"))
            chain = chains[0].joined(chains, [[place[slot] for slot in some] for some in takes])
            lets_go = {slot for instruction in together for slot in instruction.lets_go}
            together = [together[-1]._replace(function=chain, takes=tuple(slots), lets_go=tuple(lets_go))]
        found += together
    return found


def _result(instruction: Instruction) -> int:
    """The slot of an instruction's value, or of what a small kernel writes first."""
    return instruction.rooms[0].slot if instruction.rooms else instruction.gives


def _both(kernel: Callable, first: Instruction, second: Instruction) -> Callable:
    """A function that does what the kernel does; where that answers NotImplemented, one after the other."""
    count = len(first.takes)

    def both(*args):
        found = kernel(*args)
        return _done(second, first.function(*args[:count]), *args[count:]) if found is NotImplemented else found

    return both


def _done(instruction: Instruction, *args) -> Any:
    """The value of an instruction that is given these, and may be a small kernel."""
    if not instruction.rooms:
        return instruction.function(*args)
    room = instruction.rooms[0].make()
    instruction.function(*args, room)
    return room
