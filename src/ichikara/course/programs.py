"""Learners' programs: each runs in a process of its own, with limits of time, memory and output."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Limits", "judge"]

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
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "ichikara.course.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=_environment(),
            start_new_session=True,  # so that all that it starts can be ended with it
        )
        timer = threading.Timer(limits.seconds + _START, _kill, [process])
        timer.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json.dumps(asked).encode())
                process.stdin.close()
            except BrokenPipeError:
                pass
            answer = process.stdout.read(_MOST)
        finally:
            late = timer.finished.is_set()
            timer.cancel()
            _kill(process)
            code = process.wait()
            process.stdout.close()  # type: ignore[union-attr]
    try:
        return json.loads(answer)
    except ValueError:
        late = late or -code in (getattr(signal, "SIGXCPU", 0), getattr(signal, "SIGALRM", 0))
        return _ended("time" if late else "crash")


def _ended(kind: str) -> dict[str, Any]:
    return {"kind": kind, "line": None, "message": "", "wrong": "", "values": {}, "printed": "", "limited": True}


def _environment() -> dict[str, str]:
    """The environment of a program: one thread each, and the ichikara that runs here."""
    here = str(Path(__file__).parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def _kill(process: subprocess.Popen) -> None:
    """End a process and all that it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
