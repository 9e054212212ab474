r"""Convolution by small windows with a quarter or half of the multiplications.

.. math:: Y = A^\top \bigl[(G\,w\,G^\top) \circ (B^\top d\,B)\bigr] A

An output of 4 x 4 of a window of 3 x 3 is made of a *patch* d of 6 x 6 numbers by 36 multiplications instead of 144:
both sides are first taken to where a convolution is a product number by number, as by a Fourier transform, but in small
whole numbers. A convolution is a product of polynomials, and these are known by their values at a few points: there
they are multiplied. Over all channels the products of each of the 36 numbers are a product of matrices, (patches,
channels) by (channels, outputs). The transforms do a vector of channels at a time, and for that the channels come last.

A window of s r x s r in steps of s is one of r x r in steps of one over s times s *phases* of the image, which count as
channels of their own. So windows of 4 x 4 in steps of two are done here too, as windows of 2 x 2: 25 multiplications
instead of 64.

The gradient of the image is the same, with the window turned around; the phases are then those of the result. That of
the weight is

.. math:: \bar w = G^\top \bigl[\textstyle\sum (A\,\bar Y A^\top) \circ (B^\top d\,B)\bigr]\,G

with the sum over all patches, again a product of matrices.

Only for float32, because the transforms multiply by up to 8 and lose about a digit: what is differentiated in float64
is to be exact.

Source: S. Winograd, "Arithmetic Complexity of Computations" (1980); A. Lavin and S. Gray, "Fast Algorithms for
Convolutional Neural Networks" (2015).
"""

import math
from functools import lru_cache

import numpy

from ...jit.lazy import inner
from ...jit.tile import TILE_ROWS, accumulate, fma_gather, load, store, transpose_block
from ...threads.fork_join import chunk_bounds, parallel
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
    channels_last,
    grid_offsets,
    max_pool_rows,
    output_transform,
    partial_patches,
    patch_grid,
    patch_position,
    patches_with_point,
    transform_output_gradient,
    transform_patches,
    transform_weight,
    weight_gradient_transform,
)

_SHARE = 0.6  # of the multiplications: with more of them the transforms do not pay


@lru_cache(256)
def fits(dtype, weight_shape, window, groups, positions):
    """Whether a convolution with so many positions down and across can be done so, and whether it pays."""
    (outputs, channels, height, width), step = weight_shape, window.stride[0]
    taps, (down, across) = height // step, positions
    transform_patches = _up(down, 4) * _up(across, 4) // 16
    return (
        dtype == numpy.float32
        and groups == 1
        and height == width == taps * step
        and taps in TAPS
        and min(outputs, channels) >= BLOCK
        and window.stride == (step, step)
        and window.dilation == (1, 1)
        and max(map(max, window.padding)) < height
        and (taps + 3) ** 2 * transform_patches < _SHARE * taps**2 * down * across
    )


def convolve(x, weight, bias, window, where=None, pooled=None):
    """What the window sees everywhere, cut off as `how_to_cut` says.

    Shapes: (n, c, h, w), (o, c, s r, s r), (o) or None -> (n, o, oh, ow).

    Arguments: ``pooled``, a kernel and a window, for the largest of each of these windows of it; or None.
    """
    step, size = window.stride[0], window.positions(x.shape[2:], weight.shape[2:])
    kernel, steps, shape = (1, 1), (1, 1), size
    if pooled:
        kernel, steps, shape = tuple(pooled[0]), pooled[1].stride, pooled[1].positions(size, pooled[0])
    y = empty((len(x), len(weight), *shape), x.dtype)
    u = _points(weight, *_lists(weight.shape, step))
    _share(x, u, bias, y, size, [p for p, _ in window.padding], step, (0, 0), 1, where, kernel, steps)
    return y


def input_gradient(out, weight, bias, size, window, where=None):
    """The gradient of the image of a size, and a bias, cut off.

    Shapes: (n, o, oh, ow), (o, c, s r, s r), (c) or None -> (n, c, h, w).
    """
    step = window.stride[0]
    taps = weight.shape[2] // step
    x = empty((len(out), weight.shape[1], *size), out.dtype)
    u = _points(weight, *_lists_back(weight.shape, step))
    before = [p for p, _ in window.padding]
    skipped = [p % step for p in before]
    _share(out, u, bias, x, size, [taps - 1 - p // step for p in before], 1, skipped, step, where)
    return x


def weight_gradient(out, x, size, window):
    """The gradient of the weight of a size. Shapes: (n, o, oh, ow), (n, c, h, w) -> (o, c, s r, s r)."""
    g, x = contiguous(out), contiguous(x)
    outputs, channels, step, taps = g.shape[1], x.shape[1], window.stride[0], size[0] // window.stride[0]
    begin = tuple(p for p, _ in window.padding)
    blocks = -(-channels // BLOCK)
    cost = g.size * step * step * channels * taps * taps
    parts = threads_for(cost, len(x))
    totals = empty((parts, (taps + 3) ** 2, step * step * blocks, _up(outputs, len(TILE_ROWS)), BLOCK), x.dtype)
    weight = empty((outputs, channels, *size), x.dtype)
    more = empty((parts - 1, *weight.shape), x.dtype)
    part = partial_patches(g.shape[2:], taps)
    parallel_for(_of_weight, cost, parts, (0,) * taps, part, g, x, totals, weight, more, begin, step)
    for other in more:
        launch(numpy.add, weight, other, weight)
    return weight


def _up(count, to):
    return -(-count // to) * to


def _grid(count, down, across):
    """Distances to some places down and across, row by row."""
    n = numpy.arange(count)
    return (n[:, None] * down + n * across).reshape(-1)


def _blocks(count, apart):
    """Distances to as many channels or outputs, in blocks, and -1 where there are none left. Shapes: -> (b, SOME)."""
    n = numpy.arange(_up(count, BLOCK))
    return numpy.where(n < count, n * apart, -1).reshape(-1, BLOCK)


@lru_cache(256)
def _lists(shape, step):
    """How far it is in a weight to outputs, in blocks, to channels, phase by phase, and to elements of a phase."""
    outputs, channels, height, width = shape
    ins = _grid(step, width, 1)[:, None] + numpy.arange(channels) * (height * width)
    outs = _blocks(outputs, channels * height * width)
    return tuple(map(constant, (outs.reshape(-1), ins.reshape(-1), _grid(height // step, step * width, step))))


@lru_cache(256)
def _lists_back(shape, step):
    """The same with the roles of outputs and channels exchanged, and the window turned around."""
    outputs, channels, height, width = shape
    outs = _blocks(channels, height * width)[:, None]
    outs = numpy.where(outs < 0, outs, outs + _grid(step, width, 1)[:, None])
    ins = numpy.arange(outputs) * (channels * height * width)
    # Place s m + a of the padded image is reached from the positions m - r + 1 to m, by every s-th element from a on.
    return tuple(map(constant, (outs.reshape(-1), ins, _grid(height // step, step * width, step)[::-1])))


def _points(weight, outs, ins, elements):
    """G w G^T. Shapes: (...), (blocks SOME), (channels), (r r) -> (points, (blocks, channels, SOME) and some more).

    Arguments: how far in ``weight`` it is to outputs, to channels and to elements of a window.
    """
    taps = math.isqrt(elements.size)
    u = empty(((taps + 3) ** 2, outs.size * ins.size + BLOCK), weight.dtype)
    lists = (outs, ins, elements)
    parallel_for(_transform, u.size * taps, outs.size // BLOCK, (0,) * taps, weight.reshape(-1), *lists, u)
    return u


def _share(x, u, bias, y, size, begin, step, skipped, out_step, where, kernel=(1, 1), steps=(1, 1)):
    x, taps = contiguous(x), (0,) * (math.isqrt(len(u)) - 3)
    b = zeros(BLOCK + _up(y.shape[1], BLOCK), y.dtype)  # a block of zeros, and the bias
    if bias is not None:
        launch(numpy.copyto, b[BLOCK : BLOCK + y.shape[1]], bias)
    cost = len(x) * y.shape[1] * math.prod(size) * x.shape[1] * (step * len(taps)) ** 2
    by_outputs = len(x) < threads_for(cost)
    count = -(-y.shape[1] // BLOCK) if by_outputs else len(x)
    places = tuple(size), tuple(begin), step, tuple(skipped), out_step
    part = partial_patches(
        [-(-(before + some) // out_step) for before, some in zip(skipped, size, strict=True)], len(taps)
    )
    how = encode_epilogue(y, where)
    parallel_for(_convolve, cost, count, taps, part, x, u, b, y, *places, by_outputs, *how, kernel, steps)


@parallel(makes_arrays=True)
def _transform(first, last, taps, weight, outs, ins, elements, u):
    """The weights of some blocks of outputs at all points."""
    apart, flat = u.shape[1], u.reshape(-1)
    # Where the elements lie so near each other, a square of numbers has them all, of all outputs of a block.
    near = True
    for e in range(elements.size):  # a loop, for the compiler takes half a second for NumPy's own maximum
        near = near and elements[e] < BLOCK
    window = numpy.zeros((BLOCK if near else elements.size) * BLOCK, weight.dtype)
    places = elements * BLOCK if near else grid_offsets(1, elements.size, 0, BLOCK)
    for block in range(first, last):
        begin, end = outs[block * BLOCK], outs[(block + 1) * BLOCK - 1]
        step = outs[block * BLOCK + 1] - begin
        for k in range(ins.size):
            if near and end >= 0 and end + ins[k] + BLOCK <= weight.size:
                for o in range(0, BLOCK, LANES):
                    for e in range(0, BLOCK, LANES):
                        transpose_block(weight, begin + ins[k] + o * step + e, step, window, e * BLOCK + o, BLOCK)
            else:
                for e in range(elements.size):
                    for o in range(BLOCK):
                        out = outs[block * BLOCK + o]
                        window[places[e] + o] = weight[out + ins[k] + elements[e]] if out >= 0 else 0
            for o in range(0, BLOCK, LANES):
                to = (block * ins.size + k) * BLOCK + o
                transform_weight(taps, FULL, FULL, window, places, o, flat, to, (len(taps) + 3) * apart, apart)


# --- products ---------------------------------------------------------------------------------------------------------
# The outputs are done a block at a time, so that all points of them stay in the cache beside those of the channels: of
# 32 channels and 64 outputs they would be half a megabyte. From one point to the next it is a little more than there is
# to hold: in steps of whole pages all points would fall into the same few lines of the cache.


@parallel(makes_arrays=True)
def _convolve(
    first,
    last,
    taps,
    part,
    x,
    u,
    bias,
    y,
    out_size,
    begin,
    step,
    skipped,
    out_step,
    by_outputs,
    how,
    where,
    kernel,
    steps,
):
    """Some images; or of all of them, where there are few, some blocks of outputs."""
    if by_outputs:
        blocks = range(first * out_step * out_step, last * out_step * out_step)
    else:
        x, y, where = x[first:last], y[first:last], where[first:last]
        blocks = range((bias.size // BLOCK - 1) * out_step * out_step)
    points, length, phases = u.shape[0], len(taps) + 3, out_step * out_step
    depth = (x.shape[1] + BLOCK - 1) // BLOCK * BLOCK
    down, across, at_once = patch_grid(
        (skipped[0] + out_size[0] + out_step - 1) // out_step,
        (skipped[1] + out_size[1] + out_step - 1) // out_step,
        part,
        x.shape[0],
    )
    # Room for the patches and the rest of the last tile; an odd number, for the reason above.
    empty = at_once * down * across + len(TILE_ROWS) | 1
    apart = step * step * depth * empty + BLOCK
    pitch, out_pitch = (4 * across + len(taps) - 1) * step, 4 * across * out_step
    lines = numpy.zeros((4 * down + len(taps) - 1) * step * pitch * depth, x.dtype)
    v, m = numpy.empty(points * apart, x.dtype), numpy.empty(points * empty * BLOCK, x.dtype)
    size = (4 * down * out_step * out_pitch + LANES) * BLOCK
    made = numpy.empty(at_once * size, x.dtype)
    rows, columns = grid_offsets(1, empty, 0, BLOCK), numpy.empty(step * step * x.shape[1], numpy.intp)
    for k in range(columns.size):
        channel = k // x.shape[1] * depth + k % x.shape[1]
        columns[k] = channel // BLOCK * empty * BLOCK + channel % BLOCK
    places = grid_offsets(length, length, pitch * step * depth, step * depth)
    outs = grid_offsets(1, points, 0, empty * BLOCK)
    weights = u.reshape(-1)
    for n in range(0, x.shape[0], at_once):
        some = min(at_once, x.shape[0] - n)
        transform_patches(
            taps, part, x, n, some, v, lines, pitch, depth, empty, apart, down, across, begin, step, places
        )
        for block in blocks:
            for f in range(points):
                seen, of = v[f * apart :], f * u.shape[1] + block * columns.size * BLOCK
                # What is added at the point 1, of which every power is 1, is added to all outputs.
                added = (1 + block // phases) * BLOCK if f == 2 * length + 2 else 0
                begins, ends = patches_with_point(f, taps, part, some, down, across)
                for p in range(begins, ends, len(TILE_ROWS)):
                    tile = load(TILE_ROWS, BLOCK_VECTORS, bias, added, 0)
                    for k in range(columns.size):
                        tile = fma_gather(tile, seen, rows, p, columns, k, weights, of + k * BLOCK)
                    store(tile, m, (f * empty + p) * BLOCK, BLOCK)
            phase = block % phases
            for k in range(some):
                for i in range(down):
                    for j in range(across):
                        at = patch_position(k, i, j, part, some, down, across) * BLOCK
                        is_part = part[0] and i == down - 1, part[1] and j == across - 1
                        to = (4 * i * out_step + phase // out_step) * out_pitch + 4 * j * out_step + phase % out_step
                        to = k * size + to * BLOCK
                        for c in range(0, BLOCK, LANES):
                            apart_down = out_step * out_pitch * BLOCK
                            output_transform(
                                taps, *is_part, m, outs, at + c, made, to + c, apart_down, out_step * BLOCK
                            )
                if phase == phases - 1:
                    at = k * size + (skipped[0] * out_pitch + skipped[1]) * BLOCK
                    channel = block // phases * BLOCK
                    if how == APPLY_RELU:
                        apply_relu(made[k * size : (k + 1) * size])
                    if kernel[0] * kernel[1] > 1:
                        max_pool_rows(made, at, out_pitch, y.shape[2], y.shape[3], kernel, steps)
                    channels_first(made, at, out_pitch, y[n + k], channel)
                    for c in range(channel, min(channel + BLOCK, y.shape[1]) if how == APPLY_MASK else channel):
                        apply_mask(y[n + k, c].reshape(-1), where[n + k, c].reshape(-1))


@parallel
def _of_weight(first, last, taps, part, g, x, totals, weight, more, begin, step):
    """Some parts of the images, each with a sum of its own, taken back from the points by whoever has added it up."""
    for worker in range(first, last):
        begins, ends = chunk_bounds(len(x), worker, len(totals))
        _of_some(taps, part, g[begins:ends], x[begins:ends], totals[worker], begin, step)
        _back_to_weight(taps, totals[worker], more[worker - 1] if worker else weight, step)


@inner(makes_arrays=True)
def _of_some(taps, part, g, x, total, begin, step):
    points, blocks, outputs = total.shape[0], total.shape[1], total.shape[2]
    depth, out_depth = (x.shape[1] + BLOCK - 1) // BLOCK * BLOCK, (g.shape[1] + BLOCK - 1) // BLOCK * BLOCK
    down, across, at_once = patch_grid(g.shape[2], g.shape[3], part, x.shape[0])
    empty, length = at_once * down * across, len(taps) + 3
    apart, out_apart = blocks * empty * BLOCK + BLOCK, out_depth * empty + BLOCK
    pitch, total = (4 * across + len(taps) - 1) * step, total.reshape(-1)
    lines = numpy.zeros((4 * down + len(taps) - 1) * step * pitch * depth, x.dtype)
    given = numpy.zeros(16 * down * across * out_depth, x.dtype)
    v, m = numpy.empty(points * apart, x.dtype), numpy.empty(points * out_apart, x.dtype)
    rows, columns = numpy.empty(outputs, numpy.intp), grid_offsets(1, empty, 0, BLOCK)
    for o in range(outputs):
        rows[o] = min(o, out_depth - 1) // BLOCK * empty * BLOCK + min(o, out_depth - 1) % BLOCK
    places = grid_offsets(length, length, pitch * step * depth, step * depth)
    outs = grid_offsets(4, 4, 4 * across * out_depth, out_depth)
    nothing = numpy.zeros(BLOCK, x.dtype)
    for i in range(0 if x.shape[0] else total.size):
        total[i] = 0
    for n in range(0, x.shape[0], at_once):
        some = min(at_once, x.shape[0] - n)
        transform_patches(
            taps, part, x, n, some, v, lines, pitch, depth, empty, apart, down, across, begin, step, places
        )
        for k in range(some):
            channels_last(g[n + k], given, 4 * across, out_depth, 0, 0)
            for i in range(down):
                for j in range(across):
                    at, to = (
                        (i * across * 4 + j) * 4 * out_depth,
                        patch_position(k, i, j, part, some, down, across) * BLOCK,
                    )
                    is_part = part[0] and i == down - 1, part[1] and j == across - 1
                    for o in range(0, out_depth, LANES):
                        place, apart_down = to + o // BLOCK * empty * BLOCK + o % BLOCK, length * out_apart
                        transform_output_gradient(taps, *is_part, given, outs, at + o, m, place, apart_down, out_apart)
        for f in range(points):
            seen, (begins, ends) = m[f * out_apart :], patches_with_point(f, taps, part, some, down, across)
            for block in range(blocks):
                of, to = f * apart + block * empty * BLOCK, (f * blocks + block) * outputs * BLOCK
                for r in range(0, outputs, len(TILE_ROWS)):
                    tile = load(TILE_ROWS, BLOCK_VECTORS, nothing, 0, 0)
                    for p in range(begins, ends):
                        tile = fma_gather(tile, seen, rows, r, columns, p, v, of + p * BLOCK)
                    if n:
                        accumulate(tile, total, to + r * BLOCK, BLOCK)
                    else:
                        store(tile, total, to + r * BLOCK, BLOCK)


@inner(makes_arrays=True)
def _back_to_weight(taps, total, weight, step):
    """A sum, taken back from the points to the windows."""
    points, high, blocks, channels = total.shape[0], total.shape[2], total.shape[1] // step**2, weight.shape[1]
    places = grid_offsets(1, points, 0, total.shape[1] * high * BLOCK)
    found = numpy.empty(len(taps) ** 2 * BLOCK, total.dtype)
    for n in range(total.shape[1]):
        phase, channel = n // blocks, n % blocks * BLOCK
        for o in range(weight.shape[0]):
            for c in range(0, BLOCK, LANES):
                of = (n * high + o) * BLOCK + c
                weight_gradient_transform(
                    taps, FULL, FULL, total.reshape(-1), places, of, found, c, len(taps) * BLOCK, BLOCK
                )
            for c in range(min(BLOCK, channels - channel)):
                for a in range(len(taps)):
                    for b in range(len(taps)):
                        at = weight[o, channel + c, a * step + phase // step]
                        at[b * step + phase % step] = found[(a * len(taps) + b) * BLOCK + c]
