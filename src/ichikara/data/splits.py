"""Training, validation and test parts: train on the first, validate on the second, test once on the third."""

from dataclasses import replace
from typing import NamedTuple

import numpy

from ichikara.arrays import Generator
from ichikara.checks import number, whole_number, yes_or_no
from ichikara.errors import UserError, advice, key, plural

from .dataset import Dataset

__all__ = ["Split", "TrainTest", "TrainValidation", "split"]


class Split(NamedTuple):
    """The parts of a data set; a part that was not requested is None."""

    train: Dataset
    validation: Dataset | None
    test: Dataset | None


class TrainTest(NamedTuple):
    """A data set that is published in two parts, for training and test."""

    train: Dataset
    test: Dataset


class TrainValidation(NamedTuple):
    """A data set that comes in two parts, for training and validation."""

    train: Dataset
    validation: Dataset


def split(
    dataset: Dataset, validation: float = 0.2, test: float = 0.0, *, seed: int = 0, stratify: bool | None = None
) -> Split:
    """Split a data set at random, each example into exactly one part; a text is cut in order, its end held out.

    Shapes: of n examples, round(n · validation) and round(n · test) are held out, and the rest is for training.

    Arguments: ``validation`` and ``test``, fractions of the whole, 0 for no such part; ``seed``, for the draw;
    ``stratify``, whether each class is split in the same proportion, by default true for a classification.

    Errors: `UserError` if a fraction is out of range, a part comes out empty, or a class has too few members to be in
    every part.

    >>> from ichikara.data import load_digits
    >>> parts = split(load_digits(), validation=0.2, test=0.1, seed=1)
    >>> len(parts.train), len(parts.validation), len(parts.test)
    (1258, 359, 180)

    Source: stratified sampling is scikit-learn's ``train_test_split``.
    """
    seed = whole_number("seed", seed, at_least=0)
    fractions = {"validation": _fraction("validation", validation), "test": _fraction("test", test)}
    if sum(fractions.values()) >= 1:
        raise UserError(
            f"{key('validation')} {validation:g} and {key('test')} {test:g} leave nothing to train on; "
            f"their sum must be below 1"
        )
    sizes = {part: round(len(dataset) * fraction) for part, fraction in fractions.items() if fraction > 0}
    sizes = {"train": len(dataset) - sum(sizes.values()), **sizes}
    empty = [part for part, size in sizes.items() if size < 1]
    if empty:
        raise UserError(
            f"{dataset.name}: of {plural(len(dataset), 'example')} none is left for {' and '.join(empty)}; "
            f"use more data or other fractions"
        )
    stratify = dataset.task == "classification" if stratify is None else yes_or_no("stratify", stratify)
    if stratify:
        _check_classes(dataset, sizes)

    if dataset.task == "text":  # neighbours overlap, and training must not see what follows
        ends = numpy.cumsum([0, *sizes.values()])
        rows = {part: numpy.arange(ends[i], ends[i + 1]) for i, part in enumerate(sizes)}
    else:
        rows = _draw(dataset, sizes, Generator(seed), stratify)
    parts = {part: replace(dataset[rows[part]], part=part) for part in sizes}
    return Split(parts["train"], parts.get("validation"), parts.get("test"))


def _fraction(name: str, value: float) -> float:
    fraction = number(name, value, at_least=0)
    if fraction >= 1:
        raise UserError(f"{key(name)} is a fraction of the data, from 0 to below 1, not {value!r}")
    return fraction


def _check_classes(dataset: Dataset, sizes: dict[str, int]) -> None:
    """Refuse what cannot be stratified, by the name of the class or the part that is too small."""
    if dataset.task != "classification" or dataset.targets.ndim != 1 or dataset.classes is None:
        raise UserError(
            f"{dataset.name}: only a set with one class for each example can be stratified; {advice(stratify=False)}"
        )
    present, members = numpy.unique(dataset.targets, return_counts=True)
    for label, count in zip(present, members.tolist(), strict=True):
        if count < len(sizes):
            raise UserError(
                f"{dataset.name}: class '{dataset.classes[label]}' has {plural(count, 'member')}, too few for "
                f"{' and '.join(sizes)}; {advice('add examples of it', 'drop it', stratify=False)}"
            )
    for part, size in sizes.items():
        if size < len(present):
            raise UserError(
                f"{dataset.name}: the {part} part of {plural(size, 'example')} cannot hold all {len(present)} "
                f"classes; {advice('enlarge it', stratify=False)}"
            )


def _draw(dataset: Dataset, sizes: dict[str, int], generator: Generator, stratify: bool) -> dict[str, numpy.ndarray]:
    """Row numbers for each part: the held-out parts are drawn one after the other, the rest is for training."""
    rest = numpy.arange(len(dataset))
    rows: dict[str, numpy.ndarray] = {}
    if not stratify:
        for part in ("test", "validation"):
            if part in sizes:
                draw = numpy.random.RandomState(int(generator.integers(2**32)))  # the rows are those of scikit-learn
                order = draw.permutation(len(rest))
                rows[part], rest = rest[order[: sizes[part]]], rest[order[sizes[part] :]]
        return {**rows, "train": rest}
    from sklearn.model_selection import train_test_split

    try:
        for part in ("test", "validation"):
            if part in sizes:
                # Sizes as whole numbers: a fraction of a fraction would round to one example more or less.
                rest, rows[part] = train_test_split(
                    rest,
                    test_size=sizes[part],
                    random_state=int(generator.integers(2**32)),
                    stratify=dataset.targets[rest],
                )
    except ValueError as error:
        raise UserError(
            f"{dataset.name}: cannot be stratified into {sizes} ({error}); {advice(stratify=False)}"
        ) from None
    return {**rows, "train": rest}
