"""Regressions: predictions against targets, and fitted curves."""

from collections.abc import Callable
from typing import Any

import numpy

from ..charts import Axis, Chart, Dots, Line, Mark
from .curves import SMALL
from .draw import draw

__all__ = ["curve_chart", "fitted_curve", "predicted_against_true", "prediction_chart"]


def prediction_chart(true: numpy.ndarray, predicted: numpy.ndarray, title: str = "") -> Chart:
    """A chart of each prediction against its target. Arguments: as of `predicted_against_true`."""
    low, high = float(true.min()), float(true.max())
    margin = 0.06 * (high - low) or 1.0
    ends = (low - margin, high + margin)
    marks = [
        Line(ends, ends, ink="quiet", dashed=True, label="exact"),
        Dots(true, predicted, ink="a", size=1.0 if len(true) <= 60 else 0.8),
    ]
    y = [*ends, *(float(value) for value in predicted if numpy.isfinite(value))]
    alt = f"{len(true)} predictions against their targets."
    return Chart(marks, Axis("true", limits=ends), Axis("predicted", limits=(min(y), max(y))), title=title, alt=alt)


def predicted_against_true(true: numpy.ndarray, predicted: numpy.ndarray, title: str = "") -> Any:
    """Draw each prediction against its target; returns a Matplotlib figure.

    Shapes: (n), (n).

    Arguments: ``title``. On the diagonal line every prediction is exact.

    >>> predicted_against_true(numpy.array([1.0, 2.0]), numpy.array([1.1, 1.9])).axes[0].get_ylabel()
    'predicted'
    """
    return draw(prediction_chart(true, predicted, title), size=(270.0, 270.0))


def curve_chart(
    function: Callable[[numpy.ndarray], numpy.ndarray],
    train: tuple[numpy.ndarray, numpy.ndarray],
    validation: tuple[numpy.ndarray, numpy.ndarray] | None = None,
    name: str = "input",
    title: str = "",
) -> Chart:
    """A chart of a network of one input over the data. Arguments: as of `fitted_curve`."""
    shown = [points for points in (train, validation) if points is not None]
    styles: tuple[dict[str, Any], ...] = (
        {"ink": "a", "label": "training"},
        {"ink": "b", "label": "validation", "hollow": True},
    )
    marks: list[Mark] = [Dots(*points, size=0.8, **style) for points, style in zip(shown, styles, strict=False)]
    x = numpy.concatenate([points[0] for points in shown])
    y = numpy.concatenate([points[1] for points in shown])
    margin = 0.04 * float(x.max() - x.min())
    line = numpy.linspace(x.min() - margin, x.max() + margin, 500).astype("float32")
    marks.append(Line(line, function(line), label="the network"))
    margin = 0.15 * float(y.max() - y.min()) or 1.0
    limits = float(y.min()) - margin, float(y.max()) + margin  # a curve that diverges between the points is cropped
    label = name if len(name) <= 40 else name[:39] + "…"
    alt = f"The network's output against {label}, over {len(x)} points of the data."
    return Chart(marks, Axis(label), Axis("target", limits=limits), title=title, alt=alt)


def fitted_curve(
    function: Callable[[numpy.ndarray], numpy.ndarray],
    train: tuple[numpy.ndarray, numpy.ndarray],
    validation: tuple[numpy.ndarray, numpy.ndarray] | None = None,
    name: str = "input",
    title: str = "",
) -> Any:
    """Draw a network of one input as a curve over the data; returns a Matplotlib figure.

    Shapes: all (n).

    Arguments: ``function``, of numbers (n) to numbers (n); ``train`` and ``validation``, inputs and targets; ``name``,
    of the input.

    >>> x = numpy.array([0.0, 1.0])
    >>> fitted_curve(lambda x: 2 * x, (x, 2 * x)).axes[0].get_xlabel()
    'input'
    """
    return draw(curve_chart(function, train, validation, name, title), size=SMALL)
