"""A baseline: a linear model that a network has to beat, and that is fitted in a moment."""

import time
import warnings
from typing import Any

import numpy

from ..arrays import Generator
from ..data import Dataset, StandardScaler
from ..errors import UserError

__all__ = ["linear_baseline"]


def linear_baseline(train: Dataset, validation: Dataset, *, limit: int = 10_000, seed: int = 0) -> dict[str, Any]:
    r"""Fit scikit-learn's linear model of a task, and evaluate it on validation data.

    .. math:: p(y = k \mid x) = \mathrm{softmax}(W x + b)_k \quad \text{or} \quad y = W x + b

    with a small penalty on W². Inputs are flattened, and scaled unless they already are.

    Arguments: ``train`` and ``validation``; ``limit``, how many training examples are used at most, drawn at random;
    ``seed``, for the draw.

    Returns a dictionary: ``name``, what was fitted; ``val_accuracy`` for classes, ``val_loss`` (the mean squared error)
    for numbers, both for a text, whose linear model on single characters is a table of which one follows which, and
    whose loss is its cross entropy in nats; ``examples``, how many of the ``available`` ones were used;
    ``seconds``.

    Raises UserError for targets that are sequences, for which there is no linear model.

    >>> from ichikara.data import load_digits, split
    >>> parts = split(load_digits())
    >>> result = linear_baseline(parts.train, parts.validation)
    >>> result["name"], result["val_accuracy"] > 0.9
    ('logistic regression', True)

    Source: C. Bishop, "Pattern Recognition and Machine Learning" (2006), sections 3.1 and 4.3; part D5 of the lecture
    "1から作る DEEP LEARNING": with little data, begin with a linear model.
    """
    began = time.perf_counter()
    available = len(train)
    if not len(validation):
        raise UserError(f"{validation.name}: the validation set is empty; a baseline is evaluated on it")
    if train.task == "text":
        result = _text(train, validation)
        used = available
    elif train.task == "sequence" or (train.task == "classification" and train.targets.ndim > 1):
        raise UserError(f"{train.name} maps sequences to sequences, and there is no linear model of that")
    else:
        used = min(available, limit)
        if used < available:
            train = train[numpy.sort(Generator(seed).permutation(available)[:used])]
        inputs, validation_inputs = _flat(train, validation)
        fit = _classes if train.task == "classification" else _numbers
        result = fit(inputs, train.targets, validation_inputs, validation.targets)
    seconds = round(time.perf_counter() - began, 3)
    return {**result, "examples": used, "available": available, "seconds": seconds}


def _flat(train: Dataset, validation: Dataset) -> tuple[numpy.ndarray, numpy.ndarray]:
    if not train.scaled:
        # All pixels have one unit, and a pixel that is nearly always 0 must not be enlarged. Columns of a table differ.
        scaler = StandardScaler(per="feature" if train.inputs.ndim == 2 else "all").fit(train.inputs)
        return _rows(scaler.transform(train.inputs)), _rows(scaler.transform(validation.inputs))
    return _rows(train.inputs), _rows(validation.inputs)


def _rows(inputs: numpy.ndarray) -> numpy.ndarray:
    return inputs.reshape(len(inputs), -1)


def _classes(inputs, targets, validation_inputs, validation_targets) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression

    present = numpy.unique(targets)
    if len(present) == 1:
        chosen = numpy.full(len(validation_targets), present[0])
    else:
        # A tenth of the usual weight on the data, and few steps: near enough for a baseline, and quick.
        model = LogisticRegression(C=0.1, max_iter=100, tol=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about convergence
            chosen = model.fit(inputs, targets).predict(validation_inputs)
    return {"name": "logistic regression", "val_accuracy": float((chosen == validation_targets).mean())}


def _numbers(inputs, targets, validation_inputs, validation_targets) -> dict[str, Any]:
    from sklearn.linear_model import Ridge

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about badly conditioned inputs
        model = Ridge(alpha=1.0).fit(inputs.astype("float64"), _rows(targets).astype("float64"))
        errors = model.predict(validation_inputs.astype("float64")).reshape(validation_targets.shape)
    errors = errors - validation_targets
    return {"name": "ridge regression", "val_loss": float((errors**2).mean())}


def _text(train: Dataset, validation: Dataset) -> dict[str, Any]:
    """The linear softmax model of one-hot characters has its optimum in closed form: the frequencies of pairs."""
    assert train.classes is not None
    size = len(train.classes)
    pairs = train.inputs * size + train.targets
    counts = numpy.bincount(pairs, minlength=size * size).reshape(size, size) + 0.1  # no pair is impossible
    chances = counts / counts.sum(axis=1, keepdims=True)
    likely = chances[validation.inputs, validation.targets]
    return {
        "name": "table of character pairs",
        "val_loss": float(-numpy.log(likely).mean()),
        "val_accuracy": float((chances.argmax(axis=1)[validation.inputs] == validation.targets).mean()),
    }
