r"""The chain rule on one page: an operation leaves a node behind, and a sweep goes back through the nodes.

.. math:: \bar x = \sum_{y\ \text{made from}\ x} \bar y \, \frac{\partial y}{\partial x}

This page sees arrays and nodes alone. How arguments become arrays is in `arguments`, how a tensor behaves in `base`.
Who computes is the interpreter (`arrays.interpreter`): there a kernel, a capture or a tracer attaches.

Source: S. Linnainmaa (1970); A. Griewank and A. Walther, "Evaluating Derivatives" (2008), chapter 3.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from operator import add
from typing import Any, NamedTuple

from ..arrays import is_floating, namespace, sum_to
from ..arrays.interpreter import seam
from .arguments import Signature, names_of
from .base import TensorBase
from .graph import check_usable, leading_to
from .modes import block, mode
from .slices import IndexedSlices

__all__ = ["Node", "Operation", "Rule", "Tensor", "sweep", "wrap"]


class Node:
    """One application of an operation; or a leaf, which no operation made: there the gradient is collected.

    A node keeps what the rules of its wanted inputs need, and the nodes of these inputs. A sweep frees both.
    """

    __slots__ = ("dtype", "grad", "inputs", "operation", "order", "plan", "saved", "shape", "version", "versions")
    _order = count(1)

    def __init__(self, array, operation=None, inputs=None, plan=None, saved=None):
        self.shape, self.dtype, self.grad, self.version = array.shape, array.dtype, None, 0
        self.operation, self.inputs, self.plan, self.saved = operation, inputs, plan, saved
        self.versions = [source.version for source in inputs.values()] if inputs else ()
        self.order = next(Node._order) if operation else -next(Node._order)  # a sweep comes to the leaves last


class Tensor(TensorBase):
    """An array, ``_data``, that remembers which application made it, ``_node``; None for a constant."""

    __slots__ = ()

    def backward(self, grad=None, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Add the gradient of this tensor by every leaf that it was made from to the ``grad`` of that leaf."""
        found = sweep(self._node, self.seed(grad, create_graph), retain=retain_graph, traced=create_graph)
        for leaf, g in found.items():
            seam.interpreter.gradient(leaf)
            g = g if create_graph else wrap(g, None)
            leaf.grad = g if leaf.grad is None else leaf.grad + g


def wrap(array: Any, node: Node | None) -> Tensor:
    """A tensor around an array as it is."""
    tensor = Tensor.__new__(Tensor)
    tensor._data, tensor._node = array, node
    return tensor


class Rule(NamedTuple):
    """The gradient of an input: its formula, a function, and the names of what the function needs."""

    formula: str
    function: Callable
    needs: tuple[str, ...]
    joint: bool = False  # whether the function gives the gradients of several inputs, by their names


class Plan(NamedTuple):
    """What a node has to do for some wanted inputs: rules with the inputs they are for, and the names of what to save."""

    rules: list[tuple[Rule, list]]  # of the implementation that computed the value
    stated: list[tuple[Rule, list]]  # of the record: they run on tensors too, and so have gradients themselves
    saves: list[str]


class Operation(Signature):
    """A differentiable function of arrays: its value, its formula, and a rule for the gradient of each input."""

    def __init__(self, function, formula, *, keeps=(), returns=(), slices=False, **traits):
        super().__init__(function, formula, **traits)
        self.keeps: tuple[str, ...] = keeps  # the names of further results, for the rules
        self.returns: tuple[str, ...] = returns  # those of them that are returned too, as constants
        self.slices: bool = slices  # whether the gradient of its input is zero but for one place
        self.rules: dict[Any, Rule] = {}  # by input; under None, the rule of all inputs together
        self._plans: dict[Any, Plan] = {}

    def gradient(self, **rules) -> "Operation":
        """State the gradient of every input: ``name=(formula, function)``, or ``name=None`` where there is none."""
        self.check_stated(rules)
        for name, (formula, function) in ((name, stated) for name, stated in rules.items() if stated):
            self.rules[None if self.sequence else name] = Rule(formula, function, names_of(function), self.sequence)
        return self

    def __call__(self, *args, **options) -> Any:
        values, inputs, wrapped = self.arrays_of(args, options)
        try:
            output, used = seam.interpreter.forward(self, values, inputs)
        except (ValueError, TypeError, IndexError) as error:
            raise self.explained(values, error) from error
        y, *kept = output if used.keeps else (output,)
        if wrapped:
            node = self._node(used, inputs, values, y, kept) if inputs and is_floating(y) else None
            y, kept = wrap(y, node), [wrap(x, None) for x in kept[: len(self.returns)]]
        return (y, *kept) if self.returns else y

    def _node(self, used, inputs, values, y, kept):
        """The node of an application; ``used`` is the implementation that computed it: this record, or a kernel."""
        plan = self._plans.get((used, *inputs))
        if plan is None:
            plan = self._plans[used, *inputs] = self._plan(used, inputs)
        named = dict(zip(self.parameters, values, strict=True))
        named.update(zip(used.keeps, kept, strict=True))
        named["y"] = y
        saved = {name: named[name] if name in named else self.shape_of(named, name) for name in plan.saves}
        return Node(y, self, inputs, plan, saved)

    def _plan(self, used, wanted):
        rules, stated = ({}, {})
        for name in wanted:
            rules.setdefault(used.rules.get(name) or used.rules[None], []).append(name)
            stated.setdefault(self.rules.get(name) or self.rules[None], []).append(name)
        saves = {need: None for rule in (*rules, *stated) for need in rule.needs if need not in ("g", "wanted")}
        return Plan([*rules.items()], [*stated.items()], [*saves])


def sweep(root: Node, gradient: Any, wanted=None, *, retain=False, traced=False) -> dict[Node, Any]:
    """The gradient of every leaf that the root was made from, or of the wanted nodes: last made, first visited.

    Arguments: ``retain``, keep what the nodes saved for another sweep; ``traced``, compute with tensors, so that the
    gradients can be differentiated again.
    """
    leads = None if wanted is None else leading_to(root, set(wanted))
    pending, found, queue = {root: gradient}, {}, [(-root.order, root)]
    with block(in_rule=not traced, grad_enabled=traced):
        while queue:
            node = heappop(queue)[1]
            g = pending.pop(node)
            g = g.dense() if g.__class__ is IndexedSlices else g
            if node.operation is None or (leads and node in wanted):
                found[node] = g
            for source, part in _parts(node, g, leads, traced):
                if source in pending:
                    pending[source] = _sum(pending[source], part, traced)
                else:
                    pending[source] = part
                    heappush(queue, (-source.order, source))
            if not (retain or traced):
                node.saved = node.inputs = None
    return found


def _parts(node, g, leads, traced):
    """What a node passes on: each of its inputs that leads to something wanted, and the gradient of that input."""
    if node.operation is None:
        return
    check_usable(node)
    values = {**(_on_tensors(node) if traced else node.saved), "g": g}
    for rule, names in node.plan.stated if traced else node.plan.rules:
        names = values["wanted"] = [name for name in names if leads is None or node.inputs[name] in leads]
        if node.operation.slices and not traced:
            parts = IndexedSlices(node.operation, rule, values, node.inputs["x"]) if names else None
        elif names:
            parts = _run(node.operation, rule, names, [values[need] for need in rule.needs], traced)
        for name in names:
            yield node.inputs[name], _fit(node, parts[name] if rule.joint else parts, node.inputs[name])


def _run(operation, rule, names, arguments, traced):
    """What a rule gives. On tensors it is made of operations, and leaves a graph: that is the second derivative."""
    if traced:
        return rule.function(*arguments)
    return seam.interpreter.backward(operation, names if rule.joint else names[0], rule.function, arguments)


def _on_tensors(node):
    """What a node saved, each value as a tensor that knows where it came from."""
    places = {**node.inputs, "y": node}
    saved = {name: wrap(value, places[name]) if name in places else value for name, value in node.saved.items()}
    if node.operation.sequence and node.operation.inputs[0] in saved:
        items = saved[node.operation.inputs[0]]
        saved[node.operation.inputs[0]] = [wrap(item, node.inputs.get(k)) for k, item in enumerate(items)]
    return saved


def _fit(node, part, source):
    """A part of a gradient as that of its input: summed where the input was broadcast, and of the input's type."""
    if part.shape != source.shape:
        if not node.operation.broadcasts:
            raise RuntimeError(
                f"a gradient of {node.operation.name} has shape {part.shape}, and its input has {source.shape}"
            )
        part = sum_to(part, source.shape) if isinstance(part, Tensor) else seam.interpreter.call(sum_to, part, source.shape)
    return part if part.dtype == source.dtype else namespace(part).astype(part, source.dtype)


def _sum(a, b, traced):
    """The gradient of what was used twice."""
    if b.__class__ is IndexedSlices:
        a, b = b, a
    if a.__class__ is IndexedSlices:
        return a.add(b)
    return a + b if traced else seam.interpreter.call(add, a, b)
