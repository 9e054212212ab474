"""What `explain` gives: formulas and numbers, to be written as text, LaTeX, MathML and JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from ..words import language_of, say
from .expression import Derivative, Equation, Expression, Number, Product, mapped, to_dict
from .latex import to_latex
from .text import Text

__all__ = ["Explanation", "Part", "Row"]

SHORT, FULL = 4, 6  # figures of the numbers in a formula, and of those that are results
MOST = 200  # rows that are shown; a dictionary has them all
SMALL = 16  # how many numbers an array has at most whose numbers are shown


@dataclass(frozen=True)
class Row:
    """A line: a name, what it is equal to, and its number.

    Arguments: ``name``; ``formula``, None where there is none; ``numbers``, the formula with its numbers; ``value``, a
    number, or an array; ``shapes``, of the name and of the factors of the formula, as text; ``quotient``, the
    difference quotient of a local derivative.
    """

    name: Expression
    formula: Expression | None = None
    numbers: Expression | None = None
    value: Any = None
    shapes: Sequence[str] = ()
    quotient: float | None = None


@dataclass(frozen=True)
class Part:
    """The derivative of one value by another.

    Arguments: ``of`` and ``by``, their symbols; ``lines``, the derivative, and the parts of it with lines of their own;
    ``where``, what the functions and letters in them are; ``values``, of the symbols; ``paths``, how many there
    are; ``gradient``, the engine's, in the array's own shape; ``checks``, what was compared, as words of the catalogue
    with their values; ``folded``, the modules that are not unfolded.
    """

    of: Expression
    by: Expression
    lines: Sequence[Row]
    where: Sequence[Row] = ()
    values: Sequence[Row] = ()
    paths: int = 1
    gradient: Any = None
    checks: Sequence[tuple[str, dict[str, Any]]] = ()
    folded: Sequence[str] = ()


@dataclass(frozen=True)
class Explanation:
    """The chain rule of a computation, written out. Print it, or let a notebook show it.

    Arguments: ``parts``, a derivative each; ``language``, "en" or "ja", by default as `words.language_of` says.
    """

    parts: Sequence[Part]
    language: str = field(default_factory=language_of)

    def text(self, language: str | None = None) -> str:
        """The explanation in Unicode characters, for a terminal."""
        return "\n\n".join(_text(part, language or self.language) for part in self.parts) + "\n"

    def latex(self) -> str:
        """The formulas in LaTeX, as one ``align*``; for a page that has its own words."""
        rows = [row for part in self.parts for row in (*part.lines, *part.where)]
        return "\\begin{align*}\n" + " \\\\\n".join(map(_latex_row, rows)) + "\n\\end{align*}\n"

    def html(self, language: str | None = None) -> str:
        """The explanation as a piece of HTML with MathML, which needs no script."""
        parts = "\n".join(_html(part, language or self.language) for part in self.parts)
        return f'<div class="ichikara-explanation">\n<style>{STYLE}</style>\n{parts}\n</div>\n'

    def to_dict(self) -> dict[str, Any]:
        """Everything in values that JSON can hold."""
        return {"language": self.language, "parts": [_dictionary(part) for part in self.parts]}

    def __str__(self):
        return self.text()

    def _repr_html_(self):
        return self.html()


class Lecture(Text):
    """Writes products as the lecture does: factors side by side, with a dot after a fraction or between numbers."""

    def product(self, node: Product) -> str:
        written = self.factors(node.factors, self.factor)
        result = written[0]
        for before, factor, text in zip(node.factors, node.factors[1:], written[1:], strict=False):
            if isinstance(before, Derivative) or isinstance(factor, Derivative) or text[0].isdigit():
                result += " · "
            elif not (result.endswith(")") and text.startswith("(")):
                result += " "
            result += text
        return result


def written(expression: Expression | None, digits: int | None = SHORT) -> str:
    """An expression as the lecture writes it."""
    return "" if expression is None else Lecture().write(rounded(expression, digits))


def rounded(expression: Expression, digits: int | None) -> Expression:
    """The expression with its decimal numbers rounded to so many figures, None for as they are."""
    if isinstance(expression, Number):
        value = expression.value if digits is None else float(f"{expression.value:.{digits}g}")
        return Number(int(value)) if value == int(value) < 1e15 else Number(value)
    return mapped(expression, lambda part: rounded(part, digits))


def number_text(value: Any, digits: int = FULL) -> str:
    """A number, or the numbers of a small array in rows."""
    if value is None:
        return ""
    if getattr(value, "ndim", 0) == 0:
        return f"{float(value):.{digits}g}".replace("-", "−").replace("e−0", "e−").replace("e+", "e")
    if value.size > SMALL or value.ndim > 2:
        return "…"
    inner = [number_text(item, SHORT) for item in value]
    return f"({', '.join(inner)})" if value.ndim == 1 else f"[{'; '.join(' '.join(_row(r)) for r in value)}]"


def _row(values) -> list[str]:
    return [number_text(value, SHORT) for value in values]


# --- text -------------------------------------------------------------------------------------------------------------


def _text(part: Part, language: str) -> str:
    words = {"of": written(part.of), "by": written(part.by)}
    title = say("explain.title", language, **words)
    blocks = [title + "\n" + "─" * _width(title)]
    blocks += ["\n".join(_line(row)) for row in part.lines]
    if part.where:
        blocks.append(say("explain.where", language) + "\n" + _table(part.where, language))
    if part.values:
        blocks.append(say("explain.with", language) + "\n" + _flow(part.values, language))
    blocks.append("\n".join(_sentences(part, language)))
    return "\n\n".join(blocks)


def _sentences(part: Part, language: str) -> list[str]:
    return [say(f"explain.{name}", language, **values) for name, values in part.checks]


def _line(row: Row) -> list[str]:
    """A derivative in symbols, and beneath them in numbers."""
    name = written(row.name)
    margin = " " * len(name)
    found = [f"{name} = {written(row.formula)}"] if row.formula is not None else []
    if _has_factors(row):
        found.append(f"{row.shapes[0]:<{len(name)}} = {' '.join(row.shapes[1:])}")
    if row.numbers is not None and row.numbers != row.formula and not isinstance(row.numbers, Number):
        found.append(f"{margin} = {written(row.numbers)}")
    value = number_text(row.value)
    if value and (value != "…" or not found):
        found.append(f"{margin if found else name} = {value}")
    return found


def _has_factors(row: Row) -> bool:
    """Whether the shapes of a row say something: those of several factors, or one that is not the whole's."""
    return len(set(row.shapes)) > 1 or len(row.shapes) > 2


def _table(rows: Sequence[Row], language: str) -> str:
    lines = []
    for row in rows[:MOST]:
        value = number_text(row.value)
        cells = [written(row.name), f"= {written(row.formula)}" if row.formula is not None else "", f"= {value}"]
        if not value or value == "…":
            cells[2] = "  ".join(row.shapes)
        elif row.shapes:
            cells[2] += f"   {row.shapes[0]}"
        lines.append(cells)
    widths = [max(len(cells[i]) for cells in lines) for i in (0, 1)]
    text = [f"  {a:<{widths[0]}} {b:<{widths[1]}} {c}".rstrip() for a, b, c in lines]
    return "\n".join(text + _more(rows, language))


def _flow(rows: Sequence[Row], language: str) -> str:
    """Names and their numbers, as many in a line as fit."""
    lines = [" "]
    for row in rows[:MOST]:
        value = number_text(row.value)
        said = f"{written(row.name)} = {value}" if value != "…" else f"{written(row.name)} {' '.join(row.shapes)}"
        if lines[-1] != " " and len(lines[-1]) + len(said) > 100:
            lines.append(" ")
        lines[-1] += f" {said}" if lines[-1] == " " else f",  {said}"
    return "\n".join(lines + _more(rows, language))


def _more(rows: Sequence[Row], language: str) -> list[str]:
    return [f"  {say('explain.more', language, count=len(rows) - MOST)}"] if len(rows) > MOST else []


def _width(text: str) -> int:
    """How many columns of a terminal a text takes: a Chinese or Japanese sign takes two."""
    return sum(2 if ord(sign) > 0x2E7F else 1 for sign in text)


# --- LaTeX and HTML ---------------------------------------------------------------------------------------------------


def _sides(row: Row) -> list[Expression]:
    return [side for side in (row.name, row.formula, row.numbers) if side is not None]


def _latex_row(row: Row) -> str:
    first, *others = [to_latex(rounded(side, SHORT)) for side in _sides(row)]
    value = number_text(row.value)
    if value and value[0] not in "[(…":
        others.append(value.replace("−", "-"))
    return f"{first} &= " + " \\\\\n&= ".join(others) if others else first


def _html(part: Part, language: str) -> str:
    from .mathml import to_mathml

    def math(expression):
        return to_mathml(rounded(expression, SHORT))

    words = {"of": math(part.of), "by": math(part.by)}
    found = [f"<h3>{say('explain.title', language, **words)}</h3>"]
    for row in part.lines:
        first, *sides = [math(side) for side in _sides(row)]
        sides = [f"= {side}" for side in sides]
        if _has_factors(row):
            sides.insert(1, f"<small>{row.shapes[0]} = {' '.join(row.shapes[1:])}</small>")
        if number_text(row.value) not in ("", "…"):
            sides.append(f"= {escape(number_text(row.value))}")
        cells = "".join(f"<tr><td>{first if not i else ''}</td><td>{side}</td></tr>" for i, side in enumerate(sides))
        found.append(f"<table>{cells}</table>")
    if part.where:
        found.append(f"<p>{say('explain.where', language)}</p>{_html_table(part.where[:MOST], language, math)}")
    if part.values:
        given = [f"{math(row.name)} = {escape(number_text(row.value))}" for row in part.values[:MOST]]
        found.append(f"<p>{say('explain.with', language)}: {', '.join(given)}</p>")
    found += [f"<p>{escape(sentence)}</p>" for sentence in _sentences(part, language)]
    return "\n".join(found)


def _html_table(rows: Sequence[Row], language: str, math: Callable[[Expression], str]) -> str:
    """A table of the rows with the columns that any of them needs."""
    columns = {
        "quantity": [math(row.name) for row in rows],
        "formula": ["" if row.formula is None else math(row.formula) for row in rows],
        "value": [escape(number_text(row.value)) for row in rows],
        "quotient": [escape(number_text(row.quotient)) for row in rows],
        "shape": [" ".join(row.shapes) for row in rows],
    }
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    heading = "".join(f"<th>{say(f'explain.{name}', language)}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for cells in zip(*columns.values(), strict=True)
    )
    return f"<table><tr>{heading}</tr>{body}</table>"


STYLE = (
    ".ichikara-explanation{font:16px/1.5 system-ui,sans-serif}"
    ".ichikara-explanation table{border-collapse:collapse;margin:.5em 0}"
    ".ichikara-explanation td,.ichikara-explanation th{padding:.15em .8em .15em 0;text-align:left;font-weight:normal}"
    ".ichikara-explanation th{font-size:.8em;opacity:.7}"
    ".ichikara-explanation math{font-size:1.1em;math-style:normal}"
    ".ichikara-explanation small{opacity:.7}"
)


def _dictionary(part: Part) -> dict[str, Any]:
    return {
        "of": written(part.of),
        "by": written(part.by),
        "paths": part.paths,
        "gradient": _plain(part.gradient),
        "lines": [_row_dictionary(row) for row in part.lines],
        "where": [_row_dictionary(row) for row in part.where],
        "values": [_row_dictionary(row) for row in part.values],
        "folded": [*part.folded],
        "checks": [{"about": name, **values} for name, values in part.checks],
    }


def _row_dictionary(row: Row) -> dict[str, Any]:
    sides = [row.name] + ([row.formula] if row.formula is not None else [])
    whole = Equation(tuple(sides)) if len(sides) > 1 else row.name
    found: dict[str, Any] = {
        "text": written(whole, None),
        "latex": to_latex(whole),
        "expression": to_dict(whole),
        "value": _plain(row.value),
    }
    if row.numbers is not None:
        found["numbers"] = written(row.numbers, None)
    if row.shapes:
        found["shapes"] = [*row.shapes]
    if row.quotient is not None:
        found["quotient"] = row.quotient
    return found


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value
