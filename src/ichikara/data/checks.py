"""Checks of what a person gave: each returns the value in its proper type, or raises a `UserError`.

Loaders are called with the words of a recipe or of a command line, where ``"many"`` can stand for a number.
"""

import math
import operator
from typing import Any

from ichikara.errors import UserError

__all__ = ["number", "whole_number", "yes_or_no"]


def whole_number(name: str, value: Any, at_least: int = 0) -> int:
    """The value as an int.

    Errors: `UserError` if it is not a whole number, or smaller than ``at_least``.

    >>> whole_number("n_samples", 3)
    3
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < at_least:
        raise UserError(f"{name} is a whole number of at least {at_least}, not {value!r}")
    return number


def number(name: str, value: Any, at_least: float = -math.inf) -> float:
    """The value as a float.

    Errors: `UserError` if it is not a finite number, or smaller than ``at_least``.

    >>> number("noise", 1)
    1.0
    """
    try:
        result = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result) or result < at_least:
        bound = "" if at_least == -math.inf else f" of at least {at_least}"
        raise UserError(f"{name} is a number{bound}, not {value!r}")
    return result


def yes_or_no(name: str, value: Any) -> bool:
    """The value, which must be True or False: the word ``"no"`` would otherwise count as yes.

    Errors: `UserError` if it is anything else.

    >>> yes_or_no("as_images", True)
    True
    """
    if not isinstance(value, bool):
        raise UserError(f"{name} is true or false, not {value!r}")
    return value
