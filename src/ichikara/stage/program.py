"""A recording that can be replayed: functions of arrays in a row, and what has to be as it was for it to hold."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import takewhile
from operator import itemgetter
from sys import getrefcount
from typing import Any, NamedTuple
from weakref import ref

import numpy

from ..arrays import generator_in_use, workers
from ..autodiff import wrap
from ..autodiff.modes import mode
from .functions import grad, numbers
from .fusing import chained, fuse
from .instruction import Instruction, Room

__all__ = ["Guards", "Outcome", "Program", "source"]

LARGE = 1 << 14
"""Bytes from which on a value is let go of as soon as it has been used; smaller ones stay until the end."""


class Guards(NamedTuple):
    """What the recording depends on besides the arguments; where it has changed, the step is recorded anew."""

    modules: list[tuple[dict, bool]]  # the attributes of those that were called, and whether they were training
    places: list[tuple[dict, str, Any]]  # where parameters were found, and which
    sources: list[list]  # tensors that were read: what gives them, their layout, and a reference to the last array
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
        self.guards, self.generator = guards, generator_in_use()
        brief = large | _parameters(code, values)
        kept: set = {slot for slot, _ in outcome.returned} | {slot for *_, slot in (*outcome.grads, *outcome.buffers)}
        needed, used = set(kept), []
        for instruction in reversed(fuse(code, kept)):
            gives = {instruction.gives, *(room.slot for room in instruction.rooms)}
            if instruction.effect or gives & needed:
                last = ({*instruction.takes} | gives) - needed & brief
                needed.update(instruction.takes)
                used.append(instruction._replace(lets_go=tuple(last)))
        used.reverse()
        # What only small kernels read stays in the program, and is written over in the next replay.
        seen = kept.union(large, *(instruction.takes for instruction in used if not instruction.rooms))
        rooms = [room for instruction in used for room in instruction.rooms]
        self._rooms = [room for room in rooms if room.slot not in seen]
        instructions: list[Instruction] = []
        for instruction in used:
            instructions += [_make(room) for room in instruction.rooms if room.slot in seen & large]
            takes = (*instruction.takes, *(room.slot for room in instruction.rooms))
            instructions.append(instruction._replace(takes=takes))
        # At once and without a call each: small arrays made anew, and what is read before anything can have changed it.
        made = [room for room in rooms if room.slot in seen - large]
        leaves = _leaves_to_lend_to(outcome, guards)
        self._lent = [room for room in made if room.slot in leaves]
        self._leaves = [leaves[room.slot] for room in self._lent]
        made = [room for room in made if room.slot not in leaves]
        calm = [*takewhile(lambda instruction: not instruction.effect, instructions)]
        reads = [instruction for instruction in calm if instruction.function is numbers]
        others = [instruction for instruction in calm if instruction.function is not numbers]
        self._tensors = [values[instruction.takes[0]] for instruction in reads]
        self._shapes, self._dtypes = [room.shape for room in made], [room.dtype for room in made]
        # In a replay's list of values come first the inputs, what is read and what is made; and last the rooms.
        read = [instruction.gives for instruction in reads]
        first = [*range(inputs), *read, *(room.slot for room in (*made, *self._lent))]
        own = [room.slot for room in self._rooms]
        between = sorted({*range(len(values))}.difference(first, own))
        self._between = [values[slot] for slot in between]
        place = {slot: k for k, slot in enumerate((*first, *between, *own))}
        self._code = [
            (
                instruction.function,
                _taker([place[slot] for slot in instruction.takes]),
                place[instruction.gives],
                [place[slot] for slot in instruction.lets_go],
            )
            for instruction in chained((*others, *instructions[len(calm) :]))
        ]
        self.outcome = outcome._replace(
            returned=[(place[slot], tensor) for slot, tensor in outcome.returned],
            grads=[
                (leaf, None if slot is None else place[slot])
                for leaf, slot in outcome.grads
                if leaf not in self._leaves
            ],
            buffers=[(held, name, place[slot]) for held, name, slot in outcome.buffers],
        )
        # Once, and not anew for each large product.
        self._held: AbstractContextManager = workers.held if large else nullcontext()
        # Arrays for all rooms, and gradients with theirs, which no replay is using; there may be several at once.
        self._free: list[tuple[list, list]] = []

    def fits(self) -> bool:
        """Whether all that the recording depends on is as it was."""
        modules, places, sources, grads, optimizers = self.guards
        for held, training in modules:
            if held["training"] is not training:
                return False
        for held, name, tensor in places:
            if held.get(name) is not tensor:
                return False
        for entry in sources:
            holder, tensor_of, node, layout, last = entry
            tensor = holder if tensor_of is None else tensor_of(holder)
            if tensor is None or tensor._node is not node:
                return False
            array = tensor._data
            if last() is not array:
                if layout != _layout_of(array):
                    return False
                entry[-1] = _reference(array)
        for leaf, absent in grads:
            if (leaf.grad is None) is not absent:
                return False
        for optimizer, parameters in optimizers:
            if [id(p) for group in optimizer.param_groups for p in group["params"]] != parameters:
                return False
        return generator_in_use() is self.generator

    def replay(self, inputs: list) -> Any:
        """Do the step with these arrays as its arguments."""
        try:
            rooms, lent = self._free.pop()
        except IndexError:
            rooms, lent = [room.make() for room in self._rooms], []
        count = len(self._leaves)
        for leaf, tensor in zip(self._leaves, lent, strict=False):
            leaf.grad = tensor  # also where it has been taken away: then whoever has it counts
        if len(lent) < count or (count and max(map(getrefcount, lent)) > _LENT):
            tensors = [wrap(room.make(), None) for room in self._lent]
            lent = [*tensors, *map(numbers, tensors)]
            del tensors
        made = map(numpy.empty, self._shapes, self._dtypes)
        values = [*inputs, *map(numbers, self._tensors), *made, *lent[count:], *self._between, *rooms]
        before, mode.in_rule = mode.in_rule, True  # operations that a rule calls answer arrays with arrays
        try:
            with self._held:
                for function, take, place, lets_go in self._code:
                    values[place] = function(*take(values))
                    for empty in lets_go:
                        values[empty] = None
        except BaseException:
            for leaf in self._leaves:  # whose gradient may have been written half
                leaf.grad = None
            raise
        finally:
            mode.in_rule = before
            self._free.append((rooms, lent))
        for leaf, tensor in zip(self._leaves, lent, strict=False):
            leaf.grad = tensor
        result, returned, grads, buffers = self.outcome
        for leaf, slot in grads:
            leaf.grad = None if slot is None else wrap(values[slot], None)
        for held, name, slot in buffers:
            held[name] = wrap(values[slot], None)
        return result([wrap(values[slot], None) if tensor else values[slot] for slot, tensor in returned])


_once = [object()]
_LENT = max(map(getrefcount, [*_once]))  # how many have a gradient that nobody has but its leaf, and who asks


def _leaves_to_lend_to(outcome: Outcome, guards: Guards) -> dict[int, Any]:
    """The leaves whose gradients the step neither leaves behind elsewhere nor looks at before, by their slots.

    A small one is made anew only if somebody has that of the replay before.
    """
    left = Counter([slot for slot, _ in outcome.returned] + [slot for *_, slot in (*outcome.grads, *outcome.buffers)])
    looked_at = {holder for holder, tensor_of, *_ in guards.sources if tensor_of is grad}
    found = [(slot, leaf) for leaf, slot in outcome.grads if slot is not None and left[slot] == 1]
    return {slot: leaf for slot, leaf in found if leaf not in looked_at}


def _parameters(code: Sequence[Instruction], values: list) -> set[int]:
    """The slots of the parameters' numbers: an optimiser changes them in place if nobody else has them any more."""
    reads = [instruction for instruction in code if instruction.function is numbers]
    return {instruction.gives for instruction in reads if values[instruction.takes[0]].requires_grad}


def _layout_of(array: Any) -> tuple:
    """The shape, the type and the strides of an array."""
    return array.shape, array.dtype, array.strides


def _reference(array: Any) -> Callable:
    """A reference that keeps nothing alive; to a number of NumPy's own there is none."""
    return ref(array) if isinstance(array, numpy.ndarray) else lambda: None


def source(holder: Any, tensor_of: Callable | None, tensor: Any) -> list:
    """A tensor that is read and what gives it, as an entry of `Guards`."""
    return [holder, tensor_of, tensor._node, _layout_of(tensor._data), _reference(tensor._data)]


def _taker(slots: Sequence[int]) -> Callable:
    """The function that takes the values in these slots out of a list of all values, as a row."""
    if len(slots) > 1:
        return itemgetter(*slots)
    first = slots[0] if slots else 0
    return itemgetter(slice(first, first + len(slots)))


def _make(room: Room) -> Instruction:
    """An instruction that makes an array anew."""
    return Instruction(room.make, (), room.slot)
