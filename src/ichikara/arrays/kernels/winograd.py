r"""Convolution by a window of 3 x 3 in steps of one, with a quarter of the multiplications.

.. math:: Y = A^\top \bigl[(G\,w\,G^\top) \circ (B^\top d\,B)\bigr] A

An output of 4 x 4 is made of a *patch* d of 6 x 6 numbers by 36 multiplications instead of 144: both sides are first
taken to where a convolution is a product number by number, as by a Fourier transform, but in small whole numbers. Over
all channels the products of each of the 36 numbers are a product of matrices, (patches, channels) by
(channels, outputs). The transforms do a vector of channels at a time, and for that the channels come last.

The gradient of the image is the same, with the window turned around. That of the weight is

.. math:: \bar w = G^\top \bigl[\textstyle\sum (A\,\bar Y A^\top) \circ (B^\top d\,B)\bigr]\,G

with the sum over all patches, again a product of matrices.

Only for float32, because the transforms multiply by up to 8 and lose about a digit: what is differentiated in float64
is to be exact.

Source: S. Winograd, "Arithmetic Complexity of Computations" (1980); A. Lavin and S. Gray, "Fast Algorithms for
Convolutional Neural Networks" (2015).
"""

import numpy

from ..product import product
from ..workers import share
from .compiled import compiled, inner
from .tile import BYTES, add_products, add_to, load, sandwich, store, turn

_B = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_A = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
_G = numpy.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
_GG = numpy.kron(_G, _G).astype("float32")  # both sides at once: (36, 9)

_of_patches, _to_outputs, _of_outputs = sandwich(_B), sandwich(_A), sandwich(tuple(zip(*_A, strict=True)))

_LANES = BYTES // 4
_SOME = 2 * _LANES  # outputs that are done at a time
_SIX, _FOUR, _TWO, _ONE = (0, 1, 2, 3, 4, 5), (0, 1, 2, 3), (0, 1), (0,)
_PATCHES = 36  # about so many make a product of matrices that is worth its start
_LEAST = 16  # channels on each side, for the transforms to pay


def fits(dtype, weight_shape, window, groups):
    """Whether a convolution can be done so, and whether it pays."""
    return (
        dtype == numpy.float32
        and groups == 1
        and weight_shape[2:] == (3, 3)
        and min(weight_shape[:2]) >= _LEAST
        and window.stride == window.dilation == (1, 1)
        and max(map(max, window.padding)) <= 2
    )


def correlate(x, weight, bias, padding):
    """What the window sees everywhere. Shapes: (n, c, h, w), (o, c, 3, 3), (o) or None -> (n, o, oh, ow)."""
    x, size = numpy.ascontiguousarray(x), [n + sum(p) - 2 for n, p in zip(x.shape[2:], padding, strict=True)]
    outputs, channels = weight.shape[:2]
    y = numpy.empty((len(x), outputs, *size), x.dtype)
    u = numpy.zeros((36, channels, _up(outputs, _LANES)), x.dtype)
    u[:, :, :outputs] = product(_GG, weight.transpose(1, 0, 2, 3).reshape(-1, 9).T).reshape(36, channels, outputs)
    b = numpy.zeros(u.shape[2], x.dtype)
    if bias is not None:
        b[:outputs] = bias
    begin = padding[0][0], padding[1][0]
    share(lambda part: _correlate(x[part], u.reshape(-1), b, y[part], begin), len(x), y.size * channels * 9)
    return y


def correlate_back(out, weight, padding):
    """The gradient of the image. Shapes: (n, o, oh, ow), (o, c, 3, 3) -> (n, c, h, w)."""
    turned = weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    return correlate(out, turned, None, [[2 - p for p in pair] for pair in padding])


def correlate_weight(out, x, padding):
    """The gradient of the weight. Shapes: (n, o, oh, ow), (n, c, h, w) -> (o, c, 3, 3)."""
    g, x = numpy.ascontiguousarray(out), numpy.ascontiguousarray(x)
    begin = padding[0][0], padding[1][0]

    def work(part):
        total = numpy.zeros((36, _up(g.shape[1], 4), _up(x.shape[1], _LANES)), x.dtype)
        _of_weight(g[part], x[part], total, begin, 0)  # the outputs have no zeros around them
        return total

    total = sum(share(work, len(x), g.size * x.shape[1] * 9))[:, : g.shape[1], : x.shape[1]]
    return product(_GG.T, total.reshape(36, -1)).T.reshape(*total.shape[1:], 3, 3).astype(x.dtype)


def _up(count, to):
    return -(-count // to) * to


# --- patches ----------------------------------------------------------------------------------------------------------


@inner
def _sizes(outputs, count):
    """Patches of an image, down and across; and how many images are done together."""
    down, across = (outputs.shape[2] + 3) // 4, (outputs.shape[3] + 3) // 4
    return down, across, max(1, min(count, _PATCHES // (down * across)))


@inner
def _places(taps, pitch, depth):
    """Where the numbers of a patch lie, from its corner on, in an image with its channels last."""
    places = numpy.empty(taps * taps, numpy.intp)
    for a in range(taps):
        for b in range(taps):
            places[a * taps + b] = (a * pitch + b) * depth
    return places


@inner
def _channels_last(image, out, pitch, depth, top, left):
    """Put an image between zeros, its channels last. What does not fit into ``out`` no patch would see."""
    channels, height, width = image.shape
    plane, flat = height * width, image.reshape(-1)
    height, whole = min(height, out.size // (pitch * depth) - top), image.shape[2]
    width = min(width, pitch - left)
    for i in range(height):
        for c in range(0, channels, _LANES):
            at, to, j = c * plane + i * whole, ((top + i) * pitch + left) * depth + c, 0
            if c + _LANES <= channels:
                while j + _LANES <= width:
                    turn(flat, at + j, plane, out, to + j * depth, depth)
                    j += _LANES
            for k in range(min(_LANES, channels - c)):
                for m in range(j, width):
                    out[to + m * depth + k] = image[c + k, i, m]


@inner
def _channels_first(lines, pitch, depth, bias, image):
    """The way back, and a number added to each channel."""
    channels, height, width = image.shape
    plane, flat = height * width, image.reshape(-1)
    for i in range(height):
        for c in range(0, channels, _LANES):
            at, to, j = i * pitch * depth + c, c * plane + i * width, 0
            if c + _LANES <= channels:
                while j + _LANES <= width:
                    turn(lines, at + j * depth, depth, flat, to + j, plane)
                    j += _LANES
            for k in range(min(_LANES, channels - c)):
                for m in range(j, width):
                    image[c + k, i, m] = lines[at + m * depth + k]
                for m in range(width):
                    image[c + k, i, m] += bias[c + k]


@inner
def _patches(x, n, some, v, lines, pitch, depth, room, down, across, begin, places):
    """The patches of some images, transformed: (36, room, depth)."""
    for k in range(some):
        _channels_last(x[n + k], lines, pitch, depth, begin[0], begin[1])
        for i in range(down):
            for j in range(across):
                at, to = (i * pitch + j) * 4 * depth, ((k * down + i) * across + j) * depth
                for c in range(0, depth, _LANES):
                    _of_patches(lines, places, at + c, v, to + c, 6 * room * depth, room * depth)


# --- products ---------------------------------------------------------------------------------------------------------
# The outputs are done two vectors at a time, so that all 36 numbers of them stay in the cache beside those of the
# channels: of 32 channels and 64 outputs they would be half a megabyte.


@compiled
def _correlate(x, u, bias, y, begin):
    channels, wide = x.shape[1], bias.size
    depth = (channels + _LANES - 1) // _LANES * _LANES
    down, across, together = _sizes(y, x.shape[0])
    room = (together * down * across + 5) // 6 * 6  # of patches, in tiles of six
    pitch = 4 * across + 2
    lines, nothing = numpy.zeros((4 * down + 2) * pitch * depth, x.dtype), numpy.zeros(_SOME, x.dtype)
    v, m = numpy.zeros(36 * room * depth, x.dtype), numpy.empty(36 * room * _SOME, x.dtype)
    made = numpy.empty((together, 16 * down * across * wide), x.dtype)
    rows, columns = numpy.arange(36 * room) * depth, numpy.arange(channels)
    places, outs = _places(6, pitch, depth), numpy.arange(36) * room * _SOME
    for n in range(0, x.shape[0], together):
        some = min(together, x.shape[0] - n)
        _patches(x, n, some, v, lines, pitch, depth, room, down, across, begin, places)
        for o in range(0, wide, _SOME):
            for f in range(36):
                for p in range(f * room, f * room + some * down * across, 6):
                    of = f * channels * wide + o
                    if o + _LANES < wide:
                        _multiply(_TWO, nothing, v, rows, p, columns, u, of, wide, m)
                    else:
                        _multiply(_ONE, nothing, v, rows, p, columns, u, of, wide, m)
            for c in range(o, min(o + _SOME, wide), _LANES):
                for k in range(some):
                    for i in range(down):
                        for j in range(across):
                            at, to = ((k * down + i) * across + j) * _SOME + c - o, (i * across * 4 + j) * 4 * wide + c
                            _to_outputs(m, outs, at, made[k], to, 4 * across * wide, wide)
        for k in range(some):
            _channels_first(made[k], 4 * across, wide, bias, y[n + k])


@inner
def _multiply(vectors, nothing, v, rows, p, columns, u, of, wide, m):
    """Six patches and some vectors of outputs, over all channels."""
    tile = load(_SIX, vectors, nothing, 0, 0)
    for c in range(columns.size):
        tile = add_products(tile, v, rows, p, columns, c, u, of + c * wide)
    store(tile, m, p * _SOME, _SOME)


@compiled
def _of_weight(g, x, total, begin, edge):
    high, deep = total.shape[1:]
    wide = (high + _LANES - 1) // _LANES * _LANES
    down, across, together = _sizes(g, x.shape[0])
    room = together * down * across
    pitch, total = 4 * across + 2, total.reshape(-1)
    lines, nothing = numpy.zeros((4 * down + 2) * pitch * deep, x.dtype), numpy.zeros(_SOME, x.dtype)
    given = numpy.zeros((together, 16 * down * across * wide), x.dtype)
    v, m = numpy.empty(36 * room * deep, x.dtype), numpy.empty(36 * room * _SOME, x.dtype)
    rows, columns = numpy.arange(_SOME), numpy.arange(36 * room) * _SOME
    places, outs = _places(6, pitch, deep), _places(4, 4 * across, wide)
    for n in range(0, x.shape[0], together):
        some = min(together, x.shape[0] - n)
        _patches(x, n, some, v, lines, pitch, deep, room, down, across, begin, places)
        for k in range(some):
            _channels_last(g[n + k], given[k], 4 * across, wide, edge, edge)
        for o in range(0, wide, _SOME):
            for c in range(o, min(o + _SOME, wide), _LANES):
                for k in range(some):
                    for i in range(down):
                        for j in range(across):
                            at, to = (i * across * 4 + j) * 4 * wide + c, ((k * down + i) * across + j) * _SOME + c - o
                            _of_outputs(given[k], outs, at, m, to, 6 * room * _SOME, room * _SOME)
            for f in range(36):
                ps = range(f * room, f * room + some * down * across)
                for c in range(0, deep, _SOME):
                    for r in range(0, min(_SOME, high - o), 4):
                        to = (f * high + o + r) * deep + c
                        if c + _LANES < deep:
                            _add_multiplied(_TWO, nothing, m, rows, r, columns, v, c, deep, ps, total, to)
                        else:
                            _add_multiplied(_ONE, nothing, m, rows, r, columns, v, c, deep, ps, total, to)


@inner
def _add_multiplied(vectors, nothing, m, rows, r, columns, v, c, deep, patches, total, to):
    """Four outputs and some vectors of channels, over all patches of some images; their sum is added to the rest."""
    tile = load(_FOUR, vectors, nothing, 0, 0)
    for p in patches:
        tile = add_products(tile, m, rows, r, columns, p, v, p * deep + c)
    add_to(tile, total, to, deep)
