"""What is said of the derivative of a number by a number."""

from collections.abc import Iterator
from typing import Any

import numpy

from .evaluate import evaluate
from .explanation import Part, Row, number_text, written
from .expression import Call, Derivative, Expression, Symbol, mapped, number, parts, symbols
from .paths import Edge, Paths
from .scalars import ScalarDerivative
from .values import Numbers
from .vertex import Vertex
from .writing import Writing

__all__ = ["scalar_part"]

DEFINED = 8  # how many numbers and symbols the formula of a letter has at most, before another letter is used


def scalar_part(paths: Paths, writing: Writing, numbers: Numbers) -> Part:
    """The derivative of the root by the target, where all values on the paths are single numbers."""
    edges = [edge for found in paths.edges.values() for edge in found]
    slopes = {edge: numbers.slope(edge) for edge in edges}
    derivative = ScalarDerivative(paths, writing, slopes)
    report = _Report(derivative, writing, numbers)
    lines = [Row(name, formula, report.in_numbers(formula), report.known[name]) for name, formula in derivative.lines]
    report.follow(formula for _, formula in derivative.lines)
    where, values = report.rows()
    gradient = numbers.gradients([paths.target]).get(paths.target)
    of, by = writing.symbol(paths.root), writing.symbol(paths.target)
    checks = _checks(paths, numbers, slopes, lines[0].value, gradient, written(of), written(by))
    return Part(of, by, lines, where, values, paths.count, gradient, checks)


class _Report:
    """Finds what the symbols and functions in formulas are, and puts numbers in their places.

    The numbers of local derivatives are those of the records' formulas; where a record has none, its rule's.
    """

    def __init__(self, derivative: ScalarDerivative, writing: Writing, numbers: Numbers):
        self.derivative, self.writing, self.numbers = derivative, writing, numbers
        self.known: dict[Expression, float] = {}
        self.functions: dict[Expression, Edge] = {}
        self.symbols: dict[Expression, Vertex] = {}
        for atom, what in derivative.atoms.items():
            if isinstance(what, Edge):
                formula = writing.local(what)
                slope = derivative.slopes[what]
                self.known[atom] = slope if formula is None else self.value(formula, slope)
        self._evaluate_lines(dict(derivative.lines))

    def _evaluate_lines(self, formulas: dict[Any, Expression]) -> None:
        """The numbers of the derivatives that have lines of their own, each after those in its formula."""
        stack = [*formulas]
        while stack:
            name = stack[-1]
            first = [inner for inner in _derivatives(formulas[name]) if inner in formulas and inner not in self.known]
            if first and name not in self.known:
                stack += first
            else:
                total = self.derivative.total(*self.derivative.pairs[name])
                self.known.setdefault(stack.pop(), self.value(formulas[name], total))

    def in_numbers(self, formula: Expression) -> Expression:
        """The formula with numbers in the places of symbols and functions."""
        if formula not in self.known and formula in self.writing.vertices:
            value = _single(self.numbers.values.get(self.writing.vertices[formula]))
            if value is not None:
                self.known[formula] = value
        if formula in self.known:
            return number(self.known[formula])
        if isinstance(formula, Call) and not symbols(filled := mapped(formula, self.in_numbers)):
            return number(float(evaluate(filled)))
        return formula if isinstance(formula, Symbol) else mapped(formula, self.in_numbers)

    def value(self, formula: Expression, unknown: float) -> float:
        """The number that comes out of a formula; another one where a number in it was not kept."""
        filled = self.in_numbers(formula)
        return unknown if symbols(filled) else float(evaluate(filled))

    def follow(self, formulas: Any) -> None:
        """Find what is in formulas, and what is in the formulas of that."""
        waiting, seen = [*formulas], set()
        while waiting:
            expression = waiting.pop(0)
            if expression in seen:
                continue
            seen.add(expression)
            what = self.derivative.atoms.get(expression)
            if isinstance(what, Edge):
                self.functions[expression] = what
                waiting += [formula for formula in [self.writing.local(what)] if formula is not None]
                waiting += expression.arguments if isinstance(expression, Call) else ()
            elif isinstance(expression, Symbol) and expression in self.writing.vertices:
                vertex = self.symbols[expression] = self.writing.vertices[expression]
                if vertex in self.writing.lettered:
                    waiting += [formula for formula in [self.writing.formula(vertex, DEFINED)] if formula is not None]
            elif what is None:
                waiting += expression.arguments if isinstance(expression, Call) else parts(expression)

    def rows(self) -> tuple[list[Row], list[Row]]:
        """The lines of functions and letters, and those of the names that the user gave."""
        found = []
        for expression, edge in self.functions.items():
            formula = self.writing.local(edge)
            found.append(Row(expression, formula, None, self.known[expression], (), self.numbers.quotient(edge)))
        given = []
        for symbol, vertex in self.symbols.items():
            value = _single(self.numbers.values.get(vertex))
            if vertex in self.writing.lettered:
                found.append(Row(symbol, self.writing.formula(vertex, DEFINED), None, value))
            else:
                given.append(Row(symbol, None, None, value))
        return found, given


def _derivatives(expression: Expression) -> Iterator[Expression]:
    if isinstance(expression, Derivative):
        yield expression
    else:
        for part in parts(expression):
            yield from _derivatives(part)


def _single(value: Any) -> float | None:
    return None if value is None or numpy.size(value) != 1 else float(numpy.asarray(value).reshape(()))


def _checks(paths, numbers, slopes, value, gradient, of, by) -> list[tuple[str, dict[str, Any]]]:
    one = paths.count == 1
    found: list[tuple[str, dict[str, Any]]] = [
        ("paths.one" if one else "paths.many", {"of": of, "by": by, **({} if one else {"count": paths.count})})
    ]
    if gradient is not None:
        found.append(
            ("gradient", {"gradient": number_text(numpy.asarray(gradient).reshape(())), "value": number_text(value)})
        )
    quotient = numbers.whole_quotient(paths.target)
    if quotient is None:
        found.append(("unchecked", {"reason": numbers.reason}))
    else:
        found.append(("difference", {"of": of, "by": by, "quotient": number_text(quotient)}))
    locals_ = [(numbers.quotient(edge), slope) for edge, slope in slopes.items()]
    differences = [abs(quotient - slope) for quotient, slope in locals_ if quotient is not None]
    if differences:
        found.append(("local", {"difference": number_text(max(differences), 2)}))
    return found
