"""Rules about the program: what a training step is made of, and what it leaves out."""

import math

import numpy

from ...autodiff import raw
from .rule import SYMPTOMS, certain, likely, rule

__all__ = []

AFFINE = {
    "add", "subtract", "negative", "reshape", "permute_dims", "matrix_transpose", "expand_dims", "squeeze", "concat",
    "stack", "pad", "broadcast_to", "astype", "alias", "getitem", "take", "flip", "roll", "mean", "sum", "multiply",
    "divide", "linear", "convolution", "convolution_image",
}  # fmt: skip
"""Operations that are affine in what they take, as long as the other factor is a constant or a parameter."""

WEIGHTED = {"linear", "convolution", "convolution_image"}
"""Operations that multiply by a matrix of weights."""

MOVES = {"reshape", "permute_dims", "matrix_transpose", "expand_dims", "squeeze", "astype", "alias", "getitem"}
"""Operations that only rearrange numbers."""

BATCH_NORMS = {"BatchNorm1d", "BatchNorm2d"}
"""Modules that scale and shift each channel, and bend nothing."""

TOLERANCE = 1e-6
"""How much numbers may differ by rounding, relative to their size; float32 has 2⁻²⁴ = 6e-8."""


def _origin(step, array):
    """The application that made an array, behind those that only rearrange it."""
    source = step.sources.get(id(array))
    while source is not None and source.name in MOVES:
        source = step.sources.get(id(source.arguments[0]))
    return source


def _layers(names) -> str:
    """The modules of parameters, in words; a long list is cut."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))
    return ", ".join(f"`{layer}`" for layer in layers[:3]) + (", …" if len(layers) > 3 else "")


def _optimised(case) -> set[str]:
    """The names of the model's parameters that an optimiser changes."""
    held = {id(p) for optimizer in case.optimizers for group in optimizer.param_groups for p in group["params"]}
    return {name for name, parameter in case.model.named_parameters() if id(parameter) in held}


def _wanted(case) -> set[str]:
    """The names of the parameters that are to be learnt: not frozen, and the optimiser's, if there is one."""
    trainable = {name for name, parameter in case.model.named_parameters() if parameter.requires_grad}
    return trainable & _optimised(case) if case.optimizers else trainable


# --- parameters that do not learn -------------------------------------------------------------------------------------


@rule("never_called", lesson="matrices", needs=("model", "step"), explains=("no_gradient",))
def never_called(case):
    """A layer with parameters takes no part in a step."""
    step = case.step
    used = step.taken([a for application in step.applications for a in application.arguments])
    idle = []
    for name, module in case.model.named_modules():
        own = [f"{name}.{key}" if name else key for key, _ in module.named_parameters(recurse=False)]
        if own and name not in step.called and not used & set(own):
            idle.append(name)
    return certain(layer=idle[0], layers=_layers(f"{name}.w" for name in idle), count=len(idle)) if idle else None


@rule("outside_optimiser", lesson="descent", needs=("model", "optimizer"), explains=("forgotten_zero_grad", *SYMPTOMS))
def outside_optimiser(case):
    """Parameters that are to be learnt are not the optimiser's."""
    inside = _optimised(case)
    if not inside:
        names = [name for name, parameter in case.model.named_parameters() if parameter.requires_grad]
    else:
        names = [name for name, p in case.model.named_parameters() if p.requires_grad and name not in inside]
    total = sum(1 for _ in case.model.parameters())
    return certain(layers=_layers(names), count=len(names), total=total) if names else None


@rule("frozen", lesson="descent", needs=("model",), explains=SYMPTOMS)
def frozen(case):
    """Most parameters are kept from learning, in a network that does not do what it should."""
    every = list(case.model.named_parameters())
    fixed = [name for name, parameter in every if not parameter.requires_grad]
    if 2 * len(fixed) < len(every) or not case.poor:
        return None
    return likely(layers=_layers(fixed), count=len(fixed), total=len(every))


@rule("detached", lesson="chain-rule", needs=("model", "step"), explains=("no_gradient", *SYMPTOMS))
def detached(case):
    """What a layer gave was cut from the graph, so that no gradient comes back to it."""
    return _without(case, "cut")


@rule("no_derivative", lesson="activations", needs=("model", "step"), explains=("no_gradient", "detached", *SYMPTOMS))
def no_derivative(case):
    """An operation without a derivative stands between layers and the loss."""
    return _without(case, "blocked")


def _without(case, how):
    step = case.step
    lost = {name for name in _wanted(case) if step.gradients.get(name) is None}
    for application in step.applications if lost else ():
        for array in getattr(application, how):
            before = step.taken([array]) & lost
            if before:
                first = [name for name in step.gradients if name in before]
                return certain(
                    layer=application.layer, layers=_layers(first), count=len(first), operation=application.name
                )
    return None


@rule("no_gradient", lesson="chain-rule", needs=("model", "step"), explains=SYMPTOMS)
def no_gradient(case):
    """Parameters that the optimiser is to change get no gradient."""
    wanted = _wanted(case)
    names = [name for name, g in case.step.gradients.items() if g is None and name in wanted]
    return certain(layers=_layers(names), count=len(names), total=len(wanted)) if names else None


# --- between the network and the loss ---------------------------------------------------------------------------------


@rule("softmax_twice", lesson="sigmoid-ce", needs=("step",), explains=SYMPTOMS)
def softmax_twice(case):
    """The loss applies a softmax, or a sigmoid, to what is a probability already."""
    for name, given, _ in case.step.losses:
        source = _origin(case.step, raw(given))
        before = {"cross_entropy": "softmax", "binary_cross_entropy_with_logits": "sigmoid"}.get(name)
        if source is not None and before == source.name:
            return certain(layer=source.layer, operation=before, loss=name)
    return None


@rule("no_softmax", lesson="sigmoid-ce", needs=("step",), explains=SYMPTOMS)
def no_softmax(case):
    """A loss of log probabilities gets what no log softmax was applied to."""
    for name, given, _ in case.step.losses:
        if name == "nll_loss" and float(numpy.max(given.detach().numpy())) > TOLERANCE:
            return certain(highest=float(numpy.max(given.detach().numpy())), loss=name)
    return None


@rule("softmax_axis", lesson="sigmoid-ce", needs=("step",), explains=SYMPTOMS)
def softmax_axis(case):
    """A softmax over the examples of a batch instead of the classes."""
    rows = len(case.step.inputs)
    for application in case.step.applications:
        if application.name in ("softmax", "log_softmax") and rows > 1:
            shape = application.arguments[0].shape
            axis = application.options.get("axis", -1)
            if len(shape) > 1 and axis in (0, -len(shape)) and shape[0] == rows:
                return certain(layer=application.layer, operation=application.name, shape=str(tuple(shape)))
    return None


@rule("broadcast", lesson="matrices", needs=("step",), explains=SYMPTOMS)
def broadcast(case):
    """Outputs (n, 1) and targets (n,) are broadcast to (n, n): every output is compared with every target."""
    targets, rows = raw(case.step.targets), len(case.step.inputs)
    for application in case.step.applications:
        shapes = {tuple(a.shape) for a in application.arguments}
        crossed = shapes == {(rows,), (rows, 1)} and tuple(application.output.shape) == (rows, rows)
        if rows > 1 and crossed and any(_same(a, targets) for a in application.arguments):
            return certain(n=rows, operation=application.name)
    return None


def _same(a, b) -> bool:
    return a is b or (a.size == b.size and bool((a.reshape(-1) == b.reshape(-1)).all()))


# --- between the layers -----------------------------------------------------------------------------------------------


@rule("no_nonlinearity", lesson="activations", needs=("model", "step"), explains=SYMPTOMS)
def no_nonlinearity(case):
    """Two layers follow one another with nothing between them that bends: together they are one layer."""
    step = case.step
    takers: dict[int, list] = {}
    for application in step.applications:
        for array in application.arguments:
            takers.setdefault(id(array), []).append(application)
    for first in step.applications:
        if first.name in WEIGHTED and first.arguments and id(first.arguments[1]) in step.parameters:
            second = _collapses(step, takers, first)
            if second is not None and _width(first) >= min(_inputs(first), _width(second)):
                return certain(layer=second.layer, first=f"`{first.layer}`", second=f"`{second.layer}`")
    return None


def _collapses(step, takers, first):
    """The layer that all ways from a layer come to without a bend; None where a way bends or comes to none."""
    found, pending, seen = None, [first.output], set()
    while pending:
        array = pending.pop()
        if id(array) in seen:
            continue
        seen.add(id(array))
        following = takers.get(id(array), [])
        if not following:
            return None  # the end, or what the loss takes
        for application in following:
            if application.name in WEIGHTED and id(application.arguments[1]) in step.parameters:
                if array is not application.arguments[0]:
                    return None
                found = found or application
                continue
            if not BATCH_NORMS & set(application.kinds[-1:]):
                others = [a for a in application.arguments if a is not array]
                product = application.name in ("multiply", "divide")
                if application.name not in AFFINE or (product and not _constant(step, others)):
                    return None
            pending.append(application.output)
    return found


def _constant(step, arrays) -> bool:
    """Whether arrays are numbers, parameters, or what is made of these alone: not of the inputs."""
    inputs = raw(step.inputs)
    return all(
        a is not inputs and all(inputs is not b for up in step.upstream([a]) for b in up.arguments) for a in arrays
    )


def _width(application) -> int:
    weight = application.arguments[1]
    return weight.shape[1] if application.name == "convolution_image" else weight.shape[0]


def _inputs(application) -> int:
    weight = application.arguments[1]
    return weight.shape[0] if application.name == "convolution_image" else weight.shape[1]


@rule("symmetric", lesson="vanishing", needs=("model",), explains=(*SYMPTOMS, "bad_initialisation"))
def symmetric(case):
    """The units of a hidden layer begin with the same weights, and so get the same gradients."""
    matrices = {name: tuple(p.shape) for name, p in case.model.named_parameters() if p.ndim > 1 and len(p) > 1}
    for name, shape in matrices.items():
        first = _first(case, "weight_std", name), _first(case, "weight_norm", name)
        if None not in first and first[0] < 1e-4 * first[1] / math.sqrt(math.prod(shape)):
            return certain(layer=name.rpartition(".")[0], units=shape[0])
    norms = [_first(case, "weight_norm", name) for name in matrices]
    if len(norms) > 1 and not any(norm is None or norm > 0 for norm in norms):
        name, shape = next(iter(matrices.items()))
        return certain(layer=name.rpartition(".")[0], units=shape[0])
    layers = [] if case.step is None else [a for a in case.step.applications if a.name in WEIGHTED]
    for application in layers[:-1]:
        rows = numpy.asarray(application.arguments[1]).reshape(len(application.arguments[1]), -1)
        size = float(numpy.abs(rows).max())
        if len(rows) > 1 and size > 0 and numpy.abs(rows - rows[:1]).max() <= TOLERANCE * size:
            return certain(layer=application.layer, units=len(rows))
    return None


def _first(case, quantity, layer):
    """A quantity at the first step; None where that was not watched."""
    steps, values = case.record.series(quantity, layer) if case.record else ([], [])
    return values[0] if steps and steps[0] == 1 else None
