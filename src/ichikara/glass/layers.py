"""The layers of a graph, and the order in them: longest paths, dummy vertices, and few crossings."""

from bisect import bisect_right, insort
from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ..errors import UserError

__all__ = ["EFFORT", "SWEEPS", "Layers", "Link"]

EFFORT = 400_000  # pieces of edges that are looked at while the order is improved
SWEEPS = 24  # at most, for the order, and for the coordinates


class Link(NamedTuple):
    """An edge to be laid out. Arguments: ``leaves``, ``enters``, how far from the middles of the boxes it has its ends,
    across the direction of the graph."""

    source: Hashable
    target: Hashable
    leaves: float = 0.0
    enters: float = 0.0


class Piece(NamedTuple):
    """A part of an edge between neighbouring layers. Arguments: the two vertices, and the offsets of its ends."""

    source: int
    target: int
    leaves: float
    enters: float


class Layers:
    """The layers of a connected graph. Vertices are numbers; dummies have those after the vertices'."""

    def __init__(self, boxes: Mapping[Any, tuple[float, float]], links: Sequence[Link]):
        self.names, self.links = list(boxes), links
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
        pieces: dict[Piece, None] = {}
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
            for i, (u, v) in enumerate(pairwise(path)):
                last = i == len(path) - 2
                pieces[Piece(u, v, 0.0 if i else link.leaves, link.enters if last else 0.0)] = None
            self.paths.append(path)
        self.heights = [size[1] for size in self.sizes] + [0.0] * len(dummies)
        self.pieces: list[list[Piece]] = [[] for _ in self.layers]  # those that leave each layer
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
    def _crossings_of(pieces: Sequence[Piece], at: Mapping[int, float]) -> int:
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


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
