"""A training run in a file: all that a resumed run needs to continue bit for bit."""

import os
from typing import Any

from ..autodiff import asarray
from ..errors import UserError
from ..glass.record_files import pack_record, unpack_record
from .callbacks import Callback
from .checkpoint import load_arrays, pack, save_arrays, unpack
from .evaluation import Totals
from .history import History

__all__ = ["resume", "save"]


def save(trainer: Any, path: str | os.PathLike) -> None:
    """Save a trainer's run; see `Trainer.save`."""
    arrays: dict[str, Any] = {}
    set_aside = {} if trainer.averaging is None else trainer.averaging.set_aside
    settings = {
        "epoch": trainer.epoch,
        "steps": trainer.steps,
        "batch": trainer._batch,
        "seconds": trainer.seconds,
        "history": pack(trainer.history.rows, arrays, "history"),
        "totals": pack([trainer._totals.count, trainer._totals.sums], arrays, "totals"),
        "order": trainer._order,
        "rate": trainer._rate,
        "loader": getattr(trainer.loader, "state", None),
        "generator": trainer.generator.state,
        "stopped": trainer.stopped,
        "about": pack(trainer.about, arrays, "about"),
        "engine": trainer._engine.state,
        "model": pack(trainer.model.state_dict() | set_aside, arrays, "model"),
        "optimizer": pack(trainer.optimizer.state_dict(), arrays, "optimizer"),
        "schedule": pack(trainer.schedule.state_dict() if trainer.schedule else None, arrays, "schedule"),
        "averaging": pack(trainer.averaging and trainer.averaging.state, arrays, "averaging"),
        "pending": trainer._pending,
        "gradients": pack([p.grad for p in trainer._optimized()] if trainer._pending else [], arrays, "gradients"),
        "record": pack(trainer.record and pack_record(trainer.record), arrays, "record"),
        "callbacks": [pack(c.state, arrays, f"callback.{i}") for i, c in enumerate(_stateful(trainer))],
    }
    save_arrays(path, arrays, settings)


def resume(trainer: Any, path: str | os.PathLike, loader: Any = None) -> None:
    """Resume a saved run; see `Trainer.resume`."""
    from .saved import SavedRun

    arrays, saved = load_arrays(path, SavedRun)
    try:
        trainer.model.load_state_dict(unpack(saved["model"], arrays))
        trainer.optimizer.load_state_dict(unpack(saved["optimizer"], arrays))
        if trainer.schedule is not None:
            trainer.schedule.load_state_dict(unpack(saved["schedule"], arrays))
        if (trainer.averaging is None) != (saved["averaging"] is None):
            raise ValueError("one of them averages its weights, and the other does not")
        if trainer.averaging is not None:
            trainer.averaging.state = unpack(saved["averaging"], arrays)
        for callback, state in zip(_stateful(trainer), saved["callbacks"], strict=True):
            callback.state = unpack(state, arrays)
            best = getattr(callback, "best_epoch", 0)
            if best > saved["epoch"]:
                raise ValueError(f"its best epoch is {best}, and it has {saved['epoch']}")
        trainer.epoch, trainer.steps, trainer.seconds = saved["epoch"], saved["steps"], saved["seconds"]
        rows = unpack(saved["history"], arrays)
        if [row.get("epoch") for row in rows] != list(range(1, trainer.epoch + 1)):
            raise ValueError(f"its history has not one row for each of its {trainer.epoch} epochs")
        trainer.history = History(rows)
        trainer.generator.state = saved["generator"]
        trainer.stopped = saved["stopped"]
        trainer.about = unpack(saved["about"], arrays)
        trainer._engine.state = saved["engine"]
        trainer._batch, trainer._order, trainer._rate = saved["batch"], saved["order"], saved["rate"]
        trainer._totals = Totals(*unpack(saved["totals"], arrays))
        trainer._pending = saved["pending"]
        gradients = unpack(saved["gradients"], arrays)
        for parameter, gradient in zip(trainer._optimized(), gradients, strict=False):
            parameter.grad = None if gradient is None else asarray(gradient)
        if loader is not None and saved["loader"] is not None:
            loader.state = saved["loader"]
        if trainer.watching is not None and saved.get("record") is not None:
            trainer.watching.resume(unpack_record(unpack(saved["record"], arrays)))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise UserError(f"{path} is damaged, of another run, or of another version of ichikara: {error}") from None


def _stateful(trainer: Any) -> list[Callback]:
    """The callbacks that have a state to save; others may be added or left out when a run is resumed."""
    return [callback for callback in trainer.callbacks if type(callback).state is not Callback.state]
