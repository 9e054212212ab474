"""What a fault is: a function that changes a training, and what a right diagnosis of it says.

@fault("training", accepts="rate_too_high", subjects="mlp resnet")
def rate_times_100(training):
    '''The learning rate is a hundred times too high.'''
    training.recipe.optimizer.model_extra["lr"] *= 100
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .training import Training

__all__ = ["ALL", "FAULTS", "Fault", "after", "fault", "options"]

ALL = "mlp resnet lstm gpt"
"""The names of all subjects."""


@dataclass(frozen=True)
class Fault:
    """A fault that can be injected.

    Arguments: ``name``; ``kind``, "training", "data", "code", or for one that was written without knowledge of the
    rules "unseen", or "unseen_second" in the second such set; ``about``, what is wrong, in a sentence; ``accepts``,
    the names of the findings that are right, more than one where the same fault is seen from several sides;
    ``subjects``, the names of the trainings that it applies to; ``patch``, the function that injects it into a training
    that has not begun.
    """

    name: str
    kind: str
    about: str
    accepts: tuple[str, ...]
    subjects: tuple[str, ...]
    patch: Callable[[Training], None]

    @property
    def file(self) -> Path:
        """The file in which the patch is written."""
        return Path(inspect.getfile(self.patch))


FAULTS: dict[str, Fault] = {}
"""Every fault by its name, in the order in which they are declared."""


def fault(kind: str, *, accepts: str, subjects: str = ALL) -> Callable:
    """Decorator: a function of a training is a fault, with the function's name; its docstring says what is wrong.

    Arguments: ``kind``, ``accepts`` and ``subjects`` as of `Fault`, names separated by spaces.
    """

    def declare(patch):
        if patch.__name__ in FAULTS:
            raise ValueError(f"there is a fault named {patch.__name__} already")
        about = inspect.cleandoc(patch.__doc__)
        FAULTS[patch.__name__] = Fault(
            patch.__name__, kind, about, tuple(accepts.split()), tuple(subjects.split()), patch
        )
        return patch

    return declare


def after(training: Training, place: str, change: Callable[[], Any]) -> None:
    """Let something be changed after a part of the training, such as "load" or "build", was done."""
    part = getattr(training, place)

    def changed(*arguments):
        result = part(*arguments)
        change()
        return result

    setattr(training, place, changed)


def options(training: Training, table: str) -> dict[str, Any]:
    """The options of a component of the training's recipe, to be changed before it begins."""
    return getattr(training.recipe, table).model_extra
