"""Schedules: how the learning rate changes from step to step, each a formula of the count of steps alone.

A schedule is made on an optimiser and its ``step()`` called after the optimiser's, once an epoch or once a batch, in
which its counts are then meant. ``lr(step)`` says what the rate is at any step, without changing anything.

Several schedules of one optimiser are *chained*: where the present rate is not the one that a schedule's formula left
there, because another schedule or the user changed it, the schedule changes that rate by the same factor.

>>> import ichikara
>>> from ichikara.optim import SGD
>>> optimizer = SGD([ichikara.asarray(0.0, requires_grad=True)], lr=1.0)
>>> halved, by_steps = ExponentialLR(optimizer, 0.5), StepLR(optimizer, step_size=2, gamma=0.1)
>>> for _ in range(2):
...     halved.step()
...     by_steps.step()
>>> optimizer.param_groups[0]["lr"]
0.025
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ..arrays import effectful
from ..checks import whole_number
from ..errors import UserError
from .checks import alike, at_least_0, number
from .optimizer import Optimizer

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "StepLR",
]


_PRESENT = "present_lrs"  # the groups' rates when a state was taken


class LRScheduler:
    r"""What all schedules share: the count of steps, and writing the rates into the optimiser's groups.

    .. math::
        \eta_t = \eta(t, \eta_0), \qquad \text{or } \quad
        \eta_t = \eta_{\min} + (\eta_{t-1} - \eta_{\min})
            \frac{\eta(t, \eta_0) - \eta_{\min}}{\eta(t - 1, \eta_0) - \eta_{\min}}
        \quad \text{if } \eta_{t-1} \ne \eta(t - 1, \eta_0)

    The second form is that of a rate which something else changed too; :math:`\eta_{\min}` is 0 but for
    `CosineAnnealingLR`. So several schedules of one optimiser work together, and a rate that is set by hand counts.

    For a schedule of your own, write ``rate(step, base_lr)``.

    Arguments: ``optimizer``, whose groups' ``lr`` is set, at once and at every step; ``last_epoch``, the number of
    the last step done, -1 for none. ``base_lrs`` η₀ are the groups' rates as they were when the first schedule was
    made.

    Errors: TypeError for what is no optimiser; `UserError` for ``last_epoch`` with an optimiser that no schedule
    was on.

    Source: the interface is that of ``torch.optim.lr_scheduler``.
    """

    optimizer: Optimizer
    last_epoch: int
    base_lrs: list[float]
    _last_lr: list[float]
    chainable: ClassVar[bool] = True  # False for a schedule that sets its rate whatever the present one is

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        self._attach(optimizer)
        self.last_epoch = whole_number("last_epoch", last_epoch, at_least=-1) + 1
        for group in optimizer.param_groups:
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise UserError(
                    "last_epoch goes on with a schedule, and this optimiser has had none (its groups lack initial_lr); "
                    "load the optimiser's saved state first, or leave last_epoch out"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self._set(chained=last_epoch == -1)

    def _attach(self, optimizer):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"a schedule is made on an optimiser, and this is of type {type(optimizer).__name__}")
        self.optimizer = optimizer

    def rate(self, step: int, base_lr: float) -> float:
        """The learning rate at this step of a group with this ``base_lr``."""
        raise NotImplementedError(f"{type(self).__name__} has no rate(step, base_lr)")

    def lr(self, step: int) -> list[float]:
        """The learning rate of each group at this step; changes nothing."""
        return [self.rate(whole_number("step", step, at_least=0), base) for base in self.base_lrs]

    @effectful
    def step(self) -> None:
        """Advance by one step and set the groups' rates."""
        self._check_groups(len(self.base_lrs))
        self.last_epoch += 1
        self._set()

    def _check_groups(self, mine):
        groups = len(self.optimizer.param_groups)
        if groups != mine:
            raise UserError(
                f"this {type(self).__name__} was made for {mine} groups of parameters, and the optimiser has {groups}; "
                "add the groups before you make the schedule"
            )

    def _set(self, chained: bool = True) -> None:
        """Write the rates of the present step into the groups; ``chained``, whether what they are now counts."""
        rates = self.lr(self.last_epoch)
        if chained and self.chainable:
            before = self.lr(self.last_epoch - 1) if self.last_epoch else self.base_lrs
            present = [group["lr"] for group in self.optimizer.param_groups]
            rates = [*map(self._chain, present, before, rates)]
        self._write(rates)

    def _chain(self, present: float, before: float, now: float) -> float:
        """The next rate after the present one, by a formula that goes from ``before`` to ``now``."""
        if present == before:
            return now
        if before == self._least:
            return present + (now - before)
        chained = self._least + (present - self._least) * (now - self._least) / (before - self._least)
        return max(chained, 0.0)  # a rate that was below the least one would go on falling where the formula rises

    @property
    def _least(self) -> float:
        """The rate that the formula adds to: what is above it is multiplied."""
        return 0.0

    def _write(self, rates):
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = list(rates)

    def get_last_lr(self) -> list[float]:
        """The rates that were set last, one of each group."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """The step and the settings of the schedule, and the groups' present rates, which other schedules may have set.

        All is numbers, words and lists that JSON can hold.
        """
        own = {
            name: list(value) if isinstance(value, list) else value
            for name, value in vars(self).items()
            if name not in self._unsaved
        }
        return {**own, _PRESENT: [group["lr"] for group in self.optimizer.param_groups]}

    _unsaved: tuple[str, ...] = ("optimizer",)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken, and set the groups' rates to those of that moment.

        The states of several schedules and of the optimiser, taken at one moment, may be loaded in any order.

        Errors: `UserError` for the state of a schedule of another kind or for other groups; nothing is changed then.
        """
        self._check_state(state_dict)
        self._load(state_dict)

    def _load(self, state):
        vars(self).update({k: list(v) if isinstance(v, list) else v for k, v in state.items() if k != _PRESENT})
        present = state.get(_PRESENT, state["_last_lr"])  # states were once without them
        for group, rate in zip(self.optimizer.param_groups, present, strict=True):
            group["lr"] = rate

    def _check_state(self, state_dict):
        mine = self.state_dict()
        if not isinstance(state_dict, Mapping) or state_dict.keys() | {_PRESENT} != mine.keys():
            given = ", ".join(map(str, state_dict)) if isinstance(state_dict, Mapping) else repr(state_dict)
            raise UserError(
                f"this is not the state of a {type(self).__name__}: that has {', '.join(mine)}, and this {given}"
            )
        for name, given in state_dict.items():
            if not alike(mine[name], given):
                raise UserError(f"{name} of this {type(self).__name__} is {mine[name]!r}, and no state has {given!r}")
        saved, groups = len(state_dict["_last_lr"]), len(self.optimizer.param_groups)
        if saved != groups:
            raise UserError(f"the saved schedule was of {saved} groups of parameters, and the optimiser has {groups}")
        for rate in (*state_dict["_last_lr"], *state_dict.get(_PRESENT, ())):
            number("a saved learning rate", rate)

    def __repr__(self):
        return f"{type(self).__name__}(step {self.last_epoch}, lr {self._last_lr})"


class LambdaLR(LRScheduler):
    r"""The rate times any function of the step.

    .. math:: \eta_t = \eta_0\,f(t)

    It is set whatever the present rate is, as in PyTorch: of what stands beside this schedule, only what is stepped
    after it has a say.

    Arguments: ``lr_lambda``, the function, or a list with one for each group; it is not saved with the state.

    Errors: `UserError` for a list of another length than the groups'.

    >>> import ichikara
    >>> from ichikara.optim import SGD
    >>> w = ichikara.asarray(0.0, requires_grad=True)
    >>> schedule = LambdaLR(SGD([w], lr=1.0), lambda step: 1 / (1 + step))
    >>> [schedule.lr(step)[0] for step in (0, 1, 3)]
    [1.0, 0.5, 0.25]

    Source: ``torch.optim.lr_scheduler.LambdaLR``.
    """

    chainable = False
    _unsaved = ("optimizer", "lr_lambdas")

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ):
        self._attach(optimizer)
        groups = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != groups or not all(map(callable, self.lr_lambdas)):
            raise UserError(
                f"lr_lambda is a function, or a list with one for each of the optimiser's {groups} groups of parameters"
            )
        super().__init__(optimizer, last_epoch)

    def lr(self, step):
        return [base * function(step) for base, function in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class StepLR(LRScheduler):
    r"""The rate times γ after every so many steps.

    .. math:: \eta_t = \eta_0\,\gamma^{\lfloor t / s \rfloor}

    Arguments: ``step_size`` s, in steps; ``gamma`` γ.

    Errors: `UserError` for a ``step_size`` below 1.

    >>> import ichikara
    >>> from ichikara.optim import SGD
    >>> w = ichikara.asarray(0.0, requires_grad=True)
    >>> schedule = StepLR(SGD([w], lr=1.0), step_size=2, gamma=0.5)
    >>> [schedule.lr(step)[0] for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]

    Source: ``torch.optim.lr_scheduler.StepLR``.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        self.step_size, self.gamma = whole_number("step_size", step_size), at_least_0("gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def rate(self, step, base_lr):
        return base_lr * self.gamma ** (step // self.step_size)


class MultiStepLR(LRScheduler):
    r"""The rate times γ at each milestone.

    .. math:: \eta_t = \eta_0\,\gamma^{|\{m : m \le t\}|}

    Arguments: ``milestones`` m, in steps; ``gamma`` γ.

    Errors: `UserError` for milestones that are no whole numbers.

    >>> import ichikara
    >>> from ichikara.optim import SGD
    >>> w = ichikara.asarray(0.0, requires_grad=True)
    >>> schedule = MultiStepLR(SGD([w], lr=1.0), milestones=[1, 3], gamma=0.5)
    >>> [schedule.lr(step)[0] for step in range(5)]
    [1.0, 0.5, 0.5, 0.25, 0.25]

    Source: ``torch.optim.lr_scheduler.MultiStepLR``.
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones = sorted(whole_number("a milestone", step, at_least=0) for step in milestones)
        self.gamma = at_least_0("gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def rate(self, step, base_lr):
        return base_lr * self.gamma ** bisect_right(self.milestones, step)


class ExponentialLR(LRScheduler):
    r"""The rate times γ at every step.

    .. math:: \eta_t = \eta_0\,\gamma^t

    Arguments: ``gamma`` γ.

    Errors: `UserError` for a ``gamma`` below 0.

    >>> import ichikara
    >>> from ichikara.optim import SGD
    >>> w = ichikara.asarray(0.0, requires_grad=True)
    >>> schedule = ExponentialLR(SGD([w], lr=1.0), gamma=0.5)
    >>> [schedule.lr(step)[0] for step in range(3)]
    [1.0, 0.5, 0.25]

    Source: ``torch.optim.lr_scheduler.ExponentialLR``.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = at_least_0("gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def rate(self, step, base_lr):
        return base_lr * self.gamma**step


class CosineAnnealingLR(LRScheduler):
    r"""The rate follows half a cosine down, slowly at both ends, and rises again after it.

    .. math:: \eta_t = \eta_{\min} + \tfrac12 (\eta_0 - \eta_{\min}) \left(1 + \cos \frac{\pi t}{T}\right)

    Arguments: ``T_max`` T, the steps down; ``eta_min``, the least rate.

    Errors: `UserError` for a ``T_max`` below 1.

    >>> import ichikara
    >>> from ichikara.optim import SGD
    >>> w = ichikara.asarray(0.0, requires_grad=True)
    >>> schedule = CosineAnnealingLR(SGD([w], lr=1.0), T_max=10)
    >>> [round(schedule.lr(step)[0], 3) for step in (0, 5, 10, 15)]
    [1.0, 0.5, 0.0, 0.5]

    Source: I. Loshchilov and F. Hutter, "SGDR" (2017), equation 5, without restarts;
    ``torch.optim.lr_scheduler.CosineAnnealingLR``.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max, self.eta_min = whole_number("T_max", T_max), number("eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    @property
    def _least(self):
        return self.eta_min

    def rate(self, step, base_lr):
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * step / self.T_max)) / 2


class LinearLR(LRScheduler):
    r"""The rate changes linearly from one fraction of itself to another and stays there: a warm-up.

    .. math:: \eta_t = \eta_0 \left(a + (b - a) \min(t, n) / n\right)

    Arguments: ``start_factor`` a, above 0; ``end_factor`` b; ``total_iters`` n, in steps.

    Errors: `UserError` for a factor above 1 or a start at 0, and for fewer than 1 steps.

    >>> import ichikara
    >>> from ichikara.optim import SGD
    >>> w = ichikara.asarray(0.0, requires_grad=True)
    >>> schedule = LinearLR(SGD([w], lr=1.0), start_factor=0.25, total_iters=3)
    >>> [schedule.lr(step)[0] for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]

    Source: P. Goyal et al., "Accurate, Large Minibatch SGD" (2017), section 2.2;
    ``torch.optim.lr_scheduler.LinearLR``.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not 0 < number("start_factor", start_factor) <= 1:
            raise UserError(f"start_factor is the part of the rate to begin with, above 0 to 1, not {start_factor}")
        if not 0 <= number("end_factor", end_factor) <= 1:
            raise UserError(f"end_factor is the part of the rate to end with, from 0 to 1, not {end_factor}")
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = whole_number("total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def rate(self, step, base_lr):
        done = min(step, self.total_iters) / self.total_iters
        return base_lr * (self.start_factor + (self.end_factor - self.start_factor) * done)
