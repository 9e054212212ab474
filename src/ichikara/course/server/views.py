"""The pages as HTML: home, a lesson, a refusal."""

import json
from functools import cache
from html import escape
from typing import Any

from ...words import LANGUAGES, in_language, say, texts
from ..controls import Curve, Drawing
from ..lessons import LESSONS, READY, lesson_of, picture_of, text_of
from ..page import PIECES, Page, live, plain
from .questions import questions_before, questions_of

__all__ = ["home", "lesson_page", "recall_page", "refused", "script_json"]


@cache
def _template(name: str) -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ichikara.course", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(name)


def _common(language: str) -> dict[str, Any]:
    words = {name: text[language] for name, text in texts("course").items()}
    other = next(code for code in LANGUAGES if code != language)
    return {
        "language": language,
        "other": other,
        "other_name": LANGUAGES[other],
        "say": lambda name, **values: words[name].format(**values),
        "strings": {name: text for name, text in words.items() if name.startswith("page.")},
    }


def _title(slug: str, language: str) -> str:
    return say(f"lessons.{slug}.title", language)


def script_json(value: Any) -> str:
    """JSON that can stand in a script element."""
    return json.dumps(value, ensure_ascii=False, default=plain).replace("<", "\\u003c")


@cache
def lesson_page(slug: str, language: str) -> str:
    """A lesson's page, with the figures at the values of the start."""
    with in_language(language):
        return _lesson_page(slug, language)


def _lesson_page(slug: str, language: str) -> str:
    lesson, text = lesson_of(slug), text_of(slug, language)
    state = live(lesson, lesson.values({}))
    page = Page(lesson, text, language, state)
    number = LESSONS.index(slug) + 1
    pieces = [
        {"name": name, "heading": page.inline(text.pieces[name].heading), "body": page.piece(name)}
        for name in PIECES
        if name in text.pieces
    ]
    following = LESSONS[number] if number < len(LESSONS) else None
    data = {
        "slug": slug,
        "state": state,
        "drawn": {name: _range(control) for name, control in lesson.controls.items() if isinstance(control, DRAWN)},
        "first": {
            name: getattr(control, "cleared", control.value)
            for name, control in lesson.controls.items()
            if isinstance(control, DRAWN)
        },
        "options": {
            name: {option: chart.to_dict() for option, chart in prediction.charts().items()}
            for name, prediction in lesson.predictions.items()
            if prediction.charts
        },
    }
    return _template("lesson.html.j2").render(
        **_common(language),
        slug=slug,
        number=number,
        total=len(LESSONS),
        title=_title(slug, language),
        lede=page.html(text.lede),
        pieces=pieces,
        recall=questions_before(slug, language),
        following=None if following is None else {"slug": following, "title": _title(following, language)},
        ready=following in READY,
        data=script_json(data),
    )


DRAWN = (Curve, Drawing)
"""The controls that are drawn on a figure."""


def _range(control: Any) -> dict[str, float]:
    return {"low": getattr(control, "low", 0.0), "high": getattr(control, "high", 1.0)}


@cache
def home(language: str) -> str:
    """The map of the course."""
    chapters = [
        {
            "title": say(f"course.chapter.{name}.title", language),
            "about": say(f"course.chapter.{name}.about", language),
            "lessons": [
                {
                    "slug": slug,
                    "number": LESSONS.index(slug) + 1,
                    "title": _title(slug, language),
                    "ready": slug in READY,
                    "picture": picture_of(slug),
                }
                for slug in slugs
            ],
        }
        for name, slugs in CHAPTERS.items()
    ]
    data = {
        "questions": {slug: [question["id"] for question in questions_of(slug, language)] for slug in READY},
        "ready": READY,
        "titles": {slug: _title(slug, language) for slug in READY},
    }
    return _template("home.html.j2").render(
        **_common(language), total=len(LESSONS), chapters=chapters, data=script_json(data)
    )


@cache
def recall_page(language: str) -> str:
    """All questions of all lessons; the page shows those that are due."""
    questions = [question for slug in READY for question in questions_of(slug, language)]
    return _template("recall.html.j2").render(**_common(language), questions=questions, data=script_json({}))


CHAPTERS = {
    "network": LESSONS[:4],
    "learning": LESSONS[4:10],
    "descent": LESSONS[10:16],
    "generalise": LESSONS[16:20],
    "architectures": LESSONS[20:],
}
"""The chapters of the course, and the lessons of each."""


def refused(reason: str) -> str:
    """The page for somebody who may not enter, or who asked for what there is not."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>ichikara</title><link rel="icon" href="data:,">'
        f"<p>This page cannot be shown: {escape(reason)}.</p>"
        "<p>Open the address that <code>ichikara learn</code> prints.</p>"
        "<p>このページは表示できません。<code>ichikara learn</code> が表示するアドレスを開いてください。</p></html>"
    )
