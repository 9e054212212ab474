"""Averages of the weights over the steps of a run, which are steadier than the weights of any one step."""

from collections.abc import Iterator
from typing import Any

from ..arrays import contextmanager, is_floating, namespace
from ..autodiff import raw
from ..checks import whole_number
from ..errors import UserError

__all__ = ["ExponentialMovingAverage", "are_finite"]


class ExponentialMovingAverage:
    r"""The exponential moving average of a network's weights, for a `Trainer`'s ``averaging``.

    .. math:: a_t = d\,a_{t-1} + (1 - d)\,w_t, \qquad a_0 = 0, \qquad \hat a_t = \frac{a_t}{1 - d^t}

    The division corrects the start from zero, as in Adam: the first average is the first weights. The object stores
    :math:`\hat a_t`, by the equal rule :math:`\hat a_t = \hat a_{t-1} + \frac{1 - d}{1 - d^t} (w_t - \hat a_{t-1})`.

    The trainer learns with the weights, and validates with their average. The network has the average when callbacks
    are called at the end of an epoch, so early stopping restores the best average. It has the average after the
    training. Buffers of real numbers are averaged too: the statistics of batch normalisation depend on the weights.

    Arguments: ``decay``, d, from 0 (no average) to below 1: about 1 / (1 − d) steps count.

    Raises UserError for a decay out of range, and for weights of another network than before.

    >>> from ichikara import nn
    >>> layer, average = nn.Linear(1, 1, bias=False), ExponentialMovingAverage(0.5)
    >>> for w in (1.0, 4.0):
    ...     _ = layer.load_state_dict({"weight": [[w]]})
    ...     average.update(layer)
    >>> with average.applied(layer):
    ...     layer.weight.item()  # (0.5 · 0.5 · 1 + 0.5 · 4) / (1 − 0.25)
    3.0
    >>> layer.weight.item()
    4.0

    Source: B. Polyak, A. Juditsky, "Acceleration of Stochastic Approximation by Averaging" (1992); the correction is
    that of D. Kingma, J. Ba, "Adam" (2015), section 3.
    """

    def __init__(self, decay: float = 0.999):
        if not isinstance(decay, int | float) or isinstance(decay, bool) or not 0 <= decay < 1:
            raise UserError(f"decay is the fraction of the average that each step keeps, 0 to below 1, not {decay!r}")
        self.decay = float(decay)
        self.steps = 0
        self.weights: dict[str, Any] = {}  # arrays by the parameters' names
        self.set_aside: dict[str, Any] = {}  # the network's own weights, while it has the averages

    def update(self, model) -> None:
        """Update the average with a network's weights, after a step of its optimiser."""
        parameters = {name: raw(tensor) for name, tensor in _numbers(model).items()}
        if not self.steps:
            self.weights = {name: namespace(w).zeros_like(w) for name, w in parameters.items()}
        self._check(parameters)
        self.steps += 1
        rate = (1 - self.decay) / (1 - self.decay**self.steps)
        for name, w in parameters.items():
            average = self.weights[name]
            self.weights[name] = average + rate * (w - average)

    def apply(self, model) -> None:
        """Replace a network's weights by the averages; before the first step nothing is changed."""
        if not self.steps:
            return
        parameters = _numbers(model)
        self._check(parameters)
        for name, tensor in parameters.items():
            tensor.data = self.weights[name]

    @contextmanager
    def applied(self, model) -> Iterator[None]:
        """Within the block the averages are the network's weights."""
        # Shared tensors under each of their names, as in a state_dict.
        self.set_aside = {name: raw(tensor) for name, tensor in _numbers(model, remove_duplicate=False).items()}
        try:
            self.apply(model)
            yield
        finally:
            for name, tensor in _numbers(model).items():
                tensor.data = self.set_aside[name]
            self.set_aside = {}

    @property
    def state(self) -> dict[str, Any]:
        """All that the average needs to continue."""
        return {"decay": self.decay, "steps": self.steps, "weights": dict(self.weights)}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        if state["decay"] != self.decay:
            raise UserError(f"the average was made with a decay of {state['decay']}, and this one has {self.decay}")
        weights = dict(state["weights"])
        if not all(hasattr(array, "shape") for array in weights.values()):
            raise UserError("the saved average has something else than arrays of weights")
        self.steps, self.weights = whole_number("the steps of a saved average", state["steps"], at_least=0), weights

    def __repr__(self):
        return f"ExponentialMovingAverage({self.decay:g}, after {self.steps} steps)"

    def _check(self, parameters: dict[str, Any]) -> None:
        shapes = {name: parameter.shape for name, parameter in parameters.items()}
        if shapes != {name: average.shape for name, average in self.weights.items()}:
            raise UserError("these are not the weights that were averaged so far; make an average for each network")


def _numbers(model, remove_duplicate: bool = True) -> dict[str, Any]:
    """The tensors of a network that are averaged: its parameters, and its buffers of real numbers."""
    buffers = model.named_buffers(remove_duplicate=remove_duplicate)
    return {
        **dict(model.named_parameters(remove_duplicate=remove_duplicate)),
        **{name: buffer for name, buffer in buffers if is_floating(raw(buffer))},
    }


def are_finite(model) -> bool:
    """Whether all parameters of a network, and its buffers of real numbers, are finite."""
    arrays = [raw(tensor) for tensor in _numbers(model).values()]
    return all(bool(namespace(array).all(namespace(array).isfinite(array))) for array in arrays)
