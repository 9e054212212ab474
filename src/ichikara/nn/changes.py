"""Notices every change of a module, so that a capture of what a module does can be checked."""

from typing import Any

__all__ = ["Held", "HeldBuffers", "changes"]


class Changes:
    """Attributes: ``latest``, another object after each change of any module."""

    __slots__ = ("latest",)

    def __init__(self):
        self.note()

    def note(self) -> None:
        """A module has been changed."""
        self.latest = object()  # and no count, which two threads could raise by one


changes = Changes()


class Held(dict):
    """What is registered with a module, by name. A change of it is a change of the module."""


def _noted(name: str) -> Any:
    method = getattr(dict, name)

    def change(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        finally:
            changes.note()

    change.__name__, change.__doc__ = name, method.__doc__
    return change


for _name in ("__delitem__", "__ior__", "__setitem__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(Held, _name, _noted(_name))


class HeldBuffers(Held):
    """The buffers of a module. Steps assign them all the time, so another tensor in the place of one is no change."""

    def __setitem__(self, name, tensor):
        if tensor is None or self.get(name) is None:
            super().__setitem__(name, tensor)
        else:
            dict.__setitem__(self, name, tensor)
