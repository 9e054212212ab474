"""A batch shared out among threads, each of them with a linear algebra library that keeps to one thread.

Many small products of matrices are not work for a library that splits each of them: its threads wait for each other
after every product, and where another program takes one of the processors for a moment, all of them wait. Sharing out
the batch instead, the threads meet once, at the end. And OpenBLAS's threads stay awake for some milliseconds after a
product, to be quick at the next one: there they took the processor from our own, and a training step of a small
convolutional network took 2.4 times as long. So a product of matrices is shared out here too.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import numpy

__all__ = ["look_again", "product", "share"]

_SMALL = 2_000_000  # so many multiplications of a loop are done before a thread has been woken up
_SMALL_PRODUCT = 10_000_000  # and so many of a product of matrices, which does several at a time
_ALONE = 200_000  # up to so many OpenBLAS uses one thread of its own accord


def share(work: Callable[[slice], Any], count: int, cost: int, small: int = _SMALL) -> list[Any]:
    """What the work gives for each part of a batch; the parts are done side by side.

    There are as many parts as the linear algebra library may use threads: ``OPENBLAS_NUM_THREADS=1`` makes it one.

    Arguments: ``work``, a function of a slice of the batch, which works with NumPy alone; ``count``, the length of the
    batch; ``cost``, about how many multiplications it takes; ``small``, below how many of them it is not divided.
    """
    if count < 1 or cost < _ALONE:
        return [work(slice(0, count))]
    with _held as threads:
        parts = min(threads, count) if cost >= small else 1
        edges = [count * i // parts for i in range(parts + 1)]
        first, *others = (slice(edges[i], edges[i + 1]) for i in range(parts))
        # A copy of the context, so that numpy.errstate holds in the threads too.
        jobs = [_held.pool().submit(copy_context().run, work, part) for part in others]
        try:
            found = [work(first)]
        finally:
            for job in jobs:
                job.exception()  # waits: nobody may write on when the caller goes on
        return found + [job.result() for job in jobs]


def product(a: Any, b: Any) -> Any:
    """The product of arrays; the rows, the columns or the matrices are shared out.

    Shapes: as of ``@``.
    """
    if not (isinstance(a, numpy.ndarray) and isinstance(b, numpy.ndarray) and a.ndim and b.ndim):
        return a @ b
    columns = b.shape[-1] if b.ndim > 1 else 1
    cost = max(a.size * columns, b.size)
    if cost < _ALONE or a.dtype != b.dtype:
        return a @ b
    if b.ndim == 1:
        return product(a, b[:, None])[..., 0]
    if a.ndim == 1:
        return product(a[None], b)[..., 0, :]
    if a.shape[:-2] != b.shape[:-2]:  # broadcast: not shared out, but still kept to one thread
        return share(lambda part: a @ b, 1, cost)[0]
    y = numpy.empty((*a.shape[:-1], columns), a.dtype)
    if a.ndim > 2:
        count, work = len(a), lambda part: numpy.matmul(a[part], b[part], out=y[part])
    elif len(a) >= columns:
        count, work = len(a), lambda part: numpy.matmul(a[part], b, out=y[part])
    else:
        count, work = columns, lambda part: numpy.matmul(a, b[:, part], out=y[:, part])
    share(work, count, cost, _SMALL_PRODUCT)
    return y


class _Held:
    """Holds the libraries to one thread for as long as anyone is sharing out; gives how many threads they had."""

    def __init__(self):
        self._lock, self._users, self._threads = threading.Lock(), 0, 1
        self._libraries: list = []
        self._look = True  # for them, before the next use
        self._before: list[int] = []
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> int:
        with self._lock:
            if not self._users:
                if self._look:
                    self._libraries, self._look = _find_libraries(), False
                self._before = [library.num_threads for library in self._libraries]
                self._threads = max(self._before, default=1)
                if self._threads > 1:
                    self._set([1] * len(self._before))
            self._users += 1
            return self._threads

    def __exit__(self, *exception):
        with self._lock:
            self._users -= 1
            if not self._users and self._threads > 1:
                self._set(self._before)

    def look_again(self):
        """Another library has been loaded, and is to be held too, as soon as nobody is sharing out."""
        self._look = True

    def pool(self) -> ThreadPoolExecutor:
        """The threads, which are started when they are first needed."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="ichikara")
            return self._pool

    def _set(self, numbers):
        for library, number in zip(self._libraries, numbers, strict=True):
            library.set_num_threads(number)

    def after_fork(self):
        """In the child of a fork there are no threads but one, and nobody is sharing out."""
        if self._users and self._threads > 1:
            self._set(self._before)
        self._lock, self._users, self._pool = threading.Lock(), 0, None


def _find_libraries() -> list:
    try:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]
    except ImportError:
        return []
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    return [library for library in found if library.num_threads]


_held = _Held()
look_again = _held.look_again
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_held.after_fork)
