"""The doctor: every rule is asked about a case, and findings that others explain are put under these.

>>> from ichikara.glass.case import Case
>>> from ichikara.glass.doctor import diagnose
>>> diagnose(Case(losses=[2.3, 2.4, 2.3, 2.5, 2.3])).findings[0].title()
'The loss does not fall, and the cause is not known'
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy

from .case import Case
from .finding import CERTAINTIES, Diagnosis, Finding
from .rules import adversarial, calls, code, data, evaluation, labels, signals, training  # noqa: F401 - each declares its rules
from .rules.rule import RULES, Unjudged

__all__ = ["CAUSE_UNKNOWN", "diagnose", "resolve"]

CAUSE_UNKNOWN = ("unknown", "diverged", "not_general", "still_falling", "reported_loss")
"""The findings which say that a run went badly, and not why."""


def diagnose(case: Case) -> Diagnosis:
    """What ails a training run, and what could not be judged.

    The first finding is the root cause: findings that it explains are not shown beside it. A run that went badly for no
    reason that a rule knows has one finding of `CAUSE_UNKNOWN`, which says just that.
    """
    findings, unjudged = [], {}
    with numpy.errstate(all="ignore"):  # of a run that diverged
        for rule in RULES.values():
            try:
                finding = rule(case)
            except Unjudged as reason:
                unjudged[rule.name] = str(reason)
                continue
            except Exception:  # a rule that fails must not end the training that it looks at
                unjudged[rule.name] = "failed"
                continue
            if finding is not None:
                findings.append(finding)
    shown = resolve(findings)
    names = {finding.name for finding in shown}
    explained = [finding for finding in findings if finding.name not in names]
    return Diagnosis(shown or _unknown(case), explained, unjudged)


def _unknown(case: Case) -> list[Finding]:
    """The finding about a run that went badly for an unknown reason; none about another run."""
    if not case.finite:
        last = [loss for loss in case.curve if math.isfinite(loss)]
        return [Finding("diverged", "certain", {"steps": len(last)}, step=len(last) + 1, lesson="descent")]
    if case.bad:
        first, end = float(case.curve[0]), case.end
        return [Finding("unknown", "certain", {"first": first, "last": end, "steps": len(case.curve)}, lesson="clinic")]
    if case.lost:
        there = float(case.column("val_loss")[-1])
        return [Finding("not_general", "certain", {"last": there, "constant": case.constant}, lesson="clinic")]
    if case.unfinished:
        evidence = {"part": case.falling, "last": case.end, "steps": len(case.curve)}
        return [Finding("still_falling", "certain", evidence, lesson="clinic")]
    return []


def resolve(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that no other one explains, certain ones first; each names what it explains, directly or not."""
    there = {finding.name: finding for finding in findings}

    def below(name, seen):
        for other in there[name].explains:
            if other in there and other not in seen:
                seen.append(other)
                below(other, seen)
        return seen

    reached = {name: [other for other in below(name, []) if other != name] for name in there}
    order = [f.name for kind in CERTAINTIES for f in findings if f.certainty == kind]
    hidden: set[str] = set()
    for name in order:  # of two that explain each other, the one that comes first is the cause
        if name not in hidden:
            hidden.update(other for other in reached[name] if name not in reached[other] or other not in hidden)
    return [replace(there[name], explains=tuple(reached[name])) for name in order if name not in hidden]
