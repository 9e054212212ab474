"""Folds for cross-validation: each example is in one validation part; leakage is refused."""

from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy

from ichikara.arrays import Generator, contextmanager
from ichikara.checks import whole_number, yes_or_no
from ichikara.errors import UserError, advice, plural

from .dataset import Dataset

__all__ = ["Fold", "inside_fold", "k_folds", "refuse_inside_fold"]


@dataclass(frozen=True, eq=False)
class Fold:
    """One split of cross-validation: the training rows, the validation rows, and a seed.

    ``number`` counts from 1. Its parts are copied from the data set at each access.
    """

    number: int
    dataset: Dataset
    train_rows: numpy.ndarray
    validation_rows: numpy.ndarray
    seed: int

    @property
    def train(self) -> Dataset:
        """The training examples."""
        return replace(self.dataset[self.train_rows], part="train")

    @property
    def validation(self) -> Dataset:
        """The validation examples."""
        return replace(self.dataset[self.validation_rows], part="validation")

    def __repr__(self):
        return f"Fold({self.number}: {len(self.train_rows)} to train, {len(self.validation_rows)} to validate)"


def k_folds(
    dataset: Dataset,
    folds: int = 5,
    *,
    stratify: bool | None = None,
    groups: Sequence[Any] | numpy.ndarray | None = None,
    seed: int = 0,
    duplicates: bool = False,
) -> list[Fold]:
    """Split a data set k times, so that each example is in the validation part of exactly one fold.

    Shapes: of n examples each validation part has n / k, rounded up or down; with groups about as many.

    Arguments: ``dataset``, unscaled; ``folds``, k, at least 2; ``stratify``, whether every fold has the classes in the
    same proportion, by default true for a classification; ``groups``, a name or number for each example (a patient, a
    writer): examples of a group are never in both parts; ``seed``, of the shuffle; ``duplicates``, whether equal rows
    may be in both parts.

    Errors: `UserError` for a data set that was scaled before, for a vault or a test part, for a row that is in both
    parts of a fold, for a class that is absent from a part of a fold, and for a text, whose order matters.

    >>> from ichikara.data import load_digits
    >>> k_folds(load_digits(), folds=5)[0]
    Fold(1: 1437 to train, 360 to validate)

    Source: M. Stone, "Cross-Validatory Choice and Assessment of Statistical Predictions" (1974); the split is
    scikit-learn's ``KFold``, ``StratifiedKFold``, ``GroupKFold``, ``StratifiedGroupKFold``; part D3 of the lecture
    "1から作る DEEP LEARNING".
    """
    _check_dataset(dataset)
    folds, seed = whole_number("folds", folds, at_least=2), whole_number("seed", seed, at_least=0)
    duplicates = yes_or_no("duplicates", duplicates)
    labelled = dataset.task == "classification" and dataset.targets.ndim == 1
    stratify = labelled if stratify is None else yes_or_no("stratify", stratify)
    if stratify and not labelled:
        raise UserError(f"{dataset.name}: only a set with one class for each example can be stratified")
    if len(dataset) < folds:
        raise UserError(f"{dataset.name} has {len(dataset)} examples, too few for {folds} folds")
    names = None if groups is None else _check_groups(dataset, groups, folds)
    if stratify:
        _check_members(dataset, folds, names)

    root = Generator(seed)
    start = int(root.integers(2**32))
    if stratify or names is not None:
        splitter = _splitter(folds, stratify, names is not None, start)
        parts = splitter.split(numpy.zeros(len(dataset)), dataset.targets if stratify else None, names)
    else:
        parts = _drawn(len(dataset), folds, start)
    seeds = [int(root.integers(2**63)) for _ in range(folds)]
    made = [
        Fold(number, dataset, train, validation, seed)
        for number, ((train, validation), seed) in enumerate(zip(parts, seeds, strict=True), 1)
    ]
    if labelled:
        _check_classes(dataset, made)
    if not duplicates:
        _check_duplicates(dataset, made)
    return made


_in_fold: ContextVar[bool] = ContextVar("ichikara_in_fold", default=False)


@contextmanager
def inside_fold() -> Iterator[None]:
    """Within the block, and in this thread only, no test set is opened: see `refuse_inside_fold`."""
    token = _in_fold.set(True)
    try:
        yield
    finally:
        _in_fold.reset(token)


def refuse_inside_fold() -> None:
    """Raise a `UserError` where a test set is about to be opened within a fold.

    >>> with inside_fold():
    ...     refuse_inside_fold()
    Traceback (most recent call last):
    ichikara.errors.UserError: a fold may not open the test set: folds are for model selection, and a test set that ...
    """
    if _in_fold.get():
        raise UserError(
            "a fold may not open the test set: folds are for model selection, and a test set that was used for it is "
            "one more validation set. Use the fold's validation part, and open the vault once, after the selection"
        )


def _check_dataset(dataset: Any) -> None:
    if not isinstance(dataset, Dataset):
        vault = "; a vault stays closed until the selection is made" if hasattr(dataset, "openings") else ""
        raise UserError(f"folds are made of a Dataset, not {type(dataset).__name__}{vault}")
    if dataset.part == "test":
        raise UserError(
            f"this is the test part of {dataset.name}; folds are for model selection, and are made of the training part"
        )
    if dataset.task == "text":
        raise UserError(f"{dataset.name} is a text, whose neighbouring examples overlap; use split()")
    if dataset.scaled:
        raise UserError(
            f"{dataset.name} was scaled before the folds are made, so its scaler was fitted to each fold's validation "
            f"part; give the unscaled data, and the scaler separately: cross_validate(…, scaler=StandardScaler())"
        )


def _check_groups(dataset: Dataset, groups: Any, folds: int) -> numpy.ndarray:
    """The number of each example's group."""
    names, numbers = numpy.unique(numpy.asarray(groups), return_inverse=True)
    if numpy.shape(groups) != (len(dataset),):
        raise UserError(
            f"groups names the group of each of the {len(dataset)} examples, and has the shape {numpy.shape(groups)}"
        )
    if len(names) < folds:
        raise UserError(f"{len(names)} groups cannot be divided over {folds} folds; use at most {len(names)} folds")
    return numbers


def _check_members(dataset: Dataset, folds: int, groups: numpy.ndarray | None) -> None:
    """Refuse a class with fewer members than folds."""
    assert dataset.classes is not None
    for label in numpy.unique(dataset.targets):
        members = dataset.targets == label
        count, what = int(members.sum()), "example"
        if groups is not None:
            count, what = len(numpy.unique(groups[members])), "group"
        if count < folds:
            raise UserError(
                f"{dataset.name}: class '{dataset.classes[label]}' has {plural(count, what)}, so it would "
                f"be absent from {folds - count} of {folds} folds; use at most {max(count, 2)} folds, or drop the class"
            )


def _drawn(n: int, folds: int, seed: int) -> Iterator[tuple[numpy.ndarray, numpy.ndarray]]:
    """The rows of each fold, training before validation, as scikit-learn's ``KFold`` draws them."""
    order = numpy.arange(n)
    numpy.random.RandomState(seed).shuffle(order)
    for rows in numpy.array_split(order, folds):
        yield numpy.setdiff1d(order, rows), numpy.sort(rows)


def _splitter(folds: int, stratify: bool, grouped: bool, seed: int) -> Any:
    from sklearn import model_selection

    if not stratify:
        return model_selection.GroupKFold(folds)  # draws nothing: groups are assigned by size
    kind = model_selection.StratifiedGroupKFold if grouped else model_selection.StratifiedKFold
    return kind(folds, shuffle=True, random_state=seed)


def _check_classes(dataset: Dataset, folds: list[Fold]) -> None:
    assert dataset.classes is not None
    present = numpy.unique(dataset.targets)
    for fold in folds:
        for part, rows in (("training", fold.train_rows), ("validation", fold.validation_rows)):
            absent = numpy.setdiff1d(present, dataset.targets[rows])
            if len(absent):
                raise UserError(
                    f"{dataset.name}: class '{dataset.classes[absent[0]]}' is absent from the {part} part of fold "
                    f"{fold.number}; {advice('use fewer folds', 'another seed', stratify=True)}"
                )


def _check_duplicates(dataset: Dataset, folds: list[Fold]) -> None:
    """Refuse folds with a row in both parts, whatever its target: that is leakage."""
    first: dict[bytes, int] = {}
    same = numpy.empty(len(dataset), "int64")  # for each row the first one that is equal
    for i, row in enumerate(dataset.inputs):
        # + 0.0 makes −0 and 0 the same bytes.
        same[i] = first.setdefault(blake2b((row + 0.0).tobytes(), digest_size=16).digest(), i)
    for fold in folds:
        leaked = numpy.isin(same[fold.validation_rows], same[fold.train_rows])
        if leaked.any():
            count, row = int(leaked.sum()), int(fold.validation_rows[leaked][0])
            equal = int(fold.train_rows[same[fold.train_rows] == same[row]][0])
            raise UserError(
                f"{dataset.name}: in fold {fold.number}, {count} of {len(leaked)} validation rows are in the training "
                f"part (row {row} equals row {equal}, counted from 0); "
                f"{advice('drop the duplicates', groups=..., duplicates=True)}"
            )
