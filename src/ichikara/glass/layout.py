"""Where the boxes of a graph stand and which way its edges go: layers, as Sugiyama, Tagawa and Toda draw them (1981).

1. Each vertex gets a layer, such that every edge leads to a higher one.
2. An edge over several layers gets a *dummy vertex* in each layer between, so that room is kept for it there.
   Edges that leave a vertex at the same place share their dummies, and part where they have to.
3. The order within the layers is changed until few edges cross.
4. The vertices get coordinates that keep the order and the gaps, and make edges straight where that is possible.
"""

import itertools
from bisect import bisect_right, insort
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import UserError

__all__ = ["Layout", "Link", "layout"]

PARALLEL = 0.7  # between edges that connect the same two vertices
EFFORT = 400_000  # pieces of edges that are looked at while the order is improved
SWEEPS = 24  # at most, for the order, and for the coordinates


class Link(NamedTuple):
    """An edge to be laid out. Arguments: ``leaves``, ``enters``, how far from the middles of the boxes it has its ends,
    across the direction of the graph."""

    source: Hashable
    target: Hashable
    leaves: float = 0.0
    enters: float = 0.0


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
        part = _Layers({name: boxes[name] for name in names}, [links[i] for i in own], layer_gap, gap)
        part.arrange(first, last)
        part.draw(whole, own, whole.height + (2 * gap if whole.height else 0.0))
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


class _Piece(NamedTuple):
    """A part of an edge between neighbouring layers. Arguments: the two vertices, and the offsets of its ends."""

    source: int
    target: int
    leaves: float
    enters: float


class _Layers:
    """The layers of a connected graph. Vertices are numbers; dummies have those after the vertices'."""

    def __init__(self, boxes: Mapping[Any, tuple[float, float]], links: Sequence[Link], layer_gap: float, gap: float):
        self.names, self.links, self.layer_gap, self.gap = list(boxes), links, layer_gap, gap
        self.sizes = list(boxes.values())
        number = {name: i for i, name in enumerate(self.names)}
        self.ends = [(number[link.source], number[link.target]) for link in links]

    def arrange(self, first: Collection, last: Collection) -> None:
        """Give the vertices layers, and dummies to edges over several of them."""
        self.layer = self._assign_layers(first)
        highest = max(self.layer)
        self.layer = [highest if name in last else at for name, at in zip(self.names, self.layer, strict=True)]
        self.layers: list[list[int]] = [[] for _ in range(highest + 1)]
        for v, at in enumerate(self.layer):
            self.layers[at].append(v)
        self._insert_dummies()

    def _assign_layers(self, fixed: Collection) -> list[int]:
        """The longest path that leads to each vertex; then vertices move towards where most of their edges lead."""
        n = len(self.names)
        after: list[list[int]] = [[] for _ in range(n)]
        before: list[list[int]] = [[] for _ in range(n)]
        for source, target in self.ends:
            after[source].append(target)
            before[target].append(source)
        layer, missing = [0] * n, [len(sources) for sources in before]
        order = [v for v in range(n) if not missing[v]]
        for v in order:  # it grows while it is read
            for target in after[v]:
                layer[target] = max(layer[target], layer[v] + 1)
                missing[target] -= 1
                if not missing[target]:
                    order.append(target)
        if len(order) < n:
            inside = [self.names[v] for v in range(n) if missing[v]]
            raise UserError(f"a graph with a cycle cannot be laid out in layers; see {inside[0]!r}")
        for v in reversed(order):
            if len(after[v]) > len(before[v]) and self.names[v] not in fixed:
                layer[v] = min(layer[target] for target in after[v]) - 1
        return layer

    def _insert_dummies(self) -> None:
        self.paths: list[list[int]] = []  # of each edge: source, dummies, target
        pieces: dict[_Piece, None] = {}
        dummies: dict[tuple[int, float, int], int] = {}
        for link, (source, target) in zip(self.links, self.ends, strict=True):
            path = [source]
            for at in range(self.layer[source] + 1, self.layer[target]):
                key = source, link.leaves, at
                if key not in dummies:
                    dummies[key] = len(self.layer)
                    self.layers[at].append(len(self.layer))
                    self.layer.append(at)
                path.append(dummies[key])
            path.append(target)
            for i, (u, v) in enumerate(itertools.pairwise(path)):
                last = i == len(path) - 2
                pieces[_Piece(u, v, 0.0 if i else link.leaves, link.enters if last else 0.0)] = None
            self.paths.append(path)
        self.heights = [size[1] for size in self.sizes] + [0.0] * len(dummies)
        self.pieces: list[list[_Piece]] = [[] for _ in self.layers]  # those that leave each layer
        self.to: list[list[tuple[int, float, float]]] = [[] for _ in self.layer]  # neighbour, own offset, its offset
        self.come: list[list[tuple[int, float, float]]] = [[] for _ in self.layer]
        for piece in pieces:
            self.pieces[self.layer[piece.source]].append(piece)
            self.to[piece.source].append((piece.target, piece.leaves, piece.enters))
            self.come[piece.target].append((piece.source, piece.enters, piece.leaves))

    # The order

    def crossings(self, layers: Sequence[Sequence[int]]) -> int:
        """How many pairs of edges cross, if vertices stand in this order."""
        at = {v: float(i) for layer in layers for i, v in enumerate(layer)}
        return sum(self._crossings_of(pieces, at) for pieces in self.pieces)

    @staticmethod
    def _crossings_of(pieces: Sequence[_Piece], at: Mapping[int, float]) -> int:
        # Offsets decide only between edges at the same vertex, so that they count for much less than a place.
        ends = sorted((at[p.source] + p.leaves * 1e-4, at[p.target] + p.enters * 1e-4) for p in pieces)
        seen: list[float] = []
        count = 0
        for _, target in ends:
            count += len(seen) - bisect_right(seen, target)
            insort(seen, target)
        return count

    def order(self) -> tuple[int, int]:
        """Sweep through the layers, each sorted by its neighbours' places, and keep the best order that is met."""
        best = [list(layer) for layer in self.layers]
        first = fewest = self.crossings(best)
        total = max(sum(map(len, self.pieces)), 1)
        for sweep in range(max(2, min(SWEEPS, EFFORT // total))):
            if not fewest:
                break
            forward = sweep % 2 == 0
            neighbours = self.come if forward else self.to
            at = {v: float(i) for layer in self.layers for i, v in enumerate(layer)}
            for layer in self.layers if forward else reversed(self.layers):
                # Equal wishes change places in every other pair of sweeps, which leads out of some dead ends.
                turn = -1 if sweep % 4 > 1 else 1
                keys = {v: (_mean([at[u] for u, _, _ in neighbours[v]], at[v]), turn * at[v]) for v in layer}
                layer.sort(key=keys.__getitem__)
                at.update((v, float(i)) for i, v in enumerate(layer))
            found = self.crossings(self.layers)
            if found < fewest:
                best, fewest = [list(layer) for layer in self.layers], found
        self.layers = best
        if total < 3000:
            fewest = self._exchange(fewest)
        return first, fewest

    def _exchange(self, fewest: int) -> int:
        """Exchange neighbours in the layers as long as that removes crossings."""
        for _ in range(4):
            before = fewest
            for layer in self.layers:
                for i in range(len(layer) - 1):
                    gain = self._gain(layer[i], layer[i + 1])
                    if gain > 0:
                        layer[i], layer[i + 1] = layer[i + 1], layer[i]
                        fewest -= gain
            if fewest == before:
                break
        return fewest

    def _gain(self, v: int, w: int) -> int:
        """How many crossings fewer there are if two neighbours change places."""
        gain = 0
        for sides in (self.come, self.to):
            if sides[v] and sides[w]:
                place = {u: i for i, u in enumerate(self.layers[self.layer[sides[v][0][0]]])}
                ends = [[place[u] + its * 1e-4 for u, _, its in sides[x]] for x in (v, w)]
                gain += sum((a > b) - (a < b) for a in ends[0] for b in ends[1])
        return gain

    # The coordinates

    def coordinates(self) -> list[float]:
        """Where the middles of the vertices are across the direction: near their neighbours, and in order."""
        at = [0.0] * len(self.layer)
        for layer in self.layers:
            steps = self._separations(layer)
            reached = 0.0
            for v, step in zip(layer, steps, strict=True):
                reached += step
                at[v] = reached
        total = max(sum(map(len, self.pieces)), 1)
        for sweep in range(max(3, min(SWEEPS, EFFORT // (8 * total)))):
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                sides = (self.come, self.to) if sweep > 2 else (self.come,) if sweep % 2 == 0 else (self.to,)
                wishes, weights = [], []
                for v in layer:
                    near = [(at[u] + its - own, self._weight(v, u)) for side in sides for u, own, its in side[v]]
                    weight = sum(w for _, w in near)
                    wishes.append(sum(x * w for x, w in near) / weight if weight else at[v])
                    weights.append(weight or 0.1)
                for v, x in zip(layer, _nearest_in_order(wishes, weights, self._separations(layer)), strict=True):
                    at[v] = x
        for side, layers in ((self.come, self.layers), (self.to, self.layers[::-1])):
            for layer in layers:
                self._straighten(layer, side, at)
        return at

    def _weight(self, v: int, u: int) -> float:
        """How much it matters that a piece of an edge is straight: most inside a long edge, least at its ends."""
        dummies = (v >= len(self.names)) + (u >= len(self.names))
        return (4.0, 1.0, 8.0)[dummies]

    def _separations(self, layer: Sequence[int]) -> list[float]:
        """The least distance of each vertex of a layer from the one before; 0 for the first."""
        heights = self.heights
        return [0.0] + [(heights[u] + heights[v]) / 2 + self.gap for u, v in itertools.pairwise(layer)]

    def _straighten(self, layer: Sequence[int], side: list, at: list[float]) -> None:
        """Move vertices to where an edge becomes straight, if they are nearly there and have the room."""
        steps = self._separations(layer)
        for i, v in enumerate(layer):
            low = at[layer[i - 1]] + steps[i] if i else float("-inf")
            high = at[layer[i + 1]] - steps[i + 1] if i + 1 < len(layer) else float("inf")
            wishes = [
                (-self._weight(v, u), abs(at[u] + its - own - at[v]), at[u] + its - own) for u, own, its in side[v]
            ]
            for _, distance, wish in sorted(wishes):
                if distance < 1.2 and low <= wish <= high:
                    at[v] = wish
                    break

    def draw(self, whole: Layout, own: Sequence[int], start: float) -> None:
        """Put the graph into a layout, beginning at ``start`` across the direction."""
        before, after = self.order()
        whole.crossings_before += before
        whole.crossings += after
        across = self.coordinates()
        lowest = min(x - height / 2 for x, height in zip(across, self.heights, strict=True))
        across = [x - lowest + start for x in across]
        widths = [max((self.sizes[v][0] for v in layer if v < len(self.names)), default=0.0) for layer in self.layers]
        borders, reached = [], 0.0
        for at, width in enumerate(widths):
            borders.append((reached, reached + width))
            steepest = max((abs(across[p.target] - across[p.source]) for p in self.pieces[at]), default=0.0)
            thin = not all(widths[at : at + 2])  # one of the layers has nothing but points where edges go through
            room = self.layer_gap * (0.5 if thin else 1.0)
            reached += width + room + min(0.12 * steepest, 2 * room)
        middles = []
        for v, name in enumerate(self.names):  # what nothing leads to stands near to where it leads
            left, right = borders[self.layer[v]]
            middles.append((left + right) / 2 if self.come[v] or not self.to[v] else right - self.sizes[v][0] / 2)
            whole.centres[name] = middles[v], across[v]
        for i, link, path in zip(own, self.links, self.paths, strict=True):
            way = []
            for k, v in enumerate(path):
                left, right = borders[self.layer[v]]
                first, last = k == 0, k == len(path) - 1
                y = across[v] + (link.leaves if first else link.enters if last else 0.0)
                if first:
                    left = middles[v] + self.sizes[v][0] / 2
                if last:
                    right = middles[v] - self.sizes[v][0] / 2
                way += [(left, y), (right, y)]
            whole.ways[i] = _without_middles(way)
        whole.width = max(whole.width, borders[-1][1])
        whole.height = max(x + height / 2 for x, height in zip(across, self.heights, strict=True))


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _nearest_in_order(wishes: Sequence[float], weights: Sequence[float], steps: Sequence[float]) -> list[float]:
    """Numbers that keep their least distances, as near to the wishes as can be: isotonic regression.

    Neighbours whose wishes are too near to each other form a block, which stands at the mean of its members' wishes.

    >>> _nearest_in_order([0.0, 0.0, 9.0], [1.0, 1.0, 1.0], [0.0, 2.0, 2.0])
    [-1.0, 1.0, 9.0]
    """
    blocks: list[list[float]] = []  # sum of weighted wishes, of weights, count
    shift, shifts = 0.0, []
    for wish, weight, step in zip(wishes, weights, steps, strict=True):
        shift += step
        shifts.append(shift)
        blocks.append([(wish - shift) * weight, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            last = blocks.pop()
            blocks[-1] = [one + other for one, other in zip(blocks[-1], last, strict=True)]
    places = [total / weight for total, weight, count in blocks for _ in range(int(count))]
    return [place + shift for place, shift in zip(places, shifts, strict=True)]


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
