"""The process that measures one library on one workload; `benchmarks.measure` starts it and tells it when.

    python -m benchmarks.worker B torch-fused

It says what the start took in a line of JSON, and then answers each line of its input: a number of seconds asks for a
round, and a round's answer is the time of a step in milliseconds. While it waits it takes no processor: the threads of
OpenBLAS and OpenMP fall asleep some milliseconds after their last work, so no wait policy is set for them, which would
make PyTorch slower than its users see it; the other side leaves that time between two turns.
"""

import importlib
import json
import os
import resource
import statistics
import sys
import time
from typing import Any

from .measure import hold
from .workloads import named

# What is imported before a workload can be built, and timed apart.
IMPORTS = {
    "ichikara": ("ichikara", "ichikara.nn", "ichikara.optim"),
    "torch": ("torch",),
    "jax": ("jax", "jax.numpy", "optax"),
    "scikit-learn": ("sklearn.neural_network",),
    "autograd": ("autograd.numpy",),
    "dezero": ("dezero", "dezero.models", "dezero.optimizers"),
    "tinygrad": ("tinygrad", "tinygrad.nn.optim"),
}
WARM_UP = 3
LEAST = 3  # steps of a round


def import_library(library: str) -> None:
    """Import what a library needs."""
    if library == "dezero":  # its release of 2020 names a type that NumPy has removed; nothing else stands in its way
        import numpy

        setattr(numpy, "int", int)  # noqa: B010 - mypy knows that it is gone
    if library == "tinygrad":
        os.environ["DEV"] = "CPU"
    for module in IMPORTS[library]:
        importlib.import_module(module)


def peak() -> float:
    """The most memory that this process has held so far, in MiB."""
    unit = 1024 if sys.platform == "darwin" else 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit / 1024


def measure(step, seconds: float) -> float:
    """The median time of a step, in milliseconds. The first step wakes threads and caches up and is not counted."""
    step()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < LEAST or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def start(name: str, variant: str) -> tuple[Any, dict[str, float]]:
    """Build the step, do it once; the step and what that took, in seconds and MiB."""
    library, _, mode = variant.partition("-") if variant.startswith(("torch-", "ichikara-")) else (variant, "", "")
    begin = time.perf_counter()
    import_library(library)
    imported, memory = time.perf_counter(), peak()
    if library == "torch":
        import torch

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    built = time.perf_counter()
    step = named(name).steps[library](mode)
    if library == "ichikara" and mode == "stage":
        import ichikara

        step = ichikara.stage.stage(step)
    step()
    first = time.perf_counter() - built
    return step, {"import_s": imported - begin, "first_s": first, "imported_mib": memory}


def main() -> None:
    hold(int(os.environ["OMP_NUM_THREADS"]))
    # What a library prints on its own must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**words):
        answers.write(json.dumps(words) + "\n")
        answers.flush()

    try:
        step, took = start(*sys.argv[1:])
        answer(**took)
        warm = False
        for line in sys.stdin:
            for _ in range(0 if warm else WARM_UP):
                step()
            warm = True
            answer(ms=measure(step, float(line)), peak_mib=peak())
    except Exception as error:  # whatever a library raises is its result
        first = (str(error).strip().splitlines() or [""])[0]
        answer(error=f"{type(error).__name__}: {first}"[:200])


if __name__ == "__main__":
    main()
