"""A lesson as a run in the terminal: its text with its numbers, and whether all that it states holds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ...words import language_of, say
from ..computed import verdict
from ..directives import inside, labelled, notes_of
from ..lesson import Exercise, Progress, call
from ..lessons import LESSONS, lesson_of, text_of
from ..markdown import Directive
from ..page import PIECES
from ..programs import judge
from .reading import filled, formula_text, readable, say_course

__all__ = ["Line", "Run"]


@dataclass(frozen=True)
class Line:
    """A line of the run. Arguments: ``kind``, "heading", "text", "code" or "result"; ``holds``, of a result."""

    text: str
    kind: str = "text"
    holds: bool | None = None


class Run:
    """A lesson that computes all that it states.

    Arguments: ``slug``; ``quick``, whether experiments end after their second step, and programs run in this process.

    >>> run = Run("neuron", quick=True)
    >>> lines = list(run.lines())
    >>> lines[0].text, run.failed
    ('Lesson 1: One neuron draws one line', [])
    """

    def __init__(self, slug: str, quick: bool = False):
        self.lesson, self.text = lesson_of(slug), text_of(slug, language_of())
        self.quick, self.failed = quick, list[str]()
        self.values = self.lesson.values({})
        self.numbers: dict[str, Any] = {}
        for name in self.lesson.figures:
            self._take(name, self.lesson.show(name, self.values).chart.numbers)
        self.answers = 0

    def lines(self) -> Iterator[Line]:
        """Compute the lesson, line by line. What does not hold is in `failed` at the end."""
        slug = self.lesson.slug
        title = say(f"lessons.{slug}.title", language_of())
        yield Line(say_course("told.page", number=LESSONS.index(slug) + 1, title=title), "heading")
        yield from self._parts(self.text.lede)
        for name in PIECES:
            if name in self.text.pieces:
                piece = self.text.pieces[name]
                yield Line(readable(f"{say_course(f'piece.{name}')}: {piece.heading}"), "heading")
                yield from self._parts(piece.body)
        counts = {"claims": len(self.lesson.claims), "experiments": len(self.lesson.experiments)}
        counts |= {"exercises": len(self.lesson.exercises), "answers": self.answers}
        if self.failed:
            yield Line(say_course("told.some_fail", title=title, names=", ".join(self.failed)), "result", False)
        else:
            yield Line(say_course("told.all_hold", title=title, **counts), "result", True)

    def _take(self, name: str, numbers: Any) -> None:
        self.numbers |= {f"{name}.{key}": value for key, value in numbers.items()}

    def _result(self, name: str, words: str, holds: bool) -> Line:
        if not holds:
            self.failed.append(name)
        return Line(f"{name}: {words}", "result", holds)

    def _holds(self, name: str, holds: bool, words: str = "") -> Line:
        return self._result(name, words + say_course("told.holds" if holds else "told.fails"), holds)

    def _parts(self, source: str) -> Iterator[Line]:
        yield from self._each(Directive("", "", {}, source).parts)

    def _each(self, parts: Sequence[Directive | str]) -> Iterator[Line]:
        for i, part in enumerate(parts):
            if isinstance(part, str):
                yield from [Line("")] * bool(i)
                yield from self._text(part)
            else:
                yield from SAID.get(part.kind, Run._other)(self, part)

    def _text(self, source: str) -> Iterator[Line]:
        for paragraph in filled(source, self.numbers).strip().split("\n\n"):
            for line in readable(paragraph.strip()).split("\n"):
                yield Line(line)

    # --- directives ---------------------------------------------------------------------------------------------------

    def _other(self, directive: Directive) -> Iterator[Line]:
        yield from self._parts(directive.body)

    def _figure(self, directive: Directive) -> Iterator[Line]:
        for name in [*directive.argument.split(), *directive.options.get("below", "").split()]:
            yield Line(f"[{name}] {self.lesson.show(name, self.values).chart.alt}")
        for name in directive.options.get("formula", "").split():
            yield from self._written(name)
        yield from self._parts(directive.body)

    def _formula(self, directive: Directive) -> Iterator[Line]:
        yield from self._written(directive.argument)
        yield from self._parts(directive.body)

    def _written(self, name: str) -> Iterator[Line]:
        for line in formula_text(call(self.lesson.formulas[name], self.values)).split("\n"):
            yield Line(f"    {line}", "code")

    def _code(self, directive: Directive) -> Iterator[Line]:
        code = self.lesson.codes[directive.argument]
        yield Line(f"{code.file}:")
        for line in code.source.split("\n"):
            yield Line(f"    {line}", "code")
        for fragment, note in notes_of(directive):
            yield Line(f"- [{fragment}] {readable(note)}")

    def _prediction(self, directive: Directive) -> Iterator[Line]:
        name = directive.argument
        answer = self.lesson.predictions[name].answer()
        self._take(name, answer.numbers)
        labels, texts = labelled(directive)
        yield from self._each(texts)
        for option in self.lesson.predictions[name].options:
            result = answer.notes.get(option) or say_course(f"page.{'' if option in answer.right else 'not_'}chosen")
            yield Line(f"- {readable(filled(labels[option], self.numbers))}: {readable(result)}")
        for reply in inside(directive, "reply"):
            if reply.argument in ("right", "after"):
                yield from self._text(reply.body)

    def _claim(self, directive: Directive) -> Iterator[Line]:
        name = directive.argument
        outcome = self.lesson.claims[name]()
        self._take(name, outcome.numbers)
        yield from (Line(f"[{name}] {chart.alt}") for chart in outcome.charts)
        yield self._holds(name, outcome.holds)
        yield from self._parts(directive.body)

    def _experiment(self, directive: Directive) -> Iterator[Line]:
        name = directive.argument
        steps = call(self.lesson.experiments[name], self.values)
        progress = Progress(0, 0)
        for progress in islice(steps, 2 if self.quick else None):  # noqa: B007 - the last one is wanted
            pass
        self._take(name, progress.numbers)
        if progress.chart is not None:
            yield Line(f"[{name}] {progress.chart.alt}")
        ended = progress.done == progress.total and progress.total > 0
        far = say_course("told.whole" if ended else "told.so_far", done=progress.done, total=progress.total)
        if ended or not self.quick:
            yield self._holds(name, ended and bool(progress.numbers.get("holds", True)), f"{far}: ")
        else:
            yield Line(f"{name}: {far}", "result")
        yield from self._parts(directive.body)

    def _exercise(self, directive: Directive) -> Iterator[Line]:
        exercise = self.lesson.exercises[directive.argument]
        labels, texts = labelled(directive)
        yield Line(readable(directive.options["title"]), "heading")
        yield from self._each(texts)
        yield from (Line(f"- {readable(label)}") for label in labels.values())
        if exercise.kind == "code":
            yield from (Line(f"    {line}", "code") for line in exercise.stub.rstrip().split("\n"))
        yield self._answered(exercise, exercise.right, "", say_course("told.answer_right"))
        nothing = {"code": exercise.stub, "numbers": dict.fromkeys(exercise.fields, ""), "choice": None}[exercise.kind]
        yield self._answered(exercise, nothing, None, say_course("told.answer_stub"))
        for name, answer in exercise.wrong.items():
            yield self._answered(exercise, answer, name, say_course("told.answer_wrong", name=name))

    def _answered(self, exercise: Exercise, answer: Any, expected: str | None, words: str) -> Line:
        """Whether the check says of an answer what it should: None stands for anything but right."""
        self.answers += 1
        if exercise.kind == "code" and not self.quick:
            judged = judge(self.lesson.slug, exercise.name, answer)
            found = "" if judged["kind"] == "right" else judged["wrong"] or judged["kind"]
        else:
            found, _ = verdict(exercise, answer)
        holds = found == expected or (expected is None and found != "")
        if not holds:
            words += f" ({say_course('told.took_for', name=found or say_course('told.nothing'))})"
        return self._result(exercise.name, words, holds)

    def _question(self, directive: Directive) -> Iterator[Line]:
        yield Line(f"? {readable(directive.argument)}")
        yield from self._text(directive.body)


SAID: dict[str, Callable[[Run, Directive], Iterator[Line]]] = {
    "claim": Run._claim,
    "code": Run._code,
    "exercise": Run._exercise,
    "experiment": Run._experiment,
    "figure": Run._figure,
    "formula": Run._formula,
    "prediction": Run._prediction,
    "question": Run._question,
}
"""What says each directive, by its name."""
