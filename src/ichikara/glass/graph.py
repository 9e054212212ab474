"""The computation of a tensor as a graph: values going forward, gradients coming back, modules folded."""

import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

from ..arrays import PYTHON_NUMBERS, to_numpy
from ..autodiff import Tensor
from ..charts import Chart, Edge, Graph, Group, short_text, text_width
from ..charts import Vertex as Box
from ..words import say
from .computation import UNKNOWN, Computation, Vertex, computation
from .frames import framed_layout
from .naming import Names, symbol_of
from .text import to_text
from .trace import Scope, Trace, trace

__all__ = ["graph", "mermaid"]

MOST = 16  # boxes in a graph, as long as modules can be folded
SIGNS = {"add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "matmul": "@", "negative": "−", "getitem": "[ ]"}
"""Operations that are written by a sign."""

WIDEST = 64  # times the text's height; a graph that is wider turns upright


def graph(
    loss: Tensor | Callable[[], Tensor],
    seen: Trace | None = None,
    *,
    gradients: bool = True,
    local: bool = False,
    steps: bool = True,
    unfold: Collection[str] = (),
    depth: int | None = None,
    names: Names | None = None,
    direction: str | None = None,
    language: str = "en",
) -> Chart:
    """The computation of a tensor as a chart: a box for each operation, its value above it, its gradient below it.

    Arguments: ``loss``, the tensor, or a function that computes it; ``seen``, a `Trace` of its computation, which knows
    modules, constants and lines; ``gradients``, whether gradients are computed and shown; ``local``, whether edges
    between numbers carry local derivatives; ``steps``, whether operations whose result has no name are boxes of their
    own; ``unfold``, the paths of modules, or the names of functions, of which the inside is shown; ``depth``, how many
    modules around each other are unfolded, by default as many as leave at most 16 boxes; ``names``, by default those in
    the caller's variables; ``direction``, "right" or "down", by default "right" unless that is too wide for a page;
    ``language``, of the words.

    >>> import ichikara
    >>> x = ichikara.asarray(2.0, requires_grad=True)
    >>> [(box.text, box.value, box.gradient) for box in graph(x * x).marks[0].vertices]
    [('x', '2', '4'), ('×', '4', '1')]
    """
    variables = sys._getframe(1)
    picture = _Picture.of(loss, seen, names, variables, gradients, local, steps, unfold, depth)
    if direction is None:
        wide, upright = picture.chart("right", language), picture.chart("down", language)
        return wide if _width(wide) <= max(WIDEST, 1.3 * _width(upright)) else upright
    return picture.chart(direction, language)


def mermaid(
    loss: Tensor | Callable[[], Tensor],
    seen: Trace | None = None,
    *,
    gradients: bool = True,
    local: bool = False,
    steps: bool = True,
    unfold: Collection[str] = (),
    depth: int | None = None,
    names: Names | None = None,
    direction: str = "right",
) -> str:
    """The computation of a tensor as text that Mermaid draws, as many pages and editors do. Arguments: as of `graph`.

    >>> import ichikara
    >>> x = ichikara.asarray(2.0, requires_grad=True)
    >>> print(mermaid(x.tanh()))
    flowchart LR
      v0["x<br>2<br>∂ 0.0707"]
      v1(["tanh<br>0.964<br>∂ 1"])
      v0 --> v1
    """
    variables = sys._getframe(1)
    picture = _Picture.of(loss, seen, names, variables, gradients, local, steps, unfold, depth)
    return picture.mermaid(direction)


@dataclass
class _Group:
    """The vertices that one box stands for. Arguments: ``scope``, that is folded; ``out``, those used outside of it."""

    vertices: list[Vertex] = field(default_factory=list)
    scope: Scope | None = None
    out: list[Vertex] = field(default_factory=list)


class _Picture:
    """A computation in boxes."""

    @classmethod
    def of(cls, loss, seen, names, variables, gradients, local, steps, unfold, depth) -> "_Picture":
        if not isinstance(loss, Tensor):
            with trace() as seen:
                loss = loss()
        whole = computation(loss, seen, unfuse=False)
        if names is None:
            roots = seen.roots.values() if seen is not None else ()
            names = Names((variables.f_locals, variables.f_globals), roots)
        return cls(whole, names, gradients, local, steps, unfold, depth)

    def __init__(self, whole: Computation, names: Names, gradients, local, steps, unfold, depth):
        self.names = names
        names.give(whole)
        self.whole, self.steps = whole, steps
        self.uses = whole.consumers()
        self.values = {v: v.value for v in whole}
        self.local = local
        self.gradients = self._pull(whole.root, reversed(whole.vertices)) if gradients else {}
        scopes = dict.fromkeys(scope for v in whole if v.scope for scope in v.scope.path)
        deepest = max((_depth(scope) for scope in scopes), default=0)
        for level in [depth] if depth is not None else range(deepest, -1, -1):
            self.open = {s for s in scopes if s.name in unfold or (s.kind == "module" and _depth(s) <= level)}
            self._divide()
            if len(self.groups) <= MOST:
                break
        self._connect()

    def _pull(self, root: Vertex, vertices: Iterable[Vertex]) -> dict[Vertex, Any]:
        """The gradients of a vertex by those that it was made from by others, each of these before its inputs.

        What follows from a value that nothing has kept is left out.
        """
        found: dict[Vertex, Any] = {root: numpy.ones(root.shape, root.dtype)}
        for vertex in vertices:
            if vertex not in found or not vertex.differentiable or not vertex.complete:
                continue
            if any(self.values[v] is UNKNOWN for v in (vertex, *vertex.inputs.values())):
                continue
            for name, part in vertex.pull(found[vertex], self.values).items():
                source = vertex.inputs[name]
                found[source] = found[source] + part if source in found else part
        return found

    # What a box stands for

    def _divide(self) -> None:
        """Divide the vertices into groups, each of which gets a box."""
        self.groups: dict[Any, _Group] = {}
        self.group: dict[Vertex, Any] = {}
        for vertex in reversed(self.whole.vertices):  # each after what uses it
            users = tuple({self.group[user]: None for user, _ in self.uses[vertex]})
            folded = next((s for s in (vertex.scope.path if vertex.scope else ()) if s not in self.open), None)
            key: Any = folded or vertex
            if vertex.operation is None:
                if len(users) == 1 and isinstance(users[0], Scope) and not _is_given(vertex, users[0]):
                    key = users[0]  # what only one folded module uses
                elif len(users) > 1 and vertex.kind == "leaf" and vertex.size > 1:
                    key = users  # parameters that the same boxes use share one
            elif len(users) == 1 and not self.steps and not vertex.name and folded is None:
                key = users[0]
            self.group[vertex] = key
            group = self.groups.setdefault(key, _Group(scope=folded))
            group.vertices.append(vertex)
            if users != (key,):
                group.out.append(vertex)

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
            return _number_text(user.pull(ones, self.values, [name])[name], ())
        slopes = self._pull(group.out[0], group.vertices)
        return _number_text(slopes[source], ()) if source in slopes else ""

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
            kind, text = self._kind(first), self._vertex_text(first)
            if isinstance(key, tuple):
                text = "\n".join(map(self._vertex_text, reversed(group.vertices)))
            elif len(group.vertices) > 1 and first.name:
                text = to_text(symbol_of(first.name))
        if kind == "constant":
            text, value = value, ""
        line = str(first.line) if first.line is not None else ""
        return Box(self.number[key], text, 0.0, 0.0, 0.0, 0.0, kind, value, gradient, line)

    def _kind(self, vertex: Vertex) -> str:
        if vertex is self.whole.root:
            return "output"
        if vertex.kind == "leaf":
            return "parameter"
        if vertex.kind == "constant":
            return "input" if vertex.name or vertex.size > 1 else "constant"
        return vertex.kind

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
        calls = f" ({scope.call})" if scope.call > 1 else ""
        return f"{name}{calls}\n{kind}" if name else kind + calls

    def _value(self, vertex: Vertex) -> str:
        return _number_text(vertex.value, vertex.shape)

    def _gradient(self, vertex: Vertex) -> str:
        return _number_text(self.gradients[vertex], ()) if vertex in self.gradients else ""

    def frames(self) -> dict[Any, Any]:
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

    # How it is written

    def chart(self, direction: str, language: str) -> Chart:
        boxes = {key: _sized(self._box(key)) for key in self.groups}
        rooms = {key: box.room(direction) for key, box in boxes.items()}
        edges = [*self.edges.values()]
        gap = 2.4 if direction == "right" else 1.8
        gap += 1.6 * any(edge.label for edge in edges)
        ends = [(start, end) for start, end, _ in self.edges]
        found = framed_layout(rooms, ends, self.frames(), direction, layer_gap=gap, gap=0.5)
        vertices = []
        for key, box in boxes.items():
            x, y = found.centres[key]
            vertices.append(replace(box, x=x, y=y))
        for i, (edge, way, (start, end)) in enumerate(zip(edges, found.ways, ends, strict=True)):
            if direction == "right":  # up to the boxes, past the room of wider values
                way[0] = found.centres[start][0] + boxes[start].width / 2, way[0][1]
                way[-1] = found.centres[end][0] - boxes[end].width / 2, way[-1][1]
            edges[i] = replace(edge, points=tuple(way))
        groups = [Group(self._scope_text(scope).replace("\n", "  "), *place) for scope, place in found.frames.items()]
        return Chart(
            [Graph(vertices, edges, groups, direction)],
            caption=self._caption(direction, language),
            alt=self._alt(language),
            numbers=self._numbers(),
        )

    def _numbers(self) -> dict[str, float]:
        root = self.whole.root
        known = root.size == 1 and root.value is not UNKNOWN
        return {"value": float(root.value)} if known else {}

    def _caption(self, direction: str, language: str) -> str:
        return say(f"graph.{direction}_{'both' if self.gradients else 'values'}", language)

    def _alt(self, language: str) -> str:
        operations = sum(v.operation is not None for v in self.whole)
        leaves = sum(v.kind == "leaf" for v in self.whole)
        root = self.whole.root
        value = self._value(root) or "×".join(map(str, root.shape))
        return say("graph.alt", language, operations=operations, leaves=leaves, boxes=len(self.groups), value=value)

    def mermaid(self, direction: str) -> str:
        shapes = {"operation": ("(", ")"), "output": ("([", "])"), "module": ("[[", "]]")}
        around = self.frames()
        lines = [f"flowchart {'LR' if direction == 'right' else 'TD'}"]

        def write(frame: Any, indent: str) -> None:
            for key in self.groups:
                if around[key] is frame:
                    box = self._box(key)
                    words = [*box.text.split("\n"), box.value, f"∂ {box.gradient}" if box.gradient else ""]
                    left, right = shapes.get(box.kind, ("[", "]"))
                    text = "<br>".join(map(_escaped, filter(None, words)))
                    lines.append(f'{indent}{box.name}{left}"{text}"{right}')
            for scope in [s for s in around if s not in self.groups and around[s] is frame]:
                text = _escaped(self._scope_text(scope).replace("\n", "  "))
                lines.append(f'{indent}subgraph s{len(lines)}["{text}"]')
                write(scope, indent + "  ")
                lines.append(f"{indent}end")

        write(None, "  ")
        for edge in self.edges.values():
            arrow = "-.->" if edge.dashed else "-->"
            label = f'|"{_escaped(edge.label)}"|' if edge.label else ""
            lines.append(f"  {edge.source} {arrow}{label} {edge.target}")
        return "\n".join(lines)


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


def _width(chart: Chart) -> float:
    low, high = chart.limits()[0]
    return high - low


def _number_text(value: Any, shape: Iterable[int]) -> str:
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


def _sized(box: Box) -> Box:
    lines = box.text.split("\n")
    width = max(map(text_width, lines)) + 1.4
    return replace(box, width=max(width, 1.9), height=0.7 + 1.25 * len(lines))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
