"""Rules about what the program calls, and in which order: gradients cleared, updates, modes."""

import numpy

from .rule import SYMPTOMS, Unjudged, certain, likely, rule

__all__ = []

MOST = 0.9
"""The part of the steps that must show the same for it to be the program's way, and no exception in it."""

FEW = 3
"""The least steps of which a habit is taken."""

OF_MODE = ("Dropout", "BatchNorm", "Zoneout")
"""How the names begin of the modules that compute otherwise in training than in evaluation."""


@rule("forgotten_zero_grad", lesson="descent", needs=("record",), explains=SYMPTOMS)
def forgotten_zero_grad(case):
    """The gradients of all steps add up, because none are cleared between updates."""
    if len(case.optimizers) > 1:
        raise Unjudged("several_optimizers")
    first, held, cleared, line, updated = True, [], 0, "", False
    for event in case.record.events:
        if event.kind == "cleared":
            cleared += 1
        elif event.kind == "backward" and first and updated:
            held.append(bool((event.about or {}).get("held")))
            line = line or event.line
            first = False
        elif event.kind == "update":
            first = updated = True
    if len(held) < FEW or numpy.mean(held) < MOST or cleared > len(held) / 2:
        return None
    return certain(count=len(held), line=line)


@rule("no_update", lesson="descent", needs=("record", "optimizer"), explains=SYMPTOMS)
def no_update(case):
    """Gradients are computed, and the optimiser never uses them."""
    swept = sum(1 for _ in case.record.of("backward"))
    updated = sum(1 for _ in case.record.of("update"))
    return certain(count=swept) if swept >= FEW and not updated else None


def _modes(case, grad: bool):
    """The modes in which the whole network was called, with or without gradients: True for training."""
    return [
        (bool(event.about.get("training")), event.about.get("times", 1), event.line)
        for event in case.record.of("call")
        if event.layer == "" and event.about and bool(event.about.get("grad", True)) is grad
    ]


def _sensitive(case) -> str:
    """The kinds of modules in a network that make a difference between training and evaluation, in words."""
    kinds = [
        type(m).__name__
        for m in case.model.modules()
        if type(m).__name__.startswith(OF_MODE) and getattr(m, "p", 1) > 0
    ]
    return ", ".join(dict.fromkeys(kinds))


@rule("forgotten_eval", lesson="more-data", needs=("record", "model"), explains=("overfitting",))
def forgotten_eval(case):
    """The network is judged in the mode for training: dropout drops, and batches normalise themselves."""
    kinds = _sensitive(case)
    if not kinds:
        return None
    if len(case.optimizers) > 1:
        raise Unjudged("several_optimizers")
    calls = _modes(case, grad=False)
    if not calls:
        if case.settings.get("trainer"):
            return None
        raise Unjudged("no_evaluation")
    wrong = [line for training, _, line in calls if training]
    if len(wrong) < len(calls):
        return None
    return certain(modules=kinds, count=sum(times for _, times, _ in calls), line=next(filter(None, wrong), ""))


@rule("forgotten_train", lesson="more-data", needs=("record", "model"), explains=SYMPTOMS)
def forgotten_train(case):
    """The network is trained in the mode for evaluation, as after an evaluation that did not end it."""
    kinds = _sensitive(case)
    calls = _modes(case, grad=True) if kinds else []
    if len(calls) < FEW or any(training for training, _, _ in calls[-FEW:]):
        return None
    wrong = [line for training, _, line in calls if not training]
    return certain(modules=kinds, count=len(wrong), line=next(filter(None, wrong), ""))


@rule("ascent", lesson="descent", needs=("record", "curve"), explains=(*SYMPTOMS, "bad_initialisation"))
def ascent(case):
    """The training climbs: the loss rises from the first step on, by small steps in one direction."""
    losses = case.curve
    swept = case.record.series("loss")[1]
    if len(swept) >= FEW and max(swept[:FEW]) < 0 < min(losses[:FEW]):
        return certain(part=1.0, first=float(losses[0]), last=float(losses[numpy.isfinite(losses)][-1]))
    risen = numpy.flatnonzero(~(losses < RISEN * losses[0]))
    ratios = [case.record.series("update_ratio", name)[1][:FEW] for name in case.record.layers("update_ratio")]
    if not len(risen) or risen[0] < CLIMB or not ratios:
        return None
    way = losses[: risen[0]]
    smooth = numpy.convolve(way, numpy.ones(FEW) / FEW, "valid")
    part = float((numpy.diff(smooth) > 0).mean())
    late = losses[risen[0] :]
    if smooth.min() < 0.97 * smooth[0] or numpy.nanmin(late) < losses[0] or numpy.median(ratios) > STRIDE:
        return None
    return likely(part=part, first=float(losses[0]), last=float(losses[numpy.isfinite(losses)][-1]))


RISEN = 1.5
"""How many times its first value the loss has at the end of the climb that is looked at."""

CLIMB = 8
"""The least number of steps for that. A rate that is too high gets there in fewer (trial)."""

STRIDE = 0.3
"""The largest update-to-weight ratio of what can be called small steps; healthy runs reach it (trial)."""
