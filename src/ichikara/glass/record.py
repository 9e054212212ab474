"""What was measured and what happened while a network was trained."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Event", "Record", "Row"]


class Row(NamedTuple):
    """A measurement. Arguments: ``step``, of the optimiser, from 1; ``layer``, a module's or parameter's path, "" for
    the whole network; ``quantity``, what was measured."""

    step: int
    layer: str
    quantity: str
    value: float


class Event(NamedTuple):
    """Something that happened. Arguments: ``step``, in which; ``kind``, such as "zero_grad", "backward", "update",
    "call", "mode"; ``layer``, as of a row; ``about``, details in values that JSON can hold; ``line``, of the user's
    code, such as "train.py:12"."""

    step: int
    kind: str
    layer: str = ""
    about: Any = None
    line: str = ""


@dataclass
class Record:
    """The measurements and events of a run, in the order in which they were made."""

    rows: list[Row] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def series(self, quantity: str, layer: str = "") -> tuple[list[int], list[float]]:
        """The steps and values of a quantity."""
        found = [(row.step, row.value) for row in self.rows if row.quantity == quantity and row.layer == layer]
        return [step for step, _ in found], [value for _, value in found]

    def layers(self, quantity: str) -> list[str]:
        """The layers for which a quantity was measured, in the order in which they come."""
        return list(dict.fromkeys(row.layer for row in self.rows if row.quantity == quantity))

    def of(self, kind: str) -> Iterator[Event]:
        """The events of a kind."""
        return (event for event in self.events if event.kind == kind)
