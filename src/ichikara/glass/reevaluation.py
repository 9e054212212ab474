"""The loss of the network at hand, computed once more: what a report of it can be compared with."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy

from ..arrays import Generator, using
from ..autodiff import asarray, no_grad
from .structure import copy_of

__all__ = ["Measured", "loss_on", "parts_of"]

EXAMPLES = 512
"""The most examples that are evaluated, spread evenly over the data."""

SYMBOLS = 16384
"""The most symbols of a text that are evaluated."""

AT_A_TIME = 64
"""How many examples a part has."""

AVERAGED = 0.02
"""By how much the loss of a batch may change when every example stands in it twice: a mean stays the same."""


class Measured(NamedTuple):
    """A mean loss. Arguments: ``mean``, over the parts; ``error``, its standard error."""

    mean: float
    error: float


def loss_on(model: Any, loss: Any, parts: Iterable[tuple[Any, Any]]) -> Measured | None:
    """The loss of a copy of the model in evaluation mode, the mean over parts of the data, ``(inputs, targets)``.

    None where it cannot be told: without a model or a loss, for a model that is called otherwise, and for a loss that
    is not a mean over examples, whose size depends on that of the batch.
    """
    if model is None or loss is None:
        return None
    try:
        copy = copy_of(model).eval()
        losses, sizes = [], []
        with no_grad(), numpy.errstate(all="ignore"), using(Generator(0)):
            for inputs, targets in parts:
                of = lambda x, y: float(loss(copy(asarray(x)), asarray(y)).item())
                losses.append(of(inputs, targets))
                sizes.append(len(inputs))
                if len(losses) == 1:
                    half = [numpy.asarray(array)[: -(-len(inputs) // 2)] for array in (inputs, targets)]
                    once, twice = of(*half), of(*(numpy.concatenate([array, array]) for array in half))
                    if not abs(twice - once) <= AVERAGED * abs(once):
                        return None
    except Exception:  # a model or a loss that is called otherwise
        return None
    if not losses:
        return None
    mean = float(numpy.average(losses, weights=sizes))
    return Measured(mean, float(numpy.std(losses)) / math.sqrt(len(losses)))


def parts_of(data: Any, task: str, context: int) -> list[tuple[Any, Any]]:
    """A data set in parts, of a large one some rows; a text in windows of a length."""
    inputs, targets = numpy.asarray(data.inputs), numpy.asarray(data.targets)
    if task == "text":
        length = min(context, len(inputs))
        rows = len(inputs) // max(length, 1)
        inputs, targets = (array[: rows * length].reshape(rows, length) for array in (inputs, targets))
    most = min(EXAMPLES, max(SYMBOLS // inputs.shape[1], 1)) if task == "text" else EXAMPLES
    step = max(math.ceil(len(inputs) / most), 1)
    inputs, targets = inputs[::step], targets[::step]
    return [(inputs[i : i + AT_A_TIME], targets[i : i + AT_A_TIME]) for i in range(0, len(inputs), AT_A_TIME)]
