"""Decides how the values that a step leaves behind leave the memory of a plan, and so which instructions run again."""

from typing import Any

from .arena import Arena
from .call_log import LoggedInstruction
from .functions import gradient_of

__all__ = ["Escaping"]

_SMALL = 1 << 16  # bytes; an array of at most so many is copied faster than computed again


class Escaping:
    """What a step leaves behind: gradients that the next replay overwrites, arrays that are computed again in each
    replay, and small arrays that are copied.

    Attributes: ``gradients``, leaves and the slots of the gradients that are overwritten; ``buffers``, by all slots of
    what is left behind, None for values without a buffer; ``number``, that of the buffer, by the slots that have one.
    """

    def __init__(self, program: Any, arena: Arena, values: list, foreign: set[int]):
        """Arguments: ``foreign``, the buffers of what is read from outside."""
        outcome = program.outcome
        others = [slot for slot, *_ in outcome.returned] + [slot for *_, slot in outcome.buffers]
        self.buffers = {slot: arena.buffer_of(values[slot]) for slot in outcome.slots()}
        self.number = number = {slot: buffer.number for slot, buffer in self.buffers.items() if buffer}
        read = {source for source, tensor_of, *_ in program.guards.sources if tensor_of is gradient_of}
        others += [slot for leaf, slot in outcome.grads if leaf in read]
        excluded = foreign | {number[slot] for slot in others if slot in number}
        # Two leaves may have the same gradient.
        self.gradients = [
            (leaf, slot) for leaf, slot in outcome.grads if slot in number and number[slot] not in excluded
        ]
        outputs = {out.slot for out in program.buffers}
        self._small = {n for slot, n in number.items() if slot in outputs or values[slot].nbytes <= _SMALL} | foreign

    def decide(self, logged: list[LoggedInstruction]) -> list[bool]:
        """Which instructions run again. A gradient is overwritten only if none of these makes it."""
        opaque = {each.instruction.output: k for k, each in enumerate(logged) if each.is_opaque}
        while True:
            rerun = _must_rerun(logged, opaque, self._given_away())
            written = {n for each, again in zip(logged, rerun, strict=True) if again for n in each.written}
            gradients = [(leaf, slot) for leaf, slot in self.gradients if self.number[slot] not in written]
            if len(gradients) == len(self.gradients):
                break
            self.gradients = gradients
        _rerun_unread_views(logged, opaque, rerun, self.buffers.keys())
        return rerun

    def copied(self) -> list[int]:
        """The slots of what is copied."""
        others = self._given_away() | {self.number[slot] for _, slot in self.gradients}
        return [slot for slot, n in self.number.items() if n not in others]

    def _given_away(self):
        """The buffers of arrays that the step gives away as they are, so that each replay needs new ones."""
        return {*self.number.values()} - self._small - {self.number[slot] for _, slot in self.gradients}


def _must_rerun(logged, opaque, given_away) -> list[bool]:
    """Which instructions run again: also those that make what is given away.

    An opaque value belongs to one replay. So the instruction that makes it and those that use it run again together, or
    none of them does.

    Arguments: ``opaque``, which instruction makes an opaque value, by its slot.
    """
    rerun = [each.must_rerun or not each.written.isdisjoint(given_away) for each in logged]
    pairs = [(k, opaque[slot]) for k, each in enumerate(logged) for slot in each.instruction.inputs if slot in opaque]
    while any(rerun[a] != rerun[b] for a, b in pairs):
        for a, b in pairs:
            rerun[a] = rerun[b] = rerun[a] or rerun[b]
    return rerun


def _rerun_unread_views(logged, opaque, rerun, escaping) -> None:
    """Make views again that no repeated call reads: then the array that they are views of needs no buffer.

    Arguments: ``rerun``, which is changed; ``escaping``, the slots of what the step leaves behind.
    """
    read = {*escaping}
    for k, (instruction, log, *_) in reversed([*enumerate(logged)]):
        slots = {instruction.output, *instruction.inputs}
        if not log.calls and instruction.output not in read and slots.isdisjoint(opaque):
            rerun[k] = True
        if not rerun[k]:
            read.update(instruction.inputs)
