r"""Winograd's transforms, and images divided into patches for them.

.. math:: B^\top d\,B, \qquad G\,w\,G^\top, \qquad A^\top m\,A

The matrices are those of `winograd`. A transform computes a vector of channels at a time. So the channels come last:
those of a *block* lie side by side, and the blocks follow each other.

A patch gives 4 x 4 outputs. Where fewer are left, the last patch down or across may be *partial*, with four points in
that direction: 7 x 7 outputs of a 2 x 2 window take 81 products instead of 100.
"""

import math

import numpy

from ...jit.lazy import inner
from ...jit.tile import ONE, TILE_ROWS, TWO, load, store, tile_maximum, transpose_block, two_sided_product
from ...jit.vectors import VECTOR_BYTES

__all__ = [
    "BLOCK",
    "BLOCK_VECTORS",
    "FULL",
    "LANES",
    "TAPS",
    "channels_first",
    "channels_last",
    "grid_offsets",
    "max_pool_rows",
    "output_transform",
    "partial_patches",
    "patch_grid",
    "patch_position",
    "patches_with_point",
    "transform_output_gradient",
    "transform_patches",
    "transform_weight",
    "weight_gradient_transform",
]

TAPS = (2, 3)  # lengths of the window, or of what each phase sees of it
_POINTS = (0, 1, -1, 2, -2)  # after infinity, which comes first; the first r + k - 2 are used for k outputs
_PARTIAL, FULL = (0,), (0, 0)  # the compiler knows them by their lengths
_PARTIAL_POINTS = 4


def _matrices(taps, outputs):
    """B, G and A for a window of this length and so many outputs. G is that for 4 outputs, and B makes up for it."""
    points = _POINTS[: taps + outputs - 2]
    other_points = [[q for q in points if q != p] for p in points]
    missing = [math.prod(p - q for q in _POINTS[len(points) : taps + 2]) for p in points]
    b = [[*numpy.atleast_1d(numpy.poly(points))[::-1]]]
    b += [[*(n * numpy.atleast_1d(numpy.poly(rest))[::-1]), 0] for rest, n in zip(other_points, missing, strict=True)]
    g = [[0] * (taps - 1) + [1]]
    g += [
        [p**k / (n * math.prod(p - q for q in rest)) for k in range(taps)]
        for p, rest, n in zip(points, other_points, missing, strict=True)
    ]
    a = [[int(k == outputs - 1), *(p**k for p in points)] for k in range(outputs)]
    return numpy.rint(b).astype(int).tolist(), g, a


def _all_matrices(n):
    outputs = {len(_PARTIAL): {taps: _PARTIAL_POINTS + 1 - taps for taps in TAPS}, len(FULL): dict.fromkeys(TAPS, 4)}
    return {(taps, size): _matrices(taps, outputs[size][taps])[n] for taps in TAPS for size in outputs}


_B, _G, _A = map(_all_matrices, range(3))


def _transposed(matrices):
    return {key: list(zip(*matrix, strict=True)) for key, matrix in matrices.items()}


def _for_partial_patches(apply):
    """A transform that also takes whether a patch is partial down and across."""

    @inner(inlined=True)
    def transform_patch(taps, partial_down, partial_across, x, offsets, i, out, j, row_stride, column_stride):
        if partial_down and partial_across:
            apply(taps, _PARTIAL, _PARTIAL, x, offsets, i, out, j, row_stride, column_stride)
        elif partial_down:
            apply(taps, _PARTIAL, FULL, x, offsets, i, out, j, row_stride, column_stride)
        elif partial_across:
            apply(taps, FULL, _PARTIAL, x, offsets, i, out, j, row_stride, column_stride)
        else:
            apply(taps, FULL, FULL, x, offsets, i, out, j, row_stride, column_stride)

    return transform_patch


transform_weight, weight_gradient_transform = two_sided_product(_G), two_sided_product(_transposed(_G))
_patch_transform, output_transform, transform_output_gradient = map(
    _for_partial_patches, map(two_sided_product, (_B, _A, _transposed(_A)))
)

LANES = VECTOR_BYTES // 4
BLOCK = 16  # channels or outputs of a block: one vector of them or two
BLOCK_VECTORS = ONE if LANES == BLOCK else TWO
_PATCHES_AT_ONCE = 72  # about so many make a product of matrices that is worth its overhead


def partial_patches(size, taps):
    """Whether the last patches of an output of this size are partial, down and across."""
    return tuple((count - 1) % 4 <= _PARTIAL_POINTS - taps for count in size)


@inner
def patch_grid(height, width, partial, count):
    """How many patches an image has down and across, and how many images are computed together."""
    down, across = (height + 3) // 4, (width + 3) // 4
    images = _PATCHES_AT_ONCE // (down * across)
    if images > len(TILE_ROWS) and (partial[0] or partial[1]):
        images -= images % len(TILE_ROWS)  # so that patches with the same points fill whole tiles
    return down, across, max(1, min(count, images))


@inner
def patch_position(k, i, j, partial, images, down, across):
    """The position of patch (i, j) of image k. Patches with the same points are contiguous (`patches_with_point`)."""
    if not (partial[0] or partial[1]):
        return (k * down + i) * across + j
    full_down, full_across = down - 1, across - 1
    if i < full_down:
        return k * full_down + i if j == full_across else images * full_down + (k * full_down + i) * full_across + j
    return images * full_down * across + (k * full_across + j if j < full_across else images * full_across + k)


@inner
def patches_with_point(f, taps, partial, images, down, across):
    """The first of the patches of some images that have a point, and the one after the last.

    The last patches across, of which there are ``images (down - 1)``, may lack points across. They are followed by
    those that have all points, then by the last ones down, and then by those that are the last in both directions.
    """
    if not (partial[0] or partial[1]):
        return 0, images * down * across
    point_row, point_column = f // (len(taps) + 3), f % (len(taps) + 3)
    all_across = point_column < _PARTIAL_POINTS or not partial[1]
    begin, end = (0 if all_across else images * (down - 1)), images * (down - 1) * across
    if point_row < _PARTIAL_POINTS or not partial[0]:
        end += images * (across if all_across else across - 1)
    return begin, end


@inner(makes_arrays=True)
def grid_offsets(down, across, row_stride, column_stride):
    """The offsets of a grid of so many rows and columns, row by row."""
    offsets = numpy.empty(down * across, numpy.intp)
    for a in range(down):
        for b in range(across):
            offsets[a * across + b] = a * row_stride + b * column_stride
    return offsets


@inner(makes_arrays=True)
def channels_last(image, out, pitch, depth, top, left):
    """Copy an image into a padded one whose channels come last. What does not fit into ``out`` no patch would see."""
    channels, height, width = image.shape
    plane, flat, square = height * width, image.reshape(-1), numpy.empty(LANES * LANES, image.dtype)
    rows, columns = min(height, out.size // (pitch * depth) - top), min(width, pitch - left)
    for c in range(0, channels, LANES):
        whole_vector = c + LANES <= channels and plane >= LANES
        for start in range(0, plane, LANES):
            # The last vector of a plane overlaps the one before: what is stored twice is the same.
            first, pixels = (min(start, plane - LANES), LANES) if whole_vector else (start, min(LANES, plane - start))
            i, j = first // width, first % width
            if whole_vector:
                transpose_block(flat, c * plane + first, plane, square, 0, LANES)
            for r in range(pixels):
                if i < rows and j < columns:
                    to = ((top + i) * pitch + left + j) * depth + c
                    if whole_vector:
                        store(load(ONE, ONE, square, r * LANES, 0), out, to, 0)
                    else:
                        for k in range(min(LANES, channels - c)):
                            out[to + k] = flat[(c + k) * plane + first + r]
                i, j = (i, j + 1) if j + 1 < width else (i + 1, 0)


@inner
def channels_first(x, begin, pitch, image, first):
    """Copy a block of channels back into an image whose channels come first."""
    height, width = image.shape[1:]
    plane, flat, count = height * width, image.reshape(-1), min(BLOCK, image.shape[0] - first)
    for i in range(height):
        row = begin + i * pitch * BLOCK
        for c in range(0, count, LANES):
            at, to, j = row + c, (first + c) * plane + i * width, 0
            if c + LANES <= count:
                # What is written beyond the end of a row is overwritten by the next one.
                while j < width and i * width + j + LANES <= plane:
                    transpose_block(x, at + j * BLOCK, BLOCK, flat, to + j, plane)
                    j += LANES
            for k in range(min(LANES, count - c)):
                for m in range(j, width):
                    image[first + c + k, i, m] = x[at + m * BLOCK + k]


@inner
def max_pool_rows(x, begin, pitch, height, width, kernel, strides):
    """Max pooling of a block of channels in place: nothing is overwritten before it has been read."""
    for i in range(height):
        for j in range(width):
            first = begin + (i * strides[0] * pitch + j * strides[1]) * BLOCK
            tile = load(ONE, BLOCK_VECTORS, x, first, 0)
            for k in range(kernel[0]):
                for m in range(kernel[1]):
                    tile = tile_maximum(tile, load(ONE, BLOCK_VECTORS, x, first + (k * pitch + m) * BLOCK, 0))
            store(tile, x, begin + (i * pitch + j) * BLOCK, 0)


@inner
def transform_patches(taps, partial, x, n, images, v, padded, pitch, grid, padding, stride, offsets):
    """The transformed patches of some images. Shapes: at each point (blocks, capacity, BLOCK).

    Arguments: ``n``, the first image; ``padded``, a buffer for a padded image; ``grid``, the padded number of channels,
    how many patches a block has space for, the distance between two points, and how many patches there are down and
    across.
    """
    depth, capacity, point_stride, down, across = grid
    for k in range(images):
        channels_last(x[n + k], padded, pitch, depth, padding[0], padding[1])
        for i in range(down):
            for j in range(across):
                to = patch_position(k, i, j, partial, images, down, across) * BLOCK
                is_partial = partial[0] and i == down - 1, partial[1] and j == across - 1
                for phase in range(stride * stride):
                    at = ((4 * i * stride + phase // stride) * pitch + 4 * j * stride + phase % stride) * depth
                    for c in range(0, depth, LANES):
                        to_block = to + c // BLOCK * capacity * BLOCK + c % BLOCK
                        row_stride = (len(taps) + 3) * point_stride
                        _patch_transform(
                            taps, *is_partial, padded, offsets, at + c, v, to_block, row_stride, point_stride
                        )
                    to += depth * capacity
