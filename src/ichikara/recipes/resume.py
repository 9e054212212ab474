"""Resuming a run: everything is compared with what was saved, before anything is written or changed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import optim
from ..errors import UserError
from ..train.checkpoint import load_settings, unpack
from .build import Parts
from .folder import CHECKPOINT, RECIPE, open_run
from .schema import Recipe, check, load_recipe

__all__ = ["MAY_CHANGE", "compare", "continued_recipe", "record_of", "restore"]

MAY_CHANGE = {
    "training.epochs": "how long the run trains",
    "early_stopping.patience": "how long it waits for an improvement",
    "optimizer.lr": "the learning rate from here on",
    "schedule": "the schedule of the learning rate from here on",
    "training.engine": "what computes a step",
    "data.path": "where the data is; its checksum must be the same",
    "title": "the run's name",
    "baseline": "whether a linear model is fitted for comparison",
}
"""The settings that may change when a run is resumed. With any other change it would be another run."""

_WITHOUT_TRAINING = ("data.path", "title", "baseline")  # these have an effect also on a run that has ended

_DATA = {
    "train": "the training data",
    "validation": "the validation data",
    "test": "the test data",
    "classes": "the names of the classes",
    "columns": "the names of the columns",
}
_RUNNING = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")  # what ReduceLROnPlateau counts

Changes = dict[str, tuple[Any, Any]]


def continued_recipe(folder: Path, settings: Iterable[str], name: str | None = None, seed: int | None = None) -> Recipe:
    """The recipe of the run in a folder, with the settings that change as it is resumed.

    Arguments: ``name``, of the recipe that the run should be of, None for any; ``seed``, that it should have.

    Raises UserError for a folder without a run, and for each change that would make it another run.
    """
    open_run(folder)
    settings = [*settings, *([] if seed is None else [f"seed={seed}"])]
    recipe, saved = load_recipe(folder / RECIPE, settings), _saved(folder)
    for wanted in [recipe] if name is None else [recipe, load_recipe(name, settings)]:
        _refuse(_changes(saved, wanted), folder)
    return recipe


def record_of(parts: Parts) -> dict[str, Any]:
    """What each checkpoint says about its run, to be compared at a resume. The scaler follows from recipe and data."""
    names = {"classes": parts.train.classes, "columns": parts.train.input_names}
    data = parts.checksums | {key: None if of is None else list(of) for key, of in names.items()}
    return {"recipe": parts.recipe.model_dump(exclude_none=True), "data": data, "changes": []}


def compare(parts: Parts, folder: Path) -> Changes:
    """The settings that change as a run is resumed, each with its old and its new value. Nothing is written.

    Raises UserError for settings that may not change, and for other data.
    """
    changes = _changes(_saved(folder), parts.recipe)
    _refuse(changes, folder)
    before, now = _about(folder).get("data"), record_of(parts)["data"]
    other = [_DATA[key] for key in _DATA if before is not None and before.get(key) != now[key]]
    if other:
        raise UserError(
            f"{folder} cannot be resumed: {', '.join(other)} changed since it was trained. Restore the data (run.json "
            "has its checksums), or start a new run"
        )
    return changes


def restore(parts: Parts, folder: Path) -> None:
    """Continue where the run in the folder was left, with the settings that change. Nothing is written.

    Raises UserError as `compare` does, for a checkpoint that is damaged, and for a change without any effect.
    """
    changes, trainer, record = compare(parts, folder), parts.trainer, record_of(parts)
    if (folder / CHECKPOINT).exists():
        if any(key == "optimizer.lr" or key.startswith("schedule.") for key in changes):
            _resume_with_another_rate(parts, folder, changes)
        else:
            trainer.resume(folder / CHECKPOINT, parts.loader)
        trainer.loader = parts.loader
        if "early_stopping.patience" in changes and parts.stopper:
            waited = trainer.epoch - parts.stopper.best_epoch
            trainer.stopped = trainer.stopped if waited >= parts.stopper.patience else None
        _check_effect(parts, [key for key in changes if key not in _WITHOUT_TRAINING])
        record["changes"] = list(trainer.about.get("changes", ()))
        for key, (old, new) in changes.items():
            record["changes"].append({"after_epoch": trainer.epoch, "setting": key, "from": old, "to": new})
    trainer.about = record


def _resume_with_another_rate(parts: Parts, folder: Path, changes: Changes) -> None:
    """Resume with the recipe's rate and its schedule, which goes to the step at which the run is."""
    trainer, schedule = parts.trainer, parts.trainer.schedule
    if "optimizer.lr" in changes and isinstance(schedule, optim.OneCycleLR):
        raise UserError("OneCycleLR goes by schedule.max_lr, so a change of optimizer.lr has no effect; change max_lr")
    options = [{k: v for k, v in group.items() if k != "params"} for group in trainer.optimizer.param_groups]
    state = None if schedule is None else schedule.state_dict()
    same = "schedule.name" not in changes
    trainer.schedule = schedule if same else None  # the state of another schedule is not loaded
    trainer.resume(folder / CHECKPOINT, parts.loader)
    trainer.schedule = schedule
    rates = [group["lr"] for group in trainer.optimizer.param_groups]
    for group, of in zip(trainer.optimizer.param_groups, options, strict=True):
        group.update(of)  # also the momentum, which a schedule may have moved
    if schedule is None or state is None:
        return
    if isinstance(schedule, optim.ReduceLROnPlateau):
        if same and schedule.state_dict()["mode"] == state["mode"]:
            state |= {key: schedule.state_dict()[key] for key in _RUNNING}
        if "optimizer.lr" not in changes:
            state |= {"_last_lr": rates, "present_lrs": rates}
    else:
        schedule.load_state_dict(state)  # its own settings, in the place of the saved ones
        step = trainer.steps if trainer.schedule_every == "batch" else trainer.epoch
        state |= {"last_epoch": step, "_last_lr": schedule.lr(step), "present_lrs": schedule.lr(step)}
    schedule.load_state_dict(state)


def _check_effect(parts: Parts, changed: list[str]) -> None:
    """Raise for changes of a training that has ended, and has no epoch left in which they could count."""
    trainer, epochs, what = parts.trainer, parts.recipe.training.epochs, ", ".join(changed)
    if changed and trainer.batches > epochs * len(parts.loader):
        raise UserError(
            f"training.epochs is {epochs}, and the run has trained for longer: {trainer.epoch} epochs are done"
        )
    if changed and trainer.stopped:
        raise UserError(
            f"the run was stopped after epoch {trainer.epoch} ({trainer.stopped}), so a change of {what} has no "
            "effect; to continue it raise early_stopping.patience"
        )
    if trainer.epoch >= epochs and set(changed) - {"training.epochs"}:
        raise UserError(
            f"the run has done its {epochs} epochs, so a change of {what} has no effect; to continue it raise "
            "training.epochs as well"
        )


def _about(folder: Path) -> dict[str, Any]:
    """What the checkpoint says about its run; nothing where there is none, or none that says it."""
    path = folder / CHECKPOINT
    if not path.exists():
        return {}
    settings = load_settings(path)
    try:
        return dict(unpack(settings.get("about", {"pairs": []}), {}))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{path} is damaged: it does not say of which run it is") from None


def _saved(folder: Path) -> Recipe:
    """The recipe by which the run was trained up to its checkpoint."""
    recipe = _about(folder).get("recipe")
    return open_run(folder) if recipe is None else check(Recipe, recipe, "")


def _changes(saved: Recipe, wanted: Recipe) -> Changes:
    old, new = _flat(saved), _flat(wanted)
    return {key: (old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)}


def _flat(recipe: Recipe) -> dict[str, Any]:
    """A recipe's settings by their keys, such as optimizer.lr."""
    flat: dict[str, Any] = {}
    for key, value in recipe.model_dump(exclude_none=True).items():
        flat |= {f"{key}.{name}": one for name, one in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _refuse(changes: Changes, folder: Path) -> None:
    refused = [key for key in changes if key not in MAY_CHANGE and key.partition(".")[0] not in MAY_CHANGE]
    if refused:
        words = lambda value: "unset" if value is None else repr(value) if len(repr(value)) <= 60 else "…"
        said = ", ".join(f"{key} ({words(changes[key][0])} to {words(changes[key][1])})" for key in refused)
        raise UserError(
            f"{folder} is resumed with its own settings, and this changes {said}; what may change is "
            f"{', '.join(MAY_CHANGE)}. Start a new run for other changes: omit --resume, or ichikara train "
            f"{folder / RECIPE} --set …"
        )
