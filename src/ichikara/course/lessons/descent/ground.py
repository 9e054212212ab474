"""The controls of lesson 6, and how its numbers are written."""

import math

import numpy

from ichikara.charts import short_text
from ichikara.course.controls import Formula, Slider
from ichikara.course.lesson import Lesson

__all__ = ["FAR", "FLOOR", "MOST", "REACH", "WINDOW", "heights", "in_brackets", "lesson", "result", "say", "written"]

REACH = 3.0
WINDOW = (-REACH, REACH)
FLOOR = (-2.0, 2.0)  # the window of the function of two variables
FAR = 50.0  # where a place of two variables is kept
MOST = 40

lesson = Lesson(
    "descent",
    formula=Formula("x^2"),
    start=Slider(-2.9, 2.9, 2.5, 0.05),
    rate=Slider(0.01, 2.0, 0.1, 0.01),
    steps=Slider(0, MOST, 0, 1),
    field=Formula("x^2 + x y + y^2", names=("x", "y")),
    px=Slider(-FAR, FAR, 1.5, 0.01),
    py=Slider(-FAR, FAR, 0.5, 0.01),
    pace=Slider(0.01, 1.5, 0.1, 0.01),
)
say = lesson.say


def written(value, digits=2):
    """A number with fixed decimals, or, where it is too long for that, with a power of ten."""
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 1e4:
        return short_text(value, 2)
    text = f"{value:.{digits}f}"
    return f"{0:.{digits}f}" if float(text) == 0 else text.replace("-", "−")


def heights(values):
    """From where to where heights are drawn: what most of them are, so that one peak does not flatten the rest."""
    known = values[numpy.isfinite(values)]
    if not known.size:
        return -1.0, 1.0
    low, high = numpy.quantile(known, [0.01, 0.92])
    margin = 0.12 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def result(value, digits=2):
    """A number in a formula."""
    text = written(value, digits)
    if 1e4 <= abs(value) < math.inf:
        figures, _, power = f"{value:.1e}".partition("e")
        text = rf"{figures} \cdot 10^{{{int(power)}}}"
    return text.replace("−", "-").replace("–", r"\text{–}")


def in_brackets(value, digits=2):
    """A number in a formula, as a factor: in brackets if it is below 0."""
    return f"({result(value, digits)})" if value < 0 else result(value, digits)
