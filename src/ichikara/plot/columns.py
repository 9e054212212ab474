"""Any columns of a history against epochs."""

from typing import Any

from ..train import History
from .curves import finish, new_figure

__all__ = ["history_columns"]

_COLOURS = ("#4269d0", "#ff725c", "#3ca951", "#efb118")


def history_columns(
    history: History, columns: dict[str, str], label: str, limits: tuple[float, float] | None = None, title: str = ""
) -> Any:
    """Draw columns of a history, such as the losses of a generator and a discriminator; returns a Matplotlib figure.

    Arguments: ``columns``, from a column to its name in words; ``label``, what they measure; ``limits``, of the
    vertical axis; ``title``.

    >>> history = History([{"epoch": 1, "train_real": 0.6, "train_fake": 0.4}])
    >>> figure = history_columns(history, {"train_real": "real", "train_fake": "generated"}, "probability")
    >>> figure.axes[0].get_ylabel()
    'probability'
    """
    figure, (ax,) = new_figure()
    for (column, words), colour in zip(columns.items(), _COLOURS, strict=False):
        rows = [row for row in history.rows if column in row]
        marker = "o" if len(rows) < 2 else None
        ax.plot([r["epoch"] for r in rows], [r[column] for r in rows], color=colour, label=words, marker=marker)
    if limits:
        ax.set_ylim(*limits)
    ax.set_xlabel("epoch")
    ax.set_ylabel(label)
    ax.xaxis.get_major_locator().set_params(integer=True)
    finish(figure, title)
    return figure
