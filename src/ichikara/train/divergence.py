"""A loss or a weight that is no longer finite: the error, and the search for the operation where that began."""

import time
from typing import Any

from ..arrays import default_generator, interpreting
from ..autodiff import raw
from ..errors import UserError
from ..glass.nonfinite import NonFiniteError, NonFiniteSearch
from ..glass.origin import Operand, Origin, kinds_of
from ..words import language_of, say
from .attributes import generators_in
from .averaging import are_finite
from .engine import Engine, optimizers_of
from .evaluation import Totals
from .restoring import AsItWas
from .snapshot import Snapshot

__all__ = ["DivergedError", "RecentSteps", "message", "no_metrics"]

SHARE = 0.005
"""The share of the training's time that is spent on copies of its state."""

MOST = 1 << 26
"""How many bytes of batches are kept before the next copy."""


class DivergedError(UserError):
    """The loss became infinite or not a number, so the training cannot continue.

    Attributes: ``origin``, where that began (`ichikara.glass.origin.Origin`); None where it is not known.
    """

    origin: Origin | None = None


def message(trainer: Any, value: float | None = None) -> str:
    """What happened: the loss has this value, or with None, a weight is no longer finite."""
    place = {"epoch": trainer.epoch + 1, "batch": trainer._batch + 1}
    if value is None:
        return say("nonfinite.diverged_weight", language_of(), **place)
    return say("nonfinite.diverged", language_of(), value=value, **place)


class RecentSteps:
    """The last steps of a training, and a copy of all that they began with, to run them again.

    A copy takes about as long as an update of the weights, so it is made from time to time. The steps after it are run
    again in the same way, up to the first after which the loss or a weight is not finite. That one is run operation by
    operation, and each result is looked at.
    """

    def __init__(self):
        self._steps: list[list[tuple]] = []  # each with its batches
        self._options: list[list[dict]] = []  # of the optimiser's groups, at each step
        self._snapshot: Snapshot | None = None
        self._bytes = 0
        self._due = 0.0
        self._loss: float | None = None  # of the last batch

    def step(self, trainer: Any, inputs: Any, targets: Any, last: bool) -> float:
        """The trainer's step, after taking note of the batch."""
        if not trainer._pending:
            if time.perf_counter() >= self._due or self._bytes > MOST:
                self._begin(trainer)
            self._steps.append([])
            self._options.append(_options(trainer))
        if self._steps:  # not in a run that was resumed within a step
            self._steps[-1].append((inputs, targets, last))
            self._bytes += getattr(inputs, "nbytes", 0) + getattr(targets, "nbytes", 0)
        loss = trainer.step(inputs, targets, last)
        self._loss = loss
        return loss

    def explain(self, trainer: Any, error: DivergedError) -> None:
        """Add to an error where it began. The network and all else are as before."""
        language, head = language_of(), str(error)
        try:
            error.origin = self._search(trainer)
        except Exception:  # of code of the user's that cannot be run twice: the first error counts
            error.origin = None
        if error.origin is None:
            rate = f"{trainer.learning_rate:g}"
            lines = [f"{head}; {say('nonfinite.advice', language, rate=rate)}", say("nonfinite.not_found", language)]
        else:
            lines = [head + say("nonfinite.stop", language), error.origin.text(language)]
            if self._loss is not None:
                lines.append(say("nonfinite.before", language, loss=f"{self._loss:.6g}"))
        error.args = ("\n".join(lines),)

    def _begin(self, trainer: Any) -> None:
        began = time.perf_counter()
        if self._snapshot is None or are_finite(trainer.model):  # else the next loss will show it
            self._snapshot = _snapshot(trainer, copies=True)
            self._steps, self._options, self._bytes = [], [], 0
        now = time.perf_counter()
        self._due = now + (now - began) / SHARE

    def _search(self, trainer: Any) -> Origin | None:
        """Where it began."""
        if self._snapshot is None:
            return None
        held = dict(vars(trainer))
        with AsItWas(trainer):
            try:
                trainer.metrics, trainer.callbacks = no_metrics, []
                trainer.schedule = trainer.averaging = trainer.watching = None
                trainer._pending, trainer._totals = 0, Totals()
                self._snapshot.restore()
                return self._run_again(trainer)
            finally:
                vars(trainer).update(held)

    def _run_again(self, trainer: Any) -> Origin | None:
        for batches, options in zip(self._steps, self._options, strict=True):
            _set_options(trainer, options)
            before, update = _snapshot(trainer), None
            try:
                for batch in batches:
                    trainer.step(*batch)
                if are_finite(trainer.model):
                    continue
                update = _update(trainer)
            except DivergedError:
                pass
            before.restore()
            trainer._engine, trainer._pending = Engine("eager"), 0
            return _looked_at(trainer, batches) or update
        return None


def _looked_at(trainer: Any, batches: list[tuple]) -> Origin | None:
    """Where a step first gives what is not finite; None where it does not, computed operation by operation."""
    search = NonFiniteSearch(trainer.model)
    try:
        with interpreting(search):
            for batch in batches:
                trainer.step(*batch)
    except NonFiniteError as error:
        return error.origin
    except DivergedError:
        pass
    finally:
        search.end()
    return None


def _update(trainer: Any) -> Origin | None:
    """The update of a weight by a finite gradient that made it infinite or NaN; None if there was none."""
    for name, parameter in trainer.model.named_parameters():
        made, gradient = kinds_of(raw(parameter)), None if parameter.grad is None else raw(parameter.grad)
        if made and gradient is not None and not kinds_of(gradient):
            return Origin(
                "update",
                made[0],
                type(trainer.optimizer).__name__,
                name,
                result=Operand.of("weight", raw(parameter)),
                operands=[Operand.of("gradient", gradient)],
                numbers=[("rate", trainer.learning_rate)],
            )
    return None


def _snapshot(trainer: Any, copies: bool = False) -> Snapshot:
    generators = [trainer.generator, default_generator(), *generators_in(trainer.model, trainer.loss)]
    return Snapshot(trainer.model, optimizers_of(trainer.optimizer), generators, copies)


def _options(trainer: Any) -> list[dict]:
    return [{k: v for k, v in group.items() if k != "params"} for group in trainer.optimizer.param_groups]


def _set_options(trainer: Any, options: list[dict]) -> None:
    for group, of_group in zip(trainer.optimizer.param_groups, options, strict=True):
        group.update(of_group)


def no_metrics(output: Any, targets: Any) -> dict:
    """The metrics of a trainer whose steps are not counted."""
    return {}
