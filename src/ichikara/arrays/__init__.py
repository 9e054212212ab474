"""Floor 1: which library computes. The floors of the engine above it name neither NumPy nor JAX."""

from .namespace import dtype_name, is_array, is_floating, is_traced, namespace, to_numpy
from .random import Generator, default_generator, seed, using

__all__ = [
    "Generator",
    "default_generator",
    "dtype_name",
    "is_array",
    "is_floating",
    "is_traced",
    "namespace",
    "seed",
    "to_numpy",
    "using",
]
