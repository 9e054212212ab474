"""Trainings on digits, and what each costs."""

import time
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy

import ichikara
from ichikara import nn
from ichikara.arrays import Generator, using
from ichikara.course.digits import splits
from ichikara.data import DataLoader, Dataset
from ichikara.optim import SGD
from ichikara.zoo import MLP

__all__ = ["CLASSES", "GOAL", "RATES", "Point", "network", "scores", "stepper", "until_goal"]

COPIES, GOAL = 5, 0.95
RATES = {1: (0.05, 0.02, 0.1), 5: (0.2, 0.1, 0.4), 25: (0.5, 0.25, 1.0), 125: (0.5, 1.0, 2.0), 7500: (0.7, 0.5, 1.0)}
"""By the size of a batch, rates to try. All sizes divide the number of pictures."""
CLASSES = tuple("0123456789")


class Point(NamedTuple):
    """How far a training is, and the loss and accuracy on all its examples."""

    steps: int
    examples: int
    seconds: float
    loss: float
    accuracy: float


@cache
def noisy():
    """7,500 pictures of digits: each of 1,500 five times, every time with other noise."""
    images, labels = splits(0, train=1500)[:2]
    noise = numpy.random.default_rng(0).normal(0, 0.15, (COPIES * len(images), 64))
    return Dataset(numpy.repeat(images, COPIES, axis=0) + noise, numpy.repeat(labels, COPIES), classes=CLASSES)


def network(seed=0):
    """A network with 32 hidden neurons, at its start."""
    with using(Generator(seed)):
        return MLP(64, 10, hidden=[32])


def scores(net, data):
    """The loss and the accuracy on a whole set."""
    with ichikara.no_grad():
        output = net(data.inputs)
        return nn.CrossEntropyLoss()(output, data.targets).item(), float(
            (output.numpy().argmax(1) == data.targets).mean()
        )


def stepper(net, rate, x, y):
    """A step of gradient descent, staged: what is computed once, for the first batch, changes nothing."""
    of, optimizer = nn.CrossEntropyLoss(), SGD(net.parameters(), lr=0.0)

    @ichikara.stage
    def step(x, y):
        optimizer.zero_grad()
        of(net(x), y).backward()
        optimizer.step()

    for _ in range(2):
        step(x, y)
    optimizer.param_groups[0]["lr"] = rate
    return step


def training(data, m, rate) -> Iterator[Point]:
    """Points of a training without end. Looking at the loss is not part of the seconds."""
    net, loader = network(), DataLoader(data, m, shuffle=True, generator=Generator(0))
    step = stepper(net, rate, data.inputs[:m], data.targets[:m])
    steps, seconds, every = 0, 0.0, min(max(1, 250 // m), 125)
    began = time.perf_counter()
    while True:
        for x, y in loader:
            step(x, y)
            steps += 1
            if steps % every == 0:
                seconds += time.perf_counter() - began
                yield Point(steps, steps * m, seconds, *scores(net, data))
                began = time.perf_counter()


def until_goal(m, rate, most=20_000) -> Iterator[Point]:
    """Points of a training until the goal, or until too many steps."""
    for point in training(noisy(), m, rate):
        yield point
        if point.accuracy >= GOAL or point.steps >= most:
            return
