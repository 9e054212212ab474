"""All that a training step changes, as it is at one moment, to be put back."""

from collections.abc import Sequence
from typing import Any

from ..arrays import Generator
from ..autodiff import raw

__all__ = ["Snapshot"]


class Snapshot:
    """A network's parameters, buffers and gradients, what its optimisers remember, and the streams of random numbers.

    Nothing is copied but what the optimisers remember, which they change where it is.
    """

    def __init__(self, model: Any, optimizers: Sequence[Any], generators: Sequence[Generator]):
        self.optimizers, self.generators = optimizers, generators
        learnt = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
        parameters = dict.fromkeys([*model.parameters(), *learnt])
        self._tensors = [(tensor, raw(tensor)) for tensor in (*parameters, *model.buffers())]
        self._gradients = [(parameter, parameter.grad) for parameter in parameters]
        self._buffers = [(part, dict(part.named_buffers(recurse=False))) for part in model.modules()]
        self._remembered = [_copied(optimizer.state) for optimizer in optimizers]
        self._streams = [generator.state for generator in generators]

    def restore(self) -> None:
        """Put all of it back."""
        for part, buffers in self._buffers:
            for name, buffer in part.named_buffers(recurse=False):
                if buffers.get(name) is not buffer:
                    setattr(part, name, buffers.get(name))
        for tensor, array in self._tensors:
            if raw(tensor) is not array:
                tensor.data = array
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        for optimizer, remembered in zip(self.optimizers, self._remembered, strict=True):
            optimizer.state = remembered
        for generator, state in zip(self.generators, self._streams, strict=True):
            generator.state = state


def _copied(state: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """What is remembered of each parameter, in arrays of its own."""
    return {of: {name: array.copy() for name, array in memory.items()} for of, memory in state.items()}
