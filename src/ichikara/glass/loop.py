"""A training loop of which nothing is known: the network that it trains is found when it is called."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..arrays import interpreting
from ..autodiff import Tensor, is_grad_enabled, raw
from ..errors import UserError
from ..nn import Module
from .case import Case
from .sampling import is_watched
from .watcher import Watcher

__all__ = ["case_of_loop"]

BATCHES = 4  # the first ones, which are kept


class _Loop(Watcher):
    """A watcher that begins with the first network that is called while gradients are recorded.

    Attributes: ``loss``, the function or module that compared outputs with targets; ``batches``, the first ones.
    """

    def __init__(self):
        super().__init__(Module())
        self.network: Module | None = None
        self.loss: Any = None
        self.batches: list[tuple[Any, Any]] = []
        self._given: Any = None  # what the network was called with last

    def run_module(self, module: Any, arguments: Sequence, options: dict) -> Any:
        if self.network is None and is_grad_enabled() and any(p.requires_grad for p in module.parameters()):
            self.network = self.model = module
            self.begin(1, is_watched(1))
        outermost = not self._stack
        if outermost and module is self.network:
            self._given = arguments[0] if arguments else None
        elif outermost and self.network is not None and not any(True for _ in module.parameters()):
            self._compared(module, arguments)
        return super().run_module(module, arguments, options)

    def fuses(self, composition: Any, arguments: Sequence) -> bool:
        if not (self._stack or self._in_loss) and composition.function.__module__.endswith(".ops.loss"):
            self._compared(composition, arguments)
        return super().fuses(composition, arguments)

    def _compared(self, loss: Any, arguments: Sequence) -> None:
        """A loss compares what the network gave with targets."""
        given = [value for value in arguments if hasattr(value, "shape")]
        if len(given) < 2 or not is_grad_enabled():
            return
        self.loss = self.loss or loss
        if len(self.batches) < BATCHES and self._given is not None:
            arrays = [raw(value) if isinstance(value, Tensor) else value for value in (self._given, given[1])]
            self.batches.append((arrays[0], arrays[1]))


def case_of_loop(function: Callable[[], Any]) -> tuple[Any, Case]:
    """Call a function that trains a network by a loop of its own; what it returned, and its run as the doctor sees it.

    A function may return a `Case` itself, with what it knows of its data; then that is the case, and the record is
    added. Raises UserError for a function that trains nothing.
    """
    loop = _Loop()
    with interpreting(loop):
        loop.begin(1, is_watched(1))
        try:
            returned = function()
        finally:
            loop.end()
    if isinstance(returned, Case):
        if returned.record is None:
            returned.record = loop.record
        return returned, returned
    if loop.network is None or loop.optimizer is None:
        raise UserError("no optimiser updated a network; give a function that trains one, or that returns a Case")
    _, losses = loop.record.series("loss")
    return returned, Case(
        record=loop.record,
        model=loop.network,
        loss=loop.loss,
        optimizer=loop.optimizer,
        batches=loop.batches or None,
        batch_size=len(loop.batches[0][0]) if loop.batches else None,
        diverged=not all(map(math.isfinite, losses)),
    )
