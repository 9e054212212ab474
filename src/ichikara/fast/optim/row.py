"""Small parameters side by side in one array, to be updated as one.

A rule computes each element for itself, so the numbers are the same; but NumPy needs as long to begin with an array as
to compute some thousand elements, and a small network is made of many arrays that are smaller than that.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter, is_, itemgetter
from sys import getrefcount
from typing import Any

from ...arrays import READY, namespace
from .applied import Applied

__all__ = ["Row", "alone"]

_data = attrgetter("_data")

_SMALL = 1 << 12
"""Up to so many elements a parameter is small."""

_MOST = 1 << 14
"""So many elements make a row at the most: beyond it the parameters are as well off by themselves."""

_NOTHING: dict[str, Any] = {}  # what is remembered of a parameter before its first step


class Row:
    """The small parameters of a group, with what is remembered of them; ``arrays`` and ``states`` are views of its own.

    ``others`` are the positions of those of the group that have a gradient and are not in the row: all of them where
    the small ones cannot be changed as one.
    """

    def __init__(self, parameters: Sequence, gradients: Sequence, state: dict):
        """Arguments: ``state``, what is remembered of each parameter; it is told what are now parts of the row."""
        self._kinds = [*map(type, gradients)]
        chosen = _small(parameters, gradients)
        states = [state.get(parameters[k], _NOTHING) for k in chosen]
        if len(chosen) < 2 or not _alike(states) or len({parameters[k].dtype for k in chosen}) > 1:
            chosen, states = [], []
        self.others = [k for k, gradient in enumerate(gradients) if gradient is not None and k not in chosen]
        for k in self.others:
            memory = state.get(parameters[k], _NOTHING)
            if "step" in memory:  # which those of a row have in common
                memory["step"] = _copied(memory["step"])
        self.chosen: Callable[[Sequence], Sequence] = itemgetter(*chosen) if chosen else _none
        self.parameters = self.chosen(parameters)
        self.arrays: list = []
        self._state: dict[str, Any] = {}
        self.states: list[dict] = []
        if not chosen:
            return
        self.shapes = [parameter.shape for parameter in self.parameters]
        ends, self.parts = 0, []
        for parameter in self.parameters:
            self.parts.append(slice(ends, ends + parameter.size))
            ends += parameter.size
        dtype = self.parameters[0].dtype
        self._keep(_joined([parameter._data for parameter in self.parameters], dtype))
        self._alone = self._references()
        self._gradient = namespace(self._array).empty_like(self._array)
        self._gradients = self._parted(self._gradient)
        self._remember(
            {
                name: _copied(states[0][name]) if name == "step" else _joined([state[name] for state in states], dtype)
                for name in states[0]
            },
            state,
        )

    def holds(self, parameters: Sequence, gradients: Sequence, state: dict) -> bool:
        """Whether the same parameters have gradients, and nobody has replaced the numbers of the row's or their states.

        A gradient has its parameter's shape and type.
        """
        return (
            [*map(type, gradients)] == self._kinds
            and all(map(is_, self.chosen(parameters), self.parameters))
            and all(map(is_, map(_data, self.parameters), self.arrays))
            and self.remembers(state)
        )

    def remembers(self, state: dict) -> bool:
        """Whether nobody has replaced what is remembered of its parameters."""
        if not self._state:
            return not state or not any(parameter in state for parameter in self.parameters)
        return all(map(is_, map(state.get, self.parameters), self.states)) and all(
            map(is_, chain.from_iterable(map(dict.values, self.states)), self._remembered)
        )

    def is_alone(self) -> bool:
        """Whether nobody else has the arrays of its parameters, and would see them change."""
        return not self.parameters or self._references() == self._alone

    def update(self, rule: Applied, gradients: Sequence, state: dict) -> None:
        """Change its parameters by a rule.

        Arguments: ``gradients`` of the group; ``state``, as at first: it is told of new arrays.
        """
        if not self.parameters:
            return
        for place, gradient in zip(self._gradients, self.chosen(gradients), strict=True):
            place[...] = gradient
        alone = self.is_alone()
        new, remembered = rule(alone, self._array, self._gradient, self._state)
        if remembered is not self._state:
            self._remember(remembered, state)
        if not alone:
            self._keep(new)
        elif new is not self._array:
            self._array[...] = new
        del new
        self._alone = self._references()
        for parameter in self.parameters:
            parameter.touch()

    def _keep(self, array: Any) -> None:
        """Let the parameters be the parts of this array."""
        self._array, self.arrays = array, self._parted(array)
        for parameter, part in zip(self.parameters, self.arrays, strict=True):
            parameter._data = part

    def _references(self) -> list[int]:
        """How often the array and its parts are referred to: more often than at first, and somebody else has them.

        NumPy makes a part of a part refer to the whole.
        """
        return [getrefcount(self._array), *map(getrefcount, self.arrays)]

    def _remember(self, remembered: dict[str, Any], state: dict) -> None:
        """Let this be what is remembered, and its parts what the optimiser remembers of each parameter."""
        self._state = remembered
        parted = {name: self._parted(value) if value.ndim else value for name, value in remembered.items()}
        self.states = [
            {name: value[k] if value.__class__ is list else value for name, value in parted.items()}
            for k in range(len(self.parameters))
        ]
        self._remembered = [value for part in self.states for value in part.values()]
        if remembered:
            state.update(zip(self.parameters, self.states, strict=True))

    def _parted(self, array: Any) -> list:
        """The parts of the row that are the parameters'."""
        return [
            array[part] if len(shape) == 1 else array[part].reshape(shape)
            for part, shape in zip(self.parts, self.shapes, strict=True)
        ]


def alone(parameter: Any) -> bool:
    """Whether nobody but a parameter refers to the array of its numbers: then nobody sees it change."""
    return getrefcount(parameter._data) == _ALONE and getattr(parameter._data, "base", None) is None


class _Holder:
    def __init__(self, array):
        self._data = array


_holder = _Holder(object())
_ALONE = getrefcount(_holder._data)  # that of the holder, and the question's own


def _none(values: Sequence) -> Sequence:
    return ()


def _small(parameters: Sequence, gradients: Sequence) -> list[int]:
    """The positions of the parameters that may lie in a row."""
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


def _alike(states: list[dict]) -> bool:
    """Whether the same is remembered of all parameters, for as many steps."""
    first = states[0]
    return all(
        state.keys() == first.keys() and ("step" not in first or state["step"] == first["step"]) for state in states
    )


def _copied(number: Any) -> Any:
    return namespace(number).asarray(number, copy=True)


def _joined(arrays: list, dtype: Any) -> Any:
    xp = namespace(arrays[0])
    return xp.astype(xp.concat([array.reshape(-1) for array in arrays]), dtype, copy=False)
