"""A hundred small networks on XOR, trained at once."""

import math

import numpy

from ichikara import asarray, nn, ops
from ichikara.optim import Adam

__all__ = ["INPUTS", "SEEDS", "STEPS", "XOR", "solved", "sums_of", "trained"]

XOR = ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0))
SEEDS = 100
STEPS = 1000
INPUTS, TARGETS = [[float(a), float(b)] for a, b, _ in XOR], [[float(y)] for _, _, y in XOR]


def trained(hidden, report=STEPS):
    """A hundred networks on XOR at once, each from its own first weights; yields what they have become.

    Shapes of the weights: (seeds, 2, hidden), (seeds, 1, hidden), (seeds, hidden, 1), (seeds, 1, 1).
    """
    draw = numpy.random.default_rng(hidden)
    start = lambda shape, inputs: asarray(draw.uniform(-1, 1, (SEEDS, *shape)) / math.sqrt(inputs), dtype="float32")
    weights = [start((2, hidden), 2), start((1, hidden), 2), start((hidden, 1), hidden), start((1, 1), hidden)]
    weights = [nn.Parameter(w) for w in weights]
    x, y = asarray(INPUTS), ops.broadcast_to(asarray(TARGETS), (SEEDS, 4, 1))
    optimizer = Adam(weights, lr=0.05)
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        loss = ops.binary_cross_entropy_with_logits(sums_of(weights, x), y, reduction="sum") / 4
        loss.backward()
        optimizer.step()
        if step % report == 0:
            yield weights


def sums_of(weights, x):
    return ops.tanh(x @ weights[0] + weights[1]) @ weights[2] + weights[3]


def solved(weights):
    """Which of the networks answer all four corners rightly."""
    right = (sums_of(weights, asarray(INPUTS)).numpy() > 0) == (numpy.array(TARGETS) > 0)
    return right.all((1, 2))
