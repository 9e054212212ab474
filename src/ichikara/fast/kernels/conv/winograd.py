r"""Winograd's convolution: small windows with a quarter to a half of the multiplications.

.. math:: Y = A^\top \bigl[(G\,w\,G^\top) \circ (B^\top d\,B)\bigr] A

The 4 x 4 outputs of a 3 x 3 window come from a *patch* d of 6 x 6 numbers by 36 multiplications instead of 144. Weight
and patch are first transformed to where a convolution is an elementwise product, as by a Fourier transform, but in
small integers: a convolution is a product of polynomials, a polynomial is determined by its values at a few *points*,
and there the values are multiplied. Over all channels the products at each of the 36 points are a product of matrices,
(patches, channels) by (channels, outputs). The transforms compute a vector of channels at a time, and for that the
channels come last.

An s r x s r window with stride s is an r x r window with stride 1 over s times s *phases* of the image, which count as
channels of their own. So 4 x 4 windows with stride 2 are computed here too, as 2 x 2 windows: 25 multiplications
instead of 64.

The gradient of the image is the same with the flipped window; the phases are then those of the result. The gradient of
the weight (`winograd_weight`) is

.. math:: \bar w = G^\top \bigl[\textstyle\sum (A\,\bar Y A^\top) \circ (B^\top d\,B)\bigr]\,G

with the sum over all patches, again a product of matrices.

Only for float32, because the transforms multiply by up to 8 and lose about a digit, and derivatives in float64 are
expected to be exact.

Source: S. Winograd, "Arithmetic Complexity of Computations" (1980); A. Lavin and S. Gray, "Fast Algorithms for
Convolutional Neural Networks" (2015), whose names u, v and m are used for the transformed weight, the transformed
patches and their products.
"""

import math
from functools import lru_cache

import numpy

from ...jit.tile import TILE_ROWS, fma_gather, load, store, transpose_block
from ...threads.fork_join import parallel
from ...threads.team import parallel_for, threads_for
from ...workspace import constant, contiguous, empty, launch, zeros
from ..epilogue import APPLY_MASK, APPLY_RELU, apply_mask, apply_relu, encode_epilogue
from .winograd_transforms import (
    BLOCK,
    BLOCK_VECTORS,
    FULL,
    LANES,
    TAPS,
    channels_first,
    grid_offsets,
    max_pool_rows,
    output_transform,
    partial_patches,
    patch_grid,
    patch_position,
    patches_with_point,
    transform_patches,
    transform_weight,
)

__all__ = ["convolve", "fits", "input_gradient"]

_MAX_SHARE = 0.6  # of the multiplications: with more of them the transforms do not pay


@lru_cache(256)
def fits(dtype, weight_shape, window, groups, positions):
    """Whether a convolution with so many positions down and across can be computed so, and whether that pays."""
    (outputs, channels, height, width), stride = weight_shape, window.stride[0]
    taps, (down, across) = height // stride, positions
    patches = _round_up(down, 4) * _round_up(across, 4) // 16
    return (
        dtype == numpy.float32
        and groups == 1
        and height == width == taps * stride
        and taps in TAPS
        and min(outputs, channels) >= BLOCK
        and window.stride == (stride, stride)
        and window.dilation == (1, 1)
        and max(map(max, window.padding)) < height
        and (taps + 3) ** 2 * patches < _MAX_SHARE * taps**2 * down * across
    )


def convolve(x, weight, bias, window, epilogue=None, pooling=None):
    """The convolution of images.

    Shapes: (n, c, h, w), (o, c, s r, s r), (o) or None -> (n, o, oh, ow).

    Arguments: ``epilogue``, as of `encode_epilogue`; ``pooling``, the size and the window of a max pooling of the
    result, or None.
    """
    stride, size = window.stride[0], window.positions(x.shape[2:], weight.shape[2:])
    pool_size, pool_strides, shape = (1, 1), (1, 1), size
    if pooling:
        pool_size, pool_strides, shape = tuple(pooling[0]), pooling[1].stride, pooling[1].positions(size, pooling[0])
    y = empty((len(x), len(weight), *shape), x.dtype)
    u = _transformed(weight, *_weight_offsets(weight.shape, stride))
    padding = [p for p, _ in window.padding]
    _launch(x, u, bias, y, size, padding, stride, (0, 0), 1, epilogue, pool_size, pool_strides)
    return y


def input_gradient(out, weight, bias, size, window, epilogue=None):
    """The gradient of images of a size, and a bias.

    Shapes: (n, o, oh, ow), (o, c, s r, s r), (c) or None -> (n, c, h, w).

    Arguments: ``epilogue``, as of `encode_epilogue`.
    """
    stride = window.stride[0]
    taps = weight.shape[2] // stride
    x = empty((len(out), weight.shape[1], *size), out.dtype)
    u = _transformed(weight, *_flipped_weight_offsets(weight.shape, stride))
    before = [p for p, _ in window.padding]
    skipped = [p % stride for p in before]
    _launch(out, u, bias, x, size, [taps - 1 - p // stride for p in before], 1, skipped, stride, epilogue)
    return x


def _round_up(count, to):
    return -(-count // to) * to


# --- the transformed weight -------------------------------------------------------------------------------------------


def _square_grid(count, row_stride, column_stride):
    """The offsets of a grid of count x count places, row by row."""
    n = numpy.arange(count)
    return (n[:, None] * row_stride + n * column_stride).reshape(-1)


def _block_offsets(count, step):
    """The offsets of so many channels or outputs, in blocks, and -1 beyond the last one. Shapes: -> (b, BLOCK)."""
    n = numpy.arange(_round_up(count, BLOCK))
    return numpy.where(n < count, n * step, -1).reshape(-1, BLOCK)


@lru_cache(256)
def _weight_offsets(shape, stride):
    """The offsets in a weight of the outputs, in blocks, of the channels, phase by phase, and of a phase's elements."""
    outputs, channels, height, width = shape
    ins = _square_grid(stride, width, 1)[:, None] + numpy.arange(channels) * (height * width)
    outs = _block_offsets(outputs, channels * height * width)
    elements = _square_grid(height // stride, stride * width, stride)
    return tuple(map(constant, (outs.reshape(-1), ins.reshape(-1), elements)))


@lru_cache(256)
def _flipped_weight_offsets(shape, stride):
    """The same for the flipped window, with the roles of outputs and channels exchanged."""
    outputs, channels, height, width = shape
    outs = _block_offsets(channels, height * width)[:, None]
    outs = numpy.where(outs < 0, outs, outs + _square_grid(stride, width, 1)[:, None])
    ins = numpy.arange(outputs) * (channels * height * width)
    # Pixel s m + a of the padded image is seen from the positions m - r + 1 to m, by every s-th element from a on.
    elements = _square_grid(height // stride, stride * width, stride)[::-1]
    return tuple(map(constant, (outs.reshape(-1), ins, elements)))


def _transformed(weight, outs, ins, elements):
    """G w G^T. Shapes: (...), (blocks BLOCK), (channels), (r r) -> (points, (blocks, channels, BLOCK) and some more).

    Arguments: the offsets in ``weight`` of outputs, of channels and of the elements of a window.
    """
    taps = math.isqrt(elements.size)
    u = empty(((taps + 3) ** 2, outs.size * ins.size + BLOCK), weight.dtype)
    offsets = (outs, ins, elements)
    parallel_for(_transform_weight, u.size * taps, outs.size // BLOCK, (0,) * taps, weight.reshape(-1), *offsets, u)
    return u


@parallel(makes_arrays=True)
def _transform_weight(first, last, taps, weight, outs, ins, elements, u):
    """The transformed weight of some blocks of outputs."""
    point_stride, flat = u.shape[1], u.reshape(-1)
    # Where the elements are close together, a square of numbers holds them all, for all outputs of a block.
    close = True
    for e in range(elements.size):  # a loop, because the compiler takes half a second for NumPy's own maximum
        close = close and elements[e] < BLOCK
    window = numpy.zeros((BLOCK if close else elements.size) * BLOCK, weight.dtype)
    offsets = elements * BLOCK if close else grid_offsets(1, elements.size, 0, BLOCK)
    for block in range(first, last):
        begin, end = outs[block * BLOCK], outs[(block + 1) * BLOCK - 1]
        step = outs[block * BLOCK + 1] - begin
        for k in range(ins.size):
            if close and end >= 0 and end + ins[k] + BLOCK <= weight.size:
                for o in range(0, BLOCK, LANES):
                    for e in range(0, BLOCK, LANES):
                        source = begin + ins[k] + o * step + e
                        transpose_block(weight, source, step, window, e * BLOCK + o, BLOCK)
            else:
                for e in range(elements.size):
                    for o in range(BLOCK):
                        out = outs[block * BLOCK + o]
                        window[offsets[e] + o] = weight[out + ins[k] + elements[e]] if out >= 0 else 0
            for o in range(0, BLOCK, LANES):
                to = (block * ins.size + k) * BLOCK + o
                row_stride = (len(taps) + 3) * point_stride
                transform_weight(taps, FULL, FULL, window, offsets, o, flat, to, row_stride, point_stride)


# --- products ---------------------------------------------------------------------------------------------------------
# The outputs are computed a block at a time, so that their products at all points stay in the cache beside the patches:
# of 32 channels and 64 outputs they would be half a megabyte. The distance between two points is a little more than
# what there is to store: in steps of whole pages, all points would fall into the same few lines of the cache.


def _launch(x, u, bias, y, size, padding, stride, skipped, out_stride, epilogue, pool_size=(1, 1), pool_strides=(1, 1)):
    """Put the convolution of images with a transformed weight into ``y``.

    Arguments: ``size``, of the result before the pooling; ``skipped``, how many rows and columns of outputs to leave
    out at the top and at the left; ``out_stride``, of the phases of the result.
    """
    x, taps = contiguous(x), (0,) * (math.isqrt(len(u)) - 3)
    b = zeros(BLOCK + _round_up(y.shape[1], BLOCK), y.dtype)  # a block of zeros, and the bias
    if bias is not None:
        launch(numpy.copyto, b[BLOCK : BLOCK + y.shape[1]], bias)
    cost = len(x) * y.shape[1] * math.prod(size) * x.shape[1] * (stride * len(taps)) ** 2
    by_outputs = len(x) < threads_for(cost)
    count = -(-y.shape[1] // BLOCK) if by_outputs else len(x)
    geometry = tuple(size), tuple(padding), stride, tuple(skipped), out_stride
    phase_size = [-(-(before + length) // out_stride) for before, length in zip(skipped, size, strict=True)]
    partial, epilogue = partial_patches(phase_size, len(taps)), encode_epilogue(y, epilogue)
    operands = (taps, partial, x, u, b, y, *geometry, by_outputs, *epilogue, pool_size, pool_strides)
    parallel_for(_convolve, cost, count, *operands)


@parallel(makes_arrays=True)
def _convolve(
    first,
    last,
    taps,
    partial,
    x,
    u,
    bias,
    y,
    out_size,
    padding,
    stride,
    skipped,
    out_stride,
    by_outputs,
    code,
    mask,
    pool_size,
    pool_strides,
):
    """Some images; or of all of them, where there are few, some blocks of outputs."""
    if by_outputs:
        blocks = range(first * out_stride * out_stride, last * out_stride * out_stride)
    else:
        x, y, mask = x[first:last], y[first:last], mask[first:last]
        blocks = range((bias.size // BLOCK - 1) * out_stride * out_stride)
    points, length, phases = u.shape[0], len(taps) + 3, out_stride * out_stride
    depth = (x.shape[1] + BLOCK - 1) // BLOCK * BLOCK
    down, across, at_once = patch_grid(
        (skipped[0] + out_size[0] + out_stride - 1) // out_stride,
        (skipped[1] + out_size[1] + out_stride - 1) // out_stride,
        partial,
        x.shape[0],
    )
    # Space for the patches and the rest of the last tile; an odd number, for the reason above.
    capacity = at_once * down * across + len(TILE_ROWS) | 1
    point_stride = stride * stride * depth * capacity + BLOCK
    pitch, out_pitch = (4 * across + len(taps) - 1) * stride, 4 * across * out_stride
    padded = numpy.zeros((4 * down + len(taps) - 1) * stride * pitch * depth, x.dtype)
    v, m = numpy.empty(points * point_stride, x.dtype), numpy.empty(points * capacity * BLOCK, x.dtype)
    size = (4 * down * out_stride * out_pitch + LANES) * BLOCK
    out = numpy.empty(at_once * size, x.dtype)
    rows, columns = grid_offsets(1, capacity, 0, BLOCK), numpy.empty(stride * stride * x.shape[1], numpy.intp)
    for k in range(columns.size):
        channel = k // x.shape[1] * depth + k % x.shape[1]
        columns[k] = channel // BLOCK * capacity * BLOCK + channel % BLOCK
    patch_offsets = grid_offsets(length, length, pitch * stride * depth, stride * depth)
    product_offsets = grid_offsets(1, points, 0, capacity * BLOCK)
    weights = u.reshape(-1)
    grid = (depth, capacity, point_stride, down, across)
    for n in range(0, x.shape[0], at_once):
        images = min(at_once, x.shape[0] - n)
        transform_patches(taps, partial, x, n, images, v, padded, pitch, grid, padding, stride, patch_offsets)
        for block in blocks:
            for f in range(points):
                v_point, weight = v[f * point_stride :], f * u.shape[1] + block * columns.size * BLOCK
                # What is added at the point 1, of which every power is 1, is added to all outputs.
                start = (1 + block // phases) * BLOCK if f == 2 * length + 2 else 0
                begin, end = patches_with_point(f, taps, partial, images, down, across)
                for p in range(begin, end, len(TILE_ROWS)):
                    tile = load(TILE_ROWS, BLOCK_VECTORS, bias, start, 0)
                    for k in range(columns.size):
                        tile = fma_gather(tile, v_point, rows, p, columns, k, weights, weight + k * BLOCK)
                    store(tile, m, (f * capacity + p) * BLOCK, BLOCK)
            phase = block % phases
            for k in range(images):
                for i in range(down):
                    for j in range(across):
                        at = patch_position(k, i, j, partial, images, down, across) * BLOCK
                        is_partial = partial[0] and i == down - 1, partial[1] and j == across - 1
                        row, column = 4 * i * out_stride + phase // out_stride, 4 * j * out_stride + phase % out_stride
                        to = k * size + (row * out_pitch + column) * BLOCK
                        for c in range(0, BLOCK, LANES):
                            row_stride, column_stride = out_stride * out_pitch * BLOCK, out_stride * BLOCK
                            output_transform(
                                taps, *is_partial, m, product_offsets, at + c, out, to + c, row_stride, column_stride
                            )
                if phase == phases - 1:
                    at = k * size + (skipped[0] * out_pitch + skipped[1]) * BLOCK
                    channel = block // phases * BLOCK
                    if code == APPLY_RELU:
                        apply_relu(out[k * size : (k + 1) * size])
                    if pool_size[0] * pool_size[1] > 1:
                        max_pool_rows(out, at, out_pitch, y.shape[2], y.shape[3], pool_size, pool_strides)
                    channels_first(out, at, out_pitch, y[n + k], channel)
                    for c in range(channel, min(channel + BLOCK, y.shape[1]) if code == APPLY_MASK else channel):
                        apply_mask(y[n + k, c].reshape(-1), mask[n + k, c].reshape(-1))
