"""What a rule is: a function that looks at a case, and a declaration of what it needs, teaches and explains.

    @rule("leaking", lesson="overfitting", needs=("train",))
    def leaking(case):
        ...
        return certain(column=3)     # or likely(…), or None where there is nothing to report

A rule that cannot judge raises `Unjudged` with the reason. What a rule needs and a case lacks is such a reason, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..case import Case
from ..finding import Finding

__all__ = ["RULES", "SYMPTOMS", "Rule", "Seen", "Unjudged", "certain", "likely", "rule"]

SYMPTOMS = (
    "rate_too_high", "rate_too_low", "stopped_early", "overfitting", "zigzag", "first_loss", "dead_relu", "saturated",
    "vanishing_gradients", "exploding_gradients", "recurrent_reach", "attention_collapsed",
)  # fmt: skip
"""Findings about how a training went. Faults of the program, of the data and of the settings look like these."""


class Unjudged(Exception):
    """A rule cannot be applied. Arguments: the name of the reason, whose words are under ``doctor.unjudged.NAME``."""


class Seen(NamedTuple):
    """What a rule saw: the finding without its name."""

    certainty: str
    evidence: dict[str, Any]
    layer: str = ""
    step: int | None = None
    line: str = ""


def certain(*, layer: str = "", step: int | None = None, line: str = "", **evidence: Any) -> Seen:
    """A fault that is proven by its evidence."""
    return Seen("certain", evidence, layer, step, line)


def likely(*, layer: str = "", step: int | None = None, line: str = "", **evidence: Any) -> Seen:
    """A fault that explains the evidence better than anything else that is known."""
    return Seen("likely", evidence, layer, step, line)


@dataclass(frozen=True)
class Rule:
    """Arguments: ``name``, under which its words are in the catalogue; ``lesson``, the slug of the lesson about it;
    ``needs``, the parts of a case without which it cannot judge; ``explains``, the names of rules whose findings are
    consequences of this fault; ``look``, the function."""

    name: str
    lesson: str
    needs: Sequence[str]
    explains: Sequence[str]
    look: Callable[[Case], Seen | None]

    def __call__(self, case: Case) -> Finding | None:
        """The finding; None for a healthy case. Raises Unjudged."""
        for part in self.needs:
            there = getattr(case, part)
            if there is None or (hasattr(there, "__len__") and not len(there)):
                raise Unjudged(f"no_{part}")
        seen = self.look(case)
        if seen is None:
            return None
        place = seen.layer, seen.step, seen.line
        return Finding(self.name, seen.certainty, seen.evidence, *place, self.lesson, self.explains)


RULES: dict[str, Rule] = {}
"""Every rule by its name, in the order in which findings of the same certainty are shown."""


def rule(name: str, *, lesson: str, needs: Sequence[str] = (), explains: Sequence[str] = ()) -> Callable:
    """Decorator: declare a function of a case a rule."""

    def decorate(look):
        if name in RULES:
            raise ValueError(f"there is a rule named {name} already")
        RULES[name] = Rule(name, lesson, tuple(needs), tuple(explains), look)
        return look

    return decorate
