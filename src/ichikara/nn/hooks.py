"""Hooks: functions that run when a module is called, and may change its input or output."""

from collections.abc import Callable
from itertools import count

__all__ = ["HookHandle", "add_hook"]

_keys = count()


class HookHandle:
    """What registering a hook returns: `remove` removes the hook again, and so does leaving a ``with`` block.

    >>> from ichikara.nn import ReLU
    >>> layer = ReLU()
    >>> with layer.register_forward_hook(lambda module, args, output: print(output.shape)):
    ...     _ = layer([-1.0, 2.0])
    (2,)
    >>> _ = layer([-1.0, 2.0])
    """

    def __init__(self, hooks: dict[int, Callable], key: int):
        self._hooks, self._key = hooks, key

    def remove(self) -> None:
        """Remove the hook; a second time does nothing."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> "HookHandle":
        return self

    def __exit__(self, *exception) -> None:
        self.remove()


def add_hook(hooks: dict[int, Callable], hook: Callable) -> HookHandle:
    """Add a hook after the present ones.

    Raises TypeError for what cannot be called.
    """
    if not callable(hook):
        raise TypeError(f"a hook is a function, not {type(hook).__name__}")
    key = next(_keys)
    hooks[key] = hook
    return HookHandle(hooks, key)
