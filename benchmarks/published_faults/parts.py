"""What the ported programs are made of: networks, losses of class labels, scores, and data."""

from collections.abc import Callable, Sequence
from functools import wraps
from itertools import pairwise

import numpy

from ichikara import nn, one_hot, ops
from ichikara.data import Dataset, load_digits

__all__ = [
    "accuracy",
    "above",
    "digits",
    "dense",
    "of",
    "of_column",
    "of_one_hot",
    "r_squared",
    "split",
    "standard",
    "start",
]

START = {
    "uniform": lambda weight: nn.init.uniform_(weight, -0.05, 0.05),
    "normal": lambda weight: nn.init.normal_(weight, 0, 0.05),
}
"""How Keras starts weights that are called uniform, or normal."""


def dense(sizes: Sequence[int], hidden: type | None, last: type | None = None, dropout: float = 0.0) -> nn.Sequential:
    """Linear layers with an activation between them, dropout behind it, and one at the end."""
    layers: list[nn.Module] = []
    for index, (before, after) in enumerate(pairwise(sizes)):
        if index:
            layers += [hidden()] if hidden else []
            layers += [nn.Dropout(dropout)] if dropout else []
        layers.append(nn.Linear(before, after))
    return nn.Sequential(*layers, *([last()] if last else []))


def start(model: nn.Module, how: str) -> nn.Module:
    """The weights start as Keras's initialiser of that name has them, the biases at zero."""
    for name, parameter in model.named_parameters():
        if name.endswith("weight"):
            START[how](parameter)
        else:
            nn.init.zeros_(parameter)
    return model


def of(loss: Callable, prepare: Callable) -> Callable:
    """A loss of outputs and class labels: the labels become what it takes."""

    @wraps(loss)
    def compare(output, targets):
        return loss(output, prepare(output, targets))

    return compare


def of_column(loss: Callable) -> Callable:
    """A loss of one output for each example, whose labels are 0 and 1."""
    return of(loss, lambda output, targets: targets.astype("float32").reshape(output.shape))


def of_one_hot(loss: Callable) -> Callable:
    """A loss of an output for each class."""
    return of(loss, lambda output, targets: one_hot(targets, output.shape[-1]).astype("float32"))


def accuracy(outputs: numpy.ndarray, targets: numpy.ndarray) -> float:
    """The part of the examples whose class has the largest output."""
    return float((outputs.argmax(axis=-1) == targets).mean())


def above(threshold: float) -> Callable[[numpy.ndarray, numpy.ndarray], float]:
    """The part of the outputs that are on the right side of a threshold."""
    return lambda outputs, targets: float(((outputs > threshold) == (targets.reshape(outputs.shape) > 0.5)).mean())


def r_squared(outputs: numpy.ndarray, targets: numpy.ndarray) -> float:
    """The part of the targets' variance that the outputs explain."""
    return float(1 - ((outputs - targets) ** 2).mean() / targets.var())


def standard(values: numpy.ndarray) -> numpy.ndarray:
    """Every column with mean 0 and deviation 1; a constant one is 0."""
    deviation = values.std(axis=0)
    return (values - values.mean(axis=0)) / numpy.where(deviation > 0, deviation, 1)


def split(
    inputs: numpy.ndarray, targets: numpy.ndarray, classes: int | None, test: float = 0.2
) -> tuple[Dataset, Dataset]:
    """The data for training, and the last part, for comparison."""
    names = None if classes is None else tuple(map(str, range(classes)))
    count = len(inputs) - int(test * len(inputs))
    data = Dataset(inputs, targets, classes=names)
    return data[:count], data[count:] if count < len(inputs) else data


def digits(images: bool = False, scale: float = 1 / 16) -> tuple[Dataset, Dataset]:
    """Digits of 8 × 8 pixels in place of MNIST, ink from 0 to 1 unless scaled otherwise."""
    data = load_digits(as_images=images)
    order = numpy.random.default_rng(0).permutation(len(data))
    return split(data.inputs[order] * scale, data.targets[order], 10)


MSE, L1 = ops.mse_loss, ops.l1_loss
BCE, BCE_OF_LOGITS = of_column(ops.binary_cross_entropy), of_column(ops.binary_cross_entropy_with_logits)
CE = ops.cross_entropy
