"""Normalisation in place: its gradient takes from the incoming one what would change the mean and the variance."""

from typing import Any

from ...arrays import namespace, sum_to
from ..once import Once
from ..registry import implementation

__all__ = ["normalise", "rms_normalise"]


def _normalise(x, weight, bias, axes, eps, negative_slope):
    xp = namespace(x)
    mean = xp.mean(x, axis=axes, keepdims=True)
    y = x - mean
    var = xp.mean(y * y, axis=axes, keepdims=True)
    slope = 1 / xp.sqrt(var + eps)
    y *= slope
    if weight is not None:
        y *= weight
    if bias is not None:
        y += bias
    above = None if negative_slope == 1 else y > 0
    if above is not None:
        y = xp.where(above, y, negative_slope * y)

    def back(g):
        """The gradients of x, the weight and the bias; they share x̂ and the product with the weight."""
        xp = namespace(g, x)
        if above is not None:
            g = xp.where(above, g, negative_slope * g)
        normal = (x - mean) * slope
        weight_bar = g * normal
        gw = g if weight is None else g * weight
        x_bar = normal * -xp.mean(gw * normal, axis=axes, keepdims=True)
        x_bar += gw
        x_bar -= xp.mean(gw, axis=axes, keepdims=True)
        x_bar *= slope
        return x_bar, weight_bar, g

    return y, mean, var, slope, Once(back)


_RULES: dict[str, Any] = {
    "x": lambda g, back: back(g)[0],
    "weight": lambda g, back, weight_shape: sum_to(back(g)[1], weight_shape),
    "bias": lambda g, back, bias_shape: sum_to(back(g)[2], bias_shape),
}


@implementation("normalise", keeps=("mean", "var", "slope", "back"))
def normalise(x, weight, bias, axes, eps):
    return _normalise(x, weight, bias, axes, eps, 1.0)


normalise.gradient(**_RULES)


@implementation("normalise_leaky", keeps=("mean", "var", "slope", "back"))
def normalise_leaky(x, weight, bias, axes, eps, negative_slope):
    return _normalise(x, weight, bias, axes, eps, negative_slope)


normalise_leaky.gradient(**_RULES)


@implementation("rms_normalise", keeps=("slope",))
def rms_normalise(x, weight, axes, eps):
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
    x=_through_square,
    weight=lambda g, x, slope, weight_shape: sum_to(g * (x * slope), weight_shape),
)
