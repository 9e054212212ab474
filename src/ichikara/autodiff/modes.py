"""What the engine is doing in this thread: building a graph or not, and whether a rule is being run."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..arrays import context_decorator

__all__ = ["block", "enable_grad", "is_grad_enabled", "mode", "no_grad"]


class _Mode(threading.local):
    grad_enabled = True  # operations on tensors that require a gradient leave a node
    in_rule = False  # a rule is being run on arrays: operations answer arrays with arrays


mode = _Mode()


class _GradMode:
    """Switches the building of graphs for a block, and back to what it was; also a decorator."""

    enabled: bool

    def __init__(self):
        self._before: list[bool] = []

    def __call__(self, function: Callable) -> Callable:
        return context_decorator(type(self), function)

    def __enter__(self):
        self._before.append(mode.grad_enabled)
        mode.grad_enabled = self.enabled

    def __exit__(self, *exception):
        mode.grad_enabled = self._before.pop()


class no_grad(_GradMode):
    """Within the block no graph is built, so nothing computed there can be differentiated; saves time and memory.

    >>> import ichikara
    >>> x = ichikara.asarray(2.0, requires_grad=True)
    >>> with no_grad():
    ...     (x * x).requires_grad
    False
    """

    enabled = False


class enable_grad(_GradMode):
    """Within the block a graph is built again, inside a `no_grad` block too."""

    enabled = True


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require a gradient leave nodes in this thread."""
    return mode.grad_enabled


@contextmanager
def block(**changes: bool) -> Iterator[None]:
    """A block in which parts of the mode are others."""
    before = {name: getattr(mode, name) for name in changes}
    vars(mode).update(changes)
    try:
        yield
    finally:
        vars(mode).update(before)
