"""Normalisation: layers that bring their input to mean 0 and variance 1, then scale and shift it as is learnt."""

from typing import Any

from .. import ops
from ..arrays import as_dtype, default_float, is_half, seam, widened
from ..autodiff import Tensor, asarray, raw
from ..checks import fraction, positive, whole_number
from ..errors import UserError
from ..ops.window import sizes
from .module import Module
from .parameter import Parameter

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "LayerNorm",
    "RMSNorm",
]


def _parameter(layer, name, shape, start, wanted, dtype):
    made = Parameter(ops.full(shape, start, dtype=dtype or default_float)) if wanted else None
    layer.register_parameter(name, made)


def _moved(running, new, scale, momentum):
    """Running statistics on their way to new ones, of which there is one for each of theirs; float32 at least."""
    return widened(running) + (new.reshape(running.shape) * scale - running) * momentum


class _Running(Module):
    """What batch and instance normalisation share: a scale and a shift for each channel, and running statistics."""

    _ndims: tuple[int, ...]
    _shapes: str
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def _make(self, num_features, eps, momentum, affine, track_running_stats, dtype, bias):
        self.num_features = whole_number("num_features", num_features)
        self.eps = positive("eps", eps)
        self.momentum = None if momentum is None else fraction("momentum", momentum)
        self.affine, self.track_running_stats = affine, track_running_stats
        dtype = as_dtype(dtype or default_float)
        shape = (self.num_features,)
        _parameter(self, "weight", shape, 1.0, affine, dtype)
        _parameter(self, "bias", shape, 0.0, affine and bias, dtype)
        tracks, dtype = track_running_stats, default_float if is_half(dtype) else dtype  # a variance exceeds float16
        self.register_buffer("running_mean", ops.zeros(shape, dtype=dtype) if tracks else None)
        self.register_buffer("running_var", ops.ones(shape, dtype=dtype) if tracks else None)
        self.register_buffer("num_batches_tracked", ops.zeros((), dtype="int64") if tracks else None)

    def reset_running_stats(self) -> None:
        """Forget the running statistics: mean 0, variance 1, no batches."""
        if self.track_running_stats:
            self.running_mean = ops.zeros_like(self.running_mean)
            self.running_var = ops.ones_like(self.running_var)
            self.num_batches_tracked = ops.zeros_like(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Set the parameters and the running statistics to where they start."""
        self.reset_running_stats()
        if self.weight is not None:
            self.weight.data = ops.ones_like(self.weight)
        if self.bias is not None:
            self.bias.data = ops.zeros_like(self.bias)

    def _check(self, input: Tensor, channels: int) -> None:
        if input.ndim not in self._ndims or input.shape[channels] != self.num_features:
            raise UserError(
                f"{self!r} takes inputs of shape {self._shapes.format(c=self.num_features)}, "
                f"and this one has shape {input.shape}"
            )

    def _update(self, mean, var, count: int, momentum) -> None:
        """Move the running statistics towards these; the variance becomes that of all examples, not of these alone."""
        moved = seam.interpreter.call
        for name, new, scale in (("running_mean", mean, 1.0), ("running_var", var, count / (count - 1))):
            setattr(self, name, asarray(moved(_moved, raw(getattr(self, name)), raw(new), scale, momentum)))

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_Running):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: Any = None,
        bias: bool = True,
    ):
        super().__init__()
        self._make(num_features, eps, momentum, affine, track_running_stats, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        return self.normalised(input)

    def normalised(self, input: Tensor, normalise: Any = ops.norm.normalise) -> Tensor:
        """The output. Arguments: ``normalise``, the function that brings a batch to mean 0 and variance 1."""
        self._check(input, 1)
        mean, var = self.running_mean, self.running_var
        if not self.training and mean is not None and var is not None:
            return ops.batch_norm(input, mean, var, self.weight, self.bias, False, self.eps)
        y, mean, var = ops.norm.normalise_batch(input, self.weight, self.bias, self.eps, normalise)
        if self.training and self.track_running_stats:
            self.num_batches_tracked = self.num_batches_tracked + 1
            momentum = self.momentum
            if momentum is None:  # the plain mean of all batches so far
                momentum = raw(1 / self.num_batches_tracked.astype(self.running_mean.dtype))
            self._update(mean, var, input.size // self.num_features, momentum)
        return y


class BatchNorm1d(_BatchNorm):
    r"""Each component normalised over the batch while training; in evaluation by running statistics.

    .. math:: y = w\,\frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + b, \qquad
        \mu_{\text{running}} \leftarrow (1 - m)\,\mu_{\text{running}} + m\,\mu

    Shapes: (n, num_features) or (n, num_features, l) -> the same; parameters and running statistics (num_features).

    Arguments: ``num_features``, the number of components or channels; ``eps``, ε, which keeps the division from
    overflowing; ``momentum``, m, how much a new batch counts in the running statistics, None for the plain mean of all
    batches; ``affine``, whether w and b are there, and learnt; ``track_running_stats``, whether there are running
    statistics, without which a batch is normalised by its own in evaluation too; ``dtype``, of the parameters, float32
    by default; ``bias``, whether b is there beside w.

    Raises UserError for an input of another shape, and in training for a batch with one value for each channel, which
    has no variance.

    >>> layer = BatchNorm1d(2)
    >>> layer([[1.0, 2.0], [3.0, 6.0]]).numpy().round(3).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    >>> layer.running_mean
    Tensor([0.2, 0.4])

    Source: S. Ioffe and C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
    Covariate Shift" (2015).
    """

    _ndims = (2, 3)
    _shapes = "(n, {c}) or (n, {c}, length)"


class BatchNorm2d(_BatchNorm):
    r"""Each channel of images normalised over the batch and all pixels while training.

    .. math:: y_{n c i} = w_c\,\frac{x_{n c i} - \mu_c}{\sqrt{\sigma_c^2 + \varepsilon}} + b_c

    Shapes: (n, num_features, h, w) -> the same; parameters and running statistics (num_features).

    Arguments: as of `BatchNorm1d`.

    Raises UserError for an input of another shape, and in training for a batch with one value for each channel.

    >>> import ichikara
    >>> BatchNorm2d(3)(ichikara.zeros((2, 3, 4, 4))).shape
    (2, 3, 4, 4)

    Source: S. Ioffe and C. Szegedy, "Batch Normalization" (2015), section 3.2.
    """

    _ndims = (4,)
    _shapes = "(n, {c}, height, width)"


class _InstanceNorm(_Running):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        dtype: Any = None,
        bias: bool = True,
    ):
        super().__init__()
        self._make(num_features, eps, momentum, affine, track_running_stats, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        single = input.ndim == self._ndims[0]
        self._check(input, 0 if single else 1)
        x = ops.expand_dims(input, axis=0) if single else input
        if self.training or not self.track_running_stats:
            y, mean, var = ops.norm.normalise_positions(x, self.weight, self.bias, self.eps)
        else:
            y = ops.instance_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, self.eps)
        if self.training and self.track_running_stats and x.shape[0]:
            mean, var = mean.mean(axis=0), var.mean(axis=0)
            self._update(mean, var, x.size // (x.shape[0] * self.num_features), self.momentum or 0.0)
        return ops.squeeze(y, axis=0) if single else y


class InstanceNorm1d(_InstanceNorm):
    r"""Each channel of each sequence normalised by itself.

    .. math:: y_{n c i} = w_c\,\frac{x_{n c i} - \mu_{n c}}{\sqrt{\sigma_{n c}^2 + \varepsilon}} + b_c

    Shapes: (n, num_features, l) or (num_features, l) -> the same; parameters and running statistics (num_features).

    Arguments: as of `BatchNorm1d`, the running statistics being those of the examples' own.

    Raises UserError for an input of another shape, and for sequences of length 1, which have no variance.

    >>> InstanceNorm1d(1)([[[1.0, 3.0]]]).numpy().round(3).tolist()
    [[[-1.0, 1.0]]]

    Source: D. Ulyanov, A. Vedaldi and V. Lempitsky, "Instance Normalization: The Missing Ingredient for Fast
    Stylization" (2016).
    """

    _ndims = (2, 3)
    _shapes = "(n, {c}, length) or ({c}, length)"


class InstanceNorm2d(_InstanceNorm):
    r"""Each channel of each image normalised by itself.

    .. math:: y_{n c i} = w_c\,\frac{x_{n c i} - \mu_{n c}}{\sqrt{\sigma_{n c}^2 + \varepsilon}} + b_c

    Shapes: (n, num_features, h, w) or (num_features, h, w) -> the same; parameters and running statistics
    (num_features).

    Arguments: as of `BatchNorm1d`, the running statistics being those of the examples' own.

    Raises UserError for an input of another shape, and for images of one pixel, which have no variance.

    >>> InstanceNorm2d(1)([[[[1.0, 3.0]]]]).numpy().round(3).tolist()
    [[[[-1.0, 1.0]]]]

    Source: D. Ulyanov, A. Vedaldi and V. Lempitsky, "Instance Normalization" (2016).
    """

    _ndims = (3, 4)
    _shapes = "(n, {c}, height, width) or ({c}, height, width)"


class LayerNorm(Module):
    r"""Each example normalised by itself, over its last axes: nothing depends on the batch.

    .. math:: y = w\,\frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + b

    Shapes: (\*, \*normalized_shape) -> the same; ``weight`` and ``bias`` (\*normalized_shape).

    Arguments: ``normalized_shape``, the lengths of the axes that are taken together, a number if it is one; ``eps``, ε,
    which keeps the division from overflowing; ``elementwise_affine``, whether w is there, and learnt; ``bias``, whether
    b is there beside it; ``dtype``, of the parameters, float32 by default.

    Raises UserError for an input that does not end in this shape.

    >>> LayerNorm(2)([[1.0, 3.0]]).numpy().round(3).tolist()
    [[-1.0, 1.0]]

    Source: J. Ba, J. Kiros and G. Hinton, "Layer Normalization" (2016).
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: Any = None,
    ):
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = positive("eps", eps), elementwise_affine
        _parameter(self, "weight", self.normalized_shape, 1.0, elementwise_affine, dtype)
        _parameter(self, "bias", self.normalized_shape, 0.0, elementwise_affine and bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        _check_end(self, input)
        return ops.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    r"""Each example brought to root mean square 1 over its last axes: `LayerNorm` without taking off the mean.

    .. math:: y = w\,\frac{x}{\sqrt{\tfrac1n \sum_i x_i^2 + \varepsilon}}

    Shapes: (\*, \*normalized_shape) -> the same; ``weight`` (\*normalized_shape).

    Arguments: ``normalized_shape``, ``elementwise_affine`` and ``dtype``, as of `LayerNorm`; ``eps``, ε, by default the
    smallest step from 1 in the input's type.

    Raises UserError for an input that does not end in this shape.

    >>> RMSNorm(2)([[2.0, 2.0]]).numpy().round(3).tolist()
    [[1.0, 1.0]]

    Source: B. Zhang and R. Sennrich, "Root Mean Square Layer Normalization" (2019).
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: Any = None,
    ):
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = None if eps is None else positive("eps", eps), elementwise_affine
        _parameter(self, "weight", self.normalized_shape, 1.0, elementwise_affine, dtype)

    def forward(self, x: Tensor) -> Tensor:
        _check_end(self, x)
        return ops.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


def _shape(given):
    lengths = given if isinstance(given, tuple | list) else (given,)
    if not lengths:
        raise UserError("normalized_shape has at least one length")
    return sizes("normalized_shape", lengths, len(lengths))


def _check_end(layer, input):
    shape = layer.normalized_shape
    if input.shape[-len(shape) :] != shape:
        raise UserError(
            f"{layer!r} takes inputs of shape (*, {', '.join(map(str, shape))}), and this one has shape {input.shape}"
        )


class GroupNorm(Module):
    r"""Each example normalised by itself, in groups of channels: between `LayerNorm` and `InstanceNorm2d`.

    .. math:: y_{n c i} = w_c\,\frac{x_{n c i} - \mu_{n k}}{\sqrt{\sigma_{n k}^2 + \varepsilon}} + b_c, \qquad c \in k

    Shapes: (n, num_channels, \*) -> the same; ``weight`` and ``bias`` (num_channels).

    Arguments: ``num_groups``, k, into how many groups the channels go; ``num_channels``; ``eps``, ε, which keeps the
    division from overflowing; ``affine``, whether w and b are there, and learnt; ``dtype``, of the parameters, float32
    by default; ``bias``, whether b is there beside w.

    Raises UserError for channels that do not divide by the groups, and for an input of another shape.

    >>> import ichikara
    >>> GroupNorm(2, 4)(ichikara.zeros((3, 4, 5, 5))).shape
    (3, 4, 5, 5)

    Source: Y. Wu and K. He, "Group Normalization" (2018).
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        dtype: Any = None,
        bias: bool = True,
    ):
        super().__init__()
        self.num_groups = whole_number("num_groups", num_groups)
        self.num_channels = whole_number("num_channels", num_channels)
        if self.num_channels % self.num_groups:
            raise UserError(f"GroupNorm: {num_channels} channels do not divide into {num_groups} groups of one size")
        self.eps, self.affine = positive("eps", eps), affine
        _parameter(self, "weight", (self.num_channels,), 1.0, affine, dtype)
        _parameter(self, "bias", (self.num_channels,), 0.0, affine and bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim < 2 or input.shape[1] != self.num_channels:
            raise UserError(
                f"{self!r} takes inputs of shape (n, {self.num_channels}, *), and this one has shape {input.shape}"
            )
        return ops.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        affine = f"affine={self.affine}, bias={self.bias is not None}"
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, {affine}"
