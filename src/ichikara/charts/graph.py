"""The mark of a graph: boxes and what connects them."""

from collections.abc import Sequence
from dataclasses import dataclass

from .marks import Mark

__all__ = ["KINDS", "Edge", "Graph", "Group", "Vertex"]

KINDS = ("input", "parameter", "constant", "target", "operation", "module", "output")
"""What a vertex of a graph is."""


@dataclass(frozen=True)
class Vertex:
    """A box of a graph. Lengths are in units of the text's height.

    Arguments: ``name``, which edges use; ``text``, what stands in it; ``x``, ``y``, ``width``, ``height``, its centre
    and size; ``kind``, one of `KINDS`; ``value``, what went forward, above the box; ``gradient``, what came back, below
    it; ``line``, of the code that computed it, such as "train.py:12".
    """

    name: str
    text: str
    x: float
    y: float
    width: float
    height: float
    kind: str = "operation"
    value: str = ""
    gradient: str = ""
    line: str = ""


@dataclass(frozen=True)
class Edge:
    """A connection from one vertex to another. Arguments: ``points``, the corners of its way; ``label``, beside it."""

    source: str
    target: str
    points: Sequence[tuple[float, float]]
    label: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Group:
    """A frame around vertices that belong together, such as a module. Arguments: as of a vertex."""

    text: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Graph(Mark):
    """Boxes and what connects them, already laid out; ``y`` grows downwards."""

    vertices: Sequence[Vertex]
    edges: Sequence[Edge]
    groups: Sequence[Group] = ()

    def ends(self):
        boxes: list[Vertex | Group] = [*self.vertices, *self.groups]
        points = [point for edge in self.edges for point in edge.points]
        x = [box.x + side * box.width / 2 for box in boxes for side in (-1, 1)] + [x for x, _ in points]
        y = [box.y + side * box.height / 2 for box in boxes for side in (-1, 1)] + [y for _, y in points]
        return ([min(x), max(x)], [min(y), max(y)]) if x else ((), ())
