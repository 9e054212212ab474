"""Rules about the data: what the network is given to learn from, and to be judged by."""

import math

import numpy

from .rule import SYMPTOMS, certain, likely, rule
from .tables import LEAST, is_measured, name_of, rows_of

__all__ = []

LARGE = 20.0
"""The root mean square from which inputs are unscaled: 1 is advised (LeCun et al., "Efficient BackProp", 1998, section
4.3), digits from 0 to 16, which train well as they are, have 7.6 (trial on healthy runs)."""

SMALL = 0.02
"""The root mean square up to which inputs are unscaled; the pixels of MNIST from 0 to 1 have 0.33."""

MIXED = 30.0
"""How many times the median column's spread the largest may be. Of nine healthy tables the largest had 6."""

SHIFTED = 3.0
"""By how many of the training data's deviations, or by which factor in spread, validation data may differ in the
median column. A random split of 100 rows gives at most 0.3 and 1.3."""

UNLIKE = 0.25
"""By how many of the training data's deviations the means of the validation data's columns may differ, or by which
logarithm their deviations, in the mean over the columns, beyond what chance makes of it."""

SHARED = 0.02
"""The part of the validation rows that may be found in the training data, beyond what repeats within each of them."""

SORTED = 0.6
"""The part of the targets' variance that may lie between batches. Shuffled ones have 1/m for batches of m."""


# --- scale ------------------------------------------------------------------------------------------------------------


@rule(
    "useless_column",
    lesson="scaling",
    needs=("train",),
    explains=("unscaled", "mixed_units", "bad_initialisation", *SYMPTOMS),
)
def useless_column(case):
    """A column that is the same in every row, and large."""
    if not is_measured(case.train) or len(case.train.inputs) < 2:
        return None
    rows, _ = rows_of(case.train)
    fixed = rows.std(axis=0) <= 1e-6 * numpy.maximum(numpy.abs(rows[0]), 1e-30)
    others = rows[:, ~fixed]
    if not fixed.any() or not others.size:
        return None
    column = int(numpy.argmax(numpy.where(fixed, numpy.abs(rows[0]), -1)))
    value, usual = float(rows[0, column]), float(numpy.sqrt((others**2).mean()))
    return certain(column=name_of(case.train, column), value=value, usual=usual) if abs(value) > LARGE * usual else None


@rule("duplicate_columns", lesson="scaling", needs=("train",))
def duplicate_columns(case):
    """Two columns of a table are the same."""
    if not is_measured(case.train) or numpy.ndim(case.train.inputs) != 2 or len(case.train.inputs) < LEAST:
        return None
    rows, _ = rows_of(case.train)
    seen: dict[bytes, int] = {}
    for column in range(rows.shape[1]):
        values = numpy.ascontiguousarray(rows[:, column])
        counts = numpy.unique(values, return_counts=True)[1]
        if len(counts) <= 2 or len(values) - counts.max() < LEAST // 2:
            continue  # a column that hardly varies may be another one's twin by chance
        first = seen.setdefault(values.tobytes(), column)
        if first != column:
            return certain(first=name_of(case.train, first), second=name_of(case.train, column))
    return None


@rule("mixed_units", lesson="scaling", needs=("train",), explains=("unscaled", "bad_initialisation", *SYMPTOMS))
def mixed_units(case):
    """Columns of very different sizes: the largest ones decide alone."""
    if not is_measured(case.train) or numpy.ndim(case.train.inputs) != 2:
        return None
    rows, _ = rows_of(case.train)
    spread = rows.std(axis=0)
    spread = spread[spread > 0]
    if len(spread) < 2 or len(rows) < LEAST:
        return None
    typical = float(numpy.median(spread)) if len(spread) > 2 else float(spread.min())
    largest = float(spread.max())
    if largest < MIXED * typical or largest < 1:
        return None
    column = int(numpy.argmax(rows.std(axis=0)))
    return certain(column=name_of(case.train, column), largest=largest, typical=typical, ratio=largest / typical)


@rule("unscaled", lesson="scaling", needs=("train",), explains=("bad_initialisation", *SYMPTOMS))
def unscaled(case):
    """The inputs are far larger, or far smaller, than 1."""
    if not is_measured(case.train):
        return None
    rows, _ = rows_of(case.train)
    size = float(numpy.sqrt((rows**2).mean()))
    return certain(size=size) if size > LARGE or 0 < size < SMALL else None


@rule("unscaled_targets", lesson="scaling", needs=("train",), explains=SYMPTOMS)
def unscaled_targets(case):
    """The targets of a regression are far larger than what a network gives at first."""
    if case.task != "regression":
        return None
    targets = numpy.asarray(case.train.targets, "float64")
    size = float(numpy.sqrt((targets**2).mean()))
    return likely(size=size) if size > LARGE and _unlearnt(case) else None


def _unlearnt(case) -> bool:
    """Whether the run went badly: numbers that are not finite, or no better than the best constant answer."""
    if not case.finite:
        return True
    return case.end is not None and case.constant is not None and case.end > 0.9 * case.constant


@rule(
    "validation_scale",
    lesson="scaling",
    needs=("train", "validation"),
    explains=("validation_inputs", "labels_differ", "wrong_labels", "wrong_validation_labels", "overfitting"),
)
def validation_scale(case):
    """The validation data is scaled otherwise than the training data."""
    if not is_measured(case.train) or min(len(case.train.inputs), len(case.validation.inputs)) < LEAST // 2:
        return None
    here, there = rows_of(case.train)[0], rows_of(case.validation)[0]
    if here.shape[1] != there.shape[1]:
        return None
    varied = here.std(axis=0) > 1e-3 * max(float(here.std()), 1e-30)
    if not varied.any():
        return None
    here, there = here[:, varied], there[:, varied]
    shift = float(numpy.median(numpy.abs(there.mean(axis=0) - here.mean(axis=0)) / here.std(axis=0)))
    sizes = [float(numpy.sqrt((rows**2).mean())) for rows in (here, there)]
    ratio = float(numpy.median((there.std(axis=0) + 1e-12) / here.std(axis=0)))
    overall = sizes[1] / max(sizes[0], 1e-30)
    if shift > SHIFTED or not 1 / SHIFTED < ratio < SHIFTED or not 1 / SHIFTED < overall < SHIFTED:
        return certain(train=sizes[0], validation=sizes[1], shift=shift, ratio=ratio)
    return None


@rule(
    "validation_inputs",
    lesson="overfitting",
    needs=("train", "validation"),
    explains=("labels_differ", "wrong_labels", "wrong_validation_labels", "overfitting"),
)
def validation_inputs(case):
    """The validation inputs are not like the training inputs, nor are those of each class."""
    if not is_measured(case.train):
        return None
    (here, labels), (there, others) = (rows_of(data) for data in (case.train, case.validation))
    if min(len(here), len(there)) < LEAST or here.shape[1] != there.shape[1]:
        return None
    apart = [_apart(here, there)]
    if case.task == "classification" and labels.ndim == 1:  # classes may come more or less often
        common = [
            label for label in numpy.unique(labels) if min((labels == label).sum(), (others == label).sum()) >= 10
        ]
        if len(common) < 2:
            return None
        of_classes = numpy.array([_apart(here[labels == label], there[others == label]) for label in common])
        apart.append(tuple(of_classes.mean(axis=0)))
    shift, spread, excess = min(apart, key=lambda one: one[2])
    return certain(shift=float(shift), ratio=float(math.exp(spread))) if excess > UNLIKE else None


def _apart(here, there):
    """How far the columns' means are apart, and the logarithms of their deviations, in the mean; and the larger without
    what is expected by chance."""
    chance = math.sqrt(1 / len(here) + 1 / len(there))  # of a normal variable the mean distance is 0.8 of it
    chance *= 1 + 2 / math.sqrt(here.shape[1])  # the mean of few columns varies
    deviations = here.std(axis=0), there.std(axis=0)
    varied = numpy.maximum(*deviations) > 0.03 * max(float(here.std()), 1e-30)
    if not varied.any():
        return 0.0, 0.0, 0.0
    first, second = (numpy.maximum(d[varied], 0.03 * max(float(here.std()), 1e-30)) for d in deviations)
    distance = numpy.abs(here.mean(axis=0) - there.mean(axis=0))[varied]
    shift = float(numpy.minimum(distance / numpy.maximum(first, second), 3.0).mean())
    spread = float(numpy.minimum(numpy.abs(numpy.log(second / first)), 3.0).mean())
    return shift, spread, max(shift - chance, spread - 1.5 * chance)


# --- how it is divided ------------------------------------------------------------------------------------------------


@rule("both_sides", lesson="overfitting", needs=("train", "validation"))
def both_sides(case):
    """Rows of the validation data are in the training data."""
    if case.task == "text":
        return _shared_text(case)
    here, there = (_keys(data) for data in (case.train, case.validation))
    shared = sum(key in set(here) for key in there) if len(here) < 2 else _count_in(there, set(here))
    part = shared / max(len(there), 1)
    repeated = max(1 - len(set(keys)) / max(len(keys), 1) for keys in (here, there))  # whole numbers repeat by chance
    if len(there) < LEAST // 2 or part <= SHARED + 3 * repeated:
        return None
    return certain(count=shared, part=part)


def _keys(data) -> list[bytes]:
    inputs = numpy.ascontiguousarray(data.inputs)
    return [row.tobytes() for row in inputs]


def _count_in(keys, known) -> int:
    return sum(key in known for key in keys)


def _shared_text(case):
    symbols = [numpy.asarray(data.inputs).reshape(-1).astype("int32") for data in (case.train, case.validation)]
    length = 100  # no passage of so many characters comes twice in a text by chance
    if min(map(len, symbols)) < 2 * length:
        return None
    whole = symbols[0].tobytes()
    starts = numpy.linspace(0, len(symbols[1]) - length, 50).astype(int)
    shared = sum(symbols[1][s : s + length].tobytes() in whole for s in starts)
    part = shared / len(starts)
    return certain(count=shared, part=part) if part > SHARED else None


@rule("sorted_batches", lesson="mini-batches", needs=("train",), explains=SYMPTOMS)
def sorted_batches(case):
    """The batches are in the order of the targets: each shows a part of what is to be learnt."""
    if case.task not in ("classification", "regression"):
        return None
    if case.batches is not None and len(case.batches) > 1:
        parts = [numpy.asarray(targets) for _, targets in case.batches]
    elif case.settings.get("shuffle") is False and case.batch_size:
        targets = numpy.asarray(case.train.targets)
        parts = [targets[i : i + case.batch_size] for i in range(0, len(targets), case.batch_size)]
    else:
        return None
    parts = [part for part in parts if len(part) >= 8]
    if len(parts) < 4:
        return None
    if case.classes and parts[0].ndim == 1:
        whole = numpy.concatenate(parts)
        forms = [(part[:, None] == numpy.arange(case.classes)).astype(float) for part in parts]
        if len(numpy.unique(whole)) < 2:
            return None
    else:
        forms = [part.reshape(len(part), -1).astype(float) for part in parts]
    everything = numpy.concatenate(forms)
    total = float(((everything - everything.mean(axis=0)) ** 2).sum())
    between = sum(len(f) * float(((f.mean(axis=0) - everything.mean(axis=0)) ** 2).sum()) for f in forms)
    part = between / max(total, 1e-30)
    return certain(part=part, batches=len(parts)) if part > SORTED else None


@rule("vault_opened", lesson="overfitting")
def vault_opened(case):
    """The test set was opened more than once."""
    openings = case.settings.get("openings", 0)
    return certain(count=openings) if openings > 1 else None
