"""The update of an optimiser by kernels: small parameters as one flat array, each large one where it lies."""

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any
from weakref import WeakKeyDictionary

from .applied import Applied
from .repeated import Repeated
from .row import Row, alone

__all__ = ["Updater", "updater_of"]


class Updater:
    """What is prepared for the updates of one optimiser: for each group, its rule with options and its flat array."""

    def __init__(self):
        self._rows: dict[int, Row] = {}  # by the number of the group
        self._applied: dict[int, Applied] = {}

    def update(self, optimizer: Any, often: bool, gradients: Sequence) -> None:
        """Change the parameters by these gradients, None for those that have none; ``often``, if this is recorded."""
        state = optimizer.state
        for rule, held, parameters, given in self._groups(optimizer, often, gradients):
            for k in held.others:
                parameter = parameters[k]
                memory = state.get(parameter, {})
                parameter._data, memory = rule(alone(parameter), parameter._data, given[k], memory)
                parameter.touch()
                if memory:
                    state[parameter] = memory
            held.update(rule, given, state)

    def update_again(self, optimizer: Any, gradients: Sequence) -> Callable[[], bool] | None:
        """Do the same in words that can be repeated (`fast.tape`); None, and nothing is changed, if there are none.

        What it returns says, before each repetition, whether that would be the update.
        """
        parts, given = [], []
        for rule, held, parameters, some in self._groups(optimizer, True, gradients):
            parts.append(Repeated(rule, held, parameters, optimizer.state))
            given.append(some)
        if not all(map(Repeated.is_possible, parts, given)):
            return None
        for part, some in zip(parts, given, strict=True):
            part.do(some)
        return lambda: all(map(Repeated.is_ready, parts, optimizer.param_groups, repeat(optimizer.state)))

    def _groups(self, optimizer, often, gradients) -> Iterator[tuple[Applied, Row, Sequence, Sequence]]:
        """For each group its rule, its flat array, its parameters and their gradients."""
        begin = 0
        for number, group in enumerate(optimizer.param_groups):
            parameters = group["params"]
            given = gradients[begin : begin + len(parameters)]
            begin += len(parameters)
            rule = self._applied.get(number)
            if rule is None or rule.often is not often:
                rule = self._applied[number] = Applied(type(optimizer).rule, [*optimizer.defaults], often)
            rule.follow(group)
            held = self._rows.get(number)
            if held is None or not held.holds(parameters, given, optimizer.state):
                held = self._rows[number] = Row(parameters, given, optimizer.state)
            yield rule, held, parameters, given


_updaters: WeakKeyDictionary = WeakKeyDictionary()


def updater_of(optimizer: Any) -> Updater:
    """What is prepared for an optimiser, for as long as it lives."""
    found = _updaters.get(optimizer)
    if found is None:
        found = _updaters[optimizer] = Updater()
    return found
