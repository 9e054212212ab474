"""Rules about the data: what the network is given to learn from, and to be judged by."""

import numpy

from .rule import SYMPTOMS, certain, likely, rule

__all__ = []

ROWS = 2000
"""The rows that are looked at, spread evenly over the data."""

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

RARE = 5.0
"""How many times the rarest class's share the commonest may have; below it, nothing is judged. Ten to one is the usual
definition of a serious imbalance (He and Garcia, "Learning from Imbalanced Data", 2009); half of it is shown only if
the network misses the rare classes."""

CHANCE = 3.0
"""Added to the number of examples of each class before they are compared, since small numbers differ by chance."""

SEPARATION = 0.999
"""The part of a column's variance that the target explains from which the column is the target. Well-separated clusters
have 0.97 (trial on blobs); the petals of irises 0.94."""

SHARED = 0.02
"""The part of the validation rows that may be found in the training data, beyond what repeats within each of them."""

MISLABELLED = 0.2
"""How much less the targets of the training data may follow from their inputs than those of the validation data do. Of
parts of 300 rows the deviation is 0.03."""

MISLABELLED_TEXT = 0.05
"""The same of a text, of which many more places are counted."""

SORTED = 0.6
"""The part of the targets' variance that may lie between batches. Shuffled ones have 1/m for batches of m."""

LEAST = 40
"""The least rows from which statistics are taken."""


def _rows(data, most: int = ROWS):
    """Rows of a data set as a table of numbers, spread evenly, and their targets."""
    step = max(len(data.inputs) // most, 1)
    inputs = numpy.asarray(data.inputs)[::step][:most]
    targets = numpy.asarray(data.targets)[::step][:most]
    return inputs.reshape(len(inputs), -1).astype("float64"), targets


def _measured(data) -> bool:
    """Whether the inputs are measurements, and not symbols."""
    return numpy.asarray(data.inputs).dtype.kind == "f"


def _name(data, column: int) -> str:
    names = getattr(data, "input_names", None)
    return names[column] if names else str(column)


# --- scale ------------------------------------------------------------------------------------------------------------


@rule(
    "useless_column",
    lesson="scaling",
    needs=("train",),
    explains=("unscaled", "mixed_units", "bad_initialisation", *SYMPTOMS),
)
def useless_column(case):
    """A column that is the same in every row, and large."""
    if not _measured(case.train) or len(case.train.inputs) < 2:
        return None
    rows, _ = _rows(case.train)
    fixed = rows.std(axis=0) <= 1e-6 * numpy.maximum(numpy.abs(rows[0]), 1e-30)
    others = rows[:, ~fixed]
    if not fixed.any() or not others.size:
        return None
    column = int(numpy.argmax(numpy.where(fixed, numpy.abs(rows[0]), -1)))
    value, usual = float(rows[0, column]), float(numpy.sqrt((others**2).mean()))
    return certain(column=_name(case.train, column), value=value, usual=usual) if abs(value) > LARGE * usual else None


@rule("duplicate_columns", lesson="scaling", needs=("train",))
def duplicate_columns(case):
    """Two columns of a table are the same."""
    if not _measured(case.train) or numpy.ndim(case.train.inputs) != 2 or len(case.train.inputs) < LEAST:
        return None
    rows, _ = _rows(case.train)
    seen: dict[bytes, int] = {}
    for column in range(rows.shape[1]):
        values = numpy.ascontiguousarray(rows[:, column])
        counts = numpy.unique(values, return_counts=True)[1]
        if len(counts) <= 2 or len(values) - counts.max() < LEAST // 2:
            continue  # a column that hardly varies may be another one's twin by chance
        first = seen.setdefault(values.tobytes(), column)
        if first != column:
            return certain(first=_name(case.train, first), second=_name(case.train, column))
    return None


@rule("mixed_units", lesson="scaling", needs=("train",), explains=("unscaled", "bad_initialisation", *SYMPTOMS))
def mixed_units(case):
    """Columns of very different sizes: the largest ones decide alone."""
    if not _measured(case.train) or numpy.ndim(case.train.inputs) != 2:
        return None
    rows, _ = _rows(case.train)
    spread = rows.std(axis=0)
    spread = spread[spread > 0]
    if len(spread) < 2 or len(rows) < LEAST:
        return None
    typical = float(numpy.median(spread)) if len(spread) > 2 else float(spread.min())
    largest = float(spread.max())
    if largest < MIXED * typical or largest < 1:
        return None
    column = int(numpy.argmax(rows.std(axis=0)))
    return certain(column=_name(case.train, column), largest=largest, typical=typical, ratio=largest / typical)


@rule("unscaled", lesson="scaling", needs=("train",), explains=("bad_initialisation", *SYMPTOMS))
def unscaled(case):
    """The inputs are far larger, or far smaller, than 1."""
    if not _measured(case.train):
        return None
    rows, _ = _rows(case.train)
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


@rule("validation_scale", lesson="scaling", needs=("train", "validation"), explains=("overfitting",))
def validation_scale(case):
    """The validation data is scaled otherwise than the training data."""
    if not _measured(case.train) or min(len(case.train.inputs), len(case.validation.inputs)) < LEAST // 2:
        return None
    here, there = _rows(case.train)[0], _rows(case.validation)[0]
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


# --- what the targets say ---------------------------------------------------------------------------------------------


@rule("leaking", lesson="overfitting", needs=("train",), explains=("overfitting",))
def leaking(case):
    """A column of the inputs is the target, in another form."""
    if case.task in ("text", "sequence"):
        inputs, targets = numpy.asarray(case.train.inputs), numpy.asarray(case.train.targets)
        if case.task == "text" and inputs.shape == targets.shape and len(numpy.unique(inputs)) > 1:
            same = float((inputs == targets).mean())
            return certain(column="x", part=same) if same > SEPARATION else None
        return None
    rows, targets = _rows(case.train)
    if len(rows) < LEAST or not _measured(case.train):
        return None
    targets = targets.reshape(len(targets), -1)
    if case.classes:
        if targets.shape[1] != 1:
            return None
        groups = [targets[:, 0] == c for c in numpy.unique(targets)]
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
            return certain(column=_name(case.train, int(column)), part=part)
    return None


@rule("labels_differ", lesson="overfitting", needs=("train", "validation"), explains=("wrong_labels", *SYMPTOMS))
def labels_differ(case):
    """The same things have other labels in the validation data than in the training data."""
    n = _comparable(case)
    if case.task != "classification" or not n:
        return None
    (here, labels), (there, others) = (_rows(data, n) for data in (case.train, case.validation))
    if labels.ndim > 1:
        return None
    both = [_alike(rows, rows, names, names, own=True) for rows, names in ((here, labels), (there, others))]
    across = _alike(there, here, others, labels)
    if min(both) - across < MISLABELLED:
        return None
    return certain(across=across, within=min(both))


@rule("wrong_labels", lesson="overfitting", needs=("train", "validation"), explains=SYMPTOMS)
def wrong_labels(case):
    """Labels of the training data are not those of its rows: examples alike have other labels."""
    here, there = _agreement(case.train, case), _agreement(case.validation, case)
    if here is None or there is None:
        return None
    margin = MISLABELLED_TEXT if case.task == "text" else MISLABELLED
    return certain(train=here, validation=there) if there - here > margin else None


def _comparable(case) -> int:
    """How many rows of the training and the validation data to compare; 0 where there are too few."""
    n = min(len(case.train.inputs), len(case.validation.inputs), 500)
    return n if n >= LEAST and _measured(case.train) else 0


def _alike(rows, known, labels, names, own=False) -> float:
    """How often a row's nearest neighbour among the known ones has its label; a row is not its own neighbour."""
    scale = known.std()
    distance = (rows**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * rows @ known.T
    if own:
        numpy.fill_diagonal(distance, numpy.inf)
    return float((names[distance.argmin(axis=1)] == labels).mean()) if scale else 0.0


def _agreement(data, case):
    """How well targets follow from inputs by the simplest means; None where these say nothing of such data.

    In a classification, how often the nearest neighbour's class is the row's; in a regression, the part of the variance
    that a line explains in another half of the rows; in a text, how often the commonest successor of a character comes.
    """
    if case.task == "text":
        inputs, targets = (numpy.asarray(a).reshape(-1)[:20000] for a in (data.inputs, data.targets))
        if len(inputs) < 1000:
            return None
        counts = numpy.zeros((int(inputs.max()) + 1, int(targets.max()) + 1))
        numpy.add.at(counts, (inputs, targets), 1)
        return float(counts.max(axis=1).sum() / counts.sum())
    n = _comparable(case)
    if not n:
        return None
    rows, targets = _rows(data, n)
    if case.task == "classification":
        return None if targets.ndim > 1 else _alike(rows, rows, targets, targets, own=True)
    if case.task == "regression":
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
    return None


def _moments(sequences):
    """The means over time of each component of a sequence, and of each product of two."""
    products = (sequences[:, :, :, None] * sequences[:, :, None, :]).mean(axis=1)
    return numpy.concatenate([sequences.mean(axis=1), products.reshape(len(sequences), -1)], axis=1)


@rule("imbalance", lesson="loss", needs=("train",), explains=SYMPTOMS)
def imbalance(case):
    """Some classes are so rare that the network does not answer with them."""
    if case.task != "classification" or case.shares is None or len(case.train.inputs) < LEAST:
        return None
    present = case.shares[case.shares > 0]
    counts = present * case.train.targets.size + CHANCE
    if len(present) < 2 or counts.max() < RARE * counts.min():
        return None
    recall = _recall(case)
    rare = case.shares < case.shares.max() / RARE
    evidence = {"highest": float(present.max()), "lowest": float(present.min())}
    if recall is None:
        return likely(**evidence, recall=float("nan")) if present.max() > 2 * RARE * present.min() else None
    counted = ~numpy.isnan(recall)
    missed, others = recall[rare & counted], recall[~rare & counted]
    if len(missed) and len(others) and missed.mean() < others.mean() - 0.15:
        return certain(**evidence, recall=float(missed.mean()))
    return None


def _recall(case):
    """The part of each class that the model finds, in the validation data if there is some; None without a model."""
    from .code import _evaluated

    data = case.validation if case.validation is not None else case.train
    if case.model is None or not case.finite:
        return None
    step = max(len(data.inputs) // ROWS, 1)
    outputs = _evaluated(case, [data.inputs[::step]])
    if outputs is None or outputs[0].ndim != 2:
        return None
    labels, found = numpy.asarray(data.targets)[::step], outputs[0]
    chosen = (found[:, 0] > 0).astype(int) if found.shape[1] == 1 else found.argmax(axis=1)
    counts = numpy.bincount(labels, minlength=len(case.shares))
    right = numpy.bincount(labels[chosen == labels], minlength=len(case.shares))
    return numpy.where(counts > 0, right / numpy.maximum(counts, 1), numpy.nan)


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
