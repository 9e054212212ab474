"""Fuses modules of a Sequential: batch normalisation and the activation after it, in one pass over memory."""

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from ..arrays import seam
from ..autodiff import Composition
from ..nn import BatchNorm1d, BatchNorm2d, LeakyReLU, ReLU, Sequential
from ..ops import leaky_relu
from ..ops.norm import normalise

__all__ = ["Sequential", "normalise_leaky", "run_sequential"]


_NORMALISATIONS = (BatchNorm1d, BatchNorm2d)


def _normalise_leaky(x, weight=None, bias=None, /, axes=(-1,), eps=1e-5, negative_slope=1.0):
    """`normalise` and a leaky ReLU of the result. With a slope of 0 that is the ReLU."""
    y, mean, var = normalise(x, weight, bias, axes, eps)
    return leaky_relu(y, negative_slope), mean, var


_normalise_leaky.__name__ = "normalise_leaky"
normalise_leaky = Composition(
    _normalise_leaky, r"y = a(w\,\hat x + b), \quad a(u) = u \text{ or } \lambda u \text{ below } 0", ("mean", "var")
)


def run_sequential(modules: Iterable, input: Any) -> Any:
    """Call modules one after another, a normalisation and its activation as one."""
    modules = iter(modules)
    for layer in modules:
        if type(layer) not in _NORMALISATIONS:
            input = layer(input)
            continue
        activation = next(modules, None)
        slope = _fusable(layer, activation)
        if slope is not None:
            input = seam.interpreter.run_module(_Fused((layer, activation), slope), (input,), {})
        else:
            input = layer(input)
            input = input if activation is None else activation(input)
    return input


class _Fused(NamedTuple):
    """A normalisation and its activation, called as one module. Arguments: ``in_one``, the two of them."""

    in_one: tuple[Any, Any]
    slope: float

    def forward(self, input: Any) -> Any:
        return self.in_one[0].normalised(input, partial(normalise_leaky, negative_slope=self.slope))


def _fusable(layer: Any, activation: Any) -> float | None:
    """The negative slope of an activation that can be fused into the layer before it; None where it cannot.

    Where a hook is attached to either, each is called by itself.
    """
    if type(activation) not in (ReLU, LeakyReLU):
        return None
    if not layer.training or any(part._forward_hooks or part._forward_pre_hooks for part in (layer, activation)):
        return None
    return getattr(activation, "negative_slope", 0.0)
