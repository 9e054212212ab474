"""The command as a program: runs it, and turns every way in which it can end into a line and an exit status."""

import os
import platform
import re
import sys
import tempfile
import traceback
import warnings
from typing import Any

import typer

from ..errors import UserError
from . import doctor as _registers_doctor  # noqa: F401 - commands in files of their own
from . import explain as _registers_explain  # noqa: F401
from . import figures as _registers_figures  # noqa: F401
from . import learn as _registers_learn  # noqa: F401
from .main import app
from .output import bold, err, prepare_streams, silence

__all__ = ["main"]


def main() -> None:
    """Run the command and exit; see `main` for the exit statuses.

    An error has one line. One that was not foreseen names a file with its traceback, which `--debug` shows.
    """
    prepare_streams()
    sys.exit(_status(sys.argv[1:]))


def _status(words: list[str]) -> int:
    """Run the command with these words, and return its exit status."""
    command, context = typer.main.get_command(app), None
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: err.print(f"warning: {message}")
            # Not by calling it, since Typer would handle a closed pipe and Ctrl-C in its own way.
            context = command.make_context("ichikara", words)
            with context:
                command.invoke(context)
            sys.stdout.flush()
        return 0
    except typer.Exit as end:
        return end.exit_code
    except (BrokenPipeError, SystemExit):  # the reader of our output has gone; Rich ends the program where it finds out
        silence(sys.stdout)
        return 0
    except (KeyboardInterrupt, typer.Abort):
        err.print("interrupted")
        return 130
    except Exception as error:
        if _wants_traceback(context):
            traceback.print_exc()
        return _explain(error)


def _wants_traceback(context: Any) -> bool:
    return bool(context and context.params.get("debug")) or os.environ.get("ICHIKARA_DEBUG", "0") not in ("", "0")


def _explain(error: Exception) -> int:
    """Print an error as one line, and return the exit status."""
    status = 2
    if isinstance(error, UserError):
        message, status = str(error), error.exit_code
    elif hasattr(error, "format_message"):  # Typer's, about the words of the command
        message = f"{_in_our_words(error.format_message())} (see {_command_of(error)} --help)"
        status = error.exit_code  # type: ignore[attr-defined]
    elif isinstance(error, MemoryError):
        message = f"memory ran out ({error or 'no size is known'}); a smaller network, batch or data set needs less"
    elif isinstance(error, OSError) and error.strerror:
        message = f"{error.filename or 'the output'} cannot be used: {error.strerror}"
    else:
        message, status = _unforeseen(error), 1
    err.print(bold("error:", "red"), " ".join(line.strip() for line in message.splitlines()))
    return status


def _in_our_words(message: str) -> str:
    message = re.sub(r", unable to parse .*", "", message.replace("Input should be", "it should be"))
    return message[:1].lower() + message[1:].rstrip(".")


def _command_of(error: Any) -> str:
    return getattr(getattr(error, "ctx", None), "command_path", "ichikara")


def _unforeseen(error: Exception) -> str:
    """What to say of an error that nobody has foreseen; its traceback is written into a file of the user's own."""
    about = f"{type(error).__name__}: {error}"
    versions = f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}"
    try:
        number, path = tempfile.mkstemp(prefix="ichikara-error-", suffix=".txt")  # nobody else can read it
        with open(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{sys.argv!r}\n{versions}\n\n{''.join(traceback.format_exception(error))}")
    except OSError:
        return f"{about}. This is a fault of ichikara; please report it, with what ichikara --debug shows"
    return f"{about}. This is a fault of ichikara; please report it, with the file {path}"
