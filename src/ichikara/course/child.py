"""The process in which a learner's program runs: ``python -m ichikara.course.child``.

It reads one JSON object from its standard input: what to judge, and the limits. It writes one JSON object to its
standard output: the verdict, what the program printed, and, where it failed, why and in which line.
"""

import builtins
import io
import json
import os
import signal
import sys
import traceback
from typing import Any

from ..strict_json import dumps

__all__ = ["PROGRAM", "judged", "limit"]

PROGRAM = "<your program>"
"""The file name of a learner's program, in tracebacks."""


class _Printed(io.TextIOBase):
    """What a program prints, up to a number of characters. More of it ends the program."""

    def __init__(self, most: int):
        self.most, self.text, self.over = most, "", False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        if len(self.text) > self.most:
            self.text, self.over = self.text[: self.most], True
            raise _TooMuch
        return len(text)


class _TooMuch(BaseException):
    """A program has printed more than it may. It is no Exception, so that a program does not catch it."""


def limit(seconds: float, memory: int, file: int) -> bool:
    """Limit this process; returns False where the system has no such limits.

    Arguments: ``seconds``, of computing; ``memory``, in bytes of addresses; ``file``, in bytes of a file it writes.
    """
    try:
        import resource
    except ImportError:
        return False
    limits = (
        (resource.RLIMIT_CPU, int(seconds) + 1, 1),  # a second between the signal and the end
        (resource.RLIMIT_AS, memory, 0),
        (resource.RLIMIT_FSIZE, file, 0),
        (resource.RLIMIT_CORE, 0, 0),
    )
    held = True
    for kind, most, more in limits:
        _, hard = resource.getrlimit(kind)
        soft, hard = (
            (most, most + more) if hard == resource.RLIM_INFINITY else (min(most, hard), min(most + more, hard))
        )
        try:
            resource.setrlimit(kind, (soft, hard))
        except (ValueError, OSError):  # macOS has no limit of addresses
            held = False
    signal.setitimer(signal.ITIMER_REAL, seconds)  # and no longer asleep, either; the signal ends the process
    return held


def judged(source: str, check: Any, most: int = 10_000) -> dict[str, Any]:
    """Run a program, and let a check judge what it has defined.

    Arguments: ``source``, the program; ``check``, a function of the program's names, which returns None where it is
    right, else the name of what is wrong, or a pair of that name and values; ``most``, how many characters it may
    print.

    Returns a dictionary: ``kind``, "right", "wrong", "syntax", "error", "memory", "output", or "check", where what the
    program has defined cannot be tried; ``wrong`` and ``values``; ``line`` and ``message`` of an error; ``printed``.
    """
    printed = _Printed(most)
    found: dict[str, Any] = {"kind": "right", "line": None, "message": "", "wrong": "", "values": {}}
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    before = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = printed
    try:
        program = compile(source, PROGRAM, "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        sys.stdout, sys.stderr = before
        line, message = getattr(error, "lineno", None) or 1, getattr(error, "msg", None) or str(error)
        return found | {"kind": "syntax", "line": line, "message": message[:500], "printed": printed.text}
    try:
        exec(program, names)
        answer = check(names)
        if answer is not None:
            wrong, values = answer if isinstance(answer, tuple) else (answer, {})
            found |= {"kind": "wrong", "wrong": wrong, "values": values}
    except MemoryError:
        names.clear()
        found |= {"kind": "memory"}
    except _TooMuch:
        pass
    except BaseException as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == PROGRAM]
        line = lines[-1] if lines else None
        message = f"{type(error).__name__}: {error}"[:500]
        found |= {"kind": "error" if lines else "check", "line": line, "message": message}
    finally:
        sys.stdout, sys.stderr = before
    if printed.over:
        found |= {"kind": "output"}
    return found | {"printed": printed.text}


def main() -> None:
    """Judge what standard input says."""
    from .lessons import exercise_of

    asked = json.loads(sys.stdin.buffer.read())
    process = os.getpid()
    # The answer has a channel of its own: what the program writes to standard output goes nowhere.
    channel = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    exercise = exercise_of(asked["lesson"], asked["exercise"])
    limited = limit(asked["seconds"], asked["memory"], asked["file"])
    answer = judged(asked["source"], exercise.check, asked["output"])
    if os.getpid() == process:  # a copy that the program has made of its process says nothing
        with os.fdopen(channel, "w", encoding="utf-8") as file:
            file.write(dumps(answer | {"limited": limited}, default=str))
    os._exit(0)  # threads that the program has started do not keep the process alive


if __name__ == "__main__":
    main()
