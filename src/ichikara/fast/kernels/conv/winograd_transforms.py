r"""Winograd's transforms, and images cut into patches for them.

.. math:: B^\top d\,B, \qquad G\,w\,G^\top, \qquad A^\top m\,A

The matrices are those of `winograd`. The transforms do a vector of channels at a time, and for that the channels come
last: some of them lie side by side in a *block*, and the blocks one behind the other.

A patch gives 4 x 4 outputs. Where there are not so many left, the last one down or across may be a *part*, with four
points: of 7 x 7 outputs, by windows of 2 x 2, there are 81 products and not 100.
"""

import math

import numpy

from ...jit.lazy import inner
from ...jit.tile import ONE, TILE_ROWS, TWO, load, store, tile_maximum, transpose_block, two_sided_product
from ...jit.vectors import VECTOR_BYTES

__all__ = [
    "BLOCK_VECTORS",
    "LANES",
    "BLOCK",
    "TAPS",
    "FULL",
    "channels_first",
    "channels_last",
    "transform_output_gradient",
    "transform_weight",
    "partial_patches",
    "transform_patches",
    "patch_position",
    "grid_offsets",
    "max_pool_rows",
    "patch_grid",
    "output_transform",
    "weight_gradient_transform",
    "patches_with_point",
]

TAPS = (2, 3)  # lengths of windows, or of what each phase sees of one
_POINTS = (0, 1, -1, 2, -2)  # after infinity, which comes first; the first r + k - 2 are used for k outputs
_PART, FULL = (0,), (0, 0)  # by their lengths the compiler knows them
_POINTS_OF_PART = 4


def _matrices(taps, outputs):
    """B, G and A of a window of this length, and so many outputs; G is that of 4, and B makes up for it."""
    points = _POINTS[: taps + outputs - 2]
    others = [[q for q in points if q != p] for p in points]
    missing = [math.prod(p - q for q in _POINTS[len(points) : taps + 2]) for p in points]
    b = [[*numpy.atleast_1d(numpy.poly(points))[::-1]]]
    b += [[*(n * numpy.atleast_1d(numpy.poly(rest))[::-1]), 0] for rest, n in zip(others, missing, strict=True)]
    g = [[0] * (taps - 1) + [1]]
    g += [
        [p**k / (n * math.prod(p - q for q in rest)) for k in range(taps)]
        for p, rest, n in zip(points, others, missing, strict=True)
    ]
    a = [[int(k == outputs - 1), *(p**k for p in points)] for k in range(outputs)]
    return numpy.rint(b).astype(int).tolist(), g, a


def _of_all(n):
    patch_grid = {len(_PART): {taps: _POINTS_OF_PART + 1 - taps for taps in TAPS}, len(FULL): dict.fromkeys(TAPS, 4)}
    return {(taps, size): _matrices(taps, patch_grid[size][taps])[n] for taps in TAPS for size in patch_grid}


_B, _G, _A = map(_of_all, range(3))


def _turned(matrices):
    return {key: list(zip(*matrix, strict=True)) for key, matrix in matrices.items()}


def _by_place(transform):
    """A transform that is told whether a patch is a part down and across."""

    @inner(inlined=True)
    def chosen(taps, down, across, x, places, i, out, j, out_down, out_across):
        if down and across:
            transform(taps, _PART, _PART, x, places, i, out, j, out_down, out_across)
        elif down:
            transform(taps, _PART, FULL, x, places, i, out, j, out_down, out_across)
        elif across:
            transform(taps, FULL, _PART, x, places, i, out, j, out_down, out_across)
        else:
            transform(taps, FULL, FULL, x, places, i, out, j, out_down, out_across)

    return chosen


transform_weight, weight_gradient_transform = two_sided_product(_G), two_sided_product(_turned(_G))
_of_patches, output_transform, transform_output_gradient = map(_by_place, map(two_sided_product, (_B, _A, _turned(_A))))

LANES = VECTOR_BYTES // 4
BLOCK = 16  # channels or outputs that lie side by side in a block, one vector of them or two, and are done at a time
BLOCK_VECTORS = ONE if LANES == BLOCK else TWO
_PATCHES = 72  # about so many make a product of matrices that is worth its start


def partial_patches(size, taps):
    """Whether the last patches of so many outputs are parts, down and across."""
    return tuple((count - 1) % 4 <= _POINTS_OF_PART - taps for count in size)


@inner
def patch_grid(height, width, part, count):
    """Patches of an image, down and across; and how many images are done together."""
    down, across = (height + 3) // 4, (width + 3) // 4
    at_once = _PATCHES // (down * across)
    if at_once > len(TILE_ROWS) and (part[0] or part[1]):
        at_once -= at_once % len(TILE_ROWS)  # so that patches with the same points are whole tiles
    return down, across, max(1, min(count, at_once))


@inner
def patch_position(k, i, j, part, some, down, across):
    """The place of a patch of image k: those that have the same points lie side by side, see `with_point`."""
    if not (part[0] or part[1]):
        return (k * down + i) * across + j
    high, wide = down - 1, across - 1
    if i < high:
        return k * high + i if j == wide else some * high + (k * high + i) * wide + j
    return some * high * across + (k * wide + j if j < wide else some * wide + k)


@inner
def patches_with_point(f, taps, part, some, down, across):
    """The first of the patches of some images that have a point, and the one after the last.

    The last patches across, of which there are ``some (down - 1)``, may lack points across; they are followed by those
    that have all points, then come the last ones down, and those that are the last in both ways.
    """
    if not (part[0] or part[1]):
        return 0, some * down * across
    high, wide = f // (len(taps) + 3), f % (len(taps) + 3)
    all_across = wide < _POINTS_OF_PART or not part[1]
    begin, end = (0 if all_across else some * (down - 1)), some * (down - 1) * across
    if high < _POINTS_OF_PART or not part[0]:
        end += some * (across if all_across else across - 1)
    return begin, end


@inner(makes_arrays=True)
def grid_offsets(down, across, apart, next_to):
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
                transpose_block(flat, c * plane + first, plane, square, 0, LANES)
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
    plane, flat, count = height * width, image.reshape(-1), min(BLOCK, image.shape[0] - first)
    for i in range(height):
        line = begin + i * pitch * BLOCK
        for c in range(0, count, LANES):
            at, to, j = line + c, (first + c) * plane + i * width, 0
            if c + LANES <= count:
                # What is written beyond the end of a line is overwritten by the next one.
                while j < width and i * width + j + LANES <= plane:
                    transpose_block(lines, at + j * BLOCK, BLOCK, flat, to + j, plane)
                    j += LANES
            for k in range(min(LANES, count - c)):
                for m in range(j, width):
                    image[first + c + k, i, m] = lines[at + m * BLOCK + k]


@inner
def max_pool_rows(lines, begin, pitch, height, width, kernel, steps):
    """The largest of each window of a block of channels, in the place of the lines: nothing is read once it is lost."""
    for i in range(height):
        for j in range(width):
            first = begin + (i * steps[0] * pitch + j * steps[1]) * BLOCK
            tile = load(ONE, BLOCK_VECTORS, lines, first, 0)
            for k in range(kernel[0]):
                for m in range(kernel[1]):
                    tile = tile_maximum(tile, load(ONE, BLOCK_VECTORS, lines, first + (k * pitch + m) * BLOCK, 0))
            store(tile, lines, begin + (i * pitch + j) * BLOCK, 0)


@inner
def transform_patches(taps, part, x, n, some, v, lines, pitch, depth, room, apart, down, across, begin, step, places):
    """The patches of some images, transformed: for each point, ``apart`` from the next, (blocks, room, SOME)."""
    for k in range(some):
        channels_last(x[n + k], lines, pitch, depth, begin[0], begin[1])
        for i in range(down):
            for j in range(across):
                to = patch_position(k, i, j, part, some, down, across) * BLOCK
                is_part = part[0] and i == down - 1, part[1] and j == across - 1
                for phase in range(step * step):
                    at = ((4 * i * step + phase // step) * pitch + 4 * j * step + phase % step) * depth
                    for c in range(0, depth, LANES):
                        place = to + c // BLOCK * room * BLOCK + c % BLOCK
                        apart_down = (len(taps) + 3) * apart
                        _of_patches(taps, *is_part, lines, places, at + c, v, place, apart_down, apart)
                    to += depth * room
