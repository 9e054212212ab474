r"""Normalisation: numbers brought to mean 0 and variance 1, so that a layer's input keeps its scale while others learn.

The kinds differ in the axes along which the mean is taken; `normalise` serves them all.
"""

import math

from ..arrays import default_float, is_floating, is_half, namespace, widened
from ..autodiff import asarray, composed, raw
from ..errors import UserError
from .elementwise import sqrt
from .reduce import mean
from .shape import reshape
from .window import sizes

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "normalise",
    "normalise_batch",
    "normalise_positions",
    "rms_norm",
    "rms_normalise",
]


@composed(
    r"y = w\,\hat x + b, \quad \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}",
    returns=("mean", "var"),
    accumulates=True,
)
def normalise(x, weight=None, bias=None, /, axes=(-1,), eps=1e-5):
    r"""Mean 0 and variance 1 along axes, then scaled and shifted; and the mean and the variance, as constants.

    .. math:: \mu = \frac1n \sum_i x_i, \qquad \sigma^2 = \frac1n \sum_i (x_i - \mu)^2

    Shapes: (\*), and a weight and a bias that broadcast to it -> (\*), and twice (\*) with length 1 along the axes.

    Arguments: ``axes``, along which mean and variance are taken; ``eps``, ε, which keeps the division from overflowing.

    Source: S. Ioffe and C. Szegedy, "Batch Normalization" (2015).
    """
    mu = mean(x, axis=axes, keepdims=True)
    centred = x - mu
    var = mean(centred * centred, axis=axes, keepdims=True)
    return _scaled(centred / sqrt(var + eps), weight, bias), mu.detach(), var.detach()


@composed(r"y = w\,\frac{x}{r}, \quad r = \sqrt{\tfrac1n \textstyle\sum_i x_i^2 + \varepsilon}", accumulates=True)
def rms_normalise(x, weight=None, /, axes=(-1,), eps=1e-5):
    r"""Root mean square 1 along axes, then scaled: `normalise` without the mean.

    Shapes: (\*), and a weight that broadcasts to it -> (\*).
    """
    return _scaled(x / sqrt(mean(x * x, axis=axes, keepdims=True) + eps), weight, None)


def _scaled(x, weight, bias):
    y = x if weight is None else x * weight
    return y if bias is None else y + bias


# --- which axes -------------------------------------------------------------------------------------------------------


@composed(r"y_{n c i} = w_c\,\frac{x_{n c i} - \mu_c}{\sqrt{\sigma_c^2 + \varepsilon}} + b_c")
def batch_norm(x, running_mean=None, running_var=None, weight=None, bias=None, /, training=False, eps=1e-5):
    """Each channel normalised over the batch and its positions; in evaluation with the mean and variance given.

    Shapes: (n, c, \\*), and four times (c) or None -> (n, c, \\*).

    Arguments: ``running_mean`` and ``running_var``, used unless ``training``, or taken from the batch if they are None;
    ``eps``, ε. Nothing is changed: the layer keeps the running statistics up to date, and calls `normalise_batch`.

    Raises UserError where a batch has a single value for each channel, which has no variance.

    Source: S. Ioffe and C. Szegedy, "Batch Normalization" (2015).
    """
    _need_channels("batch_norm", x, 2)
    if training or running_mean is None or running_var is None:
        return normalise_batch(x, weight, bias, eps)[0]
    weight, bias = _of_channels("batch_norm", x, weight), _of_channels("batch_norm", x, bias)
    mean, var = (raw(widened(_of_channels("batch_norm", x, given))) for given in (running_mean, running_var))
    scale = 1 / namespace(var).sqrt(var + eps)
    scale = scale if weight is None else weight * scale
    shift = -(mean * scale) if bias is None else bias - mean * scale
    y = x * scale + shift
    return y.astype(x.dtype) if all(given is None or is_half(given.dtype) for given in (x, weight, bias)) else y


def normalise_batch(x, weight, bias, eps, normalise=normalise):
    """`batch_norm` by the batch's own statistics, and these, of shape (1, c, 1, ...): the result, mean and variance."""
    values = math.prod(x.shape) // max(x.shape[1], 1)
    if values < 2:
        raise UserError(
            f"batch_norm of an input of shape {x.shape} has {values} value for each channel, and a variance is of "
            "two or more; use a larger batch, leave out a last one that is short (drop_last), or call eval()"
        )
    weight, bias = _of_channels("batch_norm", x, weight), _of_channels("batch_norm", x, bias)
    return normalise(x, weight, bias, (0, *range(2, x.ndim)), eps)


def _of_channels(name, x, given):
    """A number for each channel, in the form that broadcasts."""
    if given is None:
        return None
    given = asarray(given)
    if given.shape != (x.shape[1],):
        raise UserError(f"{name}: an input of shape {x.shape} has {x.shape[1]} channels, not {given.shape}")
    return reshape(given, (1, x.shape[1], *(1,) * (x.ndim - 2)))


def _need_channels(name, x, axes):
    if x.ndim < axes:
        raise UserError(f"{name} takes inputs of shape (n, c{', *' if axes > 2 else ''}), and this one has {x.shape}")


@composed(r"y = w\,\frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + b")
def layer_norm(x, /, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Each example normalised by itself, over its last axes.

    Shapes: (\\*n, \\*normalized_shape), and twice (\\*normalized_shape) or None -> (\\*n, \\*normalized_shape).

    Arguments: ``normalized_shape``, the lengths of the axes that are taken together, a number if it is one; ``eps``, ε.

    Raises UserError for an input that does not end in this shape.

    Source: J. Ba, J. Kiros and G. Hinton, "Layer Normalization" (2016).
    """
    axes = _last_axes("layer_norm", x, normalized_shape, weight, bias)
    return normalise(x, weight, bias, axes, eps)[0]


def _last_axes(name, x, normalized_shape, *parameters):
    shape = tuple(normalized_shape) if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    shape = sizes("normalized_shape", shape, len(shape))
    if not shape or x.shape[-len(shape) :] != shape:
        inner = ", ".join(map(str, shape))
        raise UserError(f"{name} over ({inner}) takes inputs of shape (*, {inner}), and this one has shape {x.shape}")
    for parameter in parameters:
        if parameter is not None and tuple(asarray(parameter).shape) != shape:
            raise UserError(f"{name} over {shape} has parameters of that shape, not {tuple(parameter.shape)}")
    return tuple(range(-len(shape), 0))


@composed(r"y_{n c i} = w_c\,\frac{x_{n c i} - \mu_{n k}}{\sqrt{\sigma_{n k}^2 + \varepsilon}} + b_c, \quad c \in k")
def group_norm(x, /, num_groups, weight=None, bias=None, eps=1e-5):
    """Each example normalised by itself, in groups of channels.

    Shapes: (n, c, \\*), and twice (c) or None -> (n, c, \\*).

    Arguments: ``num_groups``, into how many groups the channels go; ``eps``, ε.

    Raises UserError where the channels do not divide by the groups.

    Source: Y. Wu and K. He, "Group Normalization" (2018).
    """
    _need_channels("group_norm", x, 2)
    n, channels, *rest = x.shape
    (groups,) = sizes("num_groups", num_groups, 1)
    if channels % groups:
        raise UserError(f"group_norm: {channels} channels do not divide into {groups} groups of one size")
    grouped = (n, groups, channels // groups, *rest)

    def of_channels(given):
        given = _of_channels("group_norm", x, given)
        return None if given is None else reshape(given, (1, *grouped[1:3], *(1,) * len(rest)))

    y, _, _ = normalise(reshape(x, grouped), of_channels(weight), of_channels(bias), (*range(2, len(grouped)),), eps)
    return reshape(y, x.shape)


@composed(r"y_{n c i} = w_c\,\frac{x_{n c i} - \mu_{n c}}{\sqrt{\sigma_{n c}^2 + \varepsilon}} + b_c")
def instance_norm(x, running_mean=None, running_var=None, weight=None, bias=None, /, use_input_stats=True, eps=1e-5):
    """Each channel of each example normalised by itself, over its positions.

    Shapes: (n, c, \\*), and four times (c) or None -> (n, c, \\*).

    Arguments: as of `batch_norm`; the running statistics are used unless ``use_input_stats``.

    Raises UserError where a channel has a single position, which has no variance.

    Source: D. Ulyanov, A. Vedaldi and V. Lempitsky, "Instance Normalization" (2016).
    """
    _need_channels("instance_norm", x, 3)
    if not use_input_stats and running_mean is not None and running_var is not None:
        return batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    return normalise_positions(x, weight, bias, eps)[0]


def normalise_positions(x, weight, bias, eps):
    """`instance_norm` by the input's own statistics, and these, of shape (n, c, 1, ...)."""
    if math.prod(x.shape[2:]) < 2:
        raise UserError(
            f"instance_norm of an input of shape {x.shape} has {math.prod(x.shape[2:])} position for each channel, "
            "and a variance is of two or more"
        )
    weight, bias = _of_channels("instance_norm", x, weight), _of_channels("instance_norm", x, bias)
    return normalise(x, weight, bias, (*range(2, x.ndim),), eps)


@composed(r"y = w\,\frac{x}{\sqrt{\tfrac1n \sum_i x_i^2 + \varepsilon}}")
def rms_norm(x, /, normalized_shape, weight=None, eps=None):
    """Each example brought to root mean square 1 over its last axes, without taking off the mean.

    Shapes: (\\*n, \\*normalized_shape), (\\*normalized_shape) or None -> (\\*n, \\*normalized_shape).

    Arguments: ``normalized_shape``, as of `layer_norm`; ``eps``, ε, by default the smallest step from 1 in x's type.

    Raises UserError for an input that does not end in this shape.

    Source: B. Zhang and R. Sennrich, "Root Mean Square Layer Normalization" (2019).
    """
    axes = _last_axes("rms_norm", x, normalized_shape, weight)
    return rms_normalise(x, weight, axes, _smallest_step(x) if eps is None else eps)


def _smallest_step(x):
    dtype = x.dtype if is_floating(x) else default_float
    return float(namespace(raw(x)).finfo(dtype).eps)
