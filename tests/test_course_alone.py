"""Lessons run where NumPy alone can be imported and no thread can be started, as in a browser."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ichikara
from ichikara.course.lessons import READY

TESTS, SOURCE = Path(__file__).parent, Path(ichikara.__file__).parents[1]


def run(*arguments):
    path = os.pathsep.join([str(SOURCE), str(TESTS)])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=300)


# Without kernels the whole of lesson 10's data takes half a minute at a time.
SLOW = {"mini-batches": pytest.mark.slow}


@pytest.mark.parametrize("slug", ["", *(pytest.param(slug, marks=SLOW.get(slug, ())) for slug in READY)])
def test_alone(slug):
    """The engine, and each lesson."""
    done = run(str(TESTS / "alone.py"), *filter(None, [slug]))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import scipy", "No module named 'scipy'"),
        ("import ichikara.fast", "import of ichikara.fast halted"),
        ("threading.Thread(target=print).start()", "can't start new thread"),
        ("subprocess.run(['true'])", "subprocess.Popen is refused here"),
    ],
)
def test_what_is_refused(code, message):
    """A lesson that needed more would be found."""
    done = run("-c", f"import alone, subprocess, threading\nalone.begin()\n{code}")
    assert done.returncode == 1
    assert message in done.stderr
