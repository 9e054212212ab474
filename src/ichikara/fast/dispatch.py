"""Chooses what computes an operation: a kernel for large arrays, an implementation by NumPy, or the record itself."""

from collections.abc import Callable, Iterator, Sequence
from operator import add
from typing import Any

import numpy

from ..arrays import PYTHON_NUMBERS, Interpreter, add_into, seam, sum_to
from ..arrays.threefry import threefry
from ..ops.window import Window
from . import implementations as _registers_them  # noqa: F401 - the import registers them
from . import registry
from .implementations.layout import add_into as fast_add_into
from .lookup import fitting, have_one_dtype
from .optim.update import updater_of
from .product import sum_of_two
from .product import sum_to as fast_sum_to
from .random import threefry as fast_threefry
from .registry import INFERENCE, Implementation, implementations

__all__ = ["Dispatcher"]

FUNCTIONS: dict[Callable, Callable] = {
    add: sum_of_two,
    sum_to: fast_sum_to,
    add_into: fast_add_into,
    threefry: fast_threefry,
}
"""Faster versions of functions that are no operations."""

_NUMPY_AND_OPTIONS = PYTHON_NUMBERS | {numpy.ndarray, type(None), type(...), str, tuple, slice, Window}


class Dispatcher(Interpreter):
    """Computes each operation by the fastest implementation that fits the arrays."""

    fuses_modules = True  # an interpreter around this one says so too, if it lets modules be fused

    def __init__(self):
        self._merged: dict[tuple, Implementation] = {}
        self._sequential: dict[type, Callable | None] = {}  # by kind of module: what runs it, if it is sequential

    def forward(self, operation: Any, arguments: Sequence, wanted: Any) -> tuple[Any, Any]:
        first = arguments[0]
        if first.__class__ is numpy.ndarray and first.size < registry.LARGE:  # too small for a kernel
            found = implementations.get(operation.name)
            if found is not None and _are_numpy(arguments):
                output = found.function(*arguments)
                if output is not NotImplemented:
                    return output, found
        else:
            for found in self.candidates(operation, arguments, wanted):
                output = found.function(*arguments)
                if output is not NotImplemented:  # the answer to options or layouts that it does not support
                    return output, found
        return operation.function(*arguments), operation

    def candidates(self, operation: Any, arguments: Sequence, wanted: Any) -> Iterator[Any]:
        """The implementations of an operation that may compute it, the fastest first, besides its own function.

        Arguments: ``wanted``, the inputs whose gradients are wanted.
        """
        base = implementations.get(operation.name)
        kernels = fitting(operation.name, arguments, operation.promotes)
        if kernels:
            yield self._with_kernels(operation, base, kernels, inference=not wanted and INFERENCE in kernels)
        if base is not None and _are_numpy(arguments):
            yield base

    def fuses(self, composition: Any, arguments: Sequence) -> bool:
        return composition.name in implementations and have_one_dtype(arguments[: len(composition.inputs)])

    def call(self, function: Callable, *arguments: Any) -> Any:
        return FUNCTIONS.get(function, function)(*arguments)

    def run_module(self, module: Any, arguments: Sequence, options: dict) -> Any:
        kind = type(module)
        run_sequential = self._sequential[kind] if kind in self._sequential else self._learn(kind)
        # Where another interpreter watches as well, each module is called by itself.
        if run_sequential is None or options or not getattr(seam.interpreter, "fuses_modules", False):
            return module.forward(*arguments, **options)
        return run_sequential([*module], *arguments)

    def update(self, optimizer: Any, gradients: Sequence) -> None:
        updater_of(optimizer).update(optimizer, gradients)

    def captured_update(self, optimizer: Any) -> tuple[Callable, Callable]:
        """The update of a captured step, and the same through the workspace, as functions of the gradients."""
        updater = updater_of(optimizer)
        update = lambda *gradients: updater.update(optimizer, gradients, captured=True)
        return update, lambda *gradients: updater.launch(optimizer, gradients)

    def _learn(self, kind: Any) -> Callable | None:
        """The function that runs modules of this kind, if they are sequential."""
        from .modules import Sequential, run_sequential

        self._sequential[kind] = run_sequential if kind.forward is Sequential.forward else None
        return self._sequential[kind]

    def _with_kernels(self, operation, base, kernels, inference):
        function = kernels[INFERENCE] if inference else kernels.get("") or (base or operation).function
        key = operation, base, function
        found = self._merged.get(key)
        if found is None:
            residuals = () if inference else (base or operation).residuals
            found = self._merged[key] = Implementation(function, residuals, base.rules if base else {}, inference)
            found.gradient(**{name: rule for name, rule in kernels.items() if name not in ("", INFERENCE)})
        return found


def _are_numpy(arguments: Sequence) -> bool:
    """Whether these are NumPy arrays, lists of them, and options."""
    if _NUMPY_AND_OPTIONS.issuperset(map(type, arguments)):
        return True
    return all(type(x) in _NUMPY_AND_OPTIONS or (type(x) is list and _are_numpy(x)) for x in arguments)
