"""An optimiser's rule with the options of a group."""

from collections.abc import Callable, Sequence
from typing import Any

from ..arrays.kernels import fitting_again, fitting_in_place

__all__ = ["Applied"]

_FIXED = (bool, int, float, tuple, type(None))


class Applied:
    """A rule with its options; ``often``, if it is applied in a recorded step, for which it may be compiled."""

    def __init__(self, rule: Callable, options: dict[str, Any], often: bool):
        self.values, self.often = [*options.values()], often
        self._rule, self._options, self._name = rule, options, f"rules.{rule.__name__}"

    def __call__(self, alone: bool, array: Any, gradient: Any, state: dict) -> tuple[Any, dict]:
        """What the rule makes of a parameter and of the state, each the same one where it was changed in place.

        Arguments: ``alone``, whether nobody else refers to the parameter's array.
        """
        in_place = fitting_in_place(self._name, array, gradient, self.often)
        found = in_place(array, gradient, state, alone, **self._options) if in_place else NotImplemented
        return self._rule(array, gradient, state, **self._options) if found is NotImplemented else found

    def again(self, arrays: Sequence, gradients: Sequence, states: Sequence[dict]) -> Callable[..., None] | None:
        """A function of gradients in C order that does the same to these very arrays and states; None if none pays."""
        if not self.often or any(value.__class__ not in _FIXED for value in self.values):
            return None
        return fitting_again(self._name, arrays, gradients, states, self._options)
