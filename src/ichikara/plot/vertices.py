"""How a graph is drawn: boxes by kind, values above them, gradients below, and arrows that connect them."""

from typing import Any

import numpy

from ..charts import Graph, Vertex
from .theme import PIXEL, Theme, families

__all__ = ["paint_graph"]

# The outline of a box by kind: its pattern, its width in pixels, and whether its corners are round.
OUTLINES: dict[str, tuple[Any, float, bool]] = {
    "input": ("solid", 1.5, False),
    "parameter": ("solid", 1.5, False),
    "constant": ((0, (1.5, 2)), 1.0, False),
    "target": ((0, (4, 2.5)), 1.5, False),
    "operation": ("solid", 1.0, True),
    "module": ("solid", 1.5, False),
    "output": ("solid", 2.5, True),
}


def paint_graph(mark: Graph, ax: Any, theme: Theme) -> None:
    """Draw a graph on axes whose unit is the height of a text."""
    ax.yaxis.set_inverted(True)
    origin, one = ax.transData.transform([(0, 0), (1, 0)])
    em = (one[0] - origin[0]) * 72 / ax.figure.dpi  # points
    for group in mark.groups:
        _box(ax, group, theme, {"edgecolor": theme.rule, "facecolor": "none", "linewidth": 1.25 * PIXEL}, 0.4, 0)
        at = group.x - group.width / 2 + 0.4, group.y - group.height / 2 + 0.25
        _write(ax, at, group.text, theme.ink2, 0.82 * em, "left", "top")
    for edge in mark.edges:
        points = numpy.array(edge.points, float)
        _arrow(ax, points, theme, edge.dashed)
        if edge.label:
            _write(ax, _middle(points) - (0, 0.15), edge.label, theme.ink2, 0.8 * em, "center", "bottom")
    for vertex in mark.vertices:
        _vertex(ax, vertex, theme, em)


def _vertex(ax: Any, vertex: Vertex, theme: Theme, em: float) -> None:
    pattern, width, is_round = OUTLINES[vertex.kind]
    style = {
        "edgecolor": theme.axis if vertex.kind in ("operation", "constant") else theme.ink2,
        "facecolor": theme.wash if vertex.kind in ("parameter", "module") else theme.paper,
        "linewidth": width * PIXEL,
        "linestyle": pattern,
    }
    _box(ax, vertex, theme, style, min(vertex.height / 2, 0.9) if is_round else 0.15, 2)
    _write(ax, (vertex.x, vertex.y), vertex.text, theme.ink, em, "center", "center")
    top, bottom = vertex.y - vertex.height / 2, vertex.y + vertex.height / 2
    _write(ax, (vertex.x, top - 0.15), vertex.value, theme.texts["a"], 0.86 * em, "center", "bottom")
    _write(ax, (vertex.x, bottom + 0.15), vertex.gradient, theme.texts["b"], 0.86 * em, "center", "top")


def _box(ax: Any, box: Any, theme: Theme, style: dict[str, Any], radius: float, order: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = box.x - box.width / 2, box.y - box.height / 2
    shape = f"round,pad=0,rounding_size={radius}"
    ax.add_patch(FancyBboxPatch(corner, box.width, box.height, boxstyle=shape, clip_on=False, zorder=order, **style))


def _arrow(ax: Any, points: numpy.ndarray, theme: Theme, dashed: bool) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    way = Path(*_rounded(points))
    head = "-|>,head_length=0.42,head_width=0.18"
    pattern: Any = (0, (4, 3)) if dashed else "solid"
    style = {"arrowstyle": head, "color": theme.axis, "linewidth": 1.25 * PIXEL, "linestyle": pattern}
    ax.add_patch(
        FancyArrowPatch(path=way, mutation_scale=14 * PIXEL, clip_on=False, zorder=1, joinstyle="miter", **style)
    )


def _rounded(points: numpy.ndarray) -> tuple[list, list[int]]:
    """A way along points whose corners are rounded, as vertices and codes of a Matplotlib path."""
    line, corner = 2, 3
    vertices, codes = [points[0]], [1]
    for before, at, after in zip(points[:-2], points[1:-1], points[2:], strict=True):
        lengths = [max(float(numpy.hypot(*(at - other))), 1e-9) for other in (before, after)]
        reach = min(0.8, lengths[0] / 2, lengths[1] / 2)
        vertices += [at + (before - at) * reach / lengths[0], at, at + (after - at) * reach / lengths[1]]
        codes += [line, corner, corner]
    return [*vertices, points[-1]], [*codes, line]


def _middle(points: numpy.ndarray) -> numpy.ndarray:
    """The point half way along a way."""
    steps = numpy.hypot(*numpy.diff(points, axis=0).T)
    reached = numpy.concatenate([[0.0], steps.cumsum()])
    return numpy.array([numpy.interp(reached[-1] / 2, reached, points[:, i]) for i in range(2)])


def _write(ax: Any, at: Any, text: str, colour: str, size: float, across: str, up: str) -> None:
    if text:
        style: dict[str, Any] = {"ha": across, "va": up, "color": colour, "fontsize": size, "parse_math": False}
        ax.text(*at, text, fontfamily=families(text), linespacing=1.25, zorder=3, **style)
