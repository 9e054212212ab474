"""Scalers: every component to mean 0 and standard deviation 1, or to [0, 1], fitted to the training data only.

They work on inputs of any shape, are saved as plain arrays, and refuse what would leak held-out data.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Self, TypeVar

import numpy

from ichikara.checks import yes_or_no
from ichikara.errors import UserError, choose

from .dataset import Dataset

__all__ = ["MinMaxScaler", "StandardScaler"]

Data = TypeVar("Data", Dataset, numpy.ndarray)
ROWS = 4096  # how many examples are widened to float64 at a time


class _Scaler:
    """What both scalers share: (x − offset) / scale and back, the numbers of each component stored in float64."""

    names: ClassVar[tuple[str, str]]  # what the two arrays of a state are called

    def __init__(self, *, per: str = "feature"):
        choose("per", per, {"feature": None, "all": None})
        self.per = per
        self._state: dict[str, numpy.ndarray] | None = None

    def fit(self, data: Dataset | numpy.ndarray, *, refit: bool = False) -> Self:
        """Fit the two numbers of each component to the training data, and return self.

        Shapes: data (n, *).

        Arguments: ``data``, a Dataset (its inputs count) or an array; ``refit``, whether to fit again.

        Errors: `UserError` if it is already fitted, or if the data is a validation or test part, empty, or not finite.
        """
        kind = type(self).__name__
        if self._state is not None and not yes_or_no("refit", refit):
            raise UserError(
                f"this {kind} is already fitted; a scaler learns from the training data once, and the other parts are "
                f"only transformed. To fit it again: fit(data, refit=True)"
            )
        if isinstance(data, Dataset):
            if data.part in ("validation", "test"):
                raise UserError(
                    f"this is the {data.part} part of {data.name}; a {kind} is fitted on the training part only, or "
                    f"the held-out data would leak into training"
                )
            if data.task == "text":
                raise UserError(
                    f"{data.name} is a text: its numbers are names of characters, and there is nothing to scale"
                )
        values = _values(data)
        if not values.size:
            raise UserError(f"a {kind} needs examples to learn from, and was given data of shape {values.shape}")
        if not numpy.isfinite(values).all():
            raise UserError(f"a {kind} cannot learn from data with NaN or infinity in it; remove those rows first")
        self._state = self._learn(values, 0 if self.per == "feature" else None)
        return self

    def transform(self, data: Data) -> Data:
        """Scale each component; a Dataset gives a Dataset with its inputs scaled.

        Shapes: (n, *) -> (n, *), float32 and float64 unchanged, whole numbers become float32.

        Errors: `UserError` before `fit`, and for examples of another shape than those fitted.
        """
        offset, scale = self._numbers(data)
        values = _values(data)
        result = numpy.empty(values.shape, values.dtype if values.dtype.kind == "f" else "float32")
        # With `out` NumPy works in float64 piece by piece, so a large offset costs no digits and no memory.
        numpy.subtract(values, offset, out=result, casting="same_kind")
        numpy.divide(result, scale, out=result, casting="same_kind")
        return _like(data, result, scaled=True)

    def inverse_transform(self, data: Data) -> Data:
        """Undo `transform`. Shapes: (n, *) -> (n, *).

        Errors: `UserError` before `fit`, and for examples of another shape than those fitted.
        """
        offset, scale = self._numbers(data)
        values = _values(data)
        result = numpy.empty(values.shape, values.dtype if values.dtype.kind == "f" else "float32")
        numpy.multiply(values, scale, out=result, casting="same_kind")
        numpy.add(result, offset, out=result, casting="same_kind")
        return _like(data, result, scaled=False)

    @property
    def fitted(self) -> bool:
        """Whether it has been fitted."""
        return self._state is not None

    def state_dict(self) -> dict[str, numpy.ndarray]:
        """The fitted numbers, as float64 arrays by name.

        Errors: `UserError` before `fit`.
        """
        return {name: array.copy() for name, array in self._fitted().items()}

    def load_state_dict(self, state: Mapping[str, numpy.ndarray]) -> None:
        """Load the state of another scaler of this kind.

        Arguments: ``state``, from `state_dict`.
        Errors: `UserError` naming missing and unexpected keys, or arrays that do not fit.
        """
        kind = type(self).__name__
        missing = [name for name in self.names if name not in state]
        unexpected = [name for name in state if name not in self.names]
        if missing or unexpected:
            raise UserError(
                f"this is not the state of a {kind}: missing {', '.join(missing) or 'nothing'}, "
                f"unexpected {', '.join(map(str, unexpected)) or 'nothing'}"
            )
        arrays = {name: numpy.array(state[name], "float64") for name in self.names}
        shapes = {array.shape for array in arrays.values()}
        if len(shapes) > 1 or (self.per == "all" and shapes != {()}):
            found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
            raise UserError(f"the state does not fit a {kind} with per='{self.per}': its shapes are {found}")
        if not all(numpy.isfinite(array).all() for array in arrays.values()):
            raise UserError(f"the state of the {kind} holds NaN or infinity; it is damaged")
        self._state = arrays

    def __repr__(self):
        return f"{type(self).__name__}(per='{self.per}'{'' if self._state else ', not fitted'})"

    def _learn(self, values: numpy.ndarray, axis: int | None) -> dict[str, numpy.ndarray]:
        raise NotImplementedError

    def _offset_and_scale(self, state: dict[str, numpy.ndarray]) -> tuple[numpy.ndarray, numpy.ndarray]:
        raise NotImplementedError

    def _fitted(self) -> dict[str, numpy.ndarray]:
        if self._state is None:
            raise UserError(f"this {type(self).__name__} was never fitted; call fit(training_data) first")
        return self._state

    def _numbers(self, data: Dataset | numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Offset and scale, checked against the shape of the data."""
        offset, scale = self._offset_and_scale(self._fitted())
        values = _values(data)
        if self.per == "feature" and values.shape[1:] != offset.shape:
            raise UserError(
                f"this {type(self).__name__} was fitted on examples of shape {offset.shape}, and was given examples of "
                f"shape {values.shape[1:]}; the first axis counts the examples"
            )
        return offset, scale


class StandardScaler(_Scaler):
    """Scale each component to mean 0 and standard deviation 1, z = (x − μ) / σ.

    Shapes: (n, *) -> (n, *).

    Arguments: ``per``, 'feature' for a mean and a deviation for each component (each pixel of an image), 'all' for one
    of each over everything.

    A component that never varies has no deviation to divide by: its scale is 1, and it becomes 0.

    Errors: see `fit` and `transform`.

    >>> scaler = StandardScaler().fit(numpy.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scaler.transform(numpy.array([[1.0, 5.0], [2.0, 6.0]])).tolist()
    [[-1.0, 0.0], [0.0, 1.0]]

    Source: as in scikit-learn's ``StandardScaler`` (the deviation divides by n).
    """

    names = ("mean", "scale")

    def _learn(self, values, axis):
        mean = values.mean(axis, dtype="float64")
        # In pieces, so that float64 copies of a large set are never in memory at once.
        squares = sum(
            numpy.square(values[i : i + ROWS] - mean, dtype="float64").sum(axis) for i in range(0, len(values), ROWS)
        )
        lowest = values.min(axis)
        constant = lowest == values.max(axis)
        count = len(values) if axis == 0 else values.size
        return {
            "mean": numpy.where(constant, lowest, mean).astype("float64"),
            "scale": numpy.where(constant, 1.0, numpy.sqrt(squares / count)),
        }

    def _offset_and_scale(self, state):
        return state["mean"], state["scale"]


class MinMaxScaler(_Scaler):
    """Scale each component so that the training data spans [0, 1], z = (x − min) / (max − min).

    Shapes: (n, *) -> (n, *).

    Arguments: ``per``, 'feature' for a minimum and a maximum for each component (each pixel of an image), 'all' for one
    of each over everything.

    Values beyond the range of the training data go beyond [0, 1]: nothing is clipped. A component that never varies has
    no range to divide by: its scale is 1, and it becomes 0.

    Errors: see `fit` and `transform`.

    >>> scaler = MinMaxScaler().fit(numpy.array([[0.0, 5.0], [16.0, 5.0]]))
    >>> scaler.transform(numpy.array([[4.0, 5.0], [32.0, 6.0]])).tolist()
    [[0.25, 0.0], [2.0, 1.0]]

    Source: as in scikit-learn's ``MinMaxScaler``.
    """

    names = ("minimum", "maximum")

    def _learn(self, values, axis):
        return {
            "minimum": numpy.asarray(values.min(axis), "float64"),
            "maximum": numpy.asarray(values.max(axis), "float64"),
        }

    def _offset_and_scale(self, state):
        extent = state["maximum"] - state["minimum"]
        return state["minimum"], numpy.where(extent == 0, 1.0, extent)


def _values(data: Dataset | numpy.ndarray) -> numpy.ndarray:
    values = data.inputs if isinstance(data, Dataset) else numpy.asarray(data)
    if values.dtype.kind not in "biuf" or values.ndim == 0:
        raise UserError(
            f"a scaler takes a Dataset or an array of real numbers, its first axis the examples, not {data!r}"
        )
    return values


def _like(data, values, scaled):
    return replace(data, inputs=values, scaled=scaled) if isinstance(data, Dataset) else values
