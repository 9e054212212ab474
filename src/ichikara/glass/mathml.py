"""Expressions as MathML, which a browser shows as mathematics without anything else."""

from html import escape

from .expression import Expression, Negative, Number
from .notation import ATOM, BRACKETS, COMPARISON, LOGIC, MATRIX, PRODUCT, SUM, WHERE, Writer, shortest
from .text import FUNCTIONS

__all__ = ["to_mathml"]

ACCENTS = {"bar": "¯", "hat": "^", "tilde": "~"}
OVER = {"sum": "∑", "prod": "∏", "all": "⋀", "any": "⋁"}
TIMES, APPLY = "<mo>&#x2062;</mo>", "<mo>&#x2061;</mo>"  # invisible: a product, a function at its argument
THIN = '<mspace width="0.17em"/>'


def to_mathml(expression: Expression, digits: int | None = None, display: bool = False) -> str:
    """The expression as a ``<math>`` element.

    Arguments: ``digits``, to how many figures decimal numbers are written, None for all; ``display``, whether it stands
    on a line of its own.

    >>> from ichikara.glass.expression import Symbol
    >>> to_mathml(Symbol("x") ** 2)
    '<math display="inline"><msup><mi>x</mi><mn>2</mn></msup></math>'
    """
    kind = "block" if display else "inline"
    return f'<math display="{kind}">{MathML(digits).write(expression)}</math>'


class MathML(Writer):
    """Every method gives one element, so that it can stand where MathML wants one."""

    def fenced(self, written):
        return f'<mrow><mo stretchy="true">(</mo>{written}<mo stretchy="true">)</mo></mrow>'

    def number(self, node):
        figures, exponent = shortest(node.value, self.digits)
        if not exponent:
            return f"<mn>{figures}</mn>"
        power = self.write(Negative(Number(-exponent)) if exponent < 0 else Number(exponent))
        return _row(f"<mn>{figures}</mn>", "<mo>·</mo>", f"<msup><mn>10</mn>{power}</msup>")

    def symbol(self, node):
        base = f"<mi>{escape(node.base)}</mi>"
        if node.accent:
            base = f'<mover accent="true">{base}<mo>{ACCENTS[node.accent]}</mo></mover>'
        above = [self.indices(node.superscript)] if node.superscript else []
        above += ["<mo>" + "′" * node.primes + "</mo>"] if node.primes else []
        below = self.indices(node.subscript) if node.subscript else ""
        if above and below:
            return f"<msubsup>{base}{below}{_row(*above)}</msubsup>"
        if above:
            return f"<msup>{base}{_row(*above)}</msup>"
        return f"<msub>{base}{below}</msub>" if below else base

    def indices(self, indices):
        if len(indices) == 1:
            return self.write(indices[0])
        commas = any(isinstance(index, Number) and index.value > 9 for index in indices)
        written = [self.inside(index, SUM if commas else ATOM) for index in indices]
        return _row(("<mo>,</mo>" if commas else "").join(written))

    def sum(self, node):
        (_, first), *others = self.terms(node)
        return _row(first, *(f"<mo>{sign}</mo>{term}" for sign, term in others))

    def negative(self, node):
        return _row('<mo form="prefix">−</mo>', self.inside(node.term, PRODUCT))

    def product(self, node):
        first, *others = self.factors(node.factors, MATRIX)
        return _row(first, *(("<mo>·</mo>" if f.startswith("<mn>") else TIMES + THIN) + f for f in others))

    def elementwise(self, node):
        return _row("<mo>∘</mo>".join(self.factors(node.factors, self.factor)))

    def matrixproduct(self, node):
        return _row((TIMES + THIN).join(self.factors(node.factors, self.factor)))

    def quotient(self, node):
        return f"<mfrac>{self.write(node.numerator)}{self.write(node.denominator)}</mfrac>"

    def power(self, node):
        return f"<msup>{self.base(node.base)}{self.write(node.exponent)}</msup>"

    def transpose(self, node):
        return f"<msup>{self.base(node.term)}<mo>⊤</mo></msup>"

    def exponential(self, exponent):
        return f"<msup><mi>e</mi>{self.write(exponent)}</msup>"

    def bracketed(self, name, argument):
        left, right = (f'<mo fence="true">{sign}</mo>' for sign in BRACKETS[name])
        return _row(left, self.write(argument), right)

    def root(self, argument):
        return f"<msqrt>{self.write(argument)}</msqrt>"

    def called(self, node, plain):
        name = node.function.base
        written = f"<mi>{escape(FUNCTIONS.get(name, name))}</mi>" if plain else self.symbol(node.function)
        return _row(written, APPLY, self.listed(node.arguments))

    def listed(self, items):
        return self.fenced("<mo>,</mo>".join(map(self.write, items)))

    def over(self, node):
        sign = f"<mo>{OVER[node.operator]}</mo>" if node.operator in OVER else ""
        sign = sign or f"<mi>{node.operator.replace('arg', 'arg ')}</mi>"
        under = "<mo>,</mo>".join(map(self.write, node.indices))
        if node.condition is not None:
            under += "<mo>:</mo>" + self.write(node.condition)
        return _row(f"<munder>{sign}{_row(under)}</munder>" if under else sign, self.inside(node.body, PRODUCT))

    def where(self, node):
        then, condition = self.inside(node.then, SUM), self.inside(node.condition, LOGIC)
        otherwise = self.inside(node.otherwise, WHERE)
        return _row(then, "<mtext>&#xa0;where&#xa0;</mtext>", condition, "<mtext>&#xa0;else&#xa0;</mtext>", otherwise)

    def comparison(self, node):
        written = [self.inside(term, SUM) for term in node.terms]
        signs = [f"<mo>{escape(sign)}</mo>" for sign in node.signs]
        return _row(written[0], *(sign + term for sign, term in zip(signs, written[1:], strict=True)))

    def logic(self, node):
        return _row(f"<mo>{escape(node.sign)}</mo>".join(self.inside(term, COMPARISON) for term in node.terms))

    def iverson(self, node):
        return _row("<mo>[</mo>", self.write(node.condition), "<mo>]</mo>")

    def derivative(self, node):
        of, by = (_row("<mo>∂</mo>", self.inside(part, ATOM)) for part in (node.of, node.by))
        return f"<mfrac>{of}{by}</mfrac>"

    def tuple(self, node):
        return self.listed(node.items)

    def equation(self, node):
        return _row("<mo>=</mo>".join(self.inside(side, WHERE) for side in node.sides))


def _row(*written: str) -> str:
    """Elements as one element."""
    return f"<mrow>{''.join(written)}</mrow>"
