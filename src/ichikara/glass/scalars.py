"""The derivative of a number by another, written as the sum over all paths of products of local derivatives.

What all paths share is a factor in front of the sum; what would be written twice gets a name instead.
"""

from collections import Counter
from typing import Any, NamedTuple

from .computation import Vertex
from .expression import Call, Derivative, Expression, Negative, Number, Power, Product, Sum, Symbol
from .paths import Edge, Paths
from .simplify import simplify
from .writing import Writing

__all__ = ["ScalarDerivative"]

LONG = 2  # a product of more factors is written once and then called by its name
DEEPEST = 2  # how many sums may stand within each other


class Factor(NamedTuple):
    """A factor of a product: what it leads from and to, and whether it is a formula that needs a line of its own."""

    expression: Expression
    start: Vertex
    end: Vertex
    formula: bool = False


class ScalarDerivative:
    """The derivative of the root of some paths by their target, and all that it is made of.

    Arguments: ``values``, of the vertices; ``slopes``, the numbers of the local derivatives.
    """

    def __init__(self, paths: Paths, writing: Writing, slopes: dict[Edge, float]):
        self.paths, self.writing, self.slopes = paths, writing, slopes
        self.sums: dict[Vertex, list[Edge]] = {v: e for v, e in paths.edges.items() if len(e) > 1}
        self.named: set[tuple[Vertex, Vertex]] = set()  # the derivatives that get a line of their own
        self.atoms: dict[Expression, Edge | tuple[Vertex, Vertex]] = {}  # what the symbols in products stand for
        self.steps: dict[Vertex, float] = {}
        self._totals: dict[tuple[Vertex, Vertex], float] = {}
        self._add_up()
        self._find_shared()
        self.whole = (paths.root, paths.target)
        self.lines: list[tuple[Derivative, Expression, float]] = []
        self._write()

    def total(self, start: Vertex, end: Vertex) -> float:
        """The number of a derivative."""
        if (start, end) not in self._totals:
            product = 1.0
            for vertex in self.paths.way(start, end):
                product *= self.steps[vertex]
            self._totals[start, end] = product
        return self._totals[start, end]

    # --- numbers ----------------------------------------------------------------------------------------------------

    def _add_up(self) -> None:
        for vertex in self.paths.vertices[1:]:
            dominator = self.paths.dominator[vertex]
            self.steps[vertex] = sum(
                (self.total(dominator, edge.output) if edge.output is not dominator else 1.0) * self.slopes[edge]
                for edge in self.paths.edges[vertex]
            )

    # --- what is written once ---------------------------------------------------------------------------------------

    def _find_shared(self) -> None:
        """Find the derivatives that would be written more than once, each of which gets a line of its own."""
        uses: Counter[tuple[Vertex, Vertex]] = Counter()
        inner: dict[Vertex, set[Vertex]] = {}  # the sums, with the beginnings of the products that they stand in
        waiting, done = [(self.paths.root, self.paths.target)], set()
        while waiting:
            start, end = waiting.pop()
            if start is end:
                continue
            uses[start, end] += 1
            if (start, end) in done:
                continue
            done.add((start, end))
            before = self.paths.dominator[end]
            waiting.append((start, before))
            if end in self.sums:
                if end not in inner:
                    waiting += [(before, edge.output) for edge in self.sums[end]]
                inner.setdefault(end, set()).add(start)
        for (start, end), count in uses.items():
            if count > 1 and (self._length(start, end) > LONG):
                self.named.add((start, end))
        for vertex, starts in inner.items():
            if len(starts) > 1:
                self.named.add((self.paths.dominator[vertex], vertex))

    def _length(self, start: Vertex, end: Vertex) -> int:
        """How many factors a derivative has, a sum counting as many."""
        count = 0
        while end is not start:
            count += LONG + 1 if end in self.sums else not _is_one(self._slope(self.paths.edges[end][0]))
            if count > LONG:
                break
            end = self.paths.dominator[end]
        return count

    # --- expressions ------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        waiting, done = [self.whole], set()
        while waiting:
            start, end = pair = waiting.pop(0)
            if pair in done:
                continue
            done.add(pair)
            self._found: list[tuple[Vertex, Vertex]] = []
            expression = self._product(self._factors(start, end, 0, whole=True))
            self.lines.append((self.writing.derivative(start, end), expression, self.total(start, end)))
            waiting += self._found

    def _factors(self, start: Vertex, end: Vertex, depth: int, whole: bool = False) -> list[Factor]:
        """The factors of a derivative. Arguments: ``whole``, whether its own name would be no answer."""
        found: list[Factor] = []
        last = end
        while end is not start:
            before = self.paths.dominator[end]
            if (start, end) in self.named and not (whole and end is last):
                found.append(self._name(start, end))
                break
            if end not in self.sums:
                found.append(self._local(self.paths.edges[end][0]))
            elif (depth >= DEEPEST or (before, end) in self.named) and not (whole and (before, end) == (start, last)):
                found.append(self._name(before, end))
            else:
                terms = [
                    self._product([*self._factors(before, edge.output, depth + 1), self._local(edge)])
                    for edge in self.sums[end]
                ]
                found.append(Factor(_sum(terms), before, end))
            end = before
        return self._with_names(found[::-1], whole)

    def _name(self, start: Vertex, end: Vertex) -> Factor:
        """A derivative by its name, which gets a line of its own."""
        self._found.append((start, end))
        derivative = self.writing.derivative(start, end)
        self.atoms[derivative] = (start, end)
        return Factor(derivative, start, end)

    def _slope(self, edge: Edge) -> Expression | None:
        return self.writing.shown(edge)

    def _local(self, edge: Edge) -> Factor:
        """A local derivative as a factor."""
        expression = self._slope(edge) or self.writing.local(edge)
        if expression is None:  # no formula of elements: the slope of the operation by its own name, as ∂matmul/∂a
            own = Symbol(edge.output.operation.name, (Symbol(str(edge.name)),))
            expression = Derivative(own, self.writing.symbol(edge.input))
        function = expression.function if isinstance(expression, Call) else expression
        if isinstance(expression, Derivative) or (isinstance(function, Symbol) and function.primes):
            self.atoms[expression] = edge
        return Factor(expression, edge.output, edge.input, not _is_atom(expression))

    def _with_names(self, factors: list[Factor], whole: bool) -> list[Factor]:
        """The factors, with a formula between two named values called by their derivative's name, as ∂L/∂o."""
        found: list[Factor] = []
        group: list[Factor] = []
        for i, factor in enumerate(factors):
            group.append(factor)
            if factor.end in self.writing.symbols or i == len(factors) - 1:
                formula = any(f.formula for f in group) and all(f.formula or _is_number(f.expression) for f in group)
                ends = (group[0].start, group[-1].end)
                if formula and all(v in self.writing.symbols for v in ends) and not (whole and len(group) == len(factors)):
                    found.append(self._name(*ends))
                    self.named.add(ends)
                else:
                    found += group
                group = []
        return found

    def _product(self, factors: list[Factor]) -> Expression:
        return simplify(Product.of(factor.expression for factor in factors))


def _sum(terms: list[Expression]) -> Expression:
    """A sum, with equal terms as one."""
    counts = Counter(terms)
    return simplify(Sum.of(term if n == 1 else Product((Number(n), term)) for term, n in counts.items()))


def _is_number(expression: Expression) -> bool:
    return isinstance(expression.term if isinstance(expression, Negative) else expression, Number)


def _is_one(expression: Expression | None) -> bool:
    return expression == Number(1)


def _is_atom(expression: Expression) -> bool:
    """Whether an expression is a symbol, a number, a function's value, or a power of one: nothing to be explained."""
    if isinstance(expression, Negative):
        return _is_atom(expression.term)
    if isinstance(expression, Power):
        return _is_atom(expression.base) and _is_atom(expression.exponent)
    return isinstance(expression, Symbol | Number | Call | Derivative)


_ = Any
