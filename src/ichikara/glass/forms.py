"""What an operation does to the derivative of a number by its output, in numerator layout.

A number's derivative by a column of n numbers is a row of n, by a matrix of m × n one of n × m; by an array of more
axes it has the array's own. An operation makes of the derivative by its output the one by an input: a product of
matrices, from the right, from the left, or element by element. Which one is read off the rule in its record, and
believed only where it gives the rule's numbers.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy

from .computation import Vertex
from .evaluate import evaluate
from .expression import (
    Call,
    Expression,
    MatrixProduct,
    Negative,
    Number,
    Quotient,
    Symbol,
    Transpose,
    mapped,
    number,
    substitute,
    symbols,
)
from .local import is_elementwise, letters
from .parse import parse_formula
from .paths import Edge
from .simplify import simplify
from .values import Numbers
from .writing import Writing, is_of_matrices

__all__ = ["Form", "as_matrix", "column_shape", "form_of", "from_layout", "in_layout", "row_shape", "transposed"]

ONES = Symbol("𝟏")
_INCOMING = Symbol("∂")  # stands for the derivative by the output


@dataclass(frozen=True)
class Form:
    """How a derivative D by an output becomes the one by an input.

    Arguments: ``kind``, "product" for left·D·right, "elements" for D ∘ factor, "sum" for what is summed where the input
    was broadcast; ``left`` and ``right``, the factors; ``turned``, whether D is transposed; ``scale``, a number before
    all; ``apply``, the same with numbers; ``shapes``, of the factors; ``formula``, what the factor is, for a line of its
    own.
    """

    kind: str
    apply: Callable[[Any], Any]
    left: tuple[Expression, ...] = ()
    right: tuple[Expression, ...] = ()
    turned: bool = False
    scale: Expression | None = None
    shapes: Mapping[Expression, tuple[int, ...]] | None = None
    formulas: Mapping[Expression, Expression | None] | None = None


def form_of(edge: Edge, writing: Writing, numbers: Numbers) -> Form:
    """The form of an operation for one of its inputs."""
    return (
        _elementwise(edge, writing, numbers)
        or _even(edge, writing, numbers)
        or _of_matrices(edge, writing, numbers)
        or _summed(edge, numbers)
        or _general(edge, writing, numbers)
    )


# --- layout -----------------------------------------------------------------------------------------------------------


def in_layout(gradient: Any) -> Any:
    """A gradient in numerator layout: a row for a column, a matrix transposed, others as they are."""
    array = numpy.asarray(gradient)
    return array[None, :] if array.ndim == 1 else array.T if array.ndim == 2 else array


def from_layout(derivative: Any, shape: tuple[int, ...]) -> Any:
    """A derivative in numerator layout as a gradient, which has the shape of what it belongs to."""
    return numpy.asarray(derivative).T.reshape(shape) if len(shape) <= 2 else numpy.asarray(derivative).reshape(shape)


def as_matrix(value: Any) -> Any:
    """An array as it stands in a product: one with a single axis is a column."""
    array = numpy.asarray(value)
    return array[:, None] if array.ndim == 1 else array


def column_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an array as it stands in a product."""
    return (1, 1) if not shape else (shape[0], 1) if len(shape) == 1 else shape


def row_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a number's derivative by an array."""
    return column_shape(shape)[::-1] if len(shape) <= 2 else shape


def transposed(expression: Expression) -> Expression:
    """The transpose of a product, sum or matrix, as far inside as it can be written."""
    if isinstance(expression, MatrixProduct):
        return MatrixProduct(tuple(transposed(factor) for factor in reversed(expression.factors)))
    if isinstance(expression, Transpose):
        return expression.term
    if isinstance(expression, Number):
        return expression
    if isinstance(expression, Negative):
        return Negative(transposed(expression.term))
    return Transpose(expression)


# --- forms ------------------------------------------------------------------------------------------------------------


def _pulled(edge: Edge, numbers: Numbers, gradient: Any) -> Any:
    return numpy.asarray(edge.output.pull(gradient, numbers.values, [edge.name])[edge.name])


def _probe(shape: tuple[int, ...]) -> Any:
    """A gradient to try a form with."""
    return numpy.random.default_rng(0).standard_normal(shape)


def _elementwise(edge: Edge, writing: Writing, numbers: Numbers) -> Form | None:
    """An operation on each element by itself: a diagonal matrix for a column, a product by elements for a matrix."""
    if not is_elementwise(edge.output.operation):
        return None
    shape, inner = edge.output.shape, edge.input.shape
    slopes = _pulled_elements(edge, numbers)
    shown = writing.shown(edge)
    if slopes is None or shown is None:
        return None
    local = writing.local(edge)
    constant = _constant(shown)
    if inner != shape:
        if not inner and len(shape) == 1:  # a number beside a column: the factor is a column
            factor = MatrixProduct((shown, ONES)) if constant else shown
            return Form("product", lambda d: d @ slopes[:, None], right=_factors(factor), shapes={factor: (shape[0], 1)})
        inside = None if constant else shown
        return Form(
            "sum",
            lambda d: in_layout(_reduced(from_layout(d, shape) * slopes, inner)),
            right=() if inside is None else (inside,),
            scale=shown if constant and shown != Number(1) else None,
            formulas={inside: local} if inside is not None and _is_prime(inside) else {},
        )
    if constant:
        return Form("product", lambda d: d * in_layout(slopes), scale=None if shown == Number(1) else shown)
    if not shape:
        own = {shown: local} if _is_prime(shown) else {}
        return Form("product", lambda d: d * slopes, right=(shown,), shapes={shown: (1, 1)}, formulas=own)
    if len(shape) == 1:
        prime = _is_prime(shown)
        factor = shown if prime else Call(Symbol("diag"), (shown,))
        formula = Call(Symbol("diag"), (local,)) if prime and local is not None and shape != (1,) else local
        sizes = {factor: (shape[0], shape[0])}
        return Form("product", lambda d: d * slopes, right=(factor,), shapes=sizes, formulas={factor: formula} if prime else {})
    factor = transposed(shown) if len(shape) == 2 else shown
    sizes = {factor: row_shape(shape)}
    own = {shown: local} if _is_prime(shown) else {}
    return Form("elements", lambda d: d * in_layout(slopes), right=(factor,), shapes=sizes, formulas=own)


def _pulled_elements(edge: Edge, numbers: Numbers) -> Any:
    """The local derivative of each element, in the shape of the output."""
    try:
        wide = {**numbers.values}
        wide[edge.input] = numpy.broadcast_to(numpy.asarray(wide[edge.input], "float64"), edge.output.shape)
        return numpy.asarray(edge.output.pull(numpy.ones(edge.output.shape), wide, [edge.name])[edge.name])
    except (ValueError, KeyError):
        return None


def _even(edge: Edge, writing: Writing, numbers: Numbers) -> Form | None:
    """A number that depends on all elements alike, as their sum or mean does."""
    shape = edge.input.shape
    if edge.output.shape or not shape:
        return None
    slopes = _pulled(edge, numbers, numpy.asarray(1.0))
    first = float(slopes.flat[0]) if slopes.size else 1.0
    if not (slopes == first).all():
        return None
    size = slopes.size
    scale = None if first == 1 else Quotient(Number(1), Number(size)) if first * size == 1 else number(first)
    ones = Transpose(ONES)
    return Form("product", lambda d: d * in_layout(slopes), right=(ones,), scale=scale, shapes={ones: row_shape(shape)})


def _of_matrices(edge: Edge, writing: Writing, numbers: Numbers) -> Form | None:
    """A product of matrices, as the rule of the record says it."""
    operation = edge.output.operation
    if edge.name not in operation.rules:
        return None
    right = _right_side(operation.rules[edge.name].formula)
    if not is_of_matrices(right):
        return None
    called = letters(operation)
    incoming = Symbol(called.output.base, accent="bar")
    held = {symbol: name for name, symbol in called.items() if symbol in symbols(right)}
    arrays = {symbol: edge.output.inputs[name] for symbol, name in held.items() if name in edge.output.inputs}
    if any(len(v.shape) > 2 for v in (edge.output, edge.input, *arrays.values())) or len(arrays) < len(held):
        return None
    probe = _probe(edge.output.shape)
    expected = in_layout(_pulled(edge, numbers, probe))
    for form in _orientations(edge, right, incoming, arrays, writing, numbers):
        try:
            found = form.apply(in_layout(probe))
        except ValueError:
            continue
        if found.shape == expected.shape and numpy.allclose(found, expected, rtol=1e-9, atol=1e-12):
            return form
    return None


@lru_cache(None)
def _right_side(formula: str) -> Expression:
    return parse_formula(formula)[0].sides[-1]  # type: ignore[attr-defined]


def _orientations(edge, right, incoming, arrays, writing, numbers) -> Iterator[Form]:
    """The ways in which the arrays with one axis may be rows or columns in the formula of a rule."""
    single = [vertex for vertex in {edge.output, edge.input, *arrays.values()} if len(vertex.shape) == 1]
    for rows in product((False, True), repeat=len(single)):
        is_row = dict(zip(single, rows, strict=True))
        replaced: dict[Expression, Expression] = {}
        values: dict[Expression, Any] = {}
        for symbol, vertex in arrays.items():
            name = writing.symbol(vertex)
            replaced[symbol] = Transpose(name) if is_row.get(vertex) else name
            values[name] = as_matrix(numbers.values[vertex])
        plain = not edge.output.shape or is_row.get(edge.output)
        replaced[incoming] = _INCOMING if plain else Transpose(_INCOMING)
        whole = substitute(right, replaced)
        if not (is_row.get(edge.input) or not edge.input.shape):
            whole = transposed(whole)
        form = _around(_pushed(whole), values, {writing.symbol(v): column_shape(v.shape) for v in arrays.values()})
        if form is not None:
            yield form


def _pushed(expression: Expression) -> Expression:
    """Transposes as far inside as they can be, and products of products as one."""
    if isinstance(expression, Transpose):
        return transposed(_pushed(expression.term))
    return simplify(mapped(expression, _pushed))


def _around(whole: Expression, values: dict[Expression, Any], sizes: dict[Expression, tuple[int, ...]]) -> Form | None:
    """The factors before and behind the incoming derivative in a product."""
    negative = isinstance(whole, Negative)
    whole = whole.term if isinstance(whole, Negative) else whole
    factors = whole.factors if isinstance(whole, MatrixProduct) else (whole,)
    places = [i for i, factor in enumerate(factors) if _INCOMING in symbols(factor)]
    if len(places) != 1 or factors[places[0]] not in (_INCOMING, Transpose(_INCOMING)):
        return None
    i = places[0]
    turned = factors[i] != _INCOMING

    def apply(d):
        return evaluate(whole, {**values, _INCOMING: d if numpy.ndim(d) else numpy.asarray([[d]])})

    shapes = {f: sizes[f] if f in sizes else sizes[f.term][::-1] for f in (*factors[:i], *factors[i + 1 :])}
    return Form("product", apply, factors[:i], factors[i + 1 :], turned, Negative(Number(1)) if negative else None, shapes)


def _summed(edge: Edge, numbers: Numbers) -> Form | None:
    """An operation whose rule only adds up: where an input was broadcast, such as a bias."""
    probe = _probe(edge.output.shape)
    inner = edge.input.shape
    try:
        expected = _reduced(probe, inner)
    except ValueError:
        return None
    if not numpy.allclose(_pulled(edge, numbers, probe), expected):
        return None
    if inner == edge.output.shape:
        return Form("product", lambda d: d)
    return Form("sum", lambda d: in_layout(_reduced(from_layout(d, edge.output.shape), inner)))


def _general(edge: Edge, writing: Writing, numbers: Numbers) -> Form:
    """An operation of which only its Jacobian can be named."""
    name = writing.derivative(edge.output, edge.input)
    shape, inner = edge.output.shape, edge.input.shape

    def apply(d):
        return in_layout(_pulled(edge, numbers, from_layout(d, shape)))

    size = row_shape(inner) if not shape else (*shape, *inner)
    return Form("product", apply, right=(name,), shapes={name: size}, formulas={name: None})


def _reduced(array: Any, shape: tuple[int, ...]) -> Any:
    """An array summed to a shape that it can be broadcast from."""
    if numpy.broadcast_shapes(array.shape, shape) != array.shape:
        raise ValueError(f"{array.shape} is not broadcast from {shape}")
    lead = array.ndim - len(shape)
    array = array.sum(axis=tuple(range(lead)))
    return array.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1 != array.shape[i]), keepdims=True)


def _constant(expression: Expression) -> bool:
    return isinstance(expression.term if isinstance(expression, Negative) else expression, Number)


def _is_prime(expression: Expression) -> bool:
    symbol = expression.function if isinstance(expression, Call) else expression
    return isinstance(symbol, Symbol) and symbol.primes > 0


def _factors(expression: Expression) -> tuple[Expression, ...]:
    return expression.factors if isinstance(expression, MatrixProduct) else (expression,)


_ = Vertex
