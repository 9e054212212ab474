"""Results of long computations, kept in files beside the lesson that quotes them.

A file says which command made it. Tests compute a sample of its parts again, and all of them when they are asked to.
"""

import hashlib
import json
import math
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import UserError

__all__ = ["Results", "digest", "same"]


class Results:
    """A function of one part, such as a seed, and what it gave for all parts.

    Arguments: ``function``, from a part to a value that JSON can hold; ``parts``; ``folder`` and ``slug``, of the
    lesson; ``tolerance``, by how much numbers may differ, relative to their size, on another machine.
    """

    def __init__(self, function: Callable[[Any], Any], parts: Sequence[Any], folder: Path, slug: str, tolerance: float):
        self.function, self.parts, self.slug, self.tolerance = function, list(parts), slug, tolerance
        self.name = function.__name__
        self.path = folder / f"{self.name}.json"

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What the file says: by the part's text, its value. Raises UserError where the file is not as it was made."""
        try:
            file = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{self.path.name} is not there; {self.command} makes it") from None
        if file["sha256"] != digest(file["results"]):
            raise UserError(f"{self.path.name} has been changed by hand; {self.command} makes it again")
        return file["results"]

    @property
    def values(self) -> list[Any]:
        """The kept values, in the order of the parts."""
        return [self.kept[str(part)] for part in self.parts]

    @property
    def command(self) -> str:
        """The command that makes the file."""
        return f"python -m ichikara.course.make {self.slug} {self.name}"

    def differs(self, part: Any) -> str:
        """Compute one part again; returns how it differs from what is kept, or ""."""
        now, before = self.function(part), self.kept[str(part)]
        return "" if same(now, before, self.tolerance) else f"{self.name}({part}) is {now}, and was {before}"

    def make(self) -> None:
        """Compute all parts and write the file."""
        results = {}
        for number, part in enumerate(self.parts, 1):
            results[str(part)] = self.function(part)
            print(f"{self.name}: {number} of {len(self.parts)}", file=sys.stderr)
        file = {"command": self.command, "sha256": digest(results), "results": results}
        self.path.write_text(json.dumps(file, indent=1) + "\n", encoding="utf-8")


def digest(results: Any) -> str:
    """The SHA-256 of results."""
    return hashlib.sha256(json.dumps(results, sort_keys=True).encode()).hexdigest()


def same(now: Any, before: Any, tolerance: float) -> bool:
    """Whether two values of JSON are the same, but for a relative difference of their numbers.

    >>> same({"a": [1.0, "x"]}, {"a": [1.001, "x"]}, 0.01), same(1.0, 1.1, 0.01)
    (True, False)
    """
    if isinstance(now, bool) or not isinstance(now, int | float | list | tuple | dict):
        return now == before
    if isinstance(now, dict):
        return list(now) == list(before) and all(same(now[key], before[key], tolerance) for key in now)
    if isinstance(now, list | tuple):
        return len(now) == len(before) and all(same(a, b, tolerance) for a, b in zip(now, before, strict=True))
    return math.isclose(now, before, rel_tol=tolerance, abs_tol=tolerance * 1e-3)
