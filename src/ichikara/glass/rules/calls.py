"""Rules about what the program calls, and in which order: gradients cleared, updates, modes."""

import numpy

from .rule import Unjudged, certain, likely, rule

__all__ = []

MOST = 0.9
"""The part of the steps that must show the same for it to be the program's way, and no exception in it."""

FEW = 3
"""The least steps of which a habit is taken."""

OF_MODE = ("Dropout", "BatchNorm", "Zoneout")
"""How the names begin of the modules that compute otherwise in training than in evaluation."""

CERTAIN_EFFECT = ("rate_too_high", "exploding_gradients", "dead_relu", "saturated",
                  "zigzag", "momentum_too_large", "overfitting")  # fmt: skip


@rule("forgotten_zero_grad", lesson="descent", needs=("record",), explains=CERTAIN_EFFECT)
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


@rule("no_update", lesson="descent", needs=("record", "optimizer"), explains=("rate_too_low"))
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
        raise Unjudged("no_evaluation")
    wrong = [line for training, _, line in calls if training]
    if len(wrong) < len(calls):
        return None
    return certain(modules=kinds, count=sum(times for _, times, _ in calls), line=next(filter(None, wrong), ""))


@rule("forgotten_train", lesson="more-data", needs=("record", "model"), explains=("overfitting",))
def forgotten_train(case):
    """The network is trained in the mode for evaluation, as after an evaluation that did not end it."""
    kinds = _sensitive(case)
    calls = _modes(case, grad=True) if kinds else []
    wrong = [line for training, _, line in calls if not training]
    if len(calls) < FEW or len(wrong) < len(calls) / 2:
        return None
    return certain(modules=kinds, count=len(wrong), line=next(filter(None, wrong), ""))


@rule("ascent", lesson="descent", needs=("record",), explains=(*CERTAIN_EFFECT, "bad_initialisation", "vanishing_gradients"))
def ascent(case):
    """The training climbs: the loss rises in nearly every one of the first steps, though the steps are small."""
    losses = numpy.asarray(case.losses if case.losses is not None else case.record.series("loss")[1], "float64")
    losses = losses[numpy.isfinite(losses)][:RISING]
    ratios = [value for layer in case.record.layers("update_ratio") for value in case.record.series("update_ratio", layer)[1][:5]]
    if len(losses) < FEW or not ratios:
        return None
    rising = float((numpy.diff(losses) > 0).mean())
    if rising < MOST or losses[-1] < 1.2 * losses[0] or numpy.median(ratios) > 0.3:
        return None
    return likely(part=rising, first=float(losses[0]), last=float(losses[-1]))


RISING = 20
"""The first steps of which nearly all must rise; noise lets half of them rise."""
