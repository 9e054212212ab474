"""Using a network without changing it: its loss and measures on data, and its outputs for inputs."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy

from ..autodiff import asarray, no_grad
from ..data import DataLoader, Dataset, TestVault
from ..errors import UserError

__all__ = ["Totals", "as_loader", "evaluate", "predict"]


def evaluate(
    model, loss: Callable, data: Any, *, metrics: Callable | None = None, again: bool = False, by: str = "evaluate"
) -> dict[str, float]:
    """The mean loss and measures on data, with the network in evaluation mode.

    Arguments: ``model``; ``loss``, of outputs and targets; ``data``, a Dataset, a loader, or a `TestVault`, which is
    opened for it once; ``metrics``, of outputs and targets to a dictionary of numbers, by default the loss's own;
    ``again``, to open a vault that was opened before; ``by``, what opens the vault, for its record.

    Raises VaultOpenedError for a vault that was opened before.

    >>> from ichikara import nn
    >>> from ichikara.data import load_xor
    >>> sorted(evaluate(nn.Linear(2, 2), nn.CrossEntropyLoss(), load_xor()))
    ['loss']
    """
    metrics = metrics_of(loss) if metrics is None else metrics
    totals = Totals()
    with _evaluating(model):
        for inputs, targets in as_loader(data.open(by, again=again) if isinstance(data, TestVault) else data):
            output, targets = model(asarray(inputs)), asarray(targets)
            totals.add(len(inputs), {"loss": loss(output, targets).item(), **metrics(output, targets)})
    return totals.means("")


def predict(model, inputs, batch_size: int | None = None) -> numpy.ndarray:
    """The network's outputs for inputs, in evaluation mode. Shapes: (n, \\*in) -> (n, \\*out).

    Arguments: ``batch_size``, how many examples at a time; by default 64 to 1,024, more of a large set.
    """
    if batch_size is None:
        batch_size = _at_a_time(len(inputs))
    with _evaluating(model):
        outputs = [
            model(asarray(inputs[start : start + batch_size])).numpy()
            for start in range(0, max(len(inputs), 1), batch_size)
        ]
    return numpy.concatenate(outputs)


@contextmanager
def _evaluating(model):
    """A block in evaluation mode, without a graph and without NumPy's warnings about infinities."""
    was = model.training
    model.eval()
    try:
        with no_grad(), numpy.errstate(all="ignore"):
            yield
    finally:
        model.train(was)


def metrics_of(loss: Callable) -> Callable:
    """The metrics that a loss defines; none for a plain function."""
    return getattr(loss, "metrics", lambda output, targets: {})


def as_loader(data):
    """A loader of a Dataset in order; a loader, or None, as it is."""
    return DataLoader(data, batch_size=_at_a_time(len(data))) if isinstance(data, Dataset) else data


def _at_a_time(count: int) -> int:
    """The batch size for the evaluation of so many examples.

    Large batches make matrix products fast, which matters for large sets. For a small set, a batch of a few hundred
    would need kernels that the training did not use, and compiling these takes seconds.
    """
    return min(max(count // 16, 64), 1024)


class Totals:
    """Sums over batches, weighted by the examples in each, for means over them all."""

    def __init__(self, count: int = 0, sums: dict[str, float] | None = None):
        self.count, self.sums = count, dict(sums or {})

    def add(self, count: int, numbers: dict[str, Any]) -> None:
        """Add the means of a batch, each a number of Python, NumPy or a tensor."""
        self.count += count
        for name, number in numbers.items():
            self.sums[name] = self.sums.get(name, 0.0) + count * (
                number if type(number) is float else _float(name, number)
            )

    def means(self, prefix: str) -> dict[str, float]:
        """The means so far, their names after a prefix."""
        return {prefix + name: total / self.count for name, total in self.sums.items()}


def _float(name: str, number: Any) -> float:
    """A metric as a number of Python, which a checkpoint and the history can hold."""
    try:
        return float(number.item() if hasattr(number, "item") else number)
    except (TypeError, ValueError, RuntimeError):
        raise UserError(f"the metric '{name}' is {number!r}; a metric is a single number for each batch") from None
