"""The catalogue of texts: which there are, and a text in a language."""

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import UserError, choose

__all__ = ["LANGUAGES", "in_language", "language_of", "say", "texts", "texts_of"]

LANGUAGES = {"en": "English", "ja": "日本語"}
"""The languages, by their codes."""

_CHOSEN: ContextVar[str | None] = ContextVar("ichikara_language", default=None)


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """A block in which `language_of` answers with this language, unless it is asked for another one.

    >>> with in_language("ja"):
    ...     language_of()
    'ja'
    """
    token = _CHOSEN.set(language_of(language))
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def language_of(asked: str | None = None) -> str:
    """The code of the language to speak: the one asked for, else that of the block `in_language`, else
    ``ICHIKARA_LANG``, else the locale's, else English.

    Raises UserError for a language that there is not.

    >>> language_of("ja")
    'ja'
    """
    asked = asked or _CHOSEN.get()
    if asked:
        choose("language", asked, LANGUAGES)
        return asked
    named = os.environ.get("ICHIKARA_LANG")
    if named:
        if named not in LANGUAGES:
            raise UserError(f"ICHIKARA_LANG is {named!r}, and the languages are {', '.join(LANGUAGES)}")
        return named
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):  # as gettext does: the first that is set decides
        if locale := os.environ.get(variable):
            return next((code for code in LANGUAGES if locale.startswith(code)), "en")
    return "en"


def texts(subject: str) -> dict[str, dict[str, str]]:
    """All texts of a subject, by name; each by language. Arguments: ``subject``, the name of a file of texts."""
    return texts_of(Path(__file__).parent / f"{subject}.toml")


@cache
def texts_of(path: Path) -> dict[str, dict[str, str]]:
    """All texts of a file, by name; each by language."""
    return dict(_flat(tomllib.loads(path.read_text(encoding="utf-8")), ""))


def _flat(table: dict[str, Any], prefix: str):
    for name, value in table.items():
        if not isinstance(value, dict):
            raise ValueError(f"{prefix}{name} of the catalogue is a text without a language")
        if all(isinstance(text, str) for text in value.values()):
            yield prefix + name, value
        else:
            yield from _flat(value, f"{prefix}{name}.")


def say(key: str, language: str, **values: Any) -> str:
    """A text of the catalogue in a language, with values put into its places.

    Arguments: ``key``, the subject and the name of the text, such as "doctor.scaling.title"; ``values``, by the names
    in braces of the text. Raises KeyError for a text or a value that there is not.
    """
    subject, _, name = key.partition(".")
    return texts(subject)[name][language].format(**values)
