"""The update of a group as replays repeat it: the same calls on the same arrays, with the options as they are then."""

from collections.abc import Iterator, Mapping, Sequence
from operator import is_
from typing import Any
from weakref import ref

from .applied import Applied
from .row import Row, alone

__all__ = ["Repeated"]


class Repeated:
    """Changes a group's parameters where they lie: those of its row in one call, each of the others in one of its own.

    It keeps no parameter's array, for these are changed only as long as nobody else has them.
    """

    def __init__(self, rule: Applied, held: Row, parameters: Sequence, state: dict):
        """Arguments as for a `Row`; ``held``, that of the group."""
        self._rule, self._held, self._state = rule, held, state
        self._others = [parameters[k] for k in held.others]
        self._kernels: list = []
        self._numbers: Any = None
        self._lists: tuple = ()  # of the row: its arrays, and what is remembered of them
        self._memories: list[tuple] = []  # of the others: the same
        self._leaves: list = []

    def is_possible(self, gradients: Sequence) -> bool:
        """Whether there are kernels for it, and nobody else has the arrays."""
        if not (self._held.is_alone() and all(map(alone, self._others))):
            return False
        self._kernels = [self._rule.repeating(*part) for part in self._parts(gradients)]
        return None not in self._kernels

    def do(self, gradients: Sequence) -> None:
        """Change the parameters by the gradients of the group, in words that can be repeated (`arrays.tape`)."""
        held = self._held
        self._lists = held.arrays, held.states
        for parameter in self._others:
            memory = self._state.get(parameter, {})
            self._memories.append((parameter, ref(parameter._data), memory, [*memory.values()]))
        for kernel, part in zip(self._kernels, self._parts(gradients), strict=True):
            self._rule.repeat(kernel, *part)
        self._numbers = self._rule.numbers
        parameters = [*held.parameters, *self._others]
        self._leaves = [parameter._node for parameter in parameters if parameter._node is not None]
        for parameter in parameters:
            parameter.touch()

    def is_ready(self, group: Mapping[str, Any], state: dict) -> bool:
        """Whether the same calls would do the update now; they will be done then.

        Who asks has seen that the parameters have the arrays that they had.

        Arguments: ``group``, with its options; ``state``, what is remembered of each parameter.
        """
        rule, held, (arrays, states) = self._rule, self._held, self._lists
        rule.follow(group)
        if rule.numbers is not self._numbers or held.arrays is not arrays or held.states is not states:
            return False
        if not (held.remembers(state) and held.is_alone()):
            return False
        for parameter, array, memory, remembered in self._memories:
            if array() is not parameter._data or not alone(parameter):
                return False
            if state.get(parameter, memory) is not memory or not all(map(is_, memory.values(), remembered)):
                return False
        for leaf in self._leaves:
            leaf.version += 1
        return True

    def _parts(self, gradients: Sequence) -> Iterator[tuple[Sequence, Sequence, Sequence[dict]]]:
        """What is changed at once: arrays, their gradients, and what is remembered of each."""
        held = self._held
        if held.parameters:
            yield held.arrays, held.chosen(gradients), held.states
        for k, parameter in zip(held.others, self._others, strict=True):
            yield [parameter._data], [gradients[k]], [self._state.get(parameter, {})]
