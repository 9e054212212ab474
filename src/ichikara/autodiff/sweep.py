r"""The backward sweep: the chain rule, applied to each recorded operation once, last made first.

.. math:: \bar x = \sum_{y\ \text{made from}\ x} \bar y \, \frac{\partial y}{\partial x}

The sweep is iterative (a chain of 100,000 operations works), visits only what leads to the wanted leaves, and lets go
of saved values as it passes them. With ``create_graph`` the rules run on Tensors, so that the gradient itself is
recorded and can be differentiated again.

Source: S. Linnainmaa (1970); A. Griewank and A. Walther, "Evaluating Derivatives" (2008), ch. 3.
"""

import operator
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Any

from ..arrays import compute, is_floating, namespace, recording, sum_of_two, sum_to
from .modes import enable_grad, mode
from .operation import op
from .tensor import Leaf, Node, Tensor, asarray, bind, raw, wrap

__all__ = ["alias", "backward", "seed", "sweep"]


@op(r"y = x", binds="+x")
def alias(x, /):
    """The same numbers as a tensor of their own, by which can be differentiated apart. Shapes: (*) -> (*)."""
    return x


alias.gradient(x=(r"\bar x = \bar y", lambda g: g))


def sweep(
    output: Tensor,
    gradient: Any,
    wanted: Iterable[Leaf | Node] | None = None,
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> dict[Leaf | Node, Any]:
    """The gradient of every leaf (or of the wanted leaves and nodes) that the output was made from.

    Arguments: ``gradient``, that of the output, an array or with ``create_graph`` a Tensor; ``wanted``, the places
    whose gradients are asked for; ``retain_graph``, keep the saved values for another sweep; ``create_graph``, record
    the sweep itself.

    Raises RuntimeError if saved values are gone, or were replaced since.
    """
    wanted = None if wanted is None else set(wanted)
    if create_graph:
        with enable_grad():
            return _run(output._node, gradient, wanted, traced=True, release=False)
    before, mode.in_rule = mode.in_rule, True
    try:
        return _run(output._node, gradient, wanted, traced=False, release=not retain_graph)
    finally:
        mode.in_rule = before


def _run(root, gradient, wanted, traced, release):
    differentiate, add = (_differentiate_traced, operator.add) if traced else (_differentiate, _added)
    leads = None if wanted is None else _leading_to(root, wanted)
    pending: dict[Leaf | Node, Any] = {root: gradient}
    found: dict[Leaf | Node, Any] = {}
    own: set[Leaf | Node] = set()  # whose gradient so far is an array that nobody else has
    queue = [(-root.order, root)]
    while queue:
        place = heappop(queue)[1]
        g = pending.pop(place)
        if place.__class__ is Leaf:
            found[place] = g
            continue
        if wanted is not None and place in wanted:
            found[place] = g
        onto = None if traced else place.plan.onto
        if onto and place.edges and place.edges[0] in own:
            _add_onto(pending, place, onto, g)
            parts = []
        else:
            parts = differentiate(place, g, leads)
        for edge, part in parts:
            if part.shape != edge.shape:
                part = _fit(place, part, edge)
            if part.dtype != edge.dtype:
                part = namespace(part).astype(part, edge.dtype)
            if edge in pending:
                pending[edge] = add(pending[edge], part)
                own.add(edge)
            else:
                if onto:
                    own.add(edge)
                pending[edge] = part
                heappush(queue, (-edge.order, edge))
        if release:
            place.saved = place.edges = None
    return found


def _added(a, b):
    """The sum of two gradients, on arrays."""
    return compute(sum_of_two, (a, b), ("add", ""))


def _add_onto(pending, node, onto, g):
    """Add a gradient to one that is there, in place: that of each of many slices would be as large as the whole."""
    _, (edge,) = _usable(node)
    rule, needs = onto
    slots = (g, *node.saved)
    pending[edge] = compute(rule, [pending[edge], *[slots[i] for i in needs]])


def _differentiate(node, g, leads):
    """The gradients of the node's wanted inputs, by its rules, on arrays."""
    plan, edges = _usable(node)
    quick, recorder = plan.quick, recording.recorder
    if recorder is not None:
        names = [plan.operation.inputs[i] for i in plan.inputs]
        quick = [
            (recorder.rule(rule, (plan.operation.name, name)), needs)
            for name, (rule, needs) in zip(names, quick, strict=True)
        ]
    return _by_rules(plan, quick, edges, (g, *node.saved), leads)


def _by_rules(plan, rules, edges, slots, leads):
    """What the rules of the wanted inputs give, called with what they name."""
    if plan.operation.sequence:
        rule, needs = rules[0]
        parts = rule(*[slots[i] for i in needs])
        return [
            (edge, parts[k]) for k, edge in enumerate(edges) if edge is not None and (leads is None or edge in leads)
        ]
    return [
        (edge, rule(*[slots[i] for i in needs]))
        for edge, (rule, needs) in zip(edges, rules, strict=True)
        if leads is None or edge in leads
    ]


def _differentiate_traced(node, g, leads):
    """The same on Tensors: saved values are given back the place in the graph that they came from."""
    plan, edges = _usable(node)
    output, *saved = node.saved
    if any(is_floating(kept) for kept in saved[len(saved) - len(plan.operation.keeps) :]):
        return _differentiate_composed(node, g, leads)
    shapes = saved[len(plan.keep) :]
    if plan.operation.sequence:
        saved = [
            [wrap(a, e) for a, e in zip(value, edges, strict=True)] if plan.keep[k] == 0 else value
            for k, value in enumerate(saved[: len(plan.keep)])
        ]
    else:
        edge_of = dict(zip(plan.inputs, edges, strict=True))
        saved = [wrap(value, edge_of[i]) if i in edge_of else value for i, value in zip(plan.keep, saved, strict=False)]
    slots = (g, wrap(output, node) if plan.keep_output else None, *saved, *shapes)
    return [(edge, asarray(part)) for edge, part in _by_rules(plan, plan.rules, edges, slots, leads)]


def _differentiate_composed(node, g, leads):
    """The gradients of an operation that keeps what only its rules see: through its composed form, on Tensors.

    What it kept is cut from the graph, so a rule that reads it would lose a part of the second derivative. (Whole
    numbers that it kept, such as positions, have no derivative, and nothing is lost.)
    """
    operation, edges = node.plan.operation, node.edges
    values = list(node.saved[1 : 1 + len(operation.parameters)])
    for i, edge in zip(node.plan.inputs, edges, strict=True):
        values[i] = alias(wrap(values[i], edge))
    inputs = [values[i] for i in node.plan.inputs]
    output, *_ = operation.forward(*values)
    parts = _run(output._node, g, {x._node for x in inputs}, traced=True, release=False)
    return [
        (edge, parts[x._node])
        for edge, x in zip(edges, inputs, strict=True)
        if x._node in parts and (leads is None or edge in leads)
    ]


def _usable(node):
    if node.saved is None:
        raise RuntimeError(
            "backward went through this graph before, and its saved values are gone; "
            "compute the output again, or pass retain_graph=True the first time"
        )
    plan, edges = node.plan, node.edges
    watched = [e for e in edges if e is not None] if plan.operation.sequence else [edges[k] for k in plan.watch]
    for edge, version in zip(watched, node.versions, strict=False):
        if edge.version != version:
            raise RuntimeError(
                f"a leaf of shape {edge.shape} was changed in place after {plan.operation.name} had used it, "
                "so the gradient would be of other numbers; call backward() before the optimiser's step"
            )
    return plan, edges


def _fit(node, part, edge):
    """Sum a gradient over the axes along which its input was broadcast."""
    operation = node.plan.operation
    if not operation.broadcasts:
        raise RuntimeError(f"a gradient of {operation.name} has shape {part.shape}, and its input has {edge.shape}")
    return sum_to(part, edge.shape) if isinstance(part, Tensor) else compute(sum_to, (part, edge.shape))


def _leading_to(root, wanted) -> set:
    """The nodes and leaves on the way from the root to the wanted leaves."""
    leads, visited, stack = set(wanted), set(), [root]
    inner = []
    while stack:
        node = stack.pop()
        if node.__class__ is not Node or node in visited:
            continue
        visited.add(node)
        if node.edges is None:
            _usable(node)
        inner.append(node)
        stack.extend(edge for edge in node.edges if edge is not None)
    for node in sorted(inner, key=lambda node: node.order):
        if any(edge in leads for edge in node.edges):
            leads.add(node)
    return leads


@bind("backward")
def backward(self: Tensor, grad=None, retain_graph: bool = False, create_graph: bool = False) -> None:
    r"""Add the gradient of this tensor by every leaf that it was made from to that leaf's ``.grad``.

    .. math:: \bar x \mathrel{+}= \Bigl(\frac{\partial y}{\partial x}\Bigr)^{\!\top} \bar y

    Shapes: ``grad`` has the tensor's shape; it may be left out of a single number, where it is 1.

    Arguments: ``retain_graph``, keep what is needed to go through the graph again; ``create_graph``, record the
    gradients' own graph, so that they can be differentiated.

    Raises RuntimeError for a tensor that nothing requiring a gradient went into, for a second sweep, and for a leaf
    that was changed in between; ValueError where ``grad`` is missing or has another shape.

    >>> import ichikara
    >>> x = ichikara.asarray(3.0, requires_grad=True)
    >>> (x * x).backward()
    >>> x.grad
    Tensor(6.)
    """
    start = seed(self, grad, create_graph)
    found = sweep(self, start, retain_graph=retain_graph or create_graph, create_graph=create_graph)
    leaf: Any
    recorder = recording.recorder
    for leaf, g in found.items():
        g = g if create_graph else wrap(g, None)
        if recorder is not None:
            recorder.grad_of(leaf)
        leaf.grad = g if leaf.grad is None else leaf.grad + g


def seed(output: Tensor, gradient, create_graph: bool):
    """The gradient that a sweep from this output starts with: the one given, or 1 for a single number."""
    if not isinstance(output, Tensor) or output._node is None:
        raise RuntimeError(
            "nothing that requires a gradient went into this tensor; make a leaf with "
            "asarray(..., requires_grad=True), and compute outside of no_grad()"
        )
    if gradient is None:
        if output.size != 1:
            raise ValueError(
                f"backward() of a tensor of shape {output.shape} needs the gradient of each element: "
                "reduce it to a single number first (sum(), mean()), or pass grad= of that shape"
            )
        gradient = namespace(output._data).ones_like(output._data)
    gradient = asarray(gradient, dtype=output.dtype)
    if gradient.shape != output.shape:
        raise ValueError(f"the gradient of a tensor of shape {output.shape} has that shape too, not {gradient.shape}")
    return gradient if create_graph else raw(gradient)
