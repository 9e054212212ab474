"""What the doctor says: findings, and what could not be judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..words import say

__all__ = ["CERTAINTIES", "Diagnosis", "Finding"]

CERTAINTIES = ("certain", "likely")


@dataclass(frozen=True)
class Finding:
    """A fault that the doctor found.

    Arguments: ``name``, of the rule, whose words are in the catalogue under ``doctor.NAME``; ``certainty``, "certain"
    or "likely"; ``evidence``, the numbers and names that the words quote; ``layer``, ``step``, ``line``, where it shows
    and where the user's code causes it, empty where there is no such place; ``lesson``, the slug of the lesson that
    teaches it; ``explains``, the names of findings that are its consequences, and are not shown beside it.
    """

    name: str
    certainty: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    layer: str = ""
    step: int | None = None
    line: str = ""
    lesson: str = ""
    explains: Sequence[str] = ()

    def __post_init__(self):
        if self.certainty not in CERTAINTIES:
            raise ValueError(f"a finding is certain or likely, not {self.certainty!r}")

    def title(self, language: str = "en") -> str:
        """What is wrong, in a few words."""
        return self._said("title", language)

    def seen(self, language: str = "en") -> str:
        """The evidence, in a sentence with its numbers."""
        return self._said("seen", language)

    def cause(self, language: str = "en") -> str:
        """Why it is so."""
        return self._said("cause", language)

    def cure(self, language: str = "en") -> str:
        """What to do."""
        return self._said("cure", language)

    def _said(self, what: str, language: str) -> str:
        return say(f"doctor.{self.name}.{what}", language, **self.evidence)


@dataclass(frozen=True)
class Diagnosis:
    """Arguments: ``findings``, the most telling first; ``unjudged``, the names of rules that could not be applied, and
    for each the name of the reason in the catalogue."""

    findings: Sequence[Finding] = ()
    unjudged: Mapping[str, str] = field(default_factory=dict)
