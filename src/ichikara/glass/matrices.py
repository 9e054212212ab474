"""The derivative of a number by an array, written as products of Jacobians in numerator layout."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy

from .computation import Vertex
from .expression import Derivative, Elementwise, Expression, MatrixProduct, Number, Over, Product, Quotient, Sum, Symbol, Transpose, parts
from .folding import Block
from .forms import ONES, Form, form_of, from_layout, row_shape, transposed
from .paths import Edge, Paths
from .simplify import simplify
from .values import Numbers
from .writing import Writing

__all__ = ["MatrixDerivative"]

LONG = 2  # a derivative of more factors that is used twice gets a line of its own
LONGEST = 24  # and any of more factors than this


@dataclass(frozen=True)
class Chain:
    """A derivative as factors side by side, with its number before them.

    Arguments: ``closed``, whether another product by elements or from the left would need brackets around all of it.
    """

    factors: tuple[Expression, ...] = ()
    scale: Expression | None = None
    closed: bool = False

    @property
    def expression(self) -> Expression:
        """The chain as an expression."""
        whole = MatrixProduct.of(self.factors) if self.factors else Number(1)
        if self.scale is None:
            return whole
        return self.scale if not self.factors else simplify(Product((self.scale, whole)))


@dataclass
class Line:
    """A derivative with a line of its own. Arguments: ``value``, in numerator layout."""

    vertex: Vertex
    name: Derivative
    expression: Expression
    value: Any
    shapes: list[tuple[int, ...]] = field(default_factory=list)


class MatrixDerivative:
    """The derivative of the root of some paths by their target, where there are arrays on the way."""

    def __init__(self, paths: Paths, writing: Writing, numbers: Numbers):
        self.paths, self.writing, self.numbers = paths, writing, numbers
        self.forms: dict[Edge, Form] = {}
        self.shapes: dict[Expression, tuple[int, ...]] = {}
        self.formulas: dict[Expression, tuple[Expression | None, Edge]] = {}
        self.lines: list[Line] = []
        self._uses = Counter(edge.output for edges in paths.edges.values() for edge in edges)
        self._joins = Counter(paths.dominator[v] for v, edges in paths.edges.items() if len({e.output for e in edges}) > 1)
        self._chains: dict[Vertex, Chain] = {paths.root: Chain()}
        self._values: dict[Vertex, Any] = {paths.root: numpy.asarray(1.0)}
        self._begun: dict[Vertex, Vertex] = {paths.root: paths.root}  # the last vertex that was named on the way there
        for vertex in paths.vertices[1:]:
            self._derive(vertex)
        if not self.lines or self.lines[-1].vertex is not paths.target:
            self._name(paths.target)
        self.lines.reverse()

    def _derive(self, vertex: Vertex) -> None:
        """The derivative by a vertex, from those by the values that were computed from it."""
        chains, value = [], None
        for edge in self.paths.edges[vertex]:
            form = self.forms[edge] = form_of(edge, self.writing, self.numbers)
            self.shapes.update(form.shapes or {})
            self.formulas.update({name: (formula, edge) for name, formula in (form.formulas or {}).items()})
            chain = self._chains[edge.output]
            if (chain.closed and not _is_scale(form)) or (self._has_arrays(chain) and not _extends(form)):
                self._name(edge.output)
            chains.append(self._applied(self._chains[edge.output], form))
            part = form.apply(self._values[edge.output])
            value = part if value is None else value + part
        self._values[vertex] = value
        self._chains[vertex] = chains[0] if len(chains) == 1 else _added(chains)
        chain = self._chains[vertex]
        named = vertex in self.writing.symbols
        length = len(chain.factors)
        shared = self._uses[vertex] > 1 and length > LONG and self._joins[vertex] != 1
        if vertex is not self.paths.target and (shared or length > LONGEST or (named and self._is_formula(vertex))):
            self._name(vertex)

    def _has_arrays(self, chain: Chain) -> bool:
        """Whether there are Jacobians of more than two axes in a chain, which is no product of matrices then."""
        return len(chain.factors) > 1 and any(len(self.shapes.get(factor, ())) > 2 for factor in chain.factors)

    def _applied(self, chain: Chain, form: Form) -> Chain:
        scale = _times(chain.scale, form.scale)
        if form.kind == "sum":
            inside = MatrixProduct.of(chain.factors) if chain.factors else Number(1)
            inside = Elementwise((inside, *form.right)) if form.right else inside
            return Chain((Over("sum", inside),), scale, closed=True)
        if form.kind == "elements":
            if chain.factors[-1:] == (Transpose(ONES),):
                return Chain((*chain.factors[:-1], *form.right), scale)
            inside = MatrixProduct.of(chain.factors) if chain.factors else Number(1)
            return Chain((Elementwise((inside, *form.right)),), scale, closed=True)
        factors = chain.factors
        if form.turned:
            factors = _factors(transposed(MatrixProduct.of(factors))) if factors else ()
        if form.left:
            whole = MatrixProduct.of(factors) if factors else None
            return Chain((*form.left, *([] if whole is None else [whole]), *form.right), scale, closed=True)
        if form.right and factors[-1:] == (Transpose(ONES),) and _is_diagonal(form.right[0]):
            (argument,) = form.right[0].arguments  # type: ignore[attr-defined]
            return Chain((*factors[:-1], transposed(argument), *form.right[1:]), scale, chain.closed)
        return Chain((*factors, *form.right), scale, chain.closed)

    def _is_formula(self, vertex: Vertex) -> bool:
        """Whether what led from the last named value to this one are formulas, which get a name such as ∂L/∂o."""
        way = self.paths.way(self.paths.root, vertex)
        before = [v for v in way[:-1] if v in self.writing.symbols]
        if before or any(len(self.paths.edges[v]) > 1 and len({e.output for e in self.paths.edges[v]}) > 1 for v in way):
            return False
        chain = self._chains[vertex]
        return any(not isinstance(factor, Symbol | Derivative) for factor in chain.factors) or chain.scale is not None

    def _name(self, vertex: Vertex) -> None:
        """Give the derivative by a vertex a line of its own, and its name to what follows."""
        name = self.writing.derivative(self.paths.root, vertex)
        expression = self._chains[vertex].expression
        if expression == name:
            return
        self.lines.append(Line(vertex, name, expression, self._values[vertex], self._sizes(expression)))
        self.shapes[name] = row_shape(vertex.shape)
        self._chains[vertex] = Chain((name,))

    def _sizes(self, expression: Expression) -> list[tuple[int, ...]]:
        """The shapes of the factors of a product, in their order."""
        factors = expression.factors if isinstance(expression, Product | MatrixProduct) else (expression,)
        found = []
        for factor in factors:
            if isinstance(factor, MatrixProduct):
                found += self._sizes(factor)
            elif size := self._size(factor):
                found.append(size)
        return found

    def _size(self, expression: Expression) -> tuple[int, ...] | None:
        """The shape of a factor, None of a number."""
        if expression in self.shapes:
            return self.shapes[expression]
        if isinstance(expression, Transpose):
            size = self._size(expression.term)
            return None if size is None else size[::-1]
        if isinstance(expression, MatrixProduct | Product):
            sizes = [size for factor in expression.factors if (size := self._size(factor))]
            return (sizes[0][0], *sizes[-1][1:]) if sizes else None
        return next((size for part in parts(expression) if (size := self._size(part))), None)

    @property
    def norms(self) -> list[tuple[Derivative, float]]:
        """The length of the derivative by each value that a folded module computed: how the gradient gets back."""
        blocks = [vertex for vertex in self.paths.vertices if isinstance(vertex.operation, Block)]
        derivative, root = self.writing.derivative, self.paths.root
        return [(derivative(root, v), float(numpy.linalg.norm(self._values[v]))) for v in blocks]

    @property
    def gradient(self) -> Any:
        """The derivative as a gradient, in the shape of the target."""
        return from_layout(self._values[self.paths.target], self.paths.target.shape)


def _extends(form: Form) -> bool:
    """Whether a form only adds factors at the end of a product, or a number before it."""
    return form.kind == "product" and not form.left and not form.turned


def _is_scale(form: Form) -> bool:
    """Whether a form only multiplies by a number."""
    return _extends(form) and not form.right


def _added(chains: list[Chain]) -> Chain:
    """The sum of chains, what they begin with before brackets."""
    if len({chain.scale for chain in chains}) > 1:
        chains = [Chain(_factors(chain.expression), None, True) for chain in chains]
    scale = chains[0].scale
    common: list[Expression] = []
    for factors in zip(*(chain.factors for chain in chains), strict=False):
        if len(set(factors)) > 1:
            break
        common.append(factors[0])
    rests = [chain.factors[len(common) :] for chain in chains]
    counts = Counter(MatrixProduct.of(rest) if rest else Symbol("I") for rest in sorted(rests, key=bool))
    if len(counts) == 1:
        (rest, count), *_ = counts.items()
        factors = tuple(common) if rest == Symbol("I") else (*common, rest)
        return Chain(factors, _times(scale, Number(count)), any(chain.closed for chain in chains))
    terms = Sum.of(term if n == 1 else Product((Number(n), term)) for term, n in counts.items())
    return Chain((*common, simplify(terms)), scale, not common)


def _times(a: Expression | None, b: Expression | None) -> Expression | None:
    if a is None or b is None:
        return a if b is None else b
    above, below = zip(*((x.numerator, x.denominator) if isinstance(x, Quotient) else (x, Number(1)) for x in (a, b)))
    return simplify(Quotient(simplify(Product(above)), simplify(Product(below))))


def _factors(expression: Expression) -> tuple[Expression, ...]:
    return expression.factors if isinstance(expression, MatrixProduct) else (expression,)


def _is_diagonal(expression: Expression) -> bool:
    return getattr(expression, "function", None) == Symbol("diag")
