"""What a file holds against what it is declared to hold: checked by Pydantic, and said in our words."""

import json
import re
import reprlib
from typing import Any

from .errors import UserError, did_you_mean

__all__ = ["checked_json", "problems", "shown"]

_EXPECTED = {
    "int_": "a whole number",
    "float_": "a number",
    "finite_number": "a finite number",
    "bool_": "true or false",
    "string_": "a text",
    "path_": "the path of a file",
    "list_": "a list",
    "iterable_": "a list",
    "sequence_": "a list",
    "is_instance_of": "a list",  # Sequence is the one class that options are declared with
    "tuple_": "a list",
    "dict_": "a table",
    "model_": "a table",
    "dataclass_": "a table",
    "none_required": "null",
    "greater_than_equal": "at least {ge}",
    "greater_than": "above {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "below {lt}",
    "too_short": "longer: it has {actual_length} values, and at least {min_length} are needed",
    "too_long": "shorter: it has {actual_length} values, and at most {max_length} may stand there",
}
"""What should have been there, by the beginnings of Pydantic's names of errors."""


def shown(value: Any) -> str:
    """A value as it can stand in a message: long ones shortened, whatever they are.

    >>> shown("a" * 1000)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaa…aaaaaaaaaaaaaaaaaaaaaaaaaaaa'"
    >>> shown(10**5000)
    'a whole number of 16610 bits'
    """
    try:
        return _SHORT.repr(value)
    except (ValueError, RecursionError):  # Python writes no number with more than 4,300 digits
        return f"a whole number of {value.bit_length()} bits" if isinstance(value, int) else type(value).__name__


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
_SHORT.fillvalue = "…"


def checked_json(kind: Any, text: str | bytes, where: str) -> Any:
    """What a text of JSON says, if it is what ``kind`` declares.

    Arguments: ``kind``, such as a dataclass; keys that it does not declare are left as they are; ``where``, the file,
    for messages.

    Raises UserError that names the place in the file, what is there and what was expected.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        TypeAdapter(kind).validate_json(text, strict=True)
        return json.loads(text)
    except ValidationError as error:
        found = problems(error)
        raise UserError(f"{where} is damaged or of another version of ichikara: {'; '.join(found[:3])}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is damaged or of another version of ichikara: {error}") from None


def problems(error: Any, given: Any = None, where: str = "", allowed: Any = lambda place: []) -> list[str]:
    """The problems of a Pydantic ``ValidationError`` in our words, one for each key.

    Arguments: ``given``, what was checked, if it is at hand; ``where``, the place of it; ``allowed``, a function from
    the place of a table to the names that it may have.
    """
    said: dict[str, str] = {}
    expected: dict[str, tuple[Any, list[str]]] = {}
    for problem in error.errors(include_url=False):
        kind, value, context = problem["type"], problem["input"], problem.get("ctx", {})
        place = _place(problem, given)
        key = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join([*([where] if where else []), *map(str, place)]))
        match kind:
            case "extra_forbidden":
                names = allowed(place[:-1])
                hint = did_you_mean(place[-1], names)
                said[key] = f"unknown key '{key}'{hint} Allowed: {', '.join(names) or 'none'}"
            case "missing":
                said[key] = f"'{key}' is missing"
            case "json_invalid":
                said[key] = f"it is no JSON: {context['error']}"
            case "literal_error":
                names = [word.strip("',") for word in context["expected"].split() if word != "or"]
                said[key] = f"'{key}' is {shown(value)}{did_you_mean(value, names)} Allowed: {', '.join(names)}"
            case _:
                words = next((w for start, w in _EXPECTED.items() if kind.startswith(start)), "of another kind")
                expected.setdefault(key, (value, []))[1].append(words.format(**context))
    lines = [
        f"'{key}' is {shown(value)}; it should be {' or '.join(dict.fromkeys(wishes))}"
        for key, (value, wishes) in expected.items()
        if key not in said
    ]
    return [*said.values(), *lines]


def _place(problem: Any, given: Any) -> list[Any]:
    """The keys and indices that lead to a problem, without Pydantic's names for the parts of a union."""
    if given is None:
        return list(problem["loc"])
    place: list[Any] = []
    *_, last = problem["loc"] or (None,)
    for part in problem["loc"]:
        inside = (
            part in given if isinstance(given, dict) else isinstance(given, list | tuple) and part in range(len(given))
        )
        if inside:
            given = given[part]
        if inside or (part == last and problem["type"] in ("missing", "extra_forbidden")):
            place.append(part)
    return place
