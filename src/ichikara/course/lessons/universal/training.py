"""Twenty small networks on one curve, trained at once, from two kinds of first weights."""

import math

import numpy

from ichikara import asarray, nn, ops
from ichikara.optim import Adam

__all__ = ["SEEDS", "STARTS", "STEPS", "curve", "distance", "follow", "trained"]

SEEDS = 20
STEPS = 1500
STARTS = {"usual": 0.01, "steep": 0.02}  # how the first weights are drawn, and the rate of learning
STEEP = 30.0  # the standard deviation of steep first weights
PLACES = 64


def curve(x):
    """The curve that the lesson follows. Source: M. Nielsen, "Neural Networks and Deep Learning" (2015), ch. 4."""
    return 0.2 + 0.4 * x**2 + 0.3 * x * numpy.sin(15 * x) + 0.05 * numpy.cos(50 * x)


def distance(found, wanted):
    """The typical distance of curves: the root of the mean of its square. Shapes: (*, n), (n) -> (*)."""
    return numpy.sqrt(((found - wanted) ** 2).mean(-1))


def first_weights(start, hidden, seeds):
    """Weights and biases of both layers. Shapes: (seeds, 1, hidden) twice, (seeds, hidden, 1), (seeds, 1, 1).

    The usual ones are PyTorch's: uniform, and small. Steep ones are large, and each neuron rises within the range.
    """
    draw = numpy.random.default_rng(hidden)
    between = lambda shape, end: draw.uniform(-end, end, shape)
    first, bias = between((seeds, 1, hidden), 1), between((seeds, 1, hidden), 1)
    if start == "steep":
        first = draw.normal(0, STEEP, (seeds, 1, hidden))
        bias = -first * draw.uniform(0, 1, (seeds, 1, hidden))
    end = 1 / math.sqrt(hidden)
    weights = [first, bias, between((seeds, hidden, 1), end), between((seeds, 1, 1), end)]
    return [nn.Parameter(asarray(w, dtype="float32")) for w in weights]


def follow(weights, x):
    """What the networks answer at places x. Shapes: (n) -> (seeds, n)."""
    x = asarray(numpy.asarray(x)[:, None], dtype="float32")
    return (ops.tanh(x @ weights[0] + weights[1]) @ weights[2] + weights[3])[..., 0]


def trained(start, hidden, seeds=SEEDS, steps=STEPS, report=STEPS):
    """Networks that learn the curve, each from its own first weights; yields their weights now and then."""
    weights = first_weights(start, hidden, seeds)
    x = numpy.linspace(0, 1, PLACES)
    wanted = asarray(curve(x), dtype="float32")
    optimizer = Adam(weights, lr=STARTS[start])
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        loss = ops.sum((follow(weights, x) - wanted) ** 2) / PLACES
        loss.backward()
        optimizer.step()
        if step % report == 0:
            yield weights
