"""The numbers of a computation: values, local derivatives, the engine's gradients, and difference quotients."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy

from ..arrays import is_array
from ..autodiff.engine import sweep
from ..errors import UserError
from .computation import UNKNOWN, Computation, Vertex
from .paths import Edge

__all__ = ["Numbers"]

STEP = 1e-6  # of a difference quotient, relative to numbers above 1: its error is about as small as it can be in float64


class Numbers:
    """The numbers of a computation in float64, as far as they are known.

    ``reason`` says why it cannot be computed again, and is empty where it can.
    """

    def __init__(self, whole: Computation):
        self.whole, self.reason = whole, ""
        try:
            self.values: Mapping[Vertex, Any] = whole.evaluate({}, _wide)
        except UserError as error:
            self.reason = str(error)
            self.values = {v: _wide(v.value) for v in whole if v.value is not UNKNOWN}

    def slope(self, edge: Edge) -> float:
        """The local derivative of an operation on single numbers, by its record's rule."""
        one = numpy.ones(edge.output.shape)
        return float(numpy.asarray(edge.output.pull(one, self.values, [edge.name])[edge.name]).reshape(()))

    def quotient(self, edge: Edge) -> float | None:
        """The difference quotient of an operation on single numbers; None where it cannot be computed again."""
        vertex, x = edge.output, self.values.get(edge.input)
        if x is None or not vertex.complete or not all(source in self.values for source in vertex.inputs.values()):
            return None
        alone = _alone(vertex, edge.name)

        def at(value):
            return alone.compute({**self.values, _PLACE: value})

        return _quotient(at, numpy.asarray(x))

    def whole_quotient(self, target: Vertex, direction: Any = None) -> float | None:
        """The difference quotient of the root by a vertex, along a direction; None where it cannot be computed again."""
        if self.reason:
            return None
        known = dict(self.values)
        after = self._after(target)

        def at(value):
            known[target] = value
            for vertex in after:
                known[vertex] = vertex.compute(known)
            return known[self.whole.root]

        return _quotient(at, numpy.asarray(self.values[target]), direction)

    def gradients(self, wanted: list[Vertex]) -> dict[Vertex, Any]:
        """The engine's gradients of the root by vertices. The root has to be a single number."""
        root = self.whole.root
        if root.node is None:
            return {}
        nodes = {vertex.node: vertex for vertex in wanted if vertex.node is not None}
        one = numpy.ones(root.shape, root.dtype)
        return {nodes[node]: g for node, g in sweep(root.node, one, set(nodes), retain=True).items() if node in nodes}

    @cached_property
    def _consumers(self):
        return self.whole.consumers()

    def _after(self, target: Vertex) -> list[Vertex]:
        """The vertices that are computed from one, in order."""
        changed = {target}
        for vertex in self.whole:
            if any(source in changed for source in vertex.inputs.values()) and vertex is not target:
                changed.add(vertex)
        return [vertex for vertex in self.whole if vertex in changed and vertex is not target]


_PLACE = Vertex("constant")


def _alone(vertex: Vertex, name: Any) -> Vertex:
    """The vertex with one of its inputs apart from the others, which may be the same value."""
    found = Vertex("operation", operation=vertex.operation)
    found.options, found.inputs = vertex.options, {**vertex.inputs, name: _PLACE}
    return found


def _quotient(at: Any, x: Any, direction: Any = None) -> float | None:
    step = STEP * max(1.0, float(numpy.abs(x).max()) if x.size else 1.0)
    direction = numpy.ones_like(x) if direction is None else direction
    with numpy.errstate(all="ignore"):
        above, below = at(x + step * direction), at(x - step * direction)
    return float(numpy.asarray(above - below).sum() / (2 * step))


def _wide(value: Any) -> Any:
    """A number or an array in float64, if it is a real one."""
    if not is_array(value):
        return float(value) if isinstance(value, float) else value
    array = numpy.asarray(value)
    return array.astype("float64") if array.dtype.kind == "f" else array
