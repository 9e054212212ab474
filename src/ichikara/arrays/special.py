"""What the array API leaves out, and NumPy and JAX do differently: adding at indices, the error function."""

from typing import Any

import numpy

from .namespace import namespace

__all__ = ["erf", "is_basic_index", "scatter_add"]


def erf(x: Any) -> Any:
    r"""The error function, elementwise. Shapes: (\*) -> (\*).

    .. math:: \operatorname{erf} x = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt
    """
    if namespace(x) is numpy:
        from scipy.special import erf as of_scipy

        return of_scipy(x)
    from jax.scipy.special import erf as of_jax

    return of_jax(x)


def is_basic_index(index: Any) -> bool:
    """Whether an index is made of numbers, slices, ``...`` and None alone, so that it names no element twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(isinstance(p, int | numpy.integer | slice | type(None) | type(...)) for p in parts) and not any(
        isinstance(p, bool) for p in parts
    )


def scatter_add(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """An array of zeros to which ``g`` is added at an index; elements that are named twice receive both.

    Shapes: that of an array of this shape at this index -> shape.
    """
    if namespace(g) is not numpy:
        return namespace(g).zeros(shape, dtype=g.dtype).at[index].add(g)
    out = numpy.zeros(shape, dtype=g.dtype)
    if is_basic_index(index):
        out[index] = g
    else:
        numpy.add.at(out, index, g)
    return out
