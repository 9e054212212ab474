"""A batch shared out among threads, each of them with a linear algebra library that keeps to one thread.

Many small products of matrices are not work for a library that splits each of them: its threads wait for each other
after every product, and where another program takes one of the processors for a moment, all of them wait. Sharing out
the batch instead, the threads meet once, at the end. And OpenBLAS's threads stay awake for some milliseconds after a
product, to be quick at the next one: there they took the processor from our own, and a training step of a small
convolutional network took 2.4 times as long. So a product of matrices is shared out here too.

`share` is for work that is written in Python, `together` for compiled work that shares itself out (`kernels.team`).
"""

import atexit
import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any

import numpy

from .tape import constant, listener

__all__ = ["ALONE", "NOBODY", "held", "let_serve", "look_again", "parts_for", "repeat", "share", "together"]

_SMALL = 2_000_000  # so many multiplications of a loop are done before a thread has been woken up
ALONE = 200_000  # up to so many OpenBLAS uses one thread of its own accord
_SMALL_TOGETHER = 100_000  # so many are worth a worker that is awake


def share(work: Callable[[slice], Any], count: int, cost: int, small: int = _SMALL) -> list[Any]:
    """What the work gives for each part of a batch; the parts are done side by side.

    There are as many parts as the linear algebra library may use threads: ``OPENBLAS_NUM_THREADS=1`` makes it one.

    Arguments: ``work``, a function of a slice of the batch, which works with NumPy alone; ``count``, the length of the
    batch; ``cost``, about how many multiplications it takes; ``small``, below how many of them it is not divided.
    """
    if count < 1 or cost < ALONE:
        return [work(slice(0, count))]
    with held as threads:
        parts = min(threads, count) if cost >= small else 1
        if parts == 1:
            return [work(slice(0, count))]
        edges = [count * i // parts for i in range(parts + 1)]
        job = _Job(work, [slice(edges[i], edges[i + 1]) for i in range(parts)])
        helpers = _hire(parts - 1)
        try:
            for helper in helpers:
                helper.call(job)
            return job.finish()
        finally:
            _idle.extend(helpers)


def together(function: Callable, cost: int, *arguments: Any) -> None:
    """Call a compiled function that shares its work out among a team: ``function(team, *arguments)``.

    It does no products of matrices; one that does is called ``with held``.

    Arguments: ``cost``, about how many multiplications it takes: for a few it has no team.
    """
    threads = parts_for(cost)
    if threads == 1:
        function(NOBODY, *arguments)
    else:
        repeat([(function, arguments, True)], threads)
    tape = listener()
    if tape:
        shares = cost >= _SMALL_TOGETHER
        tape.note(function, arguments if shares else (NOBODY, *arguments), shares)


def repeat(calls: Iterable[tuple[Callable, tuple, bool]], threads: int) -> None:
    """Call functions, each with its arguments; those that share their work out, with a team of so many."""
    if threads == 1:
        for function, arguments, shares in calls:
            function(NOBODY, *arguments) if shares else function(*arguments)
        return
    helpers = _hire(threads - 1)
    try:
        if len(helpers) == 1 == threads - 1:
            team = helpers[0].alone
        else:
            # Places for those whom somebody else has, so that the work is divided, and rounded, in the same way.
            absent = [0] * (threads - 1 - len(helpers))
            team = numpy.array([helper.address for helper in helpers] + absent, numpy.int64)
        for function, arguments, shares in calls:
            if shares:
                for helper in helpers:
                    helper.wake()
                function(team, *arguments)
            else:
                function(*arguments)
    finally:
        _idle.extend(helpers)


def parts_for(cost: int, most: int | None = None) -> int:
    """How many work side by side in `together` at this cost: into so many parts what is summed up is divided.

    Arguments: ``most``, into how many it can be divided; it is one part at the least.
    """
    threads = held.threads() if cost >= _SMALL_TOGETHER else 1
    return threads if most is None else max(min(threads, most), 1)


class _Job:
    """Parts of a batch that whoever is there takes one by one, and what has been found."""

    def __init__(self, work: Callable[[slice], Any], parts: list[slice]):
        self._work, self._parts = work, parts
        self._found: list[Any] = [None] * len(parts)
        self._errors: list[BaseException | None] = [None] * len(parts)
        self._left = list(range(len(parts)))[::-1]
        self._ended: SimpleQueue[None] = SimpleQueue()
        self._context = copy_context()  # so that numpy.errstate holds in the threads too

    def _take_part(self, run: Callable[[Callable, slice], Any]) -> bool:
        """Do one of the parts, if there is one left."""
        try:
            i = self._left.pop()
        except IndexError:
            return False
        try:
            self._found[i] = run(self._work, self._parts[i])
        except BaseException as error:
            self._errors[i] = error
        self._ended.put(None)
        return True

    def help(self) -> None:
        """Do what is left of it, in another thread."""
        context: Context = self._context.copy()
        while self._take_part(context.run):
            pass

    def finish(self) -> list[Any]:
        """Do what is left of it, wait for those who have begun a part, and give what was found."""
        while self._take_part(lambda work, part: work(part)):
            pass
        for _ in self._parts:
            self._ended.get()
        for error in self._errors:
            if error:
                raise error
        return self._found


# --- the threads ------------------------------------------------------------------------------------------------------

_STATE, _AWAKE = 0, 1  # the places of a box, and one of its states; the others are the business of `kernels.team`
_FREE, _CALLED = 0, 3


class _Worker:
    """A thread that sleeps until there is work; once it has done some that is compiled, it stays awake for a moment.

    Whoever has hired it is the only one to give it work. ``address`` is that of its box, where compiled work is left.
    """

    def __init__(self):
        self._orders: SimpleQueue[_Job | str] = SimpleQueue()
        self._box = numpy.zeros(16, numpy.int64)
        self.address = self._box.ctypes.data
        self.alone = numpy.array([self.address], numpy.int64)
        self._thread = threading.Thread(target=self._live, name="ichikara", daemon=True)
        self._thread.start()

    def _live(self):
        while (order := self._orders.get()) != "end":
            if isinstance(order, _Job):
                order.help()
                del order
            else:
                _serve(self.address)

    def wake(self) -> None:
        """Let it look into its box."""
        if not self._box[_AWAKE]:
            self._box[:2] = _FREE, 1
            self._orders.put("serve")

    def call(self, job: "_Job") -> None:
        """Let it help with a job."""
        self._order(job)

    def end(self) -> None:
        """Let it go, and wait for that."""
        self._order("end")
        self._thread.join(1)

    def _order(self, order):
        if self._box[_AWAKE]:
            self._box[_STATE] = _CALLED
        self._orders.put(order)


_serve: Callable[[int], Any] = lambda address: None  # what a worker does while it is awake


def let_serve(function: Callable[[int], Any]) -> None:
    """Say what a worker does while it is awake; `kernels.team` has it compiled."""
    global _serve
    _serve = function


def _hire(count: int) -> list[_Worker]:
    """So many workers, or those that nobody else has; who hired them puts them among the idle again."""
    hired: list[_Worker] = []
    while len(hired) < count:
        try:
            hired.append(_idle.pop())
        except IndexError:
            with _growing:
                if len(_workers) >= (os.cpu_count() or 1):
                    break
                _workers.append(_Worker())
                hired.append(_workers[-1])
    return hired


NOBODY = constant(numpy.empty(0, numpy.int64))
_workers: list[_Worker] = []
_idle: list[_Worker] = []
_growing = threading.Lock()


@atexit.register
def _end_all():
    while _workers:
        _workers.pop().end()


# --- the libraries ----------------------------------------------------------------------------------------------------


class _Held:
    """Holds the libraries to one thread for as long as anyone is sharing out; gives how many threads they had."""

    def __init__(self):
        self._lock, self._users, self._threads = threading.Lock(), 0, 1
        self._libraries: list[tuple[Callable[[], int], Callable[[int], Any]]] = []
        self._look = True  # for them, before the next use
        self._before: list[int] = []

    def __enter__(self) -> int:
        tape = listener()
        if tape:
            tape.holds = True
        with self._lock:
            if not self._users:
                self._threads = self._count()
                self._before = [threads() for threads, _ in self._libraries]
                if self._threads > 1:
                    for _, set_threads in self._libraries:
                        set_threads(1)
            self._users += 1
            return self._threads

    def threads(self) -> int:
        """How many threads the libraries may use, or might before they were held."""
        if self._users:  # without the lock, which takes a tenth of a microsecond: whoever holds them has counted
            return self._threads
        with self._lock:
            return self._threads if self._users else self._count()

    def _count(self):
        if self._look:
            self._libraries, self._look = _find_libraries(), False
        most = 1
        for threads, _ in self._libraries:
            most = max(most, threads())
        return most

    def __exit__(self, *exception):
        with self._lock:
            self._users -= 1
            if not self._users:
                self._give_back()

    def _give_back(self):
        if self._threads > 1:
            for (_, set_threads), number in zip(self._libraries, self._before, strict=True):
                set_threads(number)

    def look_again(self):
        """Another library has been loaded, and is to be held too, as soon as nobody is sharing out."""
        self._look = True

    def after_fork(self):
        """In the child of a fork there are no threads but one, and nobody is sharing out."""
        if self._users:
            self._give_back()
        self._lock, self._users = threading.Lock(), 0


def _find_libraries() -> list[tuple[Callable[[], int], Callable[[int], Any]]]:
    """For each library, the function that tells and the one that sets how many threads it may use."""
    try:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]
    except ImportError:
        return []
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    return [_threads_of(library) for library in found if library.num_threads]


def _threads_of(library: Any) -> tuple[Callable[[], int], Callable[[int], Any]]:
    """OpenBLAS's own functions, called without a detour; for another library those of threadpoolctl."""
    if library.internal_api == "openblas" and getattr(library, "threading_layer", "") == "pthreads":
        own = ctypes.PyDLL(library.filepath)  # they take no time, so Python's lock is kept
        for prefix in ("", "scipy_"):
            for suffix in ("", "64_", "_64"):
                with contextlib.suppress(AttributeError):
                    return (
                        getattr(own, f"{prefix}openblas_get_num_threads{suffix}"),
                        getattr(own, f"{prefix}openblas_set_num_threads{suffix}"),
                    )
    return library.get_num_threads, library.set_num_threads


held = _Held()
look_again = held.look_again


def _after_fork():
    global _growing
    held.after_fork()
    _growing = threading.Lock()
    _workers.clear()
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
