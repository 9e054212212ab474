"""A teacher's key of a lesson, in Markdown: tasks, right answers, wrong ones with their replies, hints."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...words import language_of, say
from ..computed import verdict
from ..directives import inside, labelled
from ..lesson import Exercise
from ..lessons import LESSONS, lesson_of, text_of
from ..markdown import Directive
from .reading import filled, say_course

__all__ = ["key_of"]


def key_of(slug: str) -> str:
    """The key of a lesson, in the language of the block `words.in_language`.

    >>> key_of("neuron").splitlines()[0]
    '# Lesson 1: One neuron draws one line'
    """
    return "\n\n".join(part.strip() for part in _parts(slug) if part.strip()) + "\n"


def _parts(slug: str) -> Iterator[str]:
    lesson, text, language = lesson_of(slug), text_of(slug, language_of()), language_of()
    title = say(f"lessons.{slug}.title", language)
    yield f"# {say_course('told.page', number=LESSONS.index(slug) + 1, title=title)}"
    for directive in text.directives("prediction"):
        answer = lesson.predictions[directive.argument].answer()
        labels, beside = labelled(directive)
        numbers = {f"{directive.argument}.{name}": value for name, value in answer.numbers.items()}
        yield f"## {say_course('piece.predict')}: {text.pieces['predict'].heading}"
        yield _words(beside, numbers)
        yield f"**{say_course('key.right')}**: " + "; ".join(filled(labels[name], numbers) for name in answer.right)
    for directive in text.directives("exercise"):
        yield from _exercise(lesson.exercises[directive.argument], directive)
    questions = list(text.directives("question"))
    if questions:
        yield f"## {say_course('key.questions')}"
        yield "\n".join(f"- {question.argument}\n\n{_indented(question.body)}\n" for question in questions)


def _exercise(exercise: Exercise, directive: Directive) -> Iterator[str]:
    labels, beside = labelled(directive)
    replies = {reply.argument: reply.body for reply in inside(directive, "reply")}
    yield f"## {directive.options['title']} (`{exercise.name}`)"
    yield _words(beside, {})
    if exercise.kind == "choice":
        yield "\n".join(f"- {label}" for label in labels.values())
    yield f"**{say_course('key.right')}**: {_answer(exercise, exercise.right, labels)}"
    yield _quoted(_reply(exercise, exercise.right, replies))
    yield f"**{say_course('key.wrong')}**"
    for name, answer in exercise.wrong.items():
        yield f"- `{name}`: {_answer(exercise, answer, labels, indent='  ')}\n\n" + _indented(
            _quoted(_reply(exercise, answer, replies))
        )
    shown = [*exercise.wrong, "right"]
    others = [name for name in replies if name not in shown]
    if others:
        yield f"**{say_course('key.others')}**"
        yield "\n".join(f"- `{name}`: {filled(replies[name], {})}" for name in others)
    yield f"**{say_course('key.hints')}**"
    yield "\n".join(f"{i}. {hint.body}" for i, hint in enumerate(inside(directive, "hint"), 1))


def _words(beside: Sequence[Directive | str], numbers: Mapping[str, Any]) -> str:
    """What a task says; its figures are on the page."""
    return filled("".join(part for part in beside if isinstance(part, str)), numbers)


def _answer(exercise: Exercise, answer: Any, labels: dict[str, str], indent: str = "") -> str:
    """An answer as a learner would give it."""
    if exercise.kind == "code":
        return "\n\n" + _indented(f"```python\n{answer.rstrip()}\n```", indent)
    if exercise.kind == "numbers":
        return ", ".join(f"{labels[field]} = {answer[field]}".replace("-", "−") for field in exercise.fields)
    return labels[answer]


def _reply(exercise: Exercise, answer: Any, replies: dict[str, str]) -> str:
    """What a learner reads who has given this answer."""
    wrong, values = verdict(exercise, answer)
    return filled(replies.get(wrong or "right", ""), {f"answer.{name}": value for name, value in values.items()})


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _indented(text: str, by: str = "  ") -> str:
    return "\n".join(by + line if line else line for line in text.split("\n"))
