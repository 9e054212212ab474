"""Rules about what goes through the layers: activations forwards, gradients backwards, and the weights at the start."""

import math

import numpy

from .rule import SYMPTOMS, Unjudged, certain, likely, rule

__all__ = []

VANISHED = 1e-3
"""The ratio of the first layer's gradient norm to the last one's below which gradients vanish: AUTOTRAINER's β₁ (Zhang
et al., ICSE 2021)."""

EXPLODED = 1e3
"""The norm of all gradients above which they explode. AUTOTRAINER's ratio of 70 is reached by healthy runs: a GPT's was
30 (trial)."""

GROWN = 10.0
"""How many times the gradient may grow on its way back through time, or through the layers. In recurrent networks that
learn it shrinks, or keeps its size (Pascanu et al., 2013)."""

MOSTLY = 0.9
"""The share of a layer's units that are dead, or of its output that is saturated, from which the layer passes nothing
on. Half is often a symptom, in runs that learn (trial)."""

WIDE = 2.0
"""The deviation of weights, times √inputs, from which they are too large. He's is √2, Xavier's 1 in a square layer,
PyTorch's 0.58."""

UNSURE = 1.5
"""How many times ln K the first loss is when large weights make it. By itself this is noisy, on raw pixels (trial)."""

NARROW = 0.03
"""The same as `WIDE`, below which weights are too small if the run goes badly. GPT-2's 0.02 is 0.11 for a width of
32."""

NONE = 0.01
"""The same, below which no initialisation begins that is in use."""

COLLAPSED = 0.05
"""The entropy of attention, relative to an even one, from which each position looks at a single other one."""

BLURRED = 0.2
"""The entropy that the middle layer must be below, if another one has collapsed."""

UNREACHED = 1e-6
"""The part of the last time step's gradient that must reach the first one."""

AT_FIRST = 5
"""The first watched steps, of which the start is judged."""

OF_START = ("dead_relu", "saturated", "vanishing_gradients", "exploding_gradients", "rate_too_high", "rate_too_low",
            "first_loss", "attention_collapsed", "stopped_early", "zigzag", "overfitting")  # fmt: skip
"""What weights of a wrong size lead to."""


def _early(record, quantity: str, layer: str, count: int = AT_FIRST) -> float:
    """The median of a quantity at the first watched steps; NaN without any."""
    values = record.series(quantity, layer)[1][:count]
    return float(numpy.median(values)) if values else math.nan


def _late(record, quantity: str, layer: str, count: int = AT_FIRST) -> float:
    values = record.series(quantity, layer)[1][-count:]
    return float(numpy.median(values)) if values else math.nan


def _throughout(record, quantity: str, layer: str) -> float:
    """What a quantity had at the start as well as at the end."""
    return min(_early(record, quantity, layer), _late(record, quantity, layer))


def _matrices(case) -> dict[str, int]:
    """The matrices of weights that the model multiplies by, by name, in the order of its parts, with their numbers of
    inputs."""
    found = {}
    for path, module in case.model.named_modules():
        if type(module).__name__ == "Embedding":
            continue
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.ndim > 1:
                transposed = type(module).__name__.startswith("ConvTranspose")
                size = parameter.size // parameter.shape[1 if transposed else 0]
                found[f"{path}.{name}" if path else name] = size
    return found


@rule("bad_initialisation", lesson="vanishing", needs=("record", "model"), explains=SYMPTOMS)
def bad_initialisation(case):
    """The weights began far too large, or far too small, for their numbers of inputs."""
    sizes = {}
    for name, inputs in _matrices(case).items():
        steps, values = case.record.series("weight_std", name)
        if values and steps[0] <= 2 and values[0] > 0:
            sizes[name] = values[0] * math.sqrt(inputs)
    if not sizes:
        raise Unjudged("no_first_step")
    if len(sizes) < 2:
        return None  # a single layer learns from any start
    size = float(numpy.median(list(sizes.values())))
    layer = max(sizes, key=lambda name: abs(math.log(max(sizes[name], 1e-30))))
    found = certain(layer=layer.rpartition(".")[0], size=size, usual=1.0)
    confident = case.uninformed is not None and case.start is not None and case.start > UNSURE * case.uninformed
    if size > WIDE:
        return found if case.bad or confident else None
    return found if size < NONE or (size < NARROW and (case.poor or _plateau(case))) else None


def _plateau(case) -> bool:
    """Whether the loss stayed where it began for a tenth of the run."""
    count = len(case.curve) // 10
    return count > 3 and abs(float(numpy.median(case.curve[:count])) / case.curve[0] - 1) < 0.01


@rule(
    "exploding_gradients",
    lesson="vanishing",
    needs=("record",),
    explains=("rate_too_high", "dead_relu", "saturated", "zigzag"),
)
def exploding_gradients(case):
    """The gradients are huge in the first step, before an update could have caused it, or grow from step to step in
    time."""
    if not case.poor:
        return None
    steps, norms = case.record.series("gradient_norm")
    if not steps or steps[0] != 1:
        raise Unjudged("no_first_step")
    norm = norms[0] if math.isfinite(norms[0]) else math.inf  # later ones come after an update
    growth = {layer: _growth(case.record, layer) for layer in _recurrent(case.record)}
    layer = max(growth, key=lambda name: growth[name], default="")
    if layer and growth[layer] > GROWN:
        return certain(layer=layer, norm=norm, ratio=growth[layer], step=1)
    depth = _depth(case)  # where all layers have large gradients, the loss or the outputs are large
    return certain(norm=norm, ratio=depth, step=1) if norm > EXPLODED and not depth < GROWN else None


def _recurrent(record) -> list[str]:
    return record.layers("gradient_by_time[0]")


def _growth(record, layer: str) -> float:
    """The gradient by the input of the first time step as a multiple of that of the last one, at first."""
    parts = record.parts("gradient_by_time", layer, record.series("gradient_by_time[0]", layer)[0][0])
    return parts[0] / parts[-1] if len(parts) > 2 and parts[-1] > 0 else 0.0


def _depth(case) -> float:
    """The gradient norm of the first weights as a multiple of that of the last ones, at first; 1 without any."""
    values = [
        _early(case.record, "gradient_norm", name, 1)
        for name in case.record.layers("gradient_norm")
        if "weight" in name
    ]
    return values[0] / values[-1] if values and values[-1] > 0 else 1.0


@rule(
    "saturated",
    lesson="vanishing",
    needs=("record",),
    explains=("vanishing_gradients", "rate_too_low", "stopped_early"),
)
def saturated(case):
    """A bounded activation is at its bounds from the start, where its derivative is nearly 0. Later on it is led there
    by something else."""
    if case.stuck is not True:
        return None
    layers = {name: _throughout(case.record, "saturated_share", name) for name in case.record.layers("saturated_share")}
    worst = max(layers, key=lambda name: layers[name], default=None)
    if worst is None or not layers[worst] > MOSTLY:
        return None
    return certain(layer=worst, share=layers[worst])


@rule(
    "dead_relu",
    lesson="vanishing",
    needs=("record",),
    explains=("vanishing_gradients", "rate_too_low", "stopped_early"),
)
def dead_relu(case):
    """Nearly all units of a layer are 0 for every example from the start, and get no gradient. Units that die later are
    killed by something else."""
    if case.bad is not True and case.slow is not True:
        return None
    record = case.record
    late = {name: _late(record, "dead_share_lately", name) for name in record.layers("dead_share_lately")}
    layers = {name: min(share, _early(record, "dead_share", name, 1)) for name, share in late.items()}
    worst = max(layers, key=lambda name: layers[name], default=None)
    if worst is None or not layers[worst] > MOSTLY:
        return None
    return certain(layer=worst, share=late[worst], first=_early(record, "dead_share", worst, 1))


@rule("vanishing_gradients", lesson="vanishing", needs=("record", "model"), explains=("rate_too_low", "stopped_early"))
def vanishing_gradients(case):
    """The gradient of the first layer is a thousandth of the last one's, and less."""
    if case.stuck is not True:
        return None
    names = [name for name in _matrices(case) if case.record.series("gradient_norm", name)[1]]
    if len(names) < 3:
        return None
    first, last = (_early(case.record, "gradient_norm", name) for name in (names[0], names[-1]))
    if not last > 0 or not first / last < VANISHED:
        return None
    ends = [name.rpartition(".")[0] for name in (names[0], names[-1])]
    outputs = [_early(case.record, "output_gradient_norm", layer) for layer in ends]
    if outputs[0] > math.sqrt(VANISHED) * outputs[1]:
        return None  # what comes back to the layer has not vanished: its inputs are small
    return certain(layer=ends[0], ratio=first / last, first=first, last=last)


@rule(
    "recurrent_reach",
    lesson="memory",
    needs=("record",),
    explains=("vanishing_gradients", "rate_too_low", "stopped_early"),
)
def recurrent_reach(case):
    """The gradient of a recurrent layer does not reach back to the beginning of the sequence."""
    if case.stuck is not True:
        return None
    for layer in _recurrent(case.record):
        steps = case.record.series("gradient_by_time[0]", layer)[0]
        ends = [case.record.parts("gradient_by_time", layer, step) for step in (steps[0], steps[-1])]
        parts = ends[-1]
        if all(len(one) > 2 and one[-1] > 0 and one[0] / one[-1] < UNREACHED for one in ends):
            reach = sum(1 for part in parts if part > UNREACHED * parts[-1])
            return certain(layer=layer, ratio=parts[0] / parts[-1], length=len(parts), reach=reach)
    return None


@rule(
    "attention_collapsed",
    lesson="attention",
    needs=("record",),
    explains=("rate_too_low", "vanishing_gradients", "stopped_early", "overfitting"),
)
def attention_collapsed(case):
    """Every position looks at a single other one from the start, and the softmax of the attention passes no gradient.

    Attention that has learnt to look at single places is as it should be, and began otherwise.
    """
    record, layers = case.record, case.record.layers("attention_entropy")
    both = {n: max(_early(record, "attention_entropy", n), _late(record, "attention_entropy", n)) for n in layers}
    worst = min(both, key=lambda name: both[name], default=None)
    if worst is None or not both[worst] < COLLAPSED or not numpy.median(list(both.values())) < BLURRED:
        return None
    return certain(layer=worst, entropy=both[worst])


@rule("first_loss", lesson="loss", explains=tuple(name for name in SYMPTOMS if name != "first_loss"))
def first_loss(case):
    """The first loss is far above that of equal probabilities, and the run did not recover."""
    if case.start is None:
        raise Unjudged("no_losses")
    if case.uninformed is None or case.bad is not True:
        return None
    if not case.start > 3 * case.uninformed:
        return None
    return likely(first=case.start, expected=case.uninformed, classes=case.classes)


@rule("zigzag", lesson="ravines", needs=("record", "optimizer"))
def zigzag(case):
    """Successive gradients point in opposite directions: the steps go to and fro across a ravine."""
    if not all(type(optimizer).__name__ == "SGD" for optimizer in case.optimizers):
        return None  # others scale what they do in each direction
    values = case.record.series("gradient_cosine")[1]
    if len(values) < 10 or case.end is None or not case.end > 0.1 * case.curve[0]:
        return None
    cosine = float(numpy.median(values[len(values) // 4 :]))
    return likely(cosine=cosine) if cosine < OPPOSITE else None


OPPOSITE = -0.8
"""The cosine between successive gradients below which they cancel each other. Healthy runs by mini-batches have −0.2
and more."""
