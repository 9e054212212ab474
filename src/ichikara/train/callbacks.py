"""Callbacks: what to do at the start of a training, after each batch and epoch, and at the end."""

from typing import Any, Protocol

from ..checks import whole_number
from ..errors import UserError
from .history import History

__all__ = ["Callback", "EarlyStopping", "Training"]


class Training(Protocol):
    """The attributes and methods of a trainer that a callback can use."""

    model: Any
    history: History
    loader: Any
    epoch: int
    steps: int

    @property
    def learning_rate(self) -> float: ...

    @property
    def batches(self) -> int: ...

    def stop(self, reason: str) -> None: ...


class Callback:
    """Something to do at certain moments of a training run. Override what is needed.

    ``state`` is saved with every checkpoint and restored on resuming; override it if the callback has any.
    """

    @property
    def state(self) -> dict[str, Any]:
        """What the callback needs to resume the run."""
        return {}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        pass

    def on_fit_start(self, trainer: Training, epochs: int) -> None:
        """Before the first epoch."""

    def on_note(self, trainer: Training, line: str) -> None:
        """When the trainer has a message for the user, such as why its steps cannot be replayed."""

    def on_epoch_start(self, trainer: Training, epoch: int) -> None:
        """Before each epoch; the first is 1."""

    def on_batch_end(self, trainer: Training, loss: float) -> None:
        """After each step."""

    def on_epoch_end(self, trainer: Training, row: dict[str, Any]) -> None:
        """After each epoch, with its row of the history."""

    def on_fit_end(self, trainer: Training, history: History) -> None:
        """After the last epoch, also when the run was ended early; not when it was interrupted."""


class EarlyStopping(Callback):
    """Stop when a measure has not improved for a number of epochs, and go back to the best weights.

    Arguments: ``monitor``, a column of the history; ``patience``, how many epochs without improvement end the run;
    ``min_delta``, the least change that is an improvement; ``mode``, 'min' or 'max', by default 'max' for an accuracy;
    ``restore_best``, whether the run's weights are those of the best epoch, also if it was never stopped.

    Raises UserError where the history has no such column.

    Source: L. Prechelt, "Early Stopping - But When?" (1998); the lecture's D5.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str | None = None,
        restore_best: bool = True,
    ):
        if mode not in (None, "min", "max"):
            raise UserError(f"mode is 'min' or 'max', not {mode!r}")
        if patience < 1:
            raise UserError(f"patience is a number of epochs, at least 1, not {patience}")
        self.monitor, self.patience, self.min_delta, self.restore_best = monitor, patience, min_delta, restore_best
        self.sign = -1 if (mode or ("max" if monitor.endswith("accuracy") else "min")) == "max" else 1
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: dict[str, Any] = {}

    def on_epoch_end(self, trainer, row):
        if self.monitor not in row:
            raise UserError(f"early stopping watches '{self.monitor}', and the history has {', '.join(row)}")
        score = self.sign * row[self.monitor]
        if self.best is None or score < self.best - self.min_delta:
            self.best, self.best_epoch = score, row["epoch"]
            if self.restore_best:
                self.best_weights = trainer.model.state_dict()
        elif row["epoch"] - self.best_epoch >= self.patience:
            trainer.stop(f"{self.monitor} has not improved since epoch {self.best_epoch}")

    def on_fit_end(self, trainer, history):
        if self.best_weights:
            trainer.model.load_state_dict(self.best_weights)

    @property
    def state(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "best_weights": self.best_weights}

    @state.setter
    def state(self, state):
        if state["best"] is not None and type(state["best"]) not in (int, float):
            raise UserError(f"the best score of a saved run is a number, not {state['best']!r}")
        self.best = state["best"]
        self.best_epoch = whole_number("the best epoch of a saved run", state["best_epoch"], at_least=0)
        self.best_weights = dict(state["best_weights"])
