"""Twenty small networks on one curve, trained at once, in several ways."""

import math

import numpy

from ichikara import asarray, nn, ops
from ichikara.course.lessons.universal.functions import curve
from ichikara.optim import SGD, Adam

__all__ = ["SEEDS", "STEPS", "WAYS", "follow", "trained"]

SEEDS = 20
STEPS = 1500
WAYS = {"usual": (ops.tanh, Adam, 0.02), "steep": (ops.tanh, Adam, 0.02), "plain": (ops.sigmoid, SGD, 0.1)}
STEEP = 30.0  # the standard deviation of steep first weights
PLACES = 64


def first_weights(way, hidden, seeds):
    """Weights and biases of both layers. Shapes: (seeds, 1, hidden) twice, (seeds, hidden, 1), (seeds, 1, 1).

    The usual ones are PyTorch's: uniform, and small. Steep ones are large, and each neuron rises within the range.
    """
    draw = numpy.random.default_rng(hidden)
    between = lambda shape, end: draw.uniform(-end, end, shape)
    first, bias = between((seeds, 1, hidden), 1), between((seeds, 1, hidden), 1)
    if way == "steep":
        first = draw.normal(0, STEEP, (seeds, 1, hidden))
        bias = -first * draw.uniform(0, 1, (seeds, 1, hidden))
    end = 1 / math.sqrt(hidden)
    weights = [first, bias, between((seeds, hidden, 1), end), between((seeds, 1, 1), end)]
    return [nn.Parameter(asarray(w, dtype="float32")) for w in weights]


def follow(way, weights, x):
    """What the networks answer at places x. Shapes: (n) -> (seeds, n)."""
    x = asarray(numpy.asarray(x)[:, None], dtype="float32")
    activation, _, _ = WAYS[way]
    return (activation(x @ weights[0] + weights[1]) @ weights[2] + weights[3])[..., 0]


def trained(way, hidden, seeds=SEEDS, steps=STEPS, report=STEPS):
    """Networks that learn the curve, each from its own first weights; yields their weights now and then."""
    weights = first_weights(way, hidden, seeds)
    x = numpy.linspace(0, 1, PLACES)
    wanted = asarray(curve(x), dtype="float32")
    _, optimizer, lr = WAYS[way]
    optimizer = optimizer(weights, lr=lr)
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        loss = ops.sum((follow(way, weights, x) - wanted) ** 2) / PLACES
        loss.backward()
        optimizer.step()
        if step % report == 0:
            yield weights
