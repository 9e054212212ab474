"""Rules about the targets: leaks, wrong labels, and classes that are rare."""

from typing import Any

import numpy

from .evaluation import evaluated
from .rule import SYMPTOMS, certain, likely, rule
from .tables import LEAST, ROWS, is_measured, name_of, rows_of

__all__ = []

RARE = 5.0
"""How many times the rarest class's share the commonest may have; below it, nothing is judged. Ten to one is the usual
definition of a serious imbalance (He and Garcia, "Learning from Imbalanced Data", 2009); half of it is shown only if
the network misses the rare classes."""

UNHEARD = 0.05
"""The part of the validation data that may be of classes which the training data does not have."""

CHANCE = 3.0
"""Added to the number of examples of each class before they are compared, since small numbers differ by chance."""

SEPARATION = 0.999
"""The part of a column's variance that the target explains from which the column is the target. Well-separated clusters
have 0.97 (trial on blobs); the petals of irises 0.94."""

MISLABELLED = 0.2
"""How much less the targets of the training data may follow from their inputs than those of the validation data do. Of
parts of 300 rows the deviation is 0.03."""

SAME, OTHER, FEWEST = 0.7, 0.2, 8
"""A class has other labels in the validation data if its rows' nearest neighbours share their label more often than the
first within each part, and more seldom than the second across the parts; of classes with so many rows."""

NOTHING = 0.05
"""The part of the variance of targets up to which a line that was fitted to other rows explains nothing."""

MISLABELLED_TEXT = 0.05
"""The same of a text, of which many more places are counted."""


@rule("leaking", lesson="overfitting", needs=("train",), explains=("overfitting",))
def leaking(case):
    """A column of the inputs is the target, in another form."""
    if case.task in ("text", "sequence"):
        inputs, targets = numpy.asarray(case.train.inputs), numpy.asarray(case.train.targets)
        if case.task == "text" and inputs.shape == targets.shape and len(numpy.unique(inputs)) > 1:
            same = float((inputs == targets).mean())
            return certain(column="x", part=same) if same > SEPARATION else None
        return None
    rows, targets = rows_of(case.train)
    if len(rows) < LEAST or not is_measured(case.train):
        return None
    targets = targets.reshape(len(targets), -1)
    if case.classes:
        if targets.shape[1] != 1:
            return None
        groups = [targets[:, 0] == c for c in numpy.unique(targets)]
    if rows.shape == targets.shape and numpy.array_equal(rows, targets):
        return None  # a network that is to give back what it gets
    spread = rows.var(axis=0)
    for column in numpy.flatnonzero(spread > 1e-12):
        values = rows[:, column]
        if case.classes:
            within = sum(float(((values[g] - values[g].mean()) ** 2).sum()) for g in groups)
            part = 1 - within / (len(values) * spread[column])
            enough = len(groups) > 1 and min(int(g.sum()) for g in groups) > 1
        else:
            part = max(float(numpy.corrcoef(values, t)[0, 1] ** 2) for t in targets.T if t.std() > 0)
            enough = rows.shape[1] > 1
        if enough and part > SEPARATION:
            return certain(column=name_of(case.train, int(column)), part=part)
    return None


@rule("labels_differ", lesson="overfitting", needs=("train", "validation"), explains=("wrong_labels", *SYMPTOMS))
def labels_differ(case):
    """The same things, or those of some class, have other labels in the validation data than in the training data."""
    if case.task != "classification" or not _comparable(case):
        return None
    here, there, across = _neighbours(case)
    if here is None:
        return None
    within = min(here.mean(), there.mean())
    if within - across.mean() >= MISLABELLED:
        return certain(across=float(across.mean()), within=float(within))
    labels = _even(case)[0][1]
    for label in numpy.unique(labels):
        these = labels == label
        if these.sum() >= FEWEST and min(here[these].mean(), there[these].mean()) > SAME > OTHER > across[these].mean():
            return certain(
                across=float(across[these].mean()), within=float(min(here[these].mean(), there[these].mean()))
            )
    return None


@rule("wrong_labels", lesson="overfitting", needs=("train", "validation"), explains=SYMPTOMS)
def wrong_labels(case):
    """Labels of the training data are not those of its rows: examples alike have other labels."""
    here, there = _agreements(case)
    return certain(train=here, validation=there) if _looser(here, there, case.task) else None


@rule("wrong_validation_labels", lesson="overfitting", needs=("train", "validation"), explains=("overfitting",))
def wrong_validation_labels(case):
    """Labels of the validation data are not those of its rows."""
    here, there = _agreements(case)
    return certain(train=here, validation=there) if _looser(there, here, case.task) else None


def _looser(these, others, task) -> bool:
    """Whether targets follow from their inputs so much less than others do that they cannot belong to them."""
    if these is None or others is None:
        return False
    if task == "regression":  # of which a line explains more of one half than of another by chance
        return these < NOTHING and others > NOTHING + MISLABELLED
    return others - these > (MISLABELLED_TEXT if task == "text" else MISLABELLED)


def _comparable(case) -> int:
    """How many rows of the training and the validation data to compare; 0 where there are too few."""
    n = min(len(case.train.inputs), len(case.validation.inputs), 500)
    return n if n >= LEAST and is_measured(case.train) else 0


def _even(case):
    """Rows and labels of the training and of the validation data, each row once, so that each label comes as often in
    one as in the other and stands at the same places: the rarer a class, the rarer a neighbour of it."""
    n = _comparable(case)
    (here, labels), (there, others) = (_once(*rows_of(data, n)) for data in (case.train, case.validation))
    ours, theirs = [numpy.array([], int)], [numpy.array([], int)]
    for label in numpy.intersect1d(labels, others):
        places = numpy.flatnonzero(labels == label), numpy.flatnonzero(others == label)
        count = min(map(len, places))
        ours.append(places[0][:count])
        theirs.append(places[1][:count])
    mine, yours = numpy.concatenate(ours), numpy.concatenate(theirs)
    return (here[mine], labels[mine]), (there[yours], others[yours])


def _once(rows, labels):
    """Rows without those that came before, and their labels."""
    kept = numpy.sort(numpy.unique(rows, axis=0, return_index=True)[1])
    return rows[kept], labels[kept]


def _neighbours(case):
    """Whether the nearest neighbour of each row has its label: of the training data within it, of the validation data
    within it, and of the validation data in the training data. None for each where there are too few rows."""
    if numpy.ndim(case.train.targets) > 1:
        return None, None, None
    (here, labels), (there, others) = _even(case)
    if len(labels) < LEAST:
        return None, None, None
    return (
        _alike(here, here, labels, labels, own=True),
        _alike(there, there, others, others, own=True),
        _alike(there, here, others, labels),
    )


def _alike(rows, known, labels, names, own=False):
    """Whether each row's nearest neighbour among the known ones has its label; a row is not its own neighbour."""
    distance = (rows**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * rows @ known.T
    if own:
        numpy.fill_diagonal(distance, numpy.inf)
    return names[distance.argmin(axis=1)] == labels


def _agreements(case):
    """How well targets follow from inputs by the simplest means, in the training and in the validation data; None where
    these say nothing of such data. In a classification, how often the nearest neighbour's class is the row's."""
    if case.task == "text":
        return _successors(case.train), _successors(case.validation)
    if not _comparable(case):
        return None, None
    if case.task == "classification":
        here, there, _ = _neighbours(case)
        return (None, None) if here is None else (float(here.mean()), float(there.mean()))
    return (_line(case.train), _line(case.validation)) if case.task == "regression" else (None, None)


def _successors(text):
    """How often the commonest successor of a character comes."""
    inputs, targets = (numpy.asarray(a).reshape(-1)[:20000] for a in (text.inputs, text.targets))
    if len(inputs) < 1000:
        return None
    counts = numpy.zeros((int(inputs.max()) + 1, int(targets.max()) + 1))
    numpy.add.at(counts, (inputs, targets), 1)
    return float(counts.max(axis=1).sum() / counts.sum())


def _line(data):
    """The part of the targets' variance that a line explains in another half of the rows."""
    rows, targets = rows_of(data, ROWS)
    n = len(rows)
    if numpy.ndim(data.inputs) == 3:
        rows = _moments(rows.reshape(n, *data.inputs.shape[1:]))
    targets = targets.reshape(n, -1).astype("float64")
    rows = numpy.concatenate([rows, numpy.ones((n, 1))], axis=1)
    half = n // 2
    if rows.shape[1] > half // 2:
        return None
    weights = numpy.linalg.lstsq(rows[:half], targets[:half], rcond=None)[0]
    errors = float(((rows[half:] @ weights - targets[half:]) ** 2).mean())
    return max(1 - errors / max(float(targets[half:].var(axis=0).mean()), 1e-30), 0.0)


def _moments(sequences):
    """The means over time of each component of a sequence, and of each product of two."""
    products = (sequences[:, :, :, None] * sequences[:, :, None, :]).mean(axis=1)
    return numpy.concatenate([sequences.mean(axis=1), products.reshape(len(sequences), -1)], axis=1)


@rule("imbalance", lesson="loss", needs=("train",), explains=SYMPTOMS)
def imbalance(case):
    """Some classes are so rare that the network does not answer with them, or come in the validation data alone."""
    if case.task != "classification" or case.shares is None or len(case.train.inputs) < LEAST:
        return None
    if case.validation is not None and numpy.ndim(case.validation.targets) == 1:
        known = numpy.isin(case.validation.targets, case.train.targets)
        if (~known).mean() > UNHEARD:
            return certain(highest=float(case.shares.max()), lowest=0.0, recall=0.0)
    present = case.shares[case.shares > 0]
    counts = present * case.train.targets.size + CHANCE
    if len(present) < 2 or counts.max() < RARE * counts.min():
        return None
    recall = _recall(case)
    rare = case.shares < case.shares.max() / RARE
    evidence: dict[str, Any] = {"highest": float(present.max()), "lowest": float(present.min())}
    if recall is None:
        return likely(**evidence, recall=float("nan")) if present.max() > 2 * RARE * present.min() else None
    counted = ~numpy.isnan(recall)
    missed, others = recall[rare & counted], recall[~rare & counted]
    if len(missed) and len(others) and missed.mean() < others.mean() - 0.15:
        return certain(**evidence, recall=float(missed.mean()))
    return None


def _recall(case):
    """The part of each class that the model finds, in the validation data if there is some; None without a model."""
    data = case.validation if case.validation is not None else case.train
    if case.model is None or not case.finite:
        return None
    step = max(len(data.inputs) // ROWS, 1)
    outputs = evaluated(case, [data.inputs[::step]])
    if outputs is None or outputs[0].ndim != 2:
        return None
    labels, found = numpy.asarray(data.targets)[::step], outputs[0]
    chosen = (found[:, 0] > 0).astype(int) if found.shape[1] == 1 else found.argmax(axis=1)
    counts = numpy.bincount(labels, minlength=len(case.shares))
    right = numpy.bincount(labels[chosen == labels], minlength=len(case.shares))
    return numpy.where(counts > 0, right / numpy.maximum(counts, 1), numpy.nan)
