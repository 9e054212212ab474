"""Two instructions in one: where the value of one goes into another only, and a kernel does both."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from ..arrays.kernels import find_fused
from .instruction import Instruction

__all__ = ["fuse"]


def fuse(code: Sequence[Instruction], kept: Collection[int]) -> list[Instruction]:
    """The instructions, some pairs of them as one. Arguments: ``kept``, the slots whose values are wanted."""
    uses = Counter(slot for instruction in code for slot in instruction.takes)
    places = {instruction.gives: place for place, instruction in enumerate(code)}
    found: list[Instruction | None] = list(code)
    for place, second in enumerate(code):
        passed = second.takes[0] if second.takes else -1
        first = found[places[passed]] if passed in places else None
        if not (first and first.of and second.of) or first.rooms or uses[passed] > 1 or passed in kept:
            continue
        kernel = find_fused(first.of, second.of)
        if kernel:
            both = _both(kernel, first.function, second, len(first.takes))
            takes, gives = (*first.takes, *second.takes[1:]), second.rooms[0].slot if second.rooms else second.gives
            found[places[passed]] = None
            found[place] = Instruction(both, takes, gives)  # where the second was, for there is all that either takes
    return [instruction for instruction in found if instruction]


def _both(kernel: Callable, first: Callable, second: Instruction, count: int) -> Callable:
    """A function that does what the kernel does; where that answers NotImplemented, one after the other."""

    def both(*args):
        found = kernel(*args)
        if found is not NotImplemented:
            return found
        value = first(*args[:count])
        if not second.rooms:
            return second.function(value, *args[count:])
        room = second.rooms[0].make()
        second.function(value, *args[count:], room)
        return room

    return both
