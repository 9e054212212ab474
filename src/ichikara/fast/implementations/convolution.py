r"""Convolution as products of matrices: the three maps that are one and the same sum, read from its three sides.

.. math:: \sum_{n, o, c, i, k} \bar y_{n o i}\, w_{o c k}\, x_{n c (s i + d k - p)}

With a weight and an image it gives an output, with a weight and an output an image, and with an image and an output a
weight; so each is the gradient of the other two. Indices i and k have two parts, rows and columns; s is the stride, d
the dilation, p the padding. Channels may come in groups that do not see each other.

A few images at a time, as many as fit into the processor's cache, are laid out as *columns* (im2col): all that the
window sees at one position is one column, and the convolution is one product of matrices. The batch is divided among
threads.

Source: K. Chellapilla, S. Puri and P. Simard, "High Performance Convolutional Neural Networks for Document Processing"
(2006), where the layout comes from; V. Dumoulin and F. Visin, "A guide to convolution arithmetic" (2016).
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from ...ops.window import Pair, Window
from ..registry import implementation
from ..threads.team import parallel_map

__all__ = ["convolution", "convolution_image", "convolution_weight"]


@implementation("convolution")
def convolution(x: Any, weight: Any, bias: Any, window: Window, groups: int) -> Any:
    """The output. Shapes: (n, c, h, w), (o, c / groups, kh, kw), (o) or None -> (n, o, oh, ow)."""
    kernel = weight.shape[2:]
    positions = window.positions(x.shape[2:], kernel)
    dtype = numpy.result_type(x, weight)
    matrix = weight.reshape(groups, weight.shape[0] // groups, -1)  # (groups, o / groups, c / groups kh kw)
    y = numpy.empty((x.shape[0], weight.shape[0], *positions), dtype)

    def compute(part):
        columns_of = _columns(x, kernel, positions, window, groups)
        for block in _blocks(part, y, weight.shape):
            product = matrix @ columns_of(block)
            if bias is not None:
                product += bias.reshape(groups, -1, 1)
            y[block] = _images(product, y[block].shape)

    parallel_map(compute, len(x), cost=y.size * matrix.shape[2])
    return y


@implementation("convolution_image")
def convolution_image(out: Any, weight: Any, bias: Any, size: Pair, window: Window, groups: int) -> Any:
    """The image, of the given size (col2im).

    Shapes: (n, o, oh, ow), (o, c / groups, kh, kw), (c) or None -> (n, c, \\*size).
    """
    channels = groups * weight.shape[1]
    kernel, positions = weight.shape[2:], out.shape[2:]
    matrix = weight.reshape(groups, weight.shape[0] // groups, -1).mT  # (groups, c / groups kh kw, o / groups)
    x = numpy.zeros((out.shape[0], channels, *size), numpy.result_type(out, weight))

    def compute(part):
        for block in _blocks(part, out, weight.shape):
            n = len(out[block])
            columns = (matrix @ _rows(out[block], groups)).reshape(channels, -1, n, *positions)
            padded = numpy.zeros((channels, n, *window.padded(size)), x.dtype)
            for k, position in enumerate(window.places(kernel, positions)):
                padded[position] += columns[:, k]
            x[block] = padded[window.inside(size)].swapaxes(0, 1)
            if bias is not None:
                x[block] += bias[:, None, None]

    parallel_map(compute, len(out), cost=out.size * matrix.shape[1])
    return x


@implementation("convolution_weight")
def convolution_weight(out: Any, x: Any, kernel: Pair, window: Window, groups: int) -> Any:
    """The weight, of the given size. Shapes: (n, o, oh, ow), (n, c, h, w) -> (o, c / groups, \\*kernel)."""
    shape = (out.shape[1], x.shape[1] // groups, *kernel)
    matrix = (groups, shape[0] // groups, shape[1] * kernel[0] * kernel[1])

    def compute(part):
        columns_of = _columns(x, kernel, out.shape[2:], window, groups)
        weight = numpy.zeros(matrix, numpy.result_type(out, x))
        for block in _blocks(part, out, shape):
            weight += _rows(out[block], groups) @ columns_of(block).mT
        return weight

    return sum(parallel_map(compute, len(out), cost=out.size * matrix[2])).reshape(shape)


# --- the layout of columns --------------------------------------------------------------------------------------------

_COLUMNS = 512  # about so many columns make an efficient product of matrices
_ELEMENTS = 2**15  # about so many elements of them stay in the cache


def _blocks(part, out, weight_shape) -> Iterator[slice]:
    """The images of a part of the batch, a few at a time if they are small."""
    columns = max(_COLUMNS, _ELEMENTS // max(1, math.prod(weight_shape[1:])))
    count = max(1, columns // max(1, out.shape[2] * out.shape[3]))
    return (slice(first, min(first + count, part.stop)) for first in range(part.start, part.stop, count))


def _columns(x, kernel, positions, window, groups) -> Callable[[slice], Any]:
    """A function of a block of images to their columns: (groups, c / groups kh kw, n oh ow), in a reused buffer."""
    channels = x.shape[1]
    buffers: dict[int, tuple] = {}

    def columns_of(block):
        images = x[block].swapaxes(0, 1)  # (c, n, h, w)
        n = images.shape[1]
        if n not in buffers:
            buffers[n] = (
                numpy.zeros((channels, n, *window.padded(x.shape[2:])), x.dtype)
                if any(map(any, window.padding))
                else None,
                numpy.empty((channels, kernel[0] * kernel[1], n, *positions), x.dtype) if kernel != (1, 1) else None,
            )
        padded, columns = buffers[n]
        if padded is not None:
            padded[window.inside(x.shape[2:])] = images
            images = padded
        if columns is None:  # a window of one element: a slice has the columns, often without a copy
            columns = images[next(window.places(kernel, positions))]
        else:
            for k, position in enumerate(window.places(kernel, positions)):
                columns[:, k] = images[position]
        return columns.reshape(groups, -1, n * positions[0] * positions[1])

    return columns_of


def _rows(out, groups):
    """Outputs in the order of their columns: (n, o, oh, ow) -> (groups, o / groups, n oh ow)."""
    return out.swapaxes(0, 1).reshape(groups, out.shape[1] // groups, -1)


def _images(product, shape):
    """The inverse of `_rows`: (groups, o / groups, n oh ow) -> (n, o, oh, ow)."""
    n, o, height, width = shape
    return product.reshape(o, n, height, width).swapaxes(0, 1)
