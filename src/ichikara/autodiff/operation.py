"""The record of an operation: its value, its formula and its derivative, in one place.

An operation is a function of arrays, written against the Python array API, with the rule of each input's gradient::

    @op(r"y = \\tanh x")
    def tanh(x, /):
        return namespace(x).tanh(x)

    tanh.gradient(x=(r"\\bar x = \\bar y\\,(1 - y^2)", lambda g, y: g * (1 - y * y)))

Inputs are the positional-only parameters; what follows the ``/`` are options, and inputs too if their gradients are
stated. A rule names what it needs: ``g`` the incoming gradient, ``y`` the output, the inputs and the options by their
names, ``x_shape`` the shape of the input ``x``. What no rule names is not kept in memory. An input without a gradient
says so: ``labels=None``.

The function's body also runs on Tensors, where it is made of other operations. That *composed form* is the oracle of
a hand-derived rule, and the way to its second derivative.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from ..arrays import as_array, is_array, namespace, seam
from ..errors import UserError
from ..pytorch_names import known_options
from .arguments import Stated, check_constant, names_of
from .base import raw
from .engine import Node, Operation, Rule, Tensor, sweep, wrap
from .half import has_half_precision, in_float32
from .modes import block, mode
from .tensor import OPERATORS, bind

__all__ = ["Composition", "alias", "composed", "op", "operations", "verify"]

operations: dict[str, "Operation | Composition"] = {}
"""Every operation by its name."""


class Accumulation(Operation):
    """An operation that adds up many numbers of its first input: those of half precision, in float32."""

    def __call__(self, *args, **options):
        if not self.sequence and not (args and has_half_precision(args[0])):
            return super().__call__(*args, **options)
        call = super().__call__
        if not self.sequence:
            return in_float32(call, args[:1], *args[1:], **options)
        if not any(map(has_half_precision, args[0])):
            return call(*args, **options)
        return in_float32(lambda *items: call(items, *args[1:], **options), args[0])


class Composition(Stated):
    """A function that is made of operations and needs no rule of its own. Make one with `composed`.

    An interpreter may have an implementation of the whole of it, with rules of its own. It is an operation then, whose
    stated rule differentiates the composed form.
    """

    def __init__(self, function, formula, returns=(), accumulates=False):
        update_wrapper(self, function)
        self.name: str = function.__name__
        self.formula: str = formula
        self.function: Callable = function
        self.accumulates: bool = accumulates
        self.parameters: tuple[str, ...] = names_of(function)
        self._names = frozenset(self.parameters)
        self.jacobians = {}
        self.inputs: tuple[str, ...] = self.parameters[: function.__code__.co_posonlyargcount]
        defaults = dict(zip(reversed(self.parameters), reversed(function.__defaults__ or ()), strict=False))
        # To the others, which are numbers by default, or nothing, a gradient flows through the composed form.
        self._constants = [
            (i, name)
            for i, name in enumerate(self.parameters)
            if name not in self.inputs and type(defaults.get(name, 0)) not in (float, type(None))
        ]
        self.fused = Operation(function, formula, returns=returns)
        self.fused.rules[None] = Rule(formula, self._differentiate, ("g", "wanted", *self.parameters), joint=True)

    def __call__(self, *args, **options) -> Any:
        if options and not options.keys() <= self._names:
            options = known_options(self, options)
        n = len(self.inputs)
        if not mode.in_rule:
            args = (*[a if a is None else _tensor(a) for a in args[:n]], *args[n:])
        for value in (*args[n:], *options.values()):
            if isinstance(value, Tensor):
                return self._with_tensors(args, options)
        if seam.interpreter.fuses(self, args):
            return self.fused(*args, **options)
        if self.accumulates and args and has_half_precision(args[0]):
            return in_float32(self, args[:n], *args[n:], **options)
        return self.function(*args, **options)

    def _with_tensors(self, args, options):
        """The value where some of the options are tensors: a gradient flows to those that may have one."""
        n = len(self.inputs)
        for i, name in self._constants:
            value = args[i] if i < len(args) else options.get(name)
            if isinstance(value, Tensor):
                check_constant(self.name, name, value)
        if self.accumulates and has_half_precision(args[0]):
            return in_float32(self, args[:n], *args[n:], **options)
        try:
            return self.function(*args, **options)
        except (ValueError, TypeError, IndexError) as error:
            given = (*zip(self.parameters[n:], args[n:], strict=False), *options.items())
            tensors = [name for name, value in given if isinstance(value, Tensor)]
            if any(name in str(error) for name in tensors):
                raise
            raise UserError(f"{self.name} was given a Tensor as its {' and '.join(tensors)}: {error}") from error

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
    accumulates: bool = False,
    name: str | None = None,
) -> Callable[[Callable], Operation]:
    r"""Decorator: make a function of arrays an operation.

    Arguments: ``formula``, LaTeX; ``binds``, the operators and the method names by which Tensors answer to it;
    ``broadcasts``, whether its inputs are broadcast together, so that a rule's result is summed to its input's shape;
    ``floating``, whether it is one of real numbers, so that whole numbers become float32; ``promotes``, which inputs
    mix their types (by default those of an operation that broadcasts or is floating); ``sequence``, whether its one
    input is a sequence of arrays; ``residuals``, the names of further results that only the rules see; ``slices``,
    whether its gradient is that of a slice, zero but for one place; ``accumulates``, whether it adds up many numbers,
    so that those of half precision are added up in float32; ``name``, where the function's will not do.
    """

    def decorate(function):
        operation = (Accumulation if accumulates else Operation)(
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
    formula: str, *, binds: str | tuple[str, ...] = (), returns: tuple[str, ...] = (), accumulates: bool = False
) -> Callable[[Callable], Composition]:
    """Decorator: register a function that is made of operations, to be listed and tested with them.

    Arguments: ``binds`` and ``accumulates``, as of `op`; ``returns``, what it returns, as constants, after its value.
    """
    return lambda function: _register(Composition(function, formula, returns, accumulates), binds)


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
