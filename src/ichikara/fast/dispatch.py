"""Which implementation computes an operation: a compiled kernel for large arrays, NumPy for others, else the record."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import add
from typing import Any

import numpy

from ..arrays import PYTHON_NUMBERS, Interpreter, add_into, seam, sum_to
from ..ops.window import Window
from . import implementations as _registers_them  # noqa: F401
from . import registry
from .implementations.layout import add_into as add_into_quickly
from .optim.update import updater_of
from .product import sum_of_two
from .product import sum_to as sum_to_quickly
from .registry import ALONE, Implementation, fitting, implementations

__all__ = ["Dispatcher"]

FUNCTIONS: dict[Callable, Callable] = {add: sum_of_two, sum_to: sum_to_quickly, add_into: add_into_quickly}
"""What is called instead of functions that are no operations."""

_NONE_OF_ANOTHER_LIBRARY = PYTHON_NUMBERS | {numpy.ndarray, type(None), type(...), str, tuple, slice, Window}


class Dispatcher(Interpreter):
    """Computes by the implementation that fits the arrays."""

    fuses_modules = True

    def __init__(self):
        self._merged: dict[tuple, Implementation] = {}

    def forward(self, operation: Any, arguments: Sequence, wanted: Any) -> tuple[Any, Any]:
        if operation.name not in implementations and getattr(arguments[0], "size", 0) < registry.LARGE:
            return operation.function(*arguments), operation
        for found in self.candidates(operation, arguments, wanted):
            output = found.function(*arguments)
            if output is not NotImplemented:  # which says that it cannot do these options, or this layout
                return output, found
        return operation.function(*arguments), operation

    def candidates(self, operation: Any, arguments: Sequence, wanted: Any) -> Sequence:
        """The implementations of an operation that may compute it, the fastest first, besides its own function.

        Arguments: ``arguments``, with NumPy's arrays; ``wanted``, the inputs whose gradients are wanted.
        """
        base = implementations.get(operation.name)
        if base is not None and not _are_of_numpy(arguments):
            base = None
        kernels = fitting(operation.name, arguments, operation.promotes)
        if not kernels:
            return () if base is None else (base,)
        fast = self._with_kernels(operation, base, kernels, inference=not wanted and ALONE in kernels)
        return (fast,) if base is None else (fast, base)

    def fuses(self, composition: Any, arguments: Sequence) -> bool:
        return composition.name in implementations and _are_of_one_type(arguments[: len(composition.inputs)])

    def call(self, function: Callable, *arguments: Any) -> Any:
        return FUNCTIONS.get(function, function)(*arguments)

    def run_module(self, module: Any, arguments: Sequence, options: dict) -> Any:
        # Where somebody else watches as well, each module is called by itself.
        kind: Any = type(module)
        sequential = _sequential_of(kind)
        if sequential is None or options or not getattr(seam.interpreter, "fuses_modules", False):
            return module.forward(*arguments, **options)
        return sequential([*module], *arguments)

    def update(self, optimizer: Any, gradients: Sequence) -> None:
        updater_of(optimizer).update(optimizer, False, gradients)

    def repeatable_update(self, optimizer: Any, gradients: Sequence) -> tuple:
        """An update for a step that is recorded, as what `Recorder.run` is given."""
        updater = updater_of(optimizer)
        again = lambda *given: updater.update_again(optimizer, given)
        return lambda *given: updater.update(optimizer, True, given), gradients, None, True, None, again

    def _with_kernels(self, operation, base, kernels, inference):
        function = kernels[ALONE] if inference else kernels.get("") or (base or operation).function
        key = operation, base, function, *kernels.values()
        found = self._merged.get(key)
        if found is None:
            keeps = () if inference else (base or operation).keeps
            found = self._merged[key] = Implementation(function, keeps, base.rules if base else {}, inference)
            found.gradient(**{name: rule for name, rule in kernels.items() if name not in ("", ALONE)})
        return found


@lru_cache(None)
def _sequential_of(kind: type) -> Callable | None:
    """The function that runs modules of this kind, if they are modules one after another."""
    from .modules import Sequential, run_sequential

    return run_sequential if kind.forward is Sequential.forward else None  # type: ignore[attr-defined]


def _are_of_numpy(arguments: Sequence) -> bool:
    """Whether these are NumPy's arrays, or lists of them, and options."""
    for x in arguments:
        kind = x.__class__
        if kind not in _NONE_OF_ANOTHER_LIBRARY and not (kind is list and _are_of_numpy(x)):
            return False
    return True


def _are_of_one_type(inputs: Sequence) -> bool:
    """Whether these are NumPy's arrays, or tensors with such, and all their floating-point numbers of one type."""
    types = set()
    for x in inputs:
        if x is None:
            continue
        array = getattr(x, "_data", x)
        if array.__class__ is not numpy.ndarray:
            return False
        if array.dtype.kind == "f":
            types.add(array.dtype.char)
    return len(types) == 1 and types <= {"f", "d"}
