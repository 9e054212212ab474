"""A captured step that can be replayed: its instructions, and the guards that say whether it still holds."""

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
from .functions import array_of, getter
from .fusion import chain_small_kernels, fuse
from .instruction import Instruction
from .memory_plan import MemoryPlan
from .python_state import PythonState

__all__ = ["Guards", "Outcome", "Program", "layout_of", "reference"]

_STABLE_REPLAYS = 2
"""After so many replays in a row that found the same arrays, a memory plan is made."""


class Guards(NamedTuple):
    """What a capture depends on besides the arguments. Where a guard fails, the step is captured again."""

    python: PythonState  # variables, attributes, and all of the modules
    numbers: list[tuple[Any, bytes]]  # tensors from outside whose numbers Python asked for, and these
    tensors: list[list]  # tensors that were read, their nodes, references to their last arrays, and the layouts
    sources: list[list]  # the same of tensors that may be replaced: the source, its getter, the node and the layout
    grads: list[tuple[Any, bool]]  # leaves whose gradients were read before the step made one, and whether it was None
    optimizers: list[tuple[Any, list]]  # those that took a step, and their parameters


class Outcome(NamedTuple):
    """What a step leaves behind: values in slots."""

    result: Callable  # makes what the step returns from the tensors and arrays in it
    returned: list[tuple[int, bool, Any]]  # the slots of these, whether they are tensors, and the tensors' nodes
    grads: list[tuple[Any, int | None]]  # leaves and their gradients, None where there is none
    buffers: list[tuple[dict, str, int]]  # of modules

    def slots(self) -> set[int]:
        """The slots of all values that are left behind."""
        returned, buffers = [slot for slot, *_ in self.returned], [slot for *_, slot in self.buffers]
        return {*returned, *buffers, *(slot for _, slot in self.grads if slot is not None)}

    def leave(self, values: list) -> Any:
        """Set gradients and buffers, and return what the step returns."""
        for leaf, slot in self.grads:
            leaf.grad = None if slot is None else wrap(values[slot], None)
        for dictionary, name, slot in self.buffers:
            dict.__setitem__(dictionary, name, wrap(values[slot], None))  # which is no change of the module
        return self.result(
            [wrap(values[slot], node) if is_tensor else values[slot] for slot, is_tensor, node in self.returned]
        )


class _Own(threading.local):
    """What each thread has of its own."""

    plan: MemoryPlan | None = None


class Program:
    """The instructions of a capture, after operator fusion and dead code elimination.

    The first replays run them one by one. Then a `MemoryPlan` repeats their calls.
    """

    def __init__(
        self, code: Sequence[Instruction], values: list, inputs: int, large: bool, outcome: Outcome, guards: Guards
    ):
        """``values`` has the constants in their slots and None elsewhere; the inputs' slots are the first.

        Arguments: ``large``, whether there are products that the linear algebra library would divide among threads.
        """
        self.guards, self.outcome, self.values, self.inputs = guards, outcome, values, inputs
        self.generator = generator_in_use()
        results = outcome.slots()
        live = _without_dead_code(fuse(code, results), results)
        self.buffers = [out for instruction in live for out in instruction.buffers]
        # Arrays that are read before an effect can have changed them are read first, so that chains become longer.
        before_effects = takewhile(lambda instruction: not instruction.effect, live)
        reads = [instruction for instruction in before_effects if instruction.function is array_of]
        self.reads = [(values[instruction.inputs[0]], instruction.output) for instruction in reads]
        self.code = chain_small_kernels([instruction for instruction in live if instruction not in reads])
        self._calls = [(each.function, getter(each.inputs), each.output, each.frees) for each in self.code]
        # Set once for the whole replay instead of for each large product.
        self._blas_limit: AbstractContextManager = single_threaded_blas if large else nullcontext()
        self._stable_replays = 0  # in a row
        self.rebindings = 0  # how often a tensor had another array than before
        self._own = _Own()

    def fits(self) -> bool:
        """Whether all guards hold."""
        python, numbers, tensors, sources, grads, optimizers = self.guards
        if not python.holds():
            return False
        for tensor, before in numbers:
            if tensor._data.tobytes() != before:
                return False
        for entry in tensors:
            tensor, node, last, layout = entry
            if tensor._node is not node:
                return False
            if last() is not tensor._data:
                if layout != layout_of(tensor._data):
                    return False
                entry[2] = reference(tensor._data)
                self._stable_replays, self.rebindings = 0, self.rebindings + 1
        for source, tensor_of, node, layout in sources:
            tensor = tensor_of(source)
            if tensor is None or tensor._node is not node or layout != layout_of(tensor._data):
                return False
        for leaf, absent in grads:
            if (leaf.grad is None) is not absent:
                return False
        for optimizer, expected in optimizers:
            remaining = iter(expected)
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    if parameter is not next(remaining, None):
                        return False
            if next(remaining, None) is not None:
                return False
        return generator_in_use() is self.generator

    def replay(self, inputs: list) -> Any:
        """Do the step with these arrays as its arguments."""
        before, mode.in_rule = mode.in_rule, True  # operations that a rule calls answer arrays with arrays
        try:
            if self._stable_replays < _STABLE_REPLAYS:
                self._stable_replays += 1
                return self._run(inputs)
            plan = self._own.plan
            if plan is None or plan.rebindings != self.rebindings:
                plan = self._own.plan = MemoryPlan(self)
            return plan.replay(inputs) if plan.can_overwrite() else self._run(inputs)
        finally:
            mode.in_rule = before

    def _run(self, inputs):
        """Run the instructions one by one."""
        values = self.values.copy()
        values[: len(inputs)] = inputs
        for tensor, slot in self.reads:
            values[slot] = tensor._data
        for out in self.buffers:
            values[out.slot] = out.allocate()
        with self._blas_limit:
            for function, arguments_of, output, frees in self._calls:
                values[output] = function(*arguments_of(values))
                for slot in frees:
                    values[slot] = None
        return self.outcome.leave(values)


def _without_dead_code(code: Sequence[Instruction], results: set[int]) -> list[Instruction]:
    """The instructions that have an effect, or a value that is needed; with the slots that each of them frees.

    The buffers of small kernels become arguments.
    """
    needed, live = set(results), []
    for instruction in reversed(code):
        buffers = tuple(out.slot for out in instruction.buffers)
        outputs = {instruction.output, *buffers}
        if instruction.effect or outputs & needed:
            frees = ({*instruction.inputs} | outputs) - needed
            needed.update(instruction.inputs)
            live.append(instruction._replace(inputs=(*instruction.inputs, *buffers), frees=tuple(frees)))
    live.reverse()
    return live


def layout_of(array: Any) -> tuple:
    """The shape, the type and the strides of an array."""
    return array.shape, array.dtype, array.strides


def reference(array: Any) -> Callable:
    """A weak reference to an array; scalars of NumPy have none."""
    return ref(array) if isinstance(array, numpy.ndarray) else lambda: None
