"""Learning curves: loss and measures against epochs, of training and validation."""

from typing import Any

from ..train import History
from .backend import load_matplotlib
from .theme import families

__all__ = ["finish", "learning_curves", "new_figure"]

_COLOURS = {"train": "#4269d0", "val": "#ff725c"}
_NAMES = {"train": "training", "val": "validation"}


def new_figure(columns: int = 1, width: float = 5.0, height: float = 3.6):
    """A figure and its axes in a row, drawn without a display and apart from pyplot's state. Lengths in inches."""
    load_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def finish(figure: Any, title: str, **legend: Any) -> None:
    """Remove two sides of the frame; add a faint grid, a legend and a title."""
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25)
        ax.legend(frameon=False, **legend)
    if title:
        figure.suptitle(title)


def learning_curves(history: History, title: str = "", best_epoch: int | None = None) -> Any:
    """Draw loss, and accuracy where there is one, against epochs; returns a Matplotlib figure.

    Arguments: ``history``, of a training run; ``title``; ``best_epoch``, to be marked, where the run's weights are of
    that epoch.

    >>> figure = learning_curves(History([{"epoch": 1, "train_loss": 0.5, "val_loss": 0.6}]))
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['loss']
    """
    measures = list(dict.fromkeys(name.partition("_")[2] for name in history.columns if name.startswith("train_")))
    figure, axes = new_figure(max(len(measures), 1))
    for ax, measure in zip(axes, measures, strict=False):
        drawn = []
        for part, colour in _COLOURS.items():
            rows = [row for row in history.rows if f"{part}_{measure}" in row]
            if rows:
                values = [row[f"{part}_{measure}"] for row in rows]
                marker = "o" if len(rows) < 2 else None
                ax.plot([r["epoch"] for r in rows], values, color=colour, label=_NAMES[part], marker=marker)
                drawn += values
        if best_epoch:
            ax.axvline(best_epoch, color="grey", linewidth=0.8, linestyle=":", label=f"best, epoch {best_epoch}")
        if measure == "loss" and drawn and min(drawn) > 0 and max(drawn) > 20 * min(drawn):
            ax.set_yscale("log")
        if measure == "accuracy":
            ax.yaxis.set_major_formatter(lambda value, _: f"{value:.4g}" if value > 1 else f"{100 * value:.4g}%")
        ax.set_xlabel("epoch")
        ax.set_ylabel(measure)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25)
        if drawn:
            ax.legend(frameon=False)
    if title:
        figure.suptitle(title, fontfamily=families(title), parse_math=False)
    return figure
