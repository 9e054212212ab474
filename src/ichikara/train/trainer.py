"""The training loop: batches, losses, gradients and steps; validation, stopping, saving and resuming."""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy

from ..arrays import Generator, seam, using
from ..autodiff import Tensor, asarray, raw
from ..errors import UserError
from ..glass.finding import Diagnosis
from ..glass.record import Record
from ..optim import clip_grad_norm_, clip_grad_value_
from .averaging import ExponentialMovingAverage, are_finite
from .callbacks import Callback
from .engine import Engine
from .evaluation import Totals, as_loader, evaluate, metrics_of, predict
from .examining import examine
from .history import History
from .interruption import interruptible
from .saving import resume, save
from .watching import Watching

__all__ = ["DivergedError", "Trainer"]


SAVE_EVERY = 1.0
"""The least time between two checkpoints, in seconds. A resumed run repeats what it did after the last checkpoint."""


class DivergedError(UserError):
    """The loss became infinite or not a number, so the training cannot continue."""


class Trainer:
    """Trains a network: for each batch the loss, its gradient, and a step of the optimiser.

    .. math:: W \\leftarrow W - \\eta\\, \\frac{1}{m} \\sum_{j \\in \\text{batch}} \\frac{\\partial L_j}{\\partial W}

    Arguments: ``model``, a Module; ``loss``, a function of outputs and targets to a single number, such as an
    `Objective`; ``optimizer``; ``metrics``, a function of outputs and targets to a dictionary of numbers, by default
    that of the loss; ``schedule``, a learning-rate schedule, stepped every epoch, or with ``schedule_every="batch"``
    every step; ``callbacks``; ``clip_grad_norm`` and ``clip_grad_value``, limits of the gradients; ``accumulate``, how
    many batches make a step, with the mean gradient of all their examples: as for one large batch, in the memory of a
    small one (batch normalisation still uses the small ones); ``averaging``, of the weights over the
    steps, with which the run is validated and ends; ``generator``, the source of the layers' random numbers (dropout);
    ``engine``, what computes a step: ``"eager"``, each operation when it is called; ``"replay"``, the step is captured
    once and replayed (`ichikara.stage`); ``"auto"``, replays where the step can be captured, else eager, and callbacks
    are told why (`Callback.on_note`); ``watch``, whether some of the steps are watched, which changes no number of the
    training (`ichikara.glass.watch`), and the run is examined at its end: callbacks are told what is wrong for certain,
    and `diagnosis` has all that was found.

    A replay repeats what the step computes with arrays. Anything else that your loss or layer does, such as printing or
    writing a file, happens only while the step is captured or watched. With ``engine="eager"`` it happens in each step.

    Raises DivergedError when the loss is no longer finite; UserError for arguments that do not fit together.

    >>> from ichikara import nn, optim
    >>> from ichikara.arrays import Generator
    >>> from ichikara.data import DataLoader, load_xor
    >>> data, model = load_xor(), nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    >>> trainer = Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.05))
    >>> history = trainer.fit(DataLoader(data, batch_size=4), epochs=200)
    >>> history.last["train_loss"] < 0.01
    True
    """

    def __init__(
        self,
        model,
        loss: Callable,
        optimizer,
        *,
        metrics: Callable | None = None,
        schedule=None,
        schedule_every: str = "epoch",
        callbacks: Sequence[Callback] = (),
        clip_grad_norm: float | None = None,
        clip_grad_value: float | None = None,
        accumulate: int = 1,
        averaging: ExponentialMovingAverage | None = None,
        generator: Generator | None = None,
        engine: str = "auto",
        watch: bool = True,
    ):
        if schedule_every not in ("epoch", "batch"):
            raise UserError(f"a schedule is stepped every 'epoch' or 'batch', not {schedule_every!r}")
        if isinstance(accumulate, bool) or not isinstance(accumulate, int) or accumulate < 1:
            raise UserError(f"accumulate is a whole number of batches, at least 1, not {accumulate!r}")
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.metrics = metrics or metrics_of(loss)
        self.schedule, self.schedule_every = schedule, schedule_every
        self.callbacks = list(callbacks)
        self.clip_grad_norm, self.clip_grad_value = clip_grad_norm, clip_grad_value
        self.accumulate, self.averaging = accumulate, averaging
        self.generator = generator or Generator()
        self._engine = Engine(engine)
        self.watching = Watching() if watch else None
        self.diagnosis: Diagnosis | None = None  # of the last `fit`, by the doctor
        self.history = History()
        self.epoch = 0  # the last complete one
        self.steps = 0  # of the optimiser, in all
        self.seconds = 0.0  # spent training, in all
        self.stopped: str | None = None  # why the run ended before its last epoch
        self.interrupted = False
        self.diverged: int | None = None  # the epoch in which the loss or a weight became infinite or not a number
        self.best: tuple[float, int, dict] | None = None  # the lowest loss of an epoch of `fit`, the epoch, its weights
        self.about: dict[str, Any] = {}  # what else is saved with every checkpoint, in values that JSON can hold
        self.loader: Any = None
        self._batch = 0  # batches of the running epoch that are done
        self._pending = 0  # examples whose gradients wait for the next step
        self._totals = Totals()
        self._order: dict | None = None  # the loader's state when the running epoch began
        self._rate = 0.0  # the learning rate at that time

    # --- training -----------------------------------------------------------------------------------------------------

    def fit(
        self,
        loader,
        epochs: int,
        validation: Any = None,
        checkpoint: str | os.PathLike | None = None,
    ) -> History:
        """Train until ``epochs`` epochs are done in all, and return their history.

        Arguments: ``loader``, of batches ``(inputs, targets)``; ``epochs``; ``validation``, a Dataset or loader to
        evaluate after each epoch; ``checkpoint``, the file in which the run is saved after an epoch (short epochs share
        a save), at the end, and when Ctrl-C ends it early.

        A first Ctrl-C ends the run after the current batch (``interrupted`` is then True), a second one at once. A run
        that was stopped stays stopped when it is resumed; to continue it, set ``stopped`` to None.
        """
        if epochs < 1:
            raise UserError(f"epochs is a whole number of at least 1, not {epochs}")
        of_python = type(loader).__module__ in ("builtins", "itertools")  # one of your own may begin anew
        if isinstance(loader, Iterator) and of_python and epochs - self.epoch > 1:
            raise UserError(
                f"the loader is an iterator ({type(loader).__name__}), which is used up after one epoch, and "
                f"{epochs - self.epoch} are to be done; give a DataLoader, or list(…) of the batches"
            )
        self.loader = loader
        self.interrupted = False
        self.diverged = self.best = None
        watched = as_loader(validation)
        # Infinities are reported as a diverged run, not one by one by NumPy.
        watching = nullcontext() if self.watching is None else self.watching.taking_over(self.model)
        with interruptible(self), using(self.generator), numpy.errstate(all="ignore"), watching:
            try:
                self._tell("on_fit_start", epochs)
                saved = -math.inf
                while self.epoch < epochs and not self.stopped and not self.interrupted:
                    self._run_epoch(watched)
                    # Saving after each epoch of a few milliseconds would take longer than the training.
                    if checkpoint is not None and time.perf_counter() - saved > SAVE_EVERY:
                        self.save(checkpoint)
                        saved = time.perf_counter()
                if checkpoint is not None:
                    self.save(checkpoint)
                if not self.interrupted:
                    if self.averaging is not None:
                        self.averaging.apply(self.model)
                    self._tell("on_fit_end", self.history)
                    self._examine(validation, epochs)
            except DivergedError:
                self.diverged = self.epoch + 1
                self._examine(validation, epochs)
                raise
            finally:
                self._engine.release()
                for callback in self.callbacks:
                    getattr(callback, "close", lambda: None)()
        return self.history

    def _run_epoch(self, watched):
        began = time.perf_counter()
        self.model.train()
        self._tell("on_epoch_start", self.epoch + 1)
        if self._batch:
            self.loader.state = self._order  # the epoch was interrupted: draw its batches again, and skip those done
        else:
            self._order, self._rate = getattr(self.loader, "state", None), self.learning_rate
        for number, (inputs, targets) in enumerate(self.loader, 1):
            if number <= self._batch:
                continue
            loss = self.step(inputs, targets, number % self.accumulate == 0 or number == len(self.loader))
            self._batch = number
            self._tell("on_batch_end", loss)
            if self.interrupted:
                if self._batch < len(self.loader):
                    self._check_weights()
                    self.seconds += time.perf_counter() - began
                    return
                break
        if not self._batch:
            raise UserError(f"the loader gave no batch in epoch {self.epoch + 1}; it must give its batches every epoch")
        self._check_weights()
        with nullcontext() if self.averaging is None else self.averaging.applied(self.model):
            self._end_epoch(watched, began)

    def _end_epoch(self, watched, began):
        row = {"epoch": self.epoch + 1, **self._totals.means("train_")}
        if watched is not None:
            row |= {f"val_{name}": value for name, value in self.evaluate(watched).items()}
        row["lr"] = self._rate
        self.seconds += time.perf_counter() - began
        row["seconds"] = round(self.seconds, 3)
        self.epoch += 1
        self._batch, self._totals = 0, Totals()
        self.history.rows.append(row)
        loss = row.get("val_loss", row["train_loss"])
        if self.best is None or loss < self.best[0]:
            self.best = (loss, self.epoch, self.model.state_dict()) if math.isfinite(loss) else None
        if self.schedule is not None and self.schedule_every == "epoch":
            watching = getattr(self.schedule, "needs_metric", type(self.schedule).__name__ == "ReduceLROnPlateau")
            self.schedule.step(row.get("val_loss", row["train_loss"])) if watching else self.schedule.step()
        self._tell("on_epoch_end", row)

    def step(self, inputs, targets, last: bool = True) -> float:
        """Learn from one batch: loss, gradient, and with the ``last`` batch of a step the update; returns the loss."""
        inputs, targets = asarray(inputs), asarray(targets)
        pending = self._pending + len(inputs)
        first, summed = self._pending == 0, self.accumulate > 1
        size = pending if last and summed else 0  # each different number is another capture, so only where it is used
        clip = self.clip_grad_norm, self.clip_grad_value
        loss, output = self._engine.call(self, self._learn, inputs, targets, first, last, summed, size, *clip)
        self._pending = 0 if last else pending
        if last:
            self._end_step()
        value = loss.item()
        if last and self.watching is not None:
            self.watching.note_loss(self.steps, value)
        self._totals.add(len(inputs), {"loss": value, **self.metrics(output, targets)})
        return value

    def _learn(self, inputs, targets, first, last, summed, size, clip_norm, clip_value) -> tuple[Tensor, Tensor]:
        """The part of a step that is captured: the loss, its gradient and the update; returns loss and outputs.

        Arguments: ``first`` and ``last``, whether the batch is that of a step; ``summed``, whether gradients are sums
        over the examples of several batches; ``size``, how many these are.
        """
        if first:
            self.optimizer.zero_grad()
        output = self.model(inputs)
        loss = self.loss(output, targets)
        seam.interpreter.call(self._check, raw(loss))
        # Sums over examples are added up, so that batches count by their sizes.
        (loss * len(inputs) if summed else loss).backward()
        if last:
            if size:
                for parameter in self._optimized():
                    if parameter.grad is not None:
                        parameter._keep_grad(parameter.grad / size)
            if clip_norm is not None:
                clip_grad_norm_(self.model.parameters(), clip_norm)
            if clip_value is not None:
                clip_grad_value_(self.model.parameters(), clip_value)
            self.optimizer.step()
        return loss.detach(), output.detach()

    def _check(self, loss):
        """Raise before anything is changed by a loss that is not finite."""
        value = asarray(loss).item()
        if not math.isfinite(value):
            raise DivergedError(
                f"the loss became {value} in epoch {self.epoch + 1}, batch {self._batch + 1}; {self._advice()}"
            )

    def _check_weights(self):
        """Raise before a weight that is not finite is saved."""
        if not are_finite(self.model):
            raise DivergedError(f"a weight became infinite or not a number in epoch {self.epoch + 1}; {self._advice()}")

    def _advice(self) -> str:
        return f"a smaller learning rate (now {self.learning_rate:g}), clipped gradients or scaled inputs may help"

    def _end_step(self):
        """Update averages, schedule and counts after an update of the weights."""
        if self.averaging is not None:
            self.averaging.update(self.model)
        if self.schedule is not None and self.schedule_every == "batch":
            self.schedule.step()
        self.steps += 1

    def _optimized(self):
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    @property
    def record(self) -> Record | None:
        """What was measured and what happened in the steps that were watched; None where none are."""
        return None if self.watching is None else self.watching.record

    @property
    def engine(self) -> str:
        """The name of the engine that computes the steps."""
        return self._engine.name

    @property
    def eager_because(self) -> str:
        """Why the engine "auto" computes eagerly; empty as long as it replays."""
        return self._engine.eager_because

    @property
    def batches(self) -> int:
        """How many batches were used, in all."""
        return self.epoch * len(self.loader or ()) + self._batch

    @property
    def learning_rate(self) -> float:
        """The learning rate of the optimiser's first group of parameters, as it is now."""
        return float(self.optimizer.param_groups[0]["lr"])

    def stop(self, reason: str) -> None:
        """End the run after the current epoch; the reason is reported."""
        self.stopped = reason

    def note(self, line: str) -> None:
        """Give the callbacks a message for the user."""
        for callback in self.callbacks:
            getattr(callback, "on_note", lambda trainer, line: None)(self, line)

    def evaluate(self, data, *, again: bool = False, by: str = "evaluate") -> dict[str, float]:
        """The mean loss and measures on data; see `ichikara.train.evaluate`."""
        return evaluate(self.model, self.loss, data, metrics=self.metrics, again=again, by=by)

    def predict(self, inputs, batch_size: int | None = None) -> numpy.ndarray:
        """The network's outputs for inputs; see `ichikara.train.predict`."""
        return predict(self.model, inputs, batch_size)

    # --- saving and resuming ------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike) -> None:
        """Save all that a resumed run needs, in one file that is whole at any moment.

        Raises UserError where it cannot be written; the file from before is then as it was.
        """
        save(self, path)

    def resume(self, path: str | os.PathLike, loader=None) -> None:
        """Resume a saved run: it continues bit for bit as if it had never stopped.

        Arguments: ``path``, a file of `save`; ``loader``, the one that `fit` will be given.

        Raises UserError for a file that is damaged, or of another network.
        """
        resume(self, path, loader)

    def _examine(self, validation, epochs):
        """Ask the doctor about the run; whatever comes of it, the run stays."""
        if self.watching is None:
            return
        before = self.generator.state
        try:
            self.diagnosis = examine(self, validation, epochs, self.watching.told)
        except Exception as error:
            self.note(f"the run could not be examined: {type(error).__name__}: {error}")
        self.generator.state = before

    # --- inside -------------------------------------------------------------------------------------------------------

    def _tell(self, moment, *what):
        for callback in self.callbacks:
            getattr(callback, moment)(self, *what)
