"""What the command prints: any text of a user's as it is, in any encoding, to a reader that may have gone."""

import codecs
import os
import re
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from ..strict_json import dumps
from ..words import LANGUAGES, in_language

__all__ = ["Language", "bold", "err", "out", "prepare_streams", "print_json", "silence", "visible"]


def _speak(context: typer.Context, language: str | None) -> str | None:
    """Let everything until the end of the command be said in a language."""
    if language is not None:
        context.with_resource(in_language(language))
    return language


Language = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar="|".join(LANGUAGES),
        help="The language of what is printed; by default that of ICHIKARA_LANG, or of the system.",
        callback=_speak,
        show_default=False,
    ),
]
"""The option of a command whose words exist in several languages. `words.language_of` then gives the chosen one, so a
command that has the option need not look at its value."""

# Characters that move the cursor, colour what follows or reverse it.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

_PLAIN = {"→": "->", "·": "-", "…": "...", "±": "+-", "×": "x", "−": "-"}
"""Our own signs, for encodings that do not have them."""


class _Console(Console):
    """Prints strings as they are: no markup, no codes for emoji or terminals. Styles are given by `Text`, as `bold`."""

    def __init__(self, **options: Any):
        super().__init__(markup=False, emoji=False, highlight=False, soft_wrap=True, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)

    def on_broken_pipe(self) -> None:
        """Messages without a reader are no reason to end a training; results without a reader are."""
        silence(self.file)
        if not self.stderr:
            raise BrokenPipeError


out = _Console()
err = _Console(stderr=True)


def bold(text: str, style: str = "bold") -> Text:
    """Text in bold."""
    return Text(visible(text), style)


def visible(text: str) -> str:
    """The text with control characters written out: a name in a file could hold commands for the terminal.

    >>> visible("red: \x1b[31m")
    'red: \\\\x1b[31m'
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def print_json(value: Any) -> None:
    """Print a value as one line of JSON, as `strict_json.dumps` writes it."""
    text = dumps(value, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = dumps(value)
    print(text)


def prepare_streams() -> None:
    """Let characters that the output's encoding does not have be written in another way, instead of raising."""
    codecs.register_error("ichikara", _replacement)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # a stream of another kind, or none
            stream.reconfigure(errors="ichikara")  # type: ignore[union-attr]


def _replacement(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    sign = error.object[error.start]
    if sign in _PLAIN:
        return _PLAIN[sign], error.start + 1
    error.end = error.start + 1
    return codecs.lookup_error("backslashreplace")(error)


def silence(stream: Any) -> None:
    """Send what is still written to a stream nowhere: its reader has gone."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
