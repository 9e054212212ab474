"""What an operation is called with: options by their names, numbers and lists as arrays, types that mix.

`Signature` is the part of an operation that the chain rule does not need: `engine` sees arrays and nodes alone.
"""

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from ..arrays import PYTHON_NUMBERS, READY, as_array, harmonise, is_array, is_scalar, native
from ..arrays.interpreter import seam
from ..errors import UserError
from ..pytorch_names import known_options
from .base import TensorBase
from .modes import mode
from .plan import plan_of

__all__ = ["Signature", "check_constant", "names_of"]

_CONSTANTS = PYTHON_NUMBERS | {str, tuple, type(None), type(...), slice}  # types of options that are taken as they are


class Signature:
    """The parameters of an operation, and how what it is called with becomes arrays.

    Inputs are the positional-only parameters, and those of the options after the ``/`` for which a gradient is stated,
    such as a slope. The other options are constants.
    """

    rules: dict  # by input; see `engine`
    residuals: tuple[str, ...]
    stated = False  # whether the gradient of every input was stated

    def __init__(
        self, function, formula, *, name=None, broadcasts=False, floating=False, promotes=None, sequence=False
    ):
        update_wrapper(self, function)  # type: ignore[arg-type]
        self.function: Callable = function
        self.formula: str = formula
        self.name: str = name or function.__name__
        self.broadcasts: bool = broadcasts
        self.floating: bool = floating
        self.sequence: bool = sequence
        self.parameters = names_of(function)
        self._count = len(self.parameters)
        self._positional = range(function.__code__.co_posonlyargcount)
        self._promotes = broadcasts or floating if promotes is None else promotes
        self._take_as_inputs(len(self._positional))
        defaults = function.__defaults__ or ()
        self._defaults = dict(zip(self.parameters[self._count - len(defaults) :], defaults, strict=True))
        self.jacobians: dict[str, str] = {}  # by input, where `jacobian` stated them

    def _take_as_inputs(self, count: int) -> None:
        """Say that the first parameters are inputs, and the others constants."""
        self.inputs = self.parameters[:count]
        self._inputs = tuple(enumerate(self.inputs))
        self._has_named_inputs = count > len(self._positional)
        self._constants = tuple(enumerate(self.parameters))[count:]
        self.promotes = () if self.sequence else range(count) if self._promotes is True else self._promotes or ()

    def check_stated(self, rules: dict) -> None:
        """Raise TypeError if the gradient of an input is left out, or a rule names what the operation does not have."""
        first = len(self._positional)
        self._take_as_inputs(first + len(set(rules) & set(self.parameters[first:])))
        if set(rules) != set(self.inputs):
            raise TypeError(
                f"{self.name} has the inputs {', '.join(self.inputs)}, and gradients were stated for "
                f"{', '.join(rules) or 'none'}; an input without a gradient says so: name=None"
            )
        shapes = [f"{name}_shape" for name in self.inputs]
        for name, stated in rules.items():
            known = {"g", "y", *self.parameters, *shapes, *self.residuals}
            unknown = set(names_of(stated[1]) if stated else ()) - known
            if unknown:
                raise TypeError(f"{self.name}: the gradient of {name} names {', '.join(sorted(unknown))}")
        self.stated = True
        plan_of.cache_clear()  # plans remember the rules that were stated before

    def jacobian(self, **formulas: str):
        r"""State the derivative by each input that has one, in numerator layout: ``x=formula``, LaTeX; for a reader.

        Only where the rules do not say it already, since an element of the output depends on several of the input. The
        left side says what is given: the Jacobian, ``\frac{\partial y}{\partial x}``; an element of it,
        ``\frac{\partial y_i}{\partial x_j}``, the axes left out that do not change; or, where the input is a matrix,
        what becomes of the loss's derivative, ``\frac{\partial L}{\partial W} = x\;\frac{\partial L}{\partial y}``.
        """
        wanted = self.inputs if None in self.rules else tuple(self.rules)
        if set(formulas) != set(wanted):
            raise TypeError(f"{self.name} has derivatives by {', '.join(wanted)}, not by {', '.join(formulas)}")
        self.jacobians.update(formulas)
        return self

    @staticmethod
    def shape_of(value: Any) -> Any:
        """What a rule calls ``x_shape``, of an input x; a list of shapes for a sequence."""
        return [item.shape for item in value] if value.__class__ is list else value.shape

    def arrays_of(self, args: tuple, options: dict) -> tuple[list, dict, bool]:
        """The arguments as arrays, the nodes of those that require a gradient, and whether any is a tensor.

        Inside a rule, which computes with arrays, no argument is a tensor, and the result will be none either.
        """
        if options or len(args) != self._count:
            args = self.complete(args, options)
        if self.sequence:
            return self._arrays_of_sequence(args)
        values, nodes, tensors = list(args), {}, False
        in_rule, rules, read = mode.in_rule, self.rules if mode.grad_enabled else (), seam.interpreter.read
        for i, name in self._inputs:
            value = values[i]
            if isinstance(value, TensorBase):
                tensors = True
                values[i] = read(value)
                if value._node is not None and (name in rules or None in rules):
                    nodes[name] = value._node
            elif value.__class__ not in READY or (not in_rule and is_array(value)):
                values[i] = _ready(value)
        for i, name in self._constants:
            if values[i].__class__ not in _CONSTANTS:
                values[i] = self._constant(name, values[i])
        if not tensors and in_rule:
            return values, nodes, False
        if not tensors or self._has_named_inputs:  # of which a number x would take the type, and no shape
            for i in self._positional:
                if values[i].__class__ in PYTHON_NUMBERS:
                    values[i] = as_array(values[i])
        if self.promotes:
            harmonise(values, self.promotes, self.floating)
        return values, nodes, True

    def _arrays_of_sequence(self, args):
        """The same where the one input is a sequence of arrays."""
        items = [item if isinstance(item, TensorBase) else as_array(item) for item in args[0]]
        tensors = [isinstance(item, TensorBase) for item in items]
        nodes = {i: item._node for i, item in enumerate(items) if tensors[i] and item._node is not None}
        arrays = [seam.interpreter.read(item) if tensors[i] else item for i, item in enumerate(items)]
        harmonise(arrays, range(len(arrays)), self.floating)
        return (
            [arrays, *[self._constant(name, args[i]) for i, name in self._constants]],
            nodes if mode.grad_enabled and None in self.rules else {},
            any(tensors) or not mode.in_rule,
        )

    def _constant(self, name, value):
        """The value of an option that is no input: a single number as Python's, so that it widens no array."""
        if is_scalar(value):
            return value.item()
        if not isinstance(value, TensorBase):
            return value
        check_constant(self.name, name, value)
        if value.ndim:
            return seam.interpreter.read(value)
        try:
            return value.item()
        except TypeError as error:
            raise TypeError(f"{self.name}: {name} is a constant, and {error}") from None

    def complete(self, args, options) -> tuple:
        """All parameters by position, with the options' defaults."""
        values = list(args)
        if len(args) <= self._count:
            used = 0
            for i, name in enumerate(self.parameters[len(args) :], len(args)):
                if name in options and i not in self._positional:
                    values.append(options[name])
                    used += 1
                elif name in self._defaults:
                    values.append(self._defaults[name])
                else:
                    break
            if len(values) == self._count and used == len(options):
                return tuple(values)
        known = known_options(self, options)
        if len(known) < len(options):
            return self.complete(args, known)
        inspect.signature(self.function).bind(*args, **options)  # raises the TypeError that Python would
        raise TypeError(f"{self.name}: these arguments do not fit {inspect.signature(self.function)}")

    def explained(self, values: list, error: Exception) -> Exception:
        """The error of a library, with what was asked of the operation before the library's own words."""
        if type(error).__module__.startswith("jax"):
            return error  # what JAX says of its tracers is better than what we could
        kind = next(kind for kind in (ValueError, TypeError, IndexError) if isinstance(error, kind))
        shown = ", ".join(
            f"{name}: {_shown(value)}" for name, value in zip(self.parameters, values, strict=True) if value is not None
        )
        return kind(f"{self.name} cannot work with {shown}: {error}")

    def __repr__(self):
        return f"<operation {self.name}>"


def check_constant(operation: str, name: str, value: TensorBase) -> None:
    """Raise UserError for a tensor that wants a gradient where there is none."""
    if value._node is not None and mode.grad_enabled:
        raise UserError(
            f"{operation}: {name} is a constant, not a Tensor that wants a gradient; give its number, "
            f"{name}=t.item(), or cut it from the graph, {name}=t.detach()"
        )


def names_of(function: Callable) -> tuple[str, ...]:
    """The names of a function's parameters."""
    return function.__code__.co_varnames[: function.__code__.co_argcount]


def _shown(value):
    if isinstance(value, list) and value and is_array(value[0]):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return f"{value.dtype}{list(value.shape)}" if is_array(value) else repr(value)


def _ready(value):
    """An array to compute with, of what a person or a rule may give beside the tensors."""
    if not is_array(value):
        return as_array(value)
    if mode.in_rule:
        return value
    # Among tensors a NumPy scalar is a number, as Python's are, and does not widen their type.
    return value.item() if is_scalar(value) else native(value)
