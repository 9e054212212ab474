"""Runs an instruction and logs its calls of compiled functions, for a memory plan that repeats these calls alone.

The log also tells whether the calls are all that the instruction does, or whether it has to run again in each replay.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy

from ..threads import team
from ..workspace import capturing
from .arena import Arena, map_parts
from .instruction import Instruction

__all__ = ["LoggedEffect", "LoggedInstruction", "flat_parts", "log_effect", "run_logged"]

_MAX_COPY = 1 << 22  # bytes; a larger array from elsewhere is not copied to a buffer

Call = tuple[Callable, tuple, bool]
"""A compiled function, its arguments, and whether the thread team computes it."""


class CallLog:
    """The calls of an instruction through the workspace, whose capture it is.

    Attributes: ``allocated``, the numbers of the buffers that were allocated; ``passed``, those of the buffers that a
    function got; ``is_unstable``, whether a function got an array that may lie elsewhere in the next replay.
    """

    def __init__(self, arena: Arena):
        self._arena = arena
        self.calls: list[Call] = []
        self.allocated: set[int] = set()
        self.passed: set[int] = set()
        self.is_unstable, self.limits_blas = False, False

    def empty(self, shape: Any, dtype: Any) -> Any:
        array = self._arena.empty(shape, dtype)
        self.allocated.add(self._arena.buffer_of(array).number)
        return array

    def external(self, array: Any) -> Any:
        return self._arena.external(array)

    def add_call(self, function: Callable, arguments: tuple, parallel: bool = False) -> None:
        """Arguments: ``parallel``, whether the thread team computes it: the team is the function's first argument."""
        specialised = _specialised(function, (team.NO_TEAM, *arguments) if parallel else arguments)
        self.calls.append((specialised, self._logged(arguments), parallel))

    def _logged(self, argument):
        if isinstance(argument, tuple | list):
            return map_parts(self._logged, argument)
        if not isinstance(argument, numpy.ndarray):
            return argument
        buffer = self._arena.buffer_of(argument)
        if buffer is not None:
            self.passed.add(buffer.number)
        self.is_unstable |= not self._arena.is_fixed(argument)
        return self._arena.alias(argument)


def _specialised(function, arguments):
    """What was compiled of a function for arguments of these types; a Python function is returned as it is."""
    specialise = getattr(function, "specialised_for", None)
    return specialise(arguments) if specialise else function


class LoggedEffect(NamedTuple):
    """The calls that do a side effect, as long as they are valid."""

    is_valid: Callable[[], bool]  # called before each repetition
    calls: list[Call]


def log_effect(launch: Callable, arguments: Sequence, arena: Arena) -> tuple[bool, LoggedEffect | None]:
    """Do a side effect by its `Instruction.launch`. Returns whether it is done, and the calls that repeat it.

    ``launch`` returns None where it has done nothing, else the function that says whether its calls are still valid.
    """
    log = CallLog(arena)
    with capturing(log):
        is_valid = launch(*arguments)
    return is_valid is not None, None if is_valid is None or log.is_unstable else LoggedEffect(is_valid, log.calls)


class LoggedInstruction(NamedTuple):
    """What an instruction did when it ran."""

    instruction: Instruction
    log: CallLog
    results: Any  # its value: aliases of the arrays that have a buffer, None in the place of anything else
    written: frozenset[int]  # the numbers of these buffers
    read: frozenset[int]  # the numbers of the buffers of its arguments, also of those that an opaque argument may hold
    is_opaque: bool  # whether its value has parts that are no arrays
    must_rerun: bool  # whether its calls are not all that it does
    arguments: tuple  # of an effect that can be launched: aliases
    effect: LoggedEffect | None  # the calls that repeat an effect


def run_logged(
    instruction: Instruction, values: list, arena: Arena, referenced: Mapping[int, frozenset[int]]
) -> LoggedInstruction:
    """Run an instruction on the values in their slots, put its value into its slot, and log what it does.

    Arguments: ``referenced``, for the slots of opaque values of this replay, the buffers that these may refer to.
    """
    arguments, log = [values[slot] for slot in instruction.inputs], CallLog(arena)
    aliases = tuple(map(arena.alias, arguments)) if instruction.launch else ()
    is_done, repeats = log_effect(instruction.launch, aliases, arena) if instruction.launch else (False, None)
    with nullcontext() if instruction.effect else capturing(log):
        value = None if is_done else instruction.function(*arguments)
    if instruction.buffers:
        log.add_call(instruction.function, tuple(arguments))
    inspection = _Inspection(arena, arguments, any(slot in referenced for slot in instruction.inputs), log)
    values[instruction.output], results = inspection.stored(value)
    for slot in instruction.frees:
        values[slot] = None
    must_rerun = instruction.effect or log.is_unstable or inspection.must_rerun
    read = frozenset().union(inspection.read, log.passed, *[referenced.get(slot, ()) for slot in instruction.inputs])
    written, opaque = frozenset(inspection.written), inspection.is_opaque
    return LoggedInstruction(instruction, log, results, written, read, opaque, must_rerun, aliases, repeats)


class _Inspection:
    """Looks at the value of an instruction: where its arrays come from."""

    def __init__(self, arena: Arena, arguments: list, has_opaque_arguments: bool, log: CallLog):
        """Arguments: ``has_opaque_arguments``, whether it may get arrays from an opaque value."""
        self._arena, self._log, self._has_opaque_arguments = arena, log, has_opaque_arguments
        self._arguments = [*flat_parts(arguments)]
        self.read = {buffer.number for buffer in map(arena.buffer_of, self._arguments) if buffer}
        self.must_rerun = any(isinstance(part, numpy.generic) for part in self._arguments)
        self.written: set[int] = set()
        self.is_opaque = False

    def stored(self, part: Any) -> tuple[Any, Any]:
        """The value with its arrays in buffers where possible; and its results, as in `LoggedInstruction`."""
        if isinstance(part, tuple | list):
            pairs = [self.stored(one) for one in part]
            parts = [one for one, _ in pairs]
            return parts if isinstance(part, list) else tuple(parts), tuple(result for _, result in pairs)
        if part is None:
            return None, None
        if not isinstance(part, numpy.ndarray):
            self.is_opaque = True
            self.must_rerun |= not self._log.calls and not any(part is one for one in self._arguments)
            return part, None
        buffer = self._arena.buffer_of(part)
        if buffer is None:
            self.must_rerun = True
            if part.nbytes > _MAX_COPY or part.dtype.hasobject:
                return part, None
            copy = self._arena.empty(part.shape, part.dtype)
            numpy.copyto(copy, part)
            part, buffer = copy, self._arena.buffer_of(copy)
        elif buffer.number in self._log.allocated:
            self.must_rerun |= buffer.number not in self._log.passed
        else:
            self.must_rerun |= not (buffer.number in self.read or self._has_opaque_arguments)
        self.written.add(buffer.number)
        return part, self._arena.alias(part)


def flat_parts(value):
    """The parts of tuples and lists, also of those inside them."""
    if isinstance(value, tuple | list):
        for part in value:
            yield from flat_parts(part)
    else:
        yield value
