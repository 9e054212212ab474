"""Rules about how a training goes: its rate, its length, and what it comes to."""

import math

import numpy

from ..case import GUESSED, POOR, STILL
from .rule import SYMPTOMS, Unjudged, certain, likely, rule

__all__ = []

LARGE_UPDATE = 0.5
"""The update-to-weight ratio from which an update replaces what was learnt. 10⁻³ is the published advice (Karpathy,
CS231n) and no bound: healthy runs with Adam begin at 0.015 to 0.31 (trial)."""

SMALL_UPDATE = 1e-3
"""The update-to-weight ratio that is published as right (Karpathy, CS231n). Where no layer reaches it, and the loss
hardly falls, the network hardly moves. Runs that learn have 0.003 to 0.05 (trial)."""

NOTHING = 0.02
"""The part of the highest rate below which a rate is next to nothing: schedules come to a tenth or a hundredth of it,
and only at the end."""

TIGHT = 0.01
"""The norm below which clipping is too tight; 1 is usual, 0.25 the lowest of Pascanu et al., "On the difficulty of
training recurrent neural networks" (2013), and later work."""

RISEN = 1.5
"""How many times its lowest value the validation loss must have risen to, to have turned."""

KNOWN = 0.1
"""A training loss below this part of the loss of the best constant answer, with a validation loss above `GUESSED` of
it, means that the training data was learnt by heart. Healthy runs end at 0.02 and 0.07 (digits), or at 0.3 and 0.5
(noisy tables; trial)."""

MOMENTUM = 0.99
"""The momentum from which gradients of more than 100 steps add up. 0.9 is usual, 0.99 the highest in Sutskever et al.,
"On the importance of initialization and momentum" (2013), section 3, and there with a rate made for it."""

DROPPED = 0.9
"""The rate of dropout from which too little is left: 0.5 is usual, 0.8 the highest of Srivastava et al. (2014),
appendix A.4."""

FORGOTTEN = 200
"""The number of steps in which weight decay must not halve the weights."""

USUAL_DECAY, USUAL_DECOUPLED = 0.01, 0.3
"""The highest weight decay in common use, 5·10⁻⁴ for pictures and at most 10⁻² elsewhere; where it is decoupled, as in
AdamW, 0.01 to 0.1, at most 0.3. A usual one that does too much does it by the rate."""

DECAYED = 0.3
"""The part of an update that weight decay must have, to win over the gradient."""

FOR_BATCH_NORM = 4
"""The least numbers of which batch normalisation can take a mean and a variance: two become 1 and −1 (trial: batches of
2 fail at every rate, those of 3 lose)."""


def _rate(case) -> float:
    """The highest learning rate of the run, of the first group of parameters; NaN where it is not known."""
    known = case.record.series("lr")[1] if case.record else []
    if case.optimizers:
        group = case.optimizers[0].param_groups[0]
        known = [*known, float(group.get("initial_lr", group["lr"]))]
    return max(known, default=math.nan)


def _option(case, *names, default=0.0) -> float:
    """The largest value that an option has in any group of any optimiser."""
    values = [
        float(group[name][0] if isinstance(group[name], tuple | list) else group[name])
        for optimizer in case.optimizers
        for group in optimizer.param_groups
        for name in names
        if group.get(name) is not None
    ]
    return max(values, default=default)


def _ratios(case, first=None) -> list[float]:
    """For each matrix of weights the median of its update-to-weight ratios, over all watched steps or the first
    ones."""
    found = []
    for layer in case.record.layers("update_ratio") if case.record else ():
        values = [value for value in case.record.series("update_ratio", layer)[1][:first] if math.isfinite(value)]
        if values and not layer.endswith("bias"):
            found.append(float(numpy.median(values)))
    return found


def _largest_update(case) -> float | None:
    """The largest update-to-weight ratio at the first watched steps, in the middle one of the layers; None without
    any."""
    largest = []
    for layer in case.record.layers("update_ratio") if case.record else ():
        values = [value for value in case.record.series("update_ratio", layer)[1][:10] if not math.isnan(value)]
        if values and not layer.endswith("bias"):
            largest.append(max(values))
    return float(numpy.median(largest)) if largest else None


@rule("clipped_too_much", lesson="descent", needs=("record", "optimizer"), explains=SYMPTOMS)
def clipped_too_much(case):
    """Every gradient is clipped to a small norm, so that the network hardly moves."""
    norms = case.record.series("gradient_norm")[1]
    if len(norms) < 5 or not case.slow or case.settings.get("clip") is False:
        return None
    norms = numpy.asarray(norms)
    typical = float(numpy.median(norms))
    same = float((numpy.abs(norms - typical) <= 1e-3 * typical).mean())
    ratios = _ratios(case)
    if not 0 < typical <= TIGHT or same < 0.9 or not ratios or max(ratios) > SMALL_UPDATE:
        return None
    return certain(norm=typical, steps=len(norms), ratio=max(ratios))


@rule("momentum_too_large", lesson="minima", needs=("optimizer",), explains=SYMPTOMS)
def momentum_too_large(case):
    """Old gradients never fade, and carry the weights away."""
    momentum = _option(case, "momentum", "betas")
    if momentum <= MOMENTUM:
        return None
    steps = 1 / (1 - momentum) if momentum < 1 else math.inf
    return certain(momentum=momentum, steps=steps) if case.bad or steps > len(case.curve) > 0 else None


@rule("weight_decay_too_large", lesson="restraint", needs=("optimizer",), explains=SYMPTOMS)
def weight_decay_too_large(case):
    """The decay of the weights is stronger than what they learn."""
    decay = _option(case, "weight_decay")
    if not decay:
        return None
    decoupled = any("AdamW" in type(optimizer).__name__ for optimizer in case.optimizers)
    momentum = _option(case, "momentum")
    adaptive = not decoupled and not any("momentum" in g for o in case.optimizers for g in o.param_groups)
    factor = _rate(case) * decay / max(1 - momentum, 1e-3)
    steps = math.log(2) / factor if 0 < factor < 1 else 1.0
    shrunk = _shrunk(case)
    if decay <= (USUAL_DECOUPLED if decoupled else USUAL_DECAY):
        return None
    if (adaptive and decay < 0.1) or (not adaptive and steps > FORGOTTEN) or case.bad is False:
        return None
    if shrunk is not None and shrunk > 0.9:
        return None
    ratios = _ratios(case)
    if not adaptive and ratios and factor < DECAYED * float(numpy.median(ratios)):
        return None  # what the updates do is not the decay's doing
    return certain(decay=decay, steps=steps, shrunk=float("nan") if shrunk is None else shrunk)


def _shrunk(case):
    """What is left of the norm of the weights at the end, as a part of that at the beginning; None without a record."""
    parts = []
    for layer in case.record.layers("weight_norm") if case.record else ():
        values = case.record.series("weight_norm", layer)[1]
        if not layer.endswith("bias") and len(values) > 1 and values[0] > 0:
            parts.append(values[-1] / values[0])
    return float(numpy.median(parts)) if parts else None


@rule("dropout_too_large", lesson="more-data", needs=("model",), explains=SYMPTOMS)
def dropout_too_large(case):
    """Dropout leaves too few units to learn with."""
    rates = {name: m.p for name, m in case.model.named_modules() if "Dropout" in type(m).__name__ and hasattr(m, "p")}
    if not rates:
        return None
    layer, p = max(rates.items(), key=lambda item: item[1])
    return certain(layer=layer, p=p, left=1 - p) if p >= DROPPED else None


@rule("batch_too_small_for_batch_norm", lesson="scaling", needs=("model", "batch_size"), explains=SYMPTOMS)
def batch_too_small_for_batch_norm(case):
    """Batch normalisation with so few examples that their mean and variance say nothing."""
    norms = [name for name, module in case.model.named_modules() if type(module).__name__ == "BatchNorm1d"]
    if not norms or case.batch_size >= FOR_BATCH_NORM:
        return None
    return certain(layer=norms[0], size=case.batch_size)


@rule(
    "rate_too_high",
    lesson="descent",
    explains=(
        "rate_too_low",
        "dead_relu",
        "saturated",
        "exploding_gradients",
        "zigzag",
        "vanishing_gradients",
        "attention_collapsed",
        "overfitting",
        "first_loss",
    ),
)
def rate_too_high(case):
    """Each update replaces what the others learnt, and the loss does not fall."""
    if case.bad is None:
        raise Unjudged("no_losses")
    if not case.poor:
        return None
    ratio = _largest_update(case)
    if ratio is None:
        raise Unjudged("no_record")
    jumped = case.jump
    if ratio < LARGE_UPDATE and not (case.bad and jumped > 3 and ratio > LARGE_UPDATE / 5):
        return None
    rate = _rate(case)
    return certain(ratio=ratio, rate=rate, jump=jumped) if jumped > 1.5 else likely(ratio=ratio, rate=rate, jump=jumped)


@rule("rate_too_low", lesson="descent", needs=("record",), explains=("stopped_early",))
def rate_too_low(case):
    """The weights hardly move, and the loss falls evenly, without an end in sight: all of them, or those of which the
    optimiser has a far lower rate than of others, or after a schedule has lowered the rate to nothing."""
    if not case.finite or not case.poor:
        return None
    ratios = _ratios(case)
    if not ratios:
        raise Unjudged("no_record")
    ends = {"first": float(case.curve[0]), "last": case.end}
    middle = _run_down(case)
    if middle is not None:
        return certain(ratio=min(ratios), rate=middle, **ends)
    ratio = max(ratios)  # where a single layer moves, the rate is not what holds the others
    slowest = _uneven(case)
    if slowest is not None and min(ratios) < SMALL_UPDATE / 10:
        return likely(ratio=min(ratios), rate=slowest, **ends)
    if not case.slow or ratio > SMALL_UPDATE or ratio == 0:
        return None
    return certain(ratio=ratio, rate=_rate(case), **ends)


def _run_down(case) -> float | None:
    """The rate in the middle of the run, if a schedule had brought it to nothing by then."""
    steps, rates = case.record.series("lr")
    if len(rates) < 2:
        return None
    late = [rate for step, rate in zip(steps, rates, strict=True) if step >= steps[-1] / 2]
    return late[0] if max(late) < NOTHING * max(rates) else None


def _uneven(case) -> float | None:
    """The lowest rate of a group of parameters, if it is next to nothing beside that of another, and most of the
    parameters are in such groups."""
    groups = [
        (float(group["lr"]), len(group["params"]))
        for optimizer in case.optimizers
        for group in optimizer.param_groups
        if isinstance(group.get("lr"), float | int)
    ]
    slow = [(rate, count) for rate, count in groups if rate < NOTHING * max(rate for rate, _ in groups)]
    if 2 * sum(count for _, count in slow) < sum(count for _, count in groups) or not slow:
        return None
    return min(rate for rate, _ in slow)


@rule("stopped_early", lesson="restraint", needs=("curve",))
def stopped_early(case):
    """The training ended after few steps, or before its time, while the loss was still falling fast. Of a longer one
    that still falls other causes are as likely: whatever makes it slow."""
    steps = len(case.curve)
    if not case.finite or steps < 20 or not _moves(case):
        return None
    cut = case.history is not None and len(case.history) < case.settings.get("epochs", 0)
    young = (case.bad or case.lost) and steps < YOUNG and case.end < POOR * case.curve[0]
    high = case.end > KNOWN * (case.constant or case.curve[0])
    if not young and not (case.falling > STILL and high and (steps < FEW or cut)):
        return None
    return likely(part=case.falling, last=case.end, steps=steps)


def _moves(case) -> bool:
    """Whether every layer learns at a usual pace, as far as it was watched, and at a rate that has not run down."""
    rates = case.record.series("lr")[1] if case.record else []
    if rates and rates[-1] < 0.1 * max(rates):
        return False
    ratios = _ratios(case)
    return not ratios or (min(ratios) > SMALL_UPDATE / 10 and max(ratios) < LARGE_UPDATE)


YOUNG = 100
"""The number of steps after which a loss that has fallen, and is still no better than a constant answer's, says nothing
yet."""

FEW = 200
"""The number of steps below which a loss that falls fast has had too few of them."""


@rule("overfitting", lesson="overfitting", needs=("history", "validation"))
def overfitting(case):
    """The validation loss has turned and risen, while the training loss fell on."""
    validation, training = case.column("val_loss"), case.column("train_loss")
    if len(validation) < 5 or not numpy.isfinite(validation).all():
        return None
    best, nothing = int(validation.argmin()), case.constant or float(validation[0])
    last, learnt = float(numpy.median(validation[-3:])), float(numpy.median(training[-3:]))
    by_heart = learnt < KNOWN * nothing and last > GUESSED * nothing
    turned = last > RISEN * validation[best] and last > RISEN * learnt and last > (GUESSED - KNOWN) * nothing
    if not by_heart and (not turned or best > 0.7 * len(validation) or training[-1] > training[best]):
        return None
    if case.kept is not None and case.kept.mean > 0.5 * last:
        return None  # the network does no better on the training data, as soon as it is evaluated
    return likely(epoch=best + 1, best=float(validation[best]), last=last, training=learnt)
