"""The lessons, each a folder: ``lesson.py``, ``en.md``, ``ja.md``."""

from functools import cache
from importlib import import_module
from pathlib import Path

from ...errors import choose
from ..lesson import Exercise, Lesson
from ..markdown import Text, read

__all__ = ["LESSONS", "PARTS", "READY", "exercise_of", "lesson_of", "picture_of", "text_of"]

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

_PARTS = [
    "A1 A2",
    "A3",
    "A4",
    "A5",
    "B1",
    "B2 B3",
    "B4 B5",
    "B6",
    "B7",
    "B8",
    "C2",
    "C3 C4",
    "C5 C6",
    "C7",
    "C8",
    "C1",
    "D1 D2 D3",
    "D4 D5",
    "D6 D9",
    "D7 D8",
    "E1",
    "E2",
    "E3",
    "E4",
    "E5 F1",
]
PARTS = {part: slug for slug, parts in zip(LESSONS, _PARTS, strict=True) for part in parts.split()}
"""The lesson of each part of the lecture."""

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
