"""A computation in boxes: an operation each, or a module or function that is folded."""

from collections.abc import Iterable, KeysView, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from ..arrays import PYTHON_NUMBERS, to_numpy
from ..charts import Edge, short_text
from ..charts import Vertex as Box
from .computation import UNKNOWN, Computation, Vertex
from .drawing import Drawing
from .naming import Names, symbol_of
from .text import to_text
from .trace import Scope

__all__ = ["SIGNS", "Folded", "kind_of", "number_text", "pulled"]

MOST = 16  # boxes in a graph, as long as modules can be folded
SIGNS = {"add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "matmul": "@", "negative": "−", "getitem": "[ ]"}
"""Operations that are written by a sign."""


@dataclass
class _Group:
    """The vertices that one box stands for. Arguments: ``out``, those used outside of it."""

    vertices: list[Vertex] = field(default_factory=list)
    out: list[Vertex] = field(default_factory=list)


class Folded:
    """The boxes of a computation. Arguments: as of `graph.graph`."""

    def __init__(self, whole: Computation, names: Names, gradients, local, steps, unfold, depth):
        self.names = names
        self.whole, self.steps = whole, steps
        self.uses = whole.consumers()
        self.values = {v: v.value for v in whole}
        self.local = local
        self.gradients = pulled(whole.root, reversed(whole.vertices), self.values) if gradients else {}
        scopes = dict.fromkeys(scope for v in whole if v.scope for scope in v.scope.path)
        deepest = max((_depth(scope) for scope in scopes), default=0)
        asked = {s for scope in scopes if scope.name in unfold or self._path(scope) in unfold for s in scope.path}
        for level in [depth] if depth is not None else range(deepest, -1, -1):
            self.open = {s for s in scopes if s in asked or (s.kind == "module" and _depth(s) <= level)}
            self._divide()
            if len(self.groups) <= MOST:
                break
        else:
            self._divide(together=depth is None)
            if self._has_cycle():
                self._divide()
        self._connect()

    # What a box stands for

    def _divide(self, together: bool = False) -> None:
        """Divide the vertices into groups, each of which gets a box. Arguments: ``together``, all calls of a module."""
        self.groups: dict[Any, _Group] = {}
        self.group: dict[Vertex, Any] = {}
        self.calls: dict[Scope, dict[Scope, None]] = {}  # those that a box stands for, by the last of them
        last: dict[Any, Scope] = {}
        for vertex in reversed(self.whole.vertices):  # each after what uses it
            users = tuple({self.group[user]: None for user, _ in self.uses[vertex]})
            folded = next((s for s in (vertex.scope.path if vertex.scope else ()) if s not in self.open), None)
            if folded is not None:
                call, folded = folded, last.setdefault(folded.what if together else folded, folded)
                self.calls.setdefault(folded, {})[call] = None
            key = folded or self._key(vertex, users, together)
            self.group[vertex] = key
            group = self.groups.setdefault(key, _Group())
            group.vertices.append(vertex)
            if users != (key,):
                group.out.append(vertex)

    def _key(self, vertex: Vertex, users: tuple, together: bool) -> Any:
        """What stands for the box of a vertex that is in no folded module: itself, or what it shares a box with."""
        only = users[0] if len(users) == 1 else None
        if vertex.operation is None:
            if isinstance(only, Scope) and self._belongs(vertex, self.calls[only].keys()):
                return only
            if len(users) > 1 and vertex.kind == "leaf" and vertex.size > 1:
                return users  # parameters that the same boxes use share one
        elif isinstance(only, Scope):
            if together and not vertex.name and not vertex.differentiable:
                return only  # the preparation of what a module is called with
        elif only is not None and not self.steps and not vertex.name:
            return only
        return vertex

    def _belongs(self, vertex: Vertex, calls: KeysView[Scope]) -> bool:
        """Whether a value is used inside of calls only, and was not given to them."""
        inside = all(user.scope and not calls.isdisjoint(user.scope.path) for user, _ in self.uses[vertex])
        return inside and not any(_is_given(vertex, call) for call in calls)

    def _has_cycle(self) -> bool:
        """Whether a box that stands for several calls needs what was made from its own results."""
        after: dict[Any, set] = {key: set() for key in self.groups}
        missing = dict.fromkeys(self.groups, 0)
        for vertex in self.whole:
            for source in vertex.inputs.values():
                start, end = self.group[source], self.group[vertex]
                if start is not end and end not in after[start]:
                    after[start].add(end)
                    missing[end] += 1
        ready = [key for key, count in missing.items() if not count]
        for key in ready:  # it grows while it is read
            for end in after[key]:
                missing[end] -= 1
                if not missing[end]:
                    ready.append(end)
        return len(ready) < len(self.groups)

    def _connect(self) -> None:
        self.groups = dict(reversed(self.groups.items()))
        self.edges: dict[tuple[Any, Any, int], Edge] = {}
        self.number = {key: f"v{i}" for i, key in enumerate(self.groups)}
        for vertex in self.whole:
            for name, source in vertex.inputs.items():
                start, end = self.group[source], self.group[vertex]
                if start is end:
                    continue
                same = 0
                while (start, end, same) in self.edges and isinstance(start, Vertex) and isinstance(end, Vertex):
                    same += 1
                label = self._slope(end, vertex, name) if self.local else ""
                passes = name in vertex.differentiable
                before = self.edges.get((start, end, same))
                dashed = not passes and (before is None or before.dashed)
                self.edges[start, end, same] = Edge(self.number[start], self.number[end], (), label, dashed)

    def _slope(self, key: Any, user: Vertex, name: Any) -> str:
        """The derivative of a box that is a number by an input that is one."""
        group, source = self.groups[key], user.inputs[name]
        if len(group.out) > 1 or group.out[0].size > 1 or source.size > 1:
            return ""
        if len(group.vertices) == 1 and name in user.differentiable and source.value is not UNKNOWN and user.complete:
            ones = numpy.ones(user.shape, user.dtype)
            return number_text(user.pull(ones, self.values, [name])[name], ())
        slopes = pulled(group.out[0], group.vertices, self.values)
        return number_text(slopes[source], ()) if source in slopes else ""

    def _box(self, key: Any) -> Box:
        """The box of a group, without its place."""
        group = self.groups[key]
        first = group.out[0]
        value = self._value(first) if len(group.out) == 1 else ""
        gradient = self._gradient(first) if len(group.out) == 1 else ""
        if isinstance(key, Scope):
            kind, text = "module" if key.kind == "module" else "operation", self._scope_text(key)
            kind = "output" if self.whole.root in group.out and key.kind == "function" else kind
        else:
            kind, text = kind_of(first, self.whole), self._vertex_text(first)
            if isinstance(key, tuple):
                text = "\n".join(map(self._vertex_text, reversed(group.vertices)))
            elif len(group.vertices) > 1 and first.name:
                text = to_text(symbol_of(first.name))
        if kind == "constant":
            text, value = value, ""
        line = str(first.line) if first.line is not None else ""
        return Box(self.number[key], text, 0.0, 0.0, 0.0, 0.0, kind, value, gradient, line)

    def _vertex_text(self, vertex: Vertex) -> str:
        """The name of a vertex, and the operation that made it."""
        operation = vertex.operation.name if vertex.operation else ""
        function = self.names.of_function(vertex)
        name = self._within(vertex.name, self._around(self.group[vertex]))
        words = [to_text(symbol_of(name)) for name in (name, function) if name]
        return "\n".join(words if function or not operation else [*words, SIGNS.get(operation, operation)])

    def _path(self, scope: Scope) -> str:
        return self.names.modules.get(id(scope.what)) or scope.name

    def _within(self, name: str, scopes: Sequence[Scope]) -> str:
        """The path of a parameter or a module from the nearest unfolded module around it."""
        around = [
            path for scope in scopes if scope.kind == "module" and scope in self.open and (path := self._path(scope))
        ]
        return name.removeprefix(f"{around[-1]}.") if around else name

    def _scope_text(self, scope: Scope) -> str:
        """The path of a module and its class, or the name of a function."""
        if scope.kind == "function":
            return scope.name
        kind, name = type(scope.what).__name__, self._within(self._path(scope), scope.path[:-1])
        count = len(self.calls.get(scope, ()))
        calls = f" ×{count}" if count > 1 else f" ({scope.call})" if scope.call > 1 else ""
        return f"{name}{calls}\n{kind}" if name else kind + calls

    def _value(self, vertex: Vertex) -> str:
        return number_text(vertex.value, vertex.shape)

    def _gradient(self, vertex: Vertex) -> str:
        return number_text(self.gradients[vertex], ()) if vertex in self.gradients else ""

    def drawing(self) -> Drawing:
        """The boxes, to be laid out."""
        around = self._frames()
        titles = {scope: self._scope_text(scope) for scope in around if scope not in self.groups}
        return Drawing({key: self._box(key) for key in self.groups}, self.edges, around, titles)

    def _frames(self) -> dict[Any, Any]:
        """The unfolded modules with several boxes, and the frame of each box and frame."""
        inside: dict[Scope, int] = {}
        for key in self.groups:
            for scope in self._around(key):
                inside[scope] = inside.get(scope, 0) + 1
        shown = {scope for scope, count in inside.items() if count > 1}
        found: dict[Any, Any] = {}
        for key in (*self.groups, *shown):
            found[key] = next((s for s in reversed(self._around(key)) if s in shown), None)
        return found

    def _around(self, key: Any) -> tuple[Scope, ...]:
        """The unfolded scopes that a box, or a frame, lies in."""
        if isinstance(key, Scope):
            return key.path[:-1]
        vertices = self.groups[key].vertices
        if vertices[0].operation is not None:
            return tuple(scope for scope in (key.scope.path if key.scope else ()) if scope in self.open)
        # What a module holds or makes stands in its frame, what it was called with outside.
        paths = [self._around(self.group[user]) for user, _ in self.uses[vertices[0]]]
        shared: list[Scope] = []
        for scopes in zip(*paths, strict=False):
            if any(scope is not scopes[0] or _is_given(vertices[0], scope) for scope in scopes):
                break
            shared.append(scopes[0])
        return tuple(shared)


def pulled(root: Vertex, vertices: Iterable[Vertex], values: Mapping[Vertex, Any]) -> dict[Vertex, Any]:
    """The gradients of a vertex by those that it was made from. Arguments: ``vertices``, each before its inputs.

    What follows from a value that nothing has kept is left out.
    """
    found: dict[Vertex, Any] = {root: numpy.ones(root.shape, root.dtype)}
    for vertex in vertices:
        if vertex not in found or not vertex.differentiable or not vertex.complete:
            continue
        if any(values[v] is UNKNOWN for v in (vertex, *vertex.inputs.values())):
            continue
        for name, part in vertex.pull(found[vertex], values).items():
            source = vertex.inputs[name]
            found[source] = found[source] + part if source in found else part
    return found


def kind_of(vertex: Vertex, whole: Computation) -> str:
    """What kind of box a vertex gets."""
    if vertex is whole.root:
        return "output"
    if vertex.kind == "leaf":
        return "parameter"
    if vertex.kind == "constant":
        return "input" if vertex.name or vertex.size > 1 else "constant"
    return vertex.kind


def number_text(value: Any, shape: Iterable[int]) -> str:
    """A value in a few signs: a number, up to three numbers, or the shape and the norm of an array."""
    size = "×".join(map(str, shape))
    if value is UNKNOWN:
        return size
    if type(value) in PYTHON_NUMBERS:
        return short_text(value)
    array = to_numpy(value)
    if array.size == 1:
        return short_text(float(array.reshape(())))
    if array.dtype.kind != "f":  # labels, and what is true or false
        return size
    if array.ndim == 1 and array.size <= 3:
        return f"({', '.join(short_text(float(x)) for x in array)})"
    norm = f"‖{short_text(float((array.astype(float) ** 2).sum() ** 0.5))}‖"
    return f"{size}  {norm}" if size else norm


def _depth(scope: Scope) -> int:
    return sum(s.kind == "module" for s in scope.path)


def _is_given(vertex: Vertex, scope: Scope) -> bool:
    """Whether a value is an argument that a module or a function was called with, and does not belong to it."""
    waiting = [*scope.arguments]
    while waiting:
        given = waiting.pop()
        if isinstance(given, list | tuple):
            waiting += given
        array, node = getattr(given, "_data", given), getattr(given, "_node", None)
        if array is vertex.value or (node is not None and node is vertex.node):
            return True
    return False
