"""Recall: the questions of lessons, which come back in later ones."""

from functools import cache
from typing import Any

from ..lessons import LESSONS, READY, text_of
from ..markdown import to_html
from ..page import number_text

__all__ = ["questions_before", "questions_of"]


@cache
def questions_of(slug: str, language: str) -> list[dict[str, Any]]:
    """The questions that a lesson leaves for later ones: ``id``; ``question``, ``answer`` (HTML); ``directive``."""
    number = lambda content: number_text(content)
    found = []
    for i, directive in enumerate(text_of(slug, language).directives("question")):
        found.append(
            {
                "id": f"{slug}-{i}",
                "question": to_html(directive.argument, number, inline=True),
                "answer": to_html(directive.body, number),
                "directive": directive,
            }
        )
    return found


def questions_before(slug: str, language: str) -> list[dict[str, Any]]:
    """Questions from the lessons before one: of the last lesson, of the one before it, and of one further back."""
    number = LESSONS.index(slug)
    before = [other for other in reversed(LESSONS[:number]) if other in READY]
    chosen = []
    for distance, turn in ((0, 0), (1, 1), (3, 2)):
        questions = questions_of(before[distance], language) if distance < len(before) else []
        if questions:
            chosen.append(questions[(number + turn) % len(questions)])
    return chosen
