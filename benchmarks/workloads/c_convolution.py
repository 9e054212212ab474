"""C: two convolutions and a wide layer, on images of the digits' size."""

from typing import Any

from . import cost
from .common import (
    Workload,
    classification,
    dezero_training,
    jax_convolution,
    labels,
    normal,
    weight,
)

BATCH = 128


def model(nn: Any):
    """The network in ichikara's or PyTorch's layers."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def data(batch=BATCH) -> tuple[Any, Any]:
    """Images and their classes."""
    return normal(batch, 1, 28, 28), labels(10, batch)


def layers(batch=BATCH):
    """What is counted."""
    return [
        cost.convolution(batch, 1, 32, 3, 28, 26),
        cost.convolution(batch, 32, 64, 3, 26, 24),
        cost.linear(batch, 9216, 128),
        cost.linear(batch, 128, 10),
    ]


def jax_parameters():
    """Weights and biases, layer by layer."""
    zeros = lambda n: weight(n) * 0
    return [
        (weight(3, 3, 1, 32), zeros(32)),
        (weight(3, 3, 32, 64), zeros(64)),
        (weight(9216, 128), zeros(128)),
        (weight(128, 10), zeros(10)),
    ]


def jax_forward(parameters, x):
    """The network, with the channels last."""
    import jax

    (w1, b1), (w2, b2), (w3, b3), (w4, b4) = parameters
    x = jax.nn.relu(jax_convolution(x, w1) + b1)
    x = jax.nn.relu(jax_convolution(x, w2) + b2)
    x = jax.lax.reduce_window(x, -jax.numpy.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = jax.nn.relu(x.reshape(len(x), -1) @ w3 + b3)
    return x @ w4 + b4


def jax_data(batch=BATCH) -> tuple[Any, Any]:
    """The images with the channels last."""
    x, y = data(batch)
    return x.transpose(0, 2, 3, 1), y


def dezero_step(mode):
    import dezero.functions as F
    import dezero.layers as L
    from dezero.models import Sequential
    from dezero.optimizers import Adam

    pool = lambda x: F.pooling(x, 2, 2)
    network = Sequential(
        L.Conv2d(32, 3), F.relu, L.Conv2d(64, 3), F.relu, pool, F.flatten, L.Linear(128), F.relu, L.Linear(10)
    )
    return dezero_training(network, *data(), Adam())


WORKLOAD = Workload(
    "C",
    "convolutions 32, 64 on 28×28, batch 128",
    model,
    {**classification(model, data, jax_forward, jax_parameters, jax_data), "dezero": dezero_step},
    cost.training(layers()),
    ("channels-last",),
)
