"""An instruction that is done while a tape listens: what it calls, and which of its results lie where they will lie.

The first replay of a plan does all instructions so (`plan`).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy

from ..threads import team
from ..workspace import capturing
from .instruction import Instruction
from .places import Memory, each_of

__all__ = ["Done", "do", "effect", "parts_of"]

_MOST = 1 << 22  # bytes: up to so many an array from elsewhere is copied to a place that stays


class _Tape:
    """Notes what an instruction calls; ``strange``, if with an array that may be another one in the next replay."""

    def __init__(self, memory: Memory):
        self._memory = memory
        self.calls: list[tuple[Callable, tuple, bool]] = []
        self.made: set[int] = set()  # the rooms of this instruction, by number
        self.given: set[int] = set()  # those of what was called
        self.strange, self.limits_blas = False, False

    def empty(self, shape: Any, dtype: Any) -> Any:
        made = self._memory.room(shape, dtype)
        self.made.add(self._memory.place(made).number)
        return made

    def external(self, array: Any) -> Any:
        return self._memory.borrowed(array)

    def add_call(self, function: Callable, arguments: tuple, shares: bool = False) -> None:
        """Arguments: ``shares``, whether it is a function of a team and these."""
        compiled = _compiled(function, (team.NO_TEAM, *arguments) if shares else arguments)
        self.calls.append((compiled, self._noted(arguments), shares))

    def _noted(self, argument):
        if isinstance(argument, tuple | list):
            return each_of(self._noted, argument)
        if not isinstance(argument, numpy.ndarray):
            return argument
        place = self._memory.place(argument)
        if place is not None:
            self.given.add(place.number)
        self.strange |= not self._memory.stays(argument)
        return self._memory.noted(argument)


def _compiled(function, arguments):
    """What has been compiled of a function for these arguments, to be called without the search for it.

    Of a function of Python that is the function itself.
    """
    search = getattr(function, "specialised_for", None)
    return search(arguments) if search else function


class Effect(NamedTuple):
    """What is called to change something besides, for as long as it may be repeated."""

    may_be: Callable[[], bool]  # asked before each repetition
    calls: list[tuple[Callable, tuple, bool]]


def effect(function: Callable, arguments: Sequence, memory: Memory) -> tuple[bool, Effect | None]:
    """Do an effect by its `Instruction.again`: whether it has been done, and by which calls it is done again."""
    tape = _Tape(memory)
    with capturing(tape):
        may_be = function(*arguments)
    return may_be is not None, None if may_be is None or tape.strange else Effect(may_be, tape.calls)


class Done(NamedTuple):
    """What is known of an instruction that has been done."""

    instruction: Instruction
    tape: _Tape
    results: Any  # its value, arrays with a place as noted; None in the place of others
    numbers: frozenset[int]  # the rooms that these arrays belong to
    taken: frozenset[int]  # those that it was given arrays of, or may have known
    opaque: bool  # whether there is something else among them
    anew: bool  # whether it has to be done anew each time
    given: tuple  # what an effect that may be repeated was given, as noted
    repeats: Effect | None  # what is called instead of an effect, as long as it may be


def do(instruction: Instruction, values: list, memory: Memory, known: Mapping[int, frozenset[int]]) -> Done:
    """Do an instruction on values, and note what it does.

    Arguments: ``known``, the rooms that what is no array and was made in this replay may have arrays of, by its slots.
    """
    arguments, tape = [values[slot] for slot in instruction.takes], _Tape(memory)
    given = tuple(map(memory.noted, arguments)) if instruction.again else ()
    done, repeats = effect(instruction.again, given, memory) if instruction.again else (False, None)
    with nullcontext() if instruction.effect else capturing(tape):
        output = None if done else instruction.function(*arguments)
    if instruction.rooms:
        tape.add_call(instruction.function, tuple(arguments))
    looked = _Looked(memory, arguments, any(slot in known for slot in instruction.takes), tape)
    values[instruction.gives], results = looked.at(output)
    for empty in instruction.lets_go:
        values[empty] = None
    anew = instruction.effect or tape.strange or looked.anew
    taken = frozenset().union(looked.found, tape.given, *[known.get(slot, ()) for slot in instruction.takes])
    return Done(instruction, tape, results, frozenset(looked.numbers), taken, looked.opaque, anew, given, repeats)


class _Looked:
    """What is found in the value of an instruction."""

    def __init__(self, memory: Memory, arguments: list, knows_more: bool, tape: _Tape):
        """Arguments: ``knows_more``, whether it may have arrays from what is no array."""
        self._memory, self._tape, self._knows_more = memory, tape, knows_more
        self._given = [*parts_of(arguments)]
        self.found = {place.number for place in map(memory.place, self._given) if place}
        self.anew = any(isinstance(part, numpy.generic) for part in self._given)
        self.numbers: set[int] = set()
        self.opaque = False

    def at(self, part: Any) -> tuple[Any, Any]:
        """The value with arrays that have places, and the same with these as they are noted, and None for others."""
        if isinstance(part, tuple | list):
            pairs = [self.at(one) for one in part]
            parts = [one for one, _ in pairs]
            return parts if isinstance(part, list) else tuple(parts), tuple(place for _, place in pairs)
        if part is None:
            return None, None
        if not isinstance(part, numpy.ndarray):
            self.opaque = True
            self.anew |= not self._tape.calls and not any(part is one for one in self._given)
            return part, None
        place = self._memory.place(part)
        if place is None:
            self.anew = True
            if part.nbytes > _MOST or part.dtype.hasobject:
                return part, None
            copy = self._memory.room(part.shape, part.dtype)
            numpy.copyto(copy, part)
            part, place = copy, self._memory.place(copy)
        elif place.number in self._tape.made:
            self.anew |= place.number not in self._tape.given
        else:
            self.anew |= not (place.number in self.found or self._knows_more)
        self.numbers.add(place.number)
        return part, self._memory.noted(part)


def parts_of(value):
    """The parts of tuples and lists, and of those in them."""
    if isinstance(value, tuple | list):
        for part in value:
            yield from parts_of(part)
    else:
        yield value
