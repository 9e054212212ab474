"""The search for a learning rate: the loss against a rate that rises."""

from typing import Any

from ..train import LearningRates
from .curves import finish, new_figure

__all__ = ["learning_rate_curve"]


def learning_rate_curve(found: LearningRates, title: str = "") -> Any:
    """Draw the loss at each learning rate, unsmoothed and smoothed, and the suggestion; returns a Matplotlib figure.

    Arguments: ``found``, of `find_learning_rate`; ``title``.

    >>> import numpy
    >>> from ichikara.train import LearningRates
    >>> rates, losses = numpy.array([0.01, 0.1, 1.0]), numpy.array([2.0, 1.0, 3.0])
    >>> learning_rate_curve(LearningRates(rates, losses, losses, 0.01)).axes[0].get_xscale()
    'log'
    """
    figure, (ax,) = new_figure()
    ax.plot(found.rates, found.losses, color="grey", alpha=0.4, linewidth=1, label="each step")
    ax.plot(found.rates, found.smoothed, color="#4269d0", label="smoothed")
    if found.suggestion is not None:
        at = found.smoothed[list(found.rates).index(found.suggestion)]
        ax.plot([found.suggestion], [at], "o", color="#ff725c", label=f"steepest at {found.suggestion:.2g}")
    # The losses after divergence would hide the rest.
    low, high = found.losses.min(), max(found.smoothed[0], found.losses[: len(found.losses) // 2 + 1].max())
    ax.set_ylim(low - 0.1 * (high - low), high + 0.4 * (high - low) or None)
    ax.set_xscale("log")
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss")
    finish(figure, title)
    return figure
