r"""Normalisation: numbers brought to mean 0 and variance 1, so that a layer's input keeps its scale while others learn.

Over which axes is what tells the kinds apart; one record serves them all. Its gradient takes from the incoming one what
would change the mean and the variance, because those cannot change.
"""

import math

from ..arrays import Once, default_float, is_floating, namespace, sum_to
from ..autodiff import asarray, composed, op, raw
from ..errors import UserError
from .activation import leaky_relu, relu
from .shape import reshape
from .window import sizes

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "normalise",
    "rms_norm",
    "rms_normalise",
]


@op(
    r"y = a(w\,\hat x + b), \quad \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}},"
    r" \quad a(u) = u \text{ or } \lambda u \text{ below } 0",
    floating=True,
    keeps=("mean", "slope", "back"),
)
def normalise(x, weight=None, bias=None, /, axes=(-1,), eps=1e-5, into=None, leak=1.0):
    r"""Mean 0 and variance 1 along axes, then scaled and shifted; and an activation, for which the numbers are at hand.

    .. math:: \mu = \frac1n \sum_i x_i, \qquad \sigma^2 = \frac1n \sum_i (x_i - \mu)^2

    Shapes: (\*), and a weight and a bias that broadcast to it -> (\*).

    Arguments: ``axes``, along which mean and variance are taken; ``eps``, ε, which keeps the division from overflowing;
    ``into``, a dictionary to put the ``mean`` and the ``var`` into, with length 1 along the axes; ``leak``, λ, what is
    left of a negative result: 1 all of it, which is no activation, 0 nothing, which is ReLU.

    Source: S. Ioffe and C. Szegedy, "Batch Normalization" (2015).
    """
    xp = namespace(x)
    mean = xp.mean(x, axis=axes, keepdims=True)
    y = x - mean
    var = xp.mean(y * y, axis=axes, keepdims=True)
    if into is not None:
        into["mean"], into["var"] = mean, var
    slope = 1 / xp.sqrt(var + eps)
    y *= slope
    if weight is not None:
        y *= weight
    if bias is not None:
        y += bias
    above = None if leak == 1 else y > 0
    if above is not None:
        y = xp.where(above, y, leak * y)

    def back(g):
        """The gradients of x, the weight and the bias; they share x̂ and the product with the weight."""
        xp = namespace(g, x)
        if above is not None:
            g = xp.where(above, g, leak * g)
        normal = (x - mean) * slope
        weight_bar = g * normal
        gw = g if weight is None else g * weight
        x_bar = normal * -xp.mean(gw * normal, axis=axes, keepdims=True)
        x_bar += gw
        x_bar -= xp.mean(gw, axis=axes, keepdims=True)
        x_bar *= slope
        return x_bar, weight_bar, g

    return y, mean, slope, Once(back)


normalise.gradient(
    x=(
        r"\bar x = \frac{1}{\sqrt{\sigma^2 + \varepsilon}}"
        r" \bigl(w \bar u - \tfrac1n \textstyle\sum w \bar u - \hat x\,\tfrac1n \sum w \bar u \hat x\bigr),"
        r" \quad \bar u = \bar y\,a'(u)",
        lambda g, back: back(g)[0],
    ),
    weight=(r"\bar w = \sum \bar u\,\hat x", lambda g, back, weight_shape: sum_to(back(g)[1], weight_shape)),
    bias=(r"\bar b = \sum \bar u", lambda g, back, bias_shape: sum_to(back(g)[2], bias_shape)),
)


@op(
    r"y = w\,\frac{x}{r}, \quad r = \sqrt{\tfrac1n \textstyle\sum_i x_i^2 + \varepsilon}",
    floating=True,
    keeps=("slope",),
)
def rms_normalise(x, weight=None, /, axes=(-1,), eps=1e-5):
    r"""Root mean square 1 along axes, then scaled: `normalise` without the mean.

    Shapes: (\*), and a weight that broadcasts to it -> (\*).
    """
    xp = namespace(x)
    slope = 1 / xp.sqrt(xp.mean(x * x, axis=axes, keepdims=True) + eps)
    y = x * slope
    if weight is not None:
        y *= weight
    return y, slope


def _through_square(g, x, weight, slope, axes):
    g = g if weight is None else g * weight
    normal = x * slope
    normal *= -namespace(g, x).mean(g * normal, axis=axes, keepdims=True)
    normal += g
    normal *= slope
    return normal


rms_normalise.gradient(
    x=(
        r"\bar x = \tfrac1r \bigl(w \bar y - \tfrac{x}{r}\,\tfrac1n \textstyle\sum w \bar y \tfrac{x}{r}\bigr)",
        _through_square,
    ),
    weight=(
        r"\bar w = \sum \bar y\,\tfrac{x}{r}",
        lambda g, x, slope, weight_shape: sum_to(g * (x * slope), weight_shape),
    ),
)


# --- which axes -------------------------------------------------------------------------------------------------------


@composed(r"y_{n c i} = w_c\,\frac{x_{n c i} - \mu_c}{\sqrt{\sigma_c^2 + \varepsilon}} + b_c")
def batch_norm(
    x, running_mean=None, running_var=None, weight=None, bias=None, /, training=False, eps=1e-5, into=None, leak=1.0
):
    """Each channel normalised over the batch and its positions; in evaluation with the mean and variance given.

    Shapes: (n, c, \\*), and four times (c) or None -> (n, c, \\*).

    Arguments: ``running_mean`` and ``running_var``, used unless ``training``, or taken from the batch if they are None;
    ``eps``, ε; ``into``, a dictionary to put the batch's ``mean`` and ``var`` into, of shape (1, c, 1, ...); ``leak``,
    what an activation leaves of a negative result, 1 for none, 0 for ReLU. Nothing is changed: to keep running
    statistics up to date is the layer's work.

    Raises UserError where a batch has a single value for each channel, which has no variance.

    Source: S. Ioffe and C. Szegedy, "Batch Normalization" (2015).
    """
    _need_channels("batch_norm", x, 2)
    weight, bias = _of_channels("batch_norm", x, weight), _of_channels("batch_norm", x, bias)
    if training or running_mean is None or running_var is None:
        values = math.prod(x.shape) // max(x.shape[1], 1)
        if values < 2:
            raise UserError(
                f"batch_norm of an input of shape {x.shape} has {values} value for each channel, and a variance is of "
                "two or more; use a larger batch, leave out a last one that is short (drop_last), or call eval()"
            )
        return normalise(x, weight, bias, (0, *range(2, x.ndim)), eps, into, leak)
    mean, var = (raw(_of_channels("batch_norm", x, given)) for given in (running_mean, running_var))
    slope = 1 / namespace(var).sqrt(var + eps)
    scale = slope if weight is None else weight * slope
    shift = -(mean * scale) if bias is None else bias - mean * scale
    y = x * scale + shift
    return y if leak == 1 else leaky_relu(y, leak) if leak else relu(y)


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
    return normalise(x, weight, bias, axes, eps)


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

    y = normalise(reshape(x, grouped), of_channels(weight), of_channels(bias), tuple(range(2, len(grouped))), eps)
    return reshape(y, x.shape)


@composed(r"y_{n c i} = w_c\,\frac{x_{n c i} - \mu_{n c}}{\sqrt{\sigma_{n c}^2 + \varepsilon}} + b_c")
def instance_norm(
    x, running_mean=None, running_var=None, weight=None, bias=None, /, use_input_stats=True, eps=1e-5, into=None
):
    """Each channel of each example normalised by itself, over its positions.

    Shapes: (n, c, \\*), and four times (c) or None -> (n, c, \\*).

    Arguments: as of `batch_norm`; the running statistics are used unless ``use_input_stats``.

    Raises UserError where a channel has a single position, which has no variance.

    Source: D. Ulyanov, A. Vedaldi and V. Lempitsky, "Instance Normalization" (2016).
    """
    _need_channels("instance_norm", x, 3)
    if not use_input_stats and running_mean is not None and running_var is not None:
        return batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    if math.prod(x.shape[2:]) < 2:
        raise UserError(
            f"instance_norm of an input of shape {x.shape} has {math.prod(x.shape[2:])} position for each channel, "
            "and a variance is of two or more"
        )
    weight, bias = _of_channels("instance_norm", x, weight), _of_channels("instance_norm", x, bias)
    return normalise(x, weight, bias, tuple(range(2, x.ndim)), eps, into)


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
