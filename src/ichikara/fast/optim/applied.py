"""An optimiser's rule with the options of a group."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from ..registry import InPlace, fitting_in_place
from ..workspace import external

__all__ = ["Applied"]


class Applied:
    """A rule with its options; ``often``, if it is applied in a recorded step, for which it may be compiled.

    Attributes: ``numbers``, the options as a kernel is told them, None if it cannot do what they say or none has been
    asked for; the same array as long as nothing but numbers changes.
    """

    def __init__(self, rule: Callable, names: Sequence[str], often: bool):
        """Arguments: ``names``, of the options."""
        self.often = often
        self.numbers: Any = None
        self._rule, self._names, self._name = rule, names, f"rules.{rule.__name__}"
        self._values_of = itemgetter(*names) if names else lambda group: None
        self._values: Any = ()
        self._options: dict[str, Any] = {}
        self._kernel: InPlace | None = None
        self._needed: tuple[str, ...] = ()  # what has to be remembered with these options

    def follow(self, group: Mapping[str, Any]) -> None:
        """Take the options of a group from now on."""
        values = self._values_of(group)
        if values != self._values:
            self._values, self._options = values, {name: group[name] for name in self._names}
            self._tell()

    def __call__(self, alone: bool, array: Any, gradient: Any, state: dict) -> tuple[Any, dict]:
        """What the rule makes of a parameter and of the state, each the same one where it was changed in place.

        Arguments: ``alone``, whether nobody else refers to the parameter's array.
        """
        kernel = self._fitting(array, gradient)
        if kernel and (not state or kernel.can_change(state, self._needed)):
            return kernel.change(array, gradient, state, alone, self.numbers)
        return self._rule(array, gradient, state, **self._options)

    def repeating(self, arrays: Sequence, gradients: Sequence, states: Sequence[dict]) -> InPlace | None:
        """The kernel that changes all these where they lie, in words that can be repeated; None if there is none."""
        found = None
        for array, gradient, state in zip(arrays, gradients, states, strict=True):
            found = self._fitting(array, gradient)
            if not (found and array.flags.carray and found.can_change(state, self._needed)):
                return None
        return found

    def repeat(self, kernel: InPlace, arrays: Sequence, gradients: Sequence, states: Sequence[dict]) -> None:
        """Change all these so."""
        states = [{name: external(array) for name, array in state.items()} for state in states]
        kernel.again([*map(external, arrays)], gradients, states, external(self.numbers))

    def _fitting(self, array, gradient):
        """The kernel for a parameter, if it can do what the options say."""
        kernel = fitting_in_place(self._name, array, gradient, self.often)
        if kernel is not None and self._kernel is None:
            self._kernel = kernel
            self._tell()
        return None if self.numbers is None else kernel

    def _tell(self):
        """The options as numbers."""
        if self._kernel is None:
            return
        needed, numbers = self._kernel.told(self._options)
        if numbers is None or self.numbers is None or needed != self._needed:
            self.numbers, self._needed = numbers, needed
        else:
            self.numbers[...] = numbers
