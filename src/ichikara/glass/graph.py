"""The computation of a tensor as a graph: values going forward, gradients coming back, modules folded."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..arrays import PYTHON_NUMBERS, to_numpy
from ..autodiff import Tensor
from ..charts import Chart, Edge, Graph, Group, short_text, text_width
from ..charts import Vertex as Box
from ..words import say
from .computation import UNKNOWN, Computation, Vertex, computation
from .frames import framed_layout
from .trace import Scope, Trace, trace

__all__ = ["graph", "mermaid"]

MOST = 24  # boxes in a graph, as long as modules can be folded
SIGNS = {"add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "matmul": "@", "negative": "−"}
"""Operations that are written by a sign."""

ABOVE = 1.2  # of the text's height, for a value above a box or a gradient below it
SMALL = 0.86  # height of these texts


def graph(
    loss: Tensor | Callable[[], Tensor],
    seen: Trace | None = None,
    *,
    gradients: bool = True,
    local: bool = False,
    steps: bool = True,
    unfold: Collection[str] = (),
    depth: int | None = None,
    direction: str = "right",
    language: str = "en",
) -> Chart:
    """The computation of a tensor as a chart: a box for each operation, its value above it, its gradient below it.

    Arguments: ``loss``, the tensor, or a function that computes it; ``seen``, a `Trace` of its computation, which knows
    modules, constants and lines; ``gradients``, whether gradients are computed and shown; ``local``, whether edges
    between numbers carry local derivatives; ``steps``, whether operations whose result has no name are boxes of their
    own; ``unfold``, the paths of modules, or the names of functions, of which the inside is shown; ``depth``, how many
    modules around each other are unfolded, by default as many as leave at most 24 boxes; ``direction``, "right" or
    "down"; ``language``, of the words.

    >>> import ichikara
    >>> x = ichikara.asarray(2.0, requires_grad=True)
    >>> [(box.text, box.value, box.gradient) for box in graph(x * x).marks[0].vertices]
    [('', '2', '4'), ('×', '4', '1')]
    """
    picture = _Picture.of(loss, seen, gradients, local, steps, unfold, depth)
    return picture.chart(direction, language)


def mermaid(loss: Tensor | Callable[[], Tensor], seen: Trace | None = None, **options: Any) -> str:
    """The computation of a tensor as text that Mermaid draws, as many pages and editors do. Arguments: as of `graph`.

    >>> import ichikara
    >>> x = ichikara.asarray(2.0, requires_grad=True)
    >>> print(mermaid(x.tanh()))
    flowchart LR
      v0["2<br>∂ 0.0707"]
      v1("tanh<br>0.964<br>∂ 1")
      v0 --> v1
    """
    direction = options.pop("direction", "right")
    options.pop("language", None)
    settings = {"gradients": True, "local": False, "steps": True, "unfold": (), "depth": None} | options
    return _Picture.of(loss, seen, **settings).mermaid(direction)


@dataclass
class _Group:
    """The vertices that one box stands for. Arguments: ``scope``, that is folded; ``out``, those used outside of it."""

    vertices: list[Vertex] = field(default_factory=list)
    scope: Scope | None = None
    out: list[Vertex] = field(default_factory=list)


class _Picture:
    """A computation in boxes."""

    @classmethod
    def of(cls, loss, seen, gradients, local, steps, unfold, depth) -> "_Picture":
        if not isinstance(loss, Tensor):
            with trace() as seen:
                loss = loss()
        whole = computation(loss, seen, unfuse=False)
        return cls(whole, gradients, local, steps, unfold, depth)

    def __init__(self, whole: Computation, gradients, local, steps, unfold, depth):
        self.whole, self.steps = whole, steps
        self.uses = whole.consumers()
        self.values = {v: v.value for v in whole}
        self.slopes: dict[tuple[Vertex, Any], float] = {}
        self.gradients = self._pull(local) if gradients or local else {}
        if not gradients:
            self.gradients = {}
        scopes = dict.fromkeys(scope for v in whole if v.scope for scope in v.scope.path)
        deepest = max((_depth(scope) for scope in scopes), default=0)
        for level in [depth] if depth is not None else range(deepest, -1, -1):
            self.open = {s for s in scopes if s.name in unfold or (s.kind == "module" and _depth(s) <= level)}
            self._divide()
            if len(self.groups) <= MOST:
                break
        self._connect()

    def _pull(self, local: bool) -> dict[Vertex, Any]:
        """The gradients of the root by all vertices that one flows to and whose values are known."""
        found: dict[Vertex, Any] = {self.whole.root: _ones(self.whole.root)}
        for vertex in reversed(self.whole.vertices):
            inputs = vertex.inputs.values()
            if vertex not in found or not vertex.differentiable or not vertex.complete:
                continue
            if any(self.values[v] is UNKNOWN for v in (vertex, *inputs)):
                continue
            for name, part in vertex.pull(found[vertex], self.values).items():
                source = vertex.inputs[name]
                found[source] = found[source] + part if source in found else part
            if local and vertex.size == 1 and all(v.size == 1 for v in inputs):
                for name, part in vertex.pull(_ones(vertex), self.values).items():
                    self.slopes[vertex, name] = float(part)
        return found

    # What a box stands for

    def _divide(self) -> None:
        """Divide the vertices into groups, each of which gets a box."""
        self.groups: dict[Any, _Group] = {}
        self.group: dict[Vertex, Any] = {}
        for vertex in reversed(self.whole.vertices):  # each after what uses it
            users = {self.group[user] for user, _ in self.uses[vertex]}
            folded = next((s for s in (vertex.scope.path if vertex.scope else ()) if s not in self.open), None)
            key: Any = folded or vertex
            if len(users) == 1:
                (user,) = users
                if vertex.operation is None and isinstance(user, Scope):
                    key = user  # what only one folded module uses
                elif not self.steps and vertex.operation and not vertex.name and folded is None:
                    key = user
            self.group[vertex] = key
            group = self.groups.setdefault(key, _Group(scope=folded))
            group.vertices.append(vertex)
            if not users or users != {key}:
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
                slope = self.slopes.get((vertex, name))
                label = "" if slope is None or end is not vertex else short_text(slope)
                passes = name in vertex.differentiable
                before = self.edges.get((start, end, same))
                dashed = not passes and (before is None or before.dashed)
                self.edges[start, end, same] = Edge(self.number[start], self.number[end], (), label, dashed)

    def _box(self, key: Any) -> Box:
        """The box of a group, without its place."""
        group = self.groups[key]
        first = group.out[0] if group.out else group.vertices[0]
        value = self._value(first) if len(group.out) == 1 else ""
        gradient = self._gradient(first) if len(group.out) == 1 else ""
        if isinstance(key, Scope):
            kind, text = "module" if key.kind == "module" else "operation", _scope_text(key)
        else:
            kind, text = self._kind(key), _vertex_text(key)
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
        if key.operation is None:  # parameters stand in the frame where all their uses are
            paths = [self._around(self.group[user]) for user, _ in self.uses[key]]
            shared = []
            for scopes in zip(*paths, strict=False):
                if any(scope is not scopes[0] for scope in scopes):
                    break
                shared.append(scopes[0])
            return tuple(shared) if key.kind == "leaf" else ()
        return tuple(scope for scope in (key.scope.path if key.scope else ()) if scope in self.open)

    # How it is written

    def chart(self, direction: str, language: str) -> Chart:
        boxes = {key: _sized(self._box(key)) for key in self.groups}
        rooms = {key: _room(box) for key, box in boxes.items()}
        edges = [*self.edges.values()]
        labels = max((text_width(edge.label) for edge in edges), default=0.0)
        ends = [(start, end) for start, end, _ in self.edges]
        found = framed_layout(rooms, ends, self.frames(), direction, layer_gap=2.6 + 0.8 * labels, gap=0.5)
        vertices = []
        for key, box in boxes.items():
            x, y = found.centres[key]
            vertices.append(_with(box, x=x, y=y))
        for i, (edge, way, (start, end)) in enumerate(zip(edges, found.ways, ends, strict=True)):
            if direction == "right":  # up to the boxes, past the room of wider values
                way[0] = found.centres[start][0] + boxes[start].width / 2, way[0][1]
                way[-1] = found.centres[end][0] - boxes[end].width / 2, way[-1][1]
            edges[i] = _with(edge, points=tuple(way))
        groups = [Group(_scope_text(scope).replace("\n", "  "), *place) for scope, place in found.frames.items()]
        return Chart([Graph(vertices, edges, groups)], alt=self._alt(language), numbers=self._numbers())

    def _numbers(self) -> dict[str, float]:
        root = self.whole.root
        known = root.size == 1 and root.value is not UNKNOWN
        return {"value": float(root.value)} if known else {}

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
                text = _escaped(_scope_text(scope).replace("\n", "  "))
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


def _ones(vertex: Vertex) -> Any:
    import numpy

    return numpy.ones(vertex.shape, vertex.dtype)


def _with(thing: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(thing, **changes)


def _vertex_text(vertex: Vertex) -> str:
    operation = SIGNS.get(vertex.operation.name, vertex.operation.name) if vertex.operation else ""
    return "\n".join(filter(None, (vertex.name, operation)))


def _scope_text(scope: Scope) -> str:
    """The path of a module and its class, or the name of a function."""
    if scope.kind == "function":
        return scope.name
    kind = type(scope.what).__name__
    name = scope.name if scope.call == 1 else f"{scope.name} ({scope.call})"
    return f"{name}\n{kind}" if scope.name else kind


def _number_text(value: Any, shape: Iterable[int]) -> str:
    """A value in a few signs: a number, up to three numbers, or the shape and the norm of an array."""
    size = "×".join(map(str, shape))
    if value is UNKNOWN:
        return size
    if type(value) in PYTHON_NUMBERS:
        return short_text(value)
    array = to_numpy(value)
    if array.dtype.kind not in "fiu":
        return size
    if array.size == 1:
        return short_text(float(array.reshape(())))
    if array.ndim == 1 and array.size <= 3:
        return f"({', '.join(short_text(float(x)) for x in array)})"
    norm = f"‖{short_text(float((array.astype(float) ** 2).sum() ** 0.5))}‖"
    return f"{size}  {norm}" if size else norm


def _sized(box: Box) -> Box:
    lines = box.text.split("\n")
    width = max(map(text_width, lines)) + 1.4
    return _with(box, width=max(width, 1.9), height=0.7 + 1.25 * len(lines))


def _room(box: Box) -> tuple[float, float]:
    """The room of a box with its value and gradient, which is as much below as above, so that edges meet its middle."""
    texts = [SMALL * text_width(text) for text in (box.value, box.gradient)]
    return max(box.width, *texts), box.height + 2 * ABOVE * any(texts)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
