"""What a step costs at least: its operations and the bytes that it moves, counted from the sizes of its layers.

Counted are products of matrices and convolutions, two operations for each multiplication and addition; what is done
element by element is taken to be free, as if joined to its neighbour. Bytes are counted as if every layer fetched its
inputs and its weights from memory once and put its output back once, in float32: a step whose arrays stay in a cache
can be faster than its bytes allow.
"""

from typing import NamedTuple

NUMBER = 4  # bytes of a float32


class Cost(NamedTuple):
    """Operations and bytes of a step."""

    operations: float
    bytes: float

    def __add__(self, other: tuple) -> "Cost":
        return Cost(self.operations + other[0], self.bytes + other[1])


class Layer(NamedTuple):
    """A layer's multiplications in the forward pass, and how many numbers it has and handles."""

    multiplications: int
    weights: int
    inputs: int
    outputs: int


def linear(n: int, inputs: int, outputs: int) -> Layer:
    """A fully connected layer on n rows."""
    return Layer(n * inputs * outputs, (inputs + 1) * outputs, n * inputs, n * outputs)


def convolution(n: int, channels: int, filters: int, kernel: int, size: int, out: int) -> Layer:
    """A convolution from images of size × size to out × out; its bias, if any, is too small to count."""
    weights = channels * filters * kernel**2
    return Layer(n * out**2 * weights, weights, n * channels * size**2, n * filters * out**2)


def transposed(n: int, channels: int, filters: int, kernel: int, size: int, out: int) -> Layer:
    """A transposed convolution: every pixel of its input meets all weights."""
    weights = channels * filters * kernel**2
    return Layer(n * size**2 * weights, weights, n * channels * size**2, n * filters * out**2)


def recurrent(n: int, t: int, inputs: int, hidden: int, gates: int) -> Layer:
    """A recurrent layer in one direction; its weights are fetched once and stay in a cache for all steps of time."""
    weights = gates * hidden * (inputs + hidden)
    return Layer(n * t * weights, weights, n * t * inputs, n * t * (gates + 1) * hidden)


def attention(n: int, t: int, width: int) -> Layer:
    """Causal attention: scores and their use, of which a step looks at half; the scores need not be stored."""
    return Layer(n * t * t * width, 0, 3 * n * t * width, n * t * width)


# How often an optimiser reads or writes a number for each weight: the gradient, the weight twice, its state twice.
OPTIMIZERS = {"sgd": 3, "adam": 7}


def training(layers: list[Layer], optimizer: str = "adam") -> Cost:
    """Forward, backward and update. The first layer's input needs no gradient."""
    first, *others = layers
    operations = 2 * (2 * first.multiplications + sum(3 * layer.multiplications for layer in others))
    numbers = -first.inputs
    for layer in layers:
        numbers += layer.weights + layer.inputs + layer.outputs  # forward: two read, one written
        numbers += 2 * layer.weights + 2 * layer.inputs + layer.outputs  # backward: read again; gradients written, read
        numbers += OPTIMIZERS[optimizer] * layer.weights
    return Cost(operations, NUMBER * numbers)


def inference(layers: list[Layer]) -> Cost:
    """The forward pass alone."""
    return Cost(
        2 * sum(layer.multiplications for layer in layers),
        NUMBER * sum(layer.weights + layer.inputs + layer.outputs for layer in layers),
    )
