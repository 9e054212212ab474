"""The controls of a lesson: what a learner can move, and which values each may have."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UserError, listed
from .formulas import formula_of

__all__ = [
    "Choice",
    "Control",
    "ControlError",
    "Curve",
    "Drawing",
    "Formula",
    "Matrix",
    "Points",
    "Slider",
    "Switch",
    "Words",
    "read_all",
]


class ControlError(UserError):
    """A value that a control cannot have. ``control``, its name; ``reason``, what the page says beside it."""

    def __init__(self, control: str, reason: str):
        super().__init__(f"control {control}: {reason}")
        self.control, self.reason = control, reason


@dataclass(frozen=True)
class Control:
    """What all controls have: ``value``, the one at the start, and `read`, which checks another one."""

    def read(self, given: Any) -> Any:
        """The value that was given, if the control can have it. Raises UserError, which says what it can be."""
        raise NotImplementedError


def _number(given: Any, low: float, high: float) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise UserError(f"the value is a number from {low:g} to {high:g}, not {given!r:.100}")
    if not low <= given <= high:
        raise UserError(f"the value is a number from {low:g} to {high:g}, not {given:g}")
    return given


def _rows(given: Any, rows: int, columns: int, low: float, high: float) -> tuple[tuple[float, ...], ...]:
    if not isinstance(given, list | tuple) or len(given) != rows:
        raise UserError(f"the value is {rows} rows of {columns} numbers from {low:g} to {high:g}")
    for row in given:
        if not isinstance(row, list | tuple) or len(row) != columns:
            raise UserError(f"the value is {rows} rows of {columns} numbers from {low:g} to {high:g}")
    return tuple(tuple(float(_number(cell, low, high)) for cell in row) for row in given)


@dataclass(frozen=True)
class Slider(Control):
    """A number from ``low`` to ``high``, in steps of ``step``.

    Arguments: ``log``, on a scale of powers; ``unit``, its unit; ``stepped``, with a button for a step back and one for
    a step on.
    """

    low: float
    high: float
    value: float
    step: float = 0.01
    log: bool = False
    unit: str = ""
    stepped: bool = False

    def read(self, given):
        return type(self.value)(_number(given, self.low, self.high))


@dataclass(frozen=True)
class Choice(Control):
    """One of several words. Their labels are in the lesson's text."""

    options: Sequence[str]
    value: str

    def read(self, given):
        if given not in self.options:
            raise UserError(f"the value is {listed(self.options)}, not {given!r:.100}")
        return given


@dataclass(frozen=True)
class Switch(Control):
    """On or off."""

    value: bool = False

    def read(self, given):
        if not isinstance(given, bool):
            raise UserError(f"the value is true or false, not {given!r:.100}")
        return given


@dataclass(frozen=True)
class Matrix(Control):
    """Rows of numbers from ``low`` to ``high``, each in a field of its own; ``step``, of its arrows."""

    value: tuple[tuple[float, ...], ...]
    low: float
    high: float
    step: float = 0.5

    def read(self, given):
        return _rows(given, len(self.value), len(self.value[0]), self.low, self.high)


@dataclass(frozen=True)
class Words(Control):
    """A short text that a learner writes, such as a formula; ``longest``, its characters."""

    value: str
    longest: int = 80

    def read(self, given):
        if not isinstance(given, str) or len(given) > self.longest:
            raise UserError(f"the value is a text of at most {self.longest} characters")
        return given


@dataclass(frozen=True)
class Formula(Words):
    """A formula that a learner writes, which `formula_of` reads; ``names``, of its variables."""

    names: tuple[str, ...] = ("x",)

    def read(self, given):
        formula_of(super().read(given), self.names)
        return given


@dataclass(frozen=True)
class Points(Control):
    """Points in a square, each of a kind: (x, y, kind). They can be moved. At most ``most`` of them."""

    value: tuple[tuple[float, float, int], ...]
    low: float
    high: float
    kinds: int = 2
    most: int = 60

    def read(self, given):
        if not isinstance(given, list | tuple) or len(given) > self.most:
            raise UserError(f"the value is a list of at most {self.most} points")
        points = []
        for point in given:
            if not isinstance(point, list | tuple) or len(point) != 3 or point[2] not in range(self.kinds):
                raise UserError(f"a point is [x, y, kind] with a kind from 0 to {self.kinds - 1}, not {point!r:.100}")
            x, y = (_number(place, self.low, self.high) for place in point[:2])
            points.append((x, y, int(point[2])))
        return tuple(points)


@dataclass(frozen=True)
class Curve(Control):
    """A curve that a learner draws: heights from ``low`` to ``high``, at evenly spaced places from left to right."""

    value: tuple[float, ...]
    low: float
    high: float

    def read(self, given):
        if not isinstance(given, list | tuple) or len(given) != len(self.value):
            raise UserError(f"the value is a list of {len(self.value)} heights")
        return tuple(float(_number(height, self.low, self.high)) for height in given)


@dataclass(frozen=True)
class Drawing(Control):
    """A small picture that a learner draws: rows of numbers from 0 (paper) to 1 (ink).

    Arguments: ``start``, the picture that is there at first; by default bare paper.
    """

    rows: int
    columns: int
    start: tuple[tuple[float, ...], ...] = ()

    @property
    def value(self) -> tuple[tuple[float, ...], ...]:
        return self.start or self.cleared

    @property
    def cleared(self) -> tuple[tuple[float, ...], ...]:
        """Bare paper."""
        return ((0.0,) * self.columns,) * self.rows

    def read(self, given):
        return _rows(given, self.rows, self.columns, 0, 1)


def read_all(controls: dict[str, Any], given: Any) -> dict[str, Any]:
    """The values of all controls: those that were given, and else those of the start.

    Raises ControlError, which names the control.
    """
    if not isinstance(given, dict):
        raise UserError("the values of controls are an object, by their names")
    unknown = sorted(set(given) - set(controls), key=str)
    if unknown:
        raise UserError(f"there is no control {unknown[0]!r:.60}; there are {listed(controls)}")
    values = {}
    for name, control in controls.items():
        try:
            values[name] = control.read(given[name]) if name in given else control.value
        except UserError as error:
            raise ControlError(name, str(error)) from None
    return values
