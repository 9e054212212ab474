"""What can be found out about a training in seconds, before it begins."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError
from ..words import language_of, say
from .preflight_checks import Checks
from .trainer import Trainer

__all__ = ["Check", "Preflight", "preflight"]


@dataclass(frozen=True)
class Check:
    """What one of the checks found.

    Arguments: ``name``; ``state``, "passed", "warning" (it may be meant, or slow the training down), "failed" (the
    training would fail) or "skipped"; ``finding``, the name of its text in the catalogue under the check's; ``about``,
    the numbers and names that the text quotes.
    """

    name: str
    state: str
    finding: str
    about: Mapping[str, Any] = field(default_factory=dict)

    def text(self, language: str | None = None) -> str:
        """What was found, in a sentence or two."""
        language = language_of(language)
        about = {name: value.text(language) if hasattr(value, "text") else value for name, value in self.about.items()}
        return " ".join(say(f"preflight.{self.name}.{self.finding}", language, **about).split("\n"))

    def title(self, language: str | None = None) -> str:
        """What is checked, in a few words."""
        return say(f"preflight.title.{self.name}", language_of(language))


@dataclass(frozen=True)
class Preflight:
    """Arguments: ``checks``, in the order in which they were made; ``shapes``, for each layer its path, its class and
    the shapes of its outputs; ``seconds``, how long it took."""

    checks: tuple[Check, ...]
    shapes: tuple[tuple[str, str, tuple], ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing was found for which the training would fail."""
        return all(check.state != "failed" for check in self.checks)

    def __getitem__(self, name: str) -> Check:
        """The check of a name."""
        return next(check for check in self.checks if check.name == name)

    def conclusion(self, language: str | None = None) -> str:
        """One sentence about the whole."""
        end = "passed" if self.passed else "failed"
        return say(f"preflight.end.{end}", language_of(language), seconds=f"{self.seconds:.1f}")

    def text(self, language: str | None = None) -> str:
        """One line for each check, and one for the whole."""
        language = language_of(language)
        lines = [
            f"{say(f'preflight.state.{check.state}', language)} {check.title(language)}: {check.text(language)}"
            for check in self.checks
        ]
        return "\n".join([*lines, self.conclusion(language)])

    __str__ = text

    def to_dict(self) -> dict[str, Any]:
        """The same in values that JSON can hold."""
        checks = [
            {"name": c.name, "state": c.state, "finding": c.finding}
            | {"about": {name: v.to_dict() if hasattr(v, "to_dict") else v for name, v in c.about.items()}}
            for c in self.checks
        ]
        shapes = [{"layer": path, "kind": kind, "shapes": [*map(list, found)]} for path, kind, found in self.shapes]
        return {"passed": self.passed, "checks": checks, "shapes": shapes, "seconds": round(self.seconds, 3)}


def preflight(trainer: Trainer, loader: Any, epochs: int = 1, *, seconds: float = 2.0) -> Preflight:
    """Check in seconds what would be found out in hours, and restore everything.

    - *shapes*: one batch goes through the network, the loss, the gradient and the update
    - *gradients* of layers and operations of your own, against the slopes of what they compute, in float64
    - *start*: the loss before the first step, against that of a constant answer: ln K for K classes, or the variance
    - *steps*: some steps with the learning rate in use, and how long the training will take
    - *memory*: how much a step needs at most, and how much there is
    - *by heart*: whether the network can learn a few examples by heart
    - *rate*: the learning rate in use, against a sweep of rates (`find_learning_rate`)

    Arguments: ``trainer``, with the network, the loss and the optimiser; ``loader``, of batches; ``epochs``, of the
    planned training; ``seconds``, about how long each of the longer checks may take.

    Afterwards the network, the optimiser, the loader and all random number generators are as before, bit for bit. A
    loader of your own is restored by its ``state``, if it has one as `DataLoader` has.

    Raises UserError for a loader that can be gone through only once, or has no batch.

    >>> from ichikara import nn, optim
    >>> from ichikara.data import DataLoader, load_moons
    >>> model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    >>> trainer = Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.01))
    >>> result = preflight(trainer, DataLoader(load_moons(), batch_size=50), epochs=20, seconds=0.2)
    >>> result.passed, result["shapes"].state, result.shapes[2]
    (True, 'passed', ('2', 'Linear', ((50, 2),)))
    """
    began = time.perf_counter()
    if isinstance(loader, Iterator):
        raise UserError(
            f"the loader is an iterator ({type(loader).__name__}), and a batch that is taken from it would be missing "
            "in the training; give a DataLoader, or list(…) of the batches"
        )
    checks = Checks(trainer, loader, epochs, seconds)
    found = [Check(name, *one) for name, one in checks.run()]
    return Preflight(tuple(found), tuple(checks.shapes), time.perf_counter() - began)
