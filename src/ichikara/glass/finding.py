"""What the doctor says: findings, and what could not be judged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
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

    def to_dict(self, language: str = "en") -> dict[str, Any]:
        """All of it in values that JSON can hold, its words in a language."""
        words = {name: getattr(self, name)(language) for name in ("title", "seen", "cause", "cure")}
        return {**asdict(self), **words, "evidence": dict(self.evidence), "explains": list(self.explains)}

    def _said(self, what: str, language: str) -> str:
        layer = f"`{self.layer}`" if self.layer else say("doctor.frame.whole", language)
        return say(f"doctor.{self.name}.{what}", language, **{**self.evidence, "layer": layer})


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found, and what it could not judge.

    Arguments: ``findings``, the most telling first; ``explained``, the findings that are consequences of these;
    ``unjudged``, the names of rules that could not be applied, and for each the name of the reason in the catalogue.
    """

    findings: Sequence[Finding] = ()
    explained: Sequence[Finding] = ()
    unjudged: Mapping[str, str] = field(default_factory=dict)

    def text(self, language: str = "en") -> str:
        """All of it as plain text."""
        parts = [_say("frame.findings", language), ""] if self.findings else [_say("frame.none", language)]
        for number, finding in enumerate(self.findings, 1):
            below = [other for other in self.explained if other.name in finding.explains]
            parts += [*_lines(number, finding, below, language), ""]
        if self.unjudged:
            parts += [*([] if self.findings else [""]), *_unjudged(self.unjudged, language)]
        return "\n".join(parts).rstrip()

    def to_dict(self, language: str = "en") -> dict[str, Any]:
        """All of it in values that JSON can hold."""
        return {
            "findings": [finding.to_dict(language) for finding in self.findings],
            "explained": [finding.to_dict(language) for finding in self.explained],
            "unjudged": dict(self.unjudged),
        }


def _say(name: str, language: str, **values: Any) -> str:
    return say(f"doctor.{name}", language, **values)


def _lines(number: int, finding: Finding, below: Sequence[Finding], language: str) -> list[str]:
    """A finding, one thing on each line."""
    colon = "：" if language == "ja" else ": "
    rows = [(name, getattr(finding, name)(language)) for name in ("seen", "cause", "cure")]
    if finding.line:
        rows.append(("line", finding.line))
    if finding.lesson:
        rows.append(("lesson", f"{say(f'lessons.{finding.lesson}.title', language)} ({finding.lesson})"))
    if below:
        titles = [_say("frame.quoted", language, title=other.title(language)) for other in below]
        rows.append(("explains", _say("frame.separator", language).join(titles)))
    certainty = _say(f"frame.{finding.certainty}", language)
    head = f"{number}. {finding.title(language)}" + (f"（{certainty}）" if language == "ja" else f" ({certainty})")
    return [head, *[f"   {_say(f'frame.{name}', language)}{colon}{text}" for name, text in rows]]


def _unjudged(unjudged: Mapping[str, str], language: str) -> list[str]:
    """The rules that could not be applied, those with one reason together."""
    reasons: dict[str, list[str]] = {}
    for rule, reason in unjudged.items():
        reasons.setdefault(reason, []).append(_say(f"topic.{rule}", language))
    separator = _say("frame.separator", language)
    return [
        _say("frame.unjudged", language),
        *[
            "- "
            + _say("frame.because", language, rules=separator.join(rules), reason=_say(f"unjudged.{reason}", language))
            for reason, rules in reasons.items()
        ],
    ]
