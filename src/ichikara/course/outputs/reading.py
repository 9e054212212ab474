"""A lesson's text for other places than a page: with its numbers in it, and as text that a terminal can show."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any
from unicodedata import combining, normalize

from ...words import language_of, say
from ..markdown import math
from ..page import number_text

__all__ = ["filled", "formula_text", "readable", "say_course"]


def say_course(name: str, /, **values: Any) -> str:
    """A text of the course's pages, in the language of the block `words.in_language`."""
    return say(f"course.{name}", language_of(), **values)


_NUMBER = re.compile(r"\{\{\s*([^}:]+?)\s*(?::([^}]*?)\s*)?\}\}")


def filled(source: str, numbers: Mapping[str, Any]) -> str:
    """Markdown with its numbers in it; a number that has not been computed is absent.

    >>> filled("{{ a.share:.0%}} of {{ a.n }}", {"a.share": 0.126, "a.n": 8})
    '13% of 8'
    """
    return _NUMBER.sub(lambda found: _text_of(numbers.get(found[1]), found[2] or ""), source)


def _text_of(value: Any, form: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return say_course("page.yes" if value else "page.no")
    return number_text(value, form)


_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_STRONG = re.compile(r"(?<![\w*])(\*{1,2}|_{1,2})(?=\S)(.+?)(?<=\S)\1(?![\w*])")


def readable(source: str) -> str:
    """Markdown as text: formulas in the signs that a terminal has, and no marks of emphasis.

    >>> readable("The *sum* is $u = w_1 x_1$, see `fire` and [here](a.md).")
    'The sum is u = w₁ x₁, see fire and here.'
    """
    parts = re.split(r"(\$\$.+?\$\$|\$[^$\n]+\$|`[^`]+`)", source, flags=re.DOTALL)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            parts[i] = _STRONG.sub(r"\2", _LINK.sub(r"\1", part))
        elif part.startswith("`"):
            parts[i] = part.strip("`")
        else:
            parts[i] = _FORMULA.sub(lambda found: formula_text(found[1] or found[2]), part)
    return "".join(parts)


_RAISED = str.maketrans("0123456789+-−=()niTN", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱᵀᴺ")
_LOWERED = str.maketrans("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_ACCENTS = {"¯": "\u0304", "‾": "\u0304", "^": "\u0302", "~": "\u0303", "˙": "\u0307", "→": "\u20d7", "⏞": "", "⏟": ""}
_SPACED = set("=<>≤≥≠≈∈→←⇒∼+−⋯≪≫↦")


def formula_text(latex: str) -> str:
    r"""A formula as text. Fractions stand on one line, indices are small letters where there are any.

    >>> formula_text(r"\frac{\partial L}{\partial w_0} = \sigma(u) - y"), formula_text(r"e^{-x/2} & < & \bar{x}^2")
    ('∂L/∂w₀ = σ(u) − y', 'e^(−x/2) < x̄²')
    """
    root = ElementTree.fromstring(math(latex))
    table = root.find("mtable")
    rows = [[_tidy(_written(cell)) for cell in row] for row in ([[root]] if table is None else table)]
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows)))]
    return "\n".join(" ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _tidy(text: str) -> str:
    text = text.strip()
    for pattern, into in _SPACES.items():
        text = re.sub(pattern, into, text)
    return normalize("NFC", text.strip())


_OF = "\u2061"  # stands between the name of a function and what it is a function of
_SPACES = {
    r"\s+": " ",
    f"{_OF}(?=[(\\[])": "",
    _OF: " ",
    r"(^|[=<>≤≥≠≈∈(\[,·+/×;] ?)− ?(?=\S)": r"\1−",  # a sign, not a difference
    r"(?<=[(⟦|]) | (?=[)⟧,;])": "",
}


def _written(node: ElementTree.Element) -> str:
    """An element of MathML and what is in it, as text."""
    kind, inner = node.tag, [_written(child) for child in node]
    if kind in ("mi", "mn", "mo", "mtext", "ms"):
        return _sign(kind, node.text or "")
    if kind == "mspace":
        return " "
    if kind == "mfrac":
        return "/".join(_grouped(part) for part in inner)
    if kind == "msqrt":
        return "√" + _grouped("".join(inner).strip())
    if kind == "mroot":
        return f"{inner[1].translate(_RAISED)}√{_grouped(inner[0])}"
    if kind in ("msup", "msub", "munder", "mover", "msubsup", "munderover"):
        of = _OF if inner[0].endswith(_OF) else ""
        below = "" if kind in ("msup", "mover") else inner[1]
        above = inner[-1] if kind in ("msup", "mover", "msubsup", "munderover") else ""
        return inner[0].rstrip(_OF) + _mark(below, "_", _LOWERED) + _mark(above, "^", _RAISED) + of
    if kind == "mtr":
        return " ".join(inner) + "; "
    return _joined(node, inner)


def _joined(node: ElementTree.Element, inner: list[str]) -> str:
    """Signs one after the other; between two names, which are multiplied, there is a space."""
    text = ""
    for i, (child, part) in enumerate(zip(node, inner, strict=True)):
        if i and part and _ends_with_name(text) and _begins_with_name(child):
            text += "" if text.endswith("∂") else " "
        text += part
    return text


_SMALL = {chr(letter) for table in (_RAISED, _LOWERED) for letter in table.values()}


def _ends_with_name(text: str) -> bool:
    return text[-1:].isalnum() or text[-1:] in _SMALL or (text != "" and combining(text[-1]) > 0)


def _begins_with_name(node: ElementTree.Element) -> bool:
    while len(node):
        node = node[0]
    if node.tag == "mi":
        return "mathvariant" not in node.attrib  # the letters of an upright word are names of their own
    return node.tag in ("mn", "mo") and (node.text or "")[:1].isalnum()


def _sign(kind: str, text: str) -> str:
    text = {"⊤": "ᵀ", "\u2212": "−", "\u2061": ""}.get(text, text)
    if kind == "mo" and len(text) == 1 and text in _SPACED:
        return f" {text} "
    if kind == "mo" and len(text) > 1 and text.isalpha():
        return text + _OF
    return {"·": " · ", ",": ", ", ";": "; "}.get(text, text) if kind == "mo" else text


def _grouped(text: str) -> str:
    text = text.strip()
    return f"({text})" if re.search(r"[\s/·+−]", text.strip("()")) or "(" in text[1:] else text


def _mark(text: str, mark: str, table: dict[int, int]) -> str:
    text = text.strip()
    return _ACCENTS.get(text, _small(text, mark, table) if text else "")


def _small(text: str, mark: str, table: dict[int, int]) -> str:
    """An exponent or an index, in small letters if there are some for all of it."""
    bare = text.replace(" ", "")
    if text in ("′", "″", "ᵀ", "∗"):
        return text
    if bare and all(ord(letter) in table for letter in bare):
        return bare.translate(table)
    return mark + (text if len(text) == 1 or (text.isalnum() and mark == "_") else f"({bare})")
