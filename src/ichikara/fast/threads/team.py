"""The thread team: worker threads that compute in parallel, while the linear algebra library uses one thread.

A library that divides each of many small products of matrices is slow: its threads synchronise after every product,
and where another program takes one of the processors for a moment, all of them wait. If the batch is divided instead,
the threads synchronise once, at the end. Moreover OpenBLAS's threads spin for some milliseconds after a product, to
start the next one sooner. There they took the processor from our own threads, and a training step of a small
convolutional network took 2.4 times as long. So one product of matrices is divided among our threads too.

`parallel_map` is for tasks written in Python, `parallel_for` for compiled functions that divide their own range
(`threads.fork_join`).
"""

import atexit
import os
import threading
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any

import numpy

from ..workspace import constant, current_capture
from .blas_threads import BLAS_SERIAL_LIMIT, single_threaded_blas

__all__ = ["NO_TEAM", "parallel_for", "parallel_map", "run_calls", "set_service", "threads_for"]

_MIN_PYTHON_COST = 2_000_000  # so many multiplications of a loop are done before a thread has been woken up
_MIN_COMPILED_COST = 100_000  # so many are worth a worker that is awake


def parallel_map(task: Callable[[slice], Any], count: int, cost: int, small: int = _MIN_PYTHON_COST) -> list[Any]:
    """The results of a task for each chunk of a batch; the chunks are computed in parallel.

    There are as many chunks as the linear algebra library may use threads: ``OPENBLAS_NUM_THREADS=1`` makes it one.

    Arguments: ``task``, a function of a slice of the batch, which computes with NumPy alone; ``count``, the length of
    the batch; ``cost``, about how many multiplications it takes; ``small``, the cost below which it is not divided.
    """
    if count < 1 or cost < BLAS_SERIAL_LIMIT:
        return [task(slice(0, count))]
    with single_threaded_blas as threads:
        chunks = min(threads, count) if cost >= small else 1
        if chunks == 1:
            return [task(slice(0, count))]
        edges = [count * i // chunks for i in range(chunks + 1)]
        job = _Job(task, [slice(edges[i], edges[i + 1]) for i in range(chunks)])
        workers = _acquire(chunks - 1)
        try:
            for worker in workers:
                worker.call(job)
            return job.finish()
        finally:
            _idle.extend(workers)


def parallel_for(function: Callable, cost: int, *arguments: Any) -> None:
    """Launch a compiled function that divides its range among a team: ``function(team, *arguments)``.

    It calls no linear algebra library; a function that does is launched ``with single_threaded_blas``.

    Arguments: ``cost``, about how many multiplications it takes: for a few it gets no team.
    """
    threads = threads_for(cost)
    if threads == 1:
        function(NO_TEAM, *arguments)
    else:
        run_calls([(function, arguments, True)], threads)
    capture = current_capture()
    if capture:
        parallel = cost >= _MIN_COMPILED_COST
        capture.add_call(function, arguments if parallel else (NO_TEAM, *arguments), parallel)


def run_calls(calls: Iterable[tuple[Callable, tuple, bool]], threads: int) -> None:
    """Call functions in order, each with its arguments; the parallel ones get a team of this many threads as well.

    Arguments: ``calls``, of each the function, the arguments, and whether it is parallel.
    """
    if threads == 1:
        for function, arguments, parallel in calls:
            function(NO_TEAM, *arguments) if parallel else function(*arguments)
        return
    workers = _acquire(threads - 1)
    try:
        if len(workers) == 1 == threads - 1:
            team = workers[0].team_of_one
        else:
            # A place of 0 for each worker that is busy, so that the range is divided, and the result rounded, the same.
            absent = [0] * (threads - 1 - len(workers))
            team = numpy.array([worker.address for worker in workers] + absent, numpy.int64)
        for function, arguments, parallel in calls:
            if parallel:
                for worker in workers:
                    worker.wake()
                function(team, *arguments)
            else:
                function(*arguments)
    finally:
        _idle.extend(workers)


def threads_for(cost: int, most: int | None = None) -> int:
    """How many threads `parallel_for` uses at this cost, which is also into how many parts a sum is divided.

    Arguments: ``most``, into how many parts it can be divided; the result is at least 1.
    """
    threads = single_threaded_blas.threads() if cost >= _MIN_COMPILED_COST else 1
    return threads if most is None else max(min(threads, most), 1)


class _Job:
    """The chunks of a batch, which any thread takes one by one, and their results."""

    def __init__(self, task: Callable[[slice], Any], chunks: list[slice]):
        self._task, self._chunks = task, chunks
        self._results: list[Any] = [None] * len(chunks)
        self._errors: list[BaseException | None] = [None] * len(chunks)
        self._pending = list(range(len(chunks)))[::-1]
        self._finished: SimpleQueue[None] = SimpleQueue()
        self._context = copy_context()  # so that numpy.errstate applies in the threads too

    def _take_chunk(self, run: Callable[[Callable, slice], Any]) -> bool:
        """Compute one of the chunks, if there is one left."""
        try:
            i = self._pending.pop()
        except IndexError:
            return False
        try:
            self._results[i] = run(self._task, self._chunks[i])
        except BaseException as error:
            self._errors[i] = error
        self._finished.put(None)
        return True

    def help(self) -> None:
        """Compute the remaining chunks, in another thread."""
        context: Context = self._context.copy()
        while self._take_chunk(context.run):
            pass

    def finish(self) -> list[Any]:
        """Compute the remaining chunks, wait for those that other threads have begun, and return the results."""
        while self._take_chunk(lambda task, chunk: task(chunk)):
            pass
        for _ in self._chunks:
            self._finished.get()
        for error in self._errors:
            if error:
                raise error
        return self._results


# --- the worker threads -----------------------------------------------------------------------------------------------

_STATE, _AWAKE = 0, 1  # the fields of a mailbox, and two of its states; `fork_join` has the others
_FREE, _CALLED = 0, 3


class _Worker:
    """A thread that sleeps until there is a job. After a compiled job it stays awake for a moment.

    Only the thread that has acquired a worker gives it jobs. ``address`` is that of its mailbox, into which a compiled
    job is posted.
    """

    def __init__(self):
        self._orders: SimpleQueue[_Job | str] = SimpleQueue()
        self._mailbox = numpy.zeros(16, numpy.int64)
        self.address = self._mailbox.ctypes.data
        self.team_of_one = numpy.array([self.address], numpy.int64)
        self._thread = threading.Thread(target=self._run, name="ichikara", daemon=True)
        self._thread.start()

    def _run(self):
        while (order := self._orders.get()) != "end":
            if isinstance(order, _Job):
                order.help()
                del order
            else:
                _service(self.address)

    def wake(self) -> None:
        """Let it watch its mailbox."""
        if not self._mailbox[_AWAKE]:
            self._mailbox[:2] = _FREE, 1
            self._orders.put("serve")

    def call(self, job: "_Job") -> None:
        """Let it help with a job."""
        self._order(job)

    def end(self) -> None:
        """Let the thread end, and wait for that."""
        self._order("end")
        self._thread.join(1)

    def _order(self, order):
        if self._mailbox[_AWAKE]:
            self._mailbox[_STATE] = _CALLED
        self._orders.put(order)


_service: Callable[[int], Any] = lambda address: None  # what a worker runs while it is awake


def set_service(function: Callable[[int], Any]) -> None:
    """Set the function that a worker runs while it is awake, given its mailbox's address; `fork_join` compiles it."""
    global _service
    _service = function


def _acquire(count: int) -> list[_Worker]:
    """This many workers, or those that are idle; the caller returns them to the idle ones."""
    acquired: list[_Worker] = []
    while len(acquired) < count:
        try:
            acquired.append(_idle.pop())
        except IndexError:
            with _growing:
                if len(_workers) >= (os.cpu_count() or 1):
                    break
                _workers.append(_Worker())
                acquired.append(_workers[-1])
    return acquired


NO_TEAM = constant(numpy.empty(0, numpy.int64))
"""The team of a parallel function that runs on the calling thread alone."""

_workers: list[_Worker] = []
_idle: list[_Worker] = []
_growing = threading.Lock()


@atexit.register
def _end_all():
    while _workers:
        _workers.pop().end()


def _after_fork():
    global _growing
    _growing = threading.Lock()
    _workers.clear()
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
