"""The perceptron: a single neuron with a step."""

from .. import nn, ops
from ..arrays import Generator
from ..autodiff import asarray, no_grad

__all__ = ["Perceptron"]


class Perceptron(nn.Module):
    r"""A neuron with a step: its output is 1 when the weighted sum of its inputs is above zero.

    .. math:: u = \sum_{i=0}^{n} w_i x_i, \quad x_0 = 1, \qquad o = [u > 0]

    With two inputs the step divides the plane by the straight line :math:`u = 0`. `learn` is Rosenblatt's rule; a
    `Trainer` can descend instead, on the weighted sum that `forward` gives.

    Shapes: (\*, in_features) -> (\*, 1), the weighted sum.

    Arguments: ``in_features``, how many inputs; ``generator``, of the initial weights, by default zeros.

    >>> and_gate = Perceptron(2)
    >>> x = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> and_gate.learn(x, [0, 0, 0, 1])
    6
    >>> and_gate.fire(x).tolist()
    [0, 0, 0, 1]

    Source: F. Rosenblatt, "The Perceptron: A Probabilistic Model for Information Storage and Organization in the
    Brain" (1958); the lecture's A1 and A2.
    """

    def __init__(self, in_features: int, generator: Generator | None = None):
        super().__init__()
        self.in_features = in_features
        start = ops.zeros((1, in_features)) if generator is None else asarray(generator.normal((1, in_features)))
        self.weight = nn.Parameter(start)
        self.bias = nn.Parameter(ops.zeros(1))  # w_0, whose input is always 1

    def forward(self, x):
        return ops.linear(x, self.weight, self.bias)

    def fire(self, x):
        """Whether the neuron fires: 1 or 0. Shapes: (\\*, in_features) -> (\\*)."""
        with no_grad():
            return (self(asarray(x, dtype=self.weight.dtype)) > 0).astype("int64")[..., 0]

    def learn(self, inputs, targets, lr: float = 1.0, epochs: int = 100) -> int:
        r"""Rosenblatt's rule: after each wrong answer add the input to the weights, or subtract it.

        .. math:: w_i \leftarrow w_i + \eta\,(y - o)\,x_i

        Shapes: (n, in_features), (n) of zeros and ones -> the number of epochs until no answer was wrong.

        Arguments: ``lr``, the step; ``epochs``, after how many to give up.

        Raises ValueError if some answer was still wrong in the last epoch: then no line may separate the classes.
        """
        x, y = asarray(inputs, dtype=self.weight.dtype), asarray(targets)
        for epoch in range(1, epochs + 1):
            wrong = 0
            for xi, yi in zip(x, y, strict=True):
                error = yi.item() - self.fire(xi).item()
                if error:
                    wrong += 1
                    self.weight.data = self.weight.detach() + lr * error * xi
                    self.bias.data = self.bias.detach() + lr * error
            if not wrong:
                return epoch
        raise ValueError(
            f"after {epochs} epochs {wrong} of {len(x)} answers are still wrong; "
            "if no straight line separates the two classes (as for xor), one neuron can never learn them"
        )

    def extra_repr(self):
        return f"in_features={self.in_features}"
