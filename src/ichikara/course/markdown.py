"""The text of a lesson: Markdown with MyST's directives, roles and substitutions.

Beside ordinary Markdown there are

- ``(predict)=`` above a heading: the name of the piece that begins there;
- ``$u = w_1 x_1$``: a formula, in LaTeX, which becomes MathML;
- ``{{ plane.wrong }}``: a number that the lesson computes; ``{{ plane.share:.0% }}`` with a format of Python's;
- ``:::{figure} plane`` … ``:::``: a directive, with options as ``:name: value`` in its first lines, and a text of its
  own.

Source: https://mystmd.org, the Markdown of Jupyter Book.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from html import escape, unescape
from typing import Any

from ..errors import UserError

__all__ = ["Directive", "Piece", "Text", "attributes", "math", "plain_text", "read", "to_html"]


@dataclass(frozen=True)
class Directive:
    """A directive: its kind, its argument, its options, and its body, in Markdown."""

    kind: str
    argument: str
    options: dict[str, str]
    body: str

    @property
    def parts(self) -> "list[Directive | str]":
        """The body: directives, and the text between them."""
        return list(_split(self.body))


@dataclass
class Piece:
    """A piece of a lesson: its name, its heading, and its body, in Markdown."""

    name: str
    heading: str
    body: str


@dataclass
class Text:
    """The text of a lesson in one language: title, lede, and pieces by name."""

    title: str
    lede: str
    pieces: dict[str, Piece] = field(default_factory=dict)

    def directives(self, kind: str) -> Iterator[Directive]:
        """All directives of a kind, those inside others included."""
        for piece in self.pieces.values():
            yield from _of_kind(piece.body, kind)


_LABEL = re.compile(r"^\(([\w-]+)\)=\s*$")
_OPENING = re.compile(r"^(:{3,})\{([\w-]+)\}[ \t]*(.*?)\s*$")
_OPTION = re.compile(r"^:([\w-]+):[ \t]*(.*?)\s*$")


def read(source: str, where: str = "the text") -> Text:
    """A lesson's text. Raises UserError, with the place, for a text that is not laid out as one.

    >>> text = read("# One neuron\\n\\nA lede.\\n\\n(predict)=\\n## Which?\\n\\nThese.")
    >>> text.title, text.lede, text.pieces["predict"].heading, text.pieces["predict"].body
    ('One neuron', 'A lede.', 'Which?', 'These.')
    """
    lines = source.split("\n")
    if not lines[0].startswith("# "):
        raise UserError(f"{where} begins with '# ' and the lesson's title, not with {lines[0]!r:.60}")
    title = lines[0][2:].strip()
    lede: list[str] = []
    pieces: dict[str, tuple[str, list[str]]] = {}
    body, name = lede, ""
    for number, line in enumerate(lines[1:], 2):
        if label := _LABEL.match(line):
            name = label[1]
            if name in pieces:
                raise UserError(f"{where}, line {number}: there is a piece named {name} already")
        elif line.startswith("## "):
            if not name:
                raise UserError(f"{where}, line {number}: a heading of a piece has its name above it, as in (predict)=")
            body = []
            pieces[name] = (line[3:].strip(), body)
            name = ""
        else:
            body.append(line)
    return Text(
        title,
        "\n".join(lede).strip(),
        {name: Piece(name, heading, "\n".join(body).strip()) for name, (heading, body) in pieces.items()},
    )


def _split(source: str) -> Iterator[Directive | str]:
    """The directives of a text, and the text between them."""
    lines, text = iter(source.split("\n")), []
    for line in lines:
        opening = _OPENING.match(line)
        if not opening:
            text.append(line)
            continue
        if "".join(text).strip():
            yield "\n".join(text)
        text, body = [], []
        colons, kind, argument = opening.groups()
        for line in lines:
            if line.strip() == colons:
                break
            body.append(line)
        else:
            raise UserError(f"the directive {{{kind}}} {argument} is not closed by {colons}")
        options = {}
        while body and (option := _OPTION.match(body[0])):
            options[option[1]] = option[2]
            del body[0]
        yield Directive(kind, argument, options, "\n".join(body).strip())
    if "".join(text).strip():
        yield "\n".join(text)


def _of_kind(source: str, kind: str) -> Iterator[Directive]:
    for part in _split(source):
        if isinstance(part, Directive):
            if part.kind == kind:
                yield part
            yield from _of_kind(part.body, kind)


@lru_cache(4096)
def math(latex: str, block: bool = False) -> str:
    """A formula as MathML. ``\\class{w1}{…}`` names a term, which then lights up with the marks of that name.

    Lines are set apart by ``\\\\``, and stand with their ``&`` under one another.
    """
    if r"\\" in latex or "&" in latex:
        rows = "".join(
            "<mtr>" + "".join(f"<mtd>{_mathml(cell)}</mtd>" for cell in line.split("&")) + "</mtr>"
            for line in latex.split(r"\\")
        )
        text = f'<mtable displaystyle="true">{rows}</mtable>'
    else:
        text = _mathml(latex)
    return f'<math display="{"block" if block else "inline"}">{text}</math>'


def _mathml(latex: str) -> str:
    from latex2mathml.converter import convert

    if not latex.strip():
        return ""
    text = convert(latex).partition(">")[2].removesuffix("</math>")
    text = re.sub(r'<mrow class="([\w-]+)">', r'<mrow data-term="\1">', text)
    text = re.sub(r"<mi>(?=[a-z]{2,}</mi>)", '<mi mathvariant="normal">', text)  # names of functions stand upright
    text = _SIGNED.sub(r'\1<mo form="prefix">\2</mo>', text)
    return _PRIMED.sub(r"<mrow>\1\2</mrow>", text)


# A prime is high already, and stands beside its letter, not above it.
_PRIMED = re.compile(r"<msup>(<mi>[^<]*</mi>|<mrow>(?:(?!<mrow>).)*?</mrow>)(<mi>&#x0203[234];</mi>)</msup>")
# A minus sign that belongs to the number behind it stands close to it.
_SIGNED = re.compile(r"(<mo[^>]*>(?:&#x00028;|&#x0003D;|&#x000B7;)</mo>)<mo>(&#x02212;)</mo>")


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin
    from mdit_py_plugins.substitution import substitution_plugin

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.use(dollarmath_plugin).use(substitution_plugin)
    parser.add_render_rule("math_inline", lambda self, tokens, i, options, env: math(tokens[i].content))
    block = lambda self, tokens, i, options, env: f'<div class="fx">{math(tokens[i].content, True)}</div>'
    parser.add_render_rule("math_block", block)
    number = lambda self, tokens, i, options, env: env["number"](tokens[i].content)
    parser.add_render_rule("substitution_inline", number)
    parser.add_render_rule("substitution_block", number)
    return parser


def to_html(source: str, number: Callable[[str], str], *, inline: bool = False) -> str:
    """Markdown without directives as HTML.

    Arguments: ``number``, the HTML of a number, by what stands between the braces; ``inline``, without a paragraph.

    >>> to_html("$x$ is {{ a.b }}", lambda name: f"<b>{name}</b>", inline=True)
    '<math display="inline"><mrow><mi>x</mi></mrow></math> is <b>a.b</b>'
    """
    parser = _parser()
    render = parser.renderInline if inline else parser.render
    return render(source, {"number": lambda content: number(content.strip())}).strip()


def plain_text(html: str) -> str:
    """The words of a piece of HTML.

    >>> plain_text(to_html("weight $w_1$", str, inline=True))
    'weight w1'
    """
    return unescape(re.sub(r"<[^>]*>", "", html))


def attributes(**given: Any) -> str:
    """Attributes of an element; those that are None or False are left out.

    >>> attributes(id="a", hidden=True, title=None, data_low=0)
    ' id="a" hidden data-low="0"'
    """
    shown = (
        (name.replace("_", "-"), value) for name, value in given.items() if value is not None and value is not False
    )
    return "".join(f" {name}" if value is True else f' {name}="{escape(str(value))}"' for name, value in shown)
