"""Where vertices stand across a layered graph: in their order, near their neighbours, on straight lines."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from .layers import EFFORT, SWEEPS, Layers

__all__ = ["coordinates"]

NEAR = 1.2  # a vertex that is not farther from a straight line is moved on to it


def coordinates(layers: Layers, gap: float) -> list[float]:
    """The coordinates of the middles of all vertices, dummies included. Arguments: ``gap``, between neighbours."""
    return _Coordinates(layers, gap).find()


class _Coordinates:
    def __init__(self, layers: Layers, gap: float):
        self.layers, self.heights, self.gap = layers.layers, layers.heights, gap
        self.come, self.to, self.paths, self.real = layers.come, layers.to, layers.paths, len(layers.names)
        self.pieces = sum(map(len, layers.pieces))
        self.at = [0.0] * len(layers.layer)

    def find(self) -> list[float]:
        for layer in self.layers:
            steps = self._separations(layer)
            reached = 0.0
            for v, step in zip(layer, steps, strict=True):
                reached += step
                self.at[v] = reached
        for sweep in range(max(3, min(SWEEPS, EFFORT // (8 * max(self.pieces, 1))))):
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                sides = (self.come, self.to) if sweep > 2 else (self.come,) if sweep % 2 == 0 else (self.to,)
                wishes, weights = [], []
                for v in layer:
                    near = [(self.at[u] + its - own, self._weight(v, u)) for side in sides for u, own, its in side[v]]
                    weight = sum(w for _, w in near)
                    wishes.append(sum(x * w for x, w in near) / weight if weight else self.at[v])
                    weights.append(weight or 0.1)
                for v, x in zip(layer, _nearest_in_order(wishes, weights, self._separations(layer)), strict=True):
                    self.at[v] = x
        place = {v: (layer, i) for layer in self.layers for i, v in enumerate(layer)}
        for path in self.paths:
            self._straighten_path(path[1:-1], place)
        for side, other, layers in ((self.come, self.to, self.layers), (self.to, self.come, self.layers[::-1])):
            for layer in layers:
                self._straighten(layer, side, other)
        return self.at

    def _straighten_path(self, dummies: Sequence[int], place: Mapping[int, tuple[list[int], int]]) -> None:
        """Give the dummies of an edge the same coordinate, as many in a row as have the space for it."""
        while dummies:
            low, high, run = float("-inf"), float("inf"), 0
            for v in dummies:
                below, above = self._space(*place[v])
                if run and max(low, below) > min(high, above):
                    break
                low, high, run = max(low, below), min(high, above), run + 1
            wish = min(max(sum(self.at[v] for v in dummies[:run]) / run, low), high)
            for v in dummies[:run]:
                self.at[v] = wish
            dummies = dummies[run:]

    def _space(self, layer: Sequence[int], i: int) -> tuple[float, float]:
        """Between which coordinates a vertex can move, if its neighbours stay."""
        low, high = float("-inf"), float("inf")
        if i:
            low = self.at[layer[i - 1]] + self._separations(layer[i - 1 : i + 1])[1]
        if i + 1 < len(layer):
            high = self.at[layer[i + 1]] - self._separations(layer[i : i + 2])[1]
        return low, high

    def _weight(self, v: int, u: int) -> float:
        """How much it matters that a piece of an edge is straight: most inside a long edge, least at its ends."""
        dummies = (v >= self.real) + (u >= self.real)
        return (4.0, 1.0, 8.0)[dummies]

    def _separations(self, layer: Sequence[int]) -> list[float]:
        """The least distance of each vertex of a layer from the one before; 0 for the first."""
        heights = self.heights
        return [0.0] + [(heights[u] + heights[v]) / 2 + self.gap for u, v in pairwise(layer)]

    def _straighten(self, layer: Sequence[int], side: list, other: list) -> None:
        """Move vertices to where an edge becomes straight, if they have the space, are near it or in a chain."""
        n = self.real
        for i, v in enumerate(layer):
            low, high = self._space(layer, i)
            wishes = sorted(
                (-self._weight(v, u), abs(self.at[u] + its - own - self.at[v]), u, its - own) for u, own, its in side[v]
            )
            alone = v < n and sum(u < n for u, _, _ in side[v]) == 1
            for _, distance, u, away in wishes:
                chain = alone and u < n and sum(w < n for w, _, _ in other[u]) == 1
                if (distance < NEAR or chain) and low <= self.at[u] + away <= high:
                    self.at[v] = self.at[u] + away
                    break


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
