"""Learning curves: loss and measures against epochs, of training and validation."""

from dataclasses import replace
from typing import Any

from ..charts import Axis, Chart, Line, Mark, Rule, short_text
from ..train import History
from .draw import draw

__all__ = ["SMALL", "learning_curve_charts", "learning_curves", "titled"]

SMALL = (390.0, 250.0)  # of the axes, in pixels: two charts are side by side on a page
_PARTS = {"train": ("training", "a", False), "val": ("validation", "b", True)}


def learning_curve_charts(history: History, title: str = "", best_epoch: int | None = None) -> list[Chart]:
    """A chart of the loss, and one of each other measure, against epochs. Arguments: as of `learning_curves`.

    >>> [chart] = learning_curve_charts(History([{"epoch": 1, "train_loss": 0.5, "val_loss": 0.6}]))
    >>> chart.alt
    'loss by epoch. training: from 0.5 to 0.5. validation: from 0.6 to 0.6.'
    """
    charts = []
    for measure in dict.fromkeys(name.partition("_")[2] for name in history.columns if name.startswith("train_")):
        marks: list[Mark] = []
        if best_epoch:
            marks.append(Rule(x=best_epoch, ink="quiet", dashed=True, label=f"best, epoch {best_epoch}"))
        alt, drawn = [f"{measure} by epoch."], []
        for part, (name, ink, dashed) in _PARTS.items():
            rows = [row for row in history.rows if f"{part}_{measure}" in row]
            if rows:
                values = [row[f"{part}_{measure}"] for row in rows]
                marks.append(Line([row["epoch"] for row in rows], values, ink=ink, dashed=dashed, label=name))
                alt.append(f"{name}: from {short_text(values[0])} to {short_text(values[-1])}.")
                drawn += values
        falls_far = measure == "loss" and drawn and min(drawn) > 0 and max(drawn) > 20 * min(drawn)
        percent = measure == "accuracy" and max(drawn, default=0) <= 1
        y = Axis(measure, scale="log" if falls_far else "linear", percent=percent)
        charts.append(Chart(marks, Axis("epoch", whole=True), y, alt=" ".join(alt)))
    return titled(charts, title)


def titled(charts: list[Chart], title: str) -> list[Chart]:
    """Charts side by side, with a title above the first; one without marks, if there is none."""
    first, *others = charts or [Chart([])]
    return [replace(first, title=title), *others]


def learning_curves(history: History, title: str = "", best_epoch: int | None = None) -> Any:
    """Draw loss, and accuracy where there is one, against epochs; returns a Matplotlib figure.

    Arguments: ``history``, of a training run; ``title``; ``best_epoch``, to be marked, where the run's weights are of
    that epoch.

    >>> figure = learning_curves(History([{"epoch": 1, "train_loss": 0.5, "val_loss": 0.6}]))
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['loss']
    """
    return draw(learning_curve_charts(history, title, best_epoch), size=SMALL)
