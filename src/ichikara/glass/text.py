"""Expressions as plain text: w¹₀₀·f⁰′(u⁰₀), with the signs that Unicode has."""

from unicodedata import normalize

from .expression import Expression, Negative, Number, Over, Symbol
from .notation import ATOM, BRACKETS, COMPARISON, LOGIC, MATRIX, POWER, PRODUCT, SUM, WHERE, Writer, level, shortest

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

    >>> x, w = Symbol("x"), Symbol("w", "00", "1")
    >>> to_text(w * (x - 1) ** 2)
    'w¹₀₀·(x − 1)²'
    """
    return Text(digits).write(expression)


class Text(Writer):
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

    def sum(self, node):
        first, *others = node.terms
        written = self.inside(first, SUM) if isinstance(first, Negative) else self.inside(first, PRODUCT)
        for term in others:
            sign, term = (" − ", term.term) if isinstance(term, Negative) else (" + ", term)
            written += sign + self.inside(term, PRODUCT)
        return written

    def negative(self, node):
        return "−" + self.inside(node.term, PRODUCT)

    def product(self, node):
        return "·".join(self.factors(node.factors, self.factor))

    def elementwise(self, node):
        return " ∘ ".join(self.factors(node.factors, self.factor))

    def matrixproduct(self, node):
        return " ".join(self.factors(node.factors, self.factor))

    def quotient(self, node):
        above = node.numerator
        simple = level(above) in (PRODUCT, MATRIX, POWER, ATOM) and not isinstance(above, Over)
        return (
            f"{self.write(above) if simple else self.fenced(self.write(above))}/{self.base_or_power(node.denominator)}"
        )

    def base_or_power(self, node):
        derivative = type(node).__name__ == "Derivative"
        return self.fenced(self.write(node)) if derivative else self.inside(node, POWER)

    def power(self, node):
        return self.base(node.base) + self.exponent(node.exponent)

    def exponent(self, node):
        whole = node.term if isinstance(node, Negative) else node
        if isinstance(whole, Number) and isinstance(whole.value, int):
            return _raised(self.write(node))
        return "^" + self.inside(node, ATOM)

    def transpose(self, node):
        return self.base(node.term) + "ᵀ"

    def call(self, node):
        name = node.function.base
        plain = node.function == Symbol(name)
        if plain and len(node.arguments) == 1:
            (argument,) = node.arguments
            if name == "exp":
                return "e" + self.exponent(argument)
            if name in BRACKETS:
                return BRACKETS[name][0] + self.write(argument) + BRACKETS[name][1]
            if name == "sqrt":
                return "√" + self.inside(argument, ATOM)
        written = FUNCTIONS.get(name, name) if plain else self.symbol(node.function)
        return f"{written}({', '.join(map(self.write, node.arguments))})"

    def over(self, node):
        name = OVER.get(node.operator, node.operator)
        condition = "" if node.condition is None else " : " + self.write(node.condition)
        under = ", ".join(map(self.write, node.indices)) + condition
        return f"{name}{_small(under, _SUBSCRIPTS, '_') if under else ''} {self.inside(node.body, PRODUCT)}"

    def where(self, node):
        then, condition = self.inside(node.then, SUM), self.inside(node.condition, LOGIC)
        return f"{then} where {condition} else {self.inside(node.otherwise, WHERE)}"

    def comparison(self, node):
        written = [self.inside(term, SUM) for term in node.terms]
        return written[0] + "".join(f" {sign} {term}" for sign, term in zip(node.signs, written[1:], strict=True))

    def logic(self, node):
        return f" {node.sign} ".join(self.inside(term, COMPARISON) for term in node.terms)

    def iverson(self, node):
        return f"[{self.write(node.condition)}]"

    def derivative(self, node):
        return f"∂{self.inside(node.of, ATOM)}/∂{self.inside(node.by, ATOM)}"

    def tuple(self, node):
        return f"({', '.join(map(self.write, node.items))})"

    def equation(self, node):
        return " = ".join(self.inside(side, WHERE) for side in node.sides)


def _raised(text):
    return "".join(_SUPERSCRIPTS[character] for character in text)


def _small(text, characters, mark):
    """Text in small characters where there are all of them, else behind a mark."""
    text = text if len(text) < 2 else text.replace(" ", "")
    if all(character in characters for character in text):
        return "".join(characters[character] for character in text)
    return mark + (text if all(c.isalnum() or c in "…." for c in text) else f"({text})")
