"""Six small tasks on which the optimisers of lesson 12 are compared."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy

import ichikara
from ichikara import nn, optim
from ichikara.arrays import Generator, using
from ichikara.course.digits import splits
from ichikara.zoo import MLP, CharRNN, Polynomial, SequenceReader

__all__ = ["MAKERS", "RATES", "SEEDS", "TASKS", "tuned"]

STEPS, BATCH = 300, 32
SEEDS = 3
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
MAKERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": optim.SGD,
    "momentum": lambda params, lr: optim.SGD(params, lr=lr, momentum=0.9),
    "nesterov": lambda params, lr: optim.SGD(params, lr=lr, momentum=0.9, nesterov=True),
    "rmsprop": optim.RMSprop,
    "adam": optim.Adam,
}
TEXT = (
    "the rain falls on the roof and runs down to the ground. the stream takes it to the river, and the river takes it "
    "to the sea. the sun takes it up to the sky again, and the wind takes it back over the land, and the rain falls on "
    "the roof and runs down to the ground. "
)


class Task(NamedTuple):
    """A network's maker, its inputs and targets, and its loss."""

    network: Callable[[], Any]
    inputs: numpy.ndarray
    targets: numpy.ndarray
    loss: Callable[..., Any]


def polynomial() -> Task:
    """A polynomial of degree 5 through 64 points of a sine."""
    draw = numpy.random.default_rng(0)
    x = numpy.linspace(-1.5, 1.5, 64, dtype=numpy.float32)[:, None]
    return Task(lambda: Polynomial(5), x, numpy.sin(3 * x) + draw.normal(0, 0.1, x.shape).astype(x.dtype), nn.MSELoss())


def moons() -> Task:
    """Two half moons of 200 points each."""
    draw = numpy.random.default_rng(0)
    angle = draw.uniform(0, numpy.pi, 400)
    kind = numpy.arange(400) % 2
    x = numpy.stack([numpy.cos(angle) + kind, numpy.sin(angle)], axis=1) * numpy.where(kind, -1, 1)[:, None]
    x = x + kind[:, None] * numpy.array([2.0, 0.5]) + draw.normal(0, 0.1, (400, 2))
    return Task(lambda: MLP(2, 2, hidden=[16]), x.astype(numpy.float32), kind, nn.CrossEntropyLoss())


def digits() -> Task:
    """1,000 handwritten digits."""
    split = splits(0, train=1000)
    return Task(lambda: MLP(64, 10, hidden=[32]), split.images, split.labels, nn.CrossEntropyLoss())


def convolution() -> Task:
    """The same digits, with a convolution before the linear layer."""
    split = splits(0, train=1000)
    net = lambda: nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 10))
    return Task(net, split.images.reshape(-1, 1, 8, 8), split.labels, nn.CrossEntropyLoss())


def characters() -> Task:
    """The next letter of a short text, from windows of 16 letters."""
    letters = sorted(set(TEXT))
    codes = numpy.array([letters.index(letter) for letter in TEXT])
    windows = numpy.lib.stride_tricks.sliding_window_view(codes, 17).copy()
    cross, count = nn.CrossEntropyLoss(), len(letters)
    loss = lambda output, targets: cross(output.reshape((-1, count)), targets.reshape((-1,)))
    net = lambda: CharRNN(count, cell="gru", embedding=8, hidden=24)
    return Task(net, windows[:, :-1], windows[:, 1:], loss)


def adding() -> Task:
    """The sum of the two marked ones of ten numbers."""
    draw = numpy.random.default_rng(0)
    values, marks = draw.random((1000, 10)), numpy.zeros((1000, 10))
    places = numpy.array([draw.choice(10, 2, replace=False) for _ in range(1000)])
    numpy.put_along_axis(marks, places, 1.0, axis=1)
    x = numpy.stack([values, marks], axis=2).astype(numpy.float32)
    y = (values * marks).sum(1, keepdims=True).astype(numpy.float32)
    return Task(lambda: SequenceReader(2, 1, cell="gru", hidden=16), x, y, nn.MSELoss())


TASKS = {one.__name__: one for one in (polynomial, moons, digits, convolution, characters, adding)}


def final_loss(task: Task, maker: Callable[..., optim.Optimizer], rate: float, seed: int) -> float:
    """The loss on the whole set after the training, or infinity where it grew without end."""
    with using(Generator(seed)):
        net = task.network()
    optimizer = maker(net.parameters(), lr=rate)

    @ichikara.stage
    def step(x, y):
        optimizer.zero_grad()
        loss = task.loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    draw = numpy.random.default_rng(seed)
    with numpy.errstate(all="ignore"):
        for count in range(STEPS):
            rows = draw.integers(len(task.inputs), size=BATCH)
            loss = step(task.inputs[rows], task.targets[rows])
            if count % 50 == 49 and not numpy.isfinite(loss.item()):
                return numpy.inf
        with ichikara.no_grad():
            return task.loss(net(task.inputs), task.targets).item()


def tuned(name: str, optimizer: str) -> dict[str, float]:
    """The final loss at the best of all rates, its mean over the seeds, the least and the greatest."""
    task, best = TASKS[name](), None
    for rate in RATES:
        losses = [final_loss(task, MAKERS[optimizer], rate, seed) for seed in range(SEEDS)]
        if best is None or sum(losses) < sum(best):
            best = losses
    return {"mean": sum(best) / SEEDS, "least": min(best), "most": max(best)}
