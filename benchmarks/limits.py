"""What the machine can do at most: products of matrices a second, and bytes to and from memory.

python -m benchmarks.limits      # a line of JSON
"""

import json
import sys
import threading
import time
from contextlib import suppress
from itertools import pairwise

from .measure import figures_of, hold

SIDE = 2048  # of the matrices
LENGTH = 1 << 26  # numbers of the arrays that are copied, 256 MiB: more than any cache holds


def measure(threads: int) -> dict[str, float]:
    """The limits with so many threads, from a process of its own."""
    return figures_of("limits", threads, str(threads))


def best(work, times: int = 10) -> float:
    """The shortest time of some, in seconds; the first is not counted."""
    work()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def numpy_products() -> float:
    """Operations a second of NumPy's product of float32 matrices."""
    import numpy

    a = numpy.ones((SIDE, SIDE), "float32")
    return 2 * SIDE**3 / best(lambda: a @ a)


def torch_products(threads: int) -> float:
    """The same of PyTorch's."""
    import torch

    torch.set_num_threads(threads)
    a = torch.ones((SIDE, SIDE))
    return 2 * SIDE**3 / best(lambda: a @ a)


def copies(threads: int) -> float:
    """Bytes a second of copying a large array, read and written, each thread a part of it."""
    import numpy

    source, target = numpy.ones(LENGTH, "float32"), numpy.zeros(LENGTH, "float32")
    edges = [LENGTH * i // threads for i in range(threads + 1)]
    parts = [slice(*edge) for edge in pairwise(edges)]

    def work():
        workers = [threading.Thread(target=numpy.copyto, args=(target[part], source[part])) for part in parts]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return 2 * source.nbytes / best(work)


def main() -> None:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    hold(threads)
    speeds = [numpy_products()]
    with suppress(ImportError):  # then NumPy's alone
        speeds.append(torch_products(threads))
    print(json.dumps({"operations_s": max(speeds), "bytes_s": copies(threads)}))


if __name__ == "__main__":
    main()
