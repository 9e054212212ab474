"""Ctrl-C during a training: the first ends it between two batches, when the state is consistent, the second at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["interruptible"]


@contextmanager
def interruptible(trainer: Any) -> Iterator[None]:
    """Within the block Ctrl-C, or a request to terminate, sets the trainer's ``interrupted``; the next one raises."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number, frame):
        if trainer.interrupted:
            raise KeyboardInterrupt
        trainer.interrupted = True

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
