"""What the array API leaves out, and NumPy and JAX do differently: adding at indices, the error function."""

from typing import Any

import numpy

from .axes import is_basic_index
from .dtypes import is_half, widened
from .namespace import namespace

__all__ = ["add_into", "erf", "scatter_add"]


def erf(x: Any) -> Any:
    r"""The error function, elementwise. Shapes: (\*) -> (\*).

    .. math:: \operatorname{erf} x = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt
    """
    if namespace(x) is numpy:
        from scipy.special import erf as of_scipy

        return of_scipy(x).astype(x.dtype, copy=False)
    from jax.scipy.special import erf as of_jax

    return of_jax(x)


def scatter_add(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """An array of zeros to which ``g`` is added at an index; elements that are named twice receive both.

    Shapes: that of an array of this shape at this index -> shape.
    """
    if is_half(g.dtype):
        return scatter_add(widened(g), index, shape).astype(g.dtype)
    zeros = namespace(g).zeros(shape, dtype=g.dtype)
    if namespace(g) is not numpy:
        return zeros.at[index].add(g)
    if is_basic_index(index):
        zeros[index] = g
    else:
        numpy.add.at(zeros, index, g)
    return zeros


def add_into(out: Any, index: Any, part: Any) -> Any:
    """Add to an array of one's own at an index, in place where that can be done; the sum is what is returned."""
    if namespace(out) is not numpy:
        return out.at[index].add(part)
    if is_basic_index(index):
        out[index] += part
    else:
        numpy.add.at(out, index, part)
    return out
