"""Random bits by the kernel where kernels are loaded."""

from typing import Any

from ..arrays.threefry import threefry as plain_threefry
from . import lookup

__all__ = ["threefry"]

_MANY = 1 << 20  # NumPy needs as long for so many numbers as Python for importing the kernels


def threefry(key: tuple[int, int], first: int, count: int) -> Any:
    """`arrays.threefry.threefry`, and the same bits."""
    kernel = lookup.find("arrays.threefry").get("") if count >= _MANY or lookup.are_loaded() else None
    return (kernel or plain_threefry)(key, first, count)
