"""A replay that repeats what the one before it has called, on the same places in memory.

The first replay of a plan does the instructions one by one, and a `Tape` notes the compiled functions that they call,
and with which arrays. All arrays that stay are given places (`places`). So the next replay calls the same functions
with the same arrays: it looks at no shape, makes no array and cuts no view. What has to be done anew is done so: an
instruction whose calls are not all of it, that changes something besides, or that makes what the step returns.
"""

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from sys import getrefcount
from typing import Any, NamedTuple

import numpy

from ..arrays import workers
from ..arrays.tape import taping
from ..autodiff import wrap
from .functions import grad, taker
from .instruction import Instruction
from .places import Homes, Memory

__all__ = ["Plan"]

_MOST = 1 << 22  # bytes: up to so many an array from elsewhere is copied to a place that stays
_SMALL = 1 << 16  # bytes: up to so many an array is copied sooner than made


class Tape:
    """Notes what an instruction calls; ``strange``, if with an array that may be another one in the next replay."""

    def __init__(self, memory: Memory):
        self._memory = memory
        self.calls: list[tuple[Callable, tuple, bool]] = []
        self.made: set[int] = set()  # the rooms of this instruction, by number
        self.given: set[int] = set()  # those of what was called
        self.strange, self.holds = False, False

    def room(self, shape: Any, dtype: Any) -> Any:
        made = self._memory.room(shape, dtype)
        self.made.add(self._memory.place(made).number)
        return made

    def note(self, function: Callable, arguments: tuple, shares: bool = False) -> None:
        """Arguments: ``shares``, whether it is a function of a team and these."""
        compiled, folded = _compiled(function, (workers.NOBODY, *arguments) if shares else arguments)
        self.calls.append((compiled, self._noted(folded[1:] if shares else folded), shares))

    def _noted(self, argument):
        if isinstance(argument, tuple):
            return tuple(map(self._noted, argument))
        if not isinstance(argument, numpy.ndarray):
            return argument
        place = self._memory.place(argument)
        if place is not None:
            self.given.add(place.number)
        self.strange |= not self._memory.stays(argument)
        return self._memory.noted(argument)


def _compiled(function, arguments):
    """What has been compiled of a function for these arguments, to be called without the search for it, and with what.

    Of a function of Python that is the function itself.
    """
    overloads = getattr(function, "overloads", None)
    if not overloads:
        return function, arguments
    code, folded = function.py_func.__code__, arguments
    if code.co_flags & inspect.CO_VARARGS:
        count = code.co_argcount
        folded = *arguments[:count], arguments[count:]
    found = overloads.get(tuple(map(function.typeof_pyval, folded)))
    return (found.entry_point, folded) if found else (function, arguments)


class _Done(NamedTuple):
    """What is known of an instruction that has been done."""

    instruction: Instruction
    tape: Tape
    results: Any  # its value, arrays with a place as noted; None in the place of others
    numbers: frozenset[int]  # the rooms that these arrays belong to
    opaque: bool  # whether there is something else among them
    anew: bool  # whether it has to be done anew each time


class _Anew:
    """An instruction that is done anew in each replay."""

    def __init__(self, done: _Done, copied: bool, left: set[int], kept: set[int]):
        """Arguments: ``copied``, whether its results also go to their places, from where others take them; ``left``,
        the slots of all that is made anew; ``kept``, those of what the step leaves behind."""
        instruction, results = done.instruction, done.results
        self.effect = instruction.effect
        self._function, self._take = instruction.function, taker(instruction.takes)
        self._gives, self._lets_go = instruction.gives, [*left.intersection(instruction.lets_go)]
        self._place = results if copied else None
        self._stays = isinstance(self._place, numpy.ndarray) and self._gives not in kept

    def do(self, values: list) -> None:
        output = self._function(*self._take(values))
        _copy(self._place, output)
        values[self._gives] = self._place if self._stays else output
        for empty in self._lets_go:
            values[empty] = None


def _copy(place, value):
    """Copy arrays to their places, and those in tuples to theirs."""
    if place.__class__ is tuple:
        for one, part in zip(place, value, strict=True):
            _copy(one, part)
    elif place is not None:
        numpy.copyto(place, value)


class Plan:
    """The replays of a program that have found the same arrays, in one thread.

    The plans of a thread share its memory, for nothing there outlasts a replay: what a step leaves behind is made anew,
    or copied if it is small. Only gradients stay where they are, in memory of their own, and are written again if
    nobody else has them.
    """

    def __init__(self, program: Any):
        self.moves = program.moves
        self._program = program
        self._parts: list[list | _Anew] = []
        self._outcome: Any = None
        self._lent: list[tuple[Any, Any]] = []  # leaves, and the tensors that are their gradients
        self._watched: list = []
        self._counts: list[int] = []

    def is_free(self) -> bool:
        """Whether nobody but their leaves has the gradients of the replay before, which are written anew."""
        return self._references() == self._counts

    def _references(self):
        for leaf, tensor in self._lent:
            leaf.grad = tensor  # also where it has been taken away: then whoever has it counts
        return [*map(getrefcount, self._watched)]

    def replay(self, inputs: list) -> Any:
        """Do the step with these arrays as its arguments."""
        if self._outcome is None:
            result = self._record(inputs)
            self._counts = self._references()
            return result
        values = self._values.copy()
        for slot, place in self._places:
            numpy.copyto(place, inputs[slot])
        arrays: list | None = [tensor._data for tensor in self._tensors]  # they stay until something changes them
        try:
            with self._held:
                threads = workers.held.threads() if self._shares else 1
                for part in self._parts:
                    if isinstance(part, list):
                        workers.repeat(part, threads)
                    else:
                        if part.effect:
                            arrays = None
                        part.do(values)
        except BaseException:
            for leaf, _ in self._lent:  # whose gradient may have been written half
                leaf.grad = None
            raise
        del arrays
        for leaf, tensor in self._lent:
            leaf.grad = tensor
        for slot in self._copied:
            values[slot] = values[slot].copy()
        return self._outcome.leave(values)

    # --- the first time -----------------------------------------------------------------------------------------------

    def _record(self, inputs):
        program, memory = self._program, Memory.of_this_thread()
        self._memory, self._tensors = memory, [tensor for tensor, _ in program.reads]
        values = [*map(memory.borrowed, program.values)]
        for tensor, slot in program.reads:
            values[slot] = memory.borrowed(tensor._data)
        for slot, given in enumerate(inputs):
            values[slot] = memory.room(given.shape, given.dtype)
            numpy.copyto(values[slot], given)
        self._places = [*enumerate(map(memory.noted, values[: len(inputs)]))]
        foreign = {place.number for place in map(memory.place, values) if place}
        for room in program.rooms:
            values[room.slot] = memory.room(room.shape, room.dtype)
        self._values = [*map(memory.noted, values)]
        opaque: dict[int, int] = {}  # which instruction gives what is no array, by slots
        done: list[_Done] = []
        for k, instruction in enumerate(program.code):
            done.append(_do(instruction, values, memory, opaque))
            if done[-1].opaque:
                opaque[instruction.gives] = k
        return self._arrange(values, done, opaque, foreign)

    def _arrange(self, values, done, opaque, foreign):
        """Decide what is repeated and what done anew; give what the step returns."""
        program, memory = self._program, self._memory
        outcome = program.outcome
        left = [slot for slot, _ in outcome.returned] + [slot for *_, slot in outcome.buffers]
        places = {
            slot: memory.place(values[slot]) for slot in left + [slot for _, slot in outcome.grads if slot is not None]
        }
        number = {slot: place.number for slot, place in places.items() if place}
        looked_at = {holder for holder, tensor_of, *_ in program.guards.sources if tensor_of is grad}
        left += [slot for leaf, slot in outcome.grads if leaf in looked_at]
        others = foreign | {number[slot] for slot in left if slot in number}
        lent = [(leaf, slot) for leaf, slot in outcome.grads if number.get(slot, -1) not in {-1, *others}]
        rooms = {room.slot for room in program.rooms}
        small = {n for slot, n in number.items() if slot in rooms or values[slot].nbytes <= _SMALL} | foreign
        while True:
            given = {*number.values()} - small - {number[slot] for _, slot in lent}
            anew = _what_is_anew(done, opaque, given)
            made_anew = {n for each, again in zip(done, anew, strict=True) if again for n in each.numbers}
            kept = [(leaf, slot) for leaf, slot in lent if number[slot] not in made_anew]
            if len(kept) == len(lent):
                break
            lent = kept
        left_anew = {each.instruction.gives for each, again in zip(done, anew, strict=True) if again}
        slots = {slot for _, slot in lent}
        self._copied = [slot for slot, n in number.items() if slot not in slots and n not in given]
        # Two leaves may have the same gradient.
        homes = Homes(memory, {number[slot]: places[slot] for slot in slots})
        done = [each._replace(results=homes.moved(each.results)) for each in done]
        self._values = [homes.moved(x) if isinstance(x, numpy.ndarray) else x for x in self._values]
        repeated = [each for each, again in zip(done, anew, strict=True) if not again]
        self._held: AbstractContextManager = workers.held if any(e.tape.holds for e in repeated) else nullcontext()
        self._shares = any(shares for each in repeated for *_, shares in each.tape.calls)
        taken = {slot for each in repeated for slot in each.instruction.takes}
        for again, some in groupby(zip(anew, done, strict=True), lambda pair: pair[0]):
            if again:
                self._parts += [_Anew(each, each.instruction.gives in taken, left_anew, {*places}) for _, each in some]
            else:
                calls = [
                    (function, homes.moved(arguments), shares)
                    for _, each in some
                    for function, arguments, shares in each.tape.calls
                ]
                self._parts += [calls] if calls else []
        for each in repeated:
            self._values[each.instruction.gives] = each.results
        self._outcome = outcome._replace(grads=[pair for pair in outcome.grads if pair not in lent])
        for leaf, slot in lent:
            array, home = homes.given(values[slot])
            self._lent.append((leaf, wrap(array, None)))
            self._watched += self._lent[-1][1], array, home
        for slot in number.keys() - slots:
            values[slot] = values[slot].copy()
        return self._outcome.leave(values)


def _do(instruction, values, memory, opaque) -> _Done:
    """Do an instruction on values, and note what it does."""
    arguments, tape = [values[slot] for slot in instruction.takes], Tape(memory)
    taping.tape = None if instruction.effect else tape
    try:
        output = instruction.function(*arguments)
    finally:
        taping.tape = None
    if instruction.rooms:
        tape.note(instruction.function, tuple(arguments))
    looked = _Looked(memory, arguments, any(slot in opaque for slot in instruction.takes), tape)
    values[instruction.gives], results = looked.at(output)
    for empty in instruction.lets_go:
        values[empty] = None
    anew = instruction.effect or tape.strange or looked.anew
    return _Done(instruction, tape, results, frozenset(looked.numbers), looked.opaque, anew)


class _Looked:
    """What is found in the value of an instruction."""

    def __init__(self, memory: Memory, arguments: list, knows_more: bool, tape: Tape):
        """Arguments: ``knows_more``, whether it may have arrays from what is no array."""
        self._memory, self._tape, self._knows_more = memory, tape, knows_more
        self._given = [*_parts(arguments)]
        self._found = {place.number for place in map(memory.place, self._given) if place}
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
            self.anew |= not (place.number in self._found or self._knows_more)
        self.numbers.add(place.number)
        return part, self._memory.noted(part)


def _parts(value):
    """The parts of tuples and lists, and of those in them."""
    if isinstance(value, tuple | list):
        for part in value:
            yield from _parts(part)
    else:
        yield value


def _what_is_anew(done, opaque, given) -> list[bool]:
    """Which instructions are done anew: also those that make what is ``given`` away.

    What is no array is of this replay or of the first one, so who gives it and who takes it go together.
    """
    anew = [each.anew or not each.numbers.isdisjoint(given) for each in done]
    pairs = [(k, opaque[slot]) for k, each in enumerate(done) for slot in each.instruction.takes if slot in opaque]
    while any(anew[a] != anew[b] for a, b in pairs):
        for a, b in pairs:
            anew[a] = anew[b] = anew[a] or anew[b]
    return anew
