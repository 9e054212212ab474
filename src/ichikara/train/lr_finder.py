"""A learning rate to begin with: how the loss changes while the rate rises from much too small to much too large."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy

from ..arrays import using
from ..errors import UserError
from .snapshot import Snapshot
from .trainer import DivergedError, Trainer

__all__ = ["LearningRates", "find_learning_rate"]


class LearningRates(NamedTuple):
    """What was found: the rates tried, the loss at each, the loss smoothed, and the rate where it fell fastest.

    ``suggestion`` is None where the loss did not fall at any rate.
    """

    rates: numpy.ndarray
    losses: numpy.ndarray
    smoothed: numpy.ndarray
    suggestion: float | None


def find_learning_rate(
    trainer: Trainer,
    loader,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
    diverged: float = 4.0,
) -> LearningRates:
    r"""Train for some steps with a rate that rises exponentially, then restore everything.

    .. math:: \eta_i = \mathrm{low} \left(\frac{\mathrm{high}}{\mathrm{low}}\right)^{i / (\mathrm{steps} - 1)}, \qquad
        \bar L_i = \frac{\sum_{j \le i} \beta^{i - j} L_j}{\sum_{j \le i} \beta^{i - j}}, \qquad
        \eta^* = \arg\min_{\eta_i} \frac{d \bar L}{d \log \eta}

    Where the smoothed loss falls fastest, the rate is about right. Where it is lowest, the rate is almost too large.

    Arguments: ``trainer``, whose network, loss and optimiser are tried (its schedule, callbacks and averaging are left
    out); ``loader``, of batches, repeated if it is short; ``low`` and ``high``, the first rate and the last;
    ``steps``, how many rates; ``smoothing``, β, 0 for none; ``diverged``, the search ends where the smoothed loss is so
    many times the lowest, or is no longer finite.

    Afterwards weights, buffers, the optimiser's state and rates, and the random number generators are as before.
    Parameter groups with different rates keep the ratios of their rates.

    Raises UserError for arguments out of range, an empty loader, and a loss that is not finite from the start.

    >>> from ichikara import nn, optim
    >>> from ichikara.data import DataLoader, load_moons
    >>> model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    >>> trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    >>> found = find_learning_rate(trainer, DataLoader(load_moons(), batch_size=50), high=100.0)
    >>> 0.01 < found.suggestion < 10
    True

    Source: L. Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3; part B2 of the lecture
    "1から作る DEEP LEARNING".
    """
    if not 0 < low < high < math.inf:
        raise UserError(f"low and high are the first rate and the last, 0 < low < high, not {low} and {high}")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 2:
        raise UserError(f"steps is a whole number of rates, at least 2, not {steps!r}")
    if not 0 <= smoothing < 1 or not diverged > 1:
        raise UserError(f"smoothing is from 0 to below 1, diverged above 1, not {smoothing} and {diverged}")
    rates = numpy.geomspace(low, high, steps)
    losses: list[float] = []
    smoothed: list[float] = []
    total = weight = 0.0
    probe = _probe(trainer)
    groups = trainer.optimizer.param_groups
    shares = [float(group["lr"]) / trainer.learning_rate if trainer.learning_rate else 1.0 for group in groups]
    with _as_it_was(trainer, loader), using(trainer.generator), numpy.errstate(all="ignore"):
        batches = _without_end(loader)
        for rate in rates:
            for group, share in zip(groups, shares, strict=True):
                group["lr"] = float(rate) * share
            try:
                loss = _step(probe, batches)
            except DivergedError:
                break
            total, weight = smoothing * total + loss, smoothing * weight + 1
            losses.append(loss)
            smoothed.append(total / weight)
            if smoothed[-1] > diverged * min(smoothed) > 0:
                break
    if not losses:
        raise UserError("the loss is not finite before the first step; look at the inputs and the initial weights")
    tried = rates[: len(losses)]
    return LearningRates(
        tried, numpy.array(losses), numpy.array(smoothed), suggestion=_steepest(tried, numpy.array(smoothed))
    )


def _probe(trainer: Trainer) -> Trainer:
    """A trainer that takes the same steps on the same network, without counting them and without callbacks."""
    return Trainer(
        trainer.model,
        trainer.loss,
        trainer.optimizer,
        metrics=lambda output, targets: {},
        clip_grad_norm=trainer.clip_grad_norm,
        clip_grad_value=trainer.clip_grad_value,
        accumulate=trainer.accumulate,
        generator=trainer.generator,
        engine=trainer.engine,
        watch=False,
    )


def _step(probe: Trainer, batches: Iterator) -> float:
    """One step of the optimiser; the mean loss of its batches."""
    losses = []
    for number in range(1, probe.accumulate + 1):
        inputs, targets = next(batches)
        losses.append(probe.step(inputs, targets, last=number == probe.accumulate))
    return sum(losses) / len(losses)


def _without_end(loader) -> Iterator:
    while True:
        batch = None
        for batch in loader:
            yield batch
        if batch is None:
            raise UserError("the loader gives no batches")


class _as_it_was:
    """A block after which network, optimiser and random number generators are restored."""

    def __init__(self, trainer: Trainer, loader: Any):
        self.trainer, self.loader = trainer, loader

    def __enter__(self):
        model = self.trainer.model
        self.before = Snapshot(model, (), [self.trainer.generator])
        self.optimizer = self.trainer.optimizer.state_dict()
        self.order = getattr(self.loader, "state", None)
        self.training = model.training
        model.train()

    def __exit__(self, *_):
        self.before.restore()
        self.trainer.optimizer.load_state_dict(self.optimizer)
        if self.order is not None:
            self.loader.state = self.order
        self.trainer.model.train(self.training)


def _steepest(rates: numpy.ndarray, smoothed: numpy.ndarray) -> float | None:
    """The rate at which the smoothed loss falls fastest, on its last way down to the lowest point.

    Before, it goes up and down with the batches. That way begins where the loss is last at its median or above.
    """
    lowest = int(smoothed.argmin())
    if lowest == 0:
        return None
    before = smoothed[:lowest]
    first = int(numpy.flatnonzero(before >= numpy.median(before))[-1])
    slopes = numpy.diff(smoothed[first : lowest + 1]) / numpy.diff(numpy.log(rates[first : lowest + 1]))
    return float(rates[first + slopes.argmin()])
