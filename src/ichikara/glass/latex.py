"""Expressions as LaTeX, which `parse` reads back as the same tree."""

from itertools import pairwise

from .expression import Expression, Number
from .notation import ATOM, COMPARISON, LOGIC, MATRIX, PRODUCT, SUM, WHERE, LineWriter, level, shortest

__all__ = ["to_latex"]

GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "varepsilon": "ε",
    "zeta": "ζ",
    "eta": "η",
    "theta": "θ",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "xi": "ξ",
    "pi": "π",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "varphi": "φ",
    "chi": "χ",
    "psi": "ψ",
    "omega": "ω",
    "Gamma": "Γ",
    "Delta": "Δ",
    "Theta": "Θ",
    "Lambda": "Λ",
    "Xi": "Ξ",
    "Pi": "Π",
    "Sigma": "Σ",
    "Phi": "Φ",
    "Psi": "Ψ",
    "Omega": "Ω",
}
LETTERS = {f"\\{name}": letter for name, letter in GREEK.items()} | {
    r"\infty": "∞",
    r"\dots": "…",
    r"\top": "⊤",
    r"\ell": "ℓ",
    r"\mathbf{1}": "𝟏",
}
FUNCTIONS = {
    f"\\{name}": name
    for name in ("arccos", "arcsin", "arctan", "cos", "cosh", "exp", "ln", "max", "min", "sin", "sinh")
} | {
    r"\tan": "tan",
    r"\tanh": "tanh",
    r"\log_{2}": "log2",
    r"\log_{10}": "log10",
    r"\neg": "not",
    r"\mathord{\sim}": "invert",
}
RELATIONS = {"=": "=", r"\ne": "≠", "<": "<", r"\le": "≤", ">": ">", r"\ge": "≥", r"\in": "∈"}
LOGICAL = {
    r"\wedge": "∧",
    r"\vee": "∨",
    r"\oplus": "⊕",
    r"\mathbin{\&}": "&",
    r"\mathbin{|}": "|",
    r"\ll": "≪",
    r"\gg": "≫",
}
OPERATORS = {
    r"\sum": "sum",
    r"\prod": "prod",
    r"\max": "max",
    r"\min": "min",
    r"\arg\max": "argmax",
    r"\arg\min": "argmin",
    r"\bigwedge": "all",
    r"\bigvee": "any",
}
LATEX_BRACKETS = {
    "abs": (r"\lvert", r"\rvert"),
    "floor": (r"\lfloor", r"\rfloor"),
    "ceil": (r"\lceil", r"\rceil"),
    "round": (r"\lfloor", r"\rceil"),
}
ESCAPED = "_#%&${}"

_COMMANDS = {letter: command for command, letter in LETTERS.items()}
_FUNCTION_COMMANDS = {name: command for command, name in FUNCTIONS.items()}
_RELATION_COMMANDS = {sign: command for command, sign in RELATIONS.items()}
_LOGICAL_COMMANDS = {sign: command for command, sign in LOGICAL.items()}
_OPERATOR_COMMANDS = {name: command for command, name in OPERATORS.items()}


def to_latex(expression: Expression, digits: int | None = None) -> str:
    r"""The expression in LaTeX, for use in mathematics.

    Arguments: ``digits``, to how many figures decimal numbers are written; None for all.

    >>> from ichikara.glass.expression import Symbol
    >>> print(to_latex(Symbol("w", "00", "1") / (1 + Symbol("x"))))
    \frac{{w^{1}_{00}}}{1 + x}
    """
    return LaTeX(digits).write(expression)


class LaTeX(LineWriter):
    minus, relations, logical = "-", _RELATION_COMMANDS, _LOGICAL_COMMANDS

    def number(self, node):
        figures, exponent = shortest(node.value, self.digits)
        return figures + (rf" \times 10^{{{exponent}}}" if exponent else "")

    def symbol(self, node):
        base = _letter(node.base, "mathit")
        return self.decorated(node, rf"\{node.accent}{{{base}}}" if node.accent else base)

    def decorated(self, node, written):
        below = f"_{{{self.indices(node.subscript)}}}" if node.subscript else ""
        above = f"^{{{self.indices(node.superscript)}}}" if node.superscript else ""
        return (f"{{{written}{above}{below}}}" if above else written + below) + "'" * node.primes

    def indices(self, indices):
        if len(indices) == 1:
            (index,) = indices
            written = self.write(index)
            if isinstance(index, Number) and len(written) > 1:
                return f"{{{written}}}"
            return written if level(index) in (ATOM, SUM, COMPARISON) else self.fenced(written)
        if any(isinstance(index, Number) and len(self.write(index)) > 1 for index in indices):
            return ", ".join(self.inside(index, SUM) for index in indices)
        return _spaced([self.inside(index, ATOM) for index in indices])

    def product(self, node):
        written = self.factors(node.factors, MATRIX)
        result = written[0]
        for factor in written[1:]:
            result += (r" \cdot " if factor[0].isdigit() else r"\,") + factor
        return result

    def elementwise(self, node):
        return r" \circ ".join(self.factors(node.factors, self.factor))

    def matrixproduct(self, node):
        return r"\;".join(self.factors(node.factors, self.factor))

    def quotient(self, node):
        return rf"\frac{{{self.write(node.numerator)}}}{{{self.write(node.denominator)}}}"

    def power(self, node):
        return f"{self.base(node.base)}^{{{self.write(node.exponent)}}}"

    def transpose(self, node):
        return rf"{self.base(node.term)}^\top"

    def exponential(self, exponent):
        return f"e^{{{self.write(exponent)}}}"

    def bracketed(self, name, argument):
        left, right = LATEX_BRACKETS[name]
        return f"{left} {self.write(argument)} {right}"

    def root(self, argument):
        return rf"\sqrt{{{self.write(argument)}}}"

    def called(self, node, plain):
        name = node.function.base
        written = _FUNCTION_COMMANDS.get(name) if plain else None
        written = written or self.decorated(node.function, _letter(name, "operatorname"))
        return f"{written}({self.listed(node.arguments)})"

    def over(self, node):
        under, body = self.under(node), self.inside(node.body, PRODUCT)
        return f"{_OPERATOR_COMMANDS[node.operator]}{f'_{{{under}}}' if under else ''} {body}"

    def where(self, node):
        then, condition = self.inside(node.then, SUM), self.inside(node.condition, LOGIC)
        return rf"{then} \text{{ where }} {condition} \text{{ else }} {self.inside(node.otherwise, WHERE)}"

    def derivative(self, node):
        return rf"\frac{{\partial {self.inside(node.of, ATOM)}}}{{\partial {self.inside(node.by, ATOM)}}}"


def _letter(name: str, command: str) -> str:
    """A name as LaTeX: a letter as it is, a longer one by a command."""
    if name in _COMMANDS:
        return _COMMANDS[name]
    if len(name) == 1 and name.isascii() and name.isalpha():
        return name
    escaped = "".join("\\" + c if c in ESCAPED else r"\ " if c == " " else c for c in name)
    return rf"\{command}{{{escaped}}}"


def _spaced(words: list[str]) -> str:
    """Indices side by side, figures without a space."""
    result = words[0]
    for before, word in pairwise(words):
        result += word if before.isdigit() and word.isdigit() else " " + word
    return result
