"""The loss of a training run by its name, for the targets of a task, and the metrics beside it."""

import math
from collections.abc import Callable
from typing import Any

from .. import ops
from ..autodiff import Tensor, no_grad
from ..data import Dataset
from ..errors import UserError, choose

__all__ = ["LOSSES", "Objective", "accuracy", "perceptron_loss"]


def perceptron_loss(input, target, /):
    r"""The loss whose descent is Rosenblatt's rule: a wrong answer costs its weighted sum, a right one nothing.

    .. math:: L = \frac{1}{n} \sum_i (o_i - y_i)\,u_i, \qquad o = [u > 0], \qquad
        \frac{\partial L_i}{\partial w} = -(y_i - o_i)\,x_i

    Shapes: (\*), (\*) of zeros and ones -> ().

    Source: F. Rosenblatt, "The Perceptron" (1958); C. Bishop, PRML (2006), section 4.1.7.
    """
    return ops.mean((ops.heaviside(input) - target) * input)


def quadratic_cost(input, target, /):
    r"""Half the squared distance, summed over outputs and averaged over examples, as in Nielsen's chapter 1.

    .. math:: C = \frac{1}{2n} \sum_i \lVert a_i - y_i \rVert^2

    Shapes: (n, k), (n, k) -> ().
    """
    d = input - target
    return 0.5 * (d * d).sum() / max(len(input), 1)


# name: the function, and the targets that it takes of a classification: class indices, or one number for each output
LOSSES: dict[str, tuple[Callable, str]] = {
    "cross_entropy": (ops.cross_entropy, "indices"),
    "bce": (ops.binary_cross_entropy_with_logits, "numbers"),
    "mse": (ops.mse_loss, "numbers"),
    "l1": (ops.l1_loss, "numbers"),
    "huber": (ops.huber_loss, "numbers"),
    "quadratic": (quadratic_cost, "numbers"),
    "perceptron": (perceptron_loss, "numbers"),
}


PLACES = ("text", "sequence")
"""The tasks in which every position of an example has a target."""


class Objective:
    """A loss by its name, which gives a data set's targets the form that the loss takes.

    A classification with one output has targets 0 and 1; with an output for each class they are class indices, or,
    where the loss compares numbers, one-hot vectors.

    Arguments: ``name``, of a loss; ``data``, whose task and classes it is for; ``options``, of the loss. ``outputs`` is
    how many numbers a network gives for each example.

    Raises UserError for a loss that does not fit the task.

    >>> from ichikara.data import load_digits
    >>> objective = Objective("cross_entropy", load_digits())
    >>> round(objective(ops.zeros((2, 10)), ops.asarray([3, 7])).item(), 4)  # ln 10
    2.3026
    """

    def __init__(self, name: str, data: Dataset, **options):
        self.loss, self.form = choose("loss", name, LOSSES)
        self.name, self.task = name, data.task
        self.options = {key: ops.asarray(value) if isinstance(value, list) else value for key, value in options.items()}
        self.classes = len(data.classes) if data.classes else 0
        if self.classes == 1 and data.classes:
            raise UserError(
                f"{data.name} has a single class, {data.classes[0]!r}, so there is nothing to learn; are its labels in "
                "another column?"
            )
        if self.form == "indices" and self.task == "regression":
            raise UserError(f"{name} compares classes, and {data.name} has numbers as targets; use mse, l1 or huber")
        if name == "perceptron" and self.classes != 2:
            raise UserError(f"a perceptron separates two classes, and {data.name} has {self.classes or 'no'} classes")
        if self.task in PLACES and self.form != "indices":
            raise UserError(
                f"{data.name} has a symbol at each position, and {name} compares numbers; use cross_entropy"
            )
        single = name == "perceptron" or (name == "bce" and self.classes == 2)
        self.outputs = math.prod(data.targets.shape[1:]) if self.task == "regression" else 1 if single else self.classes

    def __call__(self, output: Tensor, targets: Tensor) -> Tensor:
        prepared = self.prepare(output, targets)
        if self.task in PLACES:
            output = ops.reshape(output, (-1, output.shape[-1]))  # every position of every sequence is an example
        return self.loss(output, prepared, **self.options)

    def prepare(self, output: Tensor, targets: Tensor) -> Tensor:
        """The targets in the form that the loss takes with these outputs."""
        if self.task == "regression":
            return targets if targets.shape == output.shape else ops.reshape(targets, output.shape)
        if self.form == "indices":
            return ops.reshape(targets, (-1,)) if self.task in PLACES else targets
        if output.shape[-1] == 1:
            return ops.reshape(targets, output.shape).astype(output.dtype)
        return ops.one_hot(targets, output.shape[-1], dtype=output.dtype)

    def metrics(self, output: Tensor, targets: Tensor) -> dict[str, float]:
        """The metrics beside the loss: the accuracy of a classification."""
        return {} if self.task in ("regression", "text") else {"accuracy": accuracy(output, targets)}

    def decide(self, output: Tensor) -> tuple[Any, Any]:
        """The class that each output predicts, and its probability if the loss defines one; NumPy arrays."""
        with no_grad():
            if output.shape[-1] == 1:
                chosen = (output > 0).astype("int64").numpy()[..., 0]
                if self.name != "bce":
                    return chosen, None
                p = ops.sigmoid(output).numpy()[..., 0]
                return chosen, ops.where(ops.asarray(chosen) > 0, p, 1 - p).numpy()
            chosen = ops.argmax(output, axis=-1).numpy()
            if self.name != "cross_entropy":
                return chosen, None
            return chosen, ops.max(ops.softmax(output, axis=-1), axis=-1).numpy()


def accuracy(output: Tensor, targets: Tensor) -> float:
    """The fraction of examples whose class is predicted, by the largest output or by the sign of a single one.

    Shapes: (n, c) or (n, 1), (n) -> a number from 0 to 1.

    >>> accuracy(ops.asarray([[0.1, 2.0], [3.0, 1.0]]), ops.asarray([1, 1]))
    0.5
    """
    with no_grad():
        if targets.shape == output.shape and output.shape[-1] > 1:
            targets = ops.argmax(targets, axis=-1)  # probabilities, as mix-up makes them: the likeliest class counts
        if output.shape[-1] == 1:
            chosen = ops.reshape(output > 0, targets.shape)
        else:
            chosen = ops.argmax(output, axis=-1)
        return (chosen == targets).astype("float64").mean().item()
