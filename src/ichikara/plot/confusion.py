"""The confusion matrix."""

from typing import Any

import numpy

from ..charts import Axis, Chart, Raster
from .draw import draw

__all__ = ["confusion_chart", "confusion_matrix"]

_NUMBERS, _NAMES = 15, 40  # up to so many classes the counts, and the names, can be read
_CELL = 22.0  # pixels, the height of a name


def confusion_chart(counts: numpy.ndarray, classes: tuple[str, ...], title: str = "") -> Chart:
    """A chart of how often each class was predicted as which. Arguments: as of `confusion_matrix`.

    >>> chart = confusion_chart(numpy.array([[9, 1], [0, 10]]), ("cat", "dog"))
    >>> chart.alt, chart.numbers["right"]
    ('How often each of 2 classes was predicted as which: 19 of 20 right.', 19)
    """
    n = len(classes)
    names = tuple(name if len(name) <= 14 else name[:13] + "…" for name in classes) if n <= _NAMES else ()
    words = [[f"{count:,}" if count else "" for count in row] for row in counts.tolist()]
    shares = counts / numpy.maximum(counts.sum(axis=1, keepdims=True), 1)
    ends = (-0.5, n - 0.5)
    right, total = int(counts.trace()), int(counts.sum())
    return Chart(
        [Raster(shares, ends, ends, ink="a", limits=(0, 1), text=words if n <= _NUMBERS else False)],
        Axis("predicted class", names=names, whole=True),
        Axis("true class", names=names, whole=True, down=True),
        title=title,
        alt=f"How often each of {n} classes was predicted as which: {right:,} of {total:,} right.",
        numbers={"right": right, "wrong": total - right, "total": total},
        equal=True,
    )


def confusion_matrix(counts: numpy.ndarray, classes: tuple[str, ...], title: str = "") -> Any:
    """Draw how often each class was predicted as which; returns a Matplotlib figure.

    Shapes: counts (classes, classes), true classes in rows, predicted ones in columns.

    Arguments: ``classes``, their names; ``title``. Tints are fractions of the row; with up to 15 classes the counts are
    written in.

    >>> figure = confusion_matrix(numpy.array([[9, 1], [0, 10]]), ("cat", "dog"))
    >>> figure.axes[0].get_ylabel()
    'true class'
    """
    cell = max(2 * _CELL if len(classes) <= _NUMBERS else _CELL, 130.0 / len(classes))
    side = cell * min(len(classes), _NAMES)
    return draw(confusion_chart(counts, classes, title), size=(side, side))
