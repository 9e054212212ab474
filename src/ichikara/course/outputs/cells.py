"""What the cells of a lesson's notebook call: it shows charts and sentences, and checks answers."""

import os
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ... import plot  # noqa: F401 - it draws the charts that a notebook shows
from ...words import language_of
from ..computed import verdict
from ..directives import inside
from ..lesson import Lesson, Progress, call
from ..lessons import lesson_of, text_of
from ..markdown import Directive
from .reading import filled, formula_text, say_course

__all__ = ["Cells", "Formula", "open_lesson", "without_terms"]

_OURS = str(Path(__file__).parents[2])  # where the package is


def open_lesson(slug: str, language: str) -> "Cells":
    """A lesson for a notebook. From now on this process speaks the language."""
    os.environ["ICHIKARA_LANG"] = language_of(language)
    return Cells(slug)


class Formula:
    """A formula, as a notebook shows it."""

    def __init__(self, latex: str):
        self.latex = latex

    def _repr_latex_(self) -> str:
        return f"$$\n{without_terms(self.latex)}\n$$"

    def __repr__(self):
        return formula_text(self.latex)


def without_terms(latex: str) -> str:
    r"""A formula without the names of its terms, which light up on a page only.

    >>> without_terms(r"u & = & \class{w0}{w_0} \\ & = & 1")
    '\\begin{array}{rcl}\nu & = & {w_0} \\\\\n & = & 1\n\\end{array}'
    """
    latex = re.sub(r"\\class\{[\w-]+\}", "", latex)
    if r"\\" not in latex and "&" not in latex:
        return latex
    lines = latex.split(r"\\")
    columns = max(line.count("&") for line in lines) + 1
    text = " \\\\\n".join(line.rstrip() for line in lines)
    return f"\\begin{{array}}{{{'rcl'[:columns].ljust(columns, 'l')}}}\n{text}\n\\end{{array}}"


class Cells:
    """A lesson whose parts are called by the cells of a notebook.

    >>> lesson = open_lesson("neuron", "en")
    >>> lesson.formula("weighted_sum", w0=0.5)
    u = w₀ · 1 + w₁ · x₁ + w₂ · x₂
      = 0.50 · 1 + 1.00 · 1.50 + 0.60 · 0.85
      = 2.51
    o = [2.51 > 0] = 1
    """

    def __init__(self, slug: str, show: Callable[[Any], None] | None = None):
        """Arguments: ``show``, what shows a chart, or words in Markdown; by default the notebook does."""
        self.lesson: Lesson = lesson_of(slug)
        self.text = text_of(slug, language_of())
        self.figures: Mapping[str, Callable] = self.lesson.figures
        self.controls = self.lesson.controls
        self.show = show or _show

    def formula(self, name: str, **values: Any) -> Formula:
        """A formula at these values of the controls."""
        return Formula(call(self.lesson.formulas[name], self.lesson.values(_plain(values))))

    def predict(self, name: str, mine: str | Sequence[str] = ()) -> None:
        """Compare a prediction with what comes out. Arguments: ``mine``, the option or options that were chosen."""
        prediction, directive = self.lesson.predictions[name], self._directive("prediction", name)
        mine = [mine] if isinstance(mine, str) and mine else list(mine)
        if not mine:
            for option, chart in (prediction.charts() if prediction.charts else {}).items():
                self._say(f"**{option}**")
                self.show(chart)
            return self._say(say_course("choose_first"))
        answer = prediction.answer()
        numbers = {f"{name}.{key}": value for key, value in answer.numbers.items()}
        for option in prediction.options:
            right, chosen = option in answer.right, option in mine
            result = answer.notes.get(option) or say_course("page.chosen" if right else "page.not_chosen")
            said = say_course("page.chosen" if chosen else "page.not_chosen")
            differs = "" if right == chosen else f" {say_course('page.differs')}"
            self._say(
                f"**{option}**: {say_course('page.you')}: {said}. {say_course('page.result')}: {result}.{differs}"
            )
            if option in answer.charts:
                self.show(answer.charts[option])
        missed = [option for option in prediction.options if (option in mine) != (option in answer.right)]
        told = {"right"} if not missed else set(missed if prediction.several else mine)
        for reply in inside(directive, "reply"):
            if reply.argument in told | {"after"}:
                self._say(filled(reply.body, numbers))

    def claim(self, name: str) -> None:
        """Compute a claim, and say what came out."""
        outcome = self.lesson.claims[name]()
        for chart in outcome.charts:
            self.show(chart)
        if not outcome.holds:
            self._say(say_course("page.fails"))
        self._say(
            filled(self._directive("claim", name).body, {f"{name}.{key}": v for key, v in outcome.numbers.items()})
        )

    def experiment(self, name: str, **values: Any) -> None:
        """Run an experiment to its end, and say what came out."""
        progress = Progress(0, 0)
        for progress in call(self.lesson.experiments[name], self.lesson.values(_plain(values))):
            print(f"\r{say_course('page.count', done=progress.done, total=progress.total)}", end="", flush=True)
        print()
        if progress.chart is not None:
            self.show(progress.chart)
        numbers = {f"{name}.{key}": value for key, value in progress.numbers.items()}
        self._say(filled(self._directive("experiment", name).body, numbers))

    def check(self, name: str, answer: Any) -> None:
        """Check an answer to an exercise: numbers by field, the name of an option, or ``globals()`` for a program."""
        exercise, directive = self.lesson.exercises[name], self._directive("exercise", name)
        try:
            if exercise.kind == "code":
                found = exercise.check(answer)
                wrong, values = found if isinstance(found, tuple) else (found or "", {})
            else:
                wrong, values = verdict(exercise, answer)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if not frame.filename.startswith(_OURS)]
            kind, line = ("error", lines[-1]) if lines else ("check", "")
            return self._say(say_course(f"page.program.{kind}", line=line, message=f"{type(error).__name__}: {error}"))
        numbers = {f"answer.{key}": value for key, value in values.items()}
        for reply in inside(directive, "reply"):
            if reply.argument == (wrong or "right"):
                return self._say(filled(reply.body, numbers))
        known = {"empty", "number", "undefined"}
        self._say(say_course(f"page.answer.{wrong}", **values) if wrong in known else say_course("page.program.wrong"))

    def _directive(self, kind: str, name: str) -> Directive:
        return next(found for found in self.text.directives(kind) if found.argument == name)

    def _say(self, markdown: str) -> None:
        if markdown.strip():
            self.show(_Words(markdown))


class _Words(str):
    """A text in Markdown, as a notebook shows it."""

    def _repr_markdown_(self) -> str:
        return str(self)


def _show(what: Any) -> None:
    from IPython.display import display  # in a notebook it is there

    display(what)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in values.items()}
