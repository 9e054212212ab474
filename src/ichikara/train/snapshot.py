"""A copy of all that a training step changes, to restore it later."""

from collections.abc import Sequence
from typing import Any

from ..arrays import Generator
from ..autodiff import raw

__all__ = ["Snapshot"]


class Snapshot:
    """A network's parameters, buffers and gradients, the state of its optimisers, and that of random number generators.

    Only the arrays of the optimisers are copied, because optimisers change them in place.

    Arguments: ``copies``, whether the parameters and buffers are copied too and the gradients left out: then a training
    can go on as if there were no snapshot. Without, each step before `restore` has to make new arrays.
    """

    def __init__(self, model: Any, optimizers: Sequence[Any], generators: Sequence[Generator], copies: bool = False):
        self.optimizers, self.generators = optimizers, generators
        optimized = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
        parameters = dict.fromkeys([*model.parameters(), *optimized])
        tensors = (*parameters, *model.buffers())
        self._tensors = [(tensor, raw(tensor).copy() if copies else raw(tensor)) for tensor in tensors]
        self._gradients = [] if copies else [(parameter, parameter.grad) for parameter in parameters]
        self._buffers = [(part, dict(part.named_buffers(recurse=False))) for part in model.modules()]
        self._states = [_copied(optimizer.state) for optimizer in optimizers]
        self._streams = [generator.state for generator in generators]

    def restore(self) -> None:
        """Restore all of it."""
        for part, buffers in self._buffers:
            for name, buffer in part.named_buffers(recurse=False):
                if buffers.get(name) is not buffer:
                    setattr(part, name, buffers.get(name))
        for tensor, array in self._tensors:
            if raw(tensor) is not array:
                tensor.data = array
        for parameter, gradient in self._gradients:
            parameter._keep_grad(gradient)
        for optimizer, state in zip(self.optimizers, self._states, strict=True):
            optimizer.state = state
        for generator, state in zip(self.generators, self._streams, strict=True):
            generator.state = state


def _copied(state: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """A copy of an optimiser's state."""
    return {of: {name: array.copy() for name, array in memory.items()} for of, memory in state.items()}
