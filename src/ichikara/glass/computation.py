"""A computation as a structure: what it began with, each operation, and what came out, with names and numbers.

It is made of the nodes that the engine left behind, and of a `Trace` where there is one, which knows more: constants,
modules, lines of code.
"""

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..arrays import PYTHON_NUMBERS, is_array, namespace
from ..autodiff import Tensor
from ..autodiff.graph import check_usable
from ..errors import UserError
from .trace import Application, Scope, trace
from .vertex import UNKNOWN, Computation, Vertex, composition_of

__all__ = ["computation"]

FREED = (
    "backward went through this graph before and freed what it had saved; ask before backward(), compute the loss "
    "again, or call backward(retain_graph=True)"
)


TARGETS = ("target", "targets", "labels")
"""What functions call the inputs that are wanted as outputs."""


def computation(
    root: Tensor,
    seen: Any = None,
    unfuse: bool = True,
    constants: Iterable[Any] = (),
    known: Mapping[Any, Any] | None = None,
) -> Computation:
    """The computation that a tensor came from.

    Arguments: ``seen``, the `Trace` that was attached meanwhile, which knows what the nodes have not kept; ``unfuse``,
    whether what was computed as a whole is taken apart into the operations that it is composed of; ``constants``,
    arrays that may have taken part: one that a node has not kept is found among them by what was computed from it;
    ``known``, the arrays of tensors by their nodes.

    Raises UserError where a sweep has freed the graph, or a leaf was changed since.

    >>> import ichikara
    >>> x = ichikara.asarray(2.0, requires_grad=True)
    >>> [v.operation.name for v in computation(x * x + x) if v.operation]
    ['multiply', 'add']
    """
    if root._node is None and seen is None:
        raise UserError(
            "nothing that requires a gradient went into this tensor; make a leaf with "
            "asarray(..., requires_grad=True), and compute outside of no_grad()"
        )
    return _Builder(seen, unfuse).build(root, [*constants], known or {})


class _Builder:
    def __init__(self, seen, unfuse):
        self.seen, self.unfuse = seen, unfuse
        self.by_node: dict[Any, Vertex] = {}
        self.by_array: dict[int, Vertex] = {}
        self.by_application: dict[Application, Vertex] = {}

    def build(self, root: Tensor, constants: Sequence[Any], known: Mapping[Any, Any]) -> Computation:
        if self.seen is not None:
            for i, application in enumerate(self.seen.applications):
                self._applied(application, (i,))
        found = self._of(root)
        whole = Computation(found, _in_order(found))
        for vertex in whole:
            if vertex.value is UNKNOWN and vertex.node in known:
                vertex.value = known[vertex.node]
        self._compute(whole, constants)
        if any(vertex.value is UNKNOWN for vertex in whole):
            self._recall()
            self._compute(whole, constants)
        return whole

    def _compute(self, whole: Computation, constants: Sequence[Any]) -> None:
        """Compute the values that nothing has kept from those that they were made from."""
        for vertex in whole:
            if vertex.operation is not None and vertex.complete:
                unknown = [source for source in vertex.inputs.values() if source.value is UNKNOWN]
                if vertex.value is UNKNOWN and not unknown:
                    vertex.value = _computed(vertex)
                elif vertex.value is not UNKNOWN and len(unknown) == 1 and unknown[0].kind == "constant":
                    _find(unknown[0], vertex, constants)

    def _of(self, root):
        application = self.seen.made(root._node) if self.seen is not None and root._node is not None else None
        if application is not None:
            vertex = self.by_application[application]
            vertex.node = root._node
            return vertex
        if root._node is not None:
            self._visit(root._node)
            vertex = self.by_node[root._node]
            vertex.value = root._data
            return vertex
        return self.by_array.get(id(root._data)) or Vertex("constant", root._data)

    # --- of a trace -------------------------------------------------------------------------------------------------

    def _applied(self, application: Application, order: tuple[int, ...]) -> None:
        operation = application.operation
        vertex = Vertex("operation", application.output, operation)
        vertex.scope, vertex.line, vertex.order = application.scope, application.line, order
        vertex.differentiable = frozenset(application.wanted)
        given: dict[Any, Any] = dict(zip(operation.parameters, application.arguments, strict=True))
        if operation.sequence:
            given.update(enumerate(given.pop(operation.inputs[0])))
        for name, value in given.items():
            made = application.sources.get(name)
            if made is not None:
                source = vertex.inputs[name] = self.by_application[made]
                source.node = application.wanted[name]
            elif name in application.wanted:
                node = application.wanted[name]
                if node not in self.by_node:
                    self._visit(node)
                source = vertex.inputs[name] = self.by_node[node]
                if source.value is UNKNOWN:
                    source.value = value
            elif is_array(value) or (name in operation.inputs and type(value) in PYTHON_NUMBERS):
                vertex.inputs[name] = self._constant(operation, name, value, application.scope)
            else:
                vertex.options[name] = value
        self.by_application[application] = self.by_array[id(application.output)] = vertex

    def _constant(self, operation, name, value, scope=None) -> Vertex:
        known = self.by_array.get(id(value)) if is_array(value) else None
        if known is None:
            known = Vertex("target" if name in TARGETS or _is_target(value, scope) else "constant", value)
            if is_array(value):
                self.by_array[id(value)] = known
        return known

    # --- of nodes ---------------------------------------------------------------------------------------------------

    def _visit(self, root) -> None:
        """Make the vertices of a node and of all that it was made from."""
        stack, nodes = [root], set()
        while stack:
            node = stack.pop()
            if node in nodes or node in self.by_node:
                continue
            nodes.add(node)
            if node.operation is None:
                continue
            if node.saved is None or node.inputs is None:
                raise UserError(FREED)
            try:
                check_usable(node)
            except RuntimeError as error:
                raise UserError(str(error)) from None
            stack.extend(node.inputs.values())
        for node in sorted(nodes, key=lambda node: node.order):
            self.by_node[node] = self._made(node) if node.operation else Vertex("leaf", node=node)

    def _made(self, node) -> Vertex:
        operation = node.operation
        vertex = Vertex("operation", node.saved.get("y", UNKNOWN), operation, node)
        vertex.differentiable, vertex.order = frozenset(node.inputs), (node.order,)
        saved = {name: node.saved[name] for name in operation.parameters if name in node.saved}
        if operation.sequence:
            items = saved.pop(operation.inputs[0], None)
            saved.update(enumerate(items or ()))
            names: tuple = tuple(saved) if items else tuple(node.inputs)
            names = (*names, *operation.parameters[1:])
            if items is None:
                count = len(node.saved.get(f"{operation.inputs[0]}_shape", node.inputs))
                saved.update(dict.fromkeys(range(count), UNKNOWN))
                names = (*range(count), *operation.parameters[1:])
        else:
            names = operation.parameters
        for name in names:
            value = saved.get(name, UNKNOWN)
            if name in node.inputs:
                source = vertex.inputs[name] = self.by_node[node.inputs[name]]
                if source.value is UNKNOWN:
                    source.value = value
            elif name in saved and value is UNKNOWN:
                vertex.inputs[name] = Vertex("constant")
            elif is_array(value) or (name in operation.inputs and type(value) in PYTHON_NUMBERS):
                vertex.inputs[name] = self._constant(operation, name, value)
            elif name in saved:
                vertex.options[name] = value
            elif name in operation.inputs and name not in operation._defaults:
                vertex.inputs[name] = Vertex("constant")
            elif name in ("shape", "dtype"):  # of the result
                vertex.options[name] = getattr(node, name)
            elif name in operation._defaults:
                vertex.options[name] = operation._defaults[name]
        composition = composition_of(operation)
        if self.unfuse and composition is not None and vertex.complete:
            return self._unfused(composition, vertex)
        return vertex

    def _unfused(self, composition, whole: Vertex) -> Vertex:
        """What a composed function that was computed as a whole is made of, computed again."""
        given = {name: source.value for name, source in whole.inputs.items()}
        leaves, arguments = {}, []
        for name in composition.parameters:
            value = given.get(name, whole.options.get(name))
            if is_array(value):
                leaf = Tensor(value, requires_grad=name in whole.differentiable)
                leaves[name] = leaf
                value = leaf
            arguments.append(value)
        with trace(lines=False) as seen:
            found = composition(*arguments)
        inner = _Builder(seen, False)
        for name, leaf in leaves.items():
            source = whole.inputs[name]
            if leaf._node is not None:
                inner.by_node[leaf._node] = source
            inner.by_array[id(leaf._data)] = source
        for i, application in enumerate(seen.applications):
            inner._applied(application, (*whole.order, i))
        made = inner._of(found[0] if isinstance(found, tuple) else found)
        made.node = whole.node
        return made

    def _recall(self) -> None:
        """Values that the nodes have not kept, from the tensors that still exist."""
        kinds, waiting = set(), [Tensor]
        while waiting:
            kinds.add(kind := waiting.pop())
            waiting += kind.__subclasses__()
        # By their types alone: a process has millions of objects, and isinstance asks those of others for their class.
        for thing in [thing for thing in gc.get_objects() if type(thing) in kinds]:
            vertex = self.by_node.get(getattr(thing, "_node", None))
            if vertex is not None and vertex.value is UNKNOWN:
                vertex.value = thing._data


def _computed(vertex: Vertex, changed: Mapping[Vertex, Any] | None = None) -> Any:
    """The value of a vertex by those of its inputs; UNKNOWN where its options were not the defaults."""
    values = {source: source.value for source in vertex.inputs.values()} | dict(changed or {})
    try:
        found = vertex.compute(values)
    except (ValueError, TypeError, IndexError):
        return UNKNOWN
    return found if getattr(found, "shape", None) == vertex.shape else UNKNOWN


def _find(constant: Vertex, vertex: Vertex, among: Sequence[Any]) -> None:
    """Find the value of a constant that was not kept, by the value of what was computed from it."""
    for value in among:
        found = _computed(vertex, {constant: value})
        if found is not UNKNOWN and (found == vertex.value).all():
            constant.value, constant.shape = value, value.shape
            return
    xp = namespace(vertex.value)
    at = [_computed(vertex, {constant: xp.full_like(vertex.value, n)}) for n in (0, 1, 2)]
    if any(value is UNKNOWN for value in at) or not bool(xp.all((at[2] - at[1] == at[1] - at[0]) & (at[1] != at[0]))):
        return
    value = (vertex.value - at[0]) / (at[1] - at[0])  # the operation is a line over the constant
    first = value.reshape((-1,))[:1].reshape(())
    constant.value = first if bool(xp.all(value == first)) else value
    constant.shape = constant.value.shape


def _is_target(value: Any, scope: Scope | None) -> bool:
    """Whether an array is what a composed function around it calls its target."""
    while scope is not None:
        if scope.kind == "function":
            for name, given in zip(scope.what.parameters, scope.arguments, strict=False):
                if name in TARGETS and getattr(given, "_data", given) is value:
                    return True
        scope = scope.parent
    return False


def _in_order(root: Vertex) -> list[Vertex]:
    """The vertices that lead to the root, each after its inputs."""
    order: list[Vertex] = []
    done: set[Vertex] = set()
    stack: list[tuple[Vertex, Iterator[Vertex]]] = [(root, iter(root.inputs.values()))]
    visited = {root}
    while stack:
        vertex, rest = stack[-1]
        for source in rest:
            if source not in visited:
                visited.add(source)
                stack.append((source, iter(source.inputs.values())))
                break
        else:
            stack.pop()
            if vertex not in done:
                done.add(vertex)
                order.append(vertex)
    return order
