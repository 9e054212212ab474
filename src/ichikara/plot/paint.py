"""How each kind of mark is drawn on Matplotlib's axes."""

import re
from functools import singledispatch
from typing import Any

import numpy

from ..charts import Area, Arrows, Bars, Dots, Graph, Images, Label, Line, Mark, Raster, Rule, short_text
from .labels import floats
from .place import image_places
from .theme import PIXEL, Theme, families
from .vertices import paint_graph

__all__ = ["paint"]

MARKERS = {"disc": ("o", 1.0), "square": ("s", 0.89), "triangle": ("^", 1.2), "diamond": ("D", 0.8)}  # equally large
STEPS = 10  # tints of a raster, from paper to the deepest
DEEPEST = 0.6  # share of ink in the deepest tint: words in the main ink can be read on it


@singledispatch
def paint(mark: Mark, ax: Any, theme: Theme) -> None:
    """Draw a mark on axes that have their limits."""
    raise TypeError(f"there is no way to draw {type(mark).__name__}")


def _style(mark: Mark, theme: Theme) -> dict[str, Any]:
    width = 1.0 if mark.ink == "quiet" else 2.25
    dashes = (0, (4, 2.4) if width > 1 else (5, 4)) if mark.dashed else "solid"
    return {"color": theme.inks[mark.ink], "linewidth": width * PIXEL, "linestyle": dashes}


@paint.register
def _(mark: Line, ax, theme):
    x, y = floats(mark.x), floats(mark.y)
    ax.plot(x, y, **_style(mark, theme), solid_joinstyle="round", clip_on=True)
    near = numpy.isfinite(numpy.concatenate([[numpy.nan], y, [numpy.nan]]))
    alone = near[1:-1] & ~near[:-2] & ~near[2:]  # a point without neighbours has no line
    if alone.any():
        ax.plot(x[alone], y[alone], "o", color=theme.inks[mark.ink], markersize=6 * PIXEL, markeredgewidth=0)


@paint.register
def _(mark: Dots, ax, theme):
    n = len(mark.x)
    radius = (5.0 if n <= 60 else 3.6 if n <= 300 else 2.4) * mark.size
    ink = theme.inks[mark.ink]
    if mark.hollow:
        stroke = min(max(0.4 * radius, 1.0), 2.5)
        style: dict[str, Any] = {"facecolors": "none" if mark.dashed else theme.paper, "edgecolors": ink}
        style |= {"linestyle": (0, (2.4, 1.6)) if mark.dashed else "solid"}
        radius -= stroke / 2
    else:
        stroke = 1.0 if n <= 300 else 0.0
        style = {"facecolors": ink, "edgecolors": theme.paper}
    marker, factor = MARKERS[mark.shape]
    size = (2 * factor * radius * PIXEL) ** 2  # of scatter: the square of the diameter
    style |= {"marker": marker, "linewidths": stroke * PIXEL}
    ax.scatter(floats(mark.x), floats(mark.y), size, clip_on=False, zorder=2, **style)


@paint.register
def _(mark: Bars, ax, theme):
    ink = theme.inks[mark.ink]
    heights = floats(mark.height) - mark.base
    style: dict[str, Any] = {"facecolor": ink, "linewidth": 0}
    if mark.dashed:
        style = {"facecolor": (ink, 0.15), "edgecolor": ink, "linewidth": 1.5 * PIXEL, "linestyle": (0, (3, 2))}
    if mark.lying:
        ax.barh(floats(mark.x), heights, mark.width, left=mark.base, **style)
    else:
        ax.bar(floats(mark.x), heights, mark.width, bottom=mark.base, **style)


@paint.register
def _(mark: Area, ax, theme):
    ink = theme.inks[mark.ink]
    x, low, high = floats(mark.x), floats(mark.low), floats(mark.high)
    ax.fill_between(x, low, high, facecolor=(ink, 0.16), linewidth=0)
    if mark.dashed:
        for edge in (low, high):
            ax.plot(x, edge, color=ink, linewidth=PIXEL, linestyle=(0, (4, 3)))


@paint.register
def _(mark: Rule, ax, theme):
    style = _style(mark, theme) | {"linewidth": (1.0 if mark.ink == "quiet" else 1.5) * PIXEL}
    if mark.ink == "quiet" and (mark.x == 0 or mark.y == 0):
        style |= {"color": theme.rule}  # a zero line
    if mark.x is not None:
        ax.axvline(mark.x, **style)
    else:
        ax.axhline(mark.y, **style)


@paint.register
def _(mark: Raster, ax, theme):
    values = numpy.asarray(mark.values, float)
    finite = values[numpy.isfinite(values)]
    if not finite.size:
        return
    x, y = mark.x, mark.y
    tints = _tints(mark, _smooth(values) if len(mark.levels) else values, finite, theme)
    ax.imshow(tints, origin="lower", extent=(*x, *y), aspect="auto", interpolation="none")
    rows, columns = values.shape
    across, up = ((edge[1] - edge[0]) / n for edge, n in ((x, columns), (y, rows)))
    if len(mark.levels):
        centres = x[0] + across * (numpy.arange(columns) + 0.5), y[0] + up * (numpy.arange(rows) + 0.5)
        low, high = float(finite.min()), float(finite.max())
        levels = [float(level) for level in mark.levels if low < level < high]
        if levels and min(rows, columns) > 1:
            lines = ax.contour(*centres, values, levels, colors=theme.ink2, linewidths=PIXEL)
            lines.set_linestyle(["dashed" if level < 0 else "solid" for level in levels])
            some = levels[:: -(-len(levels) // 6)]  # of many lines a few are labelled
            names = {level: re.sub(r"^(−?)0\.", r"\1.", short_text(level)) for level in some}
            ax.clabel(lines, some, fmt=names, fontsize=13 * PIXEL, colors=theme.ink, inline_spacing=3)
    if mark.text:
        words = None if mark.text is True else mark.text
        for row, column in numpy.argwhere(numpy.isfinite(values)):
            at = x[0] + across * (column + 0.5), y[0] + up * (row + 0.5)
            size = min(13.0, 0.3 * _pixels(ax, across, up)[0])
            style = {"ha": "center", "va": "center", "fontsize": size * PIXEL, "color": theme.ink}
            text = words[row][column] if words else short_text(values[row, column])
            ax.text(*at, text, **style, fontfamily=families(text), parse_math=False)


def _smooth(values: numpy.ndarray) -> numpy.ndarray:
    """A finer grid of numbers, each between four of the grid: where levels are drawn, the function is a smooth one."""
    for axis, n in enumerate(values.shape):
        at = numpy.clip((numpy.arange(max(n, 400)) + 0.5) * n / max(n, 400) - 0.5, 0, n - 1)
        below = numpy.minimum(at.astype(int), max(n - 2, 0))
        share = numpy.expand_dims(at - below, 1 - axis)
        above = numpy.minimum(below + 1, n - 1)
        values = values.take(below, axis) * (1 - share) + values.take(above, axis) * share
    return values


def _tints(mark: Raster, values: numpy.ndarray, finite: numpy.ndarray, theme: Theme) -> numpy.ndarray:
    """Red, green, blue and opacity of each cell. The paper shows through, so that it may be light or dark."""
    from matplotlib.colors import to_rgb

    middle = mark.middle
    if middle is None:
        low, high = mark.limits or (float(finite.min()), float(finite.max()))
        shares = (values - low) / ((high - low) or 1)
        inks = numpy.broadcast_to(to_rgb(theme.inks[mark.ink]), (*values.shape, 3))
    else:
        low, high = mark.limits or (float(finite.min()), float(finite.max()))
        shares = (values - middle) / (max(high - middle, middle - low) or 1)
        inks = numpy.where(shares[..., None] < 0, to_rgb(theme.inks["a"]), to_rgb(theme.inks["b"]))
        shares = abs(shares)
    steps = numpy.ceil(numpy.clip(numpy.nan_to_num(shares, nan=0.0), 0, 1) * STEPS - 1e-9) / STEPS
    return numpy.concatenate([inks, DEEPEST * steps[..., None]], axis=-1)


@paint.register
def _(mark: Arrows, ax, theme):
    style: dict[str, Any] = {"arrowstyle": "-|>,head_length=0.5,head_width=0.22", "shrinkA": 0, "shrinkB": 0}
    look = _style(mark, theme)
    style |= {"color": look["color"], "linewidth": look["linewidth"], "linestyle": look["linestyle"]}
    style |= {"mutation_scale": (14 if mark.ink != "quiet" else 10) * PIXEL}
    for x, y, dx, dy in zip(mark.x, mark.y, mark.dx, mark.dy, strict=True):
        if dx or dy:
            ax.annotate("", (x + dx, y + dy), (x, y), arrowprops=style, annotation_clip=False)


@paint.register
def _(mark: Label, ax, theme):
    side = {"start": "left", "middle": "center", "end": "right"}[mark.anchor]
    style: dict[str, Any] = {"color": theme.texts[mark.ink], "fontsize": 13 * PIXEL, "fontfamily": families(mark.text)}
    ax.text(mark.x, mark.y, mark.text, ha=side, va="center", parse_math=False, **style)


@paint.register
def _(mark: Images, ax, theme):
    from matplotlib.colors import to_rgb

    images = numpy.asarray(mark.images, float)
    if not len(images):
        return
    places, whole, (width, height) = image_places(mark)
    ax.set_xlim(0, whole[0])
    ax.set_ylim(whole[1], 0)
    paper, ink, a, b = (
        numpy.array(to_rgb(colour)) for colour in (theme.paper, *map(theme.inks.get, ("ink", "a", "b")))
    )
    for i, (image, (left, top)) in enumerate(zip(images, places, strict=True)):
        if image.ndim == 2:
            share = numpy.clip(image, -1 if mark.signed else 0, 1)[..., None]
            deep = numpy.where(share < 0, a, b) if mark.signed else ink
            image = paper + (deep - paper) * abs(share)
        extent = (left, left + width, top + height, top)
        ax.imshow(numpy.clip(image, 0, 1), extent=extent, interpolation="none", aspect="auto")
        if i < len(mark.captions):
            style: dict[str, Any] = {"ha": "center", "va": "top", "color": theme.ink2, "parse_math": False}
            style |= {"fontsize": 13 * PIXEL, "fontfamily": families(mark.captions[i])}
            ax.text(left + width / 2, top + height + 3, mark.captions[i], **style)


@paint.register
def _(mark: Graph, ax, theme):
    paint_graph(mark, ax, theme)


def _pixels(ax: Any, across: float, up: float) -> tuple[float, float]:
    """How many pixels two lengths of linear axes are."""
    zero, one = ax.transData.transform([(0, 0), (across, up)])
    return abs(one[0] - zero[0]), abs(one[1] - zero[1])
