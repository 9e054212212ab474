"""A run: train a recipe into a folder, evaluate the network once on the test set, predict with it."""

import io
import math
import platform
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy

from ..autodiff import asarray
from ..data import Column, Dataset, Table, TestVault, load_inputs
from ..errors import UserError
from ..strict_json import dumps
from ..train import evaluate, linear_baseline, predict, save_arrays
from ..train.averaging import are_finite
from ..train.checkpoint import write
from .build import Parts, build_objective, load_parts
from .folder import (
    CHECKPOINT,
    CURVES,
    HISTORY,
    RECIPE,
    SUMMARY,
    VAULT,
    WEIGHTS,
    divergence,
    refuse_run,
    said_of_diverged,
    trained,
    writing,
)
from .inside import diagnosed, write_record
from .resume import compare, record_of, restore
from .subject import Subject

__all__ = ["Prediction", "evaluate_run", "predict_run", "train_run"]


def train_run(
    parts: Parts, folder: Path, resume: bool = False, tell: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Train, and write weights, history, curves and a report into the folder; returns a summary.

    Arguments: ``parts``, of `build`; ``folder``, of the run; ``resume``, whether to continue from its
    checkpoint if there is one; ``tell``, a function that gets each message for the user.

    Raises UserError for a folder that another process writes into, or that holds a run which is not to be resumed or
    is another run; the folder is then as it was. DivergedError when the loss is no longer finite: the folder then has
    the last good weights.
    """
    resume = resume and (folder / RECIPE).exists()
    if resume:
        compare(parts, folder)  # what is refused leaves no trace in the folder, not even that of a lock
    with writing(folder, "ichikara train"):
        return _train(parts, folder, resume, tell)


def _train(parts: Parts, folder: Path, resume: bool, tell: Callable[[str], None]) -> dict[str, Any]:
    trainer, recipe = parts.trainer, parts.recipe
    if resume:
        restore(parts, folder)
        if parts.test is not None and (folder / VAULT).exists():
            TestVault(parts.test, folder / VAULT)  # which must be of this test set
        if trainer.steps:
            tell(f"resuming after epoch {trainer.epoch} of {recipe.training.epochs}")
    else:
        refuse_run(folder)
        trainer.about = record_of(parts)
    with nullcontext() if trainer.averaging is None else trainer.averaging.applied(parts.model):
        start = trainer.epoch, parts.model.state_dict()
    write(folder / RECIPE, recipe.toml())
    if parts.test is not None:
        TestVault(parts.test, folder / VAULT)  # records the test set's checksum before the training
    if recipe.baseline:
        parts.baseline = _baseline(parts)
    try:
        trainer.fit(parts.loader, recipe.training.epochs, parts.watched, folder / CHECKPOINT)
    finally:
        kept = _kept(parts, folder, start)
        summary = _summary(parts, folder, kept)
        if trainer.steps or trainer.diverged is not None:
            _save_results(parts, folder, kept, summary, tell)
            if not isinstance(sys.exception(), KeyboardInterrupt):  # a second Ctrl-C ends the run at once
                subject = Subject(recipe, parts.model, parts.objective, parts.train, parts.validation, parts.scaler)
                _report(folder, subject, tell)
    return summary


def _kept(parts: Parts, folder: Path, start: tuple[int, dict[str, Any]]) -> int | None:
    """The epoch of the weights that the network has; of a run that diverged it gets the best of those that are left.

    Arguments: ``start``, the epoch and the weights with which this training began.

    None before the first epoch, and where no weights are better than those of an untrained network.
    """
    trainer, stopper = parts.trainer, parts.stopper
    if trainer.diverged is None and are_finite(parts.model):
        if stopper and stopper.restore_best and stopper.best_epoch and not trainer.interrupted:
            return stopper.best_epoch
        return trainer.history.last.get("epoch")
    trainer.diverged = trainer.diverged or trainer.epoch + 1
    left = [start]
    if stopper and stopper.best_weights:
        left.append((stopper.best_epoch, stopper.best_weights))
    if trainer.best is not None:
        left.append(trainer.best[1:])
    if (folder / CHECKPOINT).exists():
        reached = trainer.epoch, trainer.history, trainer.seconds
        trainer.resume(folder / CHECKPOINT)
        if trainer.averaging is not None:
            trainer.averaging.apply(parts.model)
        left.append((trainer.epoch, parts.model.state_dict()))
        trainer.epoch, trainer.history, trainer.seconds = reached

    def loss(weights: dict[str, Any]) -> float:
        parts.model.load_state_dict(weights)
        found = trainer.evaluate(parts.loader if parts.watched is None else parts.watched).get("loss", 0.0)
        return found if math.isfinite(found) else math.inf

    losses = [loss(weights) for _, weights in left]
    best = min(range(len(left)), key=lambda i: (losses[i], -i))  # a GAN has no loss: its latest
    parts.model.load_state_dict(left[best][1])
    return left[best][0] or None if losses[best] < math.inf else None


def _report(folder: Path, subject: Subject, tell: Callable[[str], None], test: dict[str, Any] | None = None) -> None:
    """Write the run's report. The run is saved before, so a failure here loses nothing."""
    try:
        from .report import write_report

        write_report(folder, subject, test)
    except Exception as error:
        tell(f"the run is saved, but report.html could not be written: {error}")


def _baseline(parts: Parts) -> dict[str, Any] | None:
    """The linear baseline; None without validation data, and for sequences, which have no linear model."""
    if parts.validation is None or parts.train.task == "sequence":
        return None
    return linear_baseline(parts.train, parts.validation, seed=parts.recipe.seed)


def _save_results(
    parts: Parts, folder: Path, kept: int | None, summary: dict[str, Any], tell: Callable[[str], None]
) -> None:
    """Write weights, history, summary and curves of the training so far; of a run without good weights no weights."""
    trainer = parts.trainer
    if trainer.diverged is None or kept is not None:
        _save_weights(parts, folder, kept)
    if trainer.diverged is not None:
        about = {"diverged": trainer.diverged, "epoch": kept}
        tell(f"{folder} has no weights, since none were good" if kept is None else said_of_diverged(folder, about))
    write(folder / HISTORY, trainer.history.csv())
    if trainer.record is not None:
        write_record(folder, trainer.record)
    write(folder / SUMMARY, dumps(summary, indent=2) + "\n")
    if len(trainer.history):
        best = kept if trainer.diverged is not None or (parts.stopper and parts.stopper.restore_best) else None
        try:
            write(folder / CURVES, _curves(parts, best))
        except Exception as error:
            tell(f"the run is saved, but {CURVES} could not be drawn: {error}")


def _curves(parts: Parts, best: int | None) -> bytes:
    """The learning curves, as a PNG file."""
    from ..plot import learning_curves

    picture = io.BytesIO()
    figure = learning_curves(parts.trainer.history, parts.recipe.title or parts.recipe.data.name, best)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a title in a script that no installed font has
        figure.savefig(picture, format="png", dpi=144)
    return picture.getvalue()


def _save_weights(parts: Parts, folder: Path, epoch: int | None) -> None:
    """Write the network, with the scaler and what else predictions need."""
    arrays = {f"model.{name}": value for name, value in parts.model.state_dict().items()}
    if parts.scaler is not None:
        arrays |= {f"scaler.{name}": value for name, value in parts.scaler.state_dict().items()}
    lowest, highest = float(parts.train.inputs.min()), float(parts.train.inputs.max())
    if parts.scaler is not None:
        ends = parts.scaler.inverse_transform(parts.train.inputs)
        lowest, highest = float(ends.min()), float(ends.max())
    settings = {
        "shape": list(parts.shape),
        "outputs": parts.objective.outputs if parts.objective else 0,
        "whole": parts.train.inputs.dtype.kind == "i",
        "classes": parts.train.classes,
        "input_names": parts.train.input_names,
        "table": None if parts.train.table is None else parts.train.table.to_dict(),
        "value_range": [lowest, highest],
        "task": parts.train.task,
        "data": parts.train.name,
        "epoch": epoch,
        "diverged": parts.trainer.diverged,
    }
    save_arrays(folder / WEIGHTS, arrays, settings)


def _summary(parts: Parts, folder: Path, kept: int | None) -> dict[str, Any]:
    """The run in numbers. Loss and measures are those of the epoch whose weights the run has."""
    trainer = parts.trainer
    row = trainer.history.rows[kept - 1] if kept else {}
    measures = {name: value for name, value in row.items() if name.startswith(("train_", "val_"))}
    if parts.validation is not None and (kept or trainer.diverged is None):
        measures |= _of_whole_answers(parts.model, parts.validation, "val_")
    return {
        "run": str(folder),
        "epochs": trainer.epoch,
        "seconds": round(trainer.seconds, 3),
        **measures,
        "best_epoch": row.get("epoch"),
        "baseline": parts.baseline,
        "finished": trainer.epoch >= parts.recipe.training.epochs or trainer.stopped is not None,
        "interrupted": trainer.interrupted,
        "stopped": trainer.stopped,
        "diverged": trainer.diverged,
        "changes": trainer.about.get("changes", []),
        **diagnosed(trainer.diagnosis),
        "parameters": sum(p.size for p in parts.model.parameters()),
        "seed": parts.recipe.seed,
        "data": {
            "name": parts.train.name,
            "source": parts.train.source,
            **parts.checksums,
        },
        "made_with": {"python": platform.python_version(), "numpy": numpy.__version__, "platform": sys.platform},
    }


def evaluate_run(folder: str | Path, again: bool = False) -> dict[str, Any]:
    """Open the run's test set, once, and evaluate the network on it.

    Raises VaultOpenedError if it was opened before and ``again`` is not set; UserError where there is no test set.
    """
    folder = Path(folder)
    recipe, model, scaler, about = trained(folder)
    if hasattr(model, "sample"):
        raise UserError(
            f"{folder} holds a GAN, which is evaluated by its samples: ichikara sample {folder} --judge RUN"
        )
    train, validation, test = load_parts(recipe)
    if test is None and train.task == "text":
        raise UserError(f"{train.name} has no test part; its validation measures are in {folder / SUMMARY}")
    if test is None:
        raise UserError(f"the recipe of {folder} has no test set; split.test is the fraction of the data for one")
    _check_schema(folder, about, train)
    objective = build_objective(recipe, train)
    scaled = lambda data: data if scaler is None or data is None else scaler.transform(data)
    with writing(folder, "ichikara evaluate"):
        vault = TestVault(test, folder / VAULT)
        # The vault opens once, so the network has to answer at all.
        _check_finite(predict(model, scaled(train[:64]).inputs), "the training data")
        opened: Dataset = vault.open("ichikara evaluate", again=again)
        measures = evaluate(model, objective, scaled(opened))
        named = {f"test_{name}": value for name, value in measures.items()} | _of_whole_answers(model, opened, "test_")
        result = {"run": str(folder), "examples": len(opened), **named, "openings": len(vault.openings)}
        result |= divergence(folder)
        subject = Subject(recipe, model, objective, scaled(train), scaled(validation), scaler)
        _report(folder, subject, lambda line: print(line, file=sys.stderr), result)
    return result


def _check_schema(folder: Path, about: dict[str, Any], data: Dataset) -> None:
    """Raise UserError where a table is read otherwise than at the training: its columns or classes have changed."""
    if about.get("table") is not None:
        found = Table.from_dict(about["table"]).differences(data.table)
        if found:
            raise UserError(f"{data.name} has changed since {folder} was trained: {'; '.join(found)}")


def _check_finite(outputs: numpy.ndarray, data: object) -> None:
    """Raise for outputs of a network that are not finite."""
    wrong = ~numpy.isfinite(outputs).reshape(len(outputs), -1).all(axis=1)
    if wrong.any():
        raise UserError(
            f"the network's output for row {int(wrong.argmax())} of {data} (counted from 0) is not finite; the "
            "network's weights, or the numbers of that row, are too large"
        )


def _of_whole_answers(model, data: Dataset, prefix: str) -> dict[str, float]:
    """The fraction of completely right answers, for a network that writes sequences; its loss counts single symbols."""
    return {f"{prefix}exact": model.exact(data.inputs, data.targets)} if hasattr(model, "exact") else {}


class Prediction:
    """A network's predictions: outputs, classes with their probabilities, or sequences of symbols."""

    def __init__(self, outputs, labels, probabilities, classes):
        self.outputs, self.labels, self.probabilities, self.classes = outputs, labels, probabilities, classes

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary for each input."""
        rows = []
        for i, output in enumerate(self.outputs):
            if self.labels is None:
                if self.classes is None:
                    rows.append({"output": numpy.ravel(output).tolist()})
                else:
                    rows.append({"answer": " ".join(self.classes[symbol] for symbol in output)})
                continue
            row = {"class": self.classes[self.labels[i]]}
            if self.probabilities is not None:
                row["probability"] = float(self.probabilities[i])
            rows.append(row)
        return rows


def predict_run(
    folder: str | Path, path: str | Path, invert: bool = False, tell: Callable[[str], None] = lambda line: None
) -> Prediction:
    """The predictions of a run's network for the inputs in a file (CSV, .npy, picture); see `load_inputs`.

    Raises UserError for a folder without a run, and for inputs that do not fit.
    """
    recipe, model, scaler, about = trained(Path(folder))
    shape, classes = tuple(about["shape"]), about["classes"]
    table = None
    if about.get("table") is not None:
        table = Table.from_dict(about["table"])
    elif about["input_names"]:
        table = Table(tuple(Column(name) for name in about["input_names"]))
    if hasattr(model, "sample"):
        raise UserError(f"{folder} holds a GAN, which makes images from noise: ichikara sample {folder}")
    if about["task"] == "text":
        raise UserError(f"{folder} was trained on a text; to continue one: ichikara generate {folder} --prompt …")
    if hasattr(model, "solve"):
        return _solved(model, path, classes)
    values = tuple(about["value_range"])
    inputs = load_inputs(path, shape, table=table, value_range=values, invert=invert, tell=tell)
    outputs = predict(model, inputs if scaler is None else scaler.transform(inputs))
    _check_finite(outputs, path)
    if classes is None:
        return Prediction(outputs, None, None, None)
    blank = Dataset(numpy.zeros((1, *shape)), numpy.zeros(1), classes=tuple(classes))
    labels, probabilities = build_objective(recipe, blank).decide(asarray(outputs))
    return Prediction(outputs, labels, probabilities, classes)


def _solved(model, path: str | Path, classes: list[str]) -> Prediction:
    """The answers to questions, which are sequences of symbols given by their numbers."""
    questions = load_inputs(path, (model.length,))
    known = len(classes) - 1  # the last symbol is the start of an answer
    wrong = (questions != questions.round()) | (questions < 0) | (questions >= known)
    if wrong.any():
        row, column = (int(i) for i in numpy.argwhere(wrong)[0])
        raise UserError(
            f"{path} holds {questions[row, column]:g} in row {row}, column {column} (counted from 0); "
            f"the network knows the symbols 0 to {known - 1}"
        )
    answers = model.solve(questions.astype("int64")).numpy()
    return Prediction(answers, None, None, classes)
