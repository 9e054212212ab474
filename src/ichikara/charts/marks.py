"""The kinds of mark that a chart is made of. Numbers are those of the axes, not of a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "INKS",
    "Area",
    "Arrows",
    "Bars",
    "Dots",
    "Edge",
    "Graph",
    "Group",
    "Images",
    "Label",
    "Line",
    "Mark",
    "Raster",
    "Vertex",
]

INKS = {
    "ink": "what is said: the main line",
    "quiet": "what stands behind: level lines, other runs",
    "a": "the first ink: class 0, negative, values going forward, training",
    "b": "the second ink: class 1, positive, gradients coming back, validation",
}
"""The inks of marks, and what each is used for. A drawing chooses the colours, in light and dark."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What all marks have.

    Arguments: ``ink``, one of `INKS`; ``label``, words that stand on the mark, for there are no legends; ``dashed``,
    which tells two marks apart where colours cannot be seen.
    """

    ink: str = "ink"
    label: str = ""
    dashed: bool = False

    def __post_init__(self):
        if self.ink not in INKS:
            raise ValueError(f"a mark's ink is one of {', '.join(INKS)}, not {self.ink!r}")


@dataclass(frozen=True)
class Line(Mark):
    """Points joined in their order; a point that is not a number interrupts the line. Shapes: (n,), (n,)."""

    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Dots(Mark):
    """Points. Shapes: (n,), (n,). Arguments: ``hollow``, rings, not discs; ``size``, a factor of the usual one."""

    x: Sequence[float]
    y: Sequence[float]
    hollow: bool = False
    size: float = 1.0


@dataclass(frozen=True)
class Bars(Mark):
    """Bars from a base to a height. Shapes: (n,), (n,). Arguments: ``width``, of each; ``base``, where they begin."""

    x: Sequence[float]
    height: Sequence[float]
    width: float = 0.8
    base: float = 0.0


@dataclass(frozen=True)
class Area(Mark):
    """A band between two lines. Shapes: (n,), (n,), (n,)."""

    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class Raster(Mark):
    """A number for each cell of a grid, as a tint: from ink a below the middle to ink b above it.

    Shapes: values (rows, columns), the first row at ``y`` = bottom. Arguments: ``x`` and ``y``, the edges (from, to);
    ``limits``, the numbers of the deepest tints; ``levels``, the numbers at which lines are drawn; ``text``, whether
    the numbers stand in their cells.
    """

    values: Any
    x: tuple[float, float]
    y: tuple[float, float]
    limits: tuple[float, float] | None = None
    levels: Sequence[float] = ()
    text: bool = False


@dataclass(frozen=True)
class Arrows(Mark):
    """Arrows from points by steps. Shapes: (n,) each."""

    x: Sequence[float]
    y: Sequence[float]
    dx: Sequence[float]
    dy: Sequence[float]


@dataclass(frozen=True)
class Label(Mark):
    """Words at a point. Arguments: ``text``; ``anchor``, which part of them is there: start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Images(Mark):
    """Images in rows. Shapes: (n, height, width) or (n, height, width, 3), from 0 (paper) to 1 (ink)."""

    images: Any
    columns: int
    captions: Sequence[str] = ()


@dataclass(frozen=True)
class Vertex:
    """A box of a graph. Lengths are in units of the text's height.

    Arguments: ``name``, which edges use; ``text``, what stands in it; ``x``, ``y``, ``width``, ``height``, its centre
    and size; ``kind``: "input", "parameter", "constant", "target", "operation", "module" or "output"; ``value``, what
    went forward, above the box; ``gradient``, what came back, below it.
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
