"""Checks of what a layer is made with: each returns the value, or raises an error that says what was expected."""

import math
import operator
from typing import Any

from ..arrays import Generator, default_generator
from ..errors import UserError

__all__ = ["choose_generator", "fraction", "positive", "whole_number"]


def whole_number(name: str, value: Any, at_least: int = 1) -> int:
    """The value as an int.

    Raises UserError if it is not a whole number, or smaller than ``at_least``.

    >>> whole_number("in_features", 3)
    3
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < at_least:
        raise UserError(f"{name} is a whole number of at least {at_least}, not {value!r}")
    return number


def fraction(name: str, value: Any) -> float:
    """The value, which must be a number from 0 to 1.

    Raises UserError if it is not.
    """
    if not _is_number(value) or not 0 <= value <= 1:
        raise UserError(f"{name} is a number from 0 to 1, not {value!r}")
    return value


def positive(name: str, value: Any) -> float:
    """The value, which must be a finite number above 0.

    Raises UserError if it is not.
    """
    if not _is_number(value) or not value > 0 or not math.isfinite(value):
        raise UserError(f"{name} is a number above 0, not {value!r}")
    return value


def choose_generator(generator: Any) -> Generator:
    """The generator that was given, or the default one for None.

    Raises TypeError for anything else, such as a bare seed.
    """
    if generator is None:
        return default_generator()
    if not isinstance(generator, Generator):
        raise TypeError(f"generator is a Generator, such as ichikara.Generator(0), not {generator!r}")
    return generator


def _is_number(value):
    try:
        return not isinstance(value, bool | str | bytes) and float(value) == value
    except (TypeError, ValueError, OverflowError):
        return False
