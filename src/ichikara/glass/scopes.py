"""Which operations belong together: those of a module's call, and those of a composed function, within each other.

A trace knows the calls. Without one they are guessed by the parameters that were used: what was computed from the first
use of a module's parameters to the last, with no other module's between them.
"""

from collections.abc import Callable, Iterator

from .computation import Computation, Vertex
from .trace import Scope

__all__ = ["Group", "groups_of"]


class Group:
    """A call with what was computed in it: operations, and further groups, in the order in which they were computed.

    Arguments: ``name``, the module's path or the function's name, empty for the whole computation; ``call``, the number
    of the call; ``items``, vertices and groups.
    """

    def __init__(self, name: str = "", call: int = 1, kind: str = "module"):
        self.name, self.call, self.kind = name, call, kind
        self.items: list[Vertex | Group] = []

    @property
    def vertices(self) -> Iterator[Vertex]:
        """All operations in it."""
        for item in self.items:
            if isinstance(item, Group):
                yield from item.vertices
            else:
                yield item

    @property
    def title(self) -> str:
        """The name, with the number of the call from the second one on."""
        return self.name if self.call == 1 else f"{self.name} ({self.call})"


def groups_of(whole: Computation, module_name: Callable[[Scope], str]) -> Group:
    """All operations of a computation, in groups. Arguments: ``module_name``, the path of a module that was called."""
    operations = sorted((v for v in whole if v.operation is not None), key=lambda vertex: vertex.order)
    root = Group()
    groups: dict[Scope, Group] = {}
    for vertex in operations:
        place = root
        for scope in vertex.scope.path if vertex.scope else ():
            if scope not in groups:
                name = module_name(scope) if scope.kind == "module" else scope.name
                groups[scope] = Group(name, scope.call, scope.kind)
                place.items.append(groups[scope])
            place = groups[scope]
        place.items.append(vertex)
    if not any(group.kind == "module" for group in groups.values()):
        root.items = _by_parameters(root.items, (), {})
    return root


def _by_parameters(items: list, prefix: tuple[str, ...], calls: dict[str, int]) -> list:
    """The items in groups by the modules whose parameters they use, below a module."""
    depth = len(prefix) + 1
    labels = [_label(item, prefix) for item in items]
    found: list = []
    i = 0
    while i < len(items):
        label = labels[i]
        if label is None:
            found.append(items[i])
            i += 1
            continue
        last = i
        for j in range(i + 1, len(items)):
            if labels[j] is not None and labels[j] != label:
                break
            if labels[j] == label:
                last = j
        name = ".".join(label)
        calls[name] = calls.get(name, 0) + 1
        group = Group(name, calls[name])
        inner = items[i : last + 1]
        group.items = _by_parameters(inner, label, calls) if any(len(m) > depth for x in inner for m in _modules(x)) else inner
        found.append(group)
        i = last + 1
    return found


def _modules(item) -> set[tuple[str, ...]]:
    """The modules whose parameters an item uses."""
    vertices = item.vertices if isinstance(item, Group) else [item]
    leaves = {source.name for vertex in vertices for source in vertex.inputs.values() if source.operation is None}
    return {tuple(name.split(".")[:-1]) for name in leaves if "." in name}


def _label(item, prefix) -> tuple[str, ...] | None:
    """The module below another one that an item belongs to; None for none, or several."""
    depth = len(prefix)
    found = {module[: depth + 1] for module in _modules(item) if module[:depth] == prefix and len(module) > depth}
    return next(iter(found)) if len(found) == 1 else None
