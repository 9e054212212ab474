"""E: an LSTM that reads a hundred steps and answers from its last state."""

from typing import Any

from . import cost
from .common import Workload, classification, labels, normal, reader, weight

BATCH, TIME, INPUTS, HIDDEN = 64, 100, 32, 128


def model(nn: Any):
    """The network in ichikara's or PyTorch's layers."""
    return reader(nn, nn.LSTM(INPUTS, HIDDEN, batch_first=True), HIDDEN)


def data() -> tuple[Any, Any]:
    """Sequences and their classes."""
    return normal(BATCH, TIME, INPUTS), labels(10, BATCH)


def jax_parameters():
    """Weights of the input, of the state, the bias; weights and bias of the last layer."""
    return [weight(INPUTS, 4 * HIDDEN), weight(HIDDEN, 4 * HIDDEN), weight(4 * HIDDEN), weight(HIDDEN, 10), weight(10)]


def jax_forward(parameters, x):
    """The network; what the inputs give is computed for all steps at once."""
    import jax
    import jax.numpy as jnp

    wx, wh, bias, w, b = parameters

    def cell(state, u):
        h, c = state
        i, f, g, o = jnp.split(u + h @ wh, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), None

    zero = jnp.zeros((len(x), HIDDEN))
    (h, _), _ = jax.lax.scan(cell, (zero, zero), jnp.swapaxes(x @ wx + bias, 0, 1))
    return h @ w + b


WORKLOAD = Workload(
    "E",
    "LSTM 32-128, 100 steps, batch 64",
    model,
    classification(model, data, jax_forward, jax_parameters),
    cost.training([cost.recurrent(BATCH, TIME, INPUTS, HIDDEN, 4), cost.linear(BATCH, HIDDEN, 10)]),
)
