"""A fault is injected into a training, and the doctor is asked what it was."""

from ...errors import choose
from ...glass.case import Case
from ...glass.doctor import diagnose
from ...glass.finding import Diagnosis
from ..schema import Recipe
from .fault import FAULTS, Fault
from .healthy import healthy
from .training import Training

__all__ = ["SECONDS", "run", "sick"]

SECONDS = 15.0
"""The longest that a training may take, in seconds of one core."""


def run(fault: str | None, subject: str, seed: int = 0) -> tuple[Case, Diagnosis]:
    """Train a subject with a fault, and examine it.

    Arguments: ``fault``, the name of one in `FAULTS`, None for none; ``subject``, of `SUBJECTS`; ``seed``, of
    initial weights, order of the batches and dropout.

    Errors: `UserError` for unknown names; TimeoutError for a training that takes too long.
    """
    training = sick(None if fault is None else choose("fault", fault, FAULTS), healthy(subject, seed))
    training.fit()
    case = training.case()
    return case, diagnose(case)


def sick(fault: Fault | None, recipe: Recipe) -> Training:
    """A training that has not begun, with a fault."""
    training = Training(recipe, seconds=SECONDS)
    if fault is not None:
        fault.patch(training)
    return training
