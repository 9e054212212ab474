"""A flat parameter group: small parameters side by side in one array, updated as one.

A rule computes each element by itself, so the numbers are the same. NumPy takes as long to start on an array as to
compute some thousand elements, and a small network has many arrays that are smaller than that.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter, is_, itemgetter
from sys import getrefcount
from typing import Any

from ...arrays import READY, namespace
from .group_rule import GroupRule

__all__ = ["FlatGroup", "owns_array"]

_data = attrgetter("_data")

_SMALL = 1 << 12
"""A small parameter has at most so many elements."""

_MOST = 1 << 14
"""A flat array has fewer elements than this; with more, updating parameters one by one is as fast."""

_EMPTY: dict[str, Any] = {}  # the state of a parameter before its first step


class FlatGroup:
    """The small parameters of a group, and their state, as views of flat arrays: ``arrays`` and ``states``.

    ``others`` are the positions of the parameters with a gradient that are not among them. These are all, if the small
    ones cannot be updated as one.
    """

    def __init__(self, parameters: Sequence, gradients: Sequence, state: dict):
        """Arguments: ``state``, the optimiser's, which gets the views."""
        self._kinds = [*map(type, gradients)]
        chosen = _small(parameters, gradients)
        states = [state.get(parameters[k], _EMPTY) for k in chosen]
        if len(chosen) < 2 or not _are_alike(states) or len({parameters[k].dtype for k in chosen}) > 1:
            chosen, states = [], []
        self.others = [k for k, gradient in enumerate(gradients) if gradient is not None and k not in chosen]
        for k in self.others:
            own = state.get(parameters[k], _EMPTY)
            if "step" in own:  # those of a flat group share it
                own["step"] = _copy(own["step"])
        self.chosen: Callable[[Sequence], Sequence] = itemgetter(*chosen) if chosen else _none
        self.parameters = self.chosen(parameters)
        self.arrays: list = []
        self._state: dict[str, Any] = {}
        self.states: list[dict] = []
        if not chosen:
            return
        self.shapes = [parameter.shape for parameter in self.parameters]
        end, self.slices = 0, []
        for parameter in self.parameters:
            self.slices.append(slice(end, end + parameter.size))
            end += parameter.size
        dtype = self.parameters[0].dtype
        self._set_array(_concat([parameter._data for parameter in self.parameters], dtype))
        self._references = self._reference_counts()
        self._gradient = namespace(self._array).empty_like(self._array)
        self._gradients = self._views(self._gradient)
        self._set_state(
            {
                name: _copy(states[0][name]) if name == "step" else _concat([own[name] for own in states], dtype)
                for name in states[0]
            },
            state,
        )

    def fits(self, parameters: Sequence, gradients: Sequence, state: dict) -> bool:
        """Whether the same parameters have gradients, and their arrays and states have not been replaced.

        A gradient has its parameter's shape and type.
        """
        return (
            [*map(type, gradients)] == self._kinds
            and all(map(is_, self.chosen(parameters), self.parameters))
            and all(map(is_, map(_data, self.parameters), self.arrays))
            and self.has_state(state)
        )

    def has_state(self, state: dict) -> bool:
        """Whether the states of its parameters have not been replaced."""
        if not self._state:
            return not state or not any(parameter in state for parameter in self.parameters)
        return all(map(is_, map(state.get, self.parameters), self.states)) and all(
            map(is_, chain.from_iterable(map(dict.values, self.states)), self._state_views)
        )

    def is_donated(self) -> bool:
        """Whether its arrays may be overwritten, since nothing but its parameters refers to them."""
        return not self.parameters or self._reference_counts() == self._references

    def update(self, rule: GroupRule, gradients: Sequence, state: dict) -> None:
        """Change its parameters by a rule.

        Arguments: ``gradients``, those of the group; ``state``, the optimiser's, which gets new views.
        """
        if not self.parameters:
            return
        for view, gradient in zip(self._gradients, self.chosen(gradients), strict=True):
            view[...] = gradient
        donated = self.is_donated()
        array, new_state = rule(donated, self._array, self._gradient, self._state)
        if new_state is not self._state:
            self._set_state(new_state, state)
        if not donated:
            self._set_array(array)
        elif array is not self._array:
            self._array[...] = array
        del array
        self._references = self._reference_counts()
        for parameter in self.parameters:
            parameter.touch()

    def _set_array(self, array: Any) -> None:
        """Make the parameters views of this array."""
        self._array, self.arrays = array, self._views(array)
        for parameter, view in zip(self.parameters, self.arrays, strict=True):
            parameter._data = view

    def _reference_counts(self) -> list[int]:
        """How many references to the flat array and its views there are. A view of a view refers to the flat array."""
        return [getrefcount(self._array), *map(getrefcount, self.arrays)]

    def _set_state(self, new: dict[str, Any], state: dict) -> None:
        """Make the states of the parameters views of these flat arrays."""
        self._state = new
        views = {name: self._views(value) if value.ndim else value for name, value in new.items()}
        self.states = [
            {name: value[k] if value.__class__ is list else value for name, value in views.items()}
            for k in range(len(self.parameters))
        ]
        self._state_views = [value for own in self.states for value in own.values()]
        if new:
            state.update(zip(self.parameters, self.states, strict=True))

    def _views(self, array: Any) -> list:
        """The view of each parameter into a flat array."""
        return [
            array[part] if len(shape) == 1 else array[part].reshape(shape)
            for part, shape in zip(self.slices, self.shapes, strict=True)
        ]


def owns_array(parameter: Any) -> bool:
    """Whether nothing but a parameter refers to its array, so that the array can be donated to an update."""
    return getrefcount(parameter._data) == _OWNED and getattr(parameter._data, "base", None) is None


class _Holder:
    def __init__(self, array):
        self._data = array


_holder = _Holder(object())
_OWNED = getrefcount(_holder._data)  # the references of the holder, and of the question itself


def _none(values: Sequence) -> Sequence:
    return ()


def _small(parameters: Sequence, gradients: Sequence) -> list[int]:
    """The positions of the parameters that may be views of a flat array."""
    found, size = [], 0
    for k, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
        array = parameter._data
        if (
            gradient is not None
            and array.__class__ in READY
            and gradient.__class__ in READY
            and array.size <= _SMALL
            and size + array.size < _MOST
            and gradient.dtype == array.dtype
            and gradient.shape == array.shape
        ):
            size += array.size
            found.append(k)
    return found


def _are_alike(states: list[dict]) -> bool:
    """Whether all parameters have a state of the same names, after as many steps."""
    first = states[0]
    return all(
        state.keys() == first.keys() and ("step" not in first or state["step"] == first["step"]) for state in states
    )


def _copy(number: Any) -> Any:
    return namespace(number).asarray(number, copy=True)


def _concat(arrays: list, dtype: Any) -> Any:
    xp = namespace(arrays[0])
    return xp.astype(xp.concat([array.reshape(-1) for array in arrays]), dtype, copy=False)
