"""How far a prediction is from what it should have been."""

import math

from ..arrays import default_float, is_floating, namespace, seam
from ..autodiff import asarray, composed, op, raw, wrap
from ..errors import choose
from .activation import log_softmax, sigmoid, softmax
from .elementwise import abs, clip, where
from .indexing import take, take_along_axis
from .labels import counted as counted_labels
from .logic import isfinite, logical_or
from .reduce import mean, sum
from .shape import moveaxis, reshape

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "nll_loss",
]

_REDUCTIONS = {"none": lambda x: x, "mean": mean, "sum": sum}


def _reduce(losses, reduction):
    return choose("reduction", reduction, _REDUCTIONS)(losses)


def _difference(input, target):
    if input.shape != target.shape:
        raise ValueError(
            f"the predictions have shape {input.shape} and the targets {target.shape}; "
            "give them one shape, so that each prediction meets its own target"
        )
    return input - target


@composed(r"L = \tfrac{1}{n} \sum_i |x_i - y_i|", accumulates=True)
def l1_loss(input, target, /, reduction="mean"):
    """Mean of absolute differences. Shapes: (*), (*) -> (), or (*) with ``reduction="none"``."""
    return _reduce(abs(_difference(input, target)), reduction)


@composed(r"L = \tfrac{1}{n} \sum_i (x_i - y_i)^2", accumulates=True)
def mse_loss(input, target, /, reduction="mean"):
    """Mean of squared differences. Shapes: (*), (*) -> (), or (*) with ``reduction="none"``."""
    d = _difference(input, target)
    return _reduce(d * d, reduction)


@composed(
    r"L = \tfrac{1}{n} \sum_i \tfrac12 d_i^2 \text{ where } |d_i| \le \delta"
    r" \text{ else } \delta (|d_i| - \tfrac12 \delta)",
    accumulates=True,
)
def huber_loss(input, target, /, reduction="mean", delta=1.0):
    """Squared near the target and absolute far from it, so that an outlier pulls no harder than others.

    Shapes: (*), (*) -> (), or (*) with ``reduction="none"``.

    Arguments: ``delta``, δ, where the loss turns from squared to absolute; infinite for the square alone.

    Source: P. Huber, "Robust Estimation of a Location Parameter" (1964).
    """
    if delta <= 0:
        raise ValueError(f"delta is where the loss turns from squared to absolute, a number above 0, not {delta}")
    d = _difference(input, target)
    if delta == math.inf:
        return _reduce(0.5 * d * d, reduction)
    far = abs(d)
    near = clip(far, max=delta)  # so that neither form is computed where it may overflow
    return _reduce(near * (far - 0.5 * near), reduction)


def _log(p):
    """Logarithm that stops at -100, as PyTorch's loss does."""
    xp = namespace(p)
    return xp.where(p == 0, -100.0, xp.clip(xp.log(xp.where(p == 0, 1.0, p)), -100.0, None))


@op(r"l = -\bigl(y \ln p + (1 - y) \ln(1 - p)\bigr)", name="bernoulli_nll", floating=True)
def _bernoulli_nll(p, target, /):
    """The elements of `binary_cross_entropy`. Logarithms stop at -100. Shapes: (*), (*) -> (*)."""
    return -(target * _log(p) + (1 - target) * _log(1 - p))


def _towards(g, p, target):
    xp = namespace(g, p)
    return g * (p - target) / xp.clip(p * (1 - p), 1e-12, None)


_bernoulli_nll.gradient(
    p=(r"\bar p = \bar l\,\frac{p - y}{p (1 - p)}", _towards),
    target=(r"\bar y = \bar l \ln \frac{1 - p}{p}", lambda g, p: g * (_log(1 - p) - _log(p))),
)


@composed(r"L = -\tfrac{1}{n} \sum_i w_i \bigl(y_i \ln p_i + (1 - y_i) \ln(1 - p_i)\bigr)", accumulates=True)
def binary_cross_entropy(input, target, /, weight=None, reduction="mean"):
    """Cross entropy of probabilities with targets from 0 to 1. Shapes: (*), (*) -> (), or (*) unreduced.

    A probability of exactly 0 or 1 costs at most 100; `binary_cross_entropy_with_logits` needs no such stop. Elements
    whose ``weight`` is 0 do not count, whatever they hold.

    Raises ValueError for a probability outside of [0, 1].
    """
    _difference(input, target)
    if weight is not None:
        weight = _of_type(input, weight)
        valid = (input >= 0) & (input <= 1) & isfinite(target)
        input, target = (_drop(x, weight, valid) for x in (input, target))
    seam.interpreter.call(_check_probabilities, raw(input))
    losses = _bernoulli_nll(input, target)
    return _reduce(losses if weight is None else losses * weight, reduction)


def _of_type(input, weight):
    """A weight in the type of the predictions, which it must not widen."""
    return asarray(weight, dtype=input.dtype if is_floating(input) else default_float)


def _drop(x, weight, valid):
    """The array with 0 where it has no weight, and holds what would be nan even times 0."""
    return where(logical_or(weight != 0, valid), x, 0)


def _check_probabilities(p):
    if namespace(p).__name__ == "numpy" and p.size and not (p.min() >= 0 and p.max() <= 1):
        raise ValueError(
            f"binary_cross_entropy is of probabilities from 0 to 1, and these go from {p.min()} to {p.max()}; "
            "apply sigmoid, or use binary_cross_entropy_with_logits"
        )


@op(r"l = \ln(1 + e^u) - y u", name="logistic_nll", floating=True)
def _logistic_nll(u, target, /):
    """The elements of `binary_cross_entropy_with_logits`. Shapes: (*), (*) -> (*)."""
    xp = namespace(u, target)
    factor = (u > 0) - target
    return factor * xp.where(factor == 0, 0.0, u) + xp.log1p(xp.exp(-xp.abs(u)))  # an infinite u may be right


_logistic_nll.gradient(
    u=(r"\bar u = \bar l\,(\sigma(u) - y)", lambda g, u, target: g * (sigmoid(u) - target)),
    target=(r"\bar y = -\bar l\,u", lambda g, u: -g * u),
)


@composed(r"L = \tfrac{1}{n} \sum_i w_i \bigl(\ln(1 + e^{u_i}) - y_i u_i\bigr)", accumulates=True)
def binary_cross_entropy_with_logits(input, target, /, weight=None, reduction="mean", pos_weight=None):
    r"""Sigmoid and cross entropy in one, from the weighted sum u; stable where the two apart overflow.

    .. math:: \frac{\partial L}{\partial u} = \sigma(u) - y

    Shapes: (\*), (\*) -> (), or (\*) with ``reduction="none"``.

    Arguments: ``weight``, of each element: those of weight 0 do not count, whatever they hold; ``pos_weight``, how
    much more a positive target counts.
    """
    _difference(input, target)
    if weight is not None:
        weight = _of_type(input, weight)
        valid = isfinite(input) & isfinite(target)
        input, target = (_drop(x, weight, valid) for x in (input, target))
    if pos_weight is None:
        losses = _logistic_nll(input, target)
    else:
        positive, negative = _of_type(input, pos_weight) * target, 1 - target
        input = _drop(input, (positive != 0) | (negative != 0), isfinite(input))
        losses = _weighed(_logistic_nll(input, namespace(input).ones_like(input)), positive)
        losses = losses + _weighed(_logistic_nll(input, namespace(input).zeros_like(input)), negative)
    return _reduce(losses if weight is None else losses * weight, reduction)


def _weighed(losses, weight):
    """The losses times their weights, and 0 where one of weight 0 is infinite."""
    return _drop(losses, weight, isfinite(losses)) * weight


def _class_weights(weight, logp, classes):
    """The weights of the classes, in the type of the log-probabilities."""
    weight = asarray(weight, dtype=logp.dtype)
    if weight.shape != (classes,):
        raise ValueError(f"weight has one number for each of the {classes} classes, and this has shape {weight.shape}")
    return weight


def _check_classes(labels, classes, ignore_index):
    """Raise ValueError where a label is no class."""
    counted_labels(labels, classes, ignore_index)


def _check_labels(labels, shape):
    """Raise where class indices do not fit predictions of this shape."""
    if labels.dtype.kind not in "iu":
        raise ValueError(f"class labels are whole numbers, not {labels.dtype}; or give probabilities of shape {shape}")
    expected = (shape[0], *shape[2:]) if len(shape) > 1 else ()
    if labels.shape != expected:
        raise ValueError(f"predictions of shape {shape} have labels of shape {expected}, not {labels.shape}")


@op(
    r"l_i = \ln \sum_k e^{u_{ik}} - u_{i y_i}",
    name="categorical_nll",
    floating=True,
    promotes=(0,),
    accumulates=True,
)
def _categorical_nll(u, labels, /, ignore_index=None, reduction="none"):
    """The elements of `cross_entropy` with labels, from weighted sums; or their sum, or mean.

    Shapes: (n, c), (n) -> (n), or ().

    Arguments: ``ignore_index``, the label of rows that do not count.
    """
    return label_losses(log_softmax.function(u, 1), labels, ignore_index, reduction)


def label_losses(logp, labels, ignore_index, reduction):
    """The losses of log-probabilities with labels, or their sum, or mean. Shapes: (n, c), (n) -> (n), or ()."""
    counted = counted_labels(labels, logp.shape[1], ignore_index)
    losses = -logp[namespace(labels).arange(logp.shape[0]), _zero_unless(counted, labels)]
    if counted is not None:
        losses = namespace(logp).where(counted, losses, 0.0)  # not times 0: the loss may be infinite
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else _mean(losses.sum(), _count(labels, counted, logp.dtype))


def _zero_unless(counted, labels):
    return labels if counted is None else namespace(labels).where(counted, labels, 0)


def _count(labels, counted, dtype):
    """How many rows count."""
    return labels.shape[0] if counted is None else namespace(counted).astype(counted, dtype).sum()


def _mean(total, count):
    """A sum of losses by how many they are; of none it is nan, which nothing can be learnt from."""
    if isinstance(count, int):
        return total / count
    xp = namespace(total, count)
    return xp.where(count == 0, math.nan, total / xp.where(count == 0, 1.0, count))


def label_gradient(g, p, labels, ignore_index, reduction):
    """The gradient of `label_losses` by the weighted sums, from the probabilities. Shapes: (n, c), (n) -> (n, c)."""
    xp = namespace(g, p)
    counted = counted_labels(labels, p.shape[1], ignore_index)
    slope = p - (xp.arange(p.shape[1]) == _zero_unless(counted, labels)[:, None])
    if counted is not None:
        slope = xp.where(counted[:, None], slope, 0.0)
    if reduction == "mean":
        count = _count(labels, counted, p.dtype)
        g = g / (count if counted is None else xp.where(count == 0, 1.0, count))
    return slope * (g[:, None] if reduction == "none" else g)


def _towards_labels(g, u, labels, ignore_index, reduction):
    return label_gradient(g, softmax(u, 1), labels, ignore_index, reduction)


_categorical_nll.gradient(
    u=(r"\bar u_{ik} = \bar l_i\,(p_{ik} - [k = y_i]), \quad p = \operatorname{softmax} u", _towards_labels),
    labels=None,
)
_categorical_nll.jacobian(
    u=r"\frac{\partial l_i}{\partial u_{j k}} = [i = j]\,(p_{j k} - [k = y_j]), \quad p = \operatorname{softmax} u",
)


def _of_labels(rows, labels):
    """Minus the element of each row at its label: the same from log-probabilities."""
    xp = namespace(labels)
    return -reshape(take_along_axis(rows, xp.expand_dims(labels, axis=1), axis=1), (-1,))


@composed(r"L = -\tfrac{1}{\sum_i w_{y_i}} \sum_i w_{y_i} x_{i y_i}", accumulates=True)
def nll_loss(input, target, /, weight=None, ignore_index=-100, reduction="mean"):
    """Negative log likelihood: the weighted mean of what log-probabilities say of the right classes.

    Shapes: (n, c, \\*d), (n, \\*d) -> (), or (n, \\*d) with ``reduction="none"``; also (c), () -> ().

    Arguments: ``weight``, one for each class; ``ignore_index``, the label of positions that do not count. Where none
    counts the mean is nan, and its gradient 0.

    Raises ValueError for labels beyond the classes.
    """
    return _label_loss(input, target, weight, ignore_index, reduction, _of_labels)


def _label_loss(values, target, weight, ignore_index, reduction, nll, smoothing=0.0):
    """The loss given class labels, by ``nll`` of rows of values and labels; a part of it spread over all classes."""
    choose("reduction", reduction, _REDUCTIONS)
    axis = 1 if values.ndim > 1 else 0
    classes = values.shape[axis]
    labels = raw(target)
    _check_labels(labels, values.shape)
    xp = namespace(labels)
    rows = values if values.ndim == 2 else moveaxis(values, axis, -1)
    if rows.ndim != 2:
        rows = reshape(rows, (-1, classes)) if values.size else reshape(values, (0, classes))
        labels = xp.reshape(labels, (-1,))
    if nll is _categorical_nll and weight is None and values.size:
        losses = nll(rows, labels, ignore_index, reduction)
        return reshape(losses, target.shape) if reduction == "none" else losses
    seam.interpreter.call(_check_classes, labels, classes, ignore_index)
    counted = labels != ignore_index
    labels = xp.where(counted, labels, xp.zeros_like(labels))
    weights = wrap(xp.astype(counted, values.dtype), None)
    if weight is not None:
        weight = _class_weights(weight, values, classes)
        weights = weights * take(weight, labels)
    # Masked first: 0 times an infinite loss would be nan.
    weighed = raw(weights) != 0
    if nll is _categorical_nll:
        losses = nll(rows, xp.where(weighed, xp.astype(labels, "int64"), -1), ignore_index=-1) * weights
    else:
        losses = where(weighed, nll(rows, labels), 0.0) * weights
    if smoothing:
        of_all = sum(rows if weight is None else _weighed(rows, weight), axis=1)
        losses = (1 - smoothing) * losses - (smoothing / classes) * where(counted, of_all, 0.0)
    if reduction == "mean":
        return _mean(sum(losses), sum(weights))
    return sum(losses) if reduction == "sum" else reshape(losses, target.shape)


@composed(
    r"L = -\tfrac{1}{n} \sum_i \sum_c w_c\,t_{ic} \ln \frac{e^{u_{ic}}}{\sum_k e^{u_{ik}}}",
    accumulates=True,
)
def cross_entropy(input, target, /, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """Softmax and negative log likelihood in one, from the weighted sums of the last layer.

    Shapes: (n, c, \\*d), and labels (n, \\*d) or probabilities (n, c, \\*d) -> (), or (n, \\*d) unreduced.

    Arguments: ``weight``, one for each class; ``ignore_index``, the label of positions that do not count, where none
    counts the mean is nan, and its gradient 0; ``label_smoothing``, the part of the target, 0 to 1, that is spread
    evenly over all classes.

    Raises ValueError for labels beyond the classes, or targets of another shape.

    Source: C. Bishop, "Pattern Recognition and Machine Learning" (2006), section 4.3.4; C. Szegedy et al. (2015).
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing is a part of the target, 0 to 1, not {label_smoothing}")
    axis = 1 if input.ndim > 1 else 0
    labelled = target.dtype.kind in "iub" or target.shape != input.shape
    if labelled and not label_smoothing:
        return _label_loss(input, target, weight, ignore_index, reduction, _categorical_nll)
    if labelled:
        counted = namespace(input).expand_dims(raw(target) != ignore_index, axis=axis)
        logp = log_softmax(where(counted, input, 0.0), axis=axis)
        return _label_loss(logp, target, weight, ignore_index, reduction, _of_labels, label_smoothing)
    classes = input.shape[axis]
    likely = target * (1 - label_smoothing) + label_smoothing / classes if label_smoothing else target
    if weight is not None:
        weight = _class_weights(weight, input, classes)
        likely = likely * reshape(weight, tuple(classes if i == axis else 1 for i in range(input.ndim)))
    input = _drop(input, (likely != 0).any(axis=axis, keepdims=True), isfinite(input))
    terms = _weighed(-log_softmax(input, axis=axis), likely)
    losses = sum(terms, axis=axis)
    if reduction == "mean":
        return sum(losses) / max(losses.size, 1)
    return _reduce(losses, reduction)
