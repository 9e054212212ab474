"""The confusion matrix."""

from typing import Any

import numpy

from .backend import load_matplotlib
from .curves import new_figure
from .theme import THEMES

__all__ = ["confusion_matrix"]

_NUMBERS, _NAMES = 15, 40  # up to so many classes the counts, and the names, can be read


def confusion_matrix(counts: numpy.ndarray, classes: tuple[str, ...], title: str = "") -> Any:
    """Draw how often each class was predicted as which; returns a Matplotlib figure.

    Shapes: counts (classes, classes), true classes in rows, predicted ones in columns.

    Arguments: ``classes``, their names; ``title``. Colours are fractions of the row; with up to 15 classes the
    counts are written in.

    >>> figure = confusion_matrix(numpy.array([[9, 1], [0, 10]]), ("cat", "dog"))
    >>> figure.axes[0].get_ylabel()
    'true class'
    """
    load_matplotlib()
    from matplotlib.colors import to_rgb

    n = len(classes)
    side = min(max(2.6, 0.34 * n + 1.2), 6.5)
    figure, (ax,) = new_figure(1, side + 0.4, side)
    shares = counts / numpy.maximum(counts.sum(axis=1, keepdims=True), 1)
    picture = numpy.zeros((n, n, 4))
    picture[..., :3] = to_rgb(THEMES["dark"].inks["a"])  # which is seen on light pages too
    picture[..., 3] = 0.9 * numpy.sqrt(shares)  # as deep as its fraction of the row
    ax.imshow(picture, interpolation="none")
    if n <= _NUMBERS:
        for row, column in numpy.argwhere(counts):
            ink = "#fefefe" if shares[row, column] > 0.4 else "black"
            ax.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8, color=ink)
    if n <= _NAMES:
        names = [name if len(name) <= 14 else name[:13] + "…" for name in classes]
        size = min(8.0, 48 * (side - 1) / n)
        turn = 90 if max(map(len, names)) > 2 else 0
        ax.set_xticks(range(n), names, parse_math=False, fontsize=size, rotation=turn)
        ax.set_yticks(range(n), names, parse_math=False, fontsize=size)
    ax.tick_params(length=0)
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
    if title:
        figure.suptitle(title)
    return figure
