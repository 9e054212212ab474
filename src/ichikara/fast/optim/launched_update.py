"""The update of a parameter group by calls through the workspace, which a replay can repeat."""

from collections.abc import Iterator, Mapping, Sequence
from operator import is_
from typing import Any
from weakref import ref

from .flat_group import FlatGroup, owns_array
from .group_rule import GroupRule

__all__ = ["LaunchedUpdate"]


class LaunchedUpdate:
    """Changes a group's parameters in place: those of its flat array in one launch, each of the others in one.

    It holds no parameter's array, since an array is changed in place only while nothing but the parameter refers to it.
    """

    def __init__(self, rule: GroupRule, flat: FlatGroup, parameters: Sequence, state: dict):
        """Arguments: as for a `FlatGroup`; ``flat``, that of the group."""
        self._rule, self._flat, self._state = rule, flat, state
        self._others = [parameters[k] for k in flat.others]
        self._kernels: list = []
        self._numbers: Any = None
        self._flat_views: tuple = ()  # the lists of the flat group's arrays and states
        self._other_states: list[tuple] = []
        self._leaves: list = []

    def is_possible(self, gradients: Sequence) -> bool:
        """Whether there are kernels for it, and nothing else refers to the arrays."""
        if not (self._flat.is_donated() and all(map(owns_array, self._others))):
            return False
        self._kernels = [self._rule.launchable(*part) for part in self._parts(gradients)]
        return None not in self._kernels

    def launch(self, gradients: Sequence) -> None:
        """Change the parameters by the gradients of the group."""
        flat = self._flat
        self._flat_views = flat.arrays, flat.states
        for parameter in self._others:
            state = self._state.get(parameter, {})
            self._other_states.append((parameter, ref(parameter._data), state, [*state.values()]))
        for kernel, part in zip(self._kernels, self._parts(gradients), strict=True):
            self._rule.launch(kernel, *part)
        self._numbers = self._rule.numbers
        parameters = [*flat.parameters, *self._others]
        self._leaves = [node for parameter in parameters if (node := parameter.leaf_node()) is not None]
        for parameter in parameters:
            parameter.touch()

    def prepare(self, group: Mapping[str, Any], state: dict) -> bool:
        """Whether the same launches would be the update now. If so, the parameters are marked as changed by them.

        The caller has checked that the parameters have the arrays that they had.

        Arguments: ``group``, with its options; ``state``, the optimiser's.
        """
        rule, flat, (arrays, states) = self._rule, self._flat, self._flat_views
        rule.set_options(group)
        if rule.numbers is not self._numbers or flat.arrays is not arrays or flat.states is not states:
            return False
        if not (flat.has_state(state) and flat.is_donated()):
            return False
        for parameter, array, own, values in self._other_states:
            if array() is not parameter._data or not owns_array(parameter):
                return False
            if state.get(parameter, own) is not own or not all(map(is_, own.values(), values)):
                return False
        for leaf in self._leaves:
            leaf.version += 1
        return True

    def _parts(self, gradients: Sequence) -> Iterator[tuple[Sequence, Sequence, Sequence[dict]]]:
        """The arrays that one launch changes, their gradients, and their states."""
        flat = self._flat
        if flat.parameters:
            yield flat.arrays, flat.chosen(gradients), flat.states
        for k, parameter in zip(flat.others, self._others, strict=True):
            yield [parameter._data], [gradients[k]], [self._state.get(parameter, {})]
