"""The Python values that a step may read besides its arguments: a capture holds as long as they are the same.

They are found from the functions and modules that take part: of a function, the variables outside of it that it names;
of a module, all that it has; of any other object, the attributes whose names appear in one of the functions; and the
content of lists and dictionaries. Values are compared with those from before the capture, so a step that changes one of
them itself is captured again each time.
"""

import dis
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from operator import is_
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy

from ...arrays import Generator
from ...autodiff import Tensor
from ...nn import Module
from ...nn.changes import changes

__all__ = ["PythonState"]

_CONTAINERS = (list, dict, set, deque)
_BY_VALUE = (bool, int, float, complex, str, bytes, type(None), slice, range, numpy.generic, numpy.dtype)
# Methods that are called without being named.
_IMPLICIT = {"__call__", "__enter__", "__exit__", "__getitem__", "__iter__", "__len__", "forward"}
_HELD = ("_parameters", "_modules", "_forward_pre_hooks", "_forward_hooks")
_NOT_PLAIN = {*_HELD, "_buffers", "_passing_buffers", "training"}
_READ_ANEW = (Tensor, numpy.ndarray, Generator)  # a replay reads their numbers, and draws, each time
_MOST_BYTES = 1 << 20  # of an array that is compared
_MISSING: Any = object()


class PythonState:
    """Values in variables, attributes and containers, to compare them later."""

    def __init__(self) -> None:
        self._version: object = None  # the latest change of modules when they were last seen to be the same
        self._modules: list[tuple[Any, tuple]] = []  # and all that they had
        self._asked: list[tuple[dict, bool]] = []  # modules whose mode was read, and whether they were training
        # Variables of outer functions, names in dictionaries, and containers; each with its value, and its name.
        self._cells: list[list] = []
        self._names: list[list] = []
        self._contents: list[list] = []
        self._arrays: list[tuple[Any, bytes]] = []  # of NumPy, and their content
        self._seen: dict[int, Any] = {}  # by identity: what has been looked at
        self._objects: list[_Object] = []
        self._words = {*_IMPLICIT}  # the names of attributes in the code of all functions

    # --- what takes part ----------------------------------------------------------------------------------------------

    def add(self, thing: Any) -> None:
        """Compare from now on what a function, a module or another value may read."""
        pending = [thing] if id(thing) not in self._seen else []
        while pending:
            value = pending.pop()
            if id(value) not in self._seen and not isinstance(value, _BY_VALUE):
                self._seen[id(value)] = value
                pending.extend(self._inside(value))
            if not pending:  # functions may name attributes of what was there before them
                pending.extend(self._named_attributes())

    def asks_mode(self, module: Module) -> None:
        """Compare from now on whether this module is training."""
        fields = vars(module)
        if not any(one is fields for one, _ in self._asked):
            self._asked.append((fields, fields["training"]))

    def read_anew(self, arrays: Iterable[Any]) -> None:
        """Compare these arrays of NumPy no longer, nor what they are views of: each replay reads them."""
        read = set()
        for array in arrays:
            while isinstance(array, numpy.ndarray):
                read.add(id(array))
                array = array.base
        self._arrays = [entry for entry in self._arrays if id(entry[0]) not in read]

    def _inside(self, value: Any) -> Iterable[Any]:
        """What a value gives to read; what may become another one is noted."""
        kind = type(value)
        if isinstance(value, Module):
            state = _state_of(value)
            self._modules.append((value, state))
            return [kind, *(inner for part in state for inner in part.values())]
        if isinstance(value, FunctionType):
            return self._of_function(value)
        if isinstance(value, MethodType):
            return value.__self__, value.__func__
        if isinstance(value, staticmethod | classmethod):
            return [value.__func__]
        if isinstance(value, property):
            return [value.fget]
        if isinstance(value, partial):
            return value.func, *value.args, *value.keywords.values()
        if isinstance(value, tuple):
            return value
        if isinstance(value, _CONTAINERS):
            content = _content_of(value)
            self._contents.append([value, content, f"the content of a {kind.__name__}"])
            return content
        if isinstance(value, type | ModuleType):
            if not _is_library(value.__module__ if isinstance(value, type) else value.__name__):
                self._objects.append(_Object(vars(value), value.__name__))
            return value.__bases__ if isinstance(value, type) else ()
        if hasattr(value, "__wrapped__"):  # a staged function, or one with a cache
            return [value.__wrapped__]
        if isinstance(value, numpy.ndarray) and value.nbytes <= _MOST_BYTES and not value.dtype.hasobject:
            self._arrays.append((value, value.tobytes()))
        if isinstance(value, _READ_ANEW):
            return ()
        attributes = vars(value) if hasattr(value, "__dict__") else _Slots(value)
        bases = [] if _is_library(kind.__module__) else kind.__mro__
        of_class = {name for base in bases for name in vars(base)}  # in whose place the object may get its own
        self._objects.append(_Object(attributes, kind.__name__, of_class))
        return [kind]

    def _of_function(self, function: FunctionType) -> Iterator[Any]:
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if _is_set(cell):
                self._cells.append([cell, cell.cell_contents, name])
                yield cell.cell_contents
        yield from (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        if not _is_library(function.__globals__.get("__name__")):
            outer, attributes = _names_in(function.__code__)
            self._words |= attributes
            self._objects.append(_Object(vars(function), function.__name__))
            for name in outer & function.__globals__.keys():
                yield self._note(function.__globals__, name, name)

    def _named_attributes(self) -> list[Any]:
        found = []
        for thing in self._objects:
            for name in (self._words & (thing.attributes.keys() | thing.of_class)) - thing.compared:
                thing.compared.add(name)
                found.append(self._note(thing.attributes, name, f"{thing.owner}.{name}"))
        return found

    def _note(self, dictionary: Any, key: str, name: str) -> Any:
        value = dictionary.get(key, _MISSING)
        if not isinstance(value, ModuleType):
            self._names.append([dictionary, key, value, name])
        return value

    # --- whether it is the same ---------------------------------------------------------------------------------------

    def holds(self) -> bool:
        """Whether all values are the same."""
        try:
            for place in self._cells:
                cell, before, _ = place
                if cell.cell_contents is not before and not _is_renewed(place, 1, cell.cell_contents):
                    return False
        except ValueError:  # the variable was deleted
            return False
        for place in self._names:
            dictionary, key, before, _ = place
            now = dictionary.get(key, _MISSING)
            if now is not before and not _is_renewed(place, 2, now):
                return False
        for container, before, _ in self._contents:
            if not _are_same(_content_of(container), before):
                return False
        for array, before in self._arrays:
            if array.tobytes() != before:
                return False
        return self._version is changes.latest or self._modules_hold()

    def _modules_hold(self):
        latest = changes.latest
        for fields, training in self._asked:
            if fields["training"] is not training:
                return False
        for module, before in self._modules:
            if not all(map(_have_same, _state_of(module), before)):
                return False
        self._version = latest
        return True

    def changed(self) -> str:
        """What has changed, in words; empty if nothing has."""
        for cell, before, name in self._cells:
            if not _is_set(cell) or not _is_same(cell.cell_contents, before):
                return name
        for dictionary, key, before, name in self._names:
            if not _is_same(dictionary.get(key, _MISSING), before):
                return name
        for container, before, name in self._contents:
            if not _are_same(_content_of(container), before):
                return name
        for array, before in self._arrays:
            if array.tobytes() != before:
                return f"the content of an array of shape {array.shape}"
        for module, states in self._modules:
            for now, before in zip(_state_of(module), states, strict=True):
                if not _have_same(now, before):
                    names = [key for key in {**now, **before} if not _is_same(now.get(key), before.get(key))]
                    return f"{type(module).__name__}.{names[0]}" if names else f"the order in {type(module).__name__}"
        return ""


class _Object:
    """An object of which the attributes are compared that the code of a function names."""

    def __init__(self, attributes: Any, owner: str, of_class: Iterable[str] = ()):
        self.attributes, self.owner, self.of_class = attributes, owner, set(of_class)
        self.compared: set[str] = set()


class _Slots:
    """The attributes of an object that has no dictionary of them, as one."""

    def __init__(self, thing: Any):
        self._thing = thing

    def keys(self) -> set[str]:
        return {name for kind in type(self._thing).__mro__ for name in getattr(kind, "__slots__", ())}

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self._thing, name, default)


def _state_of(module: Module) -> tuple[dict, ...]:
    """All that a module has, apart from its mode and from the buffers that it has."""
    fields = vars(module)
    plain = {name: value for name, value in fields.items() if name not in _NOT_PLAIN}
    return plain, *[dict(fields[kind]) for kind in _HELD], {k: v is None for k, v in fields["_buffers"].items()}


def _content_of(container: Any) -> Any:
    """What is in a container: the elements, or keys and values in turn; a set as it is."""
    if isinstance(container, dict):
        return [part for item in container.items() for part in item]
    return container.copy() if isinstance(container, set) else list(container)


def _is_renewed(place: list, position: int, now: Any) -> bool:
    """Whether a value is equal to the one before, in whose place it is put then."""
    if not _is_same(now, place[position]):
        return False
    place[position] = now
    return True


def _is_same(a: Any, b: Any) -> bool:
    """Whether two values are the same: identical, or equal numbers, words or tuples of such."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return _are_same(a, b)
    # The text too, since 0.0 == -0.0; and nan != nan.
    return isinstance(a, _BY_VALUE) and repr(a) == repr(b)


def _are_same(a: Any, b: Any) -> bool:
    """The same of two sequences, element by element; or of two sets."""
    if isinstance(a, set):
        return a == b
    return len(a) == len(b) and (all(map(is_, a, b)) or all(map(_is_same, a, b)))


def _have_same(a: dict, b: dict) -> bool:
    """The same of two dictionaries, in the same order."""
    return _are_same([*a], [*b]) and _are_same([*a.values()], [*b.values()])


def _is_set(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - to see whether it can be read
    except ValueError:
        return False
    return True


@lru_cache(4096)
def _names_in(code: CodeType) -> tuple[set[str], set[str]]:
    """The variables of the file that a function names, and the attributes; functions inside of it included."""
    outer, attributes = set(), set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            outer.add(instruction.argval)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"):
            attributes.add(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = _names_in(constant)
            outer, attributes = outer | inner[0], attributes | inner[1]
        elif isinstance(constant, str):  # as in getattr(x, "name")
            attributes.add(constant)
    return outer, attributes


@lru_cache(4096)
def _is_library(name: str | None) -> bool:
    """Whether a module belongs to Python, to this library or to another one that is installed."""
    package = (name or "").partition(".")[0]
    if package in sys.stdlib_module_names or package == __name__.partition(".")[0]:
        return package != "__main__"
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file
