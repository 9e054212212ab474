"""The size of the processor's vectors."""

from typing import Any

from .code_cache import target_cpu

__all__ = ["VECTOR_BYTES", "lanes"]

VECTOR_BYTES = 64 if "+avx512f" in target_cpu()[1].split(",") else 32
"""The size of a vector: 16 or 8 elements of float32, half as many of float64."""


def lanes(element: Any) -> int:
    """How many elements of Numba's type ``element`` a vector has."""
    return VECTOR_BYTES * 8 // element.bitwidth
