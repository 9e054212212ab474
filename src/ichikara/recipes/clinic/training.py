"""A recipe's training, written out by hand: each part is a method, and a fault replaces or surrounds one of them."""

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy

from ...arrays import Generator, using
from ...autodiff import Tensor, asarray, no_grad
from ...data import DataLoader, Dataset, TextLoader, split
from ...glass.case import Case
from ...glass.watcher import watch
from ...optim import clip_grad_norm_
from ..build import build_loader, build_objective, build_optimizer, build_scaler, build_schedule, load_parts
from ..models import build_model, example_shape
from ..schema import Recipe
from .tables import TABLES, table

__all__ = ["Result", "Training"]

SEEN = 20
"""How many of the first batches are kept for the doctor."""


@dataclass(frozen=True)
class Result:
    """What a training came to.

    Arguments: ``validation``, the loss on the validation data, as the training itself computes it at the end; ``test``,
    the loss of the same network on data that no fault touches, in evaluation mode, and in a text at the last place of
    each window, which nothing follows; both NaN if the training diverged.
    """

    validation: float = math.nan
    test: float = math.nan

    @property
    def finite(self) -> bool:
        """Whether both losses are numbers."""
        return math.isfinite(self.validation) and math.isfinite(self.test)


class Training:
    """A training in its parts, in the order in which `fit` calls them.

    Arguments: ``recipe``, whose options a fault may change before the training begins; ``watched``, whether it leaves a
    record; ``seconds``, of the processor, after which the training is given up.
    """

    def __init__(self, recipe: Recipe, watched: bool = True, seconds: float = math.inf):
        self.recipe, self.watched, self.seconds = recipe, watched, seconds
        self.train: Any = None
        self.validation: Any = None
        self.test: Any = None
        self.model: Any = None
        self.loss: Any = None
        self.objective: Any = None  # the loss that no fault has replaced
        self.optimizer: Any = None
        self.schedule: Any = None
        self.loader: Any = None
        self.record: Any = None
        self.losses: list[float] = []  # of the steps
        self.history: list[dict[str, float]] = []  # of the epochs
        self.seen: list[tuple[Any, Any]] = []  # the first batches
        self.at_a_time = 64  # how many examples are evaluated
        self.result = Result()

    # --- before the first step ----------------------------------------------------------------------------------------

    def load(self) -> None:
        """The three parts of the data, unscaled."""
        if self.recipe.data.name in TABLES:
            parts: Any = split(table(self.recipe.data.name), **self.recipe.split.model_dump())
        else:
            parts = load_parts(self.recipe)
        self.train, self.validation, self.test = parts
        if self.test is None:  # a text comes in two parts; the second is halved
            half = len(self.validation) // 2
            self.validation, self.test = self.validation[:half], replace(self.validation[half:], part="test")

    def scale(self) -> None:
        """All parts are scaled by what the training part has."""
        scaler = build_scaler(self.recipe)
        if scaler is not None:
            self.train = scaler.fit(self.train).transform(self.train)
            self.validation, self.test = scaler.transform(self.validation), scaler.transform(self.test)

    def build(self) -> None:
        """The loss and the network with its initial weights."""
        self.loss = self.objective = build_objective(self.recipe, self.train)
        shape, whole = example_shape(self.recipe, self.train), self.train.inputs.dtype.kind == "i"
        self.model = build_model(self.recipe, shape, self.loss.outputs, self.draws("initialisation"), whole)

    def optimise(self) -> None:
        """The optimiser, and the schedule of its rate."""
        self.optimizer = build_optimizer(self.recipe, self.model.parameters())
        self.schedule = build_schedule(self.recipe, self.optimizer)

    def order(self) -> None:
        """The loader, which gives the batches of an epoch."""
        self.loader = build_loader(self.recipe, self.train, self.draws("order"))

    # --- the steps ----------------------------------------------------------------------------------------------------

    def forward(self, inputs: Tensor) -> Tensor:
        """What the network makes of a batch."""
        return self.model(inputs)

    def compare(self, output: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch."""
        return self.loss(output, targets)

    def clear(self) -> None:
        """The gradients of the step before are cleared."""
        self.optimizer.zero_grad()

    def backward(self, loss: Tensor) -> None:
        """The gradients of this step."""
        loss.backward()

    def clip(self) -> None:
        """Gradients that are too long are shortened."""
        if self.recipe.training.clip_grad_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.recipe.training.clip_grad_norm)

    def update(self) -> None:
        """The weights are changed."""
        self.optimizer.step()

    def step(self, inputs: numpy.ndarray, targets: numpy.ndarray) -> float:
        """One batch."""
        self.clear()
        loss = self.compare(self.forward(asarray(inputs)), asarray(targets))
        self.backward(loss)
        self.clip()
        self.update()
        return loss.item()

    # --- the evaluation -----------------------------------------------------------------------------------------------

    def evaluating(self) -> None:
        """The network is put into evaluation mode."""
        self.model.eval()

    def evaluate(self, data: Any) -> float:
        """The mean loss on data."""
        self.evaluating()
        with no_grad():
            losses = [
                (self.compare(self.forward(asarray(inputs)), asarray(targets)).item(), len(inputs))
                for inputs, targets in self.in_order(data)
            ]
        self.model.train()
        return sum(loss * count for loss, count in losses) / sum(count for _, count in losses)

    # --- the whole ----------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """All that comes before the first step."""
        self.load()
        self.scale()
        self.build()
        self.optimise()
        self.order()

    def epoch(self) -> None:
        """Every batch once, then the evaluation."""
        self.model.train()
        losses = []
        for inputs, targets in self.loader:
            if len(self.seen) < SEEN:
                self.seen.append((inputs, targets))
            losses.append(self.step(inputs, targets))
            self.losses.append(losses[-1])
            if not math.isfinite(losses[-1]):
                break
            if time.process_time() - self._began > self.seconds:
                raise TimeoutError(f"the training took more than {self.seconds:g} s")
            self._step_schedule("batch")
        self._step_schedule("epoch")
        row = {"epoch": len(self.history) + 1, "train_loss": sum(losses) / len(losses)}
        self.history.append({**row, "val_loss": self.evaluate(self.validation)})

    def fit(self) -> Result:
        """The training from the data to the result."""
        self._began = time.process_time()
        with numpy.errstate(all="ignore"), using(self.draws("dropout")):
            self.prepare()
            with watch(self.model, self.optimizer) if self.watched else nullcontext() as self.record:
                while len(self.history) < self.recipe.training.epochs and not self.diverged:
                    self.epoch()
            if not self.diverged:
                self.result = Result(self.history[-1]["val_loss"], _Test(self).evaluate(self.test))
        return self.result

    def case(self) -> Case:
        """What the doctor gets to see."""
        training = self.recipe.training
        return Case(
            record=self.record,
            history=self.history,
            losses=self.losses,
            model=self.model,
            loss=self.loss,
            optimizer=self.optimizer,
            train=self.train,
            validation=self.validation,
            batches=self.seen,
            batch_size=training.batch_size,
            settings={
                "epochs": training.epochs,
                "shuffle": training.shuffle,
                "context": training.context,
                "clip": training.clip_grad_norm is not None,
            },
            diverged=self.diverged,
        )

    @property
    def diverged(self) -> bool:
        """Whether the loss is no longer a finite number."""
        return bool(self.losses) and not math.isfinite(self.losses[-1])

    def draws(self, use: str) -> Generator:
        """The random numbers for one use, by the recipe's seed."""
        return Generator(self.recipe.seed).fold_in(use)

    def in_order(self, data: Dataset) -> Iterator[tuple[numpy.ndarray, numpy.ndarray]]:
        """Batches for an evaluation."""
        if data.task == "text":
            return iter(TextLoader(data, self.at_a_time, self.recipe.training.context, shuffle=False))
        return iter(DataLoader(data, self.at_a_time))

    def _step_schedule(self, every: str) -> None:
        if self.recipe.schedule is not None and self.recipe.schedule.every == every:
            self.schedule.step()


class _Test(Training):
    """A trained network's evaluation, of which a fault has replaced nothing."""

    def __init__(self, trained: Training):
        super().__init__(trained.recipe)
        self.model, self.loss = trained.model, trained.objective

    def compare(self, output: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch, in a text at the last place of each window."""
        return self.loss(output[:, -1:], targets[:, -1:]) if self.loss.task == "text" else self.loss(output, targets)
