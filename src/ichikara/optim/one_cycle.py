"""The one-cycle schedule: up to a high rate, and down to nearly 0."""

import math
from typing import Any

from ..checks import whole_number, yes_or_no
from ..errors import UserError, choose
from .checks import from_0_to_1, number, positive
from .optimizer import Optimizer
from .schedule import LRScheduler

__all__ = ["OneCycleLR"]


def _along_a_cosine(start, end, part):
    return end + (start - end) / 2 * (math.cos(math.pi * part) + 1)


def _along_a_line(start, end, part):
    return (end - start) * part + start


_WAYS = {"cos": _along_a_cosine, "linear": _along_a_line}


class OneCycleLR(LRScheduler):
    r"""The rate rises to a maximum, then falls far below its start; the momentum does the opposite. Step once a batch.

    .. math::
        \eta_t = \eta_a + (\eta_b - \eta_a)\,\tfrac12 \left(1 - \cos \pi p\right),
        \qquad p = \frac{t - t_a}{t_b - t_a}

    with η going from η_max / 25 to η_max, and from there to η_max / 250,000. Rate and momentum are set whatever the
    present ones are, as in PyTorch.

    Arguments: ``max_lr``, the maximum, one number or one for each group; ``total_steps``, the length in steps, or else
    ``epochs`` and ``steps_per_epoch``; ``pct_start``, the fraction of the steps in which the rate rises;
    ``anneal_strategy``, ``"cos"`` or ``"linear"``; ``cycle_momentum``, whether to move the momentum (or Adam's first
    beta) from ``max_momentum`` to ``base_momentum`` and back; ``div_factor``, how many times smaller than the maximum
    the first rate is, ``final_div_factor`` the last one than the first; ``three_phase``, whether to come back to the
    first rate before the last part.

    Errors: `UserError` for no length, a part outside of [0, 1], an optimiser without momentum, and a step beyond
    the last.

    >>> import ichikara
    >>> from ichikara.optim import SGD
    >>> w = ichikara.asarray(0.0, requires_grad=True)
    >>> schedule = OneCycleLR(SGD([w], momentum=0.9), max_lr=1.0, total_steps=11, pct_start=0.5)
    >>> [round(schedule.lr(step)[0], 2) for step in (0, 4, 5, 10)]
    [0.04, 0.97, 0.98, 0.0]
    >>> schedule.momentum(0), round(schedule.momentum(5)[0], 2)
    ([0.95], 0.85)

    Source: L. Smith and N. Topin, "Super-Convergence" (2018); ``torch.optim.lr_scheduler.OneCycleLR``.
    """

    chainable = False

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        self._attach(optimizer)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise UserError("the cycle's length is missing: give total_steps, or both epochs and steps_per_epoch")
            total_steps = whole_number("epochs", epochs) * whole_number("steps_per_epoch", steps_per_epoch)
        self.total_steps = whole_number("total_steps", total_steps)
        self.pct_start = from_0_to_1("pct_start", pct_start)
        choose("anneal_strategy", anneal_strategy, _WAYS)
        self.anneal_strategy = anneal_strategy
        self.three_phase = yes_or_no("three_phase", three_phase)
        self.div_factor = positive("div_factor", div_factor)
        self.final_div_factor = positive("final_div_factor", final_div_factor)
        self.max_lrs = self._of_each_group("max_lr", max_lr)
        self.cycle_momentum = yes_or_no("cycle_momentum", cycle_momentum)
        self.max_momentums = self._of_each_group("max_momentum", max_momentum)
        self.base_momentums = self._of_each_group("base_momentum", base_momentum)
        if self.cycle_momentum and not {"momentum", "betas"} & optimizer.defaults.keys():
            raise UserError(
                f"{type(optimizer).__name__} has no momentum to move: give cycle_momentum=False, or take SGD or Adam"
            )
        if last_epoch == -1:
            for group, top in zip(optimizer.param_groups, self.max_lrs, strict=True):
                group["initial_lr"] = top / self.div_factor
        super().__init__(optimizer, last_epoch)

    def _of_each_group(self, name: str, given: Any) -> list[float]:
        groups = len(self.optimizer.param_groups)
        values = list(given) if isinstance(given, list | tuple) else [given] * groups
        if len(values) != groups:
            raise UserError(f"{name} has {len(values)} numbers, and the optimiser {groups} groups of parameters")
        return [number(name, value) for value in values]

    def _at(self, step: int, first: float, top: float, last: float) -> float:
        """The value at a step of what goes from its first to its top value and on to its last."""
        step = whole_number("step", step, at_least=0)
        if step > self.total_steps:
            raise UserError(
                f"step {step} is beyond the cycle, which was made for {self.total_steps} steps; give total_steps the "
                "number of batches in all epochs"
            )
        end, up = self.total_steps - 1, self.pct_start * self.total_steps - 1
        if self.three_phase:
            down = 2 * self.pct_start * self.total_steps - 2
            phases = [(0, up, first, top), (up, down, top, first), (down, end, first, last)]
        else:
            phases = [(0, up, first, top), (up, end, top, last)]
        t_a, t_b, start, stop = next((phase for phase in phases if step <= phase[1]), phases[-1])
        part = (step - t_a) / (t_b - t_a) if t_b != t_a else 1.0
        return _WAYS[self.anneal_strategy](start, stop, part)

    def lr(self, step):
        return [
            self._at(step, first, top, first / self.final_div_factor)
            for first, top in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def momentum(self, step: int) -> list[float]:
        """The momentum (or first beta) of each group at this step; changes nothing."""
        return [
            self._at(step, high, low, high) for low, high in zip(self.base_momentums, self.max_momentums, strict=True)
        ]

    def _set(self, chained=True):
        super()._set(chained)
        self._set_momentum()

    def _load(self, state):
        super()._load(state)
        self._set_momentum()

    def _set_momentum(self):
        if not self.cycle_momentum:
            return
        for group, momentum in zip(self.optimizer.param_groups, self.momentum(self.last_epoch), strict=True):
            if "betas" in self.optimizer.defaults:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum
