"""B: the network of the digits, 784-512-512-10 with ReLU. What it costs are products of matrices, and Adam."""

from functools import partial
from itertools import pairwise
from typing import Any

from . import cost
from .common import (
    Workload,
    dezero_training,
    ichikara_training,
    jax_training,
    labels,
    normal,
    torch_training,
    weight,
)


def model(nn: Any, width=512):
    """The network in ichikara's or PyTorch's layers."""
    return nn.Sequential(nn.Linear(784, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))


def data(batch=128) -> tuple[Any, Any]:
    """Images as rows, and their classes."""
    return normal(batch, 784), labels(10, batch)


def layers(width=512, batch=128):
    """What is counted."""
    return [cost.linear(batch, *pair) for pair in pairwise(sizes(width))]


def sizes(width=512):
    """Neurons of each layer."""
    return 784, width, width, 10


# --- the networks of the other libraries, for A too -------------------------------------------------------------------


def jax_parameters(sizes):
    """Weights and biases of each layer."""
    return [(weight(*pair), weight(pair[1]) * 0) for pair in pairwise(sizes)]


def jax_forward(activation):
    """A function of parameters and inputs."""

    def forward(parameters, x):
        for w, b in parameters[:-1]:
            x = activation(x @ w + b)
        w, b = parameters[-1]
        return x @ w + b

    return forward


def sklearn_network(sizes, x, y, **options):
    """A step of scikit-learn's MLPClassifier, without its penalty on weights, which nobody else has here."""
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier(sizes[1:-1], batch_size=len(x), alpha=0.0, **options)
    classes = list(range(sizes[-1]))

    def step():
        network.partial_fit(x, y, classes=classes)
        return network.loss_

    return step


def autograd_network(sizes, x, y, activation, rule):
    """A step of autograd, which has no optimisers; they are written here as its examples write them."""
    import autograd.numpy as np
    from autograd import value_and_grad
    from autograd.scipy.special import logsumexp

    forward = jax_forward(activation)
    rows = np.arange(len(y))

    def loss_of(flat):
        scores = forward(list(pairwise_of(flat)), x)
        return np.mean(logsumexp(scores, axis=1) - scores[rows, y])

    parameters = [array for layer in jax_parameters(sizes) for array in layer]
    differentiated = value_and_grad(loss_of)
    update = rule(parameters)

    def step():
        loss, gradients = differentiated(parameters)
        update(gradients)
        return loss

    return step


def pairwise_of(flat):
    """A flat list of weights and biases, two by two."""
    return zip(flat[::2], flat[1::2], strict=True)


def sgd(parameters, lr=0.01):
    """Steepest descent, in place."""

    def update(gradients):
        for p, g in zip(parameters, gradients, strict=True):
            p -= lr * g

    return update


def adam(parameters, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    """Adam, in place."""
    m, v = [p * 0 for p in parameters], [p * 0 for p in parameters]
    t = 0

    def update(gradients):
        nonlocal t
        t += 1
        for i, g in enumerate(gradients):
            m[i] += (1 - b1) * (g - m[i])
            v[i] += (1 - b2) * (g * g - v[i])
            parameters[i] -= lr * (m[i] / (1 - b1**t)) / ((v[i] / (1 - b2**t)) ** 0.5 + eps)

    return update


def dezero_network(sizes, x, y, activation, optimizer):
    """A step of DeZero."""
    from dezero.models import MLP

    return dezero_training(MLP(sizes[1:], activation=activation), x, y, optimizer)


def tinygrad_network(sizes, x, y, activation, optimizer, lr):
    """A step of tinygrad, recorded once and replayed."""
    from tinygrad import Context, Tensor, TinyJit, nn

    stack = [nn.Linear(*pair) for pair in pairwise(sizes)]
    rule = optimizer([p for layer in stack for p in (layer.weight, layer.bias)], lr=lr)
    x, y = Tensor(x), Tensor(y.astype("int32"))

    @TinyJit
    def update():
        scores = x
        for layer in stack[:-1]:
            scores = getattr(layer(scores), activation)()
        rule.zero_grad()
        loss = stack[-1](scores).sparse_categorical_crossentropy(y).backward()
        return loss.realize(*rule.schedule_step())

    def step():
        with Context(TRAINING=1):
            return update().item()

    return step


# --- the steps --------------------------------------------------------------------------------------------------------


def ichikara_step(mode, width=512, batch=128):
    return ichikara_training(partial(model, width=width), *data(batch))


def torch_step(mode, width=512, batch=128):
    return torch_training(partial(model, width=width), *data(batch), mode)


def jax_step(mode, width=512, batch=128):
    from jax.nn import relu

    return jax_training(jax_forward(relu), jax_parameters(sizes(width)), *data(batch))


def sklearn_step(mode):
    return sklearn_network(sizes(), *data(), activation="relu", solver="adam", learning_rate_init=1e-3)


def autograd_step(mode):
    import autograd.numpy as np

    return autograd_network(sizes(), *data(), lambda x: np.maximum(x, 0), adam)


def dezero_step(mode):
    import dezero.functions
    from dezero.optimizers import Adam

    return dezero_network(sizes(), *data(), dezero.functions.relu, Adam())


def tinygrad_step(mode):
    from tinygrad.nn.optim import Adam

    return tinygrad_network(sizes(), *data(), "relu", Adam, 1e-3)


WORKLOAD = Workload(
    "B",
    "MLP 784-512-512-10, batch 128",
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
    cost.training(layers()),
)


def workload(width=512, batch=128) -> Workload:
    """B with another width or another batch, for a picture."""
    steps = {"ichikara": ichikara_step, "torch": torch_step, "jax": jax_step}
    return Workload(
        f"B width {width} batch {batch}",
        f"MLP 784-{width}-{width}-10, batch {batch}",
        partial(model, width=width),
        {library: partial(step, width=width, batch=batch) for library, step in steps.items()},
        cost.training(layers(width, batch)),
    )
