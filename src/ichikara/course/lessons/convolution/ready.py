"""Ten digits that are drawn already, with the pen of the page, for those who do not draw with a pointer."""

from itertools import pairwise

import numpy

from .net import SIZE

__all__ = ["READY", "drawn"]

# The way of the pen: strokes of (x, y), from the upper left corner.
STROKES = (
    ["8 2.6, 5.6 3.6, 4.4 6, 4.2 8.5, 5 11.4, 7 13.3, 9 13.2, 11 11.4, 11.8 8.5, 11.4 5.5, 10 3.3, 8 2.6"],
    ["7.4 4.2, 8.6 2.8, 8.3 8, 7.8 13.3"],
    ["4.6 4.8, 6 3, 8.4 2.6, 10.6 3.6, 11.2 5.6, 10.2 8, 7.6 10.4, 4.8 13, 8 12.9, 11.8 13"],
    ["4.8 3.6, 7.4 2.6, 10.2 3.2, 10.8 5.2, 9.6 7, 7.2 7.7, 9.8 8.2, 11.4 10, 10.8 12.2, 8.4 13.4, 5.6 13, 4.4 12"],
    ["6.6 2.8, 5.4 6, 4.4 9.2, 8 9.4, 12 9.2", "9.8 5.6, 9.5 9.4, 9.2 13.4"],
    ["11.2 2.8, 6.2 3, 5.6 7.2, 8 6.6, 10.6 7.6, 11.4 9.8, 10.4 12.2, 8 13.4, 5 12.8"],
    ["10 2.6, 7.4 4.4, 5.4 7.4, 4.6 10.4, 5.6 12.8, 8 13.6, 10.4 12.4, 11 10.2, 9.8 8.4, 7.4 8.2, 5 9.8"],
    ["4.4 3.2, 8 3, 11.6 3.1, 9.8 7, 8.2 10.4, 7.2 13.4"],
    [
        "8 7.6, 5.6 6.4, 5 4.4, 6.4 2.8, 8.6 2.5, 10.6 3.6, 10.6 5.6, 8.6 7.4, 6 8.8, 4.8 11, 5.8 13, 8.2 13.6,"
        "10.6 12.6, 11.2 10.4, 10 8.8, 8 7.6"
    ],
    ["10.8 5.2, 9.4 3, 7 2.8, 5.2 4.6, 5.2 7, 7 8.4, 9.4 7.6, 10.8 5.2, 10.6 8.6, 9.8 11.4, 8.8 13.5"],
)


def drawn(strokes: list[str]) -> tuple[tuple[float, ...], ...]:
    """What the pen of the page leaves of strokes: rows of ink from 0 to 1."""
    middles = numpy.arange(SIZE) + 0.5
    ink = numpy.zeros((SIZE, SIZE))
    for stroke in strokes:
        way = numpy.array([[float(part) for part in point.split()] for point in stroke.split(",")])
        for start, end in pairwise(way):
            for x, y in start + (end - start) * numpy.linspace(0, 1, 12)[:, None]:
                away = numpy.hypot(middles - x, (middles - y)[:, None])
                ink = numpy.maximum(ink, numpy.clip(1.35 - away * 18 / SIZE, 0, 1))
    return tuple(map(tuple, ink.round(2).tolist()))


READY = tuple(map(drawn, STROKES))
"""The digits from 0 to 9."""
