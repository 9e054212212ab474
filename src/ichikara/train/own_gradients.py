"""The gradients of layers and operations that the user wrote, against the slopes of what they compute."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy

from ..arrays import Generator, Observer, interpreting, using
from ..autodiff import Tensor, asarray, flatten, no_grad, raw
from ..nn import Module, functional_call
from .attributes import generators_in

__all__ = ["OwnGradient", "check_own_gradients", "is_own"]

STEPS = (1e-3, 1e-4, 1e-5, 1e-6)
"""The steps of the difference quotients, relative to the size of the numbers. Two that follow each other have to agree,
so that a kink or a jump between the points is not taken for a wrong gradient."""

DIRECTIONS = 3
"""How many random directions are tried."""

TOLERANCE = 1e-4
"""How far, relative to the larger one, gradient and slope may be apart. In float64 they agree to 1e-7 or better; a
gradient that is wrong by a factor or a term is off by more than a hundredth."""

EXAMPLES = 8
"""How many examples of the batch a layer is checked with."""


class OwnGradient(NamedTuple):
    """What was found out about a layer or an operation of the user's.

    Arguments: ``name``, the layer's path, or the operation's name; ``kind``, its class, or "operation"; ``state``,
    "right", "wrong" or "skipped"; ``reason``, with "skipped", the name of a text in the catalogue; ``about``, the
    parameter or input whose gradient is wrong; ``told`` and ``slope``, along a random direction, the gradient and what
    it should be; ``detached``, whether its code takes tensors out of the graph, so that this may be meant.
    """

    name: str
    kind: str
    state: str
    reason: str = ""
    about: str = ""
    told: float = 0.0
    slope: float = 0.0
    detached: bool = False


def is_own(thing: Any) -> bool:
    """Whether a class or a function is the user's, and not of this library."""
    return getattr(thing, "__module__", "").partition(".")[0] != __name__.partition(".")[0]


def check_own_gradients(trainer: Any, inputs: Any, seconds: float) -> list[OwnGradient]:
    """Check each layer whose class the user wrote, and each operation, that some examples go through.

    Arguments: ``trainer``, whose network is in the mode in which it is checked; ``inputs``, of a batch; ``seconds``,
    after which the rest is skipped.
    """
    calls = _Calls()
    with interpreting(calls), no_grad():
        trainer.model(asarray(inputs[:EXAMPLES]))
    end = time.perf_counter() + seconds
    found = []
    for operation, arguments in calls.operations.values():
        found.append(
            _checked(operation.name, "operation", end, [operation.function], *_of_operation(operation, arguments))
        )
    names = {module: name for name, module in trainer.model.named_modules()}
    # The innermost first: a fault shows in all around it.
    depth = lambda module: len(names[module].split(".")) if names.get(module) else 0
    for module, (args, options) in sorted(calls.modules.items(), key=lambda item: -depth(item[0])):
        name = names.get(module, "")
        found.append(_checked(name, type(module).__name__, end, _code_of(module), *_of_module(module, args, options)))
    return found


class _Calls(Observer):
    """Notes the first call of each module, and of each operation, that the user wrote."""

    def __init__(self):
        super().__init__()
        self.modules: dict[Module, tuple[Sequence, dict]] = {}
        self.operations: dict[str, tuple[Any, Sequence]] = {}

    def run_module(self, module: Any, arguments: Sequence, options: dict) -> Any:
        if is_own(type(module)):
            self.modules.setdefault(module, (arguments, options))
        return super().run_module(module, arguments, options)

    def forward(self, operation: Any, arguments: Sequence, wanted: Any) -> tuple[Any, Any]:
        if is_own(operation.function):
            self.operations.setdefault(operation.name, (operation, list(arguments)))
        return super().forward(operation, arguments, wanted)


def _is_real(value: Any) -> bool:
    return isinstance(value, Tensor | numpy.ndarray) and value.dtype.kind == "f"


def _of_module(module: Module, args: Sequence, options: dict) -> tuple[dict[str, Any], Callable]:
    """The numbers that a module computes with, by name, and the module as a function of them."""
    leaves, rebuild = flatten(tuple(args))
    buffers = {name: buffer for name, buffer in module.named_buffers() if _is_real(buffer)}
    parameters = {name: p for name, p in module.named_parameters() if _is_real(p)}
    given = {f"input {i}" if i else "input": leaf for i, leaf in enumerate(leaves) if _is_real(leaf)}
    generators = generators_in(module)
    states = [generator.state for generator in generators]
    wide = {name: asarray(raw(buffer), dtype="float64", copy=True) for name, buffer in buffers.items()}

    def computed(numbers: dict[str, Any]) -> Any:
        for generator, state in zip(generators, states, strict=True):
            generator.state = state
        positions = {name: i for i, name in enumerate(given)}
        reals = iter([numbers[name] for name in positions])
        inputs = [next(reals) if _is_real(leaf) else leaf for leaf in leaves]
        state = wide | {name: numbers[name] for name in parameters}
        return functional_call(module, state, tuple(rebuild(inputs)), options)

    return given | parameters, computed


def _of_operation(operation: Any, arguments: Sequence) -> tuple[dict[str, Any], Callable]:
    """The same of an operation."""
    given = {
        name: value
        for name, value in zip(operation.parameters, arguments, strict=True)
        if name in operation.inputs and _is_real(value)
    }
    rest = dict(zip(operation.parameters, arguments, strict=True))

    def computed(numbers: dict[str, Any]) -> Any:
        values = [numbers.get(name, value) for name, value in rest.items()]
        count = operation.function.__code__.co_posonlyargcount
        return operation(*values[:count], **dict(zip([*rest][count:], values[count:], strict=True)))

    return given, computed


def _checked(
    name: str, kind: str, end: float, code: Sequence, numbers: dict[str, Any], computed: Callable
) -> OwnGradient:
    if time.perf_counter() > end:
        return OwnGradient(name, kind, "skipped", "time")
    try:
        with numpy.errstate(all="ignore"):
            reason, about, told, slope = _compare(numbers, computed)
    except Exception as error:
        return OwnGradient(name, kind, "skipped", "error", about=" ".join(str(error).split()))
    if reason:
        return OwnGradient(name, kind, "skipped", reason)
    if not about:
        return OwnGradient(name, kind, "right")
    return OwnGradient(name, kind, "wrong", "", about, told, slope, _detaches(code))


def _compare(numbers: dict[str, Any], computed: Callable) -> tuple[str, str, float, float]:
    """Why nothing can be said, or which gradient is wrong, with the gradient and the slope along a direction."""
    random = Generator(0)
    draw = lambda like: random.normal(like.shape, dtype="float64")
    points: dict[str, Any] = {}
    sizes: dict[str, float] = {}
    for name, value in numbers.items():
        array = numpy.asarray(raw(value), dtype="float64")
        sizes[name] = float(numpy.sqrt((array * array).mean())) if array.size and array.any() else 1.0
        points[name] = array + 0.01 * sizes[name] * draw(array)  # away from kinks that lie exactly here, such as 0
    weights: list[Any] = []

    def projected(at: dict[str, Any]) -> Any:
        with using(Generator(1)):
            outputs = [leaf for leaf in flatten(computed(at))[0] if isinstance(leaf, Tensor) and leaf.dtype.kind == "f"]
        while len(weights) < len(outputs):
            weights.append(draw(outputs[len(weights)]))
        total = asarray(0.0, dtype="float64")
        for output, weight in zip(outputs, weights, strict=True):
            total = total + (output * asarray(weight)).sum()
        return total

    leaves = {name: asarray(point, requires_grad=True) for name, point in points.items()}
    total = projected(leaves)
    if not leaves or not total.requires_grad:
        return "constant", "", 0.0, 0.0
    total.backward()
    gradients = {
        name: numpy.zeros(leaf.shape) if leaf.grad is None else raw(leaf.grad) for name, leaf in leaves.items()
    }
    if not all(numpy.isfinite(g).all() for g in (*gradients.values(), raw(total))):
        return "nonfinite", "", 0.0, 0.0

    def along(names: Sequence[str]) -> Iterator[tuple[float, float, float]]:
        """The gradient, the slope and its uncertainty along random directions of these numbers."""
        for _ in range(DIRECTIONS):
            direction = {name: sizes[name] * draw(points[name]) for name in names}
            told = sum(float((gradients[name] * v).sum()) for name, v in direction.items())
            yield told, *_slope(projected, points, direction)

    def wrong(names: Sequence[str]) -> tuple[float, float] | None:
        """The gradient and the slope of a direction, if they differ in most; None, too, where no slope is certain."""
        verdicts = [(told, slope) for told, slope, unsure in along(names) if _differ(told, slope, unsure)]
        return verdicts[0] if len(verdicts) > DIRECTIONS / 2 else None

    if all(unsure > TOLERANCE * abs(slope) for _, slope, unsure in along([*points])):
        return "kinks", "", 0.0, 0.0
    whole = wrong([*points])
    if whole is None:
        return "", "", 0.0, 0.0
    for name in points:
        part = wrong([name])
        if part is not None:
            return "", name, *part
    return "", ", ".join(points), *whole


def _differ(told: float, slope: float, unsure: float) -> bool:
    return abs(told - slope) > 10 * unsure + TOLERANCE * max(abs(told), abs(slope))


def _slope(function: Callable, points: dict[str, Any], direction: dict[str, Any]) -> tuple[float, float]:
    """The slope along a direction, by the two of several difference quotients that agree best, and by how much."""

    def at(step: float) -> float:
        moved = {name: asarray(p + step * direction[name] if name in direction else p) for name, p in points.items()}
        return function(moved).item()

    with no_grad():
        quotients = [(at(step) - at(-step)) / (2 * step) for step in STEPS]
    apart = [abs(a - b) for a, b in pairwise(quotients)]
    best = int(numpy.argmin(apart))
    return quotients[best + 1], apart[best]


def _code_of(module: Module) -> list[Any]:
    return [value for kind in type(module).__mro__ if is_own(kind) for value in vars(kind).values() if callable(value)]


def _detaches(functions: Sequence) -> bool:
    """Whether these functions name what takes a tensor out of the graph."""
    names = [name for f in functions if hasattr(f, "__code__") for name in f.__code__.co_names]
    return not {"detach", "no_grad", "stop_gradient"}.isdisjoint(names)
