r"""Winograd's transforms, and images cut into patches for them.

.. math:: B^\top d\,B, \qquad G\,w\,G^\top, \qquad A^\top m\,A

The matrices are those of `winograd`. The transforms do a vector of channels at a time, and for that the channels come
last: some of them lie side by side in a *block*, and the blocks one behind the other.
"""

import math

import numpy

from .compiled import inner
from .tile import BYTES, ONE, TWO, larger_of, load, sandwich, store, turn

__all__ = [
    "COLUMNS",
    "LANES",
    "SOME",
    "TAPS",
    "channels_first",
    "channels_last",
    "of_outputs",
    "of_weights",
    "patches",
    "places_of",
    "pool_lines",
    "sizes",
    "to_outputs",
    "to_weights",
]

TAPS = (2, 3)  # lengths of windows, or of what each phase sees of one
_POINTS = (0, 1, -1, 2, -2)  # and infinity; the first r + 2 are used


def _matrices(taps):
    """B, G and A of a window of this length, and 4 outputs."""
    points = _POINTS[: taps + 2]
    others = [[q for q in points if q != p] for p in points]
    b = [[*numpy.poly(rest)[::-1], 0] for rest in others] + [numpy.poly(points)[::-1]]
    g = [[p**k / math.prod(p - q for q in rest) for k in range(taps)] for p, rest in zip(points, others, strict=True)]
    a = [[*(p**k for p in points), int(k == 3)] for k in range(4)]
    return numpy.rint(b).astype(int).tolist(), [*g, [0] * (taps - 1) + [1]], a


_B, _G, _A = ({taps: _matrices(taps)[n] for taps in TAPS} for n in range(3))


def _turned(matrices):
    return {taps: list(zip(*matrix, strict=True)) for taps, matrix in matrices.items()}


_of_patches, of_weights, to_outputs = sandwich(_B), sandwich(_G), sandwich(_A)
of_outputs, to_weights = sandwich(_turned(_A)), sandwich(_turned(_G))

LANES = BYTES // 4
SOME = 16  # channels or outputs that lie side by side in a block, one vector of them or two, and are done at a time
COLUMNS = ONE if LANES == SOME else TWO
_PATCHES = 72  # about so many make a product of matrices that is worth its start


@inner
def sizes(height, width, count):
    """Patches of an image, down and across; and how many images are done together."""
    down, across = (height + 3) // 4, (width + 3) // 4
    return down, across, max(1, min(count, _PATCHES // (down * across)))


@inner(makes_arrays=True)
def places_of(down, across, apart, next_to):
    """Distances to so many places down and across, row by row."""
    places = numpy.empty(down * across, numpy.intp)
    for a in range(down):
        for b in range(across):
            places[a * across + b] = a * apart + b * next_to
    return places


@inner(makes_arrays=True)
def channels_last(image, out, pitch, depth, top, left):
    """Put an image between zeros, its channels last. What does not fit into ``out`` no patch would see."""
    channels, height, width = image.shape
    plane, flat, square = height * width, image.reshape(-1), numpy.empty(LANES * LANES, image.dtype)
    lines, columns = min(height, out.size // (pitch * depth) - top), min(width, pitch - left)
    for c in range(0, channels, LANES):
        whole = c + LANES <= channels and plane >= LANES
        for start in range(0, plane, LANES):
            # The last vector of a plane reaches back: what is put there twice is the same twice.
            first, several = (min(start, plane - LANES), LANES) if whole else (start, min(LANES, plane - start))
            i, j = first // width, first % width
            if whole:
                turn(flat, c * plane + first, plane, square, 0, LANES)
            for r in range(several):
                if i < lines and j < columns:
                    to = ((top + i) * pitch + left + j) * depth + c
                    if whole:
                        store(load(ONE, ONE, square, r * LANES, 0), out, to, 0)
                    else:
                        for k in range(min(LANES, channels - c)):
                            out[to + k] = flat[(c + k) * plane + first + r]
                i, j = (i, j + 1) if j + 1 < width else (i + 1, 0)


@inner
def channels_first(lines, begin, pitch, image, first):
    """The way back for a block of channels."""
    height, width = image.shape[1:]
    plane, flat, count = height * width, image.reshape(-1), min(SOME, image.shape[0] - first)
    for i in range(height):
        line = begin + i * pitch * SOME
        for c in range(0, count, LANES):
            at, to, j = line + c, (first + c) * plane + i * width, 0
            if c + LANES <= count:
                # What is written beyond the end of a line is overwritten by the next one.
                while j < width and i * width + j + LANES <= plane:
                    turn(lines, at + j * SOME, SOME, flat, to + j, plane)
                    j += LANES
            for k in range(min(LANES, count - c)):
                for m in range(j, width):
                    image[first + c + k, i, m] = lines[at + m * SOME + k]


@inner
def pool_lines(lines, begin, pitch, height, width, kernel, steps):
    """The largest of each window of a block of channels, in the place of the lines: nothing is read once it is lost."""
    for i in range(height):
        for j in range(width):
            first = begin + (i * steps[0] * pitch + j * steps[1]) * SOME
            tile = load(ONE, COLUMNS, lines, first, 0)
            for k in range(kernel[0]):
                for m in range(kernel[1]):
                    tile = larger_of(tile, load(ONE, COLUMNS, lines, first + (k * pitch + m) * SOME, 0))
            store(tile, lines, begin + (i * pitch + j) * SOME, 0)


@inner
def patches(taps, x, n, some, v, lines, pitch, depth, room, apart, down, across, begin, step, places):
    """The patches of some images, transformed: for each point, ``apart`` from the next, (blocks, room, SOME)."""
    for k in range(some):
        channels_last(x[n + k], lines, pitch, depth, begin[0], begin[1])
        for i in range(down):
            for j in range(across):
                to = ((k * down + i) * across + j) * SOME
                for phase in range(step * step):
                    at = ((4 * i * step + phase // step) * pitch + 4 * j * step + phase % step) * depth
                    for c in range(0, depth, LANES):
                        place = to + c // SOME * room * SOME + c % SOME
                        _of_patches(taps, lines, places, at + c, v, place, (len(taps) + 3) * apart, apart)
                    to += depth * room
