"""Hooks: functions that look on, or step in, when a module is called."""

from collections.abc import Callable
from itertools import count

__all__ = ["HookHandle", "add_hook"]

_keys = count()


class HookHandle:
    """What registering a hook returns: `remove` takes the hook out again, and so does leaving a ``with`` block.

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
        """Take the hook out; a second time does nothing."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> "HookHandle":
        return self

    def __exit__(self, *exception) -> None:
        self.remove()


def add_hook(hooks: dict[int, Callable], hook: Callable) -> HookHandle:
    """Put a hook after those that are there.

    Raises TypeError for what cannot be called.
    """
    if not callable(hook):
        raise TypeError(f"a hook is a function, not {type(hook).__name__}")
    key = next(_keys)
    hooks[key] = hook
    return HookHandle(hooks, key)
