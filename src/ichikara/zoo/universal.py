"""Universal approximation, by hand: sums of steps approximate any continuous function."""

from collections.abc import Callable

from .. import nn, ops
from ..autodiff import asarray

__all__ = ["bumps", "towers"]


def bumps(function: Callable, low: float, high: float, count: int, steepness: float = 300.0) -> nn.Sequential:
    r"""A network of one hidden layer, set by hand: a bump of the function's height on each of ``count`` intervals.

    .. math:: y(x) \approx \sum_k f(m_k) \bigl( \sigma(s\,(x - a_k)) - \sigma(s\,(x - b_k)) \bigr)

    Two steep sigmoids, one up and one down, are a bump; with enough of them the sum follows any continuous function.

    Shapes: the network is (n, 1) -> (n, 1); it has 2 count hidden neurons.

    Arguments: ``function``, of a number; ``low`` and ``high``, the ends of the range; ``count``, of bumps;
    ``steepness``, of the steps, for an interval of length 1.

    >>> net = bumps(lambda x: x * x, 0.0, 1.0, 50)
    >>> abs(net([[0.5]]).item() - 0.25) < 0.02
    True

    Source: M. Nielsen, "Neural Networks and Deep Learning" (2015), ch. 4; the lecture's A4.
    """
    width = (high - low) / count
    slope = steepness / width
    starts = [low + k * width for k in range(count)]
    net = nn.Sequential(nn.Linear(1, 2 * count), nn.Sigmoid(), nn.Linear(2 * count, 1))
    edges = [edge for start in starts for edge in (start, start + width)]
    heights = [float(function(start + width / 2)) for start in starts]
    net[0].weight.data = ops.full((2 * count, 1), float(slope))
    net[0].bias.data = asarray([-slope * edge for edge in edges])
    net[2].weight.data = asarray([[sign * height for height in heights for sign in (1.0, -1.0)]])
    net[2].bias.data = ops.zeros(1)
    return net


def towers(
    function: Callable, low: tuple[float, float], high: tuple[float, float], count: int, steepness: float = 300.0
) -> nn.Sequential:
    r"""The same in two dimensions, by two hidden layers: a tower stands where two bumps cross.

    .. math:: y(x) \approx \sum_{ij} f(m_{ij})\,\sigma\bigl(s\,(B_i(x_1) + B_j(x_2) - \tfrac32)\bigr)

    Shapes: the network is (n, 2) -> (n, 1); it has 4 count hidden neurons, then count².

    Arguments: ``function``, of two numbers; ``low`` and ``high``, the corners of the range; ``count``, of bumps along
    each axis; ``steepness``, of the steps.

    >>> net = towers(lambda x, y: x * y, (0.0, 0.0), (1.0, 1.0), 10)
    >>> abs(net([[0.55, 0.55]]).item() - 0.3025) < 0.01
    True

    Source: M. Nielsen, "Neural Networks and Deep Learning" (2015), ch. 4.
    """
    first, second = nn.Linear(2, 4 * count), nn.Linear(4 * count, count * count)
    width = [(high[a] - low[a]) / count for a in (0, 1)]
    weights, biases = [], []
    for axis in (0, 1):
        slope = steepness / width[axis]
        for k in range(count):
            for edge in (low[axis] + k * width[axis], low[axis] + (k + 1) * width[axis]):
                weights.append([slope if a == axis else 0.0 for a in (0, 1)])
                biases.append(-slope * edge)
    first.weight.data, first.bias.data = asarray(weights), asarray(biases)
    rows, heights = [], []
    for i in range(count):
        for j in range(count):
            row = [0.0] * (4 * count)
            row[2 * i], row[2 * i + 1] = steepness, -steepness
            row[2 * (count + j)], row[2 * (count + j) + 1] = steepness, -steepness
            rows.append(row)
            middle = (low[0] + (i + 0.5) * width[0], low[1] + (j + 0.5) * width[1])
            heights.append(float(function(*middle)))
    second.weight.data, second.bias.data = asarray(rows), ops.full((count * count,), -1.5 * steepness)
    last = nn.Linear(count * count, 1)
    last.weight.data, last.bias.data = asarray([heights]), ops.zeros(1)
    return nn.Sequential(first, nn.Sigmoid(), second, nn.Sigmoid(), last)
