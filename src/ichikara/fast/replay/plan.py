"""A replay that repeats what the one before it has called, on the same places in memory.

The first replay of a plan does the instructions one by one, while a tape notes the compiled functions that they call,
and with which arrays (`noted`). All arrays that stay are given places (`places`). So the next replay calls the same
functions with the same arrays: it looks at no shape, makes no array and cuts no view. What has to be done anew is done
so: an instruction whose calls are not all of it, that changes something besides, or that makes what the step returns.
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
from .functions import grad, taker
from .noted import Done, do, effect, parts_of
from .places import Homes, Memory

__all__ = ["Plan"]

_SMALL = 1 << 16  # bytes: up to so many an array is copied sooner than made


class _Anew:
    """An instruction that is done anew in each replay."""

    def __init__(self, done: Done, copied: bool, left: set[int], kept: set[int]):
        """Arguments: ``copied``, whether its results also go to their places, from where others take them; ``left``,
        the slots of all that is made anew; ``kept``, those of what the step leaves behind."""
        instruction, results = done.instruction, done.results
        self._function, self._take = instruction.function, taker(instruction.takes)
        self._gives, self._lets_go = instruction.gives, [*left.intersection(instruction.lets_go)]
        self._place = results if copied else None
        self._stays = isinstance(self._place, numpy.ndarray) and self._gives not in kept

    def do(self, values: list, threads: int) -> None:
        output = self._called(self._take(values))
        _copy(self._place, output)
        values[self._gives] = self._place if self._stays else output
        for empty in self._lets_go:
            values[empty] = None

    def _called(self, arguments):
        return self._function(*arguments)


class _Effect(_Anew):
    """An instruction that changes something besides: done by the same calls as long as that may be, and else anew.

    Attributes: ``needed_later``, what is read and must not be changed yet.
    """

    def __init__(
        self, plan: "Plan", homes: Homes, given: set[int], needed_later: set[int], before: list, done: Done, *where: Any
    ):
        """Arguments: ``given``, the slots of gradients in memory of their own; ``before``, calls that are repeated just
        before it; ``where``, as for what is done anew."""
        super().__init__(done, *where)
        self.needed_later, self._memory, self._before = needed_later, plan.memory, before
        # What changes something may keep what it is given.
        self._owns = [k for k, slot in enumerate(done.instruction.takes) if slot not in given]
        self._again: Any = done.instruction.again
        self._given = homes.moved(done.given)
        self._keep(done.repeats and done.repeats._replace(calls=homes.moved(done.repeats.calls)))

    def _keep(self, repeats):
        self._repeats = repeats
        self._calls = _joined([*self._before, *repeats.calls]) if repeats else []

    def do(self, values: list, threads: int) -> None:
        if self._repeats and self._repeats.may_be():
            team.run_calls(self._calls, threads)
            for empty in self._lets_go:
                values[empty] = None
        else:
            if self._before:
                team.run_calls(self._before, threads)
            super().do(values, threads)

    def _called(self, arguments):
        if self._repeats:
            done, repeats = effect(self._again, self._given, self._memory)
            self._keep(repeats)
            if done:
                return None
        arguments = [*arguments]
        for k in self._owns:
            if isinstance(arguments[k], numpy.ndarray):
                arguments[k] = arguments[k].copy()
        return self._function(*arguments)


def _joined(calls):
    """The calls, chains of small kernels that follow each other as one."""
    found: list[tuple] = []
    for function, given, shares in calls:
        last, before, _ = found[-1] if found else (None, (), False)
        if hasattr(function, "joined") and hasattr(last, "joined"):
            places = [range(len(before)), range(len(before), len(before) + len(given))]
            found[-1] = function.joined([last, function], places), before + given, False
        else:
            found.append((function, given, shares))
    return found


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
        self._parts: list[Any] = []  # calls, or what is done anew
        self._outcome: Any = None
        self._lent: list[tuple[Any, Any]] = []  # leaves, and the tensors that are their gradients
        self._watched: list = []
        self._needed_later: set[int] = set()
        self._counts: list[int] = []

    def is_free(self) -> bool:
        """Whether nobody but their leaves has the gradients of the replay before, which are written anew.

        The leaves have them then.
        """
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
        needed = {}
        if self._needed_later:  # which stay until something changes them
            needed = {k: self._tensors[k]._data for k in self._needed_later}
        try:
            with self._held:
                threads = single_threaded_blas.threads() if self._shares else 1
                for part in self._parts:
                    if isinstance(part, list):
                        team.run_calls(part, threads)
                    else:
                        if needed and isinstance(part, _Effect):
                            needed = {k: needed[k] for k in part.needed_later}
                        part.do(values, threads)
        except BaseException:
            for leaf, _ in self._lent:  # whose gradient may have been written half
                leaf.grad = None
            raise
        del needed
        for slot in self._copied:
            values[slot] = values[slot].copy()
        return self._outcome.leave(values)

    # --- the first time -----------------------------------------------------------------------------------------------

    def _record(self, inputs):
        """Do the step one by one, and note it."""
        program, memory = self._program, Memory.of_this_thread()
        self.memory, self._tensors = memory, [tensor for tensor, _ in program.reads]
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
        known: dict[int, frozenset[int]] = {}  # the rooms that what is no array may have arrays of, by slots
        read = [memory.place(values[slot]).number for _, slot in program.reads]
        needed = {k: tensor._data for k, tensor in enumerate(self._tensors)}
        done: list[Done] = []
        needed_later: dict[int, set[int]] = {}  # what is read, by position; by the slots of what may change it
        for k, instruction in enumerate(program.code):
            if instruction.effect:
                later = {slot for each in program.code[k + 1 :] for slot in each.takes} | program.outcome.slots()
                rooms = {place.number for place in map(memory.place, parts_of([values[s] for s in later])) if place}
                rooms.update(*[known[slot] for slot in later if slot in known])
                needed = {k: needed[k] for k in needed if read[k] in rooms}
                needed_later[instruction.gives] = {*needed}
                self._needed_later = self._needed_later or {*needed}
            done.append(do(instruction, values, memory, known))
            if done[-1].opaque:
                known[instruction.gives] = done[-1].taken
        return self._arrange(values, done, foreign, needed_later)

    def _arrange(self, values, done, foreign, needed_later):
        """Decide what is repeated and what done anew; give what the step returns."""
        left = _Left(self._program, self.memory, values, foreign)
        anew = left.decide(done)
        homes = Homes(self.memory, {left.number[slot]: left.places[slot] for _, slot in left.lent})
        done = [each._replace(results=homes.moved(each.results)) for each in done]
        self._values = [homes.moved(x) if isinstance(x, numpy.ndarray) else x for x in self._values]
        repeated = [each for each, again in zip(done, anew, strict=True) if not again]
        self._held: AbstractContextManager = (
            single_threaded_blas if any(e.tape.limits_blas for e in repeated) else nullcontext()
        )
        calls = [each.tape.calls for each in repeated] + [each.repeats.calls for each in done if each.repeats]
        self._shares = any(shares for some in calls for *_, shares in some)
        taken = {
            slot
            for each, again in zip(done, anew, strict=True)
            if each.repeats or not again
            for slot in each.instruction.takes
        }
        slots = {slot for _, slot in left.lent}
        made = {each.instruction.gives for each, again in zip(done, anew, strict=True) if again}
        kept = {*left.places}
        for again, some in groupby(zip(anew, done, strict=True), lambda pair: pair[0]):
            if again:
                for _, each in some:
                    gives = each.instruction.gives
                    kind: Callable = _Anew
                    if gives in needed_later:
                        before = self._parts.pop() if self._parts and isinstance(self._parts[-1], list) else []
                        kind = partial(_Effect, self, homes, slots, needed_later[gives], before)
                    self._parts.append(kind(each, gives in taken, made, kept))
                continue
            calls = [call for _, each in some for call in each.tape.calls]
            if calls:
                self._parts.append([(function, homes.moved(given), shares) for function, given, shares in calls])
        for each in repeated:
            self._values[each.instruction.gives] = each.results
        for leaf, slot in left.lent:
            array, home = homes.given(values[slot])
            self._values[slot] = array
            self._lent.append((leaf, wrap(array, None)))
            self._watched += self._lent[-1][1], array, home
        self._copied = left.copied()
        outcome = self._program.outcome
        self._outcome = outcome._replace(grads=[pair for pair in outcome.grads if pair not in left.lent])
        for slot in left.number.keys() - slots:
            values[slot] = values[slot].copy()
        return self._outcome.leave(values)


class _Left:
    """What a step leaves behind: gradients that are ``lent``, what is made anew for it, and what is small and copied.

    Attributes: ``lent``, leaves and the slots of their gradients; ``places``, by all slots, None for what has none;
    ``number``, that of the place, by the slots that have one.
    """

    def __init__(self, program: Any, memory: Memory, values: list, foreign: set[int]):
        """Arguments: ``foreign``, the rooms of what is read, which are somebody else's."""
        outcome = program.outcome
        others = [slot for slot, _ in outcome.returned] + [slot for *_, slot in outcome.buffers]
        self.places = {slot: memory.place(values[slot]) for slot in outcome.slots()}
        self.number = number = {slot: place.number for slot, place in self.places.items() if place}
        looked_at = {holder for holder, tensor_of, *_ in program.guards.sources if tensor_of is grad}
        others += [slot for leaf, slot in outcome.grads if leaf in looked_at]
        not_lent = foreign | {number[slot] for slot in others if slot in number}
        # Two leaves may have the same gradient.
        self.lent = [(leaf, slot) for leaf, slot in outcome.grads if slot in number and number[slot] not in not_lent]
        rooms = {room.slot for room in program.rooms}
        self._small = {n for slot, n in number.items() if slot in rooms or values[slot].nbytes <= _SMALL} | foreign

    def decide(self, done: list[Done]) -> list[bool]:
        """Which instructions are done anew; what is lent is made by others."""
        opaque = {each.instruction.gives: k for k, each in enumerate(done) if each.opaque}
        while True:
            anew = _what_is_anew(done, opaque, self._given())
            made_anew = {n for each, again in zip(done, anew, strict=True) if again for n in each.numbers}
            lent = [(leaf, slot) for leaf, slot in self.lent if self.number[slot] not in made_anew]
            if len(lent) == len(self.lent):
                break
            self.lent = lent
        _cut_anew(done, opaque, anew, self.places.keys())
        return anew

    def _given(self):
        """The rooms that are given away."""
        return {*self.number.values()} - self._small - {self.number[slot] for _, slot in self.lent}

    def copied(self) -> list[int]:
        """The slots of what is copied."""
        elsewhere = self._given() | {self.number[slot] for _, slot in self.lent}
        return [slot for slot, n in self.number.items() if n not in elsewhere]


def _what_is_anew(done, opaque, given) -> list[bool]:
    """Which instructions are done anew: also those that make what is ``given`` away.

    What is no array is of this replay or of the first one, so who gives it and who takes it go together.

    Arguments: ``opaque``, which instruction gives what is no array, by its slot.
    """
    anew = [each.anew or not each.numbers.isdisjoint(given) for each in done]
    pairs = [(k, opaque[slot]) for k, each in enumerate(done) for slot in each.instruction.takes if slot in opaque]
    while any(anew[a] != anew[b] for a, b in pairs):
        for a, b in pairs:
            anew[a] = anew[b] = anew[a] or anew[b]
    return anew


def _cut_anew(done, opaque, anew, left) -> None:
    """Let parts be cut anew that nothing repeated takes: what they are cut of need not have a place then.

    Arguments: ``left``, the slots of what the step leaves behind.
    """
    taken = {*left}
    for k, (instruction, tape, *_) in reversed([*enumerate(done)]):
        slots = {instruction.gives, *instruction.takes}
        if not tape.calls and instruction.gives not in taken and slots.isdisjoint(opaque):
            anew[k] = True
        if not anew[k]:
            taken.update(instruction.takes)
