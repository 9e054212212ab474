r"""Initialisation of parameters.

Each function fills a leaf tensor, such as a parameter, and returns it. Random numbers come from the ``generator``,
by default ``ichikara.default_generator()``.

A fan is the number of inputs that a neuron takes (``fan_in``), or of neurons that an input goes to (``fan_out``); of a
weight (out, in, \*d) they are in · ∏d and out · ∏d.
"""

import math
from typing import Any, TypeVar

from ..arrays import Generator, choose_generator, namespace
from ..autodiff import Tensor, raw
from ..checks import positive
from ..errors import UserError, choose
from .module import Module

__all__ = [
    "INITIALISERS",
    "calculate_gain",
    "constant_",
    "eye_",
    "initialise",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

T = TypeVar("T", bound=Tensor)

_LINEAR = (
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
)
_GAINS = {**dict.fromkeys(_LINEAR, 1.0), "tanh": 5 / 3, "relu": math.sqrt(2), "leaky_relu": None, "selu": 3 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    r"""The factor of the weights by which an activation function keeps the variance.

    .. math:: g_{\text{relu}} = \sqrt 2, \qquad g_{\text{leaky relu}} = \sqrt{\frac{2}{1 + a^2}}, \qquad
        g_{\tanh} = \frac53, \qquad g_{\text{linear}} = g_{\text{sigmoid}} = 1

    Arguments: ``nonlinearity``, the name of the activation; ``param``, the slope a of ``leaky_relu``, 0.01 by default.

    Raises UserError for a name that is not known.

    >>> round(calculate_gain("relu"), 4)
    1.4142

    Source: K. He et al., "Delving Deep into Rectifiers" (2015); PyTorch's ``calculate_gain`` for the others.
    """
    gain = choose("nonlinearity", nonlinearity, _GAINS)
    if gain is not None:
        return gain
    slope = 0.01 if param is None else param
    if isinstance(slope, bool) or not isinstance(slope, int | float):
        raise UserError(f"the param of leaky_relu is its slope, a number, not {param!r}")
    return math.sqrt(2 / (1 + slope**2))


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> T:
    r"""Uniform numbers from a to b.

    .. math:: w \sim U(a, b)

    Shapes: any.

    Raises UserError for an a above b; TypeError for what is not a leaf tensor of floating-point numbers.

    >>> import ichikara
    >>> uniform_(ichikara.zeros((2, 3)), -1, 1).shape
    (2, 3)
    """
    _check(tensor)
    if not a <= b:
        raise UserError(f"uniform numbers go from a to b, and a = {a} is above b = {b}")
    return _fill(tensor, choose_generator(generator).uniform(tensor.shape, a, b, dtype=tensor.dtype))


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> T:
    r"""Normal numbers.

    .. math:: w \sim N(\mu, \sigma^2)

    Shapes: any.

    Arguments: ``mean``, μ; ``std``, σ.

    Raises UserError for a negative std; TypeError for what is not a leaf tensor of floating-point numbers.

    >>> import ichikara
    >>> normal_(ichikara.zeros((2, 3)), std=0.01).shape
    (2, 3)
    """
    _check(tensor)
    if not std >= 0:
        raise UserError(f"a standard deviation is a number of at least 0, not {std}")
    return _fill(tensor, choose_generator(generator).normal(tensor.shape, mean, std, dtype=tensor.dtype))


def trunc_normal_(
    tensor: T, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator | None = None
) -> T:
    r"""Normal numbers, drawn again where they are not between a and b.

    .. math:: w \sim N(\mu, \sigma^2) \mid a \le w \le b

    Shapes: any.

    Arguments: ``mean``, μ; ``std``, σ, above 0; ``a`` and ``b``, the bounds, in units of the weights and not of σ.

    Raises UserError for bounds or a std that leave nothing; TypeError for what is not a leaf tensor of floats.

    >>> import ichikara
    >>> w = trunc_normal_(ichikara.zeros((1000,)), std=0.02, a=-0.04, b=0.04)
    >>> bool(abs(w).max() <= 0.04)
    True
    """
    _check(tensor)
    positive("std", std)
    if not a < b:
        raise UserError(f"the numbers lie between a and b, and a = {a} is not below b = {b}")
    generator = choose_generator(generator)
    # The part of the normal distribution that lies between the bounds says how often a draw is of use.
    usual = _normal_below((b - mean) / std) - _normal_below((a - mean) / std) > 0.3
    peak = min(max(mean, a), b)
    parts, missing = [], tensor.size
    while missing:
        if usual:
            drawn = generator.normal((missing,), mean, std, dtype="float64")
            good = (drawn >= a) & (drawn <= b)
        else:  # few would be: draw evenly between the bounds, and keep each with a chance that follows the density
            drawn = generator.uniform((missing,), a, b, dtype="float64")
            density = namespace(drawn).exp(((peak - mean) ** 2 - (drawn - mean) ** 2) / (2 * std**2))
            good = generator.uniform((missing,), dtype="float64") < density
        parts.append(drawn[good])
        missing -= parts[-1].size
    return _fill(tensor, namespace(parts[0]).concat(parts).reshape(tensor.shape)) if parts else tensor


def constant_(tensor: T, val: float) -> T:
    """One number everywhere. Shapes: any.

    >>> import ichikara
    >>> constant_(ichikara.zeros(2), 0.5)
    Tensor([0.5, 0.5])
    """
    _check(tensor)
    array = raw(tensor)
    return _fill(tensor, namespace(array).full_like(array, val))


def ones_(tensor: T) -> T:
    """Ones. Shapes: any."""
    return constant_(tensor, 1.0)


def zeros_(tensor: T) -> T:
    """Zeros. Shapes: any."""
    return constant_(tensor, 0.0)


def eye_(tensor: T) -> T:
    """Ones on the diagonal, zeros elsewhere: a layer that passes its input on. Shapes: (n, m).

    Raises UserError for a tensor that has not two axes.
    """
    _check(tensor)
    if tensor.ndim != 2:
        raise UserError(f"eye_() fills matrices, and this tensor has shape {tensor.shape}")
    return _fill(tensor, namespace(raw(tensor)).eye(*tensor.shape, dtype=tensor.dtype))


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    r"""Xavier's uniform initialisation: variances are kept in the forward and the backward pass.

    .. math:: w \sim U(-a, a), \qquad a = g \sqrt{\frac{6}{\text{fan\_in} + \text{fan\_out}}}

    Shapes: (out, in, \*).

    Arguments: ``gain``, g; see `calculate_gain`.

    Raises UserError for a tensor of fewer than two axes.

    >>> import ichikara
    >>> xavier_uniform_(ichikara.zeros((3, 4))).shape
    (3, 4)

    Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).
    """
    fan_in, fan_out = _fans(tensor)
    bound = gain * math.sqrt(6 / max(fan_in + fan_out, 1))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    r"""Xavier's normal initialisation: variances are kept in the forward and the backward pass.

    .. math:: w \sim N(0, \sigma^2), \qquad \sigma = g \sqrt{\frac{2}{\text{fan\_in} + \text{fan\_out}}}

    Shapes, arguments, errors and source: as `xavier_uniform_`.
    """
    fan_in, fan_out = _fans(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2 / max(fan_in + fan_out, 1)), generator)


def kaiming_uniform_(
    tensor: T,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> T:
    r"""He's uniform initialisation: variances are kept through rectified units.

    .. math:: w \sim U(-b, b), \qquad b = g \sqrt{\frac{3}{\text{fan}}}

    Shapes: (out, in, \*).

    Arguments: ``a``, the negative slope of a ``leaky_relu``; ``mode``, ``'fan_in'`` to keep the variance forward,
    ``'fan_out'`` backward; ``nonlinearity``, the name that `calculate_gain` takes g of.

    Raises UserError for a tensor of fewer than two axes, or another mode.

    >>> import ichikara
    >>> kaiming_uniform_(ichikara.zeros((3, 4)), nonlinearity="relu").shape
    (3, 4)

    Source: K. He et al., "Delving Deep into Rectifiers" (2015).
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: T,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> T:
    r"""He's normal initialisation: variances are kept through rectified units.

    .. math:: w \sim N(0, \sigma^2), \qquad \sigma = \frac{g}{\sqrt{\text{fan}}}

    Shapes, arguments, errors and source: as `kaiming_uniform_`.
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: T, gain: float = 1, generator: Generator | None = None) -> T:
    r"""An orthogonal matrix: its rows are orthonormal, or its columns if these are fewer.

    .. math:: W W^\top = g^2 I \quad \text{or} \quad W^\top W = g^2 I

    Shapes: (rows, \*), taken as a matrix with the other axes as one.

    Arguments: ``gain``, g.

    Raises UserError for a tensor of fewer than two axes.

    >>> import ichikara
    >>> w = orthogonal_(ichikara.zeros((2, 3)))
    >>> bool(abs(w @ w.mT - ichikara.eye(2)).max() < 1e-6)
    True

    Source: A. Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks"
    (2013).
    """
    _fans(tensor)
    generator = choose_generator(generator)
    if not tensor.size:
        return tensor
    rows, columns = tensor.shape[0], tensor.size // tensor.shape[0]
    drawn = generator.normal((max(rows, columns), min(rows, columns)), dtype="float64")
    xp = namespace(drawn)
    q, r = xp.linalg.qr(drawn)
    q = q * xp.sign(xp.linalg.diagonal(r))  # so that every orthogonal matrix is as likely as another
    return _fill(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))


def _normal(tensor, std: float = 0.01, generator=None):
    return normal_(tensor, 0.0, std, generator)


def _he(tensor, nonlinearity: str = "relu", generator=None):
    return kaiming_normal_(tensor, 0, "fan_in", nonlinearity, generator)


def _he_uniform(tensor, nonlinearity: str = "relu", generator=None):
    return kaiming_uniform_(tensor, 0, "fan_in", nonlinearity, generator)


INITIALISERS: dict[str, Any] = {
    "normal": _normal,
    "xavier": xavier_normal_,
    "xavier_uniform": xavier_uniform_,
    "he": _he,
    "he_uniform": _he_uniform,
    "orthogonal": orthogonal_,
}
"""The initialisations of a whole model, by name."""

M = TypeVar("M", bound=Module)


def initialise(module: M, name: str, *, generator: Generator | None = None, **options: Any) -> M:
    """Draw the weights of a whole model by the name of an initialisation.

    Parameters with two axes or more are drawn, those whose name starts with ``bias`` become zero, and the others (such
    as the scales of a normalisation) stay as they are. A parameter that is used in two places is drawn once.

    Arguments: ``name``, one of ``normal`` (with ``std=0.01``), ``xavier``, ``xavier_uniform``, ``he``, ``he_uniform``,
    ``orthogonal``; ``options``, such as ``std=``, or ``gain=``, are passed on. Returns the module.

    Raises UserError for another name.

    >>> import ichikara
    >>> from ichikara.nn import Linear
    >>> initialise(Linear(3, 2), "he", generator=ichikara.Generator(0)).bias.tolist()
    [0.0, 0.0]
    """
    fill = choose("initialisation", name, INITIALISERS)
    for key, parameter in module.named_parameters():
        if parameter.ndim >= 2:
            fill(parameter, generator=generator, **options)
        elif "bias" in key.rpartition(".")[2]:
            zeros_(parameter)
    return module


def _check(tensor: Any) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"an initialisation fills a Tensor or a Parameter, not {type(tensor).__name__}")
    if not tensor.is_leaf:
        raise TypeError("an operation made this tensor; initialise a leaf, such as a parameter")
    if tensor.dtype.kind in "iub":
        raise TypeError(f"an initialisation fills floating-point numbers, and these are {tensor.dtype}")


def _fill(tensor: T, numbers: Any) -> T:
    tensor.data = numbers
    return tensor


def _fans(tensor: Any) -> tuple[int, int]:
    """How many inputs a neuron of this weight takes, and to how many neurons an input goes."""
    _check(tensor)
    if tensor.ndim < 2:
        raise UserError(f"this initialisation is of weights (out, in, …), and the tensor has shape {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _kaiming_std(tensor, a, mode, nonlinearity):
    fan_in, fan_out = _fans(tensor)
    fan = choose("mode", mode, {"fan_in": fan_in, "fan_out": fan_out})
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def _normal_below(x: float) -> float:
    """The probability that a standard normal number lies below x."""
    return (1 + math.erf(x / math.sqrt(2))) / 2
