"""A schedule by the loss: the rate falls when the loss no longer does."""

import math
from typing import Any

from ..arrays import effectful
from ..checks import whole_number
from ..errors import UserError, choose
from .checks import at_least_0
from .optimizer import Optimizer
from .schedule import LRScheduler

__all__ = ["ReduceLROnPlateau"]

_IS_BETTER = {
    ("min", "rel"): lambda value, best, threshold: value < best * (1 - threshold),
    ("min", "abs"): lambda value, best, threshold: value < best - threshold,
    ("max", "rel"): lambda value, best, threshold: value > best * (1 + threshold),
    ("max", "abs"): lambda value, best, threshold: value > best + threshold,
}


class ReduceLROnPlateau(LRScheduler):
    r"""The rate times a factor when a loss (or score) has not improved for some steps.

    .. math:: \eta \leftarrow \max(\eta \cdot \text{factor}, \eta_{\min}) \text{ after patience} + 1 \text{ bad steps}

    Arguments: ``mode``, ``"min"`` for a loss, ``"max"`` for a score; ``factor``, below 1; ``patience``, the number of
    bad steps that are tolerated; ``threshold``, the least improvement that counts, a part of the best
    (``threshold_mode="rel"``) or in its own unit (``"abs"``); ``cooldown``, the steps after a reduction in which none
    is counted; ``min_lr``, one number or one for each group; ``eps``, the least change of the rate that is made.

    Errors: `UserError` for a factor of 1 or more, and for a mode that is none.

    >>> import ichikara
    >>> from ichikara.optim import SGD
    >>> w = ichikara.asarray(0.0, requires_grad=True)
    >>> schedule = ReduceLROnPlateau(SGD([w], lr=1.0), factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]

    Source: ``torch.optim.lr_scheduler.ReduceLROnPlateau``.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ):
        self._attach(optimizer)
        if at_least_0("factor", factor) >= 1:
            raise UserError(f"factor is what the rate is multiplied by to fall, a number below 1, not {factor}")
        choose("mode", mode, {"min": None, "max": None})
        choose("threshold_mode", threshold_mode, {"rel": None, "abs": None})
        self.mode, self.threshold_mode = mode, threshold_mode
        self.factor, self.threshold, self.eps = factor, at_least_0("threshold", threshold), at_least_0("eps", eps)
        self.patience = whole_number("patience", patience, at_least=0)
        self.cooldown = whole_number("cooldown", cooldown, at_least=0)
        groups = len(optimizer.param_groups)
        self.min_lrs = list(min_lr) if isinstance(min_lr, list | tuple) else [min_lr] * groups
        if len(self.min_lrs) != groups:
            raise UserError(f"min_lr has {len(self.min_lrs)} numbers, and the optimiser {groups} groups of parameters")
        self.min_lrs = [at_least_0("min_lr", least) for least in self.min_lrs]
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    def lr(self, step):
        """Raises UserError: the rate depends on losses to come."""
        raise UserError("ReduceLROnPlateau depends on the losses of the steps, so no step's rate is known beforehand")

    @effectful
    def step(self, metrics: Any) -> None:
        """Take a loss (or score) into account, and reduce the rate if it has not improved for too long.

        Arguments: ``metrics``, a single number; one that is not a number counts as no better.
        """
        self._check_groups(len(self.min_lrs))
        value = float(metrics)
        self.last_epoch += 1
        if _IS_BETTER[self.mode, self.threshold_mode](value, self.best, self.threshold):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self.num_bad_epochs > self.patience:
            cut = [max(rate * self.factor, least) for rate, least in zip(rates, self.min_lrs, strict=True)]
            rates = [new if old - new > self.eps else old for old, new in zip(rates, cut, strict=True)]
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._write(rates)

    def _check_state(self, state_dict):
        super()._check_state(state_dict)
        choose("mode", state_dict["mode"], {"min": None, "max": None})
        choose("threshold_mode", state_dict["threshold_mode"], {"rel": None, "abs": None})
