"""An optimiser's rule with the options of a parameter group."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from ..lookup import fitting_in_place
from ..registry import InPlace
from ..workspace import external

__all__ = ["GroupRule"]


class GroupRule:
    """A rule with its options, computed by an in-place kernel where one fits.

    Attributes: ``captured``, whether it is used in a captured step, for which compiling a kernel pays; ``numbers``, the
    options as an array for the kernel, None if the kernel cannot do them or none has been looked up. It stays the same
    array as long as nothing but numbers changes.
    """

    def __init__(self, rule: Callable, names: Sequence[str], captured: bool):
        """Arguments: ``names``, those of the options."""
        self.captured = captured
        self.numbers: Any = None
        self._rule, self._names, self._name = rule, names, f"rules.{rule.__name__}"
        self._values_of = itemgetter(*names) if names else lambda group: None
        self._values: Any = ()
        self._options: dict[str, Any] = {}
        self._kernel: InPlace | None = None
        self._state_names: tuple[str, ...] = ()  # the state that these options need

    def set_options(self, group: Mapping[str, Any]) -> None:
        """Use the options that a group has now."""
        values = self._values_of(group)
        if values != self._values:
            self._values, self._options = values, {name: group[name] for name in self._names}
            self._encode()

    def __call__(self, donated: bool, array: Any, gradient: Any, state: dict) -> tuple[Any, dict]:
        """The updated parameter and state, each the given one where it was changed in place.

        Arguments: ``donated``, whether the parameter's array may be overwritten.
        """
        kernel = self._fitting(array, gradient)
        if kernel and (not state or kernel.can_change(state, self._state_names)):
            return kernel.change(array, gradient, state, donated, self.numbers)
        return self._rule(array, gradient, state, **self._options)

    def launchable(self, arrays: Sequence, gradients: Sequence, states: Sequence[dict]) -> InPlace | None:
        """The kernel that can change all these in place by calls through the workspace; None if there is none."""
        found = None
        for array, gradient, state in zip(arrays, gradients, states, strict=True):
            found = self._fitting(array, gradient)
            if not (found and array.flags.carray and found.can_change(state, self._state_names)):
                return None
        return found

    def launch(self, kernel: InPlace, arrays: Sequence, gradients: Sequence, states: Sequence[dict]) -> None:
        """Change all these in place by calls through the workspace."""
        states = [{name: external(array) for name, array in state.items()} for state in states]
        kernel.launch([*map(external, arrays)], gradients, states, external(self.numbers))

    def _fitting(self, array, gradient):
        """The kernel for a parameter, if it can do the options."""
        kernel = fitting_in_place(self._name, array, gradient, self.captured)
        if kernel is not None and self._kernel is None:
            self._kernel = kernel
            self._encode()
        return None if self.numbers is None else kernel

    def _encode(self):
        if self._kernel is None:
            return
        names, numbers = self._kernel.encode(self._options)
        if numbers is None or self.numbers is None or names != self._state_names:
            self.numbers, self._state_names = numbers, names
        else:
            self.numbers[...] = numbers
