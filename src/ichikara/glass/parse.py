r"""LaTeX read as expressions: the formulas of the records, and what `latex` writes.

A name directly before an opening bracket is a function, ``\sigma(x)``; with a space or ``\,`` between them it is a
factor, ``\alpha (x - 1)``. Factors side by side are multiplied element by element, but two symbols of which one is a
capital letter or transposed, as matrices, ``W x``; ``\;`` makes any product one of matrices. A symbol with a
superscript that is no power stands in braces, ``{w^{1}_{00}}``, since ``w^2`` is a power.
"""

import re

from .expression import (
    Call,
    Comparison,
    Derivative,
    Elementwise,
    Equation,
    Expression,
    Iverson,
    Logic,
    MatrixProduct,
    Negative,
    Over,
    Power,
    Product,
    Quotient,
    Sum,
    Symbol,
    Transpose,
    Tuple,
    Where,
    call,
)
from .latex import FUNCTIONS, LOGICAL, OPERATORS, RELATIONS
from .names import ELSE, WHERE, NameReader, read_number
from .tokens import END, FormulaError

__all__ = ["FormulaError", "parse", "parse_formula"]

_FENCES = {
    r"\lfloor": {r"\rfloor": "floor", r"\rceil": "round"},
    r"\lceil": {r"\rceil": "ceil"},
    r"\lvert": {r"\rvert": "abs"},
    "|": {"|": "abs"},
}
_FRACTIONS = (r"\frac", r"\tfrac")
_STOPS = frozenset(
    [*")]},+-:", r"\}", r"\rfloor", r"\rceil", r"\rvert", WHERE, ELSE, r"\quad", *RELATIONS, *LOGICAL, "/", r"\bmod"]
)


def parse(formula: str) -> Expression:
    r"""The expression that a formula in LaTeX writes.

    Raises FormulaError, which names the place, for what cannot be read.

    >>> from .text import to_text
    >>> to_text(parse(r"\bar y\,(1 - y^2)"))
    'ȳ·(1 − y²)'
    """
    reader = _FormulaReader(formula)
    expression = reader.formula()
    if reader.token is not END:
        raise reader.error("something that continues the formula was expected")
    return expression


def parse_formula(formula: str) -> tuple[Expression, ...]:
    r"""A formula and what is said behind it, ``y = p^2, \quad p = x + 1``: each as an equation.

    >>> len(parse_formula(r"y = p^2, \quad p = x + 1"))
    2
    """
    return tuple(parse(part) for part in re.split(r",\s*\\quad", formula))


class _FormulaReader(NameReader):
    """Reads a formula from left to right. Every method reads what it is named after, and leaves what follows."""

    def __init__(self, formula: str):
        super().__init__(formula)
        self.bars = 0  # how many absolute values are being read
        self.closed = False  # whether the last atom stood in brackets, so that an e there is not Euler's number

    # --- from what binds least to what binds most ---------------------------------------------------------------------

    def formula(self) -> Expression:
        """An expression, or sides with equals signs between them."""
        sides = [self.expression(equals=False)]
        while self.passed("="):
            sides.append(self.expression(equals=False))
        return Equation(tuple(sides)) if len(sides) > 1 else sides[0]

    def expression(self, equals: bool = True) -> Expression:
        then = self.logic(equals)
        if not self.passed(WHERE):
            return then
        condition = self.logic(True)
        self.take(ELSE)
        return Where(condition, then, self.expression(equals))

    def logic(self, equals: bool) -> Expression:
        terms, sign = [self.comparison(equals)], ""
        while self.text in LOGICAL:
            new = LOGICAL[self.next().text]
            if sign and new != sign:
                raise self.error(f"{sign} and {new} need brackets")
            sign = new
            terms.append(self.comparison(equals))
        return Logic(sign, tuple(terms)) if sign else terms[0]

    def comparison(self, equals: bool) -> Expression:
        terms, signs = [self.sum()], []
        while self.text in RELATIONS and (equals or self.text != "="):
            signs.append(RELATIONS[self.next().text])
            terms.append(self.sum())
        return Comparison(tuple(terms), tuple(signs)) if signs else terms[0]

    def sum(self) -> Expression:
        terms = [self.signed("-")]
        while self.text in ("+", "-"):
            terms.append(self.signed("-") if self.text == "-" else self.signed("+"))
        return Sum.of(terms)

    def signed(self, sign: str) -> Expression:
        if not self.passed(sign):
            return self.product()
        return Negative(self.product()) if sign == "-" else self.product()

    def product(self) -> Expression:
        """Factors: groups of matrices, with products element by element between the groups."""
        groups, elementwise = [[self.factor()]], False
        while True:
            joint = self.joint()
            if joint == "/":
                result = Quotient(_product(groups), self.factor())
                if self.text not in _STOPS and self.token is not END:
                    raise self.error("write brackets around what divides")
                return result
            if joint == r"\bmod":
                return call("mod", _product(groups), self.factor())
            if joint == r"\circ":
                if (len(groups) > 1 and not elementwise) or len(groups[-1]) > 1:
                    raise self.error("write brackets around the other product")
                elementwise = True
            elif self.token is END or self.text in _STOPS or (self.text == "|" and self.bars):
                break
            elif elementwise:
                raise self.error("write brackets around the other product")
            factor = self.factor()
            if joint == r"\;" or (joint == "" and _are_matrices(groups[-1][-1], factor)):
                groups[-1].append(factor)
            else:
                groups.append([factor])
        return Elementwise(tuple(group[0] for group in groups)) if elementwise else _product(groups)

    def joint(self) -> str:
        """The sign between two factors, or nothing."""
        return self.next().text if self.text in (r"\,", r"\;", r"\cdot", r"\circ", "/", r"\bmod") else ""

    def factor(self) -> Expression:
        """An atom and its powers."""
        self.passed(r"\,")
        base = self.atom()
        euler = base == Symbol("e") and not self.closed
        while self.passed("^"):
            exponent = self.group()
            if exponent == Symbol("⊤"):
                base = Transpose(base)
            else:
                base = call("exp", exponent) if euler else Power(base, exponent)
            euler = False
        return base

    def group(self) -> Expression:
        """What stands in braces, or the one token without them."""
        if self.passed(r"\top"):
            return Symbol("⊤")
        if self.passed("{"):
            if self.text == r"\top":
                self.take(r"\top")
                expression: Expression = Symbol("⊤")
            else:
                expression = self.expression()
            self.take("}")
            return expression
        if self.text[:1].isdigit():
            return self.digit()
        return self.symbol() if self.name() else self.atom()

    def atom(self) -> Expression:
        text, self.closed = self.text, False
        if text == "(":
            return self.bracket()
        if text == "[":
            self.next()
            condition = self.expression()
            self.take("]")
            return Iverson(condition)
        if text in _FENCES:
            return self.fence()
        if text in _FRACTIONS:
            return self.fraction()
        if text == r"\sqrt":
            self.next()
            return call("sqrt", self.group())
        if text in (r"\max", r"\min") and self.after() != "_":
            return self.function()
        if text in OPERATORS or text == r"\arg":
            return self.over()
        if text in FUNCTIONS or text.startswith(r"\operatorname") or text == r"\log":
            return self.function()
        if text == "{":
            return self.braced()
        if text[:1].isdigit():
            return read_number(self.next().text)
        if self.name():
            symbol = self.symbol()
            return self.called(symbol)
        raise self.error("a number, a name or an opening bracket was expected")

    def bracket(self) -> Expression:
        """What stands in round brackets; with commas, a tuple."""
        items = self.arguments()
        self.closed = True
        return items[0] if len(items) == 1 else Tuple(items)

    def arguments(self) -> tuple[Expression, ...]:
        self.take("(")
        items = [self.expression()]
        while self.passed(","):
            items.append(self.expression())
        self.take(")")
        return tuple(items)

    def fence(self) -> Expression:
        opening = self.next().text
        self.bars += opening == "|"
        inner = self.expression()
        self.bars -= opening == "|"
        closing = _FENCES[opening].get(self.text)
        if closing is None:
            raise self.error(f"the end of what {opening} began was expected")
        self.next()
        return call(closing, inner)

    def fraction(self) -> Expression:
        self.next()
        (partial, above), (also, below) = self.side(), self.side()
        if partial != also:
            raise self.error("a derivative has ∂ above and below")
        return Derivative(above, below) if partial else Quotient(above, below)

    def side(self) -> tuple[bool, Expression]:
        """What stands above or below in a fraction, and whether it is behind a ∂."""
        if self.text != "{" or self.after() != r"\partial":
            return False, self.group()
        self.i += 2
        inner = self.factor()
        self.take("}")
        return True, inner

    def over(self) -> Expression:
        """A sum or the like over indices."""
        text = self.next().text
        if text == r"\arg":
            if self.text not in (r"\max", r"\min"):
                raise self.error("'\\max' or '\\min' was expected")
            text += self.next().text
        operator = OPERATORS[text]
        indices: list[Expression] = []
        condition = None
        if self.passed("_"):
            braces = self.passed("{")
            indices.append(self.expression() if braces else self.symbol())
            while braces and self.passed(","):
                indices.append(self.expression())
            if braces and self.passed(":"):
                condition = self.expression()
            if braces:
                self.take("}")
        if self.text == "^":
            raise self.error("write the sum without its last index")
        return Over(operator, self.product(), tuple(indices), condition)

    def function(self) -> Expression:
        """A function by its own name, with brackets around its argument or without."""
        symbol = self.function_symbol()
        if self.text == "(":
            return Call(symbol, self.arguments())
        return Call(symbol, (self.factor(),))

    def braced(self) -> Expression:
        """A symbol with its decorations in braces; or anything in braces."""
        symbol = self.attempt(self.decorated)
        if symbol is not None:
            return self.called(symbol)
        expression = self.group()
        self.closed = True
        return expression

    def called(self, symbol: Expression) -> Expression:
        """The symbol; or, with a bracket directly behind it, the function at its arguments."""
        if self.text == "(" and not self.token.spaced and isinstance(symbol, Symbol):
            return Call(symbol, self.arguments())
        return symbol


def _product(groups: list[list[Expression]]) -> Expression:
    return Product.of(MatrixProduct.of(group) for group in groups)


def _are_matrices(left: Expression, right: Expression) -> bool:
    """Whether two factors side by side are written as matrices: one has a capital letter, or is transposed."""
    factors = (left, right)
    return all(isinstance(f, Symbol | Transpose | Derivative) for f in factors) and any(
        isinstance(f, Transpose) or (isinstance(f, Symbol) and len(f.base) == 1 and "A" <= f.base <= "Z")
        for f in factors
    )
