"""The mark of a graph: boxes and what connects them."""

from collections.abc import Sequence
from dataclasses import dataclass

from .marks import Mark
from .numbers import text_width

__all__ = ["KINDS", "Edge", "Graph", "Group", "Vertex"]

KINDS = ("input", "parameter", "constant", "target", "operation", "module", "output", "neuron")
"""What a vertex of a graph is."""

SMALL = 0.93  # the height of values and gradients, that of a box's text being 1


@dataclass(frozen=True)
class Vertex:
    """A box of a graph. Lengths are in units of the text's height.

    Arguments: ``name``, which edges use; ``text``, what stands in it; ``x``, ``y``, ``width``, ``height``, its centre
    and size; ``kind``, one of `KINDS`; ``value``, what went forward, above the box; ``gradient``, what came back, below
    it; ``line``, of the code that computed it, such as "train.py:12"; ``strong``, whether it stands out; ``ink``, in
    which it does, as of a mark.
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
    strong: bool = False
    ink: str = "b"

    def outer_size(self, direction: str = "right") -> tuple[float, float]:
        """The width and height of the box with its value and gradient, with the box in the middle.

        In a graph that leads right, these stand above and below the box, in one that leads down, beside it.
        """
        width = max(SMALL * text_width(text) for text in (self.value, self.gradient))
        if not width:
            return self.width, self.height
        if direction == "down":
            return self.width + 2 * width + 0.8, max(self.height, 2.6)
        return max(self.width, width), self.height + 2.5


@dataclass(frozen=True)
class Edge:
    """A connection from one vertex to another.

    Arguments: ``points``, the corners of its way; ``label``, beside it; ``ink``, as of a mark; ``strong``, whether it
    stands out.
    """

    source: str
    target: str
    points: Sequence[tuple[float, float]]
    label: str = ""
    dashed: bool = False
    ink: str = "quiet"
    strong: bool = False


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
    """Boxes and what connects them, already laid out; ``y`` grows downwards.

    Arguments: ``direction``, in which edges lead: "right", or "down", where values and gradients stand beside boxes.
    """

    vertices: Sequence[Vertex]
    edges: Sequence[Edge]
    groups: Sequence[Group] = ()
    direction: str = "right"

    def ends(self):
        boxes = [(v.x, v.y, *v.outer_size(self.direction)) for v in self.vertices]
        boxes += [(group.x, group.y, group.width, group.height) for group in self.groups]
        points = [point for edge in self.edges for point in edge.points]
        x = [at + side * width / 2 for at, _, width, _ in boxes for side in (-1, 1)] + [at for at, _ in points]
        y = [at + side * height / 2 for _, at, _, height in boxes for side in (-1, 1)] + [at for _, at in points]
        return ([min(x), max(x)], [min(y), max(y)]) if x else ((), ())
