"""The paths from a value back to one that it was made from, and what all of them share.

A computation may have more paths than can be counted. But every value has a *dominator*: the last one through which all
paths to it come. What leads from there to the value is a step, the derivative of a whole is the product of the steps on
its way, and a step with several paths is their sum. So each value is looked at once.

Source: K. Cooper, T. Harvey and K. Kennedy, "A Simple, Fast Dominance Algorithm" (2001).
"""

from typing import Any, NamedTuple

from .computation import Computation, Vertex

__all__ = ["Edge", "Paths"]


class Edge(NamedTuple):
    """An operation as a part of a path: from what it computed to one of its inputs, by the input's name."""

    output: Vertex
    name: Any
    input: Vertex


class Paths:
    """All paths from the root of a computation to one of its vertices that a gradient takes.

    >>> import ichikara
    >>> from ichikara.glass.computation import computation
    >>> x = ichikara.asarray(2.0, requires_grad=True)
    >>> whole = computation((x + x * x).tanh())
    >>> paths = Paths(whole, whole.of(x))
    >>> paths.count, [v.operation.name for v in paths.way(whole.root, whole.of(x))[:-1]]
    (3, ['add'])
    """

    def __init__(self, whole: Computation, target: Vertex):
        self.root, self.target = whole.root, target
        leading = {target}
        for vertex in whole.vertices:  # each after its inputs
            if any(vertex.inputs[name] in leading for name in vertex.differentiable):
                leading.add(vertex)
        self.edges: dict[Vertex, list[Edge]] = {}  # by the input
        reached = {whole.root}
        self.vertices: list[Vertex] = []  # on a path, the root first, each before its inputs
        for vertex in reversed(whole.vertices):
            if vertex not in reached or vertex not in leading:
                continue
            self.vertices.append(vertex)
            if vertex is target:
                continue
            for name, source in vertex.inputs.items():
                if name in vertex.differentiable and source in leading:
                    reached.add(source)
                    self.edges.setdefault(source, []).append(Edge(vertex, name, source))
        for edges in self.edges.values():
            edges.sort(key=lambda edge: edge.output.number)
        self.dominator: dict[Vertex, Vertex] = {}
        self._depth = {whole.root: 0}
        for vertex in self.vertices:
            if vertex is whole.root:
                continue
            found = self.edges[vertex][0].output
            for edge in self.edges[vertex][1:]:
                found = self._shared(found, edge.output)
            self.dominator[vertex] = found
            self._depth[vertex] = self._depth[found] + 1

    @property
    def exist(self) -> bool:
        """Whether there is one."""
        return self.target in self._depth

    @property
    def count(self) -> int:
        """How many paths there are."""
        counts = {self.root: 1}
        for vertex in self.vertices[1:]:
            counts[vertex] = sum(counts[edge.output] for edge in self.edges[vertex])
        return counts.get(self.target, 0)

    def way(self, start: Vertex, end: Vertex) -> list[Vertex]:
        """The vertices that every path from the start to the end passes, without the start."""
        found = []
        while end is not start:
            found.append(end)
            end = self.dominator[end]
        return found[::-1]

    def _shared(self, a, b):
        while a is not b:
            if self._depth[a] < self._depth[b]:
                a, b = b, a
            a = self.dominator[a]
        return a
