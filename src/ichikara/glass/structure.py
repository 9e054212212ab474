"""The structure of a training step: which operations it is made of, and how they hang together.

An array that an operation made and another one takes is the same object, cut from the graph or not. So what was
detached shows: it is still taken, and no gradient is wanted for it.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy

from ..arrays import Generator, Observer, interpreting, is_array, using
from ..autodiff import Tensor, asarray, raw

__all__ = ["Application", "Structure", "structure_of"]

LOSSES = {"cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "mse_loss"}
"""The composed losses whose arguments are kept."""


@dataclass(eq=False)
class Application:
    """One application of an operation.

    Arguments: ``name``, of the operation; ``arguments``, the arrays among its arguments; ``options``, its other
    arguments by name; ``cut``, those arrays of which no gradient is wanted, though the operation has one; ``blocked``,
    those of which it has none; ``layer``, the module in which it happened; ``kinds``, the classes of that module and of
    those that it is a part of; ``output``, the array that it gave.
    """

    name: str
    arguments: list[Any]
    options: dict[str, Any]
    cut: list[Any]
    blocked: list[Any]
    layer: str
    kinds: tuple[str, ...]
    output: Any = None


class Structure(Observer):
    """Notes the operations of what is computed while it is the interpreter. See `structure_of`.

    Attributes: ``applications``, in order; ``called``, the names of the modules that were called; ``losses``, the
    arguments of the losses, by their names; ``output``, what the model gave last; ``gradients``, the gradient of every
    parameter by its name, None where there is none.
    """

    def __init__(self, model: Any):
        super().__init__()
        self.applications: list[Application] = []
        self.called: set[str] = set()
        self.losses: list[tuple[str, Any, Any]] = []
        self.output: Any = None
        self.inputs: Any = None
        self.targets: Any = None
        self.gradients: Mapping[str, Any] = {}
        self.parameters = {id(raw(parameter)): name for name, parameter in model.named_parameters()}
        self._held = [raw(parameter) for parameter in model.parameters()]
        self._names = {id(module): name for name, module in model.named_modules()}
        self._kinds: list[str] = []
        self._path: list[str] = []
        self._model = model

    def run_module(self, module, arguments, options):
        name = self._names.get(id(module), "")
        self.called.add(name)
        self._path.append(name)
        self._kinds.append(type(module).__name__)
        try:
            output = super().run_module(module, arguments, options)
        finally:
            self._path.pop()
            self._kinds.pop()
        if module is self._model:
            self.output = output
        return output

    def fuses(self, composition, arguments):
        if composition.name in LOSSES and len(arguments) > 1:
            self.losses.append((composition.name, arguments[0], arguments[1]))
        return super().fuses(composition, arguments)

    def forward(self, operation, arguments, wanted):
        output, used = super().forward(operation, arguments, wanted)
        named = enumerate(arguments[0]) if operation.sequence else zip(operation.parameters, arguments, strict=False)
        inputs: dict[Any, Any] = dict(named)
        arrays = {name: value for name, value in inputs.items() if is_array(value)}
        cut: list[Any] = []
        blocked: list[Any] = []
        for name, array in arrays.items():
            if name not in wanted:
                (cut if name in operation.rules or None in operation.rules else blocked).append(array)
        self.applications.append(
            Application(
                operation.name,
                list(arrays.values()),
                {} if operation.sequence else {n: v for n, v in inputs.items() if n not in arrays},
                cut,
                blocked,
                self._path[-1] if self._path else "",
                tuple(self._kinds),
                output[0] if used.residuals else output,
            )
        )
        return output, used

    @cached_property
    def sources(self) -> dict[int, Application]:
        """The application that made an array, by the array's id."""
        return {id(application.output): application for application in self.applications}

    def upstream(self, arrays: Iterable[Any]) -> Iterator[Application]:
        """Every application that had a part in making these arrays."""
        seen: set[int] = set()
        pending = list(arrays)
        while pending:
            source = self.sources.get(id(pending.pop()))
            if source is not None and id(source) not in seen:
                seen.add(id(source))
                yield source
                pending.extend(source.arguments)

    def taken(self, arrays: Iterable[Any]) -> set[str]:
        """The names of the parameters that had a part in making these arrays."""
        arrays = list(arrays)
        names = {self.parameters[id(array)] for array in arrays if id(array) in self.parameters}
        for application in self.upstream(arrays):
            names |= {self.parameters[id(array)] for array in application.arguments if id(array) in self.parameters}
        return names


def structure_of(model: Any, loss: Any, inputs: Any, targets: Any) -> Structure:
    """The structure of a training step, tried on a copy of the model: nothing of the model itself is changed."""
    copy = deepcopy(model)
    copy.train()
    copy.zero_grad()
    structure = Structure(copy)
    structure.inputs, structure.targets = asarray(inputs), asarray(targets)
    with using(Generator(0)), numpy.errstate(all="ignore"):
        with interpreting(structure):
            value = loss(copy(structure.inputs), structure.targets)
        if isinstance(value, Tensor) and value.requires_grad:
            value.backward()
    structure.gradients = {name: parameter.grad for name, parameter in copy.named_parameters()}
    return structure
