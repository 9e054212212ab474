"""Learners' programs: each runs in a process of its own, with limits of time, memory and output.

That guards against accidents: a loop without an end, a list that grows, a crash. It is no prison. A program runs as the
user who started `ichikara learn`, and can read and write that user's files; and as the check runs in the same process,
a program that looks for the check can change it, or answer in its place. Nobody but the learner sees the verdict.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["Limits", "judge"]

_LIMITS = find_spec("resource") is not None
_MARK = "ICHIKARA_PROGRAM"
_MOST = 1 << 20  # bytes that are read of an answer
_START = 20.0  # seconds that Python and ichikara may take to start, on a slow machine


@dataclass(frozen=True)
class Limits:
    """What a program may use: ``seconds``; ``memory`` and ``file``, in bytes; ``output``, in characters."""

    seconds: float = 10.0
    memory: int = 2 << 30
    file: int = 1 << 20
    output: int = 10_000


def judge(lesson: str, exercise: str, source: str, limits: Limits | None = None) -> dict[str, Any]:
    """Run a learner's program as the answer to an exercise, and judge it.

    Arguments: ``lesson`` and ``exercise``, their names; ``source``, the program.

    Returns a dictionary as `child.judged` does; its ``kind`` may also be "time", for a program that did not end, and
    "crash", for one that ended its process. ``limited`` is False where the system has no limits but that of time.
    """
    limits = limits or Limits()
    asked = {"lesson": lesson, "exercise": exercise, "source": source, **asdict(limits)}
    mark = f"{_MARK}={secrets.token_hex(16)}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "ichikara.course.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=_environment(mark),
            start_new_session=True,  # so that all that it starts can be ended with it
        )
        answers: list[bytes] = []
        talk = threading.Thread(target=_talk, args=(process, json.dumps(asked).encode(), answers), daemon=True)
        talk.start()
        end = time.monotonic() + limits.seconds + _START
        while talk.is_alive() and process.poll() is None and time.monotonic() < end:
            talk.join(0.1)
        late = process.poll() is None and talk.is_alive()
        if not late:
            talk.join(0.2)  # what is in the pipe already; a program that it started may hold the other end open
        _kill(process, mark)
        code = process.wait()
        talk.join(1.0)
    try:
        return json.loads(answers[0])
    except (IndexError, ValueError):
        late = late or -code in (getattr(signal, "SIGXCPU", 0), getattr(signal, "SIGALRM", 0))
        return _ended("time" if late else "crash")


def _talk(process: subprocess.Popen, question: bytes, answers: list[bytes]) -> None:
    """Ask a process, and keep its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdout:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(question)
        answers.append(process.stdout.read(_MOST))


def _ended(kind: str) -> dict[str, Any]:
    return {"kind": kind, "line": None, "message": "", "wrong": "", "values": {}, "printed": "", "limited": _LIMITS}


def _environment(mark: str) -> dict[str, str]:
    """The environment of a program: one thread each, and the ichikara that runs here."""
    here = str(Path(__file__).parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    name, _, value = mark.partition("=")
    return {**os.environ, **threads, name: value, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def _kill(process: subprocess.Popen, mark: str) -> None:
    """End a process and all that it has started. Arguments: ``mark``, a variable that only their environments have."""
    if not hasattr(os, "killpg"):
        return process.kill()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for environment in Path("/proc").glob("[0-9]*/environ"):  # on Linux also those that have left the group
        with contextlib.suppress(OSError):
            if mark.encode() in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)
