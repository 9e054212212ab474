"""Expressions: trees of numbers, symbols and what is computed of them, as a teacher writes them.

A tree keeps the order in which it was written: a product of w and x is not one of x and w. It never changes; functions
such as `substitute` and `simplify` make new trees. Python's operators make trees too:

>>> x, y = Symbol("x"), Symbol("y")
>>> 2 * x - y / 3 == Sum((Product((Number(2), x)), Negative(Quotient(y, Number(3)))))
True
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

__all__ = [
    "Call",
    "Comparison",
    "Derivative",
    "Elementwise",
    "Equation",
    "Expression",
    "Iverson",
    "Logic",
    "MatrixProduct",
    "Negative",
    "Number",
    "Over",
    "Power",
    "Product",
    "Quotient",
    "Sum",
    "Symbol",
    "Transpose",
    "Tuple",
    "Where",
    "call",
    "from_dict",
    "mapped",
    "number",
    "parts",
    "substitute",
    "symbols",
    "to_dict",
]


@dataclass(frozen=True)
class Expression:
    """A node of a tree; its parts are the expressions in its fields."""

    def __add__(self, other):
        return Sum((self, _expression(other)))

    def __radd__(self, other):
        return Sum((_expression(other), self))

    def __sub__(self, other):
        return Sum((self, Negative(_expression(other))))

    def __rsub__(self, other):
        return Sum((_expression(other), Negative(self)))

    def __mul__(self, other):
        return Product((self, _expression(other)))

    def __rmul__(self, other):
        return Product((_expression(other), self))

    def __truediv__(self, other):
        return Quotient(self, _expression(other))

    def __rtruediv__(self, other):
        return Quotient(_expression(other), self)

    def __pow__(self, other):
        return Power(self, _expression(other))

    def __matmul__(self, other):
        return MatrixProduct((self, other))

    def __neg__(self):
        return Negative(self)


@dataclass(frozen=True)
class Number(Expression):
    """A number of at least 0; `number` writes any number, one below 0 with a sign."""

    value: int | float

    def __post_init__(self):
        if type(self.value) not in (int, float):  # an array library's number is written as Python's
            object.__setattr__(self, "value", getattr(self.value, "item", lambda: int(self.value))())
        if not (isfinite(self.value) and self.value >= 0):
            raise ValueError(f"a Number is finite and at least 0; write number({self.value!r})")


@dataclass(frozen=True)
class Symbol(Expression):
    """A name: of a number, an array or a function.

    Arguments: ``base``, a letter, or a name of any length such as "net.0.weight"; ``subscript``, ``superscript``, the
    indices there, or a string of them; ``primes``, how many; ``accent``, "bar", "hat", "tilde" or "".

    >>> Symbol("w", "00", "1") == Symbol("w", (Number(0), Number(0)), (Number(1),))
    True
    """

    base: str
    subscript: tuple[Expression, ...] = ()
    superscript: tuple[Expression, ...] = ()
    primes: int = 0
    accent: str = ""

    def __post_init__(self):
        for name in ("subscript", "superscript"):
            value = getattr(self, name)
            if isinstance(value, str | int):
                object.__setattr__(self, name, tuple(map(_index, str(value))))

    def plain(self) -> "Symbol":
        """The symbol without its subscript: the array of which it is an element."""
        return Symbol(self.base, (), self.superscript, self.primes, self.accent)


@dataclass(frozen=True)
class Sum(Expression):
    """Terms that are added; one that is taken off is `Negative`."""

    terms: tuple[Expression, ...]

    @staticmethod
    def of(terms) -> Expression:
        """The sum of any number of terms: of none 0, of one itself."""
        terms = tuple(map(_expression, terms))
        return Sum(terms) if len(terms) > 1 else terms[0] if terms else Number(0)


@dataclass(frozen=True)
class Negative(Expression):
    """A term with a minus sign."""

    term: Expression


@dataclass(frozen=True)
class Product(Expression):
    """Factors, each a number or an array that is multiplied element by element."""

    factors: tuple[Expression, ...]

    @staticmethod
    def of(factors) -> Expression:
        """The product of any number of factors: of none 1, of one itself."""
        factors = tuple(map(_expression, factors))
        return Product(factors) if len(factors) > 1 else factors[0] if factors else Number(1)


@dataclass(frozen=True)
class MatrixProduct(Expression):
    """A product of matrices; a vector on the left is a row, on the right a column."""

    factors: tuple[Expression, ...]

    @staticmethod
    def of(factors) -> Expression:
        """The product of one matrix or several."""
        factors = tuple(map(_expression, factors))
        return MatrixProduct(factors) if len(factors) > 1 else factors[0]


@dataclass(frozen=True)
class Elementwise(Expression):
    """A product of arrays, element by element, where the sign ∘ says so."""

    factors: tuple[Expression, ...]


@dataclass(frozen=True)
class Quotient(Expression):
    """A fraction."""

    numerator: Expression
    denominator: Expression


@dataclass(frozen=True)
class Power(Expression):
    """A power; that of e is a call of exp."""

    base: Expression
    exponent: Expression


@dataclass(frozen=True)
class Transpose(Expression):
    """A transposed matrix; of a column, the row."""

    term: Expression


@dataclass(frozen=True)
class Call(Expression):
    """A function at its arguments. The function is a symbol: tanh, σ, or f with a prime."""

    function: Symbol
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Over(Expression):
    """A sum, product, maximum, … over indices.

    Arguments: ``operator``, "sum", "prod", "max", "min", "argmax", "argmin", "all" or "any"; ``body``, what is added;
    ``indices``, symbols, or comparisons with one such as j ≠ k; ``condition``, what has to hold, or None.
    """

    operator: str
    body: Expression
    indices: tuple[Expression, ...] = ()
    condition: Expression | None = None


@dataclass(frozen=True)
class Where(Expression):
    """One expression where a condition holds, and another elsewhere."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True)
class Comparison(Expression):
    """Terms with signs between them, which all have to hold: a ≤ x ≤ b. Signs: = ≠ < ≤ > ≥ ∈."""

    terms: tuple[Expression, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Logic(Expression):
    """Terms with one sign between them: ∧ and, ∨ or, ⊕ exclusive or; & | of bits; ≪ ≫ shifts."""

    sign: str
    terms: tuple[Expression, ...]


@dataclass(frozen=True)
class Iverson(Expression):
    """1 where a condition holds and 0 elsewhere, written [a > b]."""

    condition: Expression


@dataclass(frozen=True)
class Derivative(Expression):
    """The derivative of one thing by another, ∂y/∂x, as a name of that number or matrix."""

    of: Expression
    by: Expression


@dataclass(frozen=True)
class Tuple(Expression):
    """Several things in parentheses, with commas between them."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class Equation(Expression):
    """Sides with equals signs between them; what is equal to what."""

    sides: tuple[Expression, ...]


KINDS: dict[str, type[Expression]] = {kind.__name__: kind for kind in Expression.__subclasses__()}
_FIELDS = {kind: tuple(field.name for field in fields(kind)) for kind in KINDS.values()}


def number(value: int | float) -> Expression:
    """A number as an expression: with a minus sign where it is below 0, and ∞ or nan as a symbol."""
    if value != value:
        return Symbol("nan")
    size = Number(abs(value)) if isfinite(value) else Symbol("∞")
    return Negative(size) if value < 0 else size


def call(name: str, *arguments: Any) -> Call:
    """A function of this name at its arguments."""
    return Call(Symbol(name), tuple(map(_expression, arguments)))


def _expression(value: Any) -> Expression:
    return value if isinstance(value, Expression) else number(value)


def _index(character: str) -> Expression:
    return Number(int(character)) if character.isdigit() else Symbol(character)


def parts(expression: Expression) -> Iterator[Expression]:
    """What an expression is directly made of; a symbol has no parts."""
    if isinstance(expression, Symbol):
        return
    for name in _FIELDS[type(expression)]:
        value = getattr(expression, name)
        if isinstance(value, Expression):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Expression))


def mapped(expression: Expression, function: Callable[[Expression], Expression]) -> Expression:
    """The same expression made of what the function gives for each of its parts, a symbol's indices among them."""
    changed, values = False, []
    for name in _FIELDS[type(expression)]:
        value = new = getattr(expression, name)
        if isinstance(value, Expression):
            new = function(value)
            changed = changed or new is not value
        elif isinstance(value, tuple) and value and isinstance(value[0], Expression):
            new = tuple(map(function, value))
            changed = changed or any(a is not b for a, b in zip(new, value, strict=True))
        values.append(new)
    return type(expression)(*values) if changed else expression


def substitute(expression: Expression, replacements: Mapping[Expression, Expression]) -> Expression:
    """The expression with others in the place of some, such as of symbols.

    >>> x = Symbol("x")
    >>> substitute(x + 1, {x: Number(3)}) == Number(3) + 1
    True
    """
    kinds = set(map(type, replacements))

    def replaced(part):
        if type(part) in kinds and part in replacements:
            return replacements[part]
        return mapped(part, replaced)

    return replaced(expression)


def symbols(expression: Expression) -> list[Symbol]:
    """The symbols of numbers and arrays, in the order in which they come, each once; not those of functions."""
    found: dict[Symbol, None] = {}

    def visit(node):
        if isinstance(node, Symbol):
            found.setdefault(node)
        for part in node.arguments if isinstance(node, Call) else parts(node):
            visit(part)

    visit(expression)
    return list(found)


def to_dict(expression: Expression) -> dict[str, Any]:
    """The expression in values that JSON can hold, by the names of its fields.

    >>> to_dict(Negative(Number(2)))
    {'kind': 'Negative', 'term': {'kind': 'Number', 'value': 2}}
    """
    result: dict[str, Any] = {"kind": type(expression).__name__}
    for name in _FIELDS[type(expression)]:
        value = getattr(expression, name)
        if isinstance(value, Expression):
            result[name] = to_dict(value)
        elif isinstance(value, tuple):
            result[name] = [to_dict(item) if isinstance(item, Expression) else item for item in value]
        else:
            result[name] = value
    return result


def from_dict(values: Mapping[str, Any]) -> Expression:
    """The expression that `to_dict` wrote."""

    def read(value):
        if isinstance(value, Mapping):
            return from_dict(value)
        return tuple(map(read, value)) if isinstance(value, list | tuple) else value

    return KINDS[values["kind"]](**{name: read(value) for name, value in values.items() if name != "kind"})
