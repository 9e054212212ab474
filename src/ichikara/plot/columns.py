"""Any columns of a history against epochs."""

from typing import Any

from ..charts import Axis, Chart, Line
from ..train import History
from .curves import SMALL
from .draw import draw

__all__ = ["history_chart", "history_columns"]

_STYLES: tuple[dict[str, Any], ...] = (
    {"ink": "a"},
    {"ink": "b", "dashed": True},
    {"ink": "ink"},
    {"ink": "quiet", "dashed": True},
)


def history_chart(
    history: History, columns: dict[str, str], label: str, limits: tuple[float, float] | None = None, title: str = ""
) -> Chart:
    """A chart of columns of a history, up to four of them. Arguments: as of `history_columns`."""
    marks = []
    for (column, words), style in zip(columns.items(), _STYLES, strict=False):
        rows = [row for row in history.rows if column in row]
        marks.append(Line([r["epoch"] for r in rows], [r[column] for r in rows], label=words, **style))
    alt = f"{label} by epoch: {', '.join(columns.values())}."
    return Chart(marks, Axis("epoch", whole=True), Axis(label, limits=limits), title=title, alt=alt)


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
    return draw(history_chart(history, columns, label, limits, title), size=SMALL)
