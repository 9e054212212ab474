r"""The chain rule on one page: an operation leaves a node behind, and a sweep goes back through the nodes.

.. math:: \bar x = \sum_{y\ \text{made from}\ x} \bar y \, \frac{\partial y}{\partial x}

Here are arrays and nodes alone. How arguments become arrays is in `arguments`, how a tensor behaves in `base`. Who
computes is the interpreter (`arrays.interpreter`): there a kernel, a capture or a tracer attaches.

Source: S. Linnainmaa (1970); A. Griewank and A. Walther, "Evaluating Derivatives" (2008), chapter 3.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple

from ..arrays import Interpreter, is_floating, namespace, seam, sum_to
from .arguments import Signature, names_of
from .base import TensorBase
from .graph import check_usable, leading_to
from .modes import block
from .plan import plan_of
from .slices import IndexedSlices, add_gradients

__all__ = ["Node", "Operation", "Rule", "Tensor", "sweep", "wrap"]

PLAIN = Interpreter()


class Node:
    """One application of an operation; or a leaf, which no operation made: there the gradient is collected.

    A node keeps what the rules of its wanted inputs need, and the nodes of these inputs. A sweep frees both.
    """

    __slots__ = ("dtype", "grad", "inputs", "leaves", "operation", "order", "plan", "saved", "shape", "version")
    _order = count(1)

    def __init__(self, array, operation=None, inputs=None, plan=None, saved=None):
        self.shape, self.dtype, self.grad, self.version = array.shape, array.dtype, None, 0
        self.operation, self.inputs, self.plan, self.saved = operation, inputs, plan, saved
        self.leaves: list = []  # those whose numbers it saved, and how often they had been changed
        self.order = next(Node._order) if operation else -next(Node._order)  # a sweep comes to the leaves last


class Tensor(TensorBase):
    """An array of numbers, ``_data``, that remembers the application that made it, ``_node``; None for a constant.

    Operators and functions follow the Python array API: ``x + y``, ``x @ y``, ``x[1:, 0]``, ``x.sum(axis=0)``. A Tensor
    is never changed in place: ``x[i] = v`` is an error that names what to do instead. Arguments: as `asarray`.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    Tensor([2., 4.])
    """

    __slots__ = ()

    def backward(self, grad=None, retain_graph: bool = False, create_graph: bool = False) -> None:
        r"""Add the gradient of this tensor by every leaf that it was made from to that leaf's ``grad``.

        .. math:: \bar x \mathrel{+}= \bigl(\partial y / \partial x\bigr)^{\!\top} \bar y

        Shapes: ``grad`` has the tensor's; it may be left out of a single number, where it is 1.
        Arguments: ``retain_graph``, keep what another sweep needs; ``create_graph``, let gradients be differentiated.
        Raises RuntimeError for a second sweep, and as `seed` does.
        """
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


class Operation(Signature):
    """A differentiable function of arrays: its value, its formula, and a rule for the gradient of each input."""

    def __init__(self, function, formula, *, residuals=(), returns=(), slices=False, **traits):
        super().__init__(function, formula, **traits)
        self.residuals: tuple[str, ...] = residuals  # the names of further results, for the rules
        self.returns: tuple[str, ...] = returns  # those of them that are returned too, as constants
        self.slices: bool = slices  # whether the gradient of its input is zero but for one place
        self.rules: dict[Any, Rule] = {}  # by input; under None, the rule of all inputs together

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
        y, kept = (output[0], output[1:]) if used.residuals else (output, ())
        node = self._node(used, inputs, values, y, kept) if inputs and is_floating(y) else None
        y = wrap(y, node) if wrapped else y
        return (y, *[wrap(x, None) if wrapped else x for x in kept[: len(self.returns)]]) if self.returns else y

    def _node(self, used, inputs, values, y, kept):
        """The node of an application; ``used`` is the implementation that computed it: this record, or a kernel."""
        plan = plan_of(self, used, *inputs)
        saved = {name: values[i] for name, i in plan.saves} if plan.saves else {}
        if plan.output:
            saved["y"] = y
        for name, i in plan.shapes:
            saved[name] = self.shape_of(values[i])
        if kept:
            saved.update(zip(used.residuals, kept, strict=True))
        node = Node(y, self, inputs, plan, saved)
        for name in plan.watched:
            if inputs[name].operation is None:
                node.leaves.append((inputs[name], inputs[name].version))
        return node


def sweep(root: Node, gradient: Any, wanted: Any = (), *, retain=False, traced=False) -> dict[Node, Any]:
    """The gradient of every leaf that the root was made from, or of the wanted nodes: last made, first visited.

    Arguments: ``retain``, keep what the nodes saved for another sweep; ``traced``, compute with tensors: the rules are
    made of operations then, which leave a graph of their own, and so the gradients have gradients.
    """
    leads = leading_to(root, wanted) if wanted else None
    pending, found, queue = {root: gradient}, {}, [(-root.order, root)]
    interpreter = PLAIN if traced else seam.interpreter
    with block(in_rule=not traced, grad_enabled=traced):
        while queue:
            node = heappop(queue)[1]
            g = pending.pop(node)
            g = g.dense() if g.__class__ is IndexedSlices else g
            if node.operation is None or node in wanted:
                found[node] = g
            for source, g in _parts(node, g, leads, interpreter):  # noqa: B020 - no other name keeps a part in memory
                if source in pending:
                    pending[source] = add_gradients(pending[source], g, interpreter)
                else:
                    pending[source] = g
                    heappush(queue, (-source.order, source))
            if not (retain or traced):
                node.saved = node.inputs = None
    return found


def _parts(node, g, leads, interpreter):
    """What a node passes on: each of its inputs that leads to something wanted, and the gradient of that input."""
    if node.operation is None:
        return []
    check_usable(node)
    traced, parts = interpreter is PLAIN, []
    values = {**(_on_tensors(node) if traced else node.saved), "g": g}
    for rule, names in node.plan.stated if traced else node.plan.rules:
        names = values["wanted"] = names if leads is None else [name for name in names if node.inputs[name] in leads]
        if node.operation.slices and not traced and names:
            given: Any = IndexedSlices(node.operation, rule, values, node.inputs["x"])
        elif names:
            given = interpreter.backward(node.operation, rule, names, [values[need] for need in rule.needs])
        for name in names:
            source, part = node.inputs[name], given[name] if rule.joint else given
            if part.shape != source.shape or part.dtype != source.dtype:
                part = _fit(node.operation, part, source, interpreter)
            parts.append((source, part))
    return parts


def _on_tensors(node):
    """What a node saved, each value as a tensor that knows where it came from."""
    places = {**node.inputs, "y": node}
    saved = {name: wrap(value, places[name]) if name in places else value for name, value in node.saved.items()}
    if node.operation.sequence and node.operation.inputs[0] in saved:
        items = saved[node.operation.inputs[0]]
        saved[node.operation.inputs[0]] = [wrap(item, node.inputs.get(k)) for k, item in enumerate(items)]
    return saved


def _fit(operation, part, source, interpreter):
    """A part of a gradient as that of its input: summed where the input was broadcast, and of the input's type."""
    if part.shape != source.shape:
        if not operation.broadcasts:
            raise RuntimeError(f"a gradient of {operation.name} has shape {part.shape}, its input {source.shape}")
        part = interpreter.call(sum_to, part, source.shape)
    return part if part.dtype == source.dtype else namespace(part).astype(part, source.dtype)
