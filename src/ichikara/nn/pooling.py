"""Pooling and upsampling."""

from collections.abc import Callable
from typing import Any, ClassVar

from .. import ops
from ..autodiff import Tensor
from ..errors import UserError, choose
from ..ops.window import sizes
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "MaxPool1d",
    "MaxPool2d",
    "Upsample",
]

_Lengths = int | tuple[int, ...]


class _Pool(Module):
    """What the layers of pooling share: they take images or sequences, of any number of channels."""

    _axes: ClassVar[int]
    _operation: ClassVar[Callable]

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (self._axes + 1, self._axes + 2):
            lengths = "height, width" if self._axes == 2 else "length"
            raise UserError(
                f"{self!r} takes inputs of shape (n, channels, {lengths}), and this one has shape {input.shape}"
            )
        return self._operation(input, *self._arguments())

    def _arguments(self) -> tuple[Any, ...]:
        """What the operation takes after the input."""
        raise NotImplementedError


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: _Lengths,
        stride: _Lengths | None = None,
        padding: _Lengths = 0,
        dilation: _Lengths = 1,
        *,
        ceil_mode: bool = False,
    ):
        super().__init__()
        sizes("kernel_size", kernel_size, self._axes)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode

    def _arguments(self) -> tuple[Any, ...]:
        return self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class _AvgPool(_Pool):
    def __init__(
        self,
        kernel_size: _Lengths,
        stride: _Lengths | None = None,
        padding: _Lengths = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ):
        super().__init__()
        sizes("kernel_size", kernel_size, self._axes)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.ceil_mode, self.count_include_pad = padding, ceil_mode, count_include_pad
        if self._axes == 1:  # PyTorch makes tuples of these lengths
            self.kernel_size, self.stride = sizes("kernel_size", kernel_size, 1), sizes("stride", self.stride, 1)
            self.padding = sizes("padding", padding, 1, at_least=0)

    def _arguments(self) -> tuple[Any, ...]:
        return self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_MaxPool):
    r"""Max pooling: the maximum of each window, which says that a pattern was found, and not exactly where.

    .. math:: y_{n c i} = \max_k x_{n c (s i + d k - p)}

    Shapes: (n, c, h, w) or (c, h, w) -> (n, c, oh, ow) or (c, oh, ow), where
    oh = (h + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1.

    Arguments: ``kernel_size``, of the window in pixels; ``stride``, s, pixels from one window to the next, by default
    their size; ``padding``, p, pixels around the image, at most half a window, which are never the maximum;
    ``dilation``, d, pixels from one element of the window to the next; ``ceil_mode``, whether a last window may reach
    beyond the edge. Lengths are a number, or a pair (vertical, horizontal).

    Raises UserError for a window that does not fit into the image.

    >>> MaxPool2d(2)([[[[1.0, 2.0], [4.0, 3.0]]]])
    Tensor([[[[4.]]]])

    Source: M. Ranzato et al., "Unsupervised Learning of Invariant Feature Hierarchies" (2007).
    """

    _axes = 2
    _operation = staticmethod(ops.max_pool2d)


class MaxPool1d(_MaxPool):
    r"""Max pooling of sequences: the maximum of each window.

    .. math:: y_{n c i} = \max_k x_{n c (s i + d k - p)}

    Shapes: (n, c, l) or (c, l) -> (n, c, ol) or (c, ol), where
    ol = (l + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1.

    Arguments: as of `MaxPool2d`, with lengths in steps.

    Raises UserError for a window that does not fit into the sequence.

    >>> MaxPool1d(2)([[[1.0, 2.0, 4.0, 3.0]]])
    Tensor([[[2., 4.]]])

    Source: R. Collobert et al., "Natural Language Processing (Almost) from Scratch" (2011).
    """

    _axes = 1
    _operation = staticmethod(ops.max_pool1d)


class AvgPool2d(_AvgPool):
    r"""Average pooling: the mean of each window.

    .. math:: y_{n c i} = \frac{1}{|k|} \sum_k x_{n c (s i + k - p)}

    Shapes: (n, c, h, w) or (c, h, w) -> (n, c, oh, ow) or (c, oh, ow), where
    oh = (h + 2 padding - kernel_size) // stride + 1.

    Arguments: as of `MaxPool2d`; ``count_include_pad``, whether the zeros of the padding count as elements;
    ``divisor_override``, by what sums are divided instead of the number of elements.

    Raises UserError for a window that does not fit into the image.

    >>> AvgPool2d(2)([[[[1.0, 2.0], [4.0, 3.0]]]])
    Tensor([[[[2.5]]]])

    Source: Y. LeCun et al., "Handwritten Digit Recognition with a Back-Propagation Network" (1990).
    """

    _axes = 2
    _operation = staticmethod(ops.avg_pool2d)

    def __init__(
        self,
        kernel_size: _Lengths,
        stride: _Lengths | None = None,
        padding: _Lengths = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        self.divisor_override = divisor_override

    def _arguments(self) -> tuple[Any, ...]:
        return *super()._arguments(), self.divisor_override


class AvgPool1d(_AvgPool):
    r"""Average pooling of sequences: the mean of each window.

    .. math:: y_{n c i} = \frac{1}{|k|} \sum_k x_{n c (s i + k - p)}

    Shapes: (n, c, l) or (c, l) -> (n, c, ol) or (c, ol), where ol = (l + 2 padding - kernel_size) // stride + 1.

    Arguments: as of `AvgPool2d`, with lengths in steps.

    Raises UserError for a window that does not fit into the sequence.

    >>> AvgPool1d(2)([[[1.0, 2.0, 4.0, 3.0]]])
    Tensor([[[1.5, 3.5]]])

    Source: PyTorch's ``torch.nn.AvgPool1d``.
    """

    _axes = 1
    _operation = staticmethod(ops.avg_pool1d)


class _Adaptive(_Pool):
    def __init__(self, output_size: Any):
        super().__init__()
        given = output_size if isinstance(output_size, tuple | list) else [output_size] * self._axes
        sizes("output_size", [1 if n is None else n for n in given], self._axes)
        self.output_size = output_size

    def _arguments(self) -> tuple[Any, ...]:
        return (self.output_size,)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool2d(_Adaptive):
    r"""Average pooling to a fixed output size, whatever the size of the image; with 1, global average pooling.

    .. math:: y_{n c i} = \frac{1}{|J_i|} \sum_{j \in J_i} x_{n c j}, \qquad
        J_i = \bigl\{\lfloor i l / o \rfloor, \dots, \lceil (i + 1) l / o \rceil - 1\bigr\}

    Shapes: (n, c, h, w) or (c, h, w) -> (n, c, \*output_size) or (c, \*output_size).

    Arguments: ``output_size``, o, a number, or a pair (vertical, horizontal) of which None keeps an axis as it is.

    Raises UserError for a size that is not made of whole numbers above 0.

    >>> AdaptiveAvgPool2d(1)([[[[1.0, 2.0], [4.0, 3.0]]]])
    Tensor([[[[2.5]]]])

    Source: M. Lin, Q. Chen and S. Yan, "Network In Network" (2013).
    """

    _axes = 2
    _operation = staticmethod(ops.adaptive_avg_pool2d)


class AdaptiveAvgPool1d(_Adaptive):
    r"""Average pooling of sequences to a fixed output size.

    .. math:: y_{n c i} = \frac{1}{|J_i|} \sum_{j \in J_i} x_{n c j}

    Shapes: (n, c, l) or (c, l) -> (n, c, output_size) or (c, output_size).

    Arguments: as of `AdaptiveAvgPool2d`.

    Raises UserError for a size that is not a whole number above 0.

    >>> AdaptiveAvgPool1d(1)([[[1.0, 2.0, 6.0]]])
    Tensor([[[3.]]])

    Source: PyTorch's ``torch.nn.AdaptiveAvgPool1d``.
    """

    _axes = 1
    _operation = staticmethod(ops.adaptive_avg_pool1d)


class AdaptiveMaxPool2d(_Adaptive):
    r"""Max pooling to a fixed output size, whatever the size of the image.

    .. math:: y_{n c i} = \max_{j \in J_i} x_{n c j}

    Shapes: (n, c, h, w) or (c, h, w) -> (n, c, \*output_size) or (c, \*output_size).

    Arguments: as of `AdaptiveAvgPool2d`.

    Raises UserError for a size that is not made of whole numbers above 0.

    >>> AdaptiveMaxPool2d(1)([[[[1.0, 2.0], [4.0, 3.0]]]])
    Tensor([[[[4.]]]])

    Source: K. He et al., "Spatial Pyramid Pooling in Deep Convolutional Networks" (2014).
    """

    _axes = 2
    _operation = staticmethod(ops.adaptive_max_pool2d)


class Upsample(Module):
    r"""Images or sequences of another size: each element is the nearest of the input's, or a mean of its neighbours.

    .. math:: y_{n c i} = \sum_j \max(0, 1 - |u_i - j|)\,x_{n c j}, \qquad u_i = \frac{i + 1/2}{\text{scale}} - \frac12

    Shapes: (n, c, h, w) -> (n, c, \*size), or (n, c, l) -> (n, c, size).

    Arguments: ``size``, of the output; or ``scale_factor``, by which it is larger, each a number or one for each axis;
    ``mode``, ``'nearest'``, ``'linear'`` (sequences) or ``'bilinear'`` (images); ``align_corners``, whether the centres
    of the corner elements coincide, not with the nearest.

    Raises UserError for another mode, and where not one of ``size`` and ``scale_factor`` is given.

    >>> Upsample(scale_factor=2)([[[1.0, 2.0]]])
    Tensor([[[1., 1., 2., 2.]]])

    Source: R. Szeliski, "Computer Vision" (2010), section 3.5; instead of a transposed convolution, A. Odena et al.,
    "Deconvolution and Checkerboard Artifacts" (2016).
    """

    def __init__(
        self, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
    ):
        super().__init__()
        if (size is None) == (scale_factor is None):
            raise UserError("Upsample is given a size or a scale_factor, one of the two")
        self.size = tuple(size) if isinstance(size, tuple | list) else size
        many = isinstance(scale_factor, tuple | list)
        self.scale_factor = (
            tuple(map(float, scale_factor)) if many else None if scale_factor is None else float(scale_factor)
        )
        self.mode = choose("mode", mode, {name: name for name in ("nearest", "linear", "bilinear")})
        self.align_corners = align_corners

    def forward(self, input: Tensor) -> Tensor:
        return ops.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        what = f"scale_factor={self.scale_factor!r}" if self.size is None else f"size={self.size!r}"
        return f"{what}, mode={self.mode!r}"
