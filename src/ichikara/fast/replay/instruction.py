"""What programs are made of."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ..workspace import empty

__all__ = ["Instruction", "Room"]


class Room(NamedTuple):
    """A slot with an array for a small kernel to write into."""

    slot: int
    shape: tuple[int, ...]
    dtype: Any

    def make(self) -> Any:
        """Such an array, whose numbers may be any."""
        return empty(self.shape, self.dtype)


class Instruction(NamedTuple):
    """One application of a function: to the values in which slots, and where its own value goes."""

    function: Callable
    takes: tuple[int, ...]
    gives: int
    effect: bool = False  # it changes something besides, so that it is needed even where its value is not
    of: tuple[str, str] | None = None  # which operation or gradient it is, if a kernel may do it together with another
    again: Callable | None = None  # what does an effect in words that can be repeated; see `arrays.recorded.run`
    rooms: tuple[Room, ...] = ()  # a small kernel's results: it is given them after what it takes, and has no value
    lets_go: tuple[int, ...] = ()  # the slots whose values nothing needs after it
