"""Normalisation in place. Its gradient subtracts from ȳ what would change the mean and the variance."""

from collections.abc import Callable

import numpy

from ...arrays import sum_to
from ..registry import implementation
from ..shared_backward import SharedBackward

__all__ = ["normalise", "normalise_leaky", "rms_normalise"]


def _normalise(x, weight, bias, axes, eps, negative_slope):
    mean = numpy.mean(x, axis=axes, keepdims=True)
    y = x - mean
    var = numpy.mean(y * y, axis=axes, keepdims=True)
    inv_std = 1 / numpy.sqrt(var + eps)
    y *= inv_std
    if weight is not None:
        y *= weight
    if bias is not None:
        y += bias
    mask = None if negative_slope == 1 else y > 0
    if mask is not None:
        y = numpy.where(mask, y, negative_slope * y)

    def backward(g):
        """The gradients of x, the weight and the bias, which share x̂ and the product with the weight."""
        if mask is not None:
            g = numpy.where(mask, g, negative_slope * g)
        normal = (x - mean) * inv_std
        weight_bar = g * normal
        gw = g if weight is None else g * weight
        x_bar = normal * -numpy.mean(gw * normal, axis=axes, keepdims=True)
        x_bar += gw
        x_bar -= numpy.mean(gw, axis=axes, keepdims=True)
        x_bar *= inv_std
        return x_bar, weight_bar, g

    return y, mean, var, inv_std, SharedBackward(backward)


_RULES: dict[str, Callable] = {
    "x": lambda g, backward: backward(g)[0],
    "weight": lambda g, backward, weight_shape: sum_to(backward(g)[1], weight_shape),
    "bias": lambda g, backward, bias_shape: sum_to(backward(g)[2], bias_shape),
}


@implementation("normalise", residuals=("mean", "var", "inv_std", "backward"))
def normalise(x, weight, bias, axes, eps):
    return _normalise(x, weight, bias, axes, eps, 1.0)


normalise.gradient(**_RULES)


@implementation("normalise_leaky", residuals=("mean", "var", "inv_std", "backward"))
def normalise_leaky(x, weight, bias, axes, eps, negative_slope):
    return _normalise(x, weight, bias, axes, eps, negative_slope)


normalise_leaky.gradient(**_RULES)


@implementation("rms_normalise", residuals=("inv_rms",))
def rms_normalise(x, weight, axes, eps):
    inv_rms = 1 / numpy.sqrt(numpy.mean(x * x, axis=axes, keepdims=True) + eps)
    y = x * inv_rms
    if weight is not None:
        y *= weight
    return y, inv_rms


def _rms_x(g, x, weight, inv_rms, axes):
    g = g if weight is None else g * weight
    normal = x * inv_rms
    normal *= -numpy.mean(g * normal, axis=axes, keepdims=True)
    normal += g
    normal *= inv_rms
    return normal


rms_normalise.gradient(
    x=_rms_x,
    weight=lambda g, x, inv_rms, weight_shape: sum_to(g * (x * inv_rms), weight_shape),
)
