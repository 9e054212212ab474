"""The case: all that the doctor looks at, and the plain facts that several rules ask for."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy

from .record import Record
from .reevaluation import Measured, loss_on, parts_of
from .structure import Structure, structure_of

__all__ = ["CROSS_ENTROPIES", "Case"]

CROSS_ENTROPIES = {
    "cross_entropy": "logits",
    "CrossEntropyLoss": "logits",
    "nll_loss": "log probabilities",
    "NLLLoss": "log probabilities",
    "bce": "logits",
    "binary_cross_entropy_with_logits": "logits",
    "BCEWithLogitsLoss": "logits",
    "binary_cross_entropy": "probabilities",
    "BCELoss": "probabilities",
}
"""The losses that are cross entropies, by their names, and what each takes."""

SQUARES = ("mse", "mse_loss", "MSELoss")
"""The names of the mean squared error."""

POOR = 0.9
"""A run that ends above this part of the loss of the best constant answer has not learnt from its inputs."""

LITTLE = 0.8
"""A run that ends above this part of the loss of the best constant answer has learnt little."""

SLOW = 0.7
"""A run that ends above this part of its first loss has hardly begun."""

STUCK = 1.2
"""A run that ends above this part of its first loss has not stayed there, but climbed."""

GUESSED = 0.3
"""A run that ends below this part of the loss of the best constant answer has learnt most of what there is."""

STILL = 0.16
"""The part of its whole fall that the loss does in the last quarter of the steps. Runs that were long enough have at
most 0.13 (trial); a fall in a straight line is 0.29."""

RECENT = 0.1
"""The last part of a run, by which its end is judged: a tenth of its steps."""

EXAMPLES = 32
"""The examples of a batch with which a step is tried."""

CONTEXT = 32
"""The length of a window of a text with which a step is tried."""

FEWEST = 5
"""The least number of steps or epochs of which a mean is taken."""


@dataclass
class Case:
    """A training run as the doctor sees it. Every part may be missing; a rule that needs it then does not judge.

    Arguments: ``record``, of `watch`: rows and events; ``history``, a dictionary of numbers for each epoch
    (``train_loss``, ``val_loss``, …); ``losses``, the loss of each step, from the first; ``model``, a Module;
    ``loss``, a function of outputs and targets; ``optimizer``, or several in a list; ``train``, ``validation`` and
    ``test``, data with ``inputs``, ``targets`` and ``classes``, as the network gets it; ``batches``, the first batches
    as the loop got them, ``(inputs, targets)``; ``task``, by default that of the data; ``batch_size``; ``settings``,
    what else is known, by name: ``epochs`` (planned), ``shuffle``, ``clip`` (whether gradients are clipped),
    ``openings`` (how often the vault was opened), ``augmented``, ``stopped`` (why the run ended early), ``trainer``
    (whether a Trainer called the network, which sets its mode for evaluations); ``structure``, of a step that was
    watched; by default a step is tried on a copy of the model;
    ``diverged``, whether the loss or a weight became infinite or not a number.
    """

    record: Record | None = None
    history: Sequence[Mapping[str, float]] | None = None
    losses: Sequence[float] | None = None
    model: Any = None
    loss: Callable | None = None
    optimizer: Any = None
    train: Any = None
    validation: Any = None
    test: Any = None
    batches: Sequence[tuple[Any, Any]] | None = None
    task: str = ""
    batch_size: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    structure: Structure | None = None
    diverged: bool = False

    def __post_init__(self):
        self.task = self.task or getattr(self.train, "task", "") or ""

    # --- the task -----------------------------------------------------------------------------------------------------

    @property
    def optimizers(self) -> list[Any]:
        """The optimisers, one by one."""
        if self.optimizer is None:
            return []
        if isinstance(self.optimizer, list | tuple):
            return list(self.optimizer)
        return list(getattr(self.optimizer, "optimizers", [self.optimizer]))

    @property
    def loss_name(self) -> str:
        """The name of the loss: of an objective, a function or a module; empty where it is not known."""
        if self.loss is None:
            return ""
        return getattr(self.loss, "name", None) or getattr(self.loss, "__name__", None) or type(self.loss).__name__

    @property
    def takes(self) -> str:
        """What the loss takes, if it is a cross entropy: logits, log probabilities or probabilities."""
        return CROSS_ENTROPIES.get(self.loss_name, "")

    @property
    def classes(self) -> int | None:
        """How many classes there are; None for what is no classification."""
        if self.task == "regression":
            return None
        names = getattr(self.train, "classes", None)
        if names:
            return len(names)
        if self.train is not None and numpy.asarray(self.train.targets).dtype.kind in "iub":
            return int(numpy.max(self.train.targets)) + 1
        return None

    @cached_property
    def shares(self) -> numpy.ndarray | None:
        """The share of each class in the training targets; None without classes."""
        if self.classes is None or self.train is None:
            return None
        targets = numpy.asarray(self.train.targets)
        if targets.dtype.kind not in "iub":
            return None
        return numpy.bincount(targets.reshape(-1), minlength=self.classes) / max(targets.size, 1)

    @property
    def uninformed(self) -> float | None:
        """The cross entropy of equal probabilities for all classes, ln K; None for other losses."""
        if self.classes is None or self.classes < 2 or not self.takes:
            return None
        binary = "binary" in self.loss_name or self.loss_name.lower().startswith("bce")
        return math.log(2) if binary else math.log(self.classes)

    @cached_property
    def constant(self) -> float | None:
        """The loss of the best answer that ignores the inputs: the entropy of the classes, or the targets' variance."""
        if self.takes and self.shares is not None and self.uninformed is not None:
            p = self.shares
            if self.uninformed == math.log(2) and len(p) > 2:
                p = numpy.stack([p, 1 - p])  # an output of its own for each class
                return float(-(p * numpy.log(numpy.maximum(p, 1e-30))).sum() / p.shape[1])
            p = p[p > 0]
            return float(-(p * numpy.log(p)).sum())
        if self.loss_name in SQUARES and self.train is not None:
            targets = numpy.asarray(self.train.targets, "float64")
            return float(targets.reshape(len(targets), -1).var(axis=0).mean()) if self.task == "regression" else None
        return None

    @cached_property
    def batch(self) -> tuple[Any, Any] | None:
        """A small batch of the training data; None without data."""
        if self.batches:
            inputs, targets = self.batches[0]
            return inputs[:EXAMPLES], targets[:EXAMPLES]
        if self.train is None:
            return None
        if self.task != "text":
            return self.train.inputs[:EXAMPLES], self.train.targets[:EXAMPLES]
        length = min(self._context, len(self.train.inputs))
        rows = min(EXAMPLES, len(self.train.inputs) // length)
        inputs, targets = (a[: rows * length].reshape(rows, length) for a in (self.train.inputs, self.train.targets))
        return inputs, targets

    @cached_property
    def step(self) -> Structure | None:
        """The structure of a training step; None where none can be tried."""
        if self.structure is not None or self.model is None or self.loss is None or self.batch is None:
            return self.structure
        try:
            return structure_of(self.model, self.loss, *self.batch)
        except Exception:  # a model that is called otherwise, or that cannot be copied
            return None

    # --- the run ------------------------------------------------------------------------------------------------------

    @cached_property
    def curve(self) -> numpy.ndarray:
        """The training loss: of each step, else as the record has it, else of each epoch; empty where none is known."""
        if self.losses is not None and len(self.losses):
            return numpy.asarray(self.losses, "float64")
        if self.record is not None:
            steps, values = self.record.series("loss")
            if steps:  # later ones are kept sparsely
                return numpy.interp(numpy.arange(steps[0], steps[-1] + 1), steps, values)
        return self.column("train_loss")

    def column(self, name: str) -> numpy.ndarray:
        """A column of the history; empty where there is none."""
        return numpy.asarray([row[name] for row in self.history or () if name in row], "float64")

    @property
    def finite(self) -> bool:
        """Whether the loss stayed a finite number."""
        return not self.diverged and bool(numpy.isfinite(self.curve).all())

    @property
    def start(self) -> float | None:
        """The first loss; None where the steps' losses are not known."""
        of_steps = (self.losses is not None and len(self.losses)) or (self.record and self.record.series("loss")[1])
        return float(self.curve[0]) if of_steps else None

    @property
    def end(self) -> float | None:
        """The loss at the end: the median of the last tenth of the steps, or of the last five."""
        if not len(self.curve):
            return None
        last = max(math.ceil(RECENT * len(self.curve)), min(FEWEST, len(self.curve)))
        return float(numpy.median(self.curve[-last:]))

    @property
    def bad(self) -> bool | None:
        """Whether the network has learnt nothing of the training data: numbers that are not finite, or no better than
        the best constant answer; None where that is not known, as of two networks that train each other."""
        if not self.finite:
            return True
        if self.end is None or len(self.optimizers) > 1:
            return None
        return bool(self.end > POOR * (self.constant or self.curve[0]))

    @property
    def lost(self) -> bool | None:
        """Whether the network is no better on the validation data than the best constant answer; None where that is not
        known."""
        validation = self.column("val_loss")
        if not len(validation) or not self.constant:
            return None
        return not numpy.isfinite(validation[-1]) or bool(validation[-1] > POOR * self.constant)

    @property
    def slow(self) -> bool | None:
        """Whether the loss has hardly fallen; None where it is not known."""
        if not self.finite or self.end is None:
            return None
        return bool(self.end > SLOW * self.curve[0])

    @property
    def poor(self) -> bool | None:
        """Whether the run went badly, hardly began, or is little better than the best constant answer."""
        if self.bad or self.slow or self.end is None:
            return self.bad or self.slow
        return bool(self.constant and self.end > LITTLE * self.constant)

    @property
    def stuck(self) -> bool | None:
        """Whether the run went badly and the loss stayed about where it began, or at that of a constant answer."""
        if self.bad is None:
            return None
        return self.bad and self.finite and bool(self.end <= STUCK * max(self.curve[0], self.constant or 0.0))

    @property
    def unfinished(self) -> bool:
        """Whether the loss was still falling fast at the end, and not low by then."""
        if not self.finite or self.end is None or not self.falling > STILL:
            return False
        return bool(self.end > GUESSED * (self.constant or self.curve[0]))

    @cached_property
    def judged(self) -> Measured | None:
        """The validation loss of the network at hand, computed once more; None where it cannot be."""
        if self.validation is None or not self.finite:
            return None
        return loss_on(self.model, self.loss, parts_of(self.validation, self.task, self._context))

    @cached_property
    def kept(self) -> Measured | None:
        """The loss of the network at hand on the training examples, computed in evaluation mode; on the first batches
        that the loop got, where these are known. None where it cannot be computed."""
        if (not self.batches and self.train is None) or not self.finite:
            return None
        parts = self.batches or parts_of(self.train, self.task, self._context)
        return loss_on(self.model, self.loss, parts)

    @property
    def _context(self) -> int:
        return int(self.settings.get("context") or CONTEXT)

    @property
    def jump(self) -> float:
        """How many times its first value the loss rose to, at most."""
        known = self.curve[numpy.isfinite(self.curve)]
        return float(known.max() / max(known[0], 1e-30)) if len(known) else math.nan

    @property
    def falling(self) -> float:
        """Which part of its whole fall the loss did in the last quarter of the run: 0.29 if evenly, near 0 at an
        end."""
        if len(self.curve) < 4 * FEWEST:
            return 0.0
        third, last = (float(numpy.mean(part)) for part in numpy.array_split(self.curve, 4)[2:])
        first = float(numpy.mean(self.curve[: max(len(self.curve) // 50, 1)]))
        return max((third - last) / (first - last), 0.0) if first > last else 0.0
