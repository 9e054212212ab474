"""Where a chart stands on a figure: its axes, with ticks and names, and a title above and a caption below them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..charts import Axis, Chart, Graph, Images, text_width
from .theme import PIXEL, Theme, families

__all__ = ["DPI", "Place", "image_places"]

DPI = 96
TEXT, SMALL = 14, 13  # height of letters in pixels
EDGE = 16.0  # pixels that are free on all sides
TICK, GAP = 5, 5  # length of a tick, and pixels between it and its words


@dataclass
class Place:
    """A chart, and how large it is in pixels. Arguments: ``size``, width and height of the axes if it is free.

    Widths of words are estimated, so that a figure is the same wherever it is drawn.
    """

    chart: Chart
    size: tuple[float, float]
    left: float = field(init=False)
    top: float = field(init=False)
    width: float = field(init=False)
    height: float = field(init=False)

    def __post_init__(self):
        chart = self.chart
        self.limits = chart.limits()
        across, up = self.size = self._axes_size()
        self.left, right, self.top, bottom = EDGE, EDGE, EDGE, EDGE
        if chart.title:
            self.top += 30
        self.turned = False
        if chart.y is not None:
            words = [text_width(tick.text) for tick in chart.y.ticks(*self.limits[1])]
            self.left += SMALL * max(words, default=0) + TICK + GAP
            self.top += 24 * bool(chart.y.title)
        if chart.x is not None:
            words = [SMALL * text_width(tick.text) for tick in chart.x.ticks(*self.limits[0])]
            self.turned = bool(words) and max(words) + 8 > across / max(len(chart.x.names), 1)
            bottom += (max(words) if self.turned else SMALL + 4) + TICK + GAP
            bottom += 20 * bool(chart.x.title)
            right = max(right, max(words[-1:], default=0) / 2 + 4)
        self.width = max(self.left + across + right, EDGE * 2 + 1.1 * TEXT * text_width(chart.title))
        self.caption = wrapped(chart.caption, (self.width - 2 * EDGE) / TEXT)
        self.height = self.top + up + bottom + (20 * len(self.caption) + 8) * bool(self.caption)

    def lower(self, top: float) -> None:
        """Leave more space above the axes."""
        self.height += top - self.top
        self.top = top

    def _axes_size(self) -> tuple[float, float]:
        chart = self.chart
        (left, right), (bottom, top) = self.limits
        for mark in chart.marks:
            if isinstance(mark, Graph):
                return TEXT * (right - left), TEXT * (top - bottom)
            if isinstance(mark, Images) and len(mark.images):
                return image_places(mark)[1]
        width, height = self.size
        if chart.y is not None:
            height = max(height, 22.0 * len(chart.y.names))
        if chart.equal:
            height = min(width * (top - bottom) / (right - left), 1.2 * height)
            width = height * (right - left) / (top - bottom)
        return width, height

    def axes(self, figure: Any, x: float, y: float, theme: Theme) -> Any:
        """Axes on a figure, whose part of it begins at ``x`` and ``y``, in pixels from its upper left corner."""
        chart = self.chart
        whole = figure.get_size_inches() * DPI
        corner = x + self.left, whole[1] - y - self.top - self.size[1]
        ax = figure.add_axes((*(corner / whole), *(self.size / whole)), facecolor="none")
        ax.set_autoscale_on(False)
        ax.spines[["top", "right"]].set_visible(False)
        for side, which, axis, limits in zip(("bottom", "left"), "xy", (chart.x, chart.y), self.limits, strict=True):
            ax.spines[side].set(color=theme.axis, linewidth=PIXEL, visible=axis is not None)
            self._axis(ax, which, axis, limits, theme)
        at = [(x + EDGE) / whole[0], 1 - (y + EDGE) / whole[1]]
        words: dict[str, Any] = {"ha": "left", "va": "top", "parse_math": False}
        if chart.title:
            style = {"fontsize": 1.1 * TEXT * PIXEL, "fontfamily": families(chart.title, strong=True)}
            figure.text(*at, chart.title, **words, **style, color=theme.ink)
        if self.caption:
            at[1] = 1 - (y + self.height - EDGE - 20 * len(self.caption)) / whole[1]
            style = {"fontsize": TEXT * PIXEL, "fontfamily": families(chart.caption), "color": theme.ink2}
            figure.text(*at, "\n".join(self.caption), **words, **style, linespacing=1.25)
        return ax

    def _axis(self, ax: Any, which: str, axis: Axis | None, limits: tuple[float, float], theme: Theme) -> None:
        line = getattr(ax, f"{which}axis")
        if axis is not None and axis.scale == "log":
            getattr(ax, f"set_{which}scale")("log")
        getattr(ax, f"set_{which}lim")(*limits)
        line.set_ticks([], minor=True)
        if axis is None:
            line.set_ticks([])
            return
        if axis.down:
            line.set_inverted(True)
        ticks = axis.ticks(*limits)
        texts = [tick.text for tick in ticks]
        style: dict[str, Any] = {"fontsize": SMALL * PIXEL, "color": theme.ink2, "parse_math": False}
        if which == "x" and self.turned:
            style["rotation"] = 90
        line.set_ticks([tick.at for tick in ticks], texts, fontfamily=families(texts), **style)
        length = 0 if len(axis.names) else TICK
        ax.tick_params(axis=which, color=theme.axis, length=length * PIXEL, width=PIXEL, pad=(GAP - 1) * PIXEL)
        style = {
            "fontsize": SMALL * PIXEL,
            "color": theme.ink2,
            "fontfamily": families(axis.title),
            "parse_math": False,
        }
        if which == "x" and axis.title:
            ax.set_xlabel(axis.title, loc="right", labelpad=3, **style)
        elif axis.title:
            ax.set_ylabel(axis.title, rotation=0, ha="left", va="bottom", **style)
            ax.yaxis.set_label_coords(-4 / self.size[0], 1 + 8 / self.size[1])


def image_places(mark: Images) -> tuple[list[tuple[float, float]], tuple[float, float], tuple[float, float]]:
    """The upper left corner of each image, the size of them all, and the size of one, in pixels."""
    n = len(mark.images)
    height, width = mark.images[0].shape[:2]
    columns = min(mark.columns, n)
    side = 64.0 if n > 4 else 96.0
    one = side, side * height / width
    across, up = one[0] + 6, one[1] + (26 if len(mark.captions) else 6)
    places = [(i % columns * across, i // columns * up) for i in range(n)]
    return places, (columns * across - 6, -(-n // columns) * up - 6), one


def wrapped(text: str, width: float, measure: Callable[[str], float] = text_width) -> list[str]:
    """The lines of a text; Japanese is broken between any two letters but before a comma.

    Arguments: ``width``, of a line, in units of the text's height or in those of ``measure``, the width of a text.

    >>> wrapped("the loss falls", 6)
    ['the loss', 'falls']
    """
    lines: list[str] = []
    for word in re.findall(r"[\x21-\u2fff]+ *|\s|[^\s][、。，．」）]*", text):
        if lines and measure(lines[-1] + word.rstrip()) <= width:
            lines[-1] += word
        else:
            lines.append(word)
    return [line.rstrip() for line in lines]
