"""Where the boxes of a graph stand and which way its edges go: layers, as Sugiyama, Tagawa and Toda draw them (1981).

1. Each vertex gets a layer, such that every edge leads to a higher one.
2. An edge over several layers gets a *dummy vertex* in each layer between, so that space is kept for it there.
   Edges that leave a vertex at the same place share their dummies, and part where they have to.
3. The order within the layers is changed until few edges cross.
4. The vertices get coordinates that keep the order and the gaps, and make edges straight where that is possible.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError
from .coordinates import coordinates
from .layers import Layers, Link

__all__ = ["Layout", "Link", "layout"]

PARALLEL = 0.7  # between edges that connect the same two vertices


@dataclass
class Layout:
    """Arguments: ``centres``, of the boxes; ``ways``, the corners of each edge, its ends included; ``width`` and
    ``height`` of the whole, which begins at (0, 0); ``crossings``, how often edges cross, and ``crossings_before``,
    how often they would if vertices stood in the order in which they were given."""

    centres: dict[Any, tuple[float, float]] = field(default_factory=dict)
    ways: list[list[tuple[float, float]]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0
    crossings: int = 0
    crossings_before: int = 0


def layout(
    sizes: Mapping[Any, tuple[float, float]],
    edges: Sequence[Iterable],
    direction: str = "right",
    layer_gap: float = 3.0,
    gap: float = 1.0,
    first: Collection = (),
    last: Collection = (),
) -> Layout:
    """Lay out a graph without cycles in layers.

    Arguments: ``sizes``, width and height of each vertex, by name; ``edges``, pairs of names, or `Link`;
    ``direction``, in which edges lead, "right" or "down"; ``layer_gap``, between layers; ``gap``, between neighbours in
    a layer; ``first``, ``last``, the names of vertices that stand in the first layer, as far as no edge leads to them,
    and in the last one. Raises UserError for a cycle and for an edge of an unknown vertex.

    >>> found = layout({"x": (2, 2), "f": (4, 2), "y": (2, 2)}, [("x", "f"), ("f", "y")])
    >>> found.centres
    {'x': (1.0, 1.0), 'f': (7.0, 1.0), 'y': (13.0, 1.0)}
    >>> found.ways[0]
    [(2.0, 1.0), (5.0, 1.0)]
    """
    if direction not in ("right", "down"):
        raise UserError(f"a graph is laid out 'right' or 'down', not {direction!r}")
    links = _parted([Link(*edge) for edge in edges])
    for link in links:
        for name in link[:2]:
            if name not in sizes:
                raise UserError(f"an edge from {link.source!r} to {link.target!r}, but there is no vertex {name!r}")
    turned = direction == "down"
    boxes = {name: (height, width) if turned else (width, height) for name, (width, height) in sizes.items()}
    whole = Layout(ways=[[] for _ in links])
    for names, own in _components(boxes, links):
        part = Layers({name: boxes[name] for name in names}, [links[i] for i in own])
        part.arrange(first, last)
        _put(part, whole, own, layer_gap, gap)
    whole.centres = {name: whole.centres[name] for name in sizes}
    if turned:
        whole.width, whole.height = whole.height, whole.width
        whole.centres = {name: (x, y) for name, (y, x) in whole.centres.items()}
        whole.ways = [[(x, y) for y, x in way] for way in whole.ways]
    return whole


def _parted(links: list[Link]) -> list[Link]:
    """The edges, those between the same two places moved a little apart."""
    same: dict[Link, list[int]] = {}
    for i, link in enumerate(links):
        same.setdefault(link, []).append(i)
    for link, own in same.items():
        for k, i in enumerate(own):
            away = PARALLEL * (k - (len(own) - 1) / 2)
            links[i] = link._replace(leaves=link.leaves + away, enters=link.enters + away)
    return links


def _components(names: Iterable, links: Sequence[Link]) -> list[tuple[list, list[int]]]:
    """The parts of a graph that no edge connects: the names and the edges of each."""
    root = {name: name for name in names}

    def find(name):
        while root[name] != name:
            root[name] = name = root[root[name]]
        return name

    for link in links:
        root[find(link.target)] = find(link.source)
    parts: dict[Any, tuple[list, list[int]]] = {}
    for name in root:
        parts.setdefault(find(name), ([], []))[0].append(name)
    for i, link in enumerate(links):
        parts[find(link.source)][1].append(i)
    return list(parts.values())


def _put(part: Layers, whole: Layout, own: Sequence[int], layer_gap: float, gap: float) -> None:
    """Put a connected graph into a layout, beside what is there. Arguments: ``own``, the numbers of its edges."""
    start = whole.height + (2 * gap if whole.height else 0.0)
    before, after = part.order()
    whole.crossings_before += before
    whole.crossings += after
    across = coordinates(part, gap)
    lowest = min(x - height / 2 for x, height in zip(across, part.heights, strict=True))
    across = [x - lowest + start for x in across]
    widths = [max((part.sizes[v][0] for v in layer if v < len(part.names)), default=0.0) for layer in part.layers]
    borders, reached = [], 0.0
    for at, width in enumerate(widths):
        borders.append((reached, reached + width))
        steepest = max((abs(across[p.target] - across[p.source]) for p in part.pieces[at]), default=0.0)
        thin = not all(widths[at : at + 2])  # one of the layers has nothing but points where edges go through
        space = layer_gap * (0.5 if thin else 1.0)
        reached += width + space + min(0.12 * steepest, 2 * space)
    middles = []
    for v, name in enumerate(part.names):  # what nothing leads to stands near to where it leads
        left, right = borders[part.layer[v]]
        middles.append((left + right) / 2 if part.come[v] or not part.to[v] else right - part.sizes[v][0] / 2)
        whole.centres[name] = middles[v], across[v]
    for i, link, path in zip(own, part.links, part.paths, strict=True):
        way = []
        for k, v in enumerate(path):
            left, right = borders[part.layer[v]]
            first, last = k == 0, k == len(path) - 1
            y = across[v] + (link.leaves if first else link.enters if last else 0.0)
            if first:
                left = middles[v] + part.sizes[v][0] / 2
            if last:
                right = middles[v] - part.sizes[v][0] / 2
            way += [(left, y), (right, y)]
        whole.ways[i] = _without_middles(way)
    whole.width = max(whole.width, borders[-1][1])
    whole.height = max(x + height / 2 for x, height in zip(across, part.heights, strict=True))


def _without_middles(way: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A way without the corners at which it does not turn."""
    kept: list[tuple[float, float]] = []
    for point in way:
        if kept and abs(point[0] - kept[-1][0]) < 1e-9 and abs(point[1] - kept[-1][1]) < 1e-9:
            continue
        if len(kept) > 1 and abs(kept[-2][1] - kept[-1][1]) < 1e-9 and abs(kept[-1][1] - point[1]) < 1e-9:
            kept.pop()
        kept.append(point)
    return kept
