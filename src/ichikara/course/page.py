"""A lesson as HTML: its text, with what the lesson computes in the places that the text names."""

from collections.abc import Collection, Mapping
from html import escape
from typing import Any

from ..charts import short_text
from ..errors import UserError
from ..words import in_language, say
from .directives import DIRECTIVES
from .lesson import Lesson, Picture, call, parameters
from .markdown import Directive, Text, attributes, math, to_html

__all__ = ["PIECES", "Page", "live", "number_text", "plain"]

PIECES = ("recall", "predict", "move", "formula", "code", "test", "exercise")
"""The pieces of a lesson, in their order."""


def number_text(value: Any, form: str = "") -> str:
    """A number as the text shows it: with a format of Python's, or with few digits; a minus is U+2212.

    >>> number_text(-0.5), number_text(0.126, ".0%"), number_text(12345678, ","), number_text("a word")
    ('−0.5', '13%', '12,345,678', 'a word')
    """
    if isinstance(value, str):
        return value
    if form:
        return format(value, form).replace("-", "−")
    return str(value).replace("-", "−") if isinstance(value, int) else short_text(float(value))


def live(lesson: Lesson, values: Mapping[str, Any], changed: Collection[str] | None = None) -> dict[str, Any]:
    """What the controls change, in values that JSON can hold: charts, handles, numbers and formulas.

    Arguments: ``changed``, the names of controls: only what depends on one of them; by default everything.
    """
    wanted = lambda function: changed is None or not parameters(function).isdisjoint(changed)
    shown = {name: lesson.show(name, values) for name, function in lesson.figures.items() if wanted(function)}
    return {
        "values": dict(values),
        "figures": {name: _figure(picture) for name, picture in shown.items()},
        "numbers": {f"{name}.{key}": value for name, p in shown.items() for key, value in p.chart.numbers.items()},
        "formulas": {
            name: math(call(function, values), True) for name, function in lesson.formulas.items() if wanted(function)
        },
    }


def plain(value: Any) -> Any:
    """What JSON can hold of a value that it does not know: numbers of NumPy, sequences."""
    return value.tolist() if hasattr(value, "tolist") else list(value)


def _figure(picture: Picture) -> dict[str, Any]:
    handles = [vars(handle) for handle in picture.handles]
    return {"chart": picture.chart.to_dict(), "handles": handles}


class Page:
    """Makes the HTML of a lesson's pieces.

    Arguments: ``text``, of the lesson in the language; ``numbers``, those that are known when the page is made, by
    names such as "plane.wrong"; ``state``, what `live` gives for the values at the start.
    """

    def __init__(self, lesson: Lesson, text: Text, language: str, state: Mapping[str, Any]):
        self.lesson, self.text, self.language, self.state = lesson, text, language, state

    def say(self, name: str, **values: Any) -> str:
        """A text of the interface."""
        return say(f"course.{name}", self.language, **values)

    def piece(self, name: str) -> str:
        """The HTML of a piece's body."""
        return self.html(self.text.pieces[name].body)

    def inline(self, source: str) -> str:
        """A line of Markdown as HTML."""
        return to_html(source, self._number, inline=True)

    def html(self, source: str) -> str:
        """Markdown with directives as HTML."""
        parts = Directive("", "", {}, source).parts
        return "\n".join(self.part(part) for part in parts)

    def label(self, name: str) -> str:
        """The label of a control, an option or an action, as HTML."""
        with in_language(self.language):
            return self.inline(self.lesson.label(name))

    def part(self, part: Directive | str) -> str:
        """Text, or a directive, as HTML."""
        if isinstance(part, str):
            return to_html(part, self._number)
        try:
            return DIRECTIVES[part.kind](self, part)
        except KeyError as error:
            raise UserError(
                f"lesson {self.lesson.slug} has no {error} for the directive {{{part.kind}}} {part.argument}"
            ) from None

    def _number(self, content: str) -> str:
        """A number of the text: there already, or to be put there when it has been computed."""
        name, _, form = content.partition(":")
        value = self.state["numbers"].get(name)
        text = "" if value is None else escape(number_text(value, form))
        return f'<span class="n"{attributes(data_number=name, data_format=form or None)}>{text}</span>'
