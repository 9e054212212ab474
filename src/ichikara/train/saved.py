"""What a checkpoint says of a training run beside its arrays, as it is declared and checked when a run is resumed."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, FiniteFloat

__all__ = ["SavedRun"]

_Count = Annotated[int, Field(ge=0, lt=2**53)]


@dataclass
class _SavedEngine:
    eager_because: str
    layouts: list[str]


@dataclass
class SavedRun:
    """The settings of `Trainer.save`. The states of the parts are checked by the parts."""

    epoch: _Count
    steps: _Count
    batch: _Count
    seconds: Annotated[FiniteFloat, Field(ge=0)]
    history: dict[str, Any]
    totals: dict[str, Any]
    rate: float
    order: dict[str, Any] | None
    loader: dict[str, Any] | None
    generator: dict[str, Any]
    stopped: str | None
    about: dict[str, Any]
    engine: _SavedEngine
    model: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any] | None
    averaging: dict[str, Any] | None
    pending: _Count
    gradients: dict[str, Any]
    callbacks: list[Any]
    record: dict[str, Any] | None = None
