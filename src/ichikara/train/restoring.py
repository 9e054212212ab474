"""A block after which a trainer, its loader and everything random are as they were before it, bit for bit."""

from typing import Any

from ..arrays import default_generator
from .attributes import Attributes, generators_in
from .engine import GlobalStreams, optimizers_of
from .snapshot import Snapshot

__all__ = ["AsItWas"]


class AsItWas:
    """A block after which network, loss, optimiser, loader and random number generators are restored.

    These are the weights, buffers, gradients and modes of the network, the attributes of its parts and of the loss, the
    optimiser's memory and options, the loader's order, and the streams of the trainer, of ichikara, of the layers, of
    Python and of NumPy.

    Arguments: ``trainer``; ``loader``, of batches, None if none is used.
    """

    def __init__(self, trainer: Any, loader: Any = None):
        self.trainer, self.loader = trainer, loader

    def __enter__(self) -> "AsItWas":
        trainer = self.trainer
        generators = [trainer.generator, default_generator(), *generators_in(trainer.model, trainer.loss)]
        self._snapshot = Snapshot(trainer.model, optimizers_of(trainer.optimizer), generators)
        self._options = [dict(group) for group in trainer.optimizer.param_groups]
        self._modes = [(part, part.training) for part in trainer.model.modules()]
        self._attributes = Attributes(trainer.model, trainer.loss)
        self._streams = GlobalStreams()
        self._order = getattr(self.loader, "state", None)
        return self

    def __exit__(self, *_: Any) -> None:
        for part, training in self._modes:
            part.training = training
        self._attributes.restore()
        self._snapshot.restore()
        for group, options in zip(self.trainer.optimizer.param_groups, self._options, strict=True):
            group.update(options)
        self._streams.restore()
        if self._order is not None:
            self.loader.state = self._order
