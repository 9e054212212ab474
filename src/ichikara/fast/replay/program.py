"""A recording that can be replayed: functions of arrays in a row, and what has to be as it was for it to hold."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import takewhile
from typing import Any, NamedTuple
from weakref import ref

import numpy

from ...arrays import generator_in_use
from ...autodiff import wrap
from ...autodiff.modes import mode
from ..threads.blas_threads import single_threaded_blas
from .functions import numbers, taker
from .fusing import chained, fuse
from .instruction import Instruction
from .plan import Plan

__all__ = ["Guards", "Outcome", "Program", "layout_of", "reference"]

_CALM = 2  # replays in a row that have found the same arrays, after which a plan is made


class Guards(NamedTuple):
    """What the recording depends on besides the arguments; where it has changed, the step is recorded anew."""

    modules: list[tuple[dict, bool]]  # the attributes of those that were asked, and whether they were training
    places: list[tuple[dict, str, Any]]  # where parameters were found, and which
    tensors: list[list]  # those that were read: their nodes, references to their last arrays, and how these lay
    sources: list[list]  # the same of tensors that others give: first who and how
    grads: list[tuple[Any, bool]]  # leaves whose gradients were asked for before one was there, and whether it was None
    optimizers: list[tuple[Any, list]]  # those that took a step, and their parameters


class Outcome(NamedTuple):
    """What a step leaves behind: values in slots."""

    result: Callable  # makes what the step returns of the tensors and arrays that it is made of
    returned: list[tuple[int, bool]]  # their slots, and whether they are tensors
    grads: list[tuple[Any, int | None]]  # leaves and their gradients, None where there is none
    buffers: list[tuple[dict, str, int]]

    def slots(self) -> set[int]:
        """The slots of all of it."""
        returned, buffers = [slot for slot, _ in self.returned], [slot for *_, slot in self.buffers]
        return {*returned, *buffers, *(slot for _, slot in self.grads if slot is not None)}

    def leave(self, values: list) -> Any:
        """Put the values where they belong, and give what the step returns."""
        for leaf, slot in self.grads:
            leaf.grad = None if slot is None else wrap(values[slot], None)
        for held, name, slot in self.buffers:
            held[name] = wrap(values[slot], None)
        found = []
        for slot, tensor in self.returned:
            found.append(wrap(values[slot], None) if tensor else values[slot])
        return self.result(found)


class _Own(threading.local):
    """What each thread has of its own."""

    plan: Plan | None = None


class Program:
    """The instructions of a recording, without those whose values nothing needs.

    A replay does them one by one; after a few, a `Plan` repeats what they have called.
    """

    def __init__(
        self, code: Sequence[Instruction], values: list, inputs: int, large: bool, outcome: Outcome, guards: Guards
    ):
        """``values`` has the constants in their slots and None elsewhere; the inputs' slots are the first.

        Arguments: ``large``, whether there are products that the linear algebra library would share out itself.
        """
        self.guards, self.outcome, self.values, self.inputs = guards, outcome, values, inputs
        self.generator = generator_in_use()
        kept = outcome.slots()
        needed, used = set(kept), []
        for instruction in reversed(fuse(code, kept)):
            gives = {instruction.gives, *(room.slot for room in instruction.rooms)}
            if instruction.effect or gives & needed:
                last = ({*instruction.takes} | gives) - needed
                needed.update(instruction.takes)
                takes = (*instruction.takes, *(room.slot for room in instruction.rooms))
                used.append(instruction._replace(takes=takes, lets_go=tuple(last)))
        used.reverse()
        self.rooms = [room for instruction in used for room in instruction.rooms]
        # First what is read before anything can have changed it, so that more small kernels follow each other.
        calm = [*takewhile(lambda instruction: not instruction.effect, used)]
        reads = [instruction for instruction in calm if instruction.function is numbers]
        self.reads = [(values[instruction.takes[0]], instruction.gives) for instruction in reads]
        self.code = chained([instruction for instruction in used if instruction not in reads])
        self._steps = [(each.function, taker(each.takes), each.gives, each.lets_go) for each in self.code]
        # Once, and not anew for each large product.
        self._held: AbstractContextManager = single_threaded_blas if large else nullcontext()
        self._calm, self.moves = 0, 0  # replays that have found the same arrays, and how often they have not
        self._own = _Own()

    def fits(self) -> bool:
        """Whether all that the recording depends on is as it was."""
        modules, places, tensors, sources, grads, optimizers = self.guards
        for held, training in modules:
            if held["training"] is not training:
                return False
        for held, name, tensor in places:
            if held.get(name) is not tensor:
                return False
        for entry in tensors:
            tensor, node, last, layout = entry
            if tensor._node is not node:
                return False
            if last() is not tensor._data:
                if layout != layout_of(tensor._data):
                    return False
                entry[2] = reference(tensor._data)
                self._calm, self.moves = 0, self.moves + 1
        for holder, tensor_of, node, layout in sources:
            tensor = tensor_of(holder)
            if tensor is None or tensor._node is not node or layout != layout_of(tensor._data):
                return False
        for leaf, absent in grads:
            if (leaf.grad is None) is not absent:
                return False
        for optimizer, parameters in optimizers:
            expected = iter(parameters)
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    if parameter is not next(expected, None):
                        return False
            if next(expected, None) is not None:
                return False
        return generator_in_use() is self.generator

    def replay(self, inputs: list) -> Any:
        """Do the step with these arrays as its arguments."""
        before, mode.in_rule = mode.in_rule, True  # operations that a rule calls answer arrays with arrays
        try:
            if self._calm < _CALM:
                self._calm += 1
                return self._one_by_one(inputs)
            plan = self._own.plan
            if plan is None or plan.moves != self.moves:
                plan = self._own.plan = Plan(self)
            return plan.replay(inputs) if plan.is_free() else self._one_by_one(inputs)
        finally:
            mode.in_rule = before

    def _one_by_one(self, inputs):
        values = self.values.copy()
        values[: len(inputs)] = inputs
        for tensor, slot in self.reads:
            values[slot] = tensor._data
        for room in self.rooms:
            values[room.slot] = room.make()
        with self._held:
            for function, take, gives, lets_go in self._steps:
                values[gives] = function(*take(values))
                for empty in lets_go:
                    values[empty] = None
        return self.outcome.leave(values)


def layout_of(array: Any) -> tuple:
    """The shape, the type and the strides of an array."""
    return array.shape, array.dtype, array.strides


def reference(array: Any) -> Callable:
    """A reference that keeps nothing alive; to a number of NumPy's own there is none."""
    return ref(array) if isinstance(array, numpy.ndarray) else lambda: None
