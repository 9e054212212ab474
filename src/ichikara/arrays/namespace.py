"""Which library computes: NumPy, JAX, or ichikara itself when the arrays are Tensors.

A derivative in `ichikara.ops` is written once, against the Python array API. `namespace` looks at the arrays it is
given and answers with the library that works on them, so the same line runs on NumPy arrays (the eager path), on JAX
tracers (staging) and on Tensors (gradients of gradients).

Source: the Python array API standard, https://data-apis.org/array-api/latest/.
"""

from typing import Any

import numpy

__all__ = [
    "PYTHON_NUMBERS",
    "READY",
    "dtype_name",
    "is_array",
    "is_floating",
    "is_scalar",
    "is_tensor",
    "is_traced",
    "namespace",
]

# How strongly a type claims the computation: a Tensor among NumPy arrays makes it ichikara's, a JAX array JAX's.
_RANK_PLAIN, _RANK_NUMPY, _RANK_JAX, _RANK_TENSOR = range(4)
_ranks: dict[type, int] = {}

PYTHON_NUMBERS = frozenset((int, float, bool))
"""The types of numbers that take the type of the arrays beside them."""

READY = PYTHON_NUMBERS | {numpy.ndarray, type(None)}
"""The types of values that NumPy computes with as they are."""


def _rank(kind: type) -> int:
    """How strongly values of this type claim the computation, remembered per type."""
    own = kind.__module__.partition(".")[0] == "ichikara"
    if own and hasattr(kind, "__array_namespace__"):
        rank = _RANK_TENSOR
    elif issubclass(kind, numpy.ndarray | numpy.generic) or (own and hasattr(kind, "__array_function__")):
        rank = _RANK_NUMPY
    elif any(base.__module__.partition(".")[0] in ("jax", "jaxlib") for base in kind.__mro__):
        rank = _RANK_JAX
    else:
        rank = _RANK_PLAIN
    _ranks[kind] = rank
    return rank


def namespace(*arrays: Any) -> Any:
    """The array-API namespace in which these arrays are computed with.

    Python numbers and None follow the arrays beside them; on their own they are NumPy's.

    >>> namespace(numpy.zeros(3)).__name__
    'numpy'
    """
    strongest, holder = _RANK_NUMPY, None
    for array in arrays:
        kind = type(array)
        rank = _ranks.get(kind)
        if rank is None:
            rank = _rank(kind)
        if rank > strongest:
            strongest, holder = rank, array
    if strongest == _RANK_NUMPY:
        return numpy
    if strongest == _RANK_JAX:
        import jax.numpy

        return jax.numpy
    return holder.__array_namespace__()  # type: ignore[union-attr]


def _rank_of(value: Any) -> int:
    rank = _ranks.get(type(value))
    return _rank(type(value)) if rank is None else rank


def is_array(value: Any) -> bool:
    """Whether the value is an array that an operation can compute with as it stands: NumPy's, JAX's or a Tensor."""
    return _rank_of(value) != _RANK_PLAIN


def is_traced(value: Any) -> bool:
    """Whether the value is traced: it has a shape and a type, and no numbers to be looked at."""
    rank = _rank_of(value)
    if rank == _RANK_NUMPY:
        return not isinstance(value, numpy.ndarray | numpy.generic)
    if rank != _RANK_JAX:
        return False
    import jax

    return isinstance(value, jax.core.Tracer)


def is_scalar(value: Any) -> bool:
    """Whether the value is one of NumPy's scalars, such as numpy.float64(1)."""
    return isinstance(value, numpy.generic)


def is_tensor(value: Any) -> bool:
    """Whether the value is one of ichikara's Tensors."""
    return _rank_of(value) == _RANK_TENSOR


def dtype_name(array: Any) -> str:
    """The array-API name of an array's type, such as ``'float32'``."""
    return str(array.dtype)


def is_floating(array: Any) -> bool:
    """Whether the array holds real floating-point numbers: the only ones that a gradient can flow through."""
    return array.dtype.kind == "f" or dtype_name(array) == "bfloat16"
