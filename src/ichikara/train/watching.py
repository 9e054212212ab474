"""A trainer's steps are watched: at some of them, by their numbers, layers, gradients and updates are measured."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ..arrays import interpreting, seam
from ..glass.record import Record, Row
from ..glass.sampling import is_kept, is_watched
from ..glass.watcher import Watcher

__all__ = ["Watching"]


class Watching:
    """What a trainer does to watch its steps. The numbers of the training stay the same, bit for bit.

    Replayed steps cannot be looked into. So a step that is watched is computed eagerly beside its replay: from the same
    state, with the same random numbers, and without an update. A step that is computed eagerly anyway is looked at
    itself.

    Arguments: ``record``, one to continue.
    """

    def __init__(self, record: Record | None = None):
        self.record = Record() if record is None else record
        self.told: set[str] = set()  # the names of the findings that the user was told
        self._watcher: Watcher | None = None
        self._done = 0  # the last step that was watched to its end

    def resume(self, record: Record) -> None:
        """Continue the record of a run that is resumed."""
        self.record, self._watcher = record, None

    @contextmanager
    def taking_over(self, model: Any) -> Iterator[None]:
        """A block in `fit`: what watches the network from outside leaves it to this object, which fills its record."""
        outside = seam.interpreter
        if not isinstance(outside, Watcher) or outside.model is not model:
            yield
            return
        self.record, self._watcher = outside.record, None
        with interpreting(outside.inner):
            yield

    def is_due(self, trainer: Any) -> bool:
        """Whether the trainer's next step is to be watched, and has not been."""
        return trainer.steps + 1 > self._done and is_watched(trainer.steps + 1)

    def step(self, trainer: Any, step: Callable, args: tuple) -> Any:
        """The value of a step that is computed eagerly."""
        if not self.is_due(trainer):
            return step(*args)
        with self._looking(trainer, args) as watcher, interpreting(watcher):
            return step(*args)

    @contextmanager
    def beside(self, trainer: Any, step: Callable, args: tuple, undone: AbstractContextManager) -> Iterator[None]:
        """A block in which a step is replayed that is to be watched.

        Arguments: ``undone``, a block of which nothing remains but an update.
        """
        with self._looking(trainer, args) as watcher:
            watcher.updates = False
            with undone, interpreting(watcher):
                step(*args)
            if watcher.updated:
                self._done = trainer.steps + 1
            yield
            watcher.measure_updates()

    @contextmanager
    def _looking(self, trainer, args):
        number = trainer.steps + 1
        if self._watcher is None or self._watcher.model is not trainer.model:
            self._watcher = Watcher(trainer.model, record=self.record, alone=False)
        watcher = self._watcher
        if (watcher.step, watcher.looking) != (number, True):  # else it is a further batch of the same step
            watcher.begin(number, looking=True)
        watcher.measures.add("", {"batch_size": len(args[0])})
        watcher.updates, watcher.updated = True, False
        try:
            yield watcher
        except BaseException:
            watcher.end()
            raise
        if watcher.updated:
            self._done = number
            watcher.end()

    def note_loss(self, step: int, loss: float) -> None:
        """The loss of a step is known."""
        if is_kept(step):
            self.record.rows.append(Row(step, "", "loss", loss))
