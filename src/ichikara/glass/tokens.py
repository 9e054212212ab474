"""LaTeX cut into tokens, and read one after the other."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from ..errors import UserError

__all__ = ["END", "FormulaError", "Reader", "Token", "tokens_of"]

Found = TypeVar("Found")

# What changes how a formula looks and not what it means.
_STYLE = {r"\,", r"\:", r"\!", r"\ ", r"\left", r"\right", r"\bigl", r"\bigr", r"\Bigl", r"\Bigr", r"\textstyle"}
_SEPARATES = {r"\,"}  # it separates factors all the same
_TOKEN = re.compile(
    r"\s*(?P<text>"
    r"(?:\d+(?:\.\d+)?)(?:\s*\\times\s*10\^\{-?\d+\})?"
    r"|\\(?:mathit|operatorname|text|mathbf|mathbin|mathord)\s*\{(?:\\.|[^{}\\])*\}"
    r"|\\[a-zA-Z]+|\\.|.)",
    re.DOTALL,
)


class FormulaError(UserError):
    """A formula that cannot be read; the message names the place."""


class Token(NamedTuple):
    """A number, a command, or a character. Arguments: ``spaced``, whether a space stands before it."""

    text: str
    place: int
    spaced: bool


def tokens_of(formula: str) -> Iterator[Token]:
    """The tokens of a formula, without those that only change how it looks.

    >>> [token.text for token in tokens_of(r"\\bigl(2.5 x_{01}")]
    ['(', '2.5', 'x', '_', '{', '01', '}']
    """
    place, spaced, formula = 0, False, formula.rstrip()
    while place < len(formula):
        match = _TOKEN.match(formula, place)
        assert match, "a pattern that matches any character"
        text, start = match["text"], match.start("text")
        spaced = spaced or start > place
        place = match.end()
        if text in _STYLE and text not in _SEPARATES:
            continue
        yield Token(text, start, spaced)
        spaced = False


END = Token("", -1, False)


class Reader:
    """Goes through the tokens of a formula."""

    def __init__(self, formula: str):
        self.source = formula
        self.tokens = list(tokens_of(formula))
        self.i = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.i] if self.i < len(self.tokens) else END

    @property
    def text(self) -> str:
        return self.token.text

    def after(self) -> str:
        """The token behind the next one."""
        return self.tokens[self.i + 1].text if self.i + 1 < len(self.tokens) else ""

    def error(self, expected: str) -> FormulaError:
        place = self.token.place if self.token is not END else len(self.source)
        rest = f"'{self.source[place:][:40]}'" if self.source[place:] else "its end"
        return FormulaError(f"the formula '{self.source}' cannot be read at {rest}: {expected}")

    def next(self) -> Token:
        token = self.token
        self.i += 1
        return token

    def take(self, text: str) -> None:
        """Pass this token. Raises FormulaError where there is another one."""
        if self.text != text:
            raise self.error(f"'{text.strip()}' was expected")
        self.i += 1

    def passed(self, text: str) -> bool:
        """Whether this token comes, which is passed then."""
        found = self.text == text and self.token is not END
        self.i += found
        return found

    def attempt(self, method: Callable[[], Found | None]) -> Found | None:
        """What the method reads; None, and nothing is passed, where it reads nothing."""
        start = self.i
        try:
            found = method()
        except FormulaError:
            found = None
        if found is None:
            self.i = start
        return found
