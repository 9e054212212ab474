"""What the engine is doing in this thread: recording or not, and whether a rule is being run."""

import threading
from contextlib import ContextDecorator

__all__ = ["enable_grad", "is_grad_enabled", "mode", "no_grad"]


class _Mode(threading.local):
    recording = True  # operations on tensors that require a gradient leave a record
    in_rule = False  # a plain sweep is running a rule: operations answer arrays with arrays


mode = _Mode()


class _Recording(ContextDecorator):
    """Switches recording for a block, and back to what it was; also a decorator."""

    recording: bool

    def __init__(self):
        self._before: list[bool] = []

    def _recreate_cm(self):
        return type(self)()  # a decorated function may run in several threads, and each has its own mode

    def __enter__(self):
        self._before.append(mode.recording)
        mode.recording = self.recording

    def __exit__(self, *exception):
        mode.recording = self._before.pop()


class no_grad(_Recording):
    """Within the block nothing is recorded, so nothing computed there can be differentiated; saves time and memory.

    >>> import ichikara
    >>> x = ichikara.asarray(2.0, requires_grad=True)
    >>> with no_grad():
    ...     (x * x).requires_grad
    False
    """

    recording = False


class enable_grad(_Recording):
    """Within the block operations are recorded again, inside a `no_grad` block too."""

    recording = True


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require a gradient are being recorded in this thread."""
    return mode.recording
