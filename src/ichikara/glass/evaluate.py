"""The value of an expression, with numbers or arrays for its symbols."""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from math import e, pi
from typing import Any

import numpy

from ..arrays import erf
from ..autodiff import Tensor
from ..errors import UserError
from .expression import (
    Call,
    Comparison,
    Derivative,
    Elementwise,
    Expression,
    Iverson,
    Logic,
    MatrixProduct,
    Negative,
    Number,
    Over,
    Power,
    Product,
    Quotient,
    Sum,
    Symbol,
    Transpose,
    Where,
    parts,
)
from .text import to_text

__all__ = ["FUNCTIONS", "evaluate"]


def _sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


def _whole(function):
    return lambda x: function(numpy.asarray(x))


def _softmax(x):
    powers = numpy.exp(x - numpy.max(x))
    return powers / numpy.sum(powers)


FUNCTIONS: dict[str, Callable] = {
    "abs": numpy.abs,
    "arccos": numpy.arccos,
    "arcosh": numpy.arccosh,
    "arcsin": numpy.arcsin,
    "arctan": numpy.arctan,
    "arsinh": numpy.arcsinh,
    "artanh": numpy.arctanh,
    "atan2": numpy.arctan2,
    "ceil": numpy.ceil,
    "copysign": numpy.copysign,
    "cos": numpy.cos,
    "cosh": numpy.cosh,
    "diag": numpy.diag,
    "erf": _whole(erf),
    "exp": numpy.exp,
    "floor": numpy.floor,
    "invert": numpy.invert,
    "ln": numpy.log,
    "log2": numpy.log2,
    "log10": numpy.log10,
    "max": numpy.maximum,
    "min": numpy.minimum,
    "mod": numpy.mod,
    "nextafter": numpy.nextafter,
    "not": numpy.logical_not,
    "round": numpy.round,
    "sign": numpy.sign,
    "sin": numpy.sin,
    "sinh": numpy.sinh,
    "softmax": _softmax,
    "sqrt": numpy.sqrt,
    "tan": numpy.tan,
    "tanh": numpy.tanh,
    "Φ": lambda x: (1 + erf(numpy.asarray(x) / numpy.sqrt(2))) / 2,
    "σ": _sigmoid,
    "φ": lambda x: numpy.exp(-(x**2) / 2) / numpy.sqrt(2 * pi),
}
"""The functions that an expression may call, by their names."""

_CONSTANTS = {"π": pi, "e": e, "∞": numpy.inf, "nan": numpy.nan}
_COMPARISONS: dict[str, Callable] = {
    "=": numpy.equal,
    "≠": numpy.not_equal,
    "<": numpy.less,
    "≤": numpy.less_equal,
    ">": numpy.greater,
    "≥": numpy.greater_equal,
    "∈": numpy.isin,
}
_LOGIC: dict[str, Callable] = {
    "∧": numpy.logical_and,
    "∨": numpy.logical_or,
    "⊕": numpy.bitwise_xor,
    "&": numpy.bitwise_and,
    "|": numpy.bitwise_or,
    "≪": numpy.left_shift,
    "≫": numpy.right_shift,
}
_OVER: dict[str, Callable] = {
    "sum": numpy.sum,
    "prod": numpy.prod,
    "max": numpy.max,
    "min": numpy.min,
    "all": numpy.all,
    "any": numpy.any,
}


def evaluate(expression: Expression, values: Mapping[Any, Any] | None = None) -> Any:
    """The value of an expression.

    An element such as x_ij is looked up under its own symbol, and else in the array x at the values of i and j. A sum
    over an index goes over the axis on which the index is used.

    Arguments: ``values``, numbers and arrays by symbols or plain names; functions too, beside those of `FUNCTIONS`;
    derivatives by themselves.

    Raises UserError for a symbol or function without a value.

    >>> float(evaluate(Symbol("x") ** 2 + 1, {"x": 3.0}))
    10.0
    """
    known = {Symbol(key) if isinstance(key, str) else key: value for key, value in (values or {}).items()}
    return _Evaluation(known).value(expression)


class _Evaluation:
    def __init__(self, known):
        self.known = known

    def value(self, expression: Expression) -> Any:
        how: Callable = _HOW[type(expression)]
        return how(self, expression)

    def all(self, expressions) -> list:
        return [self.value(expression) for expression in expressions]

    def number(self, node: Number):
        return node.value

    def symbol(self, node: Symbol):
        if node in self.known:
            return self.known[node]
        if node.subscript and node.plain() in self.known:
            array, place = numpy.asarray(self.known[node.plain()]), tuple(int(self.value(i)) for i in node.subscript)
            if len(place) != array.ndim or any(not 0 <= i < n for i, n in zip(place, array.shape, strict=True)):
                raise UserError(f"{node.base} has the shape {array.shape} and no element {place}")
            return array[place]
        if node == Symbol(node.base) and node.base in _CONSTANTS:
            return _CONSTANTS[node.base]
        raise UserError(f"no value was given for {to_text(node)}")

    def derivative(self, node: Derivative):
        if node not in self.known:
            raise UserError(f"no value was given for {to_text(node)}")
        return self.known[node]

    def sum(self, node: Sum):
        total = self.value(node.terms[0])
        for term in node.terms[1:]:
            total = total - self.value(term.term) if isinstance(term, Negative) else total + self.value(term)
        return total

    def negative(self, node: Negative):
        return -self.value(node.term)

    def product(self, node: Product | Elementwise):
        result = self.value(node.factors[0])
        for factor in node.factors[1:]:
            result = result * self.value(factor)
        return result

    def quotient(self, node: Quotient):
        return numpy.true_divide(self.value(node.numerator), self.value(node.denominator))

    def power(self, node: Power):
        base, exponent = self.all((node.base, node.exponent))
        if isinstance(base, Tensor) or isinstance(exponent, Tensor):
            return base**exponent
        base, exponent = numpy.asarray(base), numpy.asarray(exponent)
        whole = base.dtype.kind in "iub" and exponent.dtype.kind in "iub"  # whole numbers have no negative powers
        return numpy.power(base.astype("float64") if whole else base, exponent)

    def matrix_product(self, node: MatrixProduct):
        return _product_of_matrices(self.all(node.factors))

    def transpose(self, node: Transpose):
        array = numpy.asarray(self.value(node.term))
        return array[None, :] if array.ndim == 1 else array.mT

    def call(self, node: Call):
        function = self.known.get(node.function)
        if function is None and node.function == Symbol(node.function.base):
            function = FUNCTIONS.get(node.function.base)
        if not callable(function):
            raise UserError(f"there is no function {to_text(node.function)}; give it among the values")
        return function(*self.all(node.arguments))

    def where(self, node: Where):
        return numpy.where(*self.all((node.condition, node.then, node.otherwise)))[()]

    def comparison(self, node: Comparison):
        terms, result = self.all(node.terms), numpy.True_
        for sign, left, right in zip(node.signs, terms, terms[1:], strict=False):
            result = result & _COMPARISONS[sign](left, right)
        return result

    def logic(self, node: Logic):
        terms = self.all(node.terms)
        result = terms[0]
        for term in terms[1:]:
            result = _LOGIC[node.sign](result, term)
        return result

    def iverson(self, node: Iverson):
        return self.value(node.condition) * 1.0

    def over(self, node: Over):
        if node.operator not in _OVER:
            raise UserError(f"there is no value of {node.operator} over indices; its formula says what it is")
        conditions = [part for part in node.indices if not isinstance(part, Symbol)]
        conditions += [node.condition] if node.condition is not None else []
        names = [part if isinstance(part, Symbol) else next(iter(parts(part))) for part in node.indices]
        found, before = [], self.known
        for place in product(*(range(self.length(node, name)) for name in names)):
            self.known = {**before, **dict(zip(names, place, strict=True))}
            if all(self.all(conditions)):
                found.append(self.value(node.body))
        self.known = before
        return _OVER[node.operator](found, axis=0)

    def length(self, node: Expression, index: Expression) -> int:
        """How far an index goes: the length of the axis that it stands for in an array of known values."""
        for symbol in _all_symbols(node):
            array = self.known.get(symbol.plain())
            if array is not None and index in symbol.subscript:
                return numpy.shape(array)[symbol.subscript.index(index)]
        raise UserError(f"nothing says how far the index {to_text(index)} goes")


def _all_symbols(node: Expression) -> Iterator[Symbol]:
    if isinstance(node, Symbol):
        yield node
    for part in parts(node):
        yield from _all_symbols(part)


def _product_of_matrices(factors):
    """The product; a vector at the beginning is a row, one behind another factor a column."""
    result = numpy.asarray(factors[0])
    for factor in map(numpy.asarray, factors[1:]):
        if result.ndim == 1 and factor.ndim == 2 and len(factor) == 1 != len(result):
            result = result[:, None]  # a column by a row
        result = result @ factor if result.ndim and factor.ndim else result * factor
    return result


_HOW: dict[type, Callable] = {
    Number: _Evaluation.number,
    Symbol: _Evaluation.symbol,
    Derivative: _Evaluation.derivative,
    Sum: _Evaluation.sum,
    Negative: _Evaluation.negative,
    Product: _Evaluation.product,
    Elementwise: _Evaluation.product,
    Quotient: _Evaluation.quotient,
    Power: _Evaluation.power,
    MatrixProduct: _Evaluation.matrix_product,
    Transpose: _Evaluation.transpose,
    Call: _Evaluation.call,
    Where: _Evaluation.where,
    Comparison: _Evaluation.comparison,
    Logic: _Evaluation.logic,
    Iverson: _Evaluation.iverson,
    Over: _Evaluation.over,
}
