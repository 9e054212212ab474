"""Formulas that a learner types, such as ``x^2 - 3x``. They are read by a small grammar; none of their text is run.

- sum: product { ("+" | "-") product }
- product: factor { ["*" | "/"] factor }, where two factors side by side are multiplied, from left to right
- factor: ("-" | "+") factor, or atom ["^" factor]
- atom: number, variable, constant, function "(" sum ")", "(" sum ")", or "|" sum "|"
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any
from unicodedata import normalize

import numpy

from .. import ops
from ..arrays import to_numpy
from ..autodiff import Tensor, asarray, value_and_grad
from ..errors import UserError
from ..glass.evaluate import evaluate
from ..glass.expression import Call, Expression, Negative, Number, Power, Product, Quotient, Sum, Symbol, call
from ..glass.latex import to_latex
from ..words import language_of, say

__all__ = ["FUNCTIONS", "Formula", "FormulaProblem", "formula_of"]

FUNCTIONS: dict[str, Any] = {
    "sin": ops.sin,
    "cos": ops.cos,
    "tan": ops.tan,
    "tanh": ops.tanh,
    "exp": ops.exp,
    "ln": ops.log,
    "sqrt": ops.sqrt,
    "abs": ops.abs,
    "relu": ops.relu,
    "σ": ops.sigmoid,
}
"""The functions that a formula may call, by their names in an expression."""

SPELLINGS = {name: name for name in FUNCTIONS} | {"log": "ln", "sigmoid": "σ"}
CONSTANTS = {"pi": "π", "π": "π", "e": "e"}
DEEPEST = 30
"""The most brackets that a formula has inside one another."""


class FormulaProblem(UserError):
    """A formula that cannot be read; the message says what is missing, in the reader's language."""


class Formula:
    """A formula: its ``expression``, and the names of its variables. It is called with their values.

    >>> formula = formula_of("x^2 - 3x")
    >>> formula([1.0, 2.0])
    Tensor([-2., -2.], dtype=float64)
    >>> formula.slopes([1.0, 2.0])[0].tolist()
    [-1.0, 1.0]
    """

    def __init__(self, expression: Expression, names: Sequence[str]):
        self.expression, self.names = expression, tuple(names)

    def __call__(self, *places: Any) -> Tensor:
        """Its values at places: one array for each variable, all of one shape."""
        tensors = [_tensor(place) for place in places]
        known: dict[Any, Any] = {**dict(zip(self.names, tensors, strict=True)), **FUNCTIONS}
        with numpy.errstate(all="ignore"):
            value = evaluate(self.expression, known)
            if isinstance(value, Tensor) and value.shape == tensors[0].shape:
                return value
            return tensors[0] * 0 + float(value)  # a constant is the same everywhere

    def slopes(self, *places: Any) -> tuple[numpy.ndarray, ...]:
        """Its derivatives at places, by each variable."""
        with numpy.errstate(all="ignore"):
            _, found = self._swept(*places)
            return tuple(to_numpy(slope._data) for slope in found)

    def curvatures(self, *places: Any) -> tuple[numpy.ndarray, ...]:
        """Its second derivatives at places, by each variable twice."""
        found = []
        for i in range(len(places)):
            by = lambda *given, i=i: self._swept(*given)[1][i].sum()
            with numpy.errstate(all="ignore"):
                found.append(to_numpy(value_and_grad(by, i)(*map(_tensor, places))[1]._data))
        return tuple(found)

    def _swept(self, *places: Any) -> Any:
        """The sum of the values, and its gradient by each array of places, which is the slope at each place."""
        return value_and_grad(lambda *given: self(*given).sum(), tuple(range(len(places))))(*map(_tensor, places))

    @property
    def latex(self) -> str:
        """It, as it was read, in LaTeX."""
        return to_latex(self.expression)


def _tensor(place: Any) -> Tensor:
    """Places as a tensor: of their own type, or of float64 where they are Python's numbers."""
    return place if isinstance(place, Tensor) else asarray(numpy.asarray(place))


@lru_cache(256)
def formula_of(text: str, names: tuple[str, ...] = ("x",)) -> Formula:
    """The formula that a text writes.

    Arguments: ``names``, of the variables, each a letter.

    Raises FormulaProblem for what cannot be read.
    """
    return Formula(_Reader(text, names).whole(), names)


_SMALL = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_SIGNS = str.maketrans({"−": "-", "–": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "⁄": "/", "∗": "*"})
_TOKEN = re.compile(r"\s*([0-9]*\.[0-9]+|[0-9]+\.?|[^\W\d_]+|\S)")


def _plain(text: str) -> str:
    """The text with the signs of a keyboard: wide characters, small powers and other signs of products are replaced."""
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda found: "^" + found[0].translate(_SMALL), text)
    return normalize("NFKC", text).translate(_SIGNS).replace("**", "^")


class _Reader:
    """Reads a formula from left to right. Every method reads what it is named after, and leaves what follows."""

    def __init__(self, text: str, names: Sequence[str]):
        self.names = names
        self.tokens = list(self.words(_plain(text)))
        self.i = self.depth = self.bars = 0

    def words(self, text: str) -> Iterator[str]:
        """The tokens. A word of several letters is cut into what is known: ``xsin`` into x and sin."""
        known = sorted({*self.names, *SPELLINGS, *CONSTANTS}, key=len, reverse=True)
        for token in _TOKEN.findall(text):
            if not token[:1].isalpha():
                yield token
                continue
            rest = token
            while rest:
                name = next((name for name in known if rest.startswith(name)), "")
                if not name:
                    raise self.problem("unknown", word=token)
                yield name
                rest = rest[len(name) :]

    def problem(self, kind: str, **values: Any) -> FormulaProblem:
        functions = ", ".join(f"{name}()" for name in FUNCTIONS)
        values |= {"names": ", ".join(self.names), "functions": functions}
        return FormulaProblem(say(f"course.formula.{kind}", language_of(), **values))

    @property
    def token(self) -> str:
        return self.tokens[self.i] if self.i < len(self.tokens) else ""

    def passed(self, *tokens: str) -> str:
        """The next token, which is passed, if it is one of these; else an empty text."""
        found = self.token if self.token in tokens else ""
        self.i += bool(found)
        return found

    def whole(self) -> Expression:
        if not self.tokens:
            raise self.problem("empty")
        expression = self.sum()
        if self.token:
            raise self.problem("not_open" if self.token in (")", "|") else "unexpected", word=self.token)
        return expression

    def sum(self) -> Expression:
        terms = [self.product()]
        while sign := self.passed("+", "-"):
            term = self.product()
            terms.append(Negative(term) if sign == "-" else term)
        return Sum.of(terms)

    def product(self) -> Expression:
        factors = [self.factor()]
        while True:
            if self.passed("/"):
                factors = [Quotient(Product.of(factors), self.factor())]
            elif self.passed("*") or self.begins():
                factors.append(self.factor())
            else:
                return Product.of(factors)

    def begins(self) -> bool:
        """Whether a factor begins here, so that one side by side is multiplied."""
        return self.token[:1].isalnum() or self.token[:1] in (".", "(") or (self.token == "|" and not self.bars)

    def factor(self) -> Expression:
        if sign := self.passed("-", "+"):
            inner = self.inner(self.factor)
            return Negative(inner) if sign == "-" else inner
        base = self.atom()
        if not self.passed("^"):
            return base
        exponent = self.inner(self.factor)
        return call("exp", exponent) if base == Symbol("e") else Power(base, exponent)

    def atom(self) -> Expression:
        token = self.token
        if token[:1].isdigit() or token[:1] == ".":
            self.i += 1
            value = float(token) if token != "." else None
            if value is None or value > 1e12:
                raise self.problem("number", word=token)
            return Number(int(value) if value == int(value) else value)
        if token in self.names or token in CONSTANTS:
            self.i += 1
            return Symbol(CONSTANTS.get(token, token) if token not in self.names else token)
        if token in SPELLINGS:
            self.i += 1
            if self.token != "(":
                raise self.problem("call", word=token)
            return Call(Symbol(SPELLINGS[token]), (self.fenced("(", ")"),))
        if token == "(":
            return self.fenced("(", ")")
        if token == "|":
            self.bars += 1
            inner = call("abs", self.fenced("|", "|"))
            self.bars -= 1
            return inner
        before = self.tokens[self.i - 1] if self.i else ""
        if token and not before:
            raise self.problem("unexpected", word=token)
        raise self.problem("missing", word=before)

    def fenced(self, opening: str, closing: str) -> Expression:
        """What stands between two signs."""
        self.passed(opening)
        bars, self.bars = self.bars, self.bars if opening == "|" else 0
        inner = self.inner(self.sum)
        self.bars = bars
        if not self.passed(closing):
            raise self.problem("unexpected" if self.token else "not_closed", word=self.token or opening)
        return inner

    def inner(self, read: Callable[[], Expression]) -> Expression:
        """What a method reads that is inside something else."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.problem("deep", most=DEEPEST)
        found = read()
        self.depth -= 1
        return found
