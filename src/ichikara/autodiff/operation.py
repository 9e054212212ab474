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

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from ..arrays import as_array, is_array, namespace, seam
from ..pytorch_names import known_options
from .arguments import names_of
from .base import raw
from .engine import Node, Operation, Rule, Tensor, sweep, wrap
from .modes import block, mode
from .tensor import OPERATORS, bind

__all__ = ["Composition", "alias", "composed", "op", "operations", "verify"]

operations: dict[str, "Operation | Composition"] = {}
"""Every operation by its name."""


class Composition:
    """A function that is made of operations and needs no rule of its own. Make one with `composed`.

    An interpreter may have an implementation of the whole of it, with rules of its own. It is an operation then, whose
    stated rule differentiates the composed form.
    """

    def __init__(self, function, formula, returns=()):
        update_wrapper(self, function)
        self.name: str = function.__name__
        self.formula: str = formula
        self.function: Callable = function
        self.parameters: tuple[str, ...] = names_of(function)
        self._names = frozenset(self.parameters)
        self.inputs: tuple[str, ...] = self.parameters[: function.__code__.co_posonlyargcount]
        self.fused = Operation(function, formula, returns=returns)
        self.fused.rules[None] = Rule(formula, self._differentiate, ("g", "wanted", *self.parameters), joint=True)

    def __call__(self, *args, **options) -> Any:
        if options and not options.keys() <= self._names:
            options = known_options(self, options)
        if not mode.in_rule:
            n = len(self.inputs)
            args = (*[a if a is None else _tensor(a) for a in args[:n]], *args[n:])
        if seam.interpreter.fuses(self, args):
            return self.fused(*args, **options)
        return self.function(*args, **options)

    def _differentiate(self, g, wanted, *arguments):
        """The gradients of the wanted inputs, through the composed form: as tensors if g is one, else as arrays."""
        traced = isinstance(g, Tensor)
        values = dict(zip(self.parameters, arguments, strict=True))
        with block(in_rule=False, grad_enabled=True):
            for name in wanted:
                values[name] = alias(values[name]) if traced else wrap(values[name], Node(values[name]))
            inputs = [_tensor(values[name]) if is_array(values[name]) else values[name] for name in self.inputs]
            output = self.function(*inputs, *[values[name] for name in self.parameters[len(inputs) :]])
            output = output[0] if self.fused.returns else output
            found = sweep(output._node, g, {values[name]._node for name in wanted}, traced=traced)
        zeros = {name: namespace(values[name]).zeros_like(values[name]) for name in wanted}
        return {name: found.get(values[name]._node, zeros[name] if traced else raw(zeros[name])) for name in wanted}

    def __repr__(self):
        return f"<composition {self.name}>"


def _tensor(value):
    return value if isinstance(value, Tensor) else wrap(as_array(value), None)


def op(
    formula: str,
    *,
    binds: str | tuple[str, ...] = (),
    broadcasts: bool = False,
    floating: bool = False,
    promotes: bool | tuple[int, ...] | None = None,
    sequence: bool = False,
    residuals: tuple[str, ...] = (),
    slices: bool = False,
    name: str | None = None,
) -> Callable[[Callable], Operation]:
    r"""Decorator: make a function of arrays an operation.

    Arguments: ``formula``, LaTeX; ``binds``, the operators and the method names by which Tensors answer to it;
    ``broadcasts``, whether its inputs are broadcast together, so that a rule's result is summed to its input's shape;
    ``floating``, whether it is one of real numbers, so that whole numbers become float32; ``promotes``, which inputs
    mix their types (by default those of an operation that broadcasts or is floating); ``sequence``, whether its one
    input is a sequence of arrays; ``residuals``, the names of further results that only the rules see; ``slices``,
    whether its gradient is that of a slice, zero but for one place; ``name``, where the function's will not do.
    """

    def decorate(function):
        operation = Operation(
            function,
            formula,
            name=name,
            broadcasts=broadcasts,
            floating=floating,
            promotes=promotes,
            sequence=sequence,
            residuals=residuals,
            slices=slices,
        )
        return _register(operation, binds)

    return decorate


def composed(
    formula: str, *, binds: str | tuple[str, ...] = (), returns: tuple[str, ...] = ()
) -> Callable[[Callable], Composition]:
    """Decorator: register a function that is made of operations, to be listed and tested with them.

    Arguments: ``binds``, as of `op`; ``returns``, what it returns, as constants, after its value.
    """
    return lambda function: _register(Composition(function, formula, returns), binds)


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

    return update_wrapper(method, operation.function)


def _exchanged(operation):
    def method(self, other):
        return operation(other, self)

    return method


def verify():
    """Raise TypeError if an operation has not stated its gradients; called when all of them are defined."""
    missing = [o.name for o in operations.values() if isinstance(o, Operation) and not o.stated]
    if missing:
        raise TypeError(f"no gradient was stated for {', '.join(missing)}; say name=(formula, rule), or name=None")


@op(r"y = x", binds="+x")
def alias(x, /):
    """The same numbers as a tensor of their own, by which can be differentiated apart. Shapes: (*) -> (*)."""
    return x


alias.gradient(x=(r"\bar x = \bar y", lambda g: g))
