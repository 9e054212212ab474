"""The net of the lecture, two inputs, two hidden neurons and one output: neuron by neuron, and as matrices (B5, B6)."""

from ..autodiff import Tensor, asarray
from ..ops.activation import sigmoid
from .naming import named

__all__ = ["net_of_matrices", "net_of_neurons"]

INPUTS, TARGET = (0.5, -1.0), 1.0
HIDDEN, OUTPUT = ((0.1, 0.2), (-0.3, 0.4)), (0.7, -0.5)  # weights [to][from], of the hidden layer and of the output


def net_of_neurons(inputs=INPUTS, hidden=HIDDEN, output=OUTPUT) -> Tensor:
    """The loss of the net, each neuron by itself. Arguments: the numbers of the inputs and of both layers' weights."""
    f0, f1 = named("f^0", sigmoid), named("f^1", sigmoid)
    x = [_leaf(value) for value in inputs]
    w0 = [[_leaf(value) for value in row] for row in hidden]
    w1 = [[_leaf(value) for value in output]]
    y = asarray(TARGET)
    u0 = [w0[i][0] * x[0] + w0[i][1] * x[1] for i in range(2)]  # weighted sums of the hidden layer
    o0 = [f0(u0[i]) for i in range(2)]
    u1 = [w1[0][0] * o0[0] + w1[0][1] * o0[1]]  # that of the output
    o = f1(u1[0])
    L = (o - y) ** 2
    return L


def net_of_matrices(inputs=INPUTS, hidden=HIDDEN, output=(OUTPUT,)) -> Tensor:
    """The same loss, with the weights of a layer as a matrix: of any sizes."""
    f0, f1 = named("f^0", sigmoid), named("f^1", sigmoid)
    x = _leaf(inputs)
    W0, W1 = named("W^0", _leaf(hidden)), named("W^1", _leaf(output))
    y = asarray([TARGET] * len(output))
    u0 = named("u^0", W0 @ x)
    o0 = named("o^0", f0(u0))
    o = f1(W1 @ o0)
    L = ((o - y) ** 2).sum()
    return L


def _leaf(value) -> Tensor:
    return asarray(value, requires_grad=True)
