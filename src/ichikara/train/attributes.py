"""The Python state of a network and its loss, apart from tensors: attributes, and the variables of functions."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from ..arrays import Generator
from ..nn import Module

__all__ = ["Attributes", "generators_in"]

_CONTAINERS = (list, dict, set, deque)
_VALUES = (bool, int, float, complex, str, bytes, tuple, type(None), *_CONTAINERS)
_OF_TENSORS = ("_parameters", "_buffers")  # of a module: every step changes these, and `Snapshot` restores them


class Attributes:
    """A copy of the attributes of modules and functions, to compare them later and to restore them.

    These are the attributes of a module and of all its submodules, and those of any other callable object. For a
    function, they are the outer variables that it uses. The content of a list or a dictionary is compared too, but
    nothing deeper. Tensors and arrays are compared by identity.

    >>> from ichikara.nn import Dropout
    >>> layer = Dropout(0.5)
    >>> before = Attributes(layer)
    >>> layer.p = 0.1
    >>> before.changed()
    'Dropout.p'
    >>> before.restore()
    >>> layer.p, before.changed()
    (0.5, '')
    """

    def __init__(self, *things: Any):
        self._copies = [(place, dict(place.read())) for thing in things for place in _places(thing)]
        self._contents: list[tuple[str, Any, Any]] = [
            (f"{place.name}.{name}", value, value.copy())
            for place, copy in self._copies
            for name, value in copy.items()
            if isinstance(value, _CONTAINERS) and name not in _OF_TENSORS
        ]

    def changed(self) -> str:
        """The name of an attribute that has changed; empty if none has."""
        for place, copy in self._copies:
            now = place.read()
            if not _equal(now, copy):
                return next(f"{place.name}.{name}" for name in {**now, **copy} if not _equal_at(name, now, copy))
        return next((name for name, content, copy in self._contents if not _equal(content, copy)), "")

    def restore(self) -> None:
        """Restore all of them."""
        for place, copy in self._copies:
            if not _equal(place.read(), copy):
                place.write(copy)
        for _, content, copy in self._contents:
            if not _equal(content, copy):
                content.clear()
                (content.extend if isinstance(content, list | deque) else content.update)(copy)


def generators_in(*things: Any) -> list[Generator]:
    """The random number generators that modules and functions hold."""
    values = [value for thing in things for place in _places(thing) for value in place.read().values()]
    return [value for value in values if isinstance(value, Generator)]


class _Place(NamedTuple):
    """Names and values that can be read and written."""

    name: str
    read: Callable[[], dict[str, Any]]
    write: Callable[[dict[str, Any]], None]


def _places(thing: Any) -> Iterator[_Place]:
    if isinstance(thing, Module):
        for part in thing.modules():
            yield _of_object(part)
            if not _is_ours(type(part)):
                yield from _places(type(part).forward)
    elif isinstance(thing, FunctionType):
        if not _is_ours(thing):
            yield _of_function(thing)
    elif isinstance(thing, MethodType):
        yield from _places(thing.__self__)
        yield from _places(thing.__func__)
    elif isinstance(thing, partial):
        yield from _places(thing.func)
    elif hasattr(thing, "__dict__") and not isinstance(thing, type):
        yield _of_object(thing)
        if not _is_ours(type(thing)):
            yield from _places(getattr(type(thing), "__call__", None))  # noqa: B004 - the function itself


def _is_ours(thing: Any) -> bool:
    """Whether a class or a function is part of this library, whose state is in attributes only."""
    return thing.__module__.partition(".")[0] == __name__.partition(".")[0]


def _of_object(thing: Any) -> _Place:
    space = thing.__dict__

    def write(values):
        space.clear()
        space.update(values)

    return _Place(type(thing).__name__, lambda: space, write)


def _of_function(function: FunctionType) -> _Place:
    outer, cells = (
        function.__globals__,
        dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)),
    )
    names = [name for name in function.__code__.co_names if isinstance(outer.get(name, _places), _VALUES)]

    def read():
        held = {name: cell.cell_contents for name, cell in cells.items() if _is_set(cell)}
        return held | {name: outer.get(name) for name in names}

    def write(values):
        for name, value in values.items():
            if name in cells:
                cells[name].cell_contents = value
            else:
                outer[name] = value

    return _Place(function.__name__, read, write)


def _is_set(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - to see whether it can be read
    except ValueError:
        return False
    return True


def _equal(a: Any, b: Any) -> bool:
    """Whether two containers have equal content; tensors and arrays must be identical."""
    try:
        return bool(a == b)
    except (TypeError, ValueError, RuntimeError):  # raised by arrays that are not identical
        return False


def _equal_at(name: str, a: dict[str, Any], b: dict[str, Any]) -> bool:
    return name in a and name in b and _equal([a[name]], [b[name]])
