"""A recording that can be replayed: functions of arrays in a row, and what has to be as it was for it to hold."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from ..arrays import generator_in_use
from ..autodiff import wrap
from ..autodiff.modes import mode

__all__ = ["Guards", "Instruction", "Outcome", "Program"]

LARGE = 1 << 14
"""Bytes from which on a value is let go of as soon as it has been used; smaller ones stay until the end."""


class Instruction(NamedTuple):
    """One application of a function: to the values in which slots, and where its own value goes."""

    function: Callable
    takes: tuple[int, ...]
    gives: int
    effect: bool  # it changes something besides, so that it is needed even where its value is not


class Guards(NamedTuple):
    """What the recording depends on besides the arguments; where it has changed, the step is recorded anew."""

    modules: list[tuple[Any, bool]]  # those that were called, and whether they were training
    places: list[tuple[dict, str, Any]]  # where parameters were found, and which
    sources: list[tuple[Any, Callable | None, tuple]]  # tensors that were read: what gives them, and their layout
    grads: list[tuple[Any, bool]]  # leaves whose gradients were asked for before one was there, and whether it was None
    optimizers: list[tuple[Any, list[int]]]  # those that took a step, and their parameters


class Outcome(NamedTuple):
    """What a step leaves behind: values in slots."""

    result: Callable  # makes what the step returns of the tensors and arrays that it is made of
    returned: list[tuple[int, bool]]  # their slots, and whether they are tensors
    grads: list[tuple[Any, int | None]]  # leaves and their gradients, None where there is none
    buffers: list[tuple[dict, str, int]]


class Program:
    """The instructions of a recording, without those whose values nothing needs."""

    def __init__(
        self, code: Sequence[Instruction], values: list, inputs: int, large: set[int], outcome: Outcome, guards: Guards
    ):
        """``values`` has the constants in their slots and None elsewhere; the inputs' slots are the first."""
        self.outcome, self.guards = outcome, guards
        self.generator = generator_in_use()
        self._values, self._inputs = values, inputs
        kept = {slot for slot, _ in outcome.returned} | {slot for *_, slot in (*outcome.grads, *outcome.buffers)}
        needed, used = set(kept), []
        for instruction in reversed(code):
            if instruction.effect or instruction.gives in needed:
                dying = {slot for slot in (*instruction.takes, instruction.gives) if slot not in needed} & large
                needed.update(instruction.takes)
                used += [_let_go(slot) for slot in dying]
                used.append(instruction)
        self.instructions = used[::-1]
        self._code = [(function, _taker(takes), gives) for function, takes, gives, _ in self.instructions]

    def fits(self) -> bool:
        """Whether all that the recording depends on is as it was."""
        modules, places, sources, grads, optimizers = self.guards
        for module, training in modules:
            if module.training is not training:
                return False
        for held, name, tensor in places:
            if held.get(name) is not tensor:
                return False
        for holder, tensor_of, then in sources:
            tensor = holder if tensor_of is None else tensor_of(holder)
            if tensor is None or layout(tensor) != then:
                return False
        for leaf, absent in grads:
            if (leaf.grad is None) is not absent:
                return False
        for optimizer, parameters in optimizers:
            if [id(p) for group in optimizer.param_groups for p in group["params"]] != parameters:
                return False
        return generator_in_use() is self.generator

    def replay(self, inputs: list) -> Any:
        """Do the step with these arrays as its arguments."""
        values = self._values.copy()
        values[: self._inputs] = inputs
        before, mode.in_rule = mode.in_rule, True  # operations that a rule calls answer arrays with arrays
        try:
            for function, take, place in self._code:
                values[place] = function(*take(values))
        finally:
            mode.in_rule = before
        result, returned, grads, buffers = self.outcome
        for leaf, slot in grads:
            leaf.grad = None if slot is None else wrap(values[slot], None)
        for held, name, slot in buffers:
            held[name] = wrap(values[slot], None)
        return result([wrap(values[slot], None) if tensor else values[slot] for slot, tensor in returned])


def layout(tensor: Any) -> tuple:
    """The shape, the type and the strides of a tensor's array, and where its gradient goes."""
    array = tensor._data
    return array.shape, array.dtype, array.strides, tensor._node


def _taker(slots: tuple[int, ...]) -> Callable:
    """The function that takes the values in these slots out of a list of all values, as a row."""
    if len(slots) > 1:
        return itemgetter(*slots)
    first = slots[0] if slots else 0
    return itemgetter(slice(first, first + len(slots)))


def _nothing() -> None:
    pass


def _let_go(slot: int) -> Instruction:
    """An instruction that empties a slot."""
    return Instruction(_nothing, (), slot, True)
