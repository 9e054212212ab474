"""A: a network small enough to draw, 2-8-8-2 with tanh, as in a playground. What it costs is the library itself."""

from itertools import pairwise
from typing import Any

from . import b_mlp, cost
from .common import Workload, ichikara_training, jax_training, labels, normal, torch_training

SIZES = (2, 8, 8, 2)
BATCH = 10


def model(nn: Any):
    """The network in ichikara's or PyTorch's layers."""
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))


def data() -> tuple[Any, Any]:
    """Points and their classes."""
    return normal(BATCH, 2), labels(2, BATCH)


def ichikara_step(mode):
    return ichikara_training(model, *data(), "SGD", 0.01)


def torch_step(mode):
    return torch_training(model, *data(), mode, "SGD", 0.01)


def jax_step(mode):
    from jax.numpy import tanh

    return jax_training(b_mlp.jax_forward(tanh), b_mlp.jax_parameters(SIZES), *data(), "sgd", 0.01)


def sklearn_step(mode):
    return b_mlp.sklearn_network(SIZES, *data(), activation="tanh", solver="sgd", learning_rate_init=0.01, momentum=0)


def autograd_step(mode):
    from autograd.numpy import tanh

    return b_mlp.autograd_network(SIZES, *data(), tanh, b_mlp.sgd)


def dezero_step(mode):
    import dezero.functions
    from dezero.optimizers import SGD

    return b_mlp.dezero_network(SIZES, *data(), dezero.functions.tanh, SGD(0.01))


def tinygrad_step(mode):
    from tinygrad.nn.optim import SGD

    return b_mlp.tinygrad_network(SIZES, *data(), "tanh", SGD, 0.01)


WORKLOAD = Workload(
    "A",
    "MLP 2-8-8-2, batch 10, SGD",
    model,
    {
        "ichikara": ichikara_step,
        "torch": torch_step,
        "jax": jax_step,
        "scikit-learn": sklearn_step,
        "autograd": autograd_step,
        "dezero": dezero_step,
        "tinygrad": tinygrad_step,
    },
    cost.training([cost.linear(BATCH, *pair) for pair in pairwise(SIZES)], "sgd"),
)
