"""The update of an optimiser by kernels: small parameters as one flat array, each large one in place."""

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any
from weakref import WeakKeyDictionary

from .flat_group import FlatGroup, owns_array
from .group_rule import GroupRule
from .launched_update import LaunchedUpdate

__all__ = ["Updater", "updater_of"]


class Updater:
    """The rules and the flat groups of one optimiser, by the number of the parameter group."""

    def __init__(self):
        self._flat_groups: dict[int, FlatGroup] = {}
        self._rules: dict[int, GroupRule] = {}

    def update(self, optimizer: Any, gradients: Sequence, captured: bool = False) -> None:
        """Change the parameters by these gradients, None for those that have none.

        Arguments: ``captured``, whether this is a part of a captured step.
        """
        state = optimizer.state
        for rule, flat, parameters, given in self._groups(optimizer, gradients, captured):
            for k in flat.others:
                parameter = parameters[k]
                own = state.get(parameter, {})
                parameter._data, own = rule(owns_array(parameter), parameter._data, given[k], own)
                parameter.touch()
                if own:
                    state[parameter] = own
            flat.update(rule, given, state)

    def launch(self, optimizer: Any, gradients: Sequence) -> Callable[[], bool] | None:
        """The same by calls through the workspace, which a replay can repeat. Where that cannot be, changes nothing.

        Returns None then, and else a function that is called before each repetition: it says whether the calls would
        still be the update.
        """
        parts, given = [], []
        for rule, flat, parameters, of_group in self._groups(optimizer, gradients, True):
            parts.append(LaunchedUpdate(rule, flat, parameters, optimizer.state))
            given.append(of_group)
        if not all(map(LaunchedUpdate.is_possible, parts, given)):
            return None
        for part, of_group in zip(parts, given, strict=True):
            part.launch(of_group)
        return lambda: all(map(LaunchedUpdate.prepare, parts, optimizer.param_groups, repeat(optimizer.state)))

    def _groups(self, optimizer, gradients, captured) -> Iterator[tuple[GroupRule, FlatGroup, Sequence, Sequence]]:
        """For each group its rule, its flat group, its parameters and their gradients."""
        begin = 0
        for number, group in enumerate(optimizer.param_groups):
            parameters = group["params"]
            given = gradients[begin : begin + len(parameters)]
            begin += len(parameters)
            rule = self._rules.get(number)
            if rule is None or rule.captured is not captured:
                rule = self._rules[number] = GroupRule(type(optimizer).rule, [*optimizer.defaults], captured)
            rule.set_options(group)
            flat = self._flat_groups.get(number)
            if flat is None or not flat.fits(parameters, given, optimizer.state):
                flat = self._flat_groups[number] = FlatGroup(parameters, given, optimizer.state)
            yield rule, flat, parameters, given


_updaters: WeakKeyDictionary = WeakKeyDictionary()


def updater_of(optimizer: Any) -> Updater:
    """The updater of an optimiser, which lives as long as the optimiser."""
    found = _updaters.get(optimizer)
    if found is None:
        found = _updaters[optimizer] = Updater()
    return found
