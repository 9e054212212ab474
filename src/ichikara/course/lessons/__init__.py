"""The lessons, each a folder: ``lesson.py``, ``en.md``, ``ja.md``."""

from functools import cache
from importlib import import_module
from pathlib import Path

from ...errors import choose
from ..lesson import Exercise, Lesson
from ..markdown import Text, read

__all__ = ["LESSONS", "READY", "exercise_of", "lesson_of", "picture_of", "text_of"]

_HERE = Path(__file__).parent

LESSONS = (
    "neuron",
    "two-layers",
    "universal",
    "matrices",
    "loss",
    "descent",
    "chain-rule",
    "jacobians",
    "activations",
    "mini-batches",
    "minima",
    "ravines",
    "vanishing",
    "shortcuts",
    "sigmoid-ce",
    "clinic",
    "overfitting",
    "restraint",
    "scaling",
    "more-data",
    "convolution",
    "gan",
    "memory",
    "attention",
    "onwards",
)
"""The slugs of the course's lessons, in their order. Their titles are in the catalogue of words."""

READY = tuple(slug for slug in LESSONS if (_HERE / slug.replace("-", "_") / "lesson.py").exists())
"""Those that can be opened."""


def _folder(slug: str) -> str:
    choose("lesson", slug, dict.fromkeys(READY))
    return slug.replace("-", "_")


@cache
def lesson_of(slug: str) -> Lesson:
    """A lesson. Raises UserError for a name that there is not."""
    return import_module(f"{__name__}.{_folder(slug)}.lesson").lesson


@cache
def text_of(slug: str, language: str) -> Text:
    """A lesson's text in a language."""
    path = _HERE / _folder(slug) / f"{language}.md"
    return read(path.read_text(encoding="utf-8"), f"{slug}/{language}.md")


@cache
def picture_of(slug: str) -> str:
    """The lesson's picture for the map of the course, an SVG of 104 x 78 units whose classes choose the inks."""
    return (_HERE / "pictures" / f"{slug}.svg").read_text(encoding="utf-8")


def exercise_of(slug: str, name: str) -> Exercise:
    """An exercise of a lesson. Raises UserError for a name that there is not."""
    exercises = lesson_of(slug).exercises
    choose("exercise", name, exercises)
    return exercises[name]
