"""Checks of arguments: each returns the value with its proper type, or raises a `UserError`.

Arguments can come from a recipe or a command line, where a word such as ``"many"`` can stand in place of a number.
"""

import math
import operator
from typing import Any

from .errors import UserError, key

__all__ = ["fraction", "number", "positive", "whole_number", "yes_or_no"]


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
        raise UserError(f"{key(name)} is a whole number of at least {at_least}, not {value!r}")
    return number


def number(name: str, value: Any, at_least: float = -math.inf) -> float:
    """The value as a float.

    Raises UserError if it is not a finite number, or smaller than ``at_least``.

    >>> number("noise", 1)
    1.0
    """
    try:
        result = math.nan if isinstance(value, bool | str | bytes) or _wants_gradient(value) else float(value)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result) or result < at_least:
        bound = "" if at_least == -math.inf else f" of at least {at_least}"
        raise UserError(f"{key(name)} is a number{bound}, not {value!r}")
    return result


def fraction(name: str, value: Any) -> float:
    """The value, which must be a number from 0 to 1.

    Raises UserError if it is not.
    """
    if not _is_number(value) or not 0 <= value <= 1:
        raise UserError(f"{key(name)} is a number from 0 to 1, not {value!r}")
    return value


def positive(name: str, value: Any) -> float:
    """The value, which must be a finite number above 0.

    Raises UserError if it is not.
    """
    if not _is_number(value) or not value > 0 or not math.isfinite(value):
        raise UserError(f"{key(name)} is a number above 0, not {value!r}")
    return value


def yes_or_no(name: str, value: Any) -> bool:
    """The value, which must be True or False: the word ``"no"`` would otherwise count as yes.

    Raises UserError if it is anything else.

    >>> yes_or_no("as_images", True)
    True
    """
    if not isinstance(value, bool):
        raise UserError(f"{key(name)} is true or false, not {value!r}")
    return value


def _is_number(value):
    try:
        return not isinstance(value, bool | str | bytes) and not _wants_gradient(value) and float(value) == value
    except (TypeError, ValueError, OverflowError):
        return False


def _wants_gradient(value):
    """Whether the value is a tensor that wants a gradient, which a number would not give it."""
    return getattr(value, "requires_grad", False) is True
