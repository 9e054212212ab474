"""A published program in its two states, and the loop that trains it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from ichikara import asarray, no_grad
from ichikara.arrays import Generator
from ichikara.data import DataLoader, Dataset

__all__ = ["Program", "Run", "fit", "into", "step"]


def step(run: "Run", inputs: numpy.ndarray, targets: numpy.ndarray) -> float:
    """One batch, as it should be."""
    run.optimizer.zero_grad()
    loss = run.loss(run.model(asarray(inputs)), asarray(targets))
    loss.backward()
    run.optimizer.step()
    return loss.item()


@dataclass
class Run:
    """A training before its first step.

    Arguments: ``loss``, of outputs and the data's targets; ``validation``, None where the program has none; ``test``,
    sound data by which the two states of a program are compared; ``score``, of outputs and targets, the higher the
    better; ``step``, one batch of the loop; ``evaluating``, whether the network is put into evaluation mode.
    """

    model: Any
    loss: Callable
    optimizer: Any
    train: Dataset
    test: Dataset
    epochs: int
    batch_size: int
    score: Callable[[numpy.ndarray, numpy.ndarray], float]
    validation: Dataset | None = None
    step: Callable[["Run", numpy.ndarray, numpy.ndarray], float] = step
    evaluating: bool = True
    losses: list[float] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    batches: list[tuple[Any, Any]] = field(default_factory=list)

    def outputs(self, data: Dataset) -> numpy.ndarray:
        """What the network makes of data, as the program evaluates it."""
        if self.evaluating:
            self.model.eval()
        with no_grad():
            made = numpy.concatenate([self.model(asarray(inputs)).numpy() for inputs, _ in DataLoader(data, 256)])
        self.model.train()
        return made

    def mean_loss(self, data: Dataset) -> float:
        """The loss on data, as the program evaluates it."""
        with no_grad():
            return self.loss(asarray(self.outputs(data)), asarray(data.targets)).item()


@dataclass(frozen=True)
class Program:
    """A published program.

    Arguments: ``number``, by which the source knows it; ``wrong`` and ``repair``, according to the source; ``causes``,
    the names of the doctor's findings that are right answers, none where it has no name for the fault; ``also``, those
    of other faults that the program has and the source does not list; ``build``, a function of whether it is repaired,
    and of a seed, that gives a `Run`; ``note``, in what the port differs; ``twin``, a name that programs share whose
    repaired state is the same.
    """

    number: str
    wrong: str
    repair: str
    causes: Sequence[str]
    build: Callable[[bool, int], Run]
    also: Sequence[str] = ()
    note: str = ""
    twin: str = ""


def fit(run: Run, seed: int) -> None:
    """Train, until the loss is no longer a number at the most."""
    loader = DataLoader(run.train, run.batch_size, shuffle=True, generator=Generator(seed).fold_in("order"))
    for epoch in range(1, run.epochs + 1):
        run.model.train()
        count = len(run.losses)
        for inputs, targets in loader:
            if len(run.batches) < 20:
                run.batches.append((inputs, targets))
            run.losses.append(run.step(run, inputs, targets))
            if not math.isfinite(run.losses[-1]):
                break
        row = {"epoch": epoch, "train_loss": float(numpy.mean(run.losses[count:]))}
        if run.validation is not None:
            row["val_loss"] = run.mean_loss(run.validation)
        run.history.append(row)
        if not math.isfinite(run.losses[-1]):
            return


def into(programs: list[Program]) -> Callable:
    """A decorator that makes a function the `build` of a program, and puts the program into a list."""

    def declare(number: str, **about: Any) -> Callable:
        def decorate(build: Callable[[bool, int], Run]) -> Callable[[bool, int], Run]:
            programs.append(Program(number, build=build, **about))
            return build

        return decorate

    return declare
