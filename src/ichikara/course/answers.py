"""Checks of answers: what a learner gave, as numbers or as a function."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

__all__ = ["defines", "number", "numbers"]

EMPTY, NO_NUMBER = "empty", "number"
"""What is wrong with an answer before its check sees it. The page has words for both."""


def number(text: Any) -> float:
    """A number as people write it. Raises ValueError for what is none.

    >>> number("−1.5"), number("1/4"), number("2e-3"), number(3)
    (-1.5, 0.25, 0.002, 3.0)
    """
    text = str(text).strip().replace("−", "-").replace("／", "/")
    if len(text) > 40:
        raise ValueError("a number has at most 40 characters")
    top, _, bottom = text.partition("/")
    value = float(top) / float(bottom) if bottom else float(text)
    if value != value or abs(value) == float("inf"):
        raise ValueError(f"{text} is no number")
    return value


def numbers(check: Callable[..., Any]) -> Callable[[Any], Any]:
    """Decorator: the check of an exercise in numbers has its fields as parameters.

    >>> @numbers
    ... def check(w0, w1):
    ...     return None if w0 + w1 == 1 else "sum"
    >>> check({"w0": "1/2", "w1": "0.5"}), check({"w0": "1", "w1": "1"}), check({"w0": "", "w1": "1"})
    (None, 'sum', 'empty')
    """

    @wraps(check)
    def checked(answer: Any) -> Any:
        if not isinstance(answer, Mapping) or not all(str(value).strip() for value in answer.values()):
            return EMPTY
        try:
            values = {name: number(value) for name, value in answer.items()}
        except (ValueError, ZeroDivisionError):
            return NO_NUMBER
        return check(**values)

    return checked


def defines(name: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Decorator: the check of a program has the function of this name that it defines.

    >>> @defines("double")
    ... def check(double):
    ...     return None if double(2) == 4 else "value"
    >>> check({"double": lambda x: 2 * x}), check({})
    (None, ('undefined', {'name': 'double'}))
    """

    def decorated(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @wraps(check)
        def checked(names: Mapping[str, Any]) -> Any:
            function = names.get(name)
            return check(function) if callable(function) else ("undefined", {"name": name})

        return checked

    return decorated
