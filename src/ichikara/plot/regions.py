"""Decision regions and surfaces of networks with two inputs, with the data."""

from collections.abc import Callable
from typing import Any
from unicodedata import east_asian_width

import numpy

from .backend import load_matplotlib
from .curves import new_figure
from .theme import THEMES

__all__ = ["decision_regions", "fitted_surface"]

_MORE = ("#3ca951", "#a463f2", "#d6455d", "#6cc5b0", "#ff8ab7", "#9c6b4e", "#97bbf5", "#9498a0")  # than two classes
COLOURS = (THEMES["light"].inks["a"], THEMES["light"].inks["b"], *_MORE)
TINTS = (THEMES["dark"].inks["a"], THEMES["dark"].inks["b"], *_MORE)  # they can be seen on dark pages too


def decision_regions(
    decide: Callable[[numpy.ndarray], tuple[numpy.ndarray, numpy.ndarray | None]],
    inputs: numpy.ndarray,
    targets: numpy.ndarray,
    classes: tuple[str, ...],
    names: tuple[str, ...] | None = None,
    title: str = "",
    grid: int = 120,
) -> Any:
    """Colour the plane by the predicted class at each point, and draw the data; returns a Matplotlib figure.

    Shapes: inputs (n, 2), targets (n).

    Arguments: ``decide``, a function of points (n, 2) to their classes (n), and to their probabilities (n) or None: the
    higher, the deeper the colour; ``classes``, their names; ``names``, of the two inputs; ``grid``, points in each
    direction. Points of a wrongly predicted class have a ring around them.

    >>> points = numpy.array([[0.0, 0.0], [1.0, 1.0]])
    >>> figure = decision_regions(lambda x: ((x.sum(1) > 1).astype(int), None), points, numpy.array([0, 1]), ("a", "b"))
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['a', 'b']
    """
    load_matplotlib()
    from matplotlib.colors import to_rgb

    figure, (ax,) = new_figure(1, 4.8, 4.0)
    colours = numpy.array([to_rgb(TINTS[i % len(TINTS)]) for i in range(len(classes))])
    points, extent = _plane(inputs, grid)
    labels, probabilities = decide(points)
    chance = 1 / len(classes)
    sure = numpy.full(len(points), 0.5) if probabilities is None else (probabilities - chance) / (1 - chance)
    picture = numpy.concatenate([colours[labels], (0.08 + 0.32 * numpy.clip(sure, 0, 1))[:, None]], axis=1)
    ax.imshow(picture.reshape(grid, grid, 4), origin="lower", extent=extent, aspect="auto", interpolation="bilinear")
    predicted, _ = decide(inputs)
    wrong = predicted != targets
    handles, words = [], []
    for i, name in enumerate(classes):
        here = inputs[targets == i]
        colour = COLOURS[i % len(COLOURS)]
        handles += ax.plot(here[:, 0], here[:, 1], "o", color=colour, markersize=4, markeredgecolor="white", mew=0.5)
        words.append(_short(name))
    if wrong.any():
        ring = {"markersize": 8, "markerfacecolor": "none", "markeredgecolor": "black", "markeredgewidth": 0.9}
        handles += ax.plot(inputs[wrong, 0], inputs[wrong, 1], "o", **ring)
        words.append("wrong")
    _finish(ax, extent, names)
    if len(words) <= 12:
        columns = max(1, min(4, 44 // (max(map(_width, words)) + 5)))
        place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "ncols": columns}
        for text in ax.legend(handles, words, frameon=False, **place).get_texts():
            text.set_parse_math(False)
    if title:
        figure.suptitle(title)
    return figure


def fitted_surface(
    function: Callable[[numpy.ndarray], numpy.ndarray],
    inputs: numpy.ndarray,
    targets: numpy.ndarray,
    names: tuple[str, ...] | None = None,
    title: str = "",
    grid: int = 80,
) -> Any:
    """Colour the plane by the predicted number at each point, and draw the data in the same colours.

    Shapes: inputs (n, 2), targets (n).

    Arguments: ``function``, of points (n, 2) to numbers (n); ``names``, of the two inputs; ``grid``, points in each
    direction. Returns a Matplotlib figure.

    >>> points = numpy.array([[0.0, 0.0], [1.0, 1.0]])
    >>> fitted_surface(lambda x: x.sum(1), points, numpy.array([0.0, 2.0])).axes[0].get_xlabel()
    'input 1'
    """
    figure, (ax,) = new_figure(1, 4.8, 3.8)
    points, extent = _plane(inputs, grid)
    values = function(points).reshape(grid, grid)
    colours: dict[str, Any] = {"cmap": "viridis", "vmin": targets.min(), "vmax": targets.max()}
    picture = ax.imshow(values, origin="lower", extent=extent, aspect="auto", interpolation="bilinear", **colours)
    edge = {"edgecolors": "white", "linewidths": 0.5}
    ax.scatter(inputs[:, 0], inputs[:, 1], c=targets, s=16, **edge, **colours)
    figure.colorbar(picture, ax=ax, fraction=0.05, pad=0.02).outline.set_visible(False)
    _finish(ax, extent, names)
    if title:
        figure.suptitle(title)
    return figure


def _plane(inputs: numpy.ndarray, grid: int) -> tuple[numpy.ndarray, list[float]]:
    """Points at even distances over the data and a little beyond, and their extent: left, right, bottom, top."""
    low, high = inputs.min(axis=0), inputs.max(axis=0)
    margin = 0.12 * numpy.where(high > low, high - low, 1)
    low, high = low - margin, high + margin
    x, y = (numpy.linspace(low[i], high[i], grid) for i in range(2))
    points = numpy.stack(numpy.meshgrid(x, y), axis=-1).reshape(-1, 2).astype("float32")
    return points, [float(v) for v in (low[0], high[0], low[1], high[1])]


def _finish(ax, extent, names) -> None:
    ax.set_xlim(*extent[:2])
    ax.set_ylim(*extent[2:])
    x, y = names or ("input 1", "input 2")
    ax.set_xlabel(_short(x), parse_math=False)
    ax.set_ylabel(_short(y), parse_math=False)
    ax.spines[["top", "right"]].set_visible(False)


def _width(text: str) -> int:
    """How wide a word is, in letters; those of Chinese and Japanese count for two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _short(name: str) -> str:
    """A user's name for a legend: shortened, and changed where Matplotlib would leave it out."""
    short = name
    while _width(short) > 24:
        short = short[:-1]
    name = name if short == name else f"{short}…"
    return f"\u200b{name}" if name.startswith("_") else name
