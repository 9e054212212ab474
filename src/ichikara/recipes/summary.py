"""What run.json says of a run, as it is declared and checked when it is read."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, FiniteFloat

from ..errors import UserError
from ..validation import checked_json, shown

__all__ = ["SUMMARY", "read_summary"]

SUMMARY = "run.json"

_Count = Annotated[int, Field(ge=0, lt=2**53)]
_Part = tuple[_Count, str] | None  # how many examples, and their checksum


@dataclass
class _Data:
    name: str
    source: str
    train: _Part
    validation: _Part
    test: _Part


@dataclass
class _MadeWith:
    python: str
    numpy: str
    platform: str


@dataclass
class _Baseline:
    name: str
    seconds: Annotated[FiniteFloat, Field(ge=0)]


@dataclass
class _Change:
    after_epoch: _Count
    setting: str


@dataclass
class _Finding:
    name: str
    title: str
    certainty: str
    seen: str
    cause: str
    cure: str
    line: str
    lesson: str


@dataclass
class _Summary:
    """The run in numbers; its measures, such as ``val_loss``, stand beside these."""

    epochs: _Count
    seconds: Annotated[FiniteFloat, Field(ge=0)]
    best_epoch: _Count | None
    baseline: _Baseline | None
    finished: bool
    interrupted: bool
    stopped: str | None
    diverged: _Count | None
    changes: list[_Change]
    parameters: _Count
    seed: int
    data: _Data
    made_with: _MadeWith
    findings: list[_Finding] = field(default_factory=list)  # left out of a run that was not examined
    unjudged: dict[str, str] = field(default_factory=dict)


def read_summary(folder: Path, name: str = SUMMARY) -> dict[str, Any]:
    """What the run.json of a folder says.

    Raises UserError for a file that cannot be read, or that says something else than what is declared here.
    """
    path = folder / name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    summary = checked_json(_Summary, text, str(path))
    for name, value in [*summary.items(), *(summary["baseline"] or {}).items()]:
        if name.startswith(("train_", "val_")) and type(value) not in (int, float, type(None)):
            what = f"'{name}' is {shown(value)}; it should be a number"
            raise UserError(f"{path} is damaged or of another version of ichikara: {what}")
    return summary
