"""What a lesson is made of besides its text: functions from its controls to charts, formulas and claims; exercises.

A lesson is a folder with ``lesson.py``, its texts ``en.md`` and ``ja.md``, and ``words.toml``, the short texts of its
charts and controls in both languages. In ``lesson.py`` stands one `Lesson`, and functions that are registered with it.
A function's parameters are names of controls; it is pure, so the same values give the same chart. The texts place them
by their names.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..charts import Chart
from ..words import language_of, texts_of
from .controls import Control, read_all
from .results import Results

__all__ = ["Answer", "Code", "Exercise", "Handle", "Lesson", "Outcome", "Picture", "Prediction", "Progress"]


@dataclass(frozen=True)
class Handle:
    """A place of a chart that can be moved, by the mouse or by the arrow keys, or pressed.

    Arguments: ``name``, of the function that is registered by `Lesson.handle`; ``x``, ``y``, where it is; ``index``, of
    a point among several; ``shape``, "point", for a mark of the chart; "foot", which is drawn as a small square;
    "button", for one that is pressed; or "over", for one that the pointer need only touch; ``to``, of a line, where it
    ends; ``label``, what it is, in words, for those who do not see it; ``step``, by how much an arrow key moves it, by
    default a hundredth of the axis.
    """

    name: str
    x: float
    y: float
    index: int = 0
    shape: str = "point"
    to: tuple[float, float] | None = None
    label: str = ""
    step: float = 0.0


@dataclass(frozen=True)
class Picture:
    """A chart with handles on it."""

    chart: Chart
    handles: Sequence[Handle] = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the chart."""
        return self.chart._repr_mimebundle_()


@dataclass(frozen=True)
class Outcome:
    """What the computation of a claim gives: whether it holds, the numbers that the text quotes, and charts."""

    holds: bool
    numbers: Mapping[str, Any] = field(default_factory=dict)
    charts: Sequence[Chart] = ()


@dataclass(frozen=True)
class Progress:
    """How far an experiment is: ``done`` of ``total``, and the chart and numbers so far."""

    done: int
    total: int
    chart: Chart | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came out, where a prediction had been asked for.

    Arguments: ``right``, the options that are right; ``notes``, words on an option's result; ``numbers``, that the
    text's replies quote; ``charts``, the pictures of options, now with the result in them.
    """

    right: Sequence[str]
    notes: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, Any] = field(default_factory=dict)
    charts: Mapping[str, Chart] = field(default_factory=dict)


@dataclass(frozen=True)
class Prediction:
    """A question to commit to: the names of the options, and the function that computes which are right.

    Arguments: ``several``, whether more than one option can be chosen; ``charts``, a picture of each option, if any.
    """

    name: str
    options: Sequence[str]
    answer: Callable[[], Answer]
    several: bool = False
    charts: Callable[[], Mapping[str, Chart]] | None = None


@dataclass(frozen=True)
class Exercise:
    """An exercise that checks itself.

    Arguments: ``kind``, "code" (a program), "numbers" (fields to fill in) or "choice"; ``stub``, what the learner
    begins with; ``check``, a function of the program's names, or of the answers by field, which returns None where the
    answer is right, else the name of the misconception, or a pair of that and values for its words; ``right``, an
    answer that passes; ``wrong``, for each misconception an answer that has it; ``fields``, of an exercise in numbers,
    or the options of a choice.
    """

    name: str
    kind: str
    check: Callable[[Any], Any]
    right: Any
    wrong: Mapping[str, Any]
    stub: Any = ""
    fields: Sequence[str] = ()


@dataclass(frozen=True)
class Code:
    """Lines of the library to show: ``of``, functions, methods or classes of ichikara, all of one file.

    Arguments: ``until``, a part of the last line that is shown, if what follows says nothing about the idea.
    """

    name: str
    of: Any
    until: str = ""

    def __post_init__(self):
        if not isinstance(self.of, list | tuple):
            object.__setattr__(self, "of", (self.of,))

    @property
    def source(self) -> str:
        """Their text, as it runs, without documentation and decorators."""
        text = "\n\n".join(_without_words(inspect.getsource(_plain(one))) for one in self.of)
        end = text.rfind(self.until) if self.until else -1
        return text if end < 0 else text[: end + (text[end:] + "\n").index("\n")] + "\n…"

    @property
    def file(self) -> str:
        """The file in which they are, from the package on."""
        path = inspect.getsourcefile(_plain(self.of[0])) or ""
        return "ichikara" + path.replace("\\", "/").rpartition("/ichikara")[2]


def _plain(one: Any) -> Any:
    return inspect.unwrap(getattr(one, "function", one))


def _without_words(source: str) -> str:
    """A function's or class's lines without documentation, decorators, marks for linters, and indentation."""
    source = re.sub(r"  # (noqa|type: ignore).*", "", textwrap.dedent(source))
    tree = ast.parse(source).body[0]
    lines = source.rstrip().split("\n")
    leave = set(range(1, tree.lineno))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            first = node.body[0]
            leave.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
            if (first.end_lineno or 0) < len(lines) and not lines[first.end_lineno or 0].strip():
                leave.add((first.end_lineno or 0) + 1)
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in leave)


class Lesson:
    """The parts of a lesson, by their names.

    >>> from ichikara.charts import Line
    >>> from ichikara.course.controls import Slider
    >>> lesson = Lesson("slope", w=Slider(-3.0, 3.0, 1.0))
    >>> @lesson.figure
    ... def line(w):
    ...     return Chart([Line([-1, 1], [-w, w])], numbers={"slope": w})
    >>> lesson.show("line", {"w": 2.0}).chart.numbers
    {'slope': 2.0}
    """

    def __init__(self, slug: str, **controls: Control):
        self.slug, self.controls = slug, controls
        self.folder = Path(sys._getframe(1).f_code.co_filename).parent
        self.figures: dict[str, Callable] = {}
        self.formulas: dict[str, Callable] = {}
        self.handles: dict[str, Callable] = {}
        self.actions: dict[str, Callable] = {}
        self.claims: dict[str, Callable] = {}
        self.experiments: dict[str, Callable] = {}
        self.predictions: dict[str, Prediction] = {}
        self.exercises: dict[str, Exercise] = {}
        self.codes: dict[str, Code] = {}
        self.results: dict[str, Results] = {}

    # --- registering --------------------------------------------------------------------------------------------------

    def figure(self, function: Callable[..., Chart | Picture]) -> Callable:
        """Decorator: a function of controls to a chart, or to a picture with handles."""
        return self._register(self.figures, function)

    def formula(self, function: Callable[..., str]) -> Callable:
        """Decorator: a function of controls to a formula, in LaTeX: a line in symbols, then lines in numbers."""
        return self._register(self.formulas, function)

    def handle(self, function: Callable[..., Mapping[str, Any]]) -> Callable:
        """Decorator: what a handle's new place (``x``, ``y``, ``index``) changes: controls and their values."""
        return self._register(self.handles, function, ("x", "y", "index"))

    def action(self, function: Callable[..., Mapping[str, Any]]) -> Callable:
        """Decorator: what a button changes: controls and their values."""
        return self._register(self.actions, function)

    def claim(self, function: Callable[[], Outcome]) -> Callable:
        """Decorator: the computation of a claim that the lesson states."""
        return self._register(self.claims, function)

    def experiment(self, function: Callable[..., Iterator[Progress]]) -> Callable:
        """Decorator: a long computation, which yields how far it is."""
        return self._register(self.experiments, function)

    def result(self, parts: Sequence[Any], tolerance: float = 1e-6) -> Callable[[Callable[[Any], Any]], Results]:
        """Decorator: a long computation whose results are kept in a file; see `Results`."""

        def made(function: Callable[[Any], Any]) -> Results:
            self.results[function.__name__] = Results(function, parts, self.folder, self.slug, tolerance)
            return self.results[function.__name__]

        return made

    def add(self, *parts: Prediction | Exercise | Code) -> None:
        """Register predictions, exercises and code."""
        kinds = {Prediction: self.predictions, Exercise: self.exercises, Code: self.codes}
        for part in parts:
            kinds[type(part)][part.name] = part  # type: ignore[index]

    def _register(self, table, function, also=()):
        unknown = [name for name in parameters(function) if name not in (*self.controls, *also)]
        if unknown:
            raise ValueError(f"{function.__name__} of lesson {self.slug} takes {unknown[0]}, which is no control")
        table[function.__name__] = function
        return function

    # --- words --------------------------------------------------------------------------------------------------------

    def say(self, name: str, **values: Any) -> str:
        """A text of the lesson's ``words.toml``, in the language of the block `words.in_language`."""
        return texts_of(self.folder / "words.toml")[name][language_of()].format(**values)

    def label(self, name: str) -> str:
        """The label of a control, an option (``control.option``) or an action, in Markdown."""
        return self.say(f"controls.{name}")

    # --- using --------------------------------------------------------------------------------------------------------

    def values(self, given: Any) -> dict[str, Any]:
        """The values of all controls; see `read_all`."""
        return read_all(self.controls, given)

    def moved(self, name: str, values: Mapping[str, Any], **place: Any) -> dict[str, Any]:
        """All values after an action, or after a handle was moved to a place (``x``, ``y``, ``index``)."""
        function = (self.handles if place else self.actions)[name]
        return self.values({**values, **call(function, values, **place)})

    def show(self, name: str, values: Mapping[str, Any]) -> Picture:
        """The picture of a figure at these values."""
        shown = call(self.figures[name], values)
        return shown if isinstance(shown, Picture) else Picture(shown)


def call(function: Callable, values: Mapping[str, Any], **more: Any) -> Any:
    """The value of a function of controls."""
    given = {**values, **more}
    return function(**{name: given[name] for name in parameters(function)})


@cache
def parameters(function: Callable) -> frozenset[str]:
    """The names of a function's parameters."""
    return frozenset(inspect.signature(function).parameters)
