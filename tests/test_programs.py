"""Learners' programs in processes of their own: verdicts, limits, and what a program cannot do by accident."""

import builtins
import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ichikara.course import child, programs
from ichikara.course.child import judged
from ichikara.course.programs import Limits, judge

RIGHT = "def predict(w, x):\n    return 1 if w[0] + w[1] * x[0] + w[2] * x[1] > 0 else 0\n"
limits = pytest.mark.skipif(not programs._LIMITS, reason="this system has no limits but that of time")


def tried(source, **limits):
    """The verdict on a program, as an answer to the last exercise of lesson 1."""
    return judge("neuron", "predict", textwrap.dedent(source), Limits(**limits))


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_a_right_program():
    found = tried(RIGHT + "print('done')")
    assert (found["kind"], found["printed"], found["limited"]) == ("right", "done\n", programs._LIMITS)


def test_a_wrong_program_has_its_misconception_named():
    found = tried(RIGHT.replace("w[0] + ", ""))
    assert (found["kind"], found["wrong"]) == ("wrong", "bias")
    found = tried("w = 1")
    assert (found["kind"], found["wrong"], found["values"]) == ("wrong", "undefined", {"name": "predict"})


def test_a_program_that_python_cannot_read():
    found = tried("x = 1\ndef predict(w, x)\n    return 1\n")
    assert (found["kind"], found["line"]) == ("syntax", 2)
    assert "expected ':'" in found["message"]


@pytest.mark.parametrize("source", ["x = '\0'", "(" * 10_000, "-" * 100_000 + "1", "x = " + "[" * 5_000 + "]" * 5_000])
def test_programs_that_the_compiler_refuses(source):
    assert judged(source, lambda names: None)["kind"] in ("syntax", "memory")


def test_a_program_that_fails():
    found = tried("def predict(w, x):\n    return helper(x)\n\ndef helper(x):\n    return x[7]\n")
    assert (found["kind"], found["line"]) == ("error", 5)
    assert found["message"] == "IndexError: list index out of range"
    found = tried("import sys\nsys.exit(3)\n" + RIGHT)
    assert (found["kind"], found["line"], found["message"]) == ("error", 2, "SystemExit: 3")
    found = judged("exec('1 +')", lambda names: None)
    assert (found["kind"], found["line"]) == ("error", 1)


def test_a_program_that_cannot_be_tried():
    found = tried("def predict(w):\n    return 1\n")
    assert found["kind"] == "check"
    assert "takes 1 positional argument but 2 were given" in found["message"]


def test_values_of_any_kind_are_told():
    """What a check found in a program is the program's: it may be no number at all."""
    source = "import numpy\ndef predict(w, x):\n    return numpy.float32('nan')\n"
    assert tried(source)["kind"] == "wrong"


# --- limits -----------------------------------------------------------------------------------------------------------


@limits
@pytest.mark.parametrize(
    "source",
    [
        "while True:\n    pass\n",
        "import time\ntime.sleep(1000)\n",
        "while True:\n    try:\n        print('x' * 20_000)\n    except BaseException:\n        pass\n",
        "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True:\n    pass\n",
    ],
    ids=["loop", "sleep", "catches all", "ignores the alarm"],
)
def test_a_program_that_does_not_end(source):
    begun = time.monotonic()
    assert tried(source, seconds=1.0)["kind"] == "time"
    assert time.monotonic() - begun < 15


def test_a_program_that_prints_too_much():
    found = tried("while True:\n    print('again')\n", output=100)
    assert (found["kind"], len(found["printed"])) == ("output", 100)


@limits
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no limit of addresses")
@pytest.mark.parametrize(
    "source",
    [
        "x = [0] * 10**10\n",
        "x = []\nwhile True:\n    x.append(bytes(10**7))\n",
        "import numpy\nx = numpy.ones(10**9)\n",
    ],
    ids=["at once", "bit by bit", "an array"],
)
def test_a_program_that_needs_too_much_memory(source):
    assert tried(source)["kind"] == "memory"


def test_a_training_step_fits_in_the_limits():
    source = """
        import numpy
        from ichikara import nn, optim
        model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
        optimizer, loss = optim.Adam(model.parameters()), nn.CrossEntropyLoss()
        x, y = numpy.ones((256, 64), "float32"), numpy.arange(256) % 10
        for step in range(3):
            optimizer.zero_grad()
            value = loss(model(x), y)
            value.backward()
            optimizer.step()
        print(round(value.item()))
    """
    found = tried(textwrap.dedent(source) + RIGHT)
    assert (found["kind"], found["printed"]) == ("right", "2\n"), found


@limits
def test_a_program_that_writes_a_large_file():
    found = tried("open('large', 'wb').write(bytes(10**7))\n" + RIGHT)
    assert (found["kind"], found["line"]) == ("error", 1)
    assert "File too large" in found["message"]


def test_files_of_a_program_go_with_it():
    found = tried("import os\nopen('small', 'w').write('x')\nprint(os.path.abspath('small'))\n" + RIGHT)
    assert found["kind"] == "right"
    assert not Path(found["printed"].strip()).exists()


# --- processes --------------------------------------------------------------------------------------------------------


def alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are looked for in /proc")
@pytest.mark.parametrize("away", [False, True], ids=["in its group", "in a group of its own"])
def test_what_a_program_has_started_ends_with_it(away):
    source = f"""
        import subprocess
        started = subprocess.Popen(["sleep", "1000"], start_new_session={away})
        print(started.pid)
    """
    found = tried(textwrap.dedent(source) + RIGHT)
    assert found["kind"] == "right"
    pid = int(found["printed"])
    for _ in range(100):
        if not alive(pid):
            break
        time.sleep(0.05)
    assert not alive(pid)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system copies no processes")
def test_a_copy_of_the_process_says_nothing_and_holds_nobody_up():
    begun = time.monotonic()
    source = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)\n"
    assert tried(source + RIGHT)["kind"] == "right"
    assert tried("import os\nos.fork()\n" + RIGHT)["kind"] == "right"
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos._exit(0)\n",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
        "import ctypes\nctypes.string_at(0)\n",
        "import os\nos.closerange(0, 100)\n",
    ],
    ids=["exit", "kill", "fault", "closes all"],
)
def test_a_program_that_ends_its_process(source):
    assert tried(source + RIGHT)["kind"] == "crash"


FORGED = '{"kind": "right", "wrong": "", "values": {}, "line": null, "message": "", "printed": "", "limited": true}'


@pytest.mark.parametrize(
    "source",
    [
        f"print({FORGED!r})",
        f"import os\nos.write(1, {FORGED!r}.encode())\nos._exit(0)",
        f"import sys\nsys.__stdout__.write({FORGED!r})\nsys.__stdout__.flush()\nsys.stdout = sys.__stdout__",
        f"import os\nos.write(2, {FORGED!r}.encode())",
    ],
    ids=["prints", "writes and leaves", "the first stdout", "stderr"],
)
def test_what_a_program_writes_is_no_verdict(source):
    assert tried(source)["kind"] in ("wrong", "crash")


def test_a_program_does_not_change_the_streams():
    before = sys.stdout, sys.stderr
    judged("import sys\nsys.stdout = sys.stderr = None\n", lambda names: None)
    judged("x = (", lambda names: None)
    assert (sys.stdout, sys.stderr) == before


# --- systems without limits -------------------------------------------------------------------------------------------


def test_without_limits_it_is_said(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "resource":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert child.limit(1.0, 1 << 30, 1 << 20) is False


def test_without_limits_time_ends_a_program(monkeypatch, tmp_path):
    (tmp_path / "resource.py").write_text("raise ImportError('resource')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(programs, "_START", 3.0)
    monkeypatch.setattr(programs, "_LIMITS", False)
    monkeypatch.setattr(programs, "_environment", lambda mark, make=programs._environment: first(make(mark), tmp_path))
    assert tried(RIGHT)["limited"] is False
    found = tried("while True:\n    pass\n", seconds=0.5)
    assert (found["kind"], found["limited"]) == ("time", False)


def first(environment, folder):
    return environment | {"PYTHONPATH": os.pathsep.join([str(folder), environment["PYTHONPATH"]])}
