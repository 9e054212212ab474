"""A chart: axes, marks, and what they say in words and numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from .marks import Mark

__all__ = ["Axis", "Chart"]


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Arguments: ``label``, what it measures; ``unit``; ``scale``, "linear" or "log"; ``limits``, (from, to), by default
    those of the marks; ``ticks``, the names of the whole numbers from 0, where these stand for kinds, not for amounts.
    """

    label: str = ""
    unit: str = ""
    scale: str = "linear"
    limits: tuple[float, float] | None = None
    ticks: Sequence[str] = ()

    def __post_init__(self):
        if self.scale not in ("linear", "log"):
            raise ValueError(f"an axis has the scale 'linear' or 'log', not {self.scale!r}")


@dataclass(frozen=True)
class Chart:
    """Marks on axes, with their meaning in words and numbers.

    Arguments: ``marks``, the later ones on top; ``x``, ``y``, the axes, None where a mark has none (a graph, images);
    ``title``; ``caption``, which begins with what is true now; ``alt``, the chart in words, for screen readers;
    ``numbers``, what a text may quote, by name; ``equal``, whether a unit is as long on both axes.

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
    numbers: Mapping[str, float] = field(default_factory=dict)
    equal: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The chart in values that JSON can hold; what is not a finite number becomes None."""
        return _plain(self)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        kind = {"kind": type(value).__name__} if isinstance(value, Mark) else {}
        return kind | {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
