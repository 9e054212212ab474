r"""The gradient of the weight of Winograd's convolution (`winograd`).

.. math:: \bar w = G^\top \bigl[\textstyle\sum (A\,\bar Y A^\top) \circ (B^\top d\,B)\bigr]\,G
"""

import numpy

from ...jit.lazy import inner
from ...jit.tile import TILE_ROWS, accumulate, fma_gather, load, store
from ...threads.fork_join import chunk_bounds, parallel
from ...threads.team import parallel_for, threads_for
from ...workspace import contiguous, empty, launch
from .winograd_transforms import (
    BLOCK,
    BLOCK_VECTORS,
    FULL,
    LANES,
    channels_last,
    grid_offsets,
    partial_patches,
    patch_grid,
    patch_position,
    patches_with_point,
    transform_output_gradient,
    transform_patches,
    weight_gradient_transform,
)

__all__ = ["weight_gradient"]


def weight_gradient(out, x, size, window):
    """The gradient of a weight of a size. Shapes: (n, o, oh, ow), (n, c, h, w) -> (o, c, s r, s r)."""
    g, x = contiguous(out), contiguous(x)
    outputs, channels, stride, taps = g.shape[1], x.shape[1], window.stride[0], size[0] // window.stride[0]
    padding = tuple(p for p, _ in window.padding)
    blocks = -(-channels // BLOCK)
    cost = g.size * stride * stride * channels * taps * taps
    parts = threads_for(cost, len(x))
    rows = -(-outputs // len(TILE_ROWS)) * len(TILE_ROWS)
    totals = empty((parts, (taps + 3) ** 2, stride * stride * blocks, rows, BLOCK), x.dtype)
    weight = empty((outputs, channels, *size), x.dtype)
    other_parts = empty((parts - 1, *weight.shape), x.dtype)
    partial = partial_patches(g.shape[2:], taps)
    operands = ((0,) * taps, partial, g, x, totals, weight, other_parts, padding, stride)
    parallel_for(_weight_gradient, cost, parts, *operands)
    for other in other_parts:
        launch(numpy.add, weight, other, weight)
    return weight


@parallel
def _weight_gradient(first, last, taps, partial, g, x, totals, weight, other_parts, padding, stride):
    """The gradients from some parts of the images. The thread that adds up a part also transforms its sum back."""
    for part in range(first, last):
        begin, end = chunk_bounds(len(x), part, len(totals))
        _sum_of_products(taps, partial, g[begin:end], x[begin:end], totals[part], padding, stride)
        _transform_back(taps, totals[part], other_parts[part - 1] if part else weight, stride)


@inner(makes_arrays=True)
def _sum_of_products(taps, partial, g, x, total, padding, stride):
    """The sum over all patches of the products at all points."""
    points, blocks, outputs = total.shape[0], total.shape[1], total.shape[2]
    depth, out_depth = (x.shape[1] + BLOCK - 1) // BLOCK * BLOCK, (g.shape[1] + BLOCK - 1) // BLOCK * BLOCK
    down, across, at_once = patch_grid(g.shape[2], g.shape[3], partial, x.shape[0])
    capacity, length = at_once * down * across, len(taps) + 3
    point_stride, out_point_stride = blocks * capacity * BLOCK + BLOCK, out_depth * capacity + BLOCK
    pitch, total = (4 * across + len(taps) - 1) * stride, total.reshape(-1)
    padded = numpy.zeros((4 * down + len(taps) - 1) * stride * pitch * depth, x.dtype)
    g_padded = numpy.zeros(16 * down * across * out_depth, x.dtype)
    v, m = numpy.empty(points * point_stride, x.dtype), numpy.empty(points * out_point_stride, x.dtype)
    rows, columns = numpy.empty(outputs, numpy.intp), grid_offsets(1, capacity, 0, BLOCK)
    for o in range(outputs):
        rows[o] = min(o, out_depth - 1) // BLOCK * capacity * BLOCK + min(o, out_depth - 1) % BLOCK
    patch_offsets = grid_offsets(length, length, pitch * stride * depth, stride * depth)
    out_offsets = grid_offsets(4, 4, 4 * across * out_depth, out_depth)
    zeros = numpy.zeros(BLOCK, x.dtype)
    grid = (depth, capacity, point_stride, down, across)
    for i in range(0 if x.shape[0] else total.size):
        total[i] = 0
    for n in range(0, x.shape[0], at_once):
        images = min(at_once, x.shape[0] - n)
        transform_patches(taps, partial, x, n, images, v, padded, pitch, grid, padding, stride, patch_offsets)
        for k in range(images):
            channels_last(g[n + k], g_padded, 4 * across, out_depth, 0, 0)
            for i in range(down):
                for j in range(across):
                    at = (i * across * 4 + j) * 4 * out_depth
                    to = patch_position(k, i, j, partial, images, down, across) * BLOCK
                    is_partial = partial[0] and i == down - 1, partial[1] and j == across - 1
                    for o in range(0, out_depth, LANES):
                        to_block = to + o // BLOCK * capacity * BLOCK + o % BLOCK
                        row_stride = length * out_point_stride
                        transform_output_gradient(
                            taps, *is_partial, g_padded, out_offsets, at + o, m, to_block, row_stride, out_point_stride
                        )
        for f in range(points):
            m_point, (begin, end) = (
                m[f * out_point_stride :],
                patches_with_point(f, taps, partial, images, down, across),
            )
            for block in range(blocks):
                v_block, to = f * point_stride + block * capacity * BLOCK, (f * blocks + block) * outputs * BLOCK
                for r in range(0, outputs, len(TILE_ROWS)):
                    tile = load(TILE_ROWS, BLOCK_VECTORS, zeros, 0, 0)
                    for p in range(begin, end):
                        tile = fma_gather(tile, m_point, rows, r, columns, p, v, v_block + p * BLOCK)
                    if n:
                        accumulate(tile, total, to + r * BLOCK, BLOCK)
                    else:
                        store(tile, total, to + r * BLOCK, BLOCK)


@inner(makes_arrays=True)
def _transform_back(taps, total, weight, stride):
    """Transform a sum from the points back to the windows."""
    points, rows, blocks = total.shape[0], total.shape[2], total.shape[1] // stride**2
    channels = weight.shape[1]
    offsets = grid_offsets(1, points, 0, total.shape[1] * rows * BLOCK)
    window = numpy.empty(len(taps) ** 2 * BLOCK, total.dtype)
    for n in range(total.shape[1]):
        phase, channel = n // blocks, n % blocks * BLOCK
        for o in range(weight.shape[0]):
            for c in range(0, BLOCK, LANES):
                at = (n * rows + o) * BLOCK + c
                row_stride = len(taps) * BLOCK
                weight_gradient_transform(
                    taps, FULL, FULL, total.reshape(-1), offsets, at, window, c, row_stride, BLOCK
                )
            for c in range(min(BLOCK, channels - channel)):
                for a in range(len(taps)):
                    for b in range(len(taps)):
                        to = weight[o, channel + c, a * stride + phase // stride]
                        to[b * stride + phase % stride] = window[(a * len(taps) + b) * BLOCK + c]
