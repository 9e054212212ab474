"""A chart: axes, marks, and what they say in words and numbers."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar

from .marks import Mark
from .ticks import Tick, ticks_between

__all__ = ["Axis", "Chart"]

MARGIN = 0.04  # of the marks' extent, on both sides


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Arguments: ``label``, what it measures; ``unit``; ``scale``, "linear" or "log"; ``limits``, (from, to), by default
    those of the marks, and None for one of them that of the marks; ``names``, of the whole numbers from 0, where these
    stand for kinds and not for amounts; ``whole``, whether only whole numbers have a meaning, such as steps;
    ``percent``, whether numbers are fractions whose ticks say percentages; ``down``, whether numbers of an upright axis
    grow downwards, as rows of a table do.
    """

    label: str = ""
    unit: str = ""
    scale: str = "linear"
    limits: tuple[float | None, float | None] | None = None
    names: Sequence[str] = ()
    whole: bool = False
    percent: bool = False
    down: bool = False

    def __post_init__(self):
        if self.scale not in ("linear", "log"):
            raise ValueError(f"an axis has the scale 'linear' or 'log', not {self.scale!r}")
        known = [value for value in self.limits or () if value is not None]
        if known != sorted(known) or len(known) != len(set(known)) or not all(map(math.isfinite, known)):
            raise ValueError(f"limits of an axis are two numbers, the lower one first, not {self.limits}")
        if self.scale == "log" and any(value <= 0 for value in known):
            raise ValueError(f"limits of a log scale are positive, not {self.limits}")

    @property
    def title(self) -> str:
        """The label with its unit.

        >>> Axis("time", "s").title
        'time (s)'
        """
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def ticks(self, low: float, high: float) -> list[Tick]:
        """The ticks between two numbers: the names, or at most five numbers."""
        if len(self.names):
            return [Tick(float(i), name) for i, name in enumerate(self.names) if low <= i <= high]
        if self.percent:
            found = ticks_between(100 * low, 100 * high, self.scale)
            return [Tick(at / 100, f"{text}%") for at, text in found]
        return ticks_between(low, high, self.scale, self.whole)


@dataclass(frozen=True)
class Chart:
    """Marks on axes, with their meaning in words and numbers.

    Arguments: ``marks``, the later ones on top; ``x``, ``y``, the axes, None where a mark has none (a graph, images);
    ``title``; ``caption``, which begins with what is true now; ``alt``, the chart in words, for screen readers;
    ``numbers``, what a text may quote, words too, by name; ``equal``, whether a unit is as long on both axes.

    >>> from ichikara.charts import Line
    >>> chart = Chart([Line([0, 1, 2], [1.0, 0.5, float("nan")])], Axis("epoch"), Axis("loss"), alt="The loss falls.")
    >>> chart.to_dict()["marks"]
    [{'kind': 'Line', 'ink': 'ink', 'label': '', 'dashed': False, 'x': [0, 1, 2], 'y': [1.0, 0.5, None]}]
    """

    marks: Sequence[Mark]
    x: Axis | None = None
    y: Axis | None = None
    title: str = ""
    caption: str = ""
    alt: str = ""
    numbers: Mapping[str, float | str] = field(default_factory=dict)
    equal: bool = False

    drawn: ClassVar["Callable[[Chart], str] | None"] = None
    """What draws a chart as SVG, for a notebook. `ichikara.plot` sets it when it is imported."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the chart, and in words what it shows."""
        picture = {} if Chart.drawn is None else {"image/svg+xml": Chart.drawn(self)}
        return picture | {"text/plain": self.alt or self.caption or self.title or "a chart"}

    def limits(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where the axes begin and end, x before y: as asked for, else around the marks.

        >>> from ichikara.charts import Bars
        >>> Chart([Bars([0, 1], [3.0, 5.0])], Axis(), Axis(limits=(None, 6.0))).limits()[1]
        (0.0, 6.0)
        """
        sides = []
        for i, axis in enumerate((self.x or Axis(), self.y or Axis())):
            ends = {value for mark in self.marks for value in _numbers(mark.ends()[i])}
            values = {value for mark in self.marks for value in _numbers(mark.extent()[i])} | ends
            if axis.scale == "log":
                values = {value for value in values if value > 0}
            sides.append(_limits(values, ends, axis))
        return sides[0], sides[1]

    def to_dict(self) -> dict[str, Any]:
        """The chart in values that JSON can hold, with limits and ticks; what is not a finite number becomes None."""
        plain = _plain(self)
        for name, axis, (low, high) in zip("xy", (self.x, self.y), self.limits(), strict=True):
            if axis is not None:
                ticks = [{"at": at, "text": text} for at, text in axis.ticks(low, high)]
                plain[name] |= {"title": axis.title, "limits": [low, high], "ticks": ticks}
        return plain


def _limits(values: set[float], ends: set[float], axis: Axis) -> tuple[float, float]:
    """The limits of an axis. Arguments: ``values``, that it reaches; ``ends``, those beyond which it has no margin."""
    log = axis.scale == "log"
    asked = axis.limits or (None, None)
    if not values:
        values = {value for value in asked if value is not None} or ({1.0, 10.0} if log else {0.0, 1.0})
    low, high = min(values), max(values)
    if log:
        margin = MARGIN * (math.log10(high) - math.log10(low)) or 0.5
        around = max(low / 10**margin, 5e-324), high * 10**margin
    else:
        margin = MARGIN * (high - low) or 0.5 * max(abs(low), 1.0)
        around = low - margin, high + margin
    below = low if low in ends else around[0]
    above = high if high in ends and high != low else around[1]
    below, above = (mine if given is None else given for given, mine in zip(asked, (below, above), strict=True))
    if not below < above:  # what was asked for lies beyond the marks
        below, above = (below, below + margin) if asked[0] is not None else (above - margin, above)
    return float(below), float(above)


def _numbers(values: Iterable[float]) -> list[float]:
    values = values.tolist() if hasattr(values, "tolist") else values
    return [float(value) for value in values if value is not None and math.isfinite(value)]


_LEAVES = frozenset({str, bool, int, type(None)})


def _plain(value: Any) -> Any:
    if type(value) in _LEAVES:  # most of what a chart holds, and the other questions take long
        return value
    if is_dataclass(value):
        kind = {"kind": type(value).__name__} if isinstance(value, Mark) else {}
        return kind | {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
