"""What every way of writing an expression shares: what binds how strongly, and where brackets are needed."""

from collections.abc import Iterable, Mapping

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
    "LineWriter",
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

    factor = QUOTIENT  # how strongly a factor of a product has to bind

    def __init__(self, digits: int | None = None):
        self.digits = digits

    def write(self, expression: Expression) -> str:
        return getattr(self, type(expression).__name__.lower())(expression)

    def call(self, node: Call) -> str:
        """A call: a power of e, brackets, a root, or a function with its arguments behind it."""
        name, plain = node.function.base, node.function == Symbol(node.function.base)
        if plain and len(node.arguments) == 1:
            (argument,) = node.arguments
            if name == "exp":
                return self.exponential(argument)
            if name in BRACKETS:
                return self.bracketed(name, argument)
            if name == "sqrt":
                return self.root(argument)
        return self.called(node, plain)

    def exponential(self, exponent: Expression) -> str:
        raise NotImplementedError  # each way of writing has its own, as of the next three

    def bracketed(self, name: str, argument: Expression) -> str:
        raise NotImplementedError

    def root(self, argument: Expression) -> str:
        raise NotImplementedError

    def called(self, node: Call, plain: bool) -> str:
        """A function with its arguments. Arguments: ``plain``, whether its symbol is a name alone."""
        raise NotImplementedError

    def fenced(self, written: str) -> str:
        return f"({written})"

    def inside(self, expression: Expression, least: int) -> str:
        """The expression in a place where it has to bind so strongly: in brackets where it does not."""
        written = self.write(expression)
        return written if level(expression) >= least else self.fenced(written)

    def terms(self, node: Sum) -> list[tuple[str, str]]:
        """The terms of a sum, each with its sign, "+" or "−"; a minus of the first one is written in it."""
        first, *others = node.terms
        found = [("+", self.inside(first, SUM if isinstance(first, Negative) else PRODUCT))]
        for term in others:
            sign, term = ("−", term.term) if isinstance(term, Negative) else ("+", term)
            found.append((sign, self.inside(term, PRODUCT)))
        return found

    def factors(self, factors: tuple[Expression, ...], least: int) -> list[str]:
        """The factors of a product; a sum over an index goes as far as it can, and so may only come last."""
        return [
            self.inside(f, PRODUCT if isinstance(f, Over) and i == len(factors) - 1 else least)
            for i, f in enumerate(factors)
        ]

    def has_power(self, expression: Expression) -> bool:
        """Whether it is a number that is written with a power of ten."""
        return isinstance(expression, Number) and bool(shortest(expression.value, self.digits)[1])

    def base(self, expression: Expression) -> str:
        """The base of a power: in brackets too where it has an exponent, or something that looks like one."""
        raised = isinstance(expression, Symbol) and (expression.superscript or expression.base == "e")
        if raised or self.has_power(expression):
            return self.fenced(self.write(expression))
        return self.inside(expression, ATOM)


class LineWriter(Writer):
    """Writes expressions from left to right, as characters.

    Attributes: ``minus``; ``relations`` and ``logical``, what is written for a sign of a comparison or of logic, where
    it is not the sign itself.
    """

    minus = "−"
    relations: Mapping[str, str] = {}
    logical: Mapping[str, str] = {}

    def sum(self, node):
        (_, written), *others = self.terms(node)
        return written + "".join(f" {self.minus if sign == '−' else sign} {term}" for sign, term in others)

    def negative(self, node):
        return self.minus + self.inside(node.term, PRODUCT)

    def comparison(self, node):
        first, *others = [self.inside(term, SUM) for term in node.terms]
        signs = [self.relations.get(sign, sign) for sign in node.signs]
        return first + "".join(f" {sign} {term}" for sign, term in zip(signs, others, strict=True))

    def logic(self, node):
        sign = self.logical.get(node.sign, node.sign)
        return f" {sign} ".join(self.inside(term, COMPARISON) for term in node.terms)

    def iverson(self, node):
        return f"[{self.write(node.condition)}]"

    def listed(self, items: Iterable[Expression]) -> str:
        """Things with commas between them."""
        return ", ".join(map(self.write, items))

    def under(self, node: Over) -> str:
        """What stands below the sign of a sum over indices."""
        return self.listed(node.indices) + ("" if node.condition is None else " : " + self.write(node.condition))

    def tuple(self, node):
        return f"({self.listed(node.items)})"

    def equation(self, node):
        return " = ".join(self.inside(side, WHERE) for side in node.sides)
