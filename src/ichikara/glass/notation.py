"""What every way of writing an expression shares: what binds how strongly, and where brackets are needed."""

from collections.abc import Callable

from .expression import (
    Call,
    Comparison,
    Derivative,
    Elementwise,
    Equation,
    Expression,
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
)

__all__ = [
    "ATOM",
    "BRACKETS",
    "COMPARISON",
    "LOGIC",
    "MATRIX",
    "POWER",
    "PRODUCT",
    "QUOTIENT",
    "SUM",
    "WHERE",
    "Writer",
]

EQUATION, WHERE, LOGIC, COMPARISON, SUM, PRODUCT, MATRIX, QUOTIENT, POWER, ATOM = range(10)

_LEVELS: dict[type, int] = {
    Equation: EQUATION,
    Where: WHERE,
    Logic: LOGIC,
    Comparison: COMPARISON,
    Sum: SUM,
    Negative: SUM,
    Product: PRODUCT,
    Elementwise: PRODUCT,
    Over: PRODUCT,
    MatrixProduct: MATRIX,
    Quotient: QUOTIENT,
    Derivative: POWER,
    Power: POWER,
    Transpose: POWER,
}

BRACKETS = {"abs": "||", "floor": "⌊⌋", "ceil": "⌈⌉", "round": "⌊⌉"}
"""The functions that are written as brackets around their argument."""


def level(expression: Expression) -> int:
    """How strongly what is written binds; within something that binds more strongly it needs brackets."""
    if isinstance(expression, Call) and expression.function == Symbol("exp") and len(expression.arguments) == 1:
        return POWER
    return _LEVELS.get(type(expression), ATOM)


def shortest(value: int | float, digits: int | None = None) -> tuple[str, int]:
    """A number's decimal figures, and the power of ten that follows them.

    Arguments: ``digits``, to so many; None for as many as tell it from all others.

    >>> shortest(0.25), shortest(1e-7), shortest(2.0), shortest(0.123456, 3)
    (('0.25', 0), ('1', -7), ('2', 0), ('0.123', 0))
    """
    text = repr(value) if digits is None or isinstance(value, int) else f"{value:#.{digits}g}"
    figures, _, exponent = text.partition("e")
    if "." in figures and (digits is None or exponent or float(figures) == 0):
        figures = figures.rstrip("0").rstrip(".")
    return figures.removesuffix("."), int(exponent or 0)


class Writer:
    """Writes expressions; a class derived from it says how each kind looks.

    Arguments: ``digits``, to how many figures decimal numbers are written.
    """

    kinds: dict[type, Callable]
    factor = QUOTIENT  # how strongly a factor of a product has to bind

    def __init__(self, digits: int | None = None):
        self.digits = digits

    def write(self, expression: Expression) -> str:
        return getattr(self, type(expression).__name__.lower())(expression)

    def fenced(self, written: str) -> str:
        return f"({written})"

    def inside(self, expression: Expression, least: int) -> str:
        """The expression in a place where it has to bind so strongly: in brackets where it does not."""
        written = self.write(expression)
        return written if level(expression) >= least else self.fenced(written)

    def factors(self, factors: tuple[Expression, ...], least: int) -> list[str]:
        """The factors of a product; a sum over an index goes as far as it can, and so may only come last."""
        return [
            self.inside(f, PRODUCT if isinstance(f, Over) and i == len(factors) - 1 else least)
            for i, f in enumerate(factors)
        ]

    def base(self, expression: Expression) -> str:
        """The base of a power: in brackets too where it has an exponent, or something that looks like one."""
        raised = isinstance(expression, Symbol) and (expression.superscript or expression.base == "e")
        long = isinstance(expression, Number) and shortest(expression.value, self.digits)[1]
        if raised or long or (isinstance(expression, Call) and level(expression) < ATOM):
            return self.fenced(self.write(expression))
        return self.inside(expression, ATOM)
