"""What is harm, and what a diagnosis of it is worth. Fixed before the doctor's rules were judged by it."""

from collections.abc import Sequence
from statistics import mean, stdev
from typing import NamedTuple

from ...glass.doctor import CAUSE_UNKNOWN
from .training import Result

__all__ = ["DEVIATIONS", "HEALTHY_SEEDS", "MARKS", "SEEDS", "Bounds", "bounds", "harmed", "mark"]

HEALTHY_SEEDS = range(5)
"""The seeds of the healthy trainings that a sick one is compared with."""

SEEDS = range(3)
"""The seeds with which each fault is injected."""

DEVIATIONS = 3.0
"""How many of the healthy seeds' standard deviations a loss must be worse than their mean."""

MARKS = {
    "named": "harm, and the first finding shown is the cause",
    "unknown": "harm, and the doctor says that it does not know the cause",
    "wrong": "harm, and the first finding shown is another cause",
    "missed": "harm, and no finding",
    "harmless": "no harm, and no finding, or the fault itself",
    "alarm": "no harm, and the first finding shown is another fault",
}
"""What a diagnosis is worth, by its name."""


class Bounds(NamedTuple):
    """The losses above which a training is harmed: the healthy mean and three deviations. Arguments: of the loss on
    the ``validation`` data; on ``test`` data; of their ``difference``, test minus validation."""

    validation: float
    test: float
    difference: float


def bounds(healthy: Sequence[Result]) -> Bounds:
    """The bounds that follow from the healthy trainings of a subject."""
    losses = zip(*[(one.validation, one.test, one.test - one.validation) for one in healthy], strict=True)
    return Bounds(*(mean(loss) + DEVIATIONS * stdev(loss) for loss in losses))


def harmed(result: Result, bounds: Bounds) -> bool:
    """Whether a training came out worse than healthy ones.

    It did if a loss is not finite; if the loss on the validation data, or that of the same network on untouched data,
    is above its bound; or if the validation loss is too good in comparison with the test loss, as when validation rows
    were trained on.
    """
    if not result.finite:
        return True
    losses = result.validation, result.test, result.test - result.validation
    return any(loss > bound for loss, bound in zip(losses, bounds, strict=True))


def mark(harm: bool, findings: Sequence[str], accepts: Sequence[str]) -> str:
    """What a diagnosis is worth, one of `MARKS`; ``findings`` are those that are shown, the first one first."""
    if harm:
        if not findings:
            return "missed"
        return "named" if findings[0] in accepts else "unknown" if findings[0] in CAUSE_UNKNOWN else "wrong"
    return "alarm" if findings and findings[0] not in accepts else "harmless"
