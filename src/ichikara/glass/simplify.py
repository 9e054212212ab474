"""Simplifying: the same value, written as a person would write it.

Nothing is sorted, and no rule changes a value where it is defined. Whole numbers are computed; decimal ones are not,
since a sum in another order is rounded otherwise.
"""

from math import gcd

from .expression import (
    Comparison,
    Elementwise,
    Expression,
    Iverson,
    MatrixProduct,
    Negative,
    Number,
    Power,
    Product,
    Quotient,
    Sum,
    Symbol,
    Transpose,
    Where,
    mapped,
    number,
)

__all__ = ["simplify"]

ZERO, ONE = Number(0), Number(1)
LARGEST = 2**53  # up to which a floating-point number holds every whole number


def simplify(expression: Expression) -> Expression:
    """The expression without what does not change its value: zeros, ones, double signs, brackets in brackets.

    >>> t = Symbol("t")
    >>> simplify(2 * t ** (Number(2) - 1)) == 2 * t
    True
    """
    if isinstance(expression, Symbol):
        return expression
    expression = mapped(expression, simplify)
    rule = _RULES.get(type(expression))
    return rule(expression) if rule else expression


def _whole(expression: Expression) -> int | None:
    """The value of a whole number with or without a sign."""
    sign = 1
    if isinstance(expression, Negative):
        sign, expression = -1, expression.term
    if isinstance(expression, Number) and expression.value == int(expression.value) <= LARGEST:
        return sign * int(expression.value)
    return None


def _negative(expression):
    term = expression.term
    if isinstance(term, Negative):
        return term.term
    return ZERO if term == ZERO else expression


def negated(expression: Expression) -> Expression:
    """The expression with its sign changed."""
    return _negative(Negative(expression))


def _sum(expression):
    terms: list[Expression] = []
    for term in expression.terms:
        if isinstance(term, Sum):
            terms += term.terms
        elif isinstance(term, Negative) and isinstance(term.term, Sum):
            terms += map(negated, term.term.terms)
        else:
            terms.append(term)
    whole = [value for value in map(_whole, terms) if value is not None]
    if len(whole) > 1 and abs(sum(whole)) <= LARGEST:
        place = next(i for i, term in enumerate(terms) if _whole(term) is not None)
        terms = [
            number(sum(whole)) if i == place else t for i, t in enumerate(terms) if i == place or _whole(t) is None
        ]
    return Sum.of(term for term in terms if term != ZERO)


def _signed(factors) -> tuple[bool, list[Expression]]:
    """Whether a product is negative, and its factors without signs."""
    negative, found = False, []
    for factor in factors:
        if isinstance(factor, Negative):
            negative, factor = not negative, factor.term
        found.append(factor)
    return negative, found


def _with_sign(negative: bool, expression: Expression) -> Expression:
    return negated(expression) if negative else expression


def _product(expression):
    negative, factors = _signed(expression.factors)
    factors = _signless_factors(factors)
    if ZERO in factors:
        return ZERO
    powers = _collected(factors)
    return _with_sign(negative, Product.of(powers))


def _signless_factors(factors) -> list[Expression]:
    """The factors, those of products among them one by one, with the product of the whole numbers in front."""
    flat: list[Expression] = []
    for factor in factors:
        flat += factor.factors if isinstance(factor, Product) else (factor,)
    whole, others = 1, []
    for factor in flat:
        value = _whole(factor)
        if value is not None and whole * value <= LARGEST:
            whole *= value
        else:
            others.append(factor)
    return others if whole == 1 else [Number(whole), *others]


def _collected(factors) -> list[Expression]:
    """The factors with whole powers of one base as one power, at the place of the first."""
    exponents: dict[Expression, int] = {}
    for factor in factors:
        base, exponent = _base(factor)
        exponents[base] = exponents.get(base, 0) + exponent
    found: list[Expression] = []
    for factor in factors:
        base, _ = _base(factor)
        if isinstance(base, Number):
            found.append(factor)
        elif n := exponents.pop(base, 0):
            found.append(_power(Power(base, number(n))))
    return found


def _base(factor: Expression) -> tuple[Expression, int]:
    """A factor as a base and its whole exponent."""
    if isinstance(factor, Power) and (exponent := _whole(factor.exponent)) is not None:
        return factor.base, exponent
    return factor, 1


def _quotient(expression):
    negative, (top, bottom) = _signed((expression.numerator, expression.denominator))
    if bottom == ONE or top == ZERO:
        return _with_sign(negative, top)
    above, below = _factors(top), _factors(bottom)
    first, second = _whole(above[0]), _whole(below[0])
    if first and second and (common := gcd(first, second)) > 1:
        above[0], below[0] = Number(first // common), Number(second // common)
    for factor in list(above):
        if factor in below and factor != ONE:
            above.remove(factor)
            below.remove(factor)
    above, below = ([factor for factor in side if factor != ONE] for side in (above, below))
    top = Product.of(above)
    return _with_sign(negative, Quotient(top, Product.of(below)) if below else top)


def _factors(expression: Expression) -> list[Expression]:
    return list(expression.factors) if isinstance(expression, Product) else [expression]


def _power(expression):
    base, exponent = expression.base, expression.exponent
    n = _whole(exponent)
    if n == 0 or base == ONE:
        return ONE
    if n == 1:
        return base
    value = _whole(base)
    if n is not None and isinstance(base, Power) and (m := _whole(base.exponent)) is not None:
        return _power(Power(base.base, number(m * n)))
    if n is not None and value is not None and 0 < n <= 53 and abs(value) ** n <= LARGEST:
        return number(value**n)
    return expression


def _matrix_product(expression):
    negative, factors = _signed(expression.factors)
    flat: list[Expression] = []
    for factor in factors:
        flat += factor.factors if isinstance(factor, MatrixProduct) else (factor,)
    return _with_sign(negative, MatrixProduct.of(flat))


def _elementwise(expression):
    negative, factors = _signed(expression.factors)
    return _with_sign(negative, Elementwise(tuple(factors)))


def _transpose(expression):
    term = expression.term
    return term.term if isinstance(term, Transpose) else term if isinstance(term, Number) else expression


def _holds(condition: Expression) -> bool | None:
    """Whether a comparison of two whole numbers holds; None where that cannot be said."""
    if not isinstance(condition, Comparison) or len(condition.terms) != 2:
        return None
    a, b = map(_whole, condition.terms)
    if a is None or b is None:
        return None
    known = {"=": a == b, "≠": a != b, "<": a < b, "≤": a <= b, ">": a > b, "≥": a >= b}
    return known.get(condition.signs[0])


def _iverson(expression):
    holds = _holds(expression.condition)
    return expression if holds is None else Number(int(holds))


def _where(expression):
    holds = _holds(expression.condition)
    if holds is None:
        return expression.then if expression.then == expression.otherwise else expression
    return expression.then if holds else expression.otherwise


_RULES = {
    Negative: _negative,
    Sum: _sum,
    Product: _product,
    Quotient: _quotient,
    Power: _power,
    MatrixProduct: _matrix_product,
    Elementwise: _elementwise,
    Transpose: _transpose,
    Iverson: _iverson,
    Where: _where,
}
