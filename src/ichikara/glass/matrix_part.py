"""What is said of the derivative of a number by an array."""

from typing import Any

import numpy

from .computation import Vertex
from .explanation import Part, Row, number_text, written
from .expression import Call, Derivative, Expression, Symbol, parts
from .forms import as_matrix, column_shape, row_shape
from .matrices import MatrixDerivative
from .paths import Paths
from .values import Numbers
from .writing import Writing

__all__ = ["matrix_part"]

DEFINED = 8


def matrix_part(paths: Paths, writing: Writing, numbers: Numbers) -> Part:
    """The derivative of the root by the target, where there are arrays on the paths."""
    derivative = MatrixDerivative(paths, writing, numbers)
    lines = [
        Row(line.name, line.expression, None, line.value, [_shape(row_shape(line.vertex.shape)), *map(_shape, line.shapes)])
        for line in derivative.lines
    ]
    where, values = _rows(derivative, writing, numbers)
    where += [Row(Call(Symbol("norm"), (name,)), None, None, norm) for name, norm in derivative.norms]
    gradient = numbers.gradients([paths.target]).get(paths.target)
    of, by = writing.symbol(paths.root), writing.symbol(paths.target)
    checks: list[tuple[str, dict[str, Any]]] = [("layout", {})]
    if gradient is not None:
        difference = float(numpy.abs(derivative.gradient - gradient).max()) if numpy.size(gradient) else 0.0
        checks.append(("gradient_arrays", {"difference": number_text(difference, 2)}))
    checks += _along(paths.target, derivative.gradient, numbers)
    return Part(of, by, lines, where, values, paths.count, gradient, checks)


def _along(target: Vertex, gradient: Any, numbers: Numbers) -> list[tuple[str, dict[str, Any]]]:
    direction = numpy.random.default_rng(0).standard_normal(target.shape)
    quotient = numbers.whole_quotient(target, direction)
    if quotient is None:
        return [("unchecked", {"reason": numbers.reason})]
    along = number_text(float((gradient * direction).sum()))
    return [("difference_arrays", {"quotient": number_text(quotient), "along": along})]


def _rows(derivative: MatrixDerivative, writing: Writing, numbers: Numbers) -> tuple[list[Row], list[Row]]:
    """The lines of functions, Jacobians and letters, and those of the names that the user gave."""
    vertices = writing.vertices
    where: list[Row] = []
    given: list[Row] = []
    waiting: list[Expression] = [line.expression for line in derivative.lines]
    seen: set[Expression] = {line.name for line in derivative.lines}
    while waiting:
        expression = waiting.pop(0)
        if expression in seen:
            continue
        seen.add(expression)
        if expression in derivative.formulas:
            formula, edge = derivative.formulas[expression]
            shape = derivative.shapes.get(expression, ())
            where.append(Row(expression, formula, None, None, [_shape(shape)] if shape else []))
            stated = writing.stated(edge) if isinstance(expression, Derivative) else []
            where += [Row(equation.sides[0], equation.sides[-1]) for equation in stated]
            waiting += [] if formula is None else [formula]
        if isinstance(expression, Symbol) and expression in vertices:
            vertex = vertices[expression]
            value = numbers.values.get(vertex)
            value = None if value is None else as_matrix(value)
            formula = writing.formula(vertex, DEFINED) if vertex in writing.lettered and vertex.operation else None
            row = Row(expression, formula, None, value, [_shape(column_shape(vertex.shape))])
            (where if vertex in writing.lettered else given).append(row)
            waiting += [] if formula is None else [formula]
        elif not isinstance(expression, Derivative):
            waiting += parts(expression)
    return where, given


def _shape(shape: tuple[int, ...]) -> str:
    return f"({'×'.join(map(str, shape))})"
