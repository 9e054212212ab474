"""Convolutions: each neuron sees a small window, and all positions share the weights."""

import math
from typing import Any

from .. import ops
from ..arrays import default_float, namespace
from ..autodiff import Tensor
from ..checks import whole_number
from ..errors import UserError, choose
from ..ops.window import sizes
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"]

_host = namespace()  # the indices of a padding depend on shapes alone, so they are NumPy's

# For positions from before the start to beyond the end: the index of the element of an axis of length n.
_PADDED = {
    "reflect": lambda place, n: n - 1 - abs(n - 1 - abs(place)),
    "replicate": lambda place, n: _host.clip(place, 0, n - 1),
    "circular": lambda place, n: place % n,
}


class _Convolution(Module):
    """What the four layers share: arguments, parameters, and their initial values."""

    _axes: int
    _transposed = False

    def _make(self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, dtype):
        self.in_channels = whole_number("in_channels", in_channels)
        self.out_channels = whole_number("out_channels", out_channels)
        self.groups = whole_number("groups", groups)
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                raise UserError(f"{name}={getattr(self, name)} does not divide into {self.groups} groups of one size")
        self.kernel_size = sizes("kernel_size", kernel_size, self._axes)
        self.stride = sizes("stride", stride, self._axes)
        self.dilation = sizes("dilation", dilation, self._axes)
        if isinstance(padding, str) and not self._transposed:
            self.padding: Any = choose("padding", padding, {"same": "same", "valid": "valid"})
            if padding == "same" and set(self.stride) != {1}:
                raise UserError(f"padding='same' keeps the size of an image, which stride {stride} does not")
        else:
            self.padding = sizes("padding", padding, self._axes, at_least=0)
        first, second = self.out_channels, self.in_channels // self.groups
        if self._transposed:
            first, second = self.in_channels, self.out_channels // self.groups
        dtype = dtype or default_float
        self.weight = Parameter(ops.zeros((first, second, *self.kernel_size), dtype=dtype))
        self.register_parameter("bias", Parameter(ops.zeros((self.out_channels,), dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values for the parameters."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
            init.uniform_(self.bias, -bound, bound)

    def _check(self, input: Tensor) -> None:
        if input.ndim not in (self._axes + 1, self._axes + 2) or input.shape[-self._axes - 1] != self.in_channels:
            lengths = "height, width" if self._axes == 2 else "length"
            raise UserError(
                f"{self!r} takes inputs of shape (n, {self.in_channels}, {lengths}), "
                f"and this one has shape {input.shape}"
            )

    def extra_repr(self) -> str:
        words = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        usual: dict[str, Any] = {"padding": (0,) * self._axes, "dilation": (1,) * self._axes}
        usual |= {"output_padding": (0,) * self._axes, "groups": 1}
        words += [f"{name}={value}" for name in usual if (value := getattr(self, name, usual[name])) != usual[name]]
        if self.bias is None:
            words.append("bias=False")
        if self.padding_mode != "zeros":
            words.append(f"padding_mode={self.padding_mode}")
        return ", ".join(words)


class _Forward(_Convolution):
    """Convolution over some axes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: Any = None,
    ):
        super().__init__()
        choose("padding_mode", padding_mode, {"zeros": None, **_PADDED})
        self.padding_mode = padding_mode
        self._make(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        self._check(input)
        convolve = ops.conv2d if self._axes == 2 else ops.conv1d
        padding = self.padding
        if self.padding_mode != "zeros" and padding != "valid":
            input, padding = self._padded(input), 0
        return convolve(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _padded(self, input):
        """The input, padded by the padding mode."""
        for axis in range(self._axes):
            if self.padding == "same":
                missing = self.dilation[axis] * (self.kernel_size[axis] - 1)
                before, after = missing // 2, missing - missing // 2
            else:
                before = after = self.padding[axis]
            length = input.shape[axis - self._axes]
            most = {"reflect": length - 1, "circular": length, "replicate": math.inf if length else 0}
            if max(before, after) > most[self.padding_mode]:
                raise UserError(
                    f"{self!r}: an axis of length {length} cannot be padded by {max(before, after)} elements"
                )
            place = _PADDED[self.padding_mode](_host.arange(-before, length + after), length)
            input = ops.take(input, place, axis=input.ndim - self._axes + axis)
        return input


class Conv2d(_Forward):
    r"""Convolution of images: patterns of a few pixels, each matched at every position.

    .. math:: y_{n o i} = b_o + \sum_{c, k} w_{o c k}\,x_{n c (s i + d k - p)}

    What is learnt at one position holds at all. Parameters start uniform between :math:`\pm 1 / \sqrt{c\,k_h k_w}`,
    where c is the number of channels that a window sees.

    Shapes: (n, in_channels, h, w) or (in_channels, h, w) -> (n, out_channels, oh, ow) or (out_channels, oh, ow), where
    oh = (h + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1; ``weight`` (out_channels, in_channels / groups,
    kernel height, kernel width), ``bias`` (out_channels).

    Arguments: ``in_channels`` and ``out_channels``, of the images and the number of patterns; ``kernel_size``, of the
    window in pixels; ``stride``, s, pixels from one position to the next; ``padding``, p, pixels around the image,
    ``'valid'`` for none or ``'same'`` for as many as keep its size; ``dilation``, d, pixels from one element of the
    window to the next; ``groups``, of channels that are not connected; ``bias``, whether there is one;
    ``padding_mode``, what is around the image: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``;
    ``dtype``, of the parameters, float32 by default. Lengths are a number, or a pair (vertical, horizontal).

    Raises UserError for channels that do not divide by the groups, and for an input of another shape.

    >>> layer = Conv2d(1, 8, kernel_size=3, padding="same")
    >>> import ichikara
    >>> layer(ichikara.zeros((2, 1, 28, 28))).shape
    (2, 8, 28, 28)

    Source: Y. LeCun et al., "Backpropagation Applied to Handwritten Zip Code Recognition" (1989).
    """

    _axes = 2


class Conv1d(_Forward):
    r"""Convolution of sequences: patterns of a few steps, each matched at every position.

    .. math:: y_{n o i} = b_o + \sum_{c, k} w_{o c k}\,x_{n c (s i + d k - p)}

    Shapes: (n, in_channels, l) or (in_channels, l) -> (n, out_channels, ol) or (out_channels, ol), where
    ol = (l + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1; ``weight`` (out_channels, in_channels / groups,
    kernel_size), ``bias`` (out_channels).

    Arguments: as of `Conv2d`, with lengths in steps.

    Raises UserError for channels that do not divide by the groups, and for an input of another shape.

    >>> import ichikara
    >>> Conv1d(4, 8, kernel_size=3)(ichikara.zeros((2, 4, 10))).shape
    (2, 8, 8)

    Source: A. Waibel et al., "Phoneme Recognition Using Time-Delay Neural Networks" (1989).
    """

    _axes = 1


class _Transposed(_Convolution):
    """Transposed convolution over some axes."""

    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        output_padding: int | tuple[int, ...] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, ...] = 1,
        padding_mode: str = "zeros",
        *,
        dtype: Any = None,
    ):
        super().__init__()
        self.padding_mode = choose("padding_mode", padding_mode, {"zeros": "zeros"})
        self.output_padding = sizes("output_padding", output_padding, self._axes, at_least=0)
        self._make(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, dtype)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        self._check(input)
        extra = self.output_padding if output_size is None else self._output_padding(input, output_size)
        convolve = ops.conv_transpose2d if self._axes == 2 else ops.conv_transpose1d
        return convolve(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)

    def _output_padding(self, input, output_size):
        """The output_padding that gives this output size."""
        given = list(output_size) if isinstance(output_size, tuple | list) else [output_size] * self._axes
        wanted = sizes("output_size", given[-self._axes :], self._axes)
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                input.shape[-self._axes :], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        extra = tuple(n - m for n, m in zip(wanted, least, strict=True))
        if any(not 0 <= n < s for n, s in zip(extra, self.stride, strict=True)):
            most = tuple(m + s - 1 for m, s in zip(least, self.stride, strict=True))
            raise UserError(
                f"{self!r}: of an input of shape {input.shape} the output can be made from {tuple(least)} to {most} "
                f"large, not {wanted}"
            )
        return extra


class ConvTranspose2d(_Transposed):
    r"""Transposed convolution of images: each pixel adds to a window of the output, so that images grow by the stride.

    .. math:: y_{n c j} = b_c + \sum_{o, i, k:\,s i + d k - p = j} w_{o c k}\,x_{n o i}

    It is to `Conv2d` what its gradient is: shapes are exchanged, and it does not undo it.

    Shapes: (n, in_channels, h, w) or (in_channels, h, w) -> (n, out_channels, oh, ow) or (out_channels, oh, ow), where
    oh = (h - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1; ``weight`` (in_channels,
    out_channels / groups, kernel height, kernel width), ``bias`` (out_channels).

    Arguments: as of `Conv2d`, ``padding`` being taken off the output; ``output_padding``, rows and columns to add at
    its end, fewer than the stride. The call takes an ``output_size``, from which it is worked out.

    Raises UserError for channels that do not divide by the groups, and for an input of another shape.

    >>> import ichikara
    >>> ConvTranspose2d(8, 1, kernel_size=4, stride=2, padding=1)(ichikara.zeros((2, 8, 14, 14))).shape
    (2, 1, 28, 28)

    Source: M. Zeiler et al., "Deconvolutional Networks" (2010); V. Dumoulin and F. Visin, "A guide to convolution
    arithmetic for deep learning" (2016).
    """

    _axes = 2


class ConvTranspose1d(_Transposed):
    r"""Transposed convolution of sequences: each step contributes to a window of the output.

    .. math:: y_{n c j} = b_c + \sum_{o, i, k:\,s i + d k - p = j} w_{o c k}\,x_{n o i}

    Shapes: (n, in_channels, l) or (in_channels, l) -> (n, out_channels, ol) or (out_channels, ol), where
    ol = (l - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1; ``weight`` (in_channels,
    out_channels / groups, kernel_size), ``bias`` (out_channels).

    Arguments: as of `ConvTranspose2d`, with lengths in steps.

    Raises UserError for channels that do not divide by the groups, and for an input of another shape.

    >>> import ichikara
    >>> ConvTranspose1d(8, 4, kernel_size=2, stride=2)(ichikara.zeros((2, 8, 5))).shape
    (2, 4, 10)

    Source: M. Zeiler et al., "Deconvolutional Networks" (2010).
    """

    _axes = 1
