"""Decision regions and surfaces of networks with two inputs, with the data."""

from collections.abc import Callable
from typing import Any
from unicodedata import east_asian_width

import numpy

from ..charts import SHAPES, Axis, Chart, Dots, Line, Mark, Raster, ticks_between
from .draw import draw

__all__ = ["decision_regions", "decision_regions_chart", "fitted_surface", "fitted_surface_chart"]

Decide = Callable[[numpy.ndarray], tuple[numpy.ndarray, numpy.ndarray | None]]
Edges = tuple[float, float]

SIZE = (400.0, 320.0)  # of the axes, in pixels
_INKS = ("a", "b", "ink")  # of classes, in turn; with four shapes, twelve classes look different
_TINTS = ("a", "b", "quiet")  # of their regions
_LABELS = 12  # classes up to which their names stand on the dots


def decision_regions_chart(
    decide: Decide,
    inputs: numpy.ndarray,
    targets: numpy.ndarray,
    classes: tuple[str, ...],
    names: tuple[str, ...] | None = None,
    title: str = "",
    grid: int = 120,
) -> Chart:
    """A chart of the predicted class at each point of the plane, with the data. Arguments: as of `decision_regions`.

    >>> points = numpy.array([[0.0, 0.0], [1.0, 1.0]])
    >>> chart = decision_regions_chart(lambda x: (x.argmax(1), None), points, numpy.array([0, 1]), ("a", "b"))
    >>> chart.alt
    'The predicted one of 2 classes at each point of the plane, and 2 points of the data, 1 of them wrong.'
    """
    points, x, y = _plane(inputs, grid)
    labels, probabilities = decide(points)
    two = len(classes) == 2
    if two and probabilities is not None:
        second = numpy.where(labels == 1, probabilities, 1 - probabilities).reshape(grid, grid)
        marks: list[Mark] = [Raster(second, x, y, middle=0.5, limits=(0, 1), levels=[0.5])]
    else:
        marks = _regions(decide, points.reshape(grid, grid, 2), labels, probabilities, len(classes), (x, y))
    for i, name in enumerate(classes):
        here = inputs[targets == i]
        look: dict[str, Any] = {"hollow": i == 0} if two else {"shape": SHAPES[i % len(SHAPES)]}
        if len(here):
            look |= {"ink": _INKS[i % len(_INKS)], "label": _short(name) if len(classes) <= _LABELS else ""}
            marks.append(Dots(here[:, 0], here[:, 1], size=_size(len(inputs), len(here)), **look))
    wrong = inputs[decide(inputs)[0] != targets]
    if len(wrong):
        size = 1.9 * _size(len(inputs), len(wrong))
        marks.append(Dots(wrong[:, 0], wrong[:, 1], hollow=True, dashed=True, size=size, label="wrong"))
    alt = (
        f"The predicted one of {len(classes)} classes at each point of the plane, and {len(inputs)} points of the data"
    )
    return Chart(
        marks,
        *_axes(names),
        title=title,
        alt=f"{alt}, {len(wrong) or 'none'} of them wrong.",
        numbers={"points": len(inputs), "wrong": len(wrong)},
    )


def decision_regions(
    decide: Decide,
    inputs: numpy.ndarray,
    targets: numpy.ndarray,
    classes: tuple[str, ...],
    names: tuple[str, ...] | None = None,
    title: str = "",
    grid: int = 120,
) -> Any:
    """Tint the plane by the predicted class at each point, and draw the data; returns a Matplotlib figure.

    Shapes: inputs (n, 2), targets (n).

    Arguments: ``decide``, a function of points (n, 2) to their classes (n), and to their probabilities (n) or None: the
    higher, the deeper the tint; ``classes``, their names; ``names``, of the two inputs; ``grid``, points in each
    direction. Points of a wrongly predicted class have a dashed ring around them.

    >>> points = numpy.array([[0.0, 0.0], [1.0, 1.0]])
    >>> figure = decision_regions(lambda x: ((x.sum(1) > 1).astype(int), None), points, numpy.array([0, 1]), ("a", "b"))
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['a', 'b']
    """
    return draw(decision_regions_chart(decide, inputs, targets, classes, names, title, grid), size=SIZE)


def fitted_surface_chart(
    function: Callable[[numpy.ndarray], numpy.ndarray],
    inputs: numpy.ndarray,
    targets: numpy.ndarray,
    names: tuple[str, ...] | None = None,
    title: str = "",
    grid: int = 80,
) -> Chart:
    """A chart of the predicted number at each point of the plane, with the data. Arguments: as of `fitted_surface`.

    >>> points = numpy.array([[0.0, 0.0], [1.0, 1.0]])
    >>> chart = fitted_surface_chart(lambda x: x.sum(1), points, numpy.array([0.0, 2.5]))
    >>> chart.marks[0].levels, chart.numbers["above"]
    ((0.0, 1.0, 2.0), 1)
    """
    points, x, y = _plane(inputs, grid)
    values = function(points).reshape(grid, grid)
    low, high = float(targets.min()), float(targets.max())
    levels = tuple(tick.at for tick in ticks_between(low, high)) if low < high else ()
    marks: list[Mark] = [Raster(values, x, y, ink="quiet", limits=(low, high), levels=levels)]
    above = targets > function(inputs.astype("float32"))
    looks: tuple[dict[str, Any], ...] = (
        {"ink": "b", "label": "target above"},
        {"ink": "a", "label": "target below", "hollow": True},
    )
    for some, look in zip((above, ~above), looks, strict=True):
        here = inputs[some]
        if len(here):
            marks.append(Dots(here[:, 0], here[:, 1], size=_size(len(inputs), len(here)), **look))
    return Chart(
        marks,
        *_axes(names),
        title=title,
        alt=f"The predicted number at each point of the plane, and {len(inputs)} points of the data, "
        f"{int(above.sum())} of them above the surface.",
        numbers={"points": len(inputs), "above": int(above.sum()), "below": int((~above).sum())},
    )


def fitted_surface(
    function: Callable[[numpy.ndarray], numpy.ndarray],
    inputs: numpy.ndarray,
    targets: numpy.ndarray,
    names: tuple[str, ...] | None = None,
    title: str = "",
    grid: int = 80,
) -> Any:
    """Tint the plane by the predicted number at each point, with level lines, and draw the data.

    Shapes: inputs (n, 2), targets (n).

    Arguments: ``function``, of points (n, 2) to numbers (n); ``names``, of the two inputs; ``grid``, points in each
    direction. Points whose target is above the surface are discs, the others rings. Returns a Matplotlib figure.

    >>> points = numpy.array([[0.0, 0.0], [1.0, 1.0]])
    >>> fitted_surface(lambda x: x.sum(1), points, numpy.array([0.0, 2.0])).axes[0].get_xlabel()
    'input 1'
    """
    return draw(fitted_surface_chart(function, inputs, targets, names, title, grid), size=SIZE)


def _plane(inputs: numpy.ndarray, grid: int) -> tuple[numpy.ndarray, Edges, Edges]:
    """The centres of the cells of a grid over the data and a little beyond, and its edges on x and on y."""
    low, high = inputs.min(axis=0).astype("float64"), inputs.max(axis=0).astype("float64")
    margin = 0.12 * numpy.where(high > low, high - low, 1)
    low, high = low - margin, high + margin
    x, y = (low[i] + (high[i] - low[i]) * (numpy.arange(grid) + 0.5) / grid for i in range(2))
    points = numpy.stack(numpy.meshgrid(x, y), axis=-1).reshape(-1, 2).astype("float32")
    return points, (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


def _regions(decide: Decide, points, labels, probabilities, classes: int, edges: tuple[Edges, Edges]) -> list[Mark]:
    """A tint for each class where it is predicted, and the lines between them. Shapes: points (grid, grid, 2)."""
    chance = 1 / classes
    sure = numpy.full(len(labels), 0.4) if probabilities is None else (probabilities - chance) / (1 - chance)
    marks: list[Mark] = []
    for i in range(classes):
        if (labels == i).any():
            values = numpy.where(labels == i, 0.1 + 0.9 * numpy.clip(sure, 0, 1), numpy.nan).reshape(points.shape[:2])
            marks.append(Raster(values, *edges, ink=_TINTS[i % len(_TINTS)], limits=(0, 1.4)))
    x, y = _borders(decide, points, labels.reshape(points.shape[:2]))
    return [*marks, Line(x, y, ink="quiet")] if len(x) else marks


def _borders(decide: Decide, points, labels) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Lines between the classes of a grid, as x and y with NaN between pieces. Shapes: (rows, columns, 2), same, none.

    Where two neighbours differ, the place between them at which the class changes is searched for by halves; in each
    square of four neighbours these places are joined, or, at a corner of three classes, joined with their middle.
    """
    rows, columns = labels.shape
    numbers = numpy.arange(rows * columns).reshape(rows, columns)
    pairs = numpy.concatenate(
        [
            numpy.stack([numbers[:, :-1].ravel(), numbers[:, 1:].ravel()], -1),
            numpy.stack([numbers[:-1].ravel(), numbers[1:].ravel()], -1),
        ]
    )
    flat = labels.ravel()
    pairs = pairs[flat[pairs[:, 0]] != flat[pairs[:, 1]]]
    if not len(pairs):
        return numpy.empty(0), numpy.empty(0)
    near, far = (points.reshape(-1, 2)[pairs[:, i]] for i in range(2))
    for _ in range(5):
        middle = (near + far) / 2
        same = (decide(middle)[0] == flat[pairs[:, 0]])[:, None]
        near, far = numpy.where(same, middle, near), numpy.where(same, far, middle)
    place = dict(zip(map(tuple, pairs.tolist()), (near + far) / 2, strict=True))
    pieces = []
    for corner in numpy.unique(pairs[:, 0][:, None] - [0, 1, columns]):
        i, j = divmod(int(corner), columns)
        if corner < 0 or i + 1 >= rows or j + 1 >= columns:
            continue
        a, b, c, d = corner, corner + 1, corner + columns, corner + columns + 1
        cuts = [place[pair] for pair in ((a, b), (a, c), (b, d), (c, d)) if pair in place]
        ends = [cuts] if len(cuts) == 2 else [[cut, sum(cuts) / len(cuts)] for cut in cuts]
        pieces += [[*end, [numpy.nan, numpy.nan]] for end in ends]
    x, y = numpy.array(pieces, float).reshape(-1, 2).T
    return x, y


def _axes(names: tuple[str, ...] | None) -> tuple[Axis, Axis]:
    x, y = names or ("input 1", "input 2")
    return Axis(_short(x)), Axis(_short(y))


def _size(total: int, here: int) -> float:
    """A factor that gives some of the points the size that all of them together would have."""
    usual = [5.0 if n <= 60 else 3.6 if n <= 300 else 2.4 for n in (total, here)]
    return max(usual[0], 3.0) / usual[1]


def _width(text: str) -> int:
    """How wide a word is, in letters; those of Chinese and Japanese count for two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _short(name: str) -> str:
    """A user's name, shortened."""
    short = name
    while _width(short) > 24:
        short = short[:-1]
    return name if short == name else f"{short}…"
