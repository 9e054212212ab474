"""The values of a computation, what made each, and how they are computed again."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..arrays import is_array, seam, sum_to
from ..autodiff import Tensor, no_grad, wrap
from ..autodiff.modes import block
from ..autodiff.operation import Composition
from ..errors import UserError
from .trace import Line, Scope

__all__ = ["UNKNOWN", "Computation", "Vertex", "composition_of"]


class _Unknown:
    def __repr__(self):
        return "UNKNOWN"

    def __bool__(self):
        return False


UNKNOWN: Any = _Unknown()
"""Stands for a value that nothing has kept."""


class Vertex:
    """A value of a computation, and what made it.

    Arguments: ``kind``, "leaf" (a gradient is collected there), "constant", "target" (a constant that a loss compares
    with) or "operation"; ``operation``, its record; ``inputs``, the vertices that it was applied to, by the names of
    the record, or by their numbers in a sequence; ``options``, the other parameters that are known;
    ``differentiable``, the names of the inputs that a gradient flows to; ``value``, an array or a number, UNKNOWN where
    nothing has kept it; ``node``, the engine's; ``scope``, the module or function that it ran in; ``line``, of the
    user's code; ``name``, what it is called, empty where it has none.
    """

    __slots__ = (
        "differentiable", "dtype", "inputs", "kind", "line", "name", "node", "number", "operation", "options", "order",
        "scope", "shape", "value",
    )  # fmt: skip

    def __init__(self, kind: str, value: Any = UNKNOWN, operation: Any = None, node: Any = None):
        self.kind, self.value, self.operation, self.node = kind, value, operation, node
        about = node if node is not None else value
        self.shape: tuple[int, ...] = getattr(about, "shape", ())
        self.dtype: Any = getattr(about, "dtype", None)
        self.inputs: dict[Any, Vertex] = {}
        self.options: dict[str, Any] = {}
        self.differentiable: frozenset = frozenset()
        self.scope: Scope | None = None
        self.line: Line | None = None
        self.name = ""
        self.number = 0
        self.order: tuple[int, ...] = ()  # operations by it are in the order in which they were computed

    @property
    def size(self) -> int:
        """How many numbers it has."""
        size = 1
        for length in self.shape:
            size *= length
        return size

    @property
    def module(self) -> str:
        """The path of the module that it was computed in, empty outside of all."""
        scope = self.scope
        while scope is not None and scope.kind != "module":
            scope = scope.parent
        return scope.name if scope else ""

    @property
    def complete(self) -> bool:
        """Whether it can be computed from its inputs."""
        named = len(self.options) + (1 if self.operation.sequence else len(self.inputs))
        return named == len(self.operation.parameters)

    def compute(self, values: Mapping["Vertex", Any]) -> Any:
        """The value of its operation for other values of its inputs, as an array."""
        arguments = [*self._given(values).values()]
        composition = composition_of(self.operation)
        if composition is not None:
            with no_grad():
                found = composition.function(*[wrap(x, None) if is_array(x) else x for x in arguments])
            found = found[0] if isinstance(found, tuple) else found
            return seam.interpreter.read(found)
        found = self.operation.function(*arguments)
        return found[0] if self.operation.residuals else found

    def pull(self, g: Any, values: Mapping["Vertex", Any], names: Iterable[Any] | None = None) -> dict[Any, Any]:
        """The gradients of inputs, by their names, from the gradient of the output: what the record's rules give.

        Arguments: ``names``, of the inputs that are wanted, by default of all that a gradient flows to.
        """
        operation, wanted = self.operation, [*(self.differentiable if names is None else names)]
        given = self._given(values)
        known = {**given, "g": g, "wanted": wanted}
        shapes: dict[Any, Any] = {name: source.shape for name, source in self.inputs.items()}
        if operation.sequence:
            shapes = {operation.inputs[0]: [shapes[i] for i in range(len(shapes))]}
        known.update((f"{name}_shape", shape) for name, shape in shapes.items())
        rules = {name: operation.rules.get(name) or operation.rules[None] for name in wanted}
        needs = {need for rule in rules.values() for need in rule.needs}
        if needs.isdisjoint(operation.residuals):
            known["y"] = values.get(self)
        else:
            found = operation.function(*given.values())
            known.update(zip(("y", *operation.residuals), found, strict=True))
        result = {}
        for rule in dict.fromkeys(rules.values()):
            own = known["wanted"] = [name for name in wanted if rules[name] is rule]
            with block(in_rule=True, grad_enabled=False):
                part = rule.function(*[known[need] for need in rule.needs])
            result.update({name: part[name] for name in own} if rule.joint else {own[0]: part})
        for name, part in result.items():
            source = self.inputs[name]
            shape = getattr(values.get(source), "shape", source.shape)
            result[name] = part if part.shape == shape else sum_to(part, shape)
        return result

    def _given(self, values) -> dict[str, Any]:
        """The values of the parameters, as far as they are known."""
        if self.operation.sequence:
            items = [values.get(self.inputs[i]) for i in range(len(self.inputs))]
            given: dict[str, Any] = {self.operation.inputs[0]: items}
        else:
            given = {name: values[source] for name, source in self.inputs.items() if source in values}
        given.update(self.options)
        return {name: given[name] for name in self.operation.parameters if name in given}

    def __repr__(self):
        what = self.operation.name if self.operation else self.kind
        return f"<vertex {self.name or self.number}: {what} {self.shape}>"


class Computation:
    """The vertices that a value was made from, each after its inputs, and that value as the last one, the ``root``."""

    def __init__(self, root: Vertex, vertices: Iterable[Vertex]):
        self.root = root
        self.vertices = [*vertices]
        for number, vertex in enumerate(self.vertices):
            vertex.number = number

    def __iter__(self) -> Iterator[Vertex]:
        return iter(self.vertices)

    def of(self, tensor: Tensor) -> Vertex | None:
        """The vertex of a tensor, None where it has none."""
        node, array = tensor.leaf_node(), tensor._data
        return next((v for v in self.vertices if v.node is node is not None or v.value is array), None)

    def consumers(self) -> dict[Vertex, list[tuple[Vertex, Any]]]:
        """For each vertex those that were computed from it, with the names of the inputs."""
        found: dict[Vertex, list[tuple[Vertex, Any]]] = {vertex: [] for vertex in self.vertices}
        for vertex in self.vertices:
            for name, source in vertex.inputs.items():
                found[source].append((vertex, name))
        return found

    def evaluate(self, changed: Mapping[Vertex, Any], convert: Callable = lambda value: value) -> dict[Vertex, Any]:
        """All values again, with others at some vertices.

        Arguments: ``convert``, applied to the values that are not computed, to compute in another type. Raises
        UserError where a value is needed that nothing has kept.
        """
        values: dict[Vertex, Any] = {}
        for vertex in self.vertices:
            if vertex in changed:
                values[vertex] = changed[vertex]
            elif vertex.operation is None:
                if vertex.value is UNKNOWN:
                    raise UserError("a constant of this computation was not kept; explain a function of yours")
                values[vertex] = convert(vertex.value)
            else:
                values[vertex] = vertex.compute(values) if vertex.complete else None
                if getattr(values[vertex], "shape", None) != vertex.shape:
                    raise UserError(
                        f"the options of {vertex.operation.name} were not kept; explain a function of yours"
                    )
        return values


def composition_of(operation: Any) -> Composition | None:
    """The composed function that an operation computes as a whole; None for one that is no such function."""
    function = operation.rules[None].function if None in operation.rules else None
    owner = getattr(function, "__self__", None)
    return owner if isinstance(owner, Composition) else None
