"""A way back that serves several inputs of an operation: what several rules need, computed once."""

from collections.abc import Callable
from typing import Any

__all__ = ["Once"]


class Once:
    """A way back that serves several inputs: gone when the first rule asks for it, and remembered for the others."""

    def __init__(self, back: Callable):
        self.back, self.g, self.found = back, None, None

    def __call__(self, g) -> Any:
        if self.g is not g:
            self.g, self.found = g, self.back(g)
        return self.found
