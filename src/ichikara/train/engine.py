"""How the steps of a training are computed: eagerly, or as replays of a captured step."""

import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from ..arrays import default_generator
from ..autodiff import Tensor, raw
from ..errors import UserError, choose
from ..optim import Optimizer
from ..stage import is_available, stage
from .attributes import Attributes, generators_in
from .snapshot import Snapshot

__all__ = ["ENGINES", "Engine"]

ENGINES = {
    "auto": "replays where the step can be captured, else eager",
    "eager": "each operation is computed when it is called",
    "replay": "replays alone; what cannot be captured is an error",
}
"""The engines and what each does."""

_MOST = 16  # the most shapes of batches that are captured, and the most captures before a message about them


class Engine:
    """Calls a trainer's step; see `Trainer` for the names.

    A capture runs the step once, and then restores what the step has changed. The first step is a replay too. So all
    steps are computed by the same instructions, and a resumed run has the same bits.

    Attributes: ``eager_because``, why an ``"auto"`` computes eagerly; empty as long as it replays.
    """

    def __init__(self, name: str):
        choose("engine", name, ENGINES)
        self.name = name
        self.eager_because = ""
        self._layouts: set[str] = set()  # of all arguments so far
        self._changes = 0
        self.release()

    def release(self) -> None:
        """Delete the capture, and free its memory."""
        self._staged: Any = None
        self._subject: tuple = ()
        self._attributes = Attributes()

    @property
    def state(self) -> dict[str, Any]:
        """What a resumed run needs to compute its steps as this run would."""
        return {"eager_because": self.eager_because, "layouts": sorted(self._layouts)}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._layouts = set(state["layouts"])
        self.eager_because = state["eager_because"] if self.name == "auto" else ""

    def call(self, trainer: Any, step: Callable, *args: Any) -> Any:
        """The value of a step. Arguments: ``args``, tensors, numbers and words."""
        if self.name == "eager" or self.eager_because or (self.name == "auto" and not is_available()):
            return _watched(trainer, step, args)
        subject = trainer.model, trainer.loss, trainer.optimizer, trainer.generator
        if self._staged is None or self._subject != subject or self._changed(trainer):
            refused = self._refused(trainer)
            if refused:
                return self._eagerly(trainer, step, args, refused)
            self._staged, self._subject = stage(step), subject
            self._attributes = Attributes(trainer.model, trainer.loss)
        if trainer.watching is None or not trainer.watching.is_due(trainer):
            return self._replayed(trainer, step, args)
        with trainer.watching.beside(trainer, step, args, self._undone()):
            return self._replayed(trainer, step, args)

    def _replayed(self, trainer: Any, step: Callable, args: tuple) -> Any:
        """The value of a step that is replayed, and captured first where it has to be."""
        replay = self._staged.replay_of(*args)
        if replay is None:
            refused, error = self._capture(trainer, args)
            replay = None if refused else self._staged.replay_of(*args)
            if replay is None:
                return self._eagerly(trainer, step, args, refused or "captures cannot be replayed here", error)
        return replay()

    def _changed(self, trainer: Any) -> bool:
        """Whether an attribute has changed since the capture, which would not take notice of it."""
        name = self._attributes.changed()
        if not name:
            return False
        self._changes += 1
        if self._changes == _MOST:
            trainer.note(
                f"the step is captured again after each change of an attribute, and {name} and others have changed "
                f"{_MOST} times; engine='eager' may be faster"
            )
        return True

    def _refused(self, trainer: Any) -> str:
        """Why no capture is tried, or only with the engine "replay"; empty if one is tried."""
        if not is_available():
            return "ichikara.fast cannot be imported here"
        optimizers = _optimizers(trainer.optimizer)
        for optimizer in optimizers:
            if not isinstance(optimizer, Optimizer):
                return f"{type(optimizer).__name__} is not derived from ichikara.optim.Optimizer"
        if self.name == "replay":
            return ""
        for part in trainer.model.modules():
            if part.__dict__["_forward_hooks"] or part.__dict__["_forward_pre_hooks"]:
                return f"{type(part).__name__} has a hook, which has to be called in each step"
        for optimizer in optimizers:
            if type(optimizer).step is not Optimizer.step:
                return f"{type(optimizer).__name__} overrides step()"
        return ""

    def _capture(self, trainer: Any, args: tuple) -> tuple[str, Exception | None]:
        """Capture the step, and restore everything; returns why the step cannot be captured, and the error raised."""
        self._layouts.add(_layout(args))
        if len(self._layouts) > _MOST and self.name == "auto":
            return f"the batches come in more than {_MOST} shapes", None
        error = None
        with self._undone(with_updates=True) as found:
            try:
                self._staged(*args)
            except Exception as problem:
                error = problem
        if error is not None:
            return _said(error), error
        if found.changed:
            return f"the step itself changes {found.changed}, which a replay would not", None
        return (
            "the step draws random numbers from another source than an ichikara.Generator" if found.drawn else "",
            None,
        )

    @contextmanager
    def _undone(self, with_updates: bool = False) -> Iterator["_Found"]:
        """A block after which all that a step changes is restored. Gives what the block changed beside it.

        Arguments: ``with_updates``, whether the block updates the parameters.
        """
        model, loss, optimizer, generator = self._subject
        optimizers = [one for one in _optimizers(optimizer) if with_updates or type(one).step is not Optimizer.step]
        generators = [generator, default_generator(), *generators_in(model, loss)]
        before, streams, found = Snapshot(model, optimizers, generators), _GlobalStreams(), _Found()
        try:
            yield found
        finally:
            before.restore()
            found.changed, found.drawn = self._attributes.changed(), streams.restore()
            self._attributes.restore()

    def _eagerly(self, trainer: Any, step: Callable, args: tuple, why: str, error: Exception | None = None) -> Any:
        """The value of a step that cannot be captured. Later steps are not captured either."""
        self.release()
        if self.name == "replay":
            if error is not None and not isinstance(error, TypeError | RuntimeError):
                raise error  # an error with any engine
            raise UserError(f"the step cannot be captured: {why}; engine='auto' computes it eagerly") from error
        value = _watched(trainer, step, args)  # which raises the error again if it is not about the capture
        self.eager_because = why
        trainer.note(f"steps are computed eagerly, not replayed: {why}")
        return value


@dataclass
class _Found:
    """What a step changed: an attribute, by its name, and whether the global random number generators."""

    changed: str = ""
    drawn: bool = False


class _GlobalStreams:
    """The states of the global random number generators of Python and NumPy."""

    def __init__(self):
        self._python = random.getstate()
        self._numpy: Any = numpy.random.get_state()  # noqa: NPY002 - others may draw from it

    def restore(self) -> bool:
        """Restore the states. Returns whether they had changed."""
        now = _GlobalStreams()
        (_, keys, *rest), (_, keys_now, *rest_now) = self._numpy, now._numpy
        drawn = now._python != self._python, rest_now != rest or not numpy.array_equal(keys_now, keys)
        if drawn[0]:
            random.setstate(self._python)
        if drawn[1]:
            numpy.random.set_state(self._numpy)  # noqa: NPY002
        return any(drawn)


def _watched(trainer: Any, step: Callable, args: tuple) -> Any:
    """The value of a step that is computed eagerly, and watched where that is its turn."""
    return step(*args) if trainer.watching is None else trainer.watching.step(trainer, step, args)


def _optimizers(optimizer: Any) -> list[Any]:
    """The optimisers, one by one, also those in an `Optimizers`."""
    return list(getattr(optimizer, "optimizers", [optimizer]))


def _layout(args: tuple) -> str:
    """The properties of arguments that a capture depends on, as text."""
    arrays = [raw(arg) for arg in args if isinstance(arg, Tensor)]
    others = [arg for arg in args if not isinstance(arg, Tensor)]
    return f"{[(array.shape, str(array.dtype), array.strides) for array in arrays]} {others}"


def _said(error: Exception) -> str:
    """An error's message in one line, with the line of the user's file that raised it."""
    ours = Path(__file__).parents[1]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if ours not in Path(frame.filename).parents]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return " ".join(str(error).split()) + where
