"""The search for a learning rate: the loss against a rate that rises."""

from typing import Any

import numpy

from ..charts import Axis, Chart, Dots, Line, Mark
from ..train import LearningRates
from .draw import draw

__all__ = ["learning_rate_chart", "learning_rate_curve"]


def learning_rate_chart(found: LearningRates, title: str = "") -> Chart:
    """A chart of the loss at each learning rate. Arguments: as of `learning_rate_curve`."""
    marks: list[Mark] = [
        Line(found.rates, found.losses, ink="quiet", label="each step"),
        Line(found.rates, found.smoothed, ink="a", label="smoothed"),
    ]
    alt = "The loss against the learning rate."
    if found.suggestion is not None:
        at = found.smoothed[list(found.rates).index(found.suggestion)]
        marks.append(Dots([found.suggestion], [at], ink="b", label=f"steepest at {found.suggestion:.2g}"))
        alt += f" It falls most steeply at {found.suggestion:.2g}."
    # The losses after divergence would hide the rest.
    low = float(numpy.nanmin(found.losses))
    high = float(max(found.smoothed[0], found.losses[: len(found.losses) // 2 + 1].max()))
    limits = (low - 0.1 * (high - low), high + 0.4 * (high - low)) if low < high < numpy.inf else None
    return Chart(marks, Axis("learning rate", scale="log"), Axis("loss", limits=limits), title=title, alt=alt)


def learning_rate_curve(found: LearningRates, title: str = "") -> Any:
    """Draw the loss at each learning rate, unsmoothed and smoothed, and the suggestion; returns a Matplotlib figure.

    Arguments: ``found``, of `find_learning_rate`; ``title``.

    >>> import numpy
    >>> from ichikara.train import LearningRates
    >>> rates, losses = numpy.array([0.01, 0.1, 1.0]), numpy.array([2.0, 1.0, 3.0])
    >>> learning_rate_curve(LearningRates(rates, losses, losses, 0.01)).axes[0].get_xscale()
    'log'
    """
    return draw(learning_rate_chart(found, title))
