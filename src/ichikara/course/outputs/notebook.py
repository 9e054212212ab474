"""A lesson as a notebook: its text as Markdown, its figures, claims and exercises as cells that run on this library.

Source: the format of notebooks, version 4, https://nbformat.readthedocs.io.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...words import language_of, say
from ..controls import Choice, Control, Curve, Drawing, Matrix, Points, Slider
from ..directives import inside, labelled, notes_of
from ..lesson import parameters
from ..lessons import lesson_of, text_of
from ..markdown import Directive
from ..page import PIECES
from ..server.questions import questions_before
from .reading import filled, readable, say_course

__all__ = ["Notebook", "write_notebook"]

LONGEST = 400  # characters of a control's value that is written out

Cell = tuple[str, str]  # "markdown", "code", or "program", which is code that may fail; and the text


def write_notebook(slug: str, path: Path) -> None:
    """Write a lesson's notebook, in the language of the block `words.in_language`.

    Raises UserError for a file that does not end in ``.ipynb``.
    """
    if path.suffix != ".ipynb":
        raise UserError(f"a notebook's file ends in .ipynb, not as {path.name}")
    path.write_text(json.dumps(Notebook(slug).as_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


class Notebook:
    """Makes the cells of a lesson.

    >>> cells = Notebook("neuron").as_json()["cells"]
    >>> cells[1]["cell_type"], "pip install ichikara" in "".join(cells[1]["source"])
    ('code', True)
    """

    def __init__(self, slug: str):
        self.lesson, self.text, self.language = lesson_of(slug), text_of(slug, language_of()), language_of()
        values = self.lesson.values({})
        self.numbers = {
            f"{name}.{key}": value
            for name in self.lesson.figures
            for key, value in self.lesson.show(name, values).chart.numbers.items()
        }
        self.defined: set[str] = set()  # controls that are variables of a cell already

    def as_json(self) -> dict[str, Any]:
        """The notebook, in values that JSON can hold."""
        return {
            "cells": [_cell(number, *cell) for number, cell in enumerate(self.cells())],
            "metadata": {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
                "colab": {"name": f"{self.lesson.slug}.ipynb", "provenance": []},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }

    def cells(self) -> Iterator[Cell]:
        """All cells, in their order."""
        slug = self.lesson.slug
        yield "markdown", f"# {say(f'lessons.{slug}.title', self.language)}\n\n{filled(self.text.lede, self.numbers)}"
        install = say_course("notebook.install")
        yield (
            "code",
            f"# {install}  %pip install ichikara\nfrom ichikara.course.outputs.cells import open_lesson\n\n"
            f'lesson = open_lesson("{slug}", "{self.language}")',
        )
        for question in questions_before(slug, self.language):
            yield "markdown", _folded(question["directive"].argument, question["directive"].body)
        for name in PIECES:
            if name in self.text.pieces:
                piece = self.text.pieces[name]
                yield "markdown", f"## {piece.heading}"
                yield from self._parts(piece.body)
        command = f"ichikara learn {slug} --lang {self.language}"
        yield "markdown", say_course("notebook.page", command=command)

    def _parts(self, source: str) -> Iterator[Cell]:
        yield from self._each(Directive("", "", {}, source).parts)

    def _each(self, parts: Sequence[Directive | str]) -> Iterator[Cell]:
        for part in parts:
            if isinstance(part, str):
                if part.strip():
                    yield "markdown", filled(part, self.numbers)
            else:
                yield from CELLS.get(part.kind, Notebook._other)(self, part)

    def _other(self, directive: Directive) -> Iterator[Cell]:
        yield from self._parts(directive.body)

    # --- controls as variables ----------------------------------------------------------------------------------------

    def _variables(self, names: set[str]) -> list[str]:
        """Lines that give controls their values at the start, each with what else it can be."""
        self.defined |= names
        return [self._variable(name, control) for name, control in self.lesson.controls.items() if name in names]

    def _variable(self, name: str, control: Control) -> str:
        start = control.value  # type: ignore[attr-defined]
        value = json.dumps(start, ensure_ascii=False) if isinstance(start, str) else repr(start)
        if len(value) > LONGEST:
            value = f'lesson.controls["{name}"].value'
        about = "; ".join(filter(None, [readable(self._label(name)), _possible(control)]))
        return f"{name} = {value}" + (f"  # {about}" if about else "")

    def _label(self, name: str) -> str:
        try:
            return self.lesson.label(name)
        except KeyError:  # what is moved on a figure has no label
            return ""

    def _called(self, function: Callable) -> str:
        names = [name for name in self.lesson.controls if name in parameters(function)]
        return ", ".join(f"{name}={name}" for name in names)

    def _lines(self, function: Callable, *, again: bool = False) -> list[str]:
        needed = {name for name in self.lesson.controls if name in parameters(function)}
        return self._variables(needed if again else needed - self.defined)

    # --- directives ---------------------------------------------------------------------------------------------------

    def _figure(self, directive: Directive) -> Iterator[Cell]:
        names = [*directive.argument.split(), *directive.options.get("below", "").split()]
        functions = [self.lesson.figures[name] for name in names]
        formulas = directive.options.get("formula", "").split()
        functions += [self.lesson.formulas[name] for name in formulas]
        needed = {name for function in functions for name in self.lesson.controls if name in parameters(function)}
        shown = [
            *(f'lesson.figures["{name}"]({self._called(self.lesson.figures[name])})' for name in names),
            *(f'lesson.formula("{name}", {self._called(self.lesson.formulas[name])})' for name in formulas),
        ]
        lines = [f"# {say_course('notebook.move')}", *self._variables(needed)] if needed else []
        last = shown if len(shown) == 1 else [f"display(\n    {f',{chr(10)}    '.join(shown)},\n)"]
        yield "code", "\n".join([*lines, "", *last]).strip()
        yield from self._parts(directive.body)

    def _formula(self, directive: Directive) -> Iterator[Cell]:
        function = self.lesson.formulas[directive.argument]
        called = f'lesson.formula("{directive.argument}", {self._called(function)})'
        yield "code", "\n".join([*self._lines(function), called])
        yield from self._parts(directive.body)

    def _code(self, directive: Directive) -> Iterator[Cell]:
        code = self.lesson.codes[directive.argument]
        notes = "\n".join(f"- `{fragment}` {note}" for fragment, note in notes_of(directive))
        yield "markdown", f"`{code.file}`\n\n```python\n{code.source}\n```\n\n{notes}".strip()

    def _prediction(self, directive: Directive) -> Iterator[Cell]:
        name = directive.argument
        prediction = self.lesson.predictions[name]
        labels, beside = labelled(directive)
        yield from self._each(beside)
        options = "\n".join(f"- **{option}**: {labels[option]}" for option in prediction.options)
        yield "markdown", filled(options, self.numbers)
        choose = say_course(f"notebook.choose{'_several' * prediction.several}", options=", ".join(prediction.options))
        nothing = "[]" if prediction.several else '""'
        yield "code", f'prediction = {nothing}  # {choose}\nlesson.predict("{name}", prediction)'

    def _claim(self, directive: Directive) -> Iterator[Cell]:
        yield "code", f'lesson.claim("{directive.argument}")'

    def _experiment(self, directive: Directive) -> Iterator[Cell]:
        name = directive.argument
        function = self.lesson.experiments[name]
        called = ", ".join(filter(None, [f'"{name}"', self._called(function)]))
        again = bool(directive.options.get("controls"))
        yield "code", "\n".join([*self._lines(function, again=again), f"lesson.experiment({called})"])

    def _exercise(self, directive: Directive) -> Iterator[Cell]:
        name = directive.argument
        exercise = self.lesson.exercises[name]
        labels, beside = labelled(directive)
        yield "markdown", f"### {directive.options['title']}"
        yield from self._each(beside)
        if labels:
            yield "markdown", "\n".join(f"- `{field}`: {label}" for field, label in labels.items())
        for number, hint in enumerate(inside(directive, "hint"), 1):
            yield "markdown", _folded(say_course("hint", number=number), hint.body)
        if exercise.kind == "code":
            yield "program", f"# {say_course('notebook.own_code')}\n{exercise.stub.rstrip()}"
            yield "code", f'lesson.check("{name}", globals())'
            return
        answer = "None"
        if exercise.kind == "numbers":
            answer = "{" + ", ".join(f'"{field}": ""' for field in exercise.fields) + "}"
        choices = f"  # {say_course('notebook.choose', options=_quoted(exercise.fields))}"
        about = f"# {say_course('notebook.own_answer')}"
        yield (
            "code",
            f'{about}\nanswer = {answer}{choices * (exercise.kind == "choice")}\nlesson.check("{name}", answer)',
        )

    def _question(self, directive: Directive) -> Iterator[Cell]:
        """Questions for recall stand in the notebooks of later lessons."""
        return iter(())


def _possible(control: Control) -> str:
    """What a control's value can be, in words."""
    if isinstance(control, Slider | Matrix):
        unit = f" {control.unit}" if isinstance(control, Slider) and control.unit else ""
        return say_course("notebook.from_to", low=f"{control.low:g}", high=f"{control.high:g}").replace("-", "−") + unit
    if isinstance(control, Choice):
        return _quoted(control.options)
    kinds = {Points: "points", Curve: "heights", Drawing: "cells"}
    return next((say_course(f"notebook.{name}") for kind, name in kinds.items() if isinstance(control, kind)), "")


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _folded(summary: str, body: str) -> str:
    """Words that open when one asks for them."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    lines = source.strip("\n").splitlines(keepends=True)
    if kind == "markdown":
        return {"id": f"cell-{number}", "cell_type": kind, "metadata": {}, "source": lines}
    about = {"tags": ["raises-exception"]} if kind == "program" else {}  # "run all" then goes on
    cell = {"id": f"cell-{number}", "cell_type": "code", "metadata": about, "source": lines}
    return cell | {"execution_count": None, "outputs": []}


CELLS: dict[str, Callable[[Notebook, Directive], Iterator[Cell]]] = {
    "claim": Notebook._claim,
    "code": Notebook._code,
    "exercise": Notebook._exercise,
    "experiment": Notebook._experiment,
    "figure": Notebook._figure,
    "formula": Notebook._formula,
    "prediction": Notebook._prediction,
    "question": Notebook._question,
}
"""What makes the cells of each directive, by its name."""
