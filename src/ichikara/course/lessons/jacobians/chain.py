"""The Jacobians of a net with one hidden layer, as boxes: which stand side by side, and what their products cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from ichikara.charts import Graph, Label, Mark, Vertex, text_width

__all__ = ["FACTORS", "Box", "Step", "boxes_of", "drawn", "steps_of"]

POINTS = ("L", "o", "u¹", "o⁰", "u⁰", "x")
"""What the forward pass computes, from the loss back to the inputs."""

FACTORS = (
    ("∂L/∂o", r"\frac{\partial L}{\partial o}", False),
    ("f¹′", r"f^{1\prime}", True),
    ("W¹", "W^1", False),
    ("f⁰′(u⁰)", r"f^{0\prime}(u^0)", True),
    ("W⁰", "W^0", False),
)
"""The Jacobian between each point and the next: as text, in LaTeX, and whether it is diagonal."""

ENDS = {"x": (5, ""), "W0": (4, "x"), "W1": (2, "o⁰")}
"""By what can be differentiated: at which point the row ends, and what stands beside it for a matrix of weights."""


@dataclass(frozen=True)
class Box:
    """A matrix: its name, in LaTeX too, its sides, and whether it is diagonal.

    Arguments: ``start`` and ``end``, the points that it leads from and to, None for what stands beside a row.
    """

    name: str
    latex: str
    rows: int
    columns: int
    diagonal: bool = False
    start: int | None = None
    end: int | None = None

    @property
    def shape(self) -> str:
        """Its sides as text."""
        return f"{self.rows}×{self.columns}"

    def turned(self) -> "Box":
        """Its transpose. A derivative of the loss keeps its name: in the other layout it is a column."""
        keeps = self.diagonal or self.name.startswith("∂")
        name, latex = (self.name, self.latex) if keeps else (f"{self.name}ᵀ", rf"{{{self.latex}}}^\top")
        return Box(name, latex, self.columns, self.rows, self.diagonal, self.start, self.end)


@dataclass(frozen=True)
class Step:
    """The boxes after some products. Arguments: ``next``, the places of the two that are multiplied next; ``cost``, the
    multiplications of numbers that this takes."""

    boxes: Sequence[Box]
    next: tuple[int, int] | None = None
    cost: int = 0


def boxes_of(by: str, inputs: int, hidden: int, outputs: int) -> list[Box]:
    """The factors in numerator layout, from the left; what stands beside the row, for a matrix of weights, first."""
    sizes = (1, outputs, outputs, hidden, hidden, inputs)
    end, beside = ENDS[by]
    row = [
        Box(name, latex, sizes[i], sizes[i + 1], diagonal, i, i + 1)
        for i, (name, latex, diagonal) in enumerate(FACTORS[:end])
    ]
    if not beside:
        return row
    return [Box(beside, "x" if beside == "x" else "o^0", sizes[end + 1], 1), *row]


def steps_of(by: str, inputs: int, hidden: int, outputs: int, from_loss: bool, denominator: bool) -> list[Step]:
    """All products, one after another, begun at the loss or at the other end of the row."""
    boxes, found = boxes_of(by, inputs, hidden, outputs), []
    first = 0 if by == "x" else 1  # where the row begins
    while len(boxes) > 1:
        in_row = len(boxes) - first > 1
        place = (first if from_loss else len(boxes) - 2) if in_row else 0
        left, right = boxes[place : place + 2]
        found.append(Step(boxes, (place, place + 1), cost_of(left, right)))
        boxes = [*boxes[:place], product_of(left, right, by), *boxes[place + 2 :]]
    found.append(Step(boxes))
    return [mirrored(step) for step in found] if denominator else found


def mirrored(step: Step) -> Step:
    """The same in the other layout: transposed, and in the opposite order."""
    last = len(step.boxes) - 1
    places = step.next and (last - step.next[1], last - step.next[0])
    return Step([box.turned() for box in reversed(step.boxes)], places, step.cost)


def cost_of(left: Box, right: Box) -> int:
    """How many numbers are multiplied. A diagonal matrix meets each number of the other one once."""
    if left.diagonal or right.diagonal:
        return left.rows * right.columns
    return left.rows * left.columns * right.columns


def product_of(left: Box, right: Box, by: str) -> Box:
    """Two neighbours multiplied: the derivative of what one leads from by what the other leads to."""
    if left.start is None:
        name = f"W{'⁰' if by == 'W0' else '¹'}"
        return Box(f"∂L/∂{name}", "", left.rows, right.columns)
    name = f"∂{POINTS[left.start]}/∂{POINTS[right.end]}"
    return Box(name, "", left.rows, right.columns, False, left.start, right.end)


GAP = 0.9


def drawn(step: Step) -> list[Mark]:
    """The boxes side by side, each as high as it has rows and as wide as it has columns; where it is filled, it has
    numbers, and where it is empty, zeros."""
    tallest = max(box.rows for box in step.boxes)
    vertices, labels, x = [], [], 0.0
    for place, box in enumerate(step.boxes):
        slot = max(box.columns, text_width(box.name), text_width(box.shape)) + GAP
        middle = x + slot / 2
        lit = step.next is None or place in step.next
        vertices += cells(box, f"b{place}", middle, lit)
        labels.append(Label(middle, -tallest / 2 - 1.1, box.shape, ink="b" if lit else "quiet"))
        labels.append(Label(middle, tallest / 2 + 1.1, box.name, ink="ink"))
        x += slot
    return [Graph(vertices, []), *labels]


def cells(box: Box, name: str, middle: float, lit: bool) -> list[Vertex]:
    """A box; of a diagonal one, the numbers on its diagonal too."""
    if not box.diagonal:
        return [Vertex(name, "", middle, 0, box.columns, box.rows, "parameter", strong=lit)]
    places = [i - (box.rows - 1) / 2 for i in range(box.rows)]
    numbers = [Vertex(f"{name}-{i}", "", middle + at, at, 1, 1, "parameter", strong=lit) for i, at in enumerate(places)]
    return [Vertex(name, "", middle, 0, box.columns, box.rows, "input"), *numbers]
