"""Implementations of operations by NumPy, for arrays of any size. Importing this package registers all of them."""

from . import attention, convolution, layout, linalg, loss, norm, recurrent

__all__ = ["attention", "convolution", "layout", "linalg", "loss", "norm", "recurrent"]
