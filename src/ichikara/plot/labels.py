"""Where the labels of marks stand: on the marks, where there is space."""

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy

from ..charts import Area, Arrows, Bars, Dots, Label, Line, Mark, Raster, Rule
from .theme import PIXEL, Theme, families

__all__ = ["floats", "place_labels"]

GAP = 7.0  # pixels between a mark and its label
ANCHORS = 25  # points of a mark at which a label is tried
# The places round an anchor, the better ones first.
SIDES = numpy.array([(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)], float)

Points = numpy.ndarray  # of shape (n, 2), in pixels


def place_labels(ax: Any, marks: Sequence[Mark], theme: Theme) -> None:
    """Write each mark's label near the mark, away from other marks and labels."""
    renderer = ax.figure.canvas.get_renderer()
    outlines = [_dense(_in_pixels(ax, *outline(mark, ax))) for mark in marks]
    frame = ax.get_window_extent(renderer)
    taken: list[numpy.ndarray] = []
    tinted = any(isinstance(mark, Raster) for mark in marks)
    for i, mark in enumerate(marks):
        if not mark.label or not len(outlines[i]):
            continue
        colour = theme.ink if tinted else theme.texts[mark.ink]  # coloured words cannot be read on tints
        style = {"fontsize": 13 * PIXEL, "fontfamily": families(mark.label), "color": colour}
        text = ax.text(0, 0, mark.label, parse_math=False, ha="center", va="center", **style)
        size = text.get_window_extent(renderer)
        others = [outlines[j] for j in range(len(marks)) if j != i and not isinstance(marks[j], Area | Raster)]
        around = numpy.concatenate([*others, numpy.empty((0, 2))])
        own = outlines[i]
        centre, clear = _best(own, around, (size.width, size.height), frame, taken, _anchors(mark, ax, own))
        if not clear and not tinted:  # a halo would show as a rim on a tint
            from matplotlib.patheffects import withStroke

            text.set_path_effects([withStroke(linewidth=3 * PIXEL, foreground=theme.paper)])
        text.set_position(ax.transData.inverted().transform(centre))
        taken.append(numpy.array([*(centre - (size.width / 2, size.height / 2)), size.width, size.height]))


def _best(own: Points, others: Points, size: tuple[float, float], frame: Any, taken: list, anchors: Points):
    """The centre of the best place for a label, and whether it is clear of marks and labels."""
    half = numpy.array(size) / 2
    offsets = SIDES * (half + numpy.where(abs(SIDES).sum(1) > 1, 0.6, 1.0)[:, None] * GAP)
    centres = (anchors[:, None] + offsets).reshape(-1, 2)
    low, high = centres - half, centres + half
    outside = numpy.maximum(frame.x0 - low[:, 0], 0) + numpy.maximum(high[:, 0] - frame.x1, 0)
    outside += numpy.maximum(frame.y0 - low[:, 1], 0) + numpy.maximum(high[:, 1] - frame.y1, 0)
    hits = numpy.zeros(len(centres))
    for x, y, width, height in taken:
        across = numpy.minimum(high[:, 0], x + width + 4) - numpy.maximum(low[:, 0], x - 4)
        up = numpy.minimum(high[:, 1], y + height) - numpy.maximum(low[:, 1], y)
        hits += (across > 0) & (up > 0)
    mine, theirs = _distance(own, centres, half), _distance(others, centres, half)
    hits += (mine < 1.5) * 1.0 + (theirs < 1.5)
    nearer = numpy.maximum(mine + 6 - theirs, 0)  # another mark is nearer than its own
    space = numpy.minimum(theirs, 40)
    order = numpy.tile(numpy.arange(len(SIDES)), len(anchors))
    along = numpy.repeat(numpy.linspace(0, 1, len(anchors)), len(SIDES))
    cost = 1000 * hits + 100 * numpy.minimum(outside, 20) + 20 * nearer - 2 * space + 1.5 * order - 25 * along
    best = int(cost.argmin())
    return centres[best], not hits[best]


def _distance(points: Points, centres: Points, half: numpy.ndarray) -> numpy.ndarray:
    """How far each box is from the nearest point. Shapes: (n, 2), (m, 2), (2,) -> (m,)."""
    if not len(points):
        return numpy.full(len(centres), 1e3)
    away = numpy.maximum(abs(points[None] - centres[:, None]) - half, 0)
    return numpy.hypot(away[..., 0], away[..., 1]).min(axis=1)


def _dense(points: Points) -> Points:
    """Points at most six pixels apart on the same lines; a point that is not a number interrupts a line."""
    steps = numpy.diff(points, axis=0)
    steps[~numpy.isfinite(steps).all(axis=1)] = 0
    lengths = numpy.hypot(steps[:, 0], steps[:, 1])
    pieces = [
        start + step * numpy.linspace(0, 1, min(int(length / 6) + 1, 400), endpoint=False)[:, None]
        for start, step, length in zip(points, steps, lengths, strict=False)
    ]
    every = numpy.concatenate([*pieces, points[-1:]])
    every = every[numpy.isfinite(every).all(axis=1)]
    return every[:: max(1, len(every) // 3000)]


def _in_pixels(ax: Any, x: Any, y: Any) -> Points:
    points = numpy.stack(numpy.broadcast_arrays(floats(x), floats(y)), axis=-1)
    for i, scale in enumerate((ax.get_xscale(), ax.get_yscale())):
        if scale == "log":
            points[:, i] = numpy.where(points[:, i] > 0, points[:, i], numpy.nan)
    return ax.transData.transform(points) if len(points) else points.reshape(0, 2)


def floats(values: Any) -> numpy.ndarray:
    """Numbers as an array, with NaN for None."""
    return numpy.array([numpy.nan if value is None else value for value in values], float)


def _anchors(mark: Mark, ax: Any, own: Points) -> Points:
    """Points of a mark at which its label may stand: those that are seen, and not more than a few."""
    frame = ax.get_window_extent()
    if isinstance(mark, Arrows):
        own = _in_pixels(ax, floats(mark.x) + floats(mark.dx), floats(mark.y) + floats(mark.dy))
    if isinstance(mark, Bars):
        tops = (mark.height, mark.x) if mark.lying else (mark.x, mark.height)
        own = _dense(_in_pixels(ax, *_apart(*tops)))
    seen = own[(abs(own[:, 0] - frame.x0 - frame.width / 2) <= frame.width / 2 + 1)]
    seen = seen[(abs(seen[:, 1] - frame.y0 - frame.height / 2) <= frame.height / 2 + 1)]
    seen = seen if len(seen) else own
    return seen[numpy.linspace(0, len(seen) - 1, min(ANCHORS, len(seen))).round().astype(int)]


@singledispatch
def outline(mark: Mark, ax: Any) -> tuple[Any, Any]:
    """The points that a mark covers, as x and y; what is between two of them it covers too, except at NaN."""
    return (), ()


@outline.register
def _(mark: Line, ax):
    return mark.x, mark.y


@outline.register
def _(mark: Dots, ax):
    return _apart(mark.x, mark.y)


@outline.register
def _(mark: Bars, ax):
    tops = floats(mark.height)
    left, right = (floats(mark.x) + side * mark.width / 2 for side in (-1, 1))
    base = numpy.full(len(tops), mark.base)
    x = numpy.stack([left, left, right, right, left + numpy.nan], axis=-1).ravel()
    y = numpy.stack([base, tops, tops, base, base + numpy.nan], axis=-1).ravel()
    return (y, x) if mark.lying else (x, y)


@outline.register
def _(mark: Area, ax):
    x = floats(mark.x)
    nan = [numpy.nan]
    return [*x, *nan, *x], [*floats(mark.high), *nan, *floats(mark.low)]


@outline.register
def _(mark: Rule, ax):
    if mark.x is not None:
        return [mark.x, mark.x], ax.get_ylim()
    return ax.get_xlim(), [mark.y, mark.y]


@outline.register
def _(mark: Arrows, ax):
    x, y = floats(mark.x), floats(mark.y)
    tips = x + floats(mark.dx), y + floats(mark.dy)
    nan = x + numpy.nan
    return numpy.stack([x, tips[0], nan], -1).ravel(), numpy.stack([y, tips[1], nan], -1).ravel()


@outline.register
def _(mark: Raster, ax):
    (left, right), (bottom, top) = mark.x, mark.y
    return [left, left, right, right, left], [bottom, top, top, bottom, bottom]


@outline.register
def _(mark: Label, ax):
    return [mark.x], [mark.y]


def _apart(x: Any, y: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Points between which there is nothing."""
    x, y = floats(x), floats(y)
    return numpy.stack([x, x + numpy.nan], -1).ravel(), numpy.stack([y, y + numpy.nan], -1).ravel()
