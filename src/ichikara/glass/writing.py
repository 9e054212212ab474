"""The values and local derivatives of a computation as expressions: what each is called, and what its record says."""

from collections.abc import Iterable
from typing import Any

from ..arrays import PYTHON_NUMBERS
from .computation import UNKNOWN, Computation, Vertex
from .expression import (
    Call,
    Derivative,
    Expression,
    Iverson,
    Number,
    Over,
    Sum,
    Symbol,
    Where,
    mapped,
    number,
    parts,
    substitute,
)
from .local import local_derivative, value_formula
from .naming import Names, letters, symbol_of
from .paths import Edge
from .simplify import simplify

__all__ = ["Writing", "leaves"]

LONGEST = 4  # how many numbers and symbols the expression of a value without a name may have, else it gets a letter


class Writing:
    """Writes the vertices of a computation as expressions, and gives a letter to a value that needs one."""

    def __init__(self, whole: Computation, names: Names):
        self.whole, self.names = whole, names
        names.give(whole)
        if not whole.root.name:
            whole.root.name = "L"
        self.symbols: dict[Vertex, Symbol] = {v: symbol_of(v.name) for v in whole if v.name}
        self._taken = set(self.symbols.values())
        self._letters = letters(lambda name: symbol_of(name) in self._taken)
        self.lettered: list[Vertex] = []  # those that got a letter, in the order in which they did
        self._written: dict[Vertex, Expression] = {}

    def symbol(self, vertex: Vertex) -> Symbol:
        """The symbol of a vertex; one without a name gets a letter."""
        if vertex not in self.symbols:
            self.symbols[vertex] = symbol_of(next(self._letters))
            self.lettered.append(vertex)
        return self.symbols[vertex]

    def written(self, vertex: Vertex) -> Expression:
        """A vertex as it stands in an expression: its symbol, its number, or a short expression of others."""
        if vertex in self.symbols:
            return self.symbols[vertex]
        if vertex not in self._written:
            found = self._literal(vertex)
            if found is None and vertex.operation is not None and all(map(self._is_short, vertex.inputs.values())):
                found = self.formula(vertex)
            if found is not None and leaves(found) <= LONGEST:
                self._written[vertex] = found
            else:
                return self.symbol(vertex)
        return self._written[vertex]

    def formula(self, vertex: Vertex) -> Expression | None:
        """What a vertex is computed by, in terms of its inputs; None where its record does not say it in numbers."""
        function = self.function(vertex)
        if function is not None:
            return Call(function, tuple(self.written(source) for source in vertex.inputs.values()))
        found = value_formula(vertex.operation)
        return None if found is None else simplify(self._filled(found, vertex))

    def function(self, vertex: Vertex) -> Symbol | None:
        """The symbol of the function that made a vertex; None for what is written with signs, such as a sum."""
        given = self.names.of_function(vertex)
        if given:
            return symbol_of(given)
        if vertex.operation is None or len(vertex.operation.inputs) != 1 or vertex.operation.sequence:
            return None
        found = value_formula(vertex.operation)
        if isinstance(found, Call) and found.arguments == (Symbol(vertex.operation.inputs[0]),):
            return found.function
        return None if found is not None and _is_plain(found) else Symbol(vertex.operation.name)

    def local(self, edge: Edge) -> Expression | None:
        """The local derivative of an operation, as its record says it; None where it says none in numbers."""
        found = local_derivative(edge.output.operation, edge.name)
        return None if found is None else simplify(self._filled(found, edge.output))

    def shown(self, edge: Edge) -> Expression | None:
        """The local derivative as it stands in a product: itself where it is short, else as a function with a prime."""
        given = self.names.of_function(edge.output)
        found = local_derivative(edge.output.operation, edge.name)
        if found is not None and not given:
            constant = self._constants(found, edge.output)
            if _is_plain(constant):
                return simplify(self._filled(found, edge.output))
        function = self.function(edge.output)
        if function is None:
            return None
        primed = Symbol(function.base, function.subscript, function.superscript, function.primes + 1)
        return Call(primed, (self.written(edge.input),))

    def derivative(self, of: Vertex, by: Vertex) -> Derivative:
        """The derivative of one vertex by another, as a name."""
        return Derivative(self.symbol(of), self.symbol(by))

    def value(self, expression: Expression, values: dict[Vertex, Any]) -> dict[Expression, Any]:
        """The values of the symbols in an expression."""
        return {symbol: values[vertex] for vertex, symbol in self.symbols.items() if vertex in values}

    def _is_short(self, vertex: Vertex) -> bool:
        return vertex in self.symbols or vertex in self._written or self._literal(vertex) is not None

    def _literal(self, vertex: Vertex) -> Expression | None:
        """A constant without a name as the number that it is."""
        if vertex.operation is None and vertex.kind != "leaf" and vertex.value is not UNKNOWN and vertex.size == 1:
            return number(_python(vertex.value))
        return None

    def _constants(self, expression: Expression, vertex: Vertex) -> Expression:
        """The expression with the numbers of constants in it."""
        known = {Symbol(str(n)): self._literal(v) for n, v in vertex.inputs.items() if v not in self.symbols}
        return simplify(substitute(expression, {symbol: x for symbol, x in known.items() if x is not None}))

    def _filled(self, expression: Expression, vertex: Vertex) -> Expression:
        """An expression of a record with the vertices that it was applied to."""
        replaced: dict[Expression, Expression] = {}
        used = set(_symbols(expression))
        for name, source in vertex.inputs.items():
            if Symbol(str(name)) in used:
                replaced[Symbol(str(name))] = self.written(source)
        for name, option in vertex.options.items():
            if type(option) in PYTHON_NUMBERS and Symbol(name) in used:
                replaced[Symbol(name)] = number(option)
        if Symbol("y") in used:
            own = self.symbols.get(vertex)
            replaced[Symbol("y")] = own or (self.formula(vertex) if self.function(vertex) else None) or self.symbol(vertex)
        return substitute(expression, replaced)


def leaves(expression: Expression) -> int:
    """How many numbers and symbols an expression has."""
    if isinstance(expression, Symbol | Number):
        return 1
    return sum(leaves(part) for part in parts(expression)) or 1


def _symbols(expression: Expression) -> Iterable[Expression]:
    if isinstance(expression, Symbol):
        yield expression
    for part in parts(expression):
        yield from _symbols(part)


def _is_plain(expression: Expression) -> bool:
    """Whether a derivative is a product, a fraction, a power or a function: nothing that is written in several terms."""
    return not isinstance(expression, Sum | Where | Iverson | Over) and all(map(_is_plain, parts(expression)))


def _python(value: Any) -> float | int:
    return value if isinstance(value, int | float) else value.item()


def without(expression: Expression, kind: type) -> bool:
    """Whether nothing of a kind is in an expression."""
    return not isinstance(expression, kind) and all(without(part, kind) for part in parts(expression))


_ = mapped
