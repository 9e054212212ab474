"""The kinds of mark that a chart is made of. Numbers are those of the axes, not of a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy import ndarray

__all__ = ["INKS", "SHAPES", "Area", "Arrows", "Bars", "Dots", "Images", "Label", "Line", "Mark", "Raster", "Rule"]

INKS = {
    "ink": "what is said: the main line",
    "quiet": "what stands behind: level lines, other runs",
    "a": "the first ink: class 0, negative, values going forward, training",
    "b": "the second ink: class 1, positive, gradients coming back, validation",
}
"""The inks of marks, and what each is used for. A drawing chooses the colours, in light and dark."""

SHAPES = ("disc", "square", "triangle", "diamond")
"""The shapes of dots, which tell kinds apart where colours cannot be seen."""

Numbers = Sequence[float] | ndarray


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What all marks have.

    Arguments: ``ink``, one of `INKS`; ``label``, words that stand on the mark, for there are no legends; ``dashed``,
    which tells two marks apart where colours cannot be seen.
    """

    paired: ClassVar[Sequence[str]] = ()  # fields of equally many numbers
    ink: str = "ink"
    label: str = ""
    dashed: bool = False

    def __post_init__(self):
        if self.ink not in INKS:
            raise ValueError(f"a mark's ink is one of {', '.join(INKS)}, not {self.ink!r}")
        lengths = {len(getattr(self, name)) for name in self.paired}
        if len(lengths) > 1:
            words = " and ".join(self.paired)
            raise ValueError(f"{words} of {type(self).__name__} are equally many numbers, not {sorted(lengths)}")

    def extent(self) -> tuple[Numbers, Numbers]:
        """Numbers that the axes have to reach, on x and on y."""
        return (), ()

    def ends(self) -> tuple[Numbers, Numbers]:
        """Numbers at which the axes may end without a margin, on x and on y."""
        return (), ()


@dataclass(frozen=True)
class Line(Mark):
    """Points joined in their order; a point that is not a number interrupts the line. Shapes: (n,), (n,)."""

    paired = ("x", "y")
    x: Numbers
    y: Numbers

    def extent(self):
        return self.x, self.y


@dataclass(frozen=True)
class Dots(Mark):
    """Points. Shapes: (n,), (n,).

    Arguments: ``hollow``, rings, not discs; ``size``, a factor of the usual one; ``shape``, one of `SHAPES`.
    """

    paired = ("x", "y")
    x: Numbers
    y: Numbers
    hollow: bool = False
    size: float = 1.0
    shape: str = "disc"

    def __post_init__(self):
        super().__post_init__()
        if self.shape not in SHAPES:
            raise ValueError(f"the shape of dots is one of {', '.join(SHAPES)}, not {self.shape!r}")

    def extent(self):
        return self.x, self.y


@dataclass(frozen=True)
class Bars(Mark):
    """Bars from a base to a height. Shapes: (n,), (n,).

    Arguments: ``width``, of each; ``base``, where they begin; ``lying``, whether they stand on the y axis, with ``x``
    as their places on it.
    """

    paired = ("x", "height")
    x: Numbers
    height: Numbers
    width: float = 0.8
    base: float = 0.0
    lying: bool = False

    def extent(self):
        places = [value + side * self.width / 2 for value in self.x for side in (-1, 1)]
        return (self.height, places) if self.lying else (places, self.height)

    def ends(self):
        return ([self.base], ()) if self.lying else ((), [self.base])


@dataclass(frozen=True)
class Area(Mark):
    """A band between two lines. Shapes: (n,), (n,), (n,)."""

    paired = ("x", "low", "high")
    x: Numbers
    low: Numbers
    high: Numbers

    def extent(self):
        return self.x, [*self.low, *self.high]


@dataclass(frozen=True)
class Rule(Mark):
    """A line across the whole chart: upright at ``x``, or level at ``y``. One of the two is given."""

    x: float | None = None
    y: float | None = None

    def __post_init__(self):
        super().__post_init__()
        if (self.x is None) == (self.y is None):
            raise ValueError(f"a rule has x or y, not x = {self.x} and y = {self.y}")

    def extent(self):
        return (() if self.x is None else [self.x]), (() if self.y is None else [self.y])


@dataclass(frozen=True)
class Raster(Mark):
    """A number for each cell of a grid, as a tint of flat steps.

    Shapes: values (rows, columns), the first row at ``y[0]``. Arguments: ``x`` and ``y``, the edges (from, to);
    ``middle``, the number that is bare paper: below it tints of ink a, above it of ink b; by default there is none, and
    tints of the mark's ink begin at the least number; ``limits``, the numbers of the lightest and deepest tints;
    ``levels``, the numbers at which lines are drawn; ``text``, whether the numbers
    stand in their cells, or the words (rows, columns) that do.
    """

    values: Any
    x: tuple[float, float]
    y: tuple[float, float]
    middle: float | None = None
    limits: tuple[float, float] | None = None
    levels: Numbers = ()
    text: bool | Sequence[Sequence[str]] = False

    def ends(self):
        return self.x, self.y


@dataclass(frozen=True)
class Arrows(Mark):
    """Arrows from points by steps. Shapes: (n,) each."""

    paired = ("x", "y", "dx", "dy")
    x: Numbers
    y: Numbers
    dx: Numbers
    dy: Numbers

    def extent(self):
        tips = [[at + by for at, by in zip(*pair, strict=True)] for pair in ((self.x, self.dx), (self.y, self.dy))]
        return [*self.x, *tips[0]], [*self.y, *tips[1]]


@dataclass(frozen=True)
class Label(Mark):
    """Words at a point. Arguments: ``text``; ``anchor``, which part of them is there: start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "middle"

    def extent(self):
        return [self.x], [self.y]


@dataclass(frozen=True)
class Images(Mark):
    """Images in rows.

    Shapes: (n, height, width), from 0 (paper) to 1 (ink), or (n, height, width, 3), red, green and blue. Arguments:
    ``columns``, images in a row; ``captions``, of each; ``signed``, from −1 (ink a) over 0 (paper) to 1 (ink b).
    """

    images: Any
    columns: int
    captions: Sequence[str] = ()
    signed: bool = False
