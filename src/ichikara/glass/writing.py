"""The values and local derivatives of a computation as expressions: what each is called, and what its record says."""

from typing import Any

from ..arrays import PYTHON_NUMBERS
from .expression import (
    Call,
    Derivative,
    Equation,
    Expression,
    Iverson,
    MatrixProduct,
    Negative,
    Number,
    Over,
    Sum,
    Symbol,
    Transpose,
    Where,
    mapped,
    number,
    parts,
    substitute,
    symbols,
)
from .local import forward_formula, is_elementwise, letters, local_derivative, stated_derivative
from .naming import Names, new_letters, symbol_of
from .paths import Edge
from .simplify import simplify
from .vertex import UNKNOWN, Computation, Vertex

__all__ = ["Writing", "is_of_matrices", "leaves"]

LONGEST = 4  # how many numbers and symbols the expression of a value without a name may have, else it gets a letter


class Writing:
    """Writes the vertices of a computation as expressions, and gives a letter to a value that needs one."""

    def __init__(self, whole: Computation, names: Names):
        self.whole, self.names, self._consumers = whole, names, whole.consumers()
        if not whole.root.name:
            whole.root.name = "L"
        self.symbols: dict[Vertex, Symbol] = {v: symbol_of(v.name) for v in whole if v.name}
        self.vertices: dict[Expression, Vertex] = {symbol: vertex for vertex, symbol in self.symbols.items()}
        self._letters = new_letters(lambda name: symbol_of(name) in self.vertices)
        self.lettered: list[Vertex] = []  # those that got a letter, in the order in which they did
        self._written: dict[Vertex, Expression] = {}
        self._bare: dict[Symbol, Vertex] = {}  # functions whose argument is not written, and what they made

    def symbol(self, vertex: Vertex) -> Symbol:
        """The symbol of a vertex; one without a name gets a letter."""
        if vertex not in self.symbols:
            symbol = self.symbols[vertex] = symbol_of(next(self._letters))
            self.vertices[symbol] = vertex
            self.lettered.append(vertex)
        return self.symbols[vertex]

    def written(self, vertex: Vertex, longest: int = LONGEST) -> Expression:
        """A vertex as it stands in an expression: its symbol, its number, or a short expression of others."""
        return self.short(vertex, longest) or self.symbol(vertex)

    def short(self, vertex: Vertex, longest: int = LONGEST) -> Expression | None:
        """The same; None for a vertex that would need a letter."""
        if vertex in self.symbols:
            return self.symbols[vertex]
        if vertex not in self._written:
            found = self._literal(vertex)
            if found is None and vertex.operation is not None and self._is_short(vertex, longest):
                found = self.formula(vertex, longest)
            if found is None or leaves(found) > longest:
                return None
            self._written[vertex] = found
        return self._written[vertex]

    def formula(self, vertex: Vertex, longest: int = LONGEST) -> Expression | None:
        """What a vertex is computed by, in terms of its inputs; None where its record does not say it of elements.

        Arguments: ``longest``, how long the expressions of inputs without a name may be.
        """
        function = self.function(vertex)
        if function is not None:
            called = Call(function, tuple(self.written(source, longest) for source in vertex.inputs.values()))
            self.vertices.setdefault(called, vertex)  # the name may be the user's, so that only the value is known
            return called
        if not hasattr(vertex.operation, "formula"):
            return None
        found = forward_formula(vertex.operation)[0].sides[1]
        if not is_elementwise(vertex.operation) and not is_of_matrices(found):
            return None
        return simplify(self._filled(found, vertex, longest))

    def function(self, vertex: Vertex) -> Symbol | None:
        """The symbol of the function that made a vertex; None for what is written with signs, such as a sum."""
        given = self.names.of_function(vertex)
        if given:
            return symbol_of(given)
        operation = vertex.operation
        if operation is None or not is_elementwise(operation) or len(operation.rules) != 1:
            return None
        found = forward_formula(operation)[0].sides[1]
        if isinstance(found, Call) and found.arguments == (letters(operation)[operation.inputs[0]],):
            return found.function
        return None if _is_plain(found) else Symbol(operation.name)

    def _primed(self, vertex: Vertex) -> Symbol | None:
        """The symbol of the derivative of a function of one value; None for an operation on several."""
        function = self.function(vertex)
        if function is None and is_elementwise(vertex.operation) and len(vertex.operation.rules) == 1:
            function = Symbol(vertex.operation.name)
        if function is None:
            return None
        return Symbol(function.base, function.subscript, function.superscript, function.primes + 1)

    def local(self, edge: Edge) -> Expression | None:
        """The local derivative of an operation, as its record says it; None where it says none of elements."""
        operation = edge.output.operation
        if not is_elementwise(operation):
            return None
        return simplify(self._filled(local_derivative(operation, edge.name), edge.output))

    def shown(self, edge: Edge) -> Expression | None:
        """The local derivative as it stands in a product: itself where it is short, else as a function with a prime.

        An array without a name is left out as its argument where that leaves no doubt.
        """
        operation = edge.output.operation
        if is_elementwise(operation) and not self.names.of_function(edge.output):
            found = local_derivative(operation, edge.name)
            if _is_plain(self._constants(found, edge.output)):
                return self.local(edge)
        primed = self._primed(edge.output)
        if primed is None:
            return None
        argument = self.short(edge.input) if edge.input in self.symbols or not edge.input.shape else None
        if argument is None and edge.input.shape and self._bare.setdefault(primed, edge.output) is edge.output:
            return primed
        return Call(primed, (argument or self.symbol(edge.input),))

    def stated(self, edge: Edge) -> list[Equation]:
        """What the record of an operation states of its derivative by an input, in the names of the vertices."""
        operation, vertex = edge.output.operation, edge.output
        if edge.name not in operation.jacobians:
            return []
        called = {
            symbol.base: vertex.inputs[name] for name, symbol in letters(operation).items() if name in vertex.inputs
        }
        equations = stated_derivative(operation, edge.name)
        if vertex.shape:  # of a loss that is one number, the record states the derivative before it is reduced
            called[letters(operation).output.base] = vertex
        for base, source in [*called.items()]:  # a statement of columns has small letters, one of matrices capitals
            called.setdefault(base.lower(), source)
            called.setdefault(base.upper(), source)
        if self.whole.root.size == 1:
            called["L"] = self.whole.root

        def renamed(expression: Expression) -> Expression:
            if isinstance(expression, Symbol) and expression.base in called and not expression.superscript:
                own = self.symbol(called[expression.base])
                return Symbol(own.base, own.subscript + expression.subscript, own.superscript, own.primes)
            return mapped(expression, renamed)

        return [renamed(equation) for equation in equations]  # type: ignore[misc]

    def derivative(self, of: Vertex, by: Vertex) -> Derivative:
        """The derivative of one vertex by another, as a name."""
        return Derivative(self.symbol(of), self.symbol(by))

    def _is_short(self, vertex: Vertex, longest: int) -> bool:
        """Whether the expression of a vertex without a name may be short enough: found without writing all of it."""
        count, waiting = 0, [vertex]
        while waiting:
            current = waiting.pop()
            for source in current.inputs.values():
                if source in self.symbols or source.operation is None:
                    count += 1
                elif source in self._written:
                    count += leaves(self._written[source])
                elif len(self._consumers[source]) > 1:
                    return False
                else:
                    waiting.append(source)
                if count > longest:
                    return False
        return True

    def _literal(self, vertex: Vertex) -> Expression | None:
        """A constant without a name as the number that it is."""
        if vertex.operation is None and vertex.kind != "leaf" and vertex.value is not UNKNOWN and vertex.size == 1:
            return number(_python(vertex.value))
        return None

    def _constants(self, expression: Expression, vertex: Vertex) -> Expression:
        """The expression with the numbers of constants in it."""
        known = {
            letters(vertex.operation)[n]: self._literal(v) for n, v in vertex.inputs.items() if v not in self.symbols
        }
        return simplify(substitute(expression, {symbol: x for symbol, x in known.items() if x is not None}))

    def _filled(self, expression: Expression, vertex: Vertex, longest: int = LONGEST) -> Expression:
        """An expression of a record with the vertices that it was applied to."""
        replaced: dict[Expression, Expression] = {}
        used, called = set(symbols(expression)), letters(vertex.operation)
        for name, source in vertex.inputs.items():
            if called[name] in used:
                replaced[called[name]] = self.written(source, longest)
        for name, option in vertex.options.items():
            if type(option) in PYTHON_NUMBERS and Symbol(name) in used:
                replaced[Symbol(name)] = number(option)
        if called.output in used:
            own = self.symbols.get(vertex) or (self.formula(vertex) if self.function(vertex) else None)
            replaced[called.output] = own or self.symbol(vertex)
        return substitute(expression, replaced)


def is_of_matrices(expression: Expression) -> bool:
    """Whether an expression is made of whole matrices, without indices."""
    if isinstance(expression, Symbol):
        return not expression.subscript
    kinds = MatrixProduct, Transpose, Sum, Negative
    return isinstance(expression, kinds) and all(map(is_of_matrices, parts(expression)))


def leaves(expression: Expression) -> int:
    """How many numbers and symbols an expression has."""
    if isinstance(expression, Symbol | Number):
        return 1
    return sum(leaves(part) for part in parts(expression)) or 1


def _is_plain(expression: Expression) -> bool:
    """Whether a derivative is a product, a fraction, a power or a function, and nothing of several terms."""
    return not isinstance(expression, Sum | Where | Iverson | Over) and all(map(_is_plain, parts(expression)))


def _python(value: Any) -> float | int:
    return value if isinstance(value, int | float) else value.item()
