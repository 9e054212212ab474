"""Regressions: predictions against targets, and fitted curves."""

from collections.abc import Callable
from typing import Any

import numpy

from .curves import finish, new_figure

__all__ = ["fitted_curve", "predicted_against_true"]


def predicted_against_true(true: numpy.ndarray, predicted: numpy.ndarray, title: str = "") -> Any:
    """Draw each prediction against its target; returns a Matplotlib figure.

    Shapes: (n), (n).

    Arguments: ``title``. On the diagonal line every prediction is exact.

    >>> predicted_against_true(numpy.array([1.0, 2.0]), numpy.array([1.1, 1.9])).axes[0].get_ylabel()
    'predicted'
    """
    figure, (ax,) = new_figure(1, 4.4, 3.8)
    low, high = float(true.min()), float(true.max())
    margin = 0.06 * (high - low) or 1.0
    ends = [low - margin, high + margin]
    ax.plot(ends, ends, color="grey", linewidth=1.2, linestyle=":", label="exact")
    size = 4 if len(true) <= 300 else 2.5
    ax.plot(true, predicted, "o", color="#4269d0", markersize=size, alpha=0.6, markeredgewidth=0)
    ax.set_xlim(*ends)
    ax.set_xlabel("true")
    ax.set_ylabel("predicted")
    finish(figure, title)
    return figure


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
    figure, (ax,) = new_figure(1, 4.8, 3.6)
    sets = {"training": (train, "#4269d0"), "validation": (validation, "#ff725c")}
    for label, (points, colour) in sets.items():
        if points is not None:
            style = {"markersize": 4 if len(points[0]) <= 100 else 2.5, "markeredgewidth": 0, "alpha": 0.8}
            ax.plot(*points, "o", color=colour, label=label, **style)
    shown = [points for points, _ in sets.values() if points is not None]
    x = numpy.concatenate([points[0] for points in shown])
    y = numpy.concatenate([points[1] for points in shown])
    margin = 0.04 * float(x.max() - x.min())
    line = numpy.linspace(x.min() - margin, x.max() + margin, 500).astype("float32")
    ax.plot(line, function(line), color="black", linewidth=1.4, label="the network")
    room = 0.15 * float(y.max() - y.min()) or 1.0
    ax.set_ylim(y.min() - room, y.max() + room)  # a curve that diverges between the points is cropped
    ax.set_xlabel(name if len(name) <= 40 else name[:39] + "…", parse_math=False)
    ax.set_ylabel("target")
    finish(figure, title, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3)
    return figure
