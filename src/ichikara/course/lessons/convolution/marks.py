"""Marks of the lesson's charts: outlines, maps side by side, axes without ticks."""

import numpy

from ichikara.charts import Axis, Chart, Line, Raster

__all__ = ["bare", "reach", "rectangle", "square", "tiles"]


def bare(size, down=False):
    """An axis without ticks, from 1 on."""
    return Axis(limits=(1, 1 + size), names=("",), down=down)


def rectangle(x, y, width, height, **look):
    """The outline of a rectangle whose upper left corner is at (x, y)."""
    return Line([x, x + width, x + width, x, x], [y, y, y + height, y + height, y], **look)


def square(x, y, size, **look):
    """The outline of a square whose upper left corner is at (x, y)."""
    return rectangle(x, y, size, size, **look)


def reach(values):
    """How far numbers lie from 0, at least a little."""
    return float(max(abs(values.min()), abs(values.max()), 0.1))


def tiles(maps, columns, alt, numbers):
    """Maps side by side, in rows, with a gap of one pixel on all sides."""
    wide = numpy.pad(maps / max(float(maps.max()), 1e-6), ((0, 0), (1, 1), (1, 1)), constant_values=numpy.nan)
    n, height, width = wide.shape
    sheet = wide.reshape(n // columns, columns, height, width).transpose(0, 2, 1, 3).reshape(-1, columns * width)
    rows = len(sheet)
    raster = Raster(sheet.round(2), (1, 1 + sheet.shape[1]), (1, 1 + rows), limits=(0, 0.7), ink="b")
    frames = [square(2 + k % columns * width, 2 + k // columns * height, width - 2, ink="quiet") for k in range(n)]
    axes = bare(sheet.shape[1]), bare(rows, True)
    return Chart([raster, *frames], *axes, alt=alt, numbers=numbers, equal=True)
