"""Large computations made small: what a module computes as one step, with a Jacobian of its own."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy

from ..errors import UserError, did_you_mean, listed
from .naming import COPY, Names
from .paths import Paths
from .scopes import Group, groups_of
from .values import wide
from .vertex import UNKNOWN, Computation, Vertex

__all__ = ["Block", "folded"]

FEW = 12  # operations on the paths that are shown without being folded
SHOWN = 16  # steps that are shown at most unless more are asked for
CHUNKS = 8  # into how many parts a module of many parts is divided


class Block:
    """What several operations compute, as one. Arguments: ``name``, as of a group; ``parts``, how many there are."""

    sequence, residuals = False, ()
    inputs: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    def __init__(self, name: str, parts: int):
        self.name, self.parts = name, parts
        self.rules: dict = {}
        self.jacobians: dict = {}


class _BlockVertex(Vertex):
    """A value that is computed by several operations. Arguments: ``last``, its vertex; ``inner``, those before it."""

    __slots__ = ("_known", "inner", "last", "outside")

    def __init__(self, block: Block, last: Vertex, inner: list[Vertex], outside: list[Vertex]):
        super().__init__("operation", last.value, block, last.node)
        self.shape, self.dtype = last.shape, last.dtype
        self.last, self.inner, self.outside = last, inner, outside
        self.order = last.order
        self._known: dict[Vertex, Any] | None = None

    @property
    def complete(self) -> bool:
        return all(vertex.complete for vertex in self.inner)

    def compute(self, values: Mapping[Vertex, Any]) -> Any:
        known = {old: values[self.inputs[i]] for i, old in enumerate(self.outside)}
        for vertex in self.inner:
            known[vertex] = vertex.compute(known)
        return known[self.last]

    def pull(self, g: Any, values: Mapping[Vertex, Any], names: Iterable[Any] | None = None) -> dict[Any, Any]:
        if self._known is None:
            self._known = {v: wide(v.value) for v in (*self.inner, *self.outside) if v.value is not UNKNOWN}
        gradients: dict[Vertex, Any] = {self.last: g}
        wanted = set(self.differentiable if names is None else names)
        leading = {self.outside[i] for i in wanted}
        for vertex in self.inner:
            if any(vertex.inputs[name] in leading for name in vertex.differentiable):
                leading.add(vertex)
        for vertex in reversed(self.inner):
            if vertex not in gradients or vertex not in leading:
                continue
            own = [name for name in vertex.differentiable if vertex.inputs[name] in leading]
            for name, part in vertex.pull(gradients[vertex], self._known, own).items():
                source = vertex.inputs[name]
                gradients[source] = gradients[source] + part if source in gradients else part
        return {i: gradients.get(self.outside[i], numpy.zeros(self.outside[i].shape)) for i in wanted}


def folded(
    whole: Computation, target: Vertex, names: Names, unfold: Sequence[str] = (), depth: int | None = None
) -> tuple[Computation, Vertex, list[str]]:
    """A computation with its modules folded as far as is needed, the target in it, and the names of what is folded.

    Arguments: ``unfold``, the paths of modules to be shown by their parts; ``depth``, how deep all are unfolded.
    Raises UserError for a module that there is not.
    """
    paths = Paths(whole, target)
    on_path = {vertex for vertex in paths.vertices if vertex.operation is not None}
    root = groups_of(whole, lambda scope: names.modules.get(id(scope.what)) or scope.name or type(scope.what).__name__)
    known = _all_groups(root)
    for name in unfold:
        if name not in {group.title for group in known} | {group.name for group in known}:
            titles = list(dict.fromkeys(group.title for group in known))
            hint = f"{did_you_mean(name, titles)} It has: {listed(titles)}" if titles else "; none ran in it"
            raise UserError(f"there is no module '{name}' in this computation{hint}")
    if len(on_path) <= FEW and depth is None:
        return whole, target, []
    units = _visible(root, on_path, unfold, depth)
    return _contracted(whole, target, units)


def _all_groups(group: Group) -> list[Group]:
    inner = [item for item in group.items if isinstance(item, Group)]
    return [found for item in inner for found in (item, *_all_groups(item))]


def _visible(root: Group, on_path: set[Vertex], unfold: Sequence[str], depth: int | None) -> list[Group]:
    """The groups that are shown as one step each; operations in none of them are shown by themselves."""

    def counted(items) -> int:
        return sum(1 for item in items if any(v in on_path for v in _vertices(item)))

    asked = {group for group in _all_groups(root) if group.title in unfold or group.name in unfold}
    opened = {g for g in _all_groups(root) if any(_vertices(a) <= _vertices(g) for a in asked)} if asked else set()
    level = {root: 0}
    shown: list = []
    waiting: list[Group] = [root]
    total = counted(root.items)
    while waiting:
        group = waiting.pop(0)
        items = (
            group.items if group is root or group in asked or depth is not None else _in_chunks(group, on_path, opened)
        )
        total += counted(items) - (group is not root)
        for item in items:
            if not isinstance(item, Group):
                continue
            level[item] = level[group] + 1
            more = counted(item.items)
            few = depth is None and (more <= 1 or total + counted(_in_chunks(item, on_path, opened)) - 1 <= SHOWN)
            if item in opened or (few and not isinstance(item, _Run)) or (depth is not None and level[item] <= depth):
                waiting.append(item)
            else:
                shown.append(item)
    return shown


def _in_chunks(group: Group, on_path: set[Vertex], opened: set[Group]) -> list:
    """The items of a group, those of many parts in runs of several each."""
    modules = any(isinstance(item, Group) and item.kind == "module" for item in group.items)
    if len(group.items) <= CHUNKS * 2 or not modules:
        return group.items
    size = -(-len(group.items) // CHUNKS)
    found: list = []
    run: list = []
    for item in (*group.items, None):
        if run and (item is None or len(run) == size or item in opened):
            found += run if len(run) == 1 else [_run(run)]
            run = []
        if item is not None and item in opened:
            found.append(item)
        elif item is not None:
            run.append(item)
    return found


class _Run(Group):
    """Several parts of a module, one after the other."""


def _run(items: list) -> Group:
    titles = [item.title for item in items if isinstance(item, Group)]
    first, last = (titles[0], titles[-1]) if titles else (items[0].operation.name, items[-1].operation.name)
    found = _Run(first if first == last else f"{first}…{last}")
    found.items = items
    return found


def _vertices(item) -> set[Vertex]:
    return set(item.vertices) if isinstance(item, Group) else {item}


def _contracted(whole: Computation, target: Vertex, groups: list[Group]) -> tuple[Computation, Vertex, list[str]]:
    """The computation in which each group is one step for each of its values that is used outside."""
    group_of: dict[Vertex, Group] = {}
    for group in groups:
        members = _vertices(group) - {target}
        if len(members) > 1:
            group_of.update(dict.fromkeys(members, group))
    consumers = whole.consumers()
    new: dict[Vertex, Vertex] = {}
    titles: dict[str, int] = {}  # of each group, how many of its values are used outside
    for vertex in whole:
        own = group_of.get(vertex)
        if own is None:
            new[vertex] = _copied(vertex, new)
        elif vertex is whole.root or any(group_of.get(user) is not own for user, _ in consumers[vertex]):
            titles[own.title] = titles.get(own.title, 0) + 1
            new[vertex] = _block(vertex, own, group_of, new)
            new[vertex].name = vertex.name or _numbered(own.title, titles[own.title])
    made = [new[vertex] for vertex in whole if vertex in new]
    used, stack = {new[whole.root]}, [new[whole.root]]
    while stack:
        for source in stack.pop().inputs.values():
            if source not in used:
                used.add(source)
                stack.append(source)
    return Computation(new[whole.root], [v for v in made if v in used]), new[target], [*titles]


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}{COPY}{number}"


def _copied(vertex: Vertex, new: dict[Vertex, Vertex]) -> Vertex:
    copy = Vertex(vertex.kind, vertex.value, vertex.operation, vertex.node)
    for name in ("differentiable", "dtype", "line", "name", "options", "order", "scope", "shape"):
        setattr(copy, name, getattr(vertex, name))
    copy.inputs = {name: new[source] for name, source in vertex.inputs.items()}
    return copy


def _block(last: Vertex, group: Group, group_of: dict[Vertex, Group], new: dict[Vertex, Vertex]) -> Vertex:
    inner, stack = {last}, [last]
    outside: dict[Vertex, None] = {}
    while stack:
        for source in stack.pop().inputs.values():
            if group_of.get(source) is not group:
                outside[source] = None
            elif source not in inner:
                inner.add(source)
                stack.append(source)
    order = sorted(inner, key=lambda vertex: vertex.number)
    block = _BlockVertex(Block(group.title, len(inner)), last, order, [*outside])
    block.inputs = dict(enumerate(new[source] for source in outside))
    active: set[Vertex] = set()  # from which a gradient flows
    reached = {last}
    for vertex in reversed(order):
        if vertex in reached:
            for name in vertex.differentiable:
                reached.add(vertex.inputs[name])
                active.add(vertex.inputs[name])
    block.differentiable = frozenset(i for i, source in enumerate(outside) if source in active)
    return block
