"""The multilayer perceptron: fully connected layers with activations between them."""

from collections.abc import Sequence

from .. import nn
from ..errors import UserError, choose

__all__ = ["ACTIVATIONS", "MLP"]

ACTIVATIONS = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}


class MLP(nn.Sequential):
    r"""Layers of neurons, each fully connected to the one before, with an activation between them.

    .. math:: o^k = f(W^k o^{k-1} + b^k)

    Shapes: (n, \*in) with ``in_features`` numbers in each example -> (n, out_features).

    Arguments: ``in_features``; ``out_features``; ``hidden``, the neurons of each hidden layer; ``activation``, by its
    name; ``dropout``, the probability by which hidden neurons are zeroed while training; ``output``, the activation of
    the last layer, by default none, as the losses expect.

    Raises UserError for an unknown activation, with the nearest name.

    >>> MLP(64, 10, hidden=[32])
    MLP(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): Linear(in_features=64, out_features=32, bias=True)
      (2): ReLU()
      (3): Linear(in_features=32, out_features=10, bias=True)
    )

    Source: the lecture's A3 and A5; M. Nielsen, "Neural Networks and Deep Learning" (2015), ch. 1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden: Sequence[int] = (64,),
        activation: str = "relu",
        dropout: float = 0.0,
        output: str = "identity",
    ):
        if any(n < 1 for n in hidden):
            raise UserError(f"hidden is the number of neurons in each layer, at least 1, not {list(hidden)}")
        between, last = choose("activation", activation, ACTIVATIONS), choose("activation", output, ACTIVATIONS)
        layers: list[nn.Module] = [nn.Flatten()]
        width = in_features
        for neurons in hidden:
            layers += [nn.Linear(width, neurons), between()]
            if dropout:
                layers.append(nn.Dropout(dropout))
            width = neurons
        layers.append(nn.Linear(width, out_features))
        if output != "identity":
            layers.append(last())
        super().__init__(*layers)
