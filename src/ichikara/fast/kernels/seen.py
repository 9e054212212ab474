r"""What a window sees of images, as two lists, and sums of products with it.

.. math:: X_{p k} = x[\mathrm{row}_p + \mathrm{column}_k]

Row p of X holds what the window sees at position p, and column k what its element k sees at every position. In an image
with zeros around it the two are a distance each: number (p, k) lies at the sum of where the position begins and how far
from there the element is. So two short lists of numbers stand for all of X, whatever the stride and the dilation, and
X is read where the image lies.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy

from ..tape import constant, do, room, zeros
from .deferred import inner
from .tile import BYTES, ONE, ROWS, TWO, add_products, lanes_of, load, store, turn

__all__ = [
    "Seen",
    "add_seen",
    "filled",
    "filled_columns",
    "panels_of",
    "seen_by",
    "seen_from_outputs",
    "transpose",
    "width_for",
]

_DEEP = 320  # so many columns of X are taken at a time: of all rows of a tile they stay in the fastest cache


class Seen(NamedTuple):
    """What is seen of images: of which size they are with their zeros, how many of these come before, and the lists."""

    padded: tuple[int, int]
    before: tuple[int, int]
    rows: Any
    columns: Any
    positions: int
    """How many rows there are before they are filled up."""


@lru_cache(256)
def seen_by(shape, seen, window):
    """What a window sees of an image. Arguments: ``shape`` of an image; ``seen``, of the weight of one output."""
    (top, _), (left, _) = window.padding
    padded, (down, across) = window.padded(shape[1:]), window.positions(shape[1:], seen[1:])
    rows = _places(padded, 1, numpy.arange(down) * window.stride[0], numpy.arange(across) * window.stride[1])
    elements = [numpy.arange(length) * d for length, d in zip(seen[1:], window.dilation, strict=True)]
    columns = constant(_places(padded, seen[0], *elements))
    return Seen(padded, (top, left), constant(filled(rows)), columns, rows.size)


@lru_cache(256)
def filled_columns(shape, seen, window):
    """The columns of `seen_by`, filled up as its rows are."""
    return constant(filled(seen_by(shape, seen, window).columns))


@lru_cache(256)
def seen_from_outputs(size, weighed, positions, window):
    """What each place of an image sees of the outputs of a window that moves in steps of one.

    Arguments: ``size`` of the image; ``weighed``, the shape of the weight of one channel; ``positions`` of the window.
    """
    # Place m is reached from the position m + e by element k, where m + e + d k = m + p.
    reach = [
        p - numpy.arange(length) * d
        for length, (p, _), d in zip(weighed[1:], window.padding, window.dilation, strict=True)
    ]
    before = tuple(max(0, -e.min()) for e in reach)
    padded = tuple(b + max(n, m + e.max()) for b, n, m, e in zip(before, positions, size, reach, strict=True))
    columns = _places(padded, weighed[0], *(b + e for b, e in zip(before, reach, strict=True)))
    rows = _places(padded, 1, *map(numpy.arange, size))
    return Seen(padded, before, constant(filled(rows)), constant(columns), rows.size)


def _places(size, channels, lines, columns):
    """Where numbers lie in images of this size: those at some lines and columns of each channel, in this order."""
    c = numpy.arange(channels) * (size[0] * size[1])
    return (c[:, None, None] + lines[:, None] * size[1] + columns).reshape(-1).astype(numpy.intp)


def filled(places):
    """The list with its last number repeated up to a multiple of a tile's rows, so that all tiles are whole."""
    return numpy.pad(places, (0, -places.size % len(ROWS)), "edge" if places.size else "constant")


def width_for(outputs, size):
    """How many outputs lie side by side: one vector of them, or two."""
    lanes = BYTES // size
    return lanes if outputs <= lanes else 2 * lanes


def panels_of(weight):
    """The weights in the order in which they are used: those of some outputs side by side, element by element.

    Shapes: (groups, outputs, elements) -> (groups, panels, elements, width).
    """
    groups, outputs, elements = weight.shape
    width = width_for(outputs, weight.itemsize)
    whole, rest = divmod(outputs, width)
    panels = (zeros if rest else room)((groups, -(-outputs // width), elements, width), weight.dtype)
    by_output = panels.swapaxes(2, 3)
    do(numpy.copyto, by_output[:, :whole], weight[:, : whole * width].reshape(groups, whole, width, elements))
    if rest:
        do(numpy.copyto, by_output[:, whole, :rest], weight[:, whole * width :])
    return panels


@inner
def transpose(x, out):
    """Put the transpose of a matrix into another; of both the sizes are those of whole vectors."""
    rows, columns = x.shape
    for i in range(0, rows, lanes_of(x)):
        for j in range(0, columns, lanes_of(x)):
            turn(x, i * columns + j, columns, out, j * rows + i, rows)


@inner
def add_seen(x, rows, columns, v, out):
    """Add to each row of ``out`` the product of that row of X with the matrix ``v``."""
    if out.shape[1] * out.itemsize == BYTES:
        _add_in_tiles(ROWS, ONE, x, rows, columns, v, out)
    else:
        _add_in_tiles(ROWS, TWO, x, rows, columns, v, out)


@inner
def _add_in_tiles(tile_rows, tile_columns, x, rows, columns, v, out):
    width = v.shape[1]
    for first in range(0, columns.size, _DEEP):
        last = min(first + _DEEP, columns.size)
        for i in range(0, rows.size, len(tile_rows)):
            tile = load(tile_rows, tile_columns, out, i * width, width)
            for k in range(first, last):
                tile = add_products(tile, x, rows, i, columns, k, v, k * width)
            store(tile, out, i * width, width)
