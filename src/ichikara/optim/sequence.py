"""Schedules joined end to end, such as a warm-up and what follows it."""

from bisect import bisect_right
from collections.abc import Sequence

from ..checks import whole_number
from ..errors import UserError
from .optimizer import Optimizer
from .schedule import LRScheduler

__all__ = ["SequentialLR"]


class SequentialLR(LRScheduler):
    r"""One schedule after another, each counting from 0 at its start: a warm-up and what follows it.

    .. math:: \eta_t = \eta^{(i)}_{t - m_i}, \qquad m_i \le t < m_{i+1}, \quad m_0 = 0

    Each begins with its own first rate, whatever the present one is, as in PyTorch. From there on it is chained with
    what else changes the rate.

    Arguments: ``schedulers``, on the same optimiser; ``milestones`` m₁, m₂, …, the steps at which the next one
    takes over.

    Errors: `UserError` for milestones that do not rise or are not one fewer than the schedules; for schedules of
    another optimiser; for `ReduceLROnPlateau`, whose step needs a loss.

    >>> import ichikara
    >>> from ichikara.optim import SGD, ExponentialLR, LinearLR
    >>> w = ichikara.asarray(0.0, requires_grad=True)
    >>> optimizer = SGD([w], lr=1.0)
    >>> parts = [LinearLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, 0.9)]
    >>> schedule = SequentialLR(optimizer, parts, milestones=[2])
    >>> [round(schedule.lr(step)[0], 3) for step in range(5)]
    [0.5, 0.75, 1.0, 0.9, 0.81]

    Source: ``torch.optim.lr_scheduler.SequentialLR``.
    """

    _unsaved = ("optimizer", "schedulers")

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ):
        self._attach(optimizer)
        self.schedulers = list(schedulers)
        for i, schedule in enumerate(self.schedulers):
            if not isinstance(schedule, LRScheduler):
                raise TypeError(f"schedule {i} is of type {type(schedule).__name__}, and none of ichikara.optim's")
            if not hasattr(schedule, "base_lrs"):
                raise UserError(
                    f"schedule {i} is a {type(schedule).__name__}, which depends on the loss and not on the step; "
                    "step it beside the sequence"
                )
            if schedule.optimizer is not optimizer:
                raise UserError(f"schedule {i} was made on another optimiser; make all on the same")
        self.milestones = [whole_number("a milestone", step) for step in milestones]
        if self.milestones != sorted(set(self.milestones)):
            raise UserError(f"milestones rise from one to the next, and these are {self.milestones}")
        if len(self.schedulers) != len(self.milestones) + 1:
            raise UserError(
                f"{len(self.schedulers)} schedules need {max(len(self.schedulers) - 1, 0)} milestones, and "
                f"{len(self.milestones)} were given"
            )
        super().__init__(optimizer, last_epoch)

    def _active(self, step):
        """The active schedule at this step, and the step counted from its start."""
        i = bisect_right(self.milestones, step)
        return self.schedulers[i], step - (self.milestones[i - 1] if i else 0)

    def lr(self, step):
        schedule, own_step = self._active(whole_number("step", step, at_least=0))
        return schedule.lr(own_step)

    def _set(self, chained=True):
        schedule, schedule.last_epoch = self._active(self.last_epoch)
        schedule._set(chained and schedule.last_epoch > 0)
        self._last_lr = schedule.get_last_lr()

    def state_dict(self):
        return {**super().state_dict(), "_schedulers": [schedule.state_dict() for schedule in self.schedulers]}

    def _check_state(self, state_dict):
        super()._check_state(state_dict)
        parts = state_dict["_schedulers"]
        if len(parts) != len(self.schedulers):
            raise UserError(f"the saved sequence had {len(parts)} schedules, and this one has {len(self.schedulers)}")
        for schedule, part in zip(self.schedulers, parts, strict=True):
            schedule._check_state(part)

    def _load(self, state):
        for schedule, part in zip(self.schedulers, state["_schedulers"], strict=True):
            schedule._load(part)
        super()._load({k: v for k, v in state.items() if k != "_schedulers"})
