"""A memory plan: replays that repeat the logged calls of the one before them, on the same memory.

The first replay of a plan runs the instructions one by one, while the compiled functions that they launch are logged
together with their arguments (`call_log`). All arrays that stay get buffers (`arena`). So the next replay calls the
same functions with the same arrays. It reads no shapes, allocates nothing and makes no views.

Three kinds of instructions run again in each replay: those whose calls are not all that they do, those with a side
effect, and those that make a large array that the step gives away.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import groupby
from sys import getrefcount
from typing import Any

import numpy

from ...autodiff import wrap
from ..threads import team
from ..threads.blas_threads import single_threaded_blas
from .arena import Arena, DedicatedBuffers
from .call_log import LoggedInstruction, flat_parts, log_effect, run_logged
from .escaping import Escaping
from .functions import getter

__all__ = ["MemoryPlan"]


class _Rerun:
    """An instruction that runs again in each replay."""

    def __init__(self, logged: LoggedInstruction, is_copied: bool, rerun: set[int], escaping: set[int]):
        """Arguments: ``is_copied``, whether its results are also copied to their buffers, where logged calls read them;
        ``rerun``, the slots of all that is computed again; ``escaping``, those of what the step leaves behind."""
        instruction, results = logged.instruction, logged.results
        self._function, self._arguments_of = instruction.function, getter(instruction.inputs)
        self._output, self._frees = instruction.output, [*rerun.intersection(instruction.frees)]
        self._results = results if is_copied else None
        self._uses_copy = isinstance(self._results, numpy.ndarray) and self._output not in escaping

    def run(self, values: list, threads: int) -> None:
        value = self._call(self._arguments_of(values))
        _copy(self._results, value)
        values[self._output] = self._results if self._uses_copy else value
        for slot in self._frees:
            values[slot] = None

    def _call(self, arguments):
        return self._function(*arguments)


class _RerunEffect(_Rerun):
    """An instruction with a side effect. Its calls are repeated while they are valid; else it runs again.

    Attributes: ``needed_later``, the tensors that are read later, so that it must not overwrite their arrays.
    """

    def __init__(
        self,
        plan: "MemoryPlan",
        dedicated: DedicatedBuffers,
        gradients: set[int],
        needed_later: set[int],
        calls_before: list,
        logged: LoggedInstruction,
        *others: Any,
    ):
        """Arguments: ``gradients``, the slots of those in dedicated buffers; ``calls_before``, calls that are repeated
        just before it; ``others``, as for a `_Rerun`."""
        super().__init__(logged, *others)
        self.needed_later, self._arena, self._calls_before = needed_later, plan.arena, calls_before
        # The effect may hold on to its arguments, so it gets copies of those that are overwritten later.
        self._copied = [k for k, slot in enumerate(logged.instruction.inputs) if slot not in gradients]
        self._launch: Any = logged.instruction.launch
        self._arguments = dedicated.relocated(logged.arguments)
        self._set(logged.effect and logged.effect._replace(calls=dedicated.relocated(logged.effect.calls)))

    def _set(self, effect):
        self._effect = effect
        self._calls = _join_chains([*self._calls_before, *effect.calls]) if effect else []

    def run(self, values: list, threads: int) -> None:
        if self._effect and self._effect.is_valid():
            team.run_calls(self._calls, threads)
            for slot in self._frees:
                values[slot] = None
        else:
            if self._calls_before:
                team.run_calls(self._calls_before, threads)
            super().run(values, threads)

    def _call(self, arguments):
        if self._effect:
            is_done, effect = log_effect(self._launch, self._arguments, self._arena)
            self._set(effect)
            if is_done:
                return None
        arguments = [*arguments]
        for k in self._copied:
            if isinstance(arguments[k], numpy.ndarray):
                arguments[k] = arguments[k].copy()
        return self._function(*arguments)


def _join_chains(calls):
    """The calls, with chains of small kernels that follow each other as one."""
    found: list[tuple] = []
    for function, arguments, parallel in calls:
        last, before, _ = found[-1] if found else (None, (), False)
        if hasattr(function, "joined") and hasattr(last, "joined"):
            positions = [range(len(before)), range(len(before), len(before) + len(arguments))]
            found[-1] = function.joined([last, function], positions), before + arguments, False
        else:
            found.append((function, arguments, parallel))
    return found


def _copy(results, value):
    """Copy the arrays of a value to its results in buffers, also in tuples."""
    if results.__class__ is tuple:
        for result, part in zip(results, value, strict=True):
            _copy(result, part)
    elif results is not None:
        numpy.copyto(results, value)


class MemoryPlan:
    """The replays of a program, in one thread, for as long as tensors from outside have the same arrays.

    The plans of a thread share its arena, since nothing in it outlasts a replay: what a step leaves behind is made by
    an instruction that runs again, or copied if it is small. Gradients alone stay in dedicated buffers, and the next
    replay overwrites them if nothing else refers to them.
    """

    def __init__(self, program: Any):
        self.rebindings = program.rebindings
        self._program = program
        self._parts: list[Any] = []  # lists of calls, and instructions that run again
        self._outcome: Any = None
        self._gradients: list[tuple[Any, Any]] = []  # leaves, and the tensors that are their gradients
        self._watched: list = []
        self._needed_later: set[int] = set()
        self._references: list[int] = []

    def can_overwrite(self) -> bool:
        """Whether nothing but the leaves refers to the gradients of the replay before. The leaves have them then."""
        return self._reference_counts() == self._references

    def _reference_counts(self):
        for leaf, tensor in self._gradients:
            leaf.grad = tensor  # also where it was removed: a reference to it from elsewhere counts then
        return [*map(getrefcount, self._watched)]

    def replay(self, inputs: list) -> Any:
        """Do the step with these arrays as its arguments."""
        if self._outcome is None:
            result = self._log(inputs)
            self._references = self._reference_counts()
            return result
        values = self._values.copy()
        for slot, alias in self._inputs:
            numpy.copyto(alias, inputs[slot])
        needed = {}
        if self._needed_later:  # a reference to these arrays, until an effect may overwrite them
            needed = {k: self._tensors[k]._data for k in self._needed_later}
        try:
            with self._blas_limit:
                threads = single_threaded_blas.threads() if self._is_parallel else 1
                for part in self._parts:
                    if isinstance(part, list):
                        team.run_calls(part, threads)
                    else:
                        if needed and isinstance(part, _RerunEffect):
                            needed = {k: needed[k] for k in part.needed_later}
                        part.run(values, threads)
        except BaseException:
            for leaf, _ in self._gradients:  # these may be half written
                leaf.grad = None
            raise
        del needed
        for slot in self._copied:
            values[slot] = values[slot].copy()
        return self._outcome.leave(values)

    # --- the first replay ---------------------------------------------------------------------------------------------

    def _log(self, inputs):
        """Run the instructions one by one, and log their calls."""
        program, arena = self._program, Arena.of_this_thread()
        self.arena, self._tensors = arena, [tensor for tensor, _ in program.reads]
        values = [*map(arena.external, program.values)]
        for tensor, slot in program.reads:
            values[slot] = arena.external(tensor._data)
        for slot, array in enumerate(inputs):
            values[slot] = arena.empty(array.shape, array.dtype)
            numpy.copyto(values[slot], array)
        self._inputs = [*enumerate(map(arena.alias, values[: len(inputs)]))]
        foreign = {buffer.number for buffer in map(arena.buffer_of, values) if buffer}
        for out in program.buffers:
            values[out.slot] = arena.empty(out.shape, out.dtype)
        self._values = [*map(arena.alias, values)]
        referenced: dict[int, frozenset[int]] = {}  # the buffers that opaque values may refer to, by their slots
        read = [arena.buffer_of(values[slot]).number for _, slot in program.reads]
        needed = {k: tensor._data for k, tensor in enumerate(self._tensors)}
        logged: list[LoggedInstruction] = []
        needed_later: dict[int, set[int]] = {}  # which tensors are read after an effect, by the effect's slot
        for k, instruction in enumerate(program.code):
            if instruction.effect:
                later = {slot for each in program.code[k + 1 :] for slot in each.inputs} | program.outcome.slots()
                parts = flat_parts([values[slot] for slot in later])
                buffers = {buffer.number for buffer in map(arena.buffer_of, parts) if buffer}
                buffers.update(*[referenced[slot] for slot in later if slot in referenced])
                needed = {k: needed[k] for k in needed if read[k] in buffers}
                needed_later[instruction.output] = {*needed}
                self._needed_later = self._needed_later or {*needed}
            logged.append(run_logged(instruction, values, arena, referenced))
            if logged[-1].is_opaque:
                referenced[instruction.output] = logged[-1].read
        return self._arrange(values, logged, foreign, needed_later)

    def _arrange(self, values, logged, foreign, needed_later):
        """Decide which instructions are repeated by their calls, and which run again. Returns the step's result."""
        escaping = Escaping(self._program, self.arena, values, foreign)
        rerun = escaping.decide(logged)
        dedicated = DedicatedBuffers(
            self.arena, {escaping.number[slot]: escaping.buffers[slot] for _, slot in escaping.gradients}
        )
        logged = [each._replace(results=dedicated.relocated(each.results)) for each in logged]
        self._values = [dedicated.relocated(x) if isinstance(x, numpy.ndarray) else x for x in self._values]
        repeated = [each for each, again in zip(logged, rerun, strict=True) if not again]
        self._blas_limit: AbstractContextManager = (
            single_threaded_blas if any(each.log.limits_blas for each in repeated) else nullcontext()
        )
        calls = [each.log.calls for each in repeated] + [each.effect.calls for each in logged if each.effect]
        self._is_parallel = any(parallel for group in calls for *_, parallel in group)
        self._set_parts(logged, rerun, dedicated, escaping, needed_later)
        for each in repeated:
            self._values[each.instruction.output] = each.results
        for leaf, slot in escaping.gradients:
            array, memory = dedicated.copied(values[slot])
            self._values[slot] = array
            self._gradients.append((leaf, wrap(array, None)))
            self._watched += self._gradients[-1][1], array, memory
        self._copied = escaping.copied()
        outcome = self._program.outcome
        self._outcome = outcome._replace(grads=[pair for pair in outcome.grads if pair not in escaping.gradients])
        for slot in escaping.number.keys() - {slot for _, slot in escaping.gradients}:
            values[slot] = values[slot].copy()
        return self._outcome.leave(values)

    def _set_parts(self, logged, rerun, dedicated, escaping, needed_later):
        """Put together the parts of a replay, in their order: lists of calls, and instructions that run again."""
        read = {
            slot
            for each, again in zip(logged, rerun, strict=True)
            if each.effect or not again
            for slot in each.instruction.inputs
        }
        gradients = {slot for _, slot in escaping.gradients}
        computed_again = {each.instruction.output for each, again in zip(logged, rerun, strict=True) if again}
        slots = {*escaping.buffers}
        for again, group in groupby(zip(rerun, logged, strict=True), lambda pair: pair[0]):
            if again:
                for _, each in group:
                    output = each.instruction.output
                    kind: Callable = _Rerun
                    if output in needed_later:
                        before = self._parts.pop() if self._parts and isinstance(self._parts[-1], list) else []
                        kind = partial(_RerunEffect, self, dedicated, gradients, needed_later[output], before)
                    self._parts.append(kind(each, output in read, computed_again, slots))
                continue
            calls = [call for _, each in group for call in each.log.calls]
            if calls:
                self._parts.append(
                    [(function, dedicated.relocated(arguments), parallel) for function, arguments, parallel in calls]
                )
