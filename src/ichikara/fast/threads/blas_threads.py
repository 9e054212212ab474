"""The limit of linear algebra libraries to one thread, for as long as our own threads compute."""

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

from ..workspace import current_capture

__all__ = ["BLAS_SERIAL_LIMIT", "rescan", "single_threaded_blas"]

BLAS_SERIAL_LIMIT = 200_000
"""Up to this many multiplications OpenBLAS computes a product on one thread of its own accord."""


class _SingleThreadedBlas:
    """A context, open in any number of threads, that limits the libraries to one thread; it gives how many they had."""

    def __init__(self):
        self._lock, self._users, self._threads = threading.Lock(), 0, 1
        self._libraries: list[tuple[Callable[[], int], Callable[[int], Any]]] = []
        self._scan = True  # look for libraries before the next use
        self._before: list[int] = []

    def __enter__(self) -> int:
        capture = current_capture()
        if capture:
            capture.limits_blas = True
        with self._lock:
            if not self._users:
                self._threads = self._count()
                self._before = [get_threads() for get_threads, _ in self._libraries]
                if self._threads > 1:
                    for _, set_threads in self._libraries:
                        set_threads(1)
            self._users += 1
            return self._threads

    def threads(self) -> int:
        """How many threads the libraries may use, or could use before they were limited."""
        if self._users:  # without the lock, which takes a tenth of a microsecond: the first user has counted
            return self._threads
        with self._lock:
            return self._threads if self._users else self._count()

    def _count(self):
        if self._scan:
            self._libraries, self._scan = _find_libraries(), False
        most = 1
        for get_threads, _ in self._libraries:
            most = max(most, get_threads())
        return most

    def __exit__(self, *exception):
        with self._lock:
            self._users -= 1
            if not self._users:
                self._restore()

    def _restore(self):
        if self._threads > 1:
            for (_, set_threads), number in zip(self._libraries, self._before, strict=True):
                set_threads(number)

    def rescan(self):
        """Look for libraries again before the next use, since another one has been loaded."""
        self._scan = True

    def after_fork(self):
        """Reset in the child of a fork, where only the forking thread exists and no context is open."""
        if self._users:
            self._restore()
        self._lock, self._users = threading.Lock(), 0


def _find_libraries() -> list[tuple[Callable[[], int], Callable[[int], Any]]]:
    """For each library, the functions that get and set its number of threads."""
    try:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]
    except ImportError:
        return []
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    return [_thread_functions(library) for library in found if library.num_threads]


def _thread_functions(library: Any) -> tuple[Callable[[], int], Callable[[int], Any]]:
    """OpenBLAS's own functions, called directly; for another library those of threadpoolctl."""
    if library.internal_api == "openblas" and getattr(library, "threading_layer", "") == "pthreads":
        own = ctypes.PyDLL(library.filepath)  # the calls take no time, so they do not release Python's lock
        for prefix in ("", "scipy_"):
            for suffix in ("", "64_", "_64"):
                with contextlib.suppress(AttributeError):
                    return (
                        getattr(own, f"{prefix}openblas_get_num_threads{suffix}"),
                        getattr(own, f"{prefix}openblas_set_num_threads{suffix}"),
                    )
    return library.get_num_threads, library.set_num_threads


single_threaded_blas = _SingleThreadedBlas()
rescan = single_threaded_blas.rescan

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=single_threaded_blas.after_fork)
