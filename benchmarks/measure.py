"""Let libraries take turns at a workload, each in its own process, so that what slows the machine slows them all."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from .figures import median
from .workloads import Workload

ROOT = Path(__file__).parent.parent
MODES = ("fused", "compile")  # of PyTorch, besides the eager one
# These keep compiled code on disk, so that their very first start differs from the others.
COMPILED = ("ichikara", "ichikara-stage", "torch-compile")
STARTS = 3  # of these with all on disk, the last of which goes on to the rounds
SECONDS = 0.3  # of a round
PAUSE = 0.1  # between two turns, for the threads of the one before to fall asleep
BUSY = 20.0  # percent of the processors; where others use more of them, a turn waits
REST = 3.0  # seconds that it waits at most
PATIENCE = 600  # seconds until a worker that says nothing is given up


def variants(workload: Workload) -> list[str]:
    """The libraries of a workload, PyTorch and ours in their modes."""
    training = not workload.name.startswith("I")
    modes = [mode for mode in (*MODES, *workload.modes) if training or mode != "fused"]
    found = []
    for library in workload.steps:
        found.append(library)
        if library == "ichikara":
            found.append("ichikara-stage")
        if library == "torch":
            found += [f"torch-{mode}" for mode in modes]
    return found


def environment(threads: int, cache: str = "") -> dict[str, str]:
    """The variables that hold every library to so many threads, and what it compiles in a folder."""
    names = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM", "NUMEXPR")
    mine = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # as pip leaves it
    return {
        **mine,
        **{f"{name}_NUM_THREADS": str(threads) for name in names},
        "JAX_PLATFORMS": "cpu",
        **({"NUMBA_CACHE_DIR": f"{cache}/numba", "TORCHINDUCTOR_CACHE_DIR": f"{cache}/inductor"} if cache else {}),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
    }


def figures_of(module: str, threads: int, *words: str) -> dict[str, float]:
    """What a module of the benchmarks prints as its last line, a line of JSON, in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment(threads))
    return json.loads(done.stdout.splitlines()[-1])


def come_to_rest() -> bool:
    """Wait until nothing else works on the machine, for a while; whether it came to that."""
    end = time.monotonic() + REST
    while psutil.cpu_percent(PAUSE) > BUSY:
        if time.monotonic() > end:
            return False
    return True


def hold(threads: int) -> None:
    """Keep this process to so many processors, where the system lets it; XLA has no variable for it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


class Worker:
    """A process of `benchmarks.worker`, and what it has said; ``failure`` says in a line why it is of no use."""

    def __init__(self, workload: str, variant: str, threads: int, cache: str):
        self.failure = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", workload, variant],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=environment(threads, cache),
        )
        self.began = self.read()

    def read(self) -> dict[str, Any]:
        """Its next line; empty where there is none, and ``failure`` says why."""
        assert self.process.stdout
        guard = threading.Timer(PATIENCE, self.process.kill)
        guard.start()
        line = self.process.stdout.readline()
        guard.cancel()
        said = json.loads(line) if line else {"error": f"ended with status {self.process.wait()} and no word"}
        self.failure = said.get("error", "")
        return {} if self.failure else said

    def round(self, seconds: float) -> dict[str, Any]:
        """A round: the time of a step and the memory so far."""
        assert self.process.stdin
        with suppress(BrokenPipeError):  # what went wrong is in its last line
            print(seconds, file=self.process.stdin, flush=True)
        return self.read()

    def close(self) -> None:
        """End the process; its input ends, and so does it, with the compilers that it may have started."""
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


def measure(
    workload: Workload,
    names: list[str],
    rounds: int,
    threads: int = 2,
    seconds: float = SECONDS,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, dict[str, Any]]:
    """What each library needs for a workload: lists of times by round, memory, start; or the error it gave."""
    workers: dict[str, Worker] = {}
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as cache:
        try:
            for name in names:
                say(f"{workload.name}: starting {name}")
                starts: list[float | None] = []
                for _ in range(STARTS if name in COMPILED else 0):  # the very first, and all but the last of the rest
                    worker = Worker(workload.name, name, threads, cache)
                    worker.close()
                    starts.append(worker.began.get("first_s"))
                workers[name] = Worker(workload.name, name, threads, cache)
                found[name] = {**workers[name].began, "ms": [], "disturbed": 0}
                if starts and not workers[name].failure:
                    found[name]["cold_s"] = starts[0]
                    warm = [*starts[1:], found[name]["first_s"]]
                    found[name]["first_s"] = median([first for first in warm if first is not None])
            for number in range(rounds):
                say(f"{workload.name}: round {number + 1} of {rounds}")
                for name, worker in workers.items():
                    if worker.failure:
                        continue
                    found[name]["disturbed"] += not come_to_rest()
                    said = worker.round(seconds)
                    if said:
                        found[name]["ms"].append(said["ms"])
                        found[name]["peak_mib"] = said["peak_mib"]
        finally:
            for worker in workers.values():
                worker.close()
    return {name: {"error": workers[name].failure} if workers[name].failure else found[name] for name in names}
