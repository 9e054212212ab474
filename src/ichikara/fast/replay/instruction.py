"""Instructions, of which programs are made."""

from collections.abc import Callable
from typing import Any, NamedTuple

from ..workspace import empty

__all__ = ["Instruction", "OutputBuffer"]


class OutputBuffer(NamedTuple):
    """A slot for an array that a small kernel writes into."""

    slot: int
    shape: tuple[int, ...]
    dtype: Any

    def allocate(self) -> Any:
        """An uninitialised array of this shape and type."""
        return empty(self.shape, self.dtype)


class Instruction(NamedTuple):
    """A call of a function: the slots of its arguments, and the slot of its value."""

    function: Callable
    inputs: tuple[int, ...]
    output: int
    effect: bool = False  # it has a side effect, so it is needed even where its value is not
    operation: tuple[str, str] | None = None  # the operation, and the input of a gradient, if a kernel may fuse it
    launch: Callable | None = None  # does the effect by calls through the workspace; see `call_log.log_effect`
    buffers: tuple[OutputBuffer, ...] = ()  # a small kernel's results: its last arguments; it has no value then
    frees: tuple[int, ...] = ()  # the slots whose values nothing needs after it
