"""Checks of an optimiser's options: each returns the value, or raises an error that says what is wrong."""

from math import isfinite, isnan
from typing import Annotated, Any

from ..checks import yes_or_no
from ..errors import UserError

__all__ = [
    "AtLeast0",
    "Decays",
    "Number",
    "YesOrNo",
    "alike",
    "at_least_0",
    "decays",
    "from_0_to_1",
    "number",
    "positive",
]


def number(name: str, value: Any) -> float | int:
    """A number: Python's, NumPy's, or a Tensor of one."""
    if isinstance(value, float | int) and not isinstance(value, bool) and type(value) in (float, int):
        given = value
    else:
        if isinstance(value, bool | str | bytes) or not hasattr(value, "__float__"):
            raise UserError(f"{name} is a number, not {value!r}")
        try:
            given = float(value)
        except (TypeError, ValueError):
            raise UserError(f"{name} is a single number, not {value!r}") from None
    if isnan(given):
        raise UserError(f"{name} is not a number: {value!r}")
    return given


def at_least_0(name: str, value: Any) -> float | int:
    """A number of at least 0."""
    given = number(name, value)
    if given < 0 or not isfinite(given):
        raise UserError(f"{name} is a number of at least 0, not {value!r}")
    return given


def positive(name: str, value: Any) -> float | int:
    """A number above 0."""
    given = number(name, value)
    if given <= 0:
        raise UserError(f"{name} is a number above 0, not {value!r}")
    return given


def from_0_to_1(name: str, value: Any) -> float | int:
    """A number from 0 to 1."""
    given = number(name, value)
    if not 0 <= given <= 1:
        raise UserError(f"{name} is a number from 0 to 1, not {value!r}")
    return given


def decays(name: str, value: Any) -> tuple:
    """Two numbers from 0 to below 1: the decays of the two running means."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise UserError(f"{name} are two numbers, such as (0.9, 0.999), not {value!r}")
    for i, beta in enumerate(value):
        if not 0 <= number(f"{name}[{i}]", beta) < 1:
            raise UserError(f"{name}[{i}] is the decay of a running mean, from 0 to below 1, not {beta!r}")
    return tuple(number(name, beta) for beta in value)


# The types of options, each with its check.
Number = Annotated[float, number]
AtLeast0 = Annotated[float, at_least_0]
Decays = Annotated[tuple[float, float], decays]
YesOrNo = Annotated[bool, yes_or_no]


def alike(own: Any, given: Any) -> bool:
    """Whether a value of a saved state can stand in place of our own: a number for a number, a list for a list."""
    if isinstance(own, list):
        return isinstance(given, list)
    if own is None or (isinstance(own, int | float) and not isinstance(own, bool)):
        return (own is given is None) or (isinstance(given, int | float) and not isinstance(given, bool))
    return type(own) is type(given)
