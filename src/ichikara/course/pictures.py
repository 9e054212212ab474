"""Marks and charts that several lessons draw: points of two classes, half planes, networks."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from ..charts import Area, Axis, Chart, Dots, Edge, Graph, Line, Mark, Vertex

__all__ = ["classes", "cut", "grid", "half_plane", "line", "network", "plane_axis"]

Point = tuple[float, float]
Weights = tuple[float, float, float]
Window = tuple[float, float]

WINDOW: Window = (-2.0, 2.0)
"""From where to where a plane is drawn, on both axes."""


def plane_axis(label: str, window: Window = WINDOW) -> Axis:
    """An axis of a window."""
    return Axis(label, limits=window)


def classes(points: Iterable[tuple[float, float, int]], size: float = 1.0) -> list[Mark]:
    """Points (x, y, class) as rings, for class 0, and discs, for class 1."""
    points = list(points)
    groups = [[point for point in points if point[2] == kind] for kind in (0, 1)]
    places = [([x for x, _, _ in group], [y for _, y, _ in group]) for group in groups]
    return [Dots(*places[0], ink="a", hollow=True, size=size), Dots(*places[1], ink="b", size=size)]


def cut(weights: Weights, window: Window = WINDOW) -> list[Point]:
    """Where the line ``w0 + w1 x + w2 y = 0`` meets the border of the window; two points, or none.

    >>> cut((0.0, 1.0, 0.0))
    [(0.0, -2.0), (0.0, 2.0)]
    """
    w0, w1, w2 = weights
    low, high = window
    corners = [(low, low), (high, low), (high, high), (low, high)]
    found = []
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        before, after = w0 + w1 * x0 + w2 * y0, w0 + w1 * x1 + w2 * y1
        if (before > 0) != (after > 0):
            share = before / (before - after)
            found.append((x0 + share * (x1 - x0), y0 + share * (y1 - y0)))
    return found if len(found) == 2 else []


def line(weights: Weights, window: Window = WINDOW, **look: Any) -> list[Mark]:
    """The line ``w0 + w1 x + w2 y = 0`` in the window, if it is in it. Arguments: ``look``, of a mark."""
    ends = cut(weights, window)
    return [Line([x for x, _ in ends], [y for _, y in ends], **look)] if ends else []


def half_plane(weights: Weights, window: Window = WINDOW, ink: str = "b") -> list[Mark]:
    """The part of the window where ``w0 + w1 x + w2 y`` is above zero, as a tint."""
    w0, w1, w2 = weights
    low, high = window
    xs = sorted({low, high, *(x for x, _ in cut(weights, window))})
    spans: list[Mark] = []
    for left, right in itertools.pairwise(xs):
        if w2 == 0:  # between two crossings the sign is the same from the bottom to the top
            if w0 + w1 * (left + right) / 2 > 0:
                spans.append(Area([left, right], [low, low], [high, high], ink=ink))
            continue
        edge = [min(high, max(low, -(w0 + w1 * x) / w2)) for x in (left, right)]
        bottom, top = (edge, [high, high]) if w2 > 0 else ([low, low], edge)
        spans.append(Area([left, right], bottom, top, ink=ink))
    return spans


def grid(count: int, window: Window = WINDOW) -> list[float]:
    """The middles of ``count`` cells of a window."""
    low, high = window
    return [low + (high - low) * (i + 0.5) / count for i in range(count)]


def network(
    columns: Sequence[Sequence[tuple[str, str]]], weights: Sequence[Sequence[Sequence[float]]], **look
) -> Chart:
    """A fully connected network: columns of (text, value) neurons, and the weights between them.

    Arguments: ``weights``, for each pair of columns a list, by target, of lists by source. Positive weights are solid
    lines in ink b, negative ones dashed in ink a. ``alt``, ``numbers`` of the chart; ``names``, whether weights are
    written on their lines; ``strong``, the (column, target) whose weights stand out.
    """
    names, strong = look.pop("names", True), look.pop("strong", None)
    vertices, edges = [], []
    places: dict[tuple[int, int], Point] = {}
    tallest = max(map(len, columns))
    gap_x, gap_y = look.pop("gap", (8.0, 3.6))
    for c, column in enumerate(columns):
        for i, (text, value) in enumerate(column):
            x, y = c * gap_x, (i + (tallest - len(column)) / 2) * gap_y
            places[c, i] = x, y
            size = (2.6, 2.6)
            vertices.append(Vertex(f"{c}-{i}", text, x, y, *size, kind="neuron", value=value, strong=strong == (c, i)))
    for c, layer in enumerate(weights):
        for target, row in enumerate(layer):
            for source, weight in enumerate(row):
                (x0, y0), (x1, y1) = places[c, source], places[c + 1, target]
                length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
                dx, dy = 1.3 * (x1 - x0) / length, 1.3 * (y1 - y0) / length
                edges.append(
                    Edge(
                        f"{c}-{source}",
                        f"{c + 1}-{target}",
                        [(x0 + dx, y0 + dy), (x1 - dx, y1 - dy)],
                        f"{weight:.2f}".replace("-", "−") if names else "",
                        dashed=weight < 0,
                        ink="b" if weight > 0 else "a" if weight < 0 else "quiet",
                        strong=strong == (c + 1, target),
                    )
                )
    return Chart([Graph(vertices, edges)], **look)
