"""Expressions as plain text: w¹₀₀·f⁰′(u⁰₀), with the signs that Unicode has."""

from unicodedata import normalize

from .expression import Derivative, Expression, Negative, Number, Over, Quotient
from .notation import ATOM, BRACKETS, LOGIC, POWER, PRODUCT, SUM, WHERE, LineWriter, level, shortest

__all__ = ["to_text"]

ACCENTS = {"bar": "\u0304", "hat": "\u0302", "tilde": "\u0303"}
OVER = {"sum": "Σ", "prod": "Π", "all": "⋀", "any": "⋁", "argmax": "arg max", "argmin": "arg min"}
FUNCTIONS = {"sqrt": "√", "not": "¬", "invert": "~", "log2": "log₂", "log10": "log₁₀"}
_SUPERSCRIPTS = dict(
    zip(
        "0123456789+−=()abcdefghijklmnoprstuvwxyzTβ",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀᵝ",
        strict=True,
    )
)
_SUBSCRIPTS = dict(zip("0123456789+−=()aehijklmnoprstuvxβ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦ", strict=True))


def to_text(expression: Expression, digits: int | None = None) -> str:
    """The expression in Unicode characters.

    Arguments: ``digits``, to how many figures decimal numbers are written; None for all.

    >>> from ichikara.glass.expression import Symbol
    >>> x, w = Symbol("x"), Symbol("w", "00", "1")
    >>> to_text(w * (x - 1) ** 2)
    'w¹₀₀·(x − 1)²'
    """
    return Text(digits).write(expression)


class Text(LineWriter):
    factor = POWER  # a quotient within a product is in brackets: (a/b)·c

    def number(self, node):
        figures, exponent = shortest(node.value, self.digits)
        return figures + (f"·10{_raised(str(exponent).replace('-', '−'))}" if exponent else "")

    def symbol(self, node):
        base = normalize("NFC", node.base + ACCENTS.get(node.accent, ""))
        above = _small(self.indices(node.superscript), _SUPERSCRIPTS, "^") if node.superscript else ""
        below = _small(self.indices(node.subscript), _SUBSCRIPTS, "_") if node.subscript else ""
        return base + above + below + "′" * node.primes

    def indices(self, indices):
        if len(indices) == 1:
            return self.write(indices[0])
        written = [self.inside(index, ATOM) for index in indices]
        single = all(len(text) == 1 for text in written)
        return ("" if single else ",").join(written)

    def product(self, node):
        return "·".join(self.factors(node.factors, self.factor))

    def elementwise(self, node):
        return " ∘ ".join(self.factors(node.factors, self.factor))

    def matrixproduct(self, node):
        return " ".join(self.factors(node.factors, self.factor))

    def quotient(self, node):
        above, below = self.write(node.numerator), self.write(node.denominator)
        if isinstance(node.numerator, Over | Quotient) or level(node.numerator) < PRODUCT:
            above = self.fenced(above)
        if (
            isinstance(node.denominator, Derivative)
            or level(node.denominator) < POWER
            or self.has_power(node.denominator)
        ):
            below = self.fenced(below)
        return f"{above}/{below}"

    def power(self, node):
        return self.base(node.base) + self.exponent(node.exponent)

    def exponent(self, node):
        whole = node.term if isinstance(node, Negative) else node
        if isinstance(whole, Number) and isinstance(whole.value, int):
            return _raised(self.write(node))
        return "^" + self.inside(node, ATOM)

    def transpose(self, node):
        return self.base(node.term) + "ᵀ"

    def exponential(self, exponent):
        return "e" + self.exponent(exponent)

    def bracketed(self, name, argument):
        return BRACKETS[name][0] + self.write(argument) + BRACKETS[name][1]

    def root(self, argument):
        return "√" + self.inside(argument, ATOM)

    def called(self, node, plain):
        name = node.function.base
        written = FUNCTIONS.get(name, name) if plain else self.symbol(node.function)
        return f"{written}({self.listed(node.arguments)})"

    def over(self, node):
        name, under = OVER.get(node.operator, node.operator), self.under(node)
        return f"{name}{_small(under, _SUBSCRIPTS, '_') if under else ''} {self.inside(node.body, PRODUCT)}"

    def where(self, node):
        then, condition = self.inside(node.then, SUM), self.inside(node.condition, LOGIC)
        return f"{then} where {condition} else {self.inside(node.otherwise, WHERE)}"

    def derivative(self, node):
        return f"∂{self.inside(node.of, ATOM)}/∂{self.inside(node.by, ATOM)}"


def _raised(text):
    return "".join(_SUPERSCRIPTS[character] for character in text)


def _small(text, characters, mark):
    """Text in small characters where there are all of them, else behind a mark."""
    text = text if len(text) < 2 else text.replace(" ", "")
    if all(character in characters for character in text):
        return "".join(characters[character] for character in text)
    return mark + (text if all(c.isalnum() or c in "…." for c in text) else f"({text})")
