"""H: a GRU of two layers that reads in both directions."""

from typing import Any

from . import cost
from .common import Workload, classification, labels, normal, reader, weight

BATCH, TIME, INPUTS, HIDDEN = 32, 50, 32, 128


def model(nn: Any):
    """The network in ichikara's or PyTorch's layers."""
    return reader(nn, nn.GRU(INPUTS, HIDDEN, num_layers=2, batch_first=True, bidirectional=True), 2 * HIDDEN)


def data() -> tuple[Any, Any]:
    """Sequences and their classes."""
    return normal(BATCH, TIME, INPUTS), labels(10, BATCH)


def jax_parameters():
    """For each layer and direction weights and biases of input and state; then the last layer's."""
    one = lambda inputs: (
        weight(inputs, 3 * HIDDEN),
        weight(3 * HIDDEN),
        weight(HIDDEN, 3 * HIDDEN),
        weight(3 * HIDDEN),
    )
    layers = [(one(inputs), one(inputs)) for inputs in (INPUTS, 2 * HIDDEN)]
    return layers, (weight(2 * HIDDEN, 10), weight(10))


def jax_forward(parameters, x):
    """The network; what the inputs give is computed for all steps at once."""
    import jax
    import jax.numpy as jnp

    def direction(x, layer, reverse):
        wx, bx, wh, bh = layer

        def cell(h, u):
            v = h @ wh + bh
            r, z = jnp.split(jax.nn.sigmoid(u[:, : 2 * HIDDEN] + v[:, : 2 * HIDDEN]), 2, -1)
            n = jnp.tanh(u[:, 2 * HIDDEN :] + r * v[:, 2 * HIDDEN :])
            h = (1 - z) * n + z * h
            return h, h

        return jax.lax.scan(cell, jnp.zeros((x.shape[1], HIDDEN)), x @ wx + bx, reverse=reverse)[1]

    layers, (w, b) = parameters
    states = jnp.swapaxes(x, 0, 1)
    for forwards, backwards in layers:
        states = jnp.concatenate([direction(states, forwards, False), direction(states, backwards, True)], -1)
    return states[-1] @ w + b


# The first layer's two directions as one layer, for neither passes a gradient on; likewise the second's.
_FIRST, _SECOND = (cost.recurrent(BATCH, TIME, inputs, HIDDEN, 3) for inputs in (INPUTS, 2 * HIDDEN))

WORKLOAD = Workload(
    "H",
    "GRU 32-128, two layers, both directions, 50 steps, batch 32",
    model,
    classification(model, data, jax_forward, jax_parameters),
    cost.training(
        [cost.Layer(*(2 * number for number in _FIRST)), _SECOND, _SECOND, cost.linear(BATCH, 2 * HIDDEN, 10)]
    ),
)
