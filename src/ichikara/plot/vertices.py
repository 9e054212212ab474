"""How a graph is drawn: boxes by kind, values above them, gradients below, and arrows that connect them."""

from typing import Any

import numpy

from ..charts import Edge, Graph, Vertex, text_width
from ..charts.graph import SMALL
from .theme import PIXEL, Theme, families

__all__ = ["paint_graph"]

LABEL = 0.93  # the height of an edge's label, that of a box's text being 1

# The outline of a box by kind: its pattern, its width in pixels, and whether its corners are round.
OUTLINES: dict[str, tuple[Any, float, bool]] = {
    "input": ("solid", 1.5, False),
    "parameter": ("solid", 1.5, False),
    "constant": ((0, (1.5, 2)), 1.0, False),
    "target": ((0, (4, 2.5)), 1.5, False),
    "operation": ("solid", 1.0, True),
    "module": ("solid", 1.5, False),
    "output": ("solid", 2.5, True),
    "neuron": ("solid", 1.5, True),
}


def paint_graph(mark: Graph, ax: Any, theme: Theme) -> None:
    """Draw a graph on axes whose unit is the height of a text."""
    ax.yaxis.set_inverted(True)
    origin, one = ax.transData.transform([(0, 0), (1, 0)])
    em = (one[0] - origin[0]) * 72 / ax.figure.dpi  # points
    for group in mark.groups:
        _box(ax, group, theme, {"edgecolor": theme.rule, "facecolor": "none", "linewidth": 1.25 * PIXEL}, 0.4, 0)
        at = group.x - group.width / 2 + 0.4, group.y - group.height / 2 + 0.25
        _write(ax, at, group.text, theme.ink2, LABEL * em, "left", "top")
    for edge in mark.edges:
        points = numpy.array(edge.points, float)
        _arrow(ax, points, theme, edge)
    for edge, at in zip(mark.edges, _label_places(mark), strict=True):
        _write(ax, at, edge.label, theme.texts[edge.ink], LABEL * em, "center", "center", theme.paper)
    for vertex in mark.vertices:
        _vertex(ax, vertex, mark.direction, theme, em)


def _vertex(ax: Any, vertex: Vertex, direction: str, theme: Theme, em: float) -> None:
    pattern, width, is_round = OUTLINES[vertex.kind]
    style = {
        "edgecolor": theme.axis if vertex.kind in ("operation", "constant") else theme.ink2,
        "facecolor": theme.wash if vertex.kind in ("parameter", "module") else theme.paper,
        "linewidth": width * PIXEL,
        "linestyle": pattern,
    }
    if vertex.strong:
        style |= {"edgecolor": theme.inks[vertex.ink], "linewidth": 2.5 * PIXEL}
    if vertex.kind == "neuron":
        _ellipse(ax, vertex, style)
    else:
        _box(ax, vertex, theme, style, min(vertex.height / 2, 0.9) if is_round else 0.15, 2)
    needed = max(map(text_width, vertex.text.split("\n"))) + 0.6
    fitting = min(1.0, max(vertex.width / needed, 0.7))
    _write(ax, (vertex.x, vertex.y), vertex.text, theme.ink, em * fitting, "center", "center")
    right, top, bottom = vertex.x + vertex.width / 2, vertex.y - vertex.height / 2, vertex.y + vertex.height / 2
    above, below, across = (vertex.x, top - 0.15), (vertex.x, bottom + 0.15), "center"
    if direction == "down":
        above, below, across = (right + 0.35, vertex.y - 0.05), (right + 0.35, vertex.y + 0.05), "left"
    _write(ax, above, vertex.value, theme.texts["a"], SMALL * em, across, "bottom")
    _write(ax, below, vertex.gradient, theme.texts["b"], SMALL * em, across, "top")


def _box(ax: Any, box: Any, theme: Theme, style: dict[str, Any], radius: float, order: int) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = box.x - box.width / 2, box.y - box.height / 2
    shape = f"round,pad=0,rounding_size={radius}"
    ax.add_patch(FancyBboxPatch(corner, box.width, box.height, boxstyle=shape, clip_on=False, zorder=order, **style))


def _ellipse(ax: Any, vertex: Vertex, style: dict[str, Any]) -> None:
    from matplotlib.patches import Ellipse

    ax.add_patch(Ellipse((vertex.x, vertex.y), vertex.width, vertex.height, clip_on=False, zorder=2, **style))


def _arrow(ax: Any, points: numpy.ndarray, theme: Theme, edge: Edge) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    way = Path(*_rounded(points))
    head = "-|>,head_length=0.42,head_width=0.18"
    pattern: Any = (0, (4, 3)) if edge.dashed else "solid"
    width = (4 if edge.strong else 1.25) * PIXEL
    style = {"arrowstyle": head, "color": theme.inks[edge.ink], "linewidth": width, "linestyle": pattern}
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


def _label_places(mark: Graph) -> list[Any]:
    """Where each edge's label stands: beside its edge, away from other edges, boxes and labels."""
    ways = [_along(numpy.array(edge.points, float)) for edge in mark.edges]
    every = numpy.concatenate([*ways, numpy.empty((0, 2))])
    owner = numpy.repeat(numpy.arange(len(ways)), [len(way) for way in ways])
    taken = [(v.x, v.y, *v.outer_size(mark.direction)) for v in mark.vertices]
    places = []
    for i, edge in enumerate(mark.edges):
        width, height = LABEL * text_width(edge.label), 1.0
        own, other = ways[i], every[owner != i]
        best: Any = own[len(own) // 2]
        least = float("inf")
        for share in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8) if edge.label else ():
            for away in ((0, -0.7), (0, 0.7), (width / 2 + 0.4, 0), (-width / 2 - 0.4, 0), (0, -1.3), (0, 1.3)):
                at = own[int(share * (len(own) - 1))] + away
                hits = (abs(at - own) < (width / 2 + 0.1, 0.5)).all(1).sum()
                hits += 2 * (abs(at - other) < (width / 2 + 0.1, 0.5)).all(1).sum()
                cost = hits + abs(share - 0.5) + 0.1 * (away[1] >= 0)
                for x, y, w, h in taken:
                    cost += 20 * (abs(at[0] - x) < (width + w) / 2 and abs(at[1] - y) < (height + h) / 2)
                if cost < least:
                    best, least = at, cost
        places.append(best)
        if edge.label:
            taken.append((*best, width, height))
    return places


def _along(points: numpy.ndarray) -> numpy.ndarray:
    """Points on a way, about a quarter of the text's height apart."""
    steps = numpy.hypot(*numpy.diff(points, axis=0).T)
    reached = numpy.concatenate([[0.0], steps.cumsum()])
    at = numpy.linspace(0, reached[-1], max(int(reached[-1] / 0.25), 2))
    return numpy.stack([numpy.interp(at, reached, points[:, i]) for i in range(2)], axis=-1)


def _write(ax: Any, at: Any, text: str, colour: str, size: float, across: str, up: str, halo: str = "") -> None:
    """Write a text. Arguments: ``halo``, the colour around letters that may cross a line."""
    if not text:
        return
    style: dict[str, Any] = {"ha": across, "va": up, "color": colour, "fontsize": size, "parse_math": False}
    written = ax.text(*at, text, fontfamily=families(text), linespacing=1.25, zorder=3, **style)
    if halo:
        from matplotlib.patheffects import withStroke

        written.set_path_effects([withStroke(linewidth=4 * PIXEL, foreground=halo)])
