"""A computation in numbers: a box for each element of each array, and an edge where one depends on another."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy

from ..charts import Edge, short_text
from ..charts import Vertex as Box
from ..errors import UserError
from .boxes import SIGNS, kind_of, number_text, pulled
from .computation import UNKNOWN, Computation, Vertex
from .drawing import Drawing
from .naming import Names, symbol_of
from .text import to_text

__all__ = ["scalars"]

MOST = 80  # numbers that can be drawn
SIGNS_DRAWN = (1, -1, 1)  # of other inputs, at which it is looked whether an element depends on another

Element = tuple[Vertex, tuple[int, ...]]


def scalars(whole: Computation, names: Names, gradients: bool, local: bool) -> Drawing:
    """The elements of a computation, and which of them depend on which.

    Arguments: ``gradients``, whether they are shown; ``local``, whether edges carry the derivatives of one element by
    another. Raises UserError for more elements than can be drawn.
    """
    count = sum(vertex.size for vertex in whole)
    if count > MOST:
        raise UserError(f"this computation has {count} numbers, and a graph shows up to {MOST}; look at its matrices")
    values = {vertex: vertex.value for vertex in whole}
    if any(value is UNKNOWN for value in values.values()):
        raise UserError("not all numbers of this computation were kept; give graph() a function that computes it")
    found = pulled(whole.root, reversed(whole.vertices), values) if gradients else {}
    boxes: dict[Element, Box] = {}
    for vertex in whole:
        for index in _indices(vertex):
            value = number_text(_at(vertex.value, index), ())
            gradient = number_text(_at(found[vertex], index), ()) if vertex in found else ""
            kind, text = kind_of(vertex, whole), _text(vertex, index, names)
            if kind == "constant" or (kind == "input" and not text):
                kind, text, value = "constant", value, ""
            line = str(vertex.line) if vertex.line is not None else ""
            boxes[vertex, index] = Box(f"v{len(boxes)}", text, 0.0, 0.0, 0.0, 0.0, kind, value, gradient, line)
    edges: dict[tuple[Element, Element, int], Edge] = {}
    for vertex in whole:
        for name, source in vertex.inputs.items():
            passes = name in vertex.differentiable
            for end, start, slope in _dependencies(vertex, name, values):
                first, last = (source, start), (vertex, end)
                same = sum((first, last, n) in edges for n in range(len(vertex.inputs)))
                label = "" if slope is None or not local else short_text(slope)
                edges[first, last, same] = Edge(boxes[first].name, boxes[last].name, (), label, not passes)
    return Drawing(boxes, edges)


def _indices(vertex: Vertex) -> Iterator[tuple[int, ...]]:
    return product(*map(range, vertex.shape))


def _at(array: Any, index: tuple[int, ...]) -> Any:
    return array[index] if index else array


def _text(vertex: Vertex, index: tuple[int, ...], names: Names) -> str:
    """The name of an element, with the indices along axes that have several; and the operation that made it."""
    places = "".join(f"[{i}]" for i, length in zip(index, vertex.shape, strict=True) if length > 1)
    name = to_text(symbol_of(vertex.name.rpartition(".")[2] + places)) if vertex.name else ""
    operation = vertex.operation.name if vertex.operation else ""
    function = names.of_function(vertex)
    sign = to_text(symbol_of(function)) if function else SIGNS.get(operation, operation)
    return "\n".join(filter(None, (name, sign)))


def _dependencies(vertex: Vertex, name: Any, values: Mapping[Vertex, Any]):
    """The elements of a vertex that depend on elements of an input: index, index, and the local derivative.

    That one does is seen where the derivative is not 0, for these values of the inputs or for others, drawn by chance.
    """
    source = vertex.inputs[name]
    if not (name in vertex.operation.rules or None in vertex.operation.rules) or not vertex.complete:
        # Without a derivative: an index, a label. Equal shapes go element by element, others all with all.
        for end, start in product(_indices(vertex), _indices(source)):
            if end == start or source.shape != vertex.shape:
                yield end, start, None
        return
    slopes = _jacobian(vertex, name, values)
    depends = slopes != 0
    draws = numpy.random.default_rng(0)
    with numpy.errstate(all="ignore"):
        for sign in SIGNS_DRAWN:
            other = {v: _drawn(values[v], sign, draws) for v in vertex.inputs.values()}
            other[vertex] = vertex.compute(other)
            depends |= _jacobian(vertex, name, other) != 0
    for end, start in zip(*numpy.nonzero(depends.reshape(vertex.size, source.size)), strict=True):
        slope = float(slopes.reshape(vertex.size, source.size)[end, start])
        yield (
            tuple(map(int, numpy.unravel_index(end, vertex.shape))),
            (tuple(map(int, numpy.unravel_index(start, source.shape)))),
            slope,
        )


def _jacobian(vertex: Vertex, name: Any, values: Mapping[Vertex, Any]) -> numpy.ndarray:
    """The derivatives of all elements of a vertex by all of an input. Shapes: the vertex's and then the input's."""
    rows = []
    for unit in numpy.eye(vertex.size, dtype=vertex.dtype):
        rows.append(vertex.pull(unit.reshape(vertex.shape), values, [name])[name])
    return numpy.stack([numpy.asarray(row) for row in rows]).reshape(*vertex.shape, *vertex.inputs[name].shape)


def _drawn(value: Any, sign: int, draws: numpy.random.Generator) -> Any:
    """Other numbers in the place of some; whole ones, such as indices and exponents, stay."""
    array = numpy.asarray(value)
    if not hasattr(value, "dtype") or array.dtype.kind != "f":
        return value
    return (sign * draws.uniform(0.2, 1.0, array.shape)).astype(array.dtype)
