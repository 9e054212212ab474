r"""Local derivatives: what the records say of ∂y/∂x, as expressions.

Where the rule of an input is a formula of elements, such as ``\bar x = \bar y\,(1 - y^2)``, the derivative is what
multiplies the incoming gradient there; nobody writes it a second time. The other records state it, by `jacobian`.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ..errors import UserError
from .expression import (
    Elementwise,
    Equation,
    Expression,
    MatrixProduct,
    Negative,
    Number,
    Over,
    Product,
    Quotient,
    Sum,
    Symbol,
    Transpose,
    Where,
    parts,
    substitute,
    symbols,
)
from .parse import parse_formula
from .simplify import simplify

__all__ = ["Letters", "forward_formula", "is_elementwise", "letters", "local_derivative", "stated_derivative"]

ZERO, ONE = Number(0), Number(1)


class Letters(dict):
    """What the formulas of a record call its inputs, by the inputs' names. ``output``: what they call its value."""

    output: Symbol


@lru_cache(None)
def letters(operation: Any) -> Letters:
    """The symbols in the formulas of an operation.

    >>> from ichikara.ops import leaky_relu
    >>> found = letters(leaky_relu)
    >>> {name: symbol.base for name, symbol in found.items()}, found.output.base
    ({'x': 'x', 'negative_slope': 'a'}, 'y')
    """
    equation = parse_formula(operation.formula)[0]
    assert isinstance(equation, Equation), operation.formula
    found = Letters()
    found.output = _plain(equation.sides[0])
    for name, rule in operation.rules.items():
        if name is not None:
            found[name] = _plain(_sides(rule.formula)[0])
    free = [symbol for side in equation.sides for symbol in _arrays(side)]
    for name in operation.inputs:  # those without a gradient, and the parts of a sequence
        if name not in found:
            spare = [symbol for symbol in free if symbol not in (*found.values(), found.output)]
            found[name] = Symbol(name) if Symbol(name) in spare or not spare else spare[0]
    return found


def _arrays(expression: Expression) -> Iterator[Symbol]:
    """The symbols of arrays: those that stand as indices, such as k in x_i at k_i, first, and no mere index."""
    found = symbols(expression)
    for symbol in found:
        for index in symbol.subscript:
            yield from (_plain(inner) for inner in symbols(index) if inner.subscript)
    indices = [index for over in _within(expression, Over) for index in over.indices]
    yield from (_plain(symbol) for symbol in found if symbol not in indices)


def _within(expression: Expression, kind: type) -> Iterator[Any]:
    if isinstance(expression, kind):
        yield expression
    for part in parts(expression):
        yield from _within(part, kind)


def _plain(expression: Expression) -> Symbol:
    """A symbol without accent and indices."""
    if isinstance(expression, Symbol):
        return Symbol(expression.base)
    return Symbol("")


def _sides(formula: str) -> tuple[Expression, Expression]:
    """The left side of a rule, and the last one."""
    equation = parse_formula(formula)[0]
    assert isinstance(equation, Equation), formula
    return equation.sides[0], equation.sides[-1]


@lru_cache(None)
def forward_formula(operation: Any) -> tuple[Equation, ...]:
    """What an operation or a composed function computes: its equation, and those that explain letters in it."""
    return parse_formula(operation.formula)  # type: ignore[return-value]


@lru_cache(None)
def is_elementwise(operation: Any) -> bool:
    """Whether each element of the output depends on one element of each input, and the rules say how.

    >>> from ichikara.ops import matmul, tanh
    >>> is_elementwise(tanh), is_elementwise(matmul)
    (True, False)
    """
    rules = getattr(operation, "rules", {})
    return bool(rules) and None not in rules and all(_divided(operation, name) is not None for name in rules)


@lru_cache(None)
def local_derivative(operation: Any, name: str) -> Expression:
    """The derivative of an elementwise operation by an input, in the letters of its formulas (see `letters`).

    Raises UserError where the operation is not elementwise, or the input has no derivative.

    >>> from ichikara.ops import divide, tanh
    >>> from .text import to_text
    >>> to_text(local_derivative(tanh, "x")), to_text(local_derivative(divide, "b"))
    ('1 − y²', '−y/b')
    """
    found = _divided(operation, name) if name in operation.rules else None
    if found is None:
        raise UserError(f"{operation.name} has no derivative by {name} that is a formula of elements")
    return found


@lru_cache(None)
def stated_derivative(operation: Any, name: str) -> tuple[Equation, ...]:
    """What the record of an operation states of its derivative by an input, by `Operation.jacobian`.

    Raises UserError where it states nothing.
    """
    if name not in operation.jacobians:
        raise UserError(f"the record of {operation.name} states no derivative by {name}")
    return parse_formula(operation.jacobians[name])  # type: ignore[return-value]


def _divided(operation, name) -> Expression | None:
    """The rule's right side divided by the incoming gradient; None where it is no formula of elements."""
    left, right = _sides(operation.rules[name].formula)
    output = letters(operation).output
    if not isinstance(left, Symbol) or left.subscript or _has_matrices(right):
        return None
    incoming = Symbol(output.base, accent="bar")
    quotient = divided(right, incoming)
    if quotient is None or any(symbol.accent == "bar" for symbol in symbols(quotient)):
        return None
    return simplify(quotient)


def _has_matrices(expression: Expression) -> bool:
    """Whether it is made of more than elements."""
    return any(any(_within(expression, kind)) for kind in (MatrixProduct, Transpose, Over, Elementwise))


def divided(expression: Expression, factor: Symbol) -> Expression | None:
    """The expression divided by a factor that each of its terms has once; None where one has not.

    >>> x, g = Symbol("x"), Symbol("g")
    >>> simplify(divided(Negative(g * x / 2), g)) == Negative(x / 2)
    True
    """
    if expression == factor:
        return ONE
    if expression == ZERO:
        return ZERO
    if isinstance(expression, Negative):
        return _all_or_none(Negative, divided(expression.term, factor))
    if isinstance(expression, Sum):
        return _all_or_none(lambda *terms: Sum(terms), *(divided(term, factor) for term in expression.terms))
    if isinstance(expression, Product):
        has = [_contains(part, factor) for part in expression.factors]
        if sum(has) != 1:
            return None
        factors = [divided(p, factor) if h else p for p, h in zip(expression.factors, has, strict=True)]
        return _all_or_none(lambda *rest: Product(rest), *factors)
    if isinstance(expression, Quotient) and not _contains(expression.denominator, factor):
        below = expression.denominator
        return _all_or_none(lambda above: Quotient(above, below), divided(expression.numerator, factor))
    if isinstance(expression, Where) and not _contains(expression.condition, factor):
        condition = expression.condition
        branches = divided(expression.then, factor), divided(expression.otherwise, factor)
        return _all_or_none(lambda then, otherwise: Where(condition, then, otherwise), *branches)
    return None


def _contains(expression: Expression, part: Expression) -> bool:
    return substitute(expression, {part: ZERO}) != expression


def _all_or_none(make, *found):
    return None if any(part is None for part in found) else make(*found)
