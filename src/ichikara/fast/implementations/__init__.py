"""Operations fused for NumPy's arrays of any size, with rules derived by hand; importing them registers them."""

from . import attention, convolution, layout, linalg, loss, norm, recurrent

__all__ = ["attention", "convolution", "layout", "linalg", "loss", "norm", "recurrent"]
