"""JSON that every program reads: it has no word for a number that is not finite, so such a number is null."""

import json
import math
from typing import Any

__all__ = ["dumps"]


def dumps(value: Any, **options: Any) -> str:
    """The JSON text of a value. A number that is not finite becomes null; an object says which were so and what.

    Arguments: ``options``, those of `json.dumps`.

    >>> dumps({"loss": float("nan"), "epochs": [1, 2]})
    '{"loss": null, "epochs": [1, 2], "not_finite": {"loss": "nan"}}'
    """
    places: dict[str, str] = {}
    plain = _plain(value, "", places)
    if places and isinstance(plain, dict):
        plain["not_finite"] = places
    return json.dumps(plain, allow_nan=False, **options)


def _plain(value: Any, place: str, places: dict[str, str]) -> Any:
    """The value with null for each number that is not finite, whose places are noted."""
    if isinstance(value, float) and not math.isfinite(value):
        places[place] = str(float(value))
        return None
    if isinstance(value, dict):
        return {key: _plain(one, f"{place}.{key}" if place else str(key), places) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, f"{place}[{i}]", places) for i, one in enumerate(value)]
    return value
