"""Straight lines in a plane, given by weights (w0, w1, w2): the regions into which they cut it."""

import math
from itertools import pairwise

import numpy

__all__ = ["codes", "codes_far_away", "pieces", "random_lines", "span"]

SAME = 1e-9


def _sectors(normals):
    """The signs of several lines through one point, in each sector between them. Shapes: (k, 2) -> (2 k, k)."""
    along = numpy.arctan2(normals[:, 0], -normals[:, 1]) % math.pi
    rays = numpy.sort(numpy.concatenate([along, along + math.pi]))
    rays = rays[numpy.append(True, numpy.diff(rays) > SAME)]
    middles = (rays + numpy.append(rays[1:], rays[0] + 2 * math.pi)) / 2
    return numpy.stack([numpy.cos(middles), numpy.sin(middles)], 1) @ normals.T > 0


def codes_far_away(lines):
    """The codes of regions that have no end: for each line whether its neuron fires there."""
    return set(map(tuple, _sectors(numpy.array(lines, float)[:, 1:]).tolist()))


def codes(lines):
    """The codes of all regions. Each region has a corner where two lines cross, unless all lines are parallel.

    So the sectors round every crossing, with those far away, are all regions.
    """
    lines = numpy.array(lines, float)
    found = codes_far_away(lines)
    for i, (a0, a1, a2) in enumerate(lines):
        for b0, b1, b2 in lines[:i]:
            turn = a1 * b2 - a2 * b1
            if abs(turn) < SAME:
                continue
            place = numpy.array([(a2 * b0 - a0 * b2) / turn, (a0 * b1 - a1 * b0) / turn])
            sums = lines[:, 0] + lines[:, 1:] @ place
            through = abs(sums) < SAME * (1 + abs(place).max())
            for sector in _sectors(lines[through, 1:]):
                code = sums > 0
                code[through] = sector
                found.add(tuple(code.tolist()))
    return found


def pieces(lines, window=(-2.0, 2.0)):
    """The regions in a window, each a convex polygon: a list of corners (x, y)."""
    low, high = window
    found = [[(low, low), (high, low), (high, high), (low, high)]]
    for line in lines:
        found = [part for polygon in found for part in _halves(polygon, *line) if len(part) > 2]
    return found


def _halves(polygon, w0, w1, w2):
    """The parts of a polygon on the two sides of a line."""
    parts = [], []
    for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        before, after = w0 + w1 * x0 + w2 * y0, w0 + w1 * x1 + w2 * y1
        parts[before > 0].append((x0, y0))
        if (before > 0) != (after > 0):
            share = before / (before - after)
            for part in parts:
                part.append((x0 + share * (x1 - x0), y0 + share * (y1 - y0)))
    return parts


def span(polygon):
    """A convex polygon as a band: places x, and its lowest and highest y there."""
    corners = numpy.array(polygon)
    xs = numpy.unique(corners[:, 0].round(9))
    if len(xs) < 2:
        return None
    ends = numpy.concatenate([corners, corners[:1]])
    heights = []
    for x in xs:
        at = [
            y0 + (y1 - y0) * min(1.0, max(0.0, share))
            for (x0, y0), (x1, y1) in pairwise(ends)
            if min(x0, x1) - SAME <= x <= max(x0, x1) + SAME
            for share in ([0.0, 1.0] if abs(x1 - x0) < SAME else [(x - x0) / (x1 - x0)])
        ]
        heights.append((min(at), max(at)))
    return xs.tolist(), [low for low, _ in heights], [high for _, high in heights]


def random_lines(count, seed, whole=False):
    """Lines at random; with small whole weights some of them are parallel, and some meet in one point."""
    draw = numpy.random.default_rng(seed)
    if not whole:
        angle, shift = draw.uniform(0, 2 * math.pi, count), draw.uniform(-1.5, 1.5, count)
        return [(float(s), math.cos(a), math.sin(a)) for a, s in zip(angle, shift, strict=True)]
    found = [(0, 1, 0), (1, 1, 2)]
    while len(found) < count:
        new = tuple(draw.integers(-2, 3, 3).tolist())
        if any(new[1:]) and all(numpy.linalg.matrix_rank([new, old]) == 2 for old in found):
            found.append(new)
    return found[:count]
