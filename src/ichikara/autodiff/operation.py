"""The record of an operation: its value, its formula and its derivative, in one place.

An operation is a function of arrays, written against the Python array API, with the rule of each input's gradient::

    @op(r"y = \\tanh x")
    def tanh(x, /):
        return namespace(x).tanh(x)

    tanh.gradient(x=(r"\\bar x = \\bar y\\,(1 - y^2)", lambda g, y: g * (1 - y * y)))

Inputs are the positional-only parameters; what follows the ``/`` are options. A rule names what it needs: ``g`` the
incoming gradient, ``y`` the output, the inputs and the options by their names, ``x_shape`` the shape of the input
``x``. What no rule names is not kept in memory. An input without a gradient says so: ``labels=None``.

The function's body also runs on Tensors, where it is made of other operations. That *composed form* is the oracle of
a hand-derived rule, and the way to its second derivative.
"""

import inspect
from collections.abc import Callable
from functools import update_wrapper
from itertools import count
from typing import Any, NamedTuple

from ..arrays import PYTHON_NUMBERS, READY, as_array, harmonise, is_array, is_floating, is_scalar, native
from ..fast.registry import ALONE, fitting
from ..fast.replay.recorded import compute, plain, recording
from .modes import mode
from .tensor import OPERATORS, Node, Tensor, bind, raw, wrap

__all__ = ["Composition", "Gradient", "Operation", "composed", "op", "operations", "verify"]

operations: dict[str, "Operation | Composition"] = {}
"""Every operation by its name."""

_order = count(1)


class Gradient(NamedTuple):
    """The rule of one input: the formula as LaTeX, the function, and the names of what the function needs."""

    formula: str
    rule: Callable
    needs: tuple[str, ...]
    onto: Callable | None = None


class Plan(NamedTuple):
    """What is to be kept and run for one choice of wanted inputs of an operation."""

    operation: "Operation"
    inputs: tuple[int, ...]  # the wanted inputs, by position
    rules: tuple[tuple[Callable, tuple[int, ...]], ...]  # per wanted input: the rule, and the slots it is called with
    quick: tuple[tuple[Callable, tuple[int, ...]], ...]  # the same with the kernels that fit, for sweeps on arrays
    keep: tuple[int, ...]  # the parameters, by position, that are kept
    keep_shapes: tuple[int, ...]  # the inputs, by position, whose shapes are kept
    watch: tuple[int, ...]  # which of the wanted inputs are among them
    keep_output: bool
    onto: tuple[Callable, tuple[int, ...]] | None  # the rule that adds in place, and the slots of what else it needs


class Operation:
    """A differentiable function of arrays. Make one with `op`; call it like the function.

    Called with Tensors, arrays, numbers or lists it answers with a Tensor. Inside a rule it answers arrays with arrays.
    """

    def __init__(self, forward, formula, *, name, broadcasts, floating, promotes, sequence, keeps):
        update_wrapper(self, forward)
        code = forward.__code__
        self.name: str = name or forward.__name__
        self.formula: str = formula
        self.forward: Callable = forward
        self.broadcasts: bool = broadcasts
        self.floating: bool = floating
        self.sequence: bool = sequence
        self.keeps: tuple[str, ...] = keeps
        self.parameters: tuple[str, ...] = code.co_varnames[: code.co_argcount]
        self.inputs: tuple[str, ...] = self.parameters[: code.co_posonlyargcount]
        self.gradients: dict[str, Gradient | None] = {}
        self._shapes = tuple(f"{name}_shape" for name in self.inputs)
        self._count = len(self.parameters)
        self._range = range(len(self.inputs))
        self._options = range(len(self.inputs), self._count)
        defaults = forward.__defaults__ or ()
        self._defaults = dict(zip(self.parameters[self._count - len(defaults) :], defaults, strict=True))
        if promotes is None:
            promotes = broadcasts or floating
        self._promotes = (self._range if promotes is True else promotes or ()) if not sequence else ()
        self._wanted: list[int] = [0] * len(self.inputs)  # per input its bit, 0 where there is no gradient
        self._plans: dict[tuple[int, bool], Plan] = {}

    def gradient(self, **rules) -> "Operation":
        """State the gradient of every input: ``name=(formula, rule)``, or ``name=None`` where there is none.

        Where there is one input, a rule may follow that adds to the array it is first given, and returns the sum.

        Raises TypeError if an input is left out, or a rule names something that the operation does not have.
        """
        if set(rules) != set(self.inputs):
            raise TypeError(
                f"{self.name} has the inputs {', '.join(self.inputs)}, and gradients were stated for "
                f"{', '.join(rules) or 'none'}; an input without a gradient says so: name=None"
            )
        for i, name in enumerate(self.inputs):
            given = rules[name]
            if given is None:
                self.gradients[name] = None
                continue
            formula, rule, *onto = given
            needs = _needs(rule)
            unknown = set(needs) - {"g", "y", *self.parameters, *self._shapes, *self.keeps}
            if unknown:
                raise TypeError(f"{self.name}: the gradient of {name} names {', '.join(sorted(unknown))}")
            self.gradients[name] = Gradient(formula, rule, needs, *onto)
            self._wanted[i] = 1 << i
        self._plans.clear()
        return self

    def plan(self, wanted: int, fast: dict[str, Callable]) -> Plan:
        """The plan for the wanted inputs, given as a number whose bits are their positions, and these kernels."""
        inputs = tuple(i for i in self._range if wanted >> i & 1)
        stated = [gradient for i in inputs if (gradient := self.gradients[self.inputs[i]])]
        twins = [
            gradient._replace(rule=fast[name], needs=_needs(fast[name])) if name in fast else gradient
            for name, gradient in zip((self.inputs[i] for i in inputs), stated, strict=True)
        ]
        needed = {need for gradient in (*stated, *twins) for need in gradient.needs}
        if self.keeps:
            # The second derivative goes through the composed form, which starts from the inputs.
            needed |= set(self.parameters)
        keep = tuple(i for i, name in enumerate(self.parameters) if name in needed)
        keep_shapes = tuple(i for i, name in enumerate(self._shapes) if name in needed)
        order = [*(self.parameters[i] for i in keep), *(self._shapes[i] for i in keep_shapes), *self.keeps]
        slot = {"g": 0, "y": 1, **{name: 2 + k for k, name in enumerate(order)}}
        rules, quick = (
            tuple((gradient.rule, tuple(slot[need] for need in gradient.needs)) for gradient in gradients)
            for gradients in (stated, twins)
        )
        watch = () if self.sequence else tuple(k for k, i in enumerate(inputs) if i in keep)
        add = stated[0].onto if stated else None
        onto = (add, tuple(slot[need] for need in _needs(add)[1:])) if add else None
        made = Plan(self, inputs, rules, quick, keep, keep_shapes, watch, "y" in needed, onto)
        self._plans[wanted, bool(fast)] = made
        return made

    def __call__(self, *args, **options) -> Any:
        if options or len(args) != self._count:
            args = self._complete(args, options)
        if self.sequence:
            return self._call_sequence(args)
        values = list(args)
        recorder = recording.recorder
        tensors = False
        wanted = 0
        edges: list | tuple = ()
        for i in self._range:
            value = values[i]
            if isinstance(value, Tensor):
                tensors = True
                values[i] = value._data if recorder is None else recorder.read(value)
                node = value._node
                if node is not None and self._wanted[i]:
                    if wanted:
                        edges.append(node)  # type: ignore[union-attr]
                    else:
                        edges = [node]
                    wanted |= self._wanted[i]
            elif value.__class__ not in READY or (not mode.in_rule and is_array(value)):
                values[i] = _ready(value)
        for i in self._options:
            if is_scalar(values[i]):
                values[i] = values[i].item()  # so that an option of NumPy's type widens nothing
        if not tensors:
            if mode.in_rule:
                output, _ = self._compute(values, 0)
                return output[0] if self.keeps else output
            for i in self._range:
                if values[i].__class__ in PYTHON_NUMBERS:
                    values[i] = as_array(values[i])
        if self._promotes:
            harmonise(values, self._promotes, self.floating)
        return self._apply(values, wanted if mode.recording else 0, edges)

    def _call_sequence(self, args):
        """The call of an operation whose one input is a sequence of arrays."""
        items = [item if isinstance(item, Tensor) else as_array(item) for item in args[0]]
        if mode.in_rule and not any(isinstance(item, Tensor) for item in items):
            return self.forward(items, *args[1:])
        edges = [item._node if isinstance(item, Tensor) else None for item in items]
        arrays = [raw(item) for item in items]
        harmonise(arrays, range(len(arrays)), self.floating)
        wanted = self._wanted[0] if mode.recording and any(edge is not None for edge in edges) else 0
        output = self._apply([arrays, *args[1:]], wanted, edges)
        if output._node is not None and 0 in output._node.plan.keep:
            output._node.versions = [edge.version for edge in edges if edge is not None]
        return output

    def _compute(self, values, wanted):
        """What the kernel for these values gives, or else the function; and the kernels that are to be used.

        Where no gradient is wanted, what is kept for one may be missing.
        """
        known = values if recording.recorder is None else [plain(value) for value in values]
        fast = fitting(self.name, known, self._promotes)
        alone = not wanted and ALONE in fast
        function = fast[ALONE] if alone else fast.get("", self.forward)
        output = compute(function, values, (self.name, ALONE if alone else ""))
        if output is NotImplemented:  # there is no kernel for these options, or this layout
            return compute(self.forward, values, (self.name, "")), {}
        return (output,) if alone else output, fast

    def _apply(self, values, wanted, edges):
        """Compute, and leave a record where a gradient is wanted."""
        try:
            output, fast = self._compute(values, wanted)
        except (ValueError, TypeError, IndexError) as error:
            if type(error).__module__.startswith("jax"):
                raise  # what JAX says of its tracers is better than what we could
            kind = next(kind for kind in (ValueError, TypeError, IndexError) if isinstance(error, kind))
            raise kind(self._explain(values, error)) from error
        extras: tuple = ()
        if self.keeps:
            output, *extras = output
        if not wanted or not is_floating(output):
            return wrap(output, None)
        plan = self._plans.get((wanted, bool(fast))) or self.plan(wanted, fast)
        node = Node()
        node.plan = plan
        node.edges = edges
        node.saved = (
            output if plan.keep_output else None,
            *[values[i] for i in plan.keep],
            *[_shape(values[i]) for i in plan.keep_shapes],
            *extras,
        )
        node.order = next(_order)
        node.shape = output.shape
        node.dtype = output.dtype
        node.versions = [edges[k].version for k in plan.watch]
        return wrap(output, node)

    def _complete(self, args, options) -> tuple:
        """All parameters by position, with the options' defaults."""
        values = list(args)
        if len(args) <= self._count:
            used = 0
            for name in self.parameters[len(args) :]:
                if name in options and name not in self.inputs:
                    values.append(options[name])
                    used += 1
                elif name in self._defaults:
                    values.append(self._defaults[name])
                else:
                    break
            if len(values) == self._count and used == len(options):
                return tuple(values)
        inspect.signature(self.forward).bind(*args, **options)  # raises the TypeError that Python would
        raise TypeError(f"{self.name}: these arguments do not fit {inspect.signature(self.forward)}")

    def _explain(self, values, error) -> str:
        """What was asked of the operation, before the library's own words about it."""

        def show(value):
            if isinstance(value, list) and value and is_array(value[0]):
                return "[" + ", ".join(map(show, value)) + "]"
            return f"{value.dtype}{list(value.shape)}" if is_array(value) else repr(value)

        shown = ", ".join(
            f"{name}: {show(value)}" for name, value in zip(self.parameters, values, strict=True) if value is not None
        )
        return f"{self.name} cannot work with {shown}: {error}"

    def __repr__(self):
        return f"<operation {self.name}>"


def _needs(rule) -> tuple[str, ...]:
    """What a rule is called with, by the names of its parameters."""
    return rule.__code__.co_varnames[: rule.__code__.co_argcount]


def _shape(value):
    return [item.shape for item in value] if value.__class__ is list else value.shape


def _ready(value):
    """An array to compute with, of what a person or a rule may give beside the tensors."""
    if not is_array(value):
        return as_array(value)
    if mode.in_rule:
        return value
    # Among tensors a NumPy scalar is a number, as Python's are, and does not widen their type.
    return value.item() if is_scalar(value) else native(value)


class Composition:
    """A function that is made of operations and needs no rule of its own. Make one with `composed`."""

    def __init__(self, function, formula):
        update_wrapper(self, function)
        self.name: str = function.__name__
        self.formula: str = formula
        self.forward: Callable = function
        code = function.__code__
        self.parameters: tuple[str, ...] = code.co_varnames[: code.co_argcount]
        self.inputs: tuple[str, ...] = self.parameters[: code.co_posonlyargcount]
        self._inputs = len(self.inputs)

    def __call__(self, *args, **options) -> Any:
        if not mode.in_rule:
            n = self._inputs
            args = (*[a if a is None or isinstance(a, Tensor) else _tensor(a) for a in args[:n]], *args[n:])
        return self.forward(*args, **options)

    def __repr__(self):
        return f"<composition {self.name}>"


def _tensor(value):
    return wrap(as_array(value), None)


def op(
    formula: str,
    *,
    binds: str | tuple[str, ...] = (),
    broadcasts: bool = False,
    floating: bool = False,
    promotes: bool | tuple[int, ...] | None = None,
    sequence: bool = False,
    keeps: tuple[str, ...] = (),
    name: str | None = None,
) -> Callable[[Callable], Operation]:
    r"""Decorator: make a function of arrays an operation.

    Arguments: ``formula``, LaTeX; ``binds``, the operators and the method names by which Tensors answer to it;
    ``broadcasts``, whether its inputs are broadcast together, so that a rule's result is summed to its input's shape;
    ``floating``, whether it is one of real numbers, so that whole numbers become float32; ``promotes``, which inputs
    mix their types (by default those of an operation that broadcasts or is floating); ``sequence``, whether its one
    input is a sequence of arrays; ``keeps``, the names of further results that only the rules see; ``name``, where the
    function's will not do.
    """

    def decorate(forward):
        operation = Operation(
            forward,
            formula,
            name=name,
            broadcasts=broadcasts,
            floating=floating,
            promotes=promotes,
            sequence=sequence,
            keeps=keeps,
        )
        return _register(operation, binds)

    return decorate


def composed(formula: str, *, binds: str | tuple[str, ...] = ()) -> Callable[[Callable], Composition]:
    """Decorator: register a function that is made of operations, to be listed and tested with them."""
    return lambda function: _register(Composition(function, formula), binds)


def _register(operation, binds):
    if operation.name in operations:
        raise ValueError(f"there is an operation named {operation.name} already")
    operations[operation.name] = operation
    for place in (binds,) if isinstance(binds, str) else binds:
        method, *exchanged = OPERATORS.get(place, (place,))
        bind(method)(_method(operation))
        for other in exchanged:
            bind(other)(_exchanged(operation))
    return operation


def _method(operation):
    def method(self, *args, **options):
        return operation(self, *args, **options)

    return update_wrapper(method, operation.forward)


def _exchanged(operation):
    def method(self, other):
        return operation(other, self)

    return method


def verify():
    """Raise TypeError if an operation has not stated its gradients; called when all of them are defined."""
    missing = [o.name for o in operations.values() if isinstance(o, Operation) and len(o.gradients) != len(o.inputs)]
    if missing:
        raise TypeError(f"no gradient was stated for {', '.join(missing)}; say name=(formula, rule), or name=None")
