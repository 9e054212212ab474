r"""Attention, some queries at a time, so that their scores stay in the processor's cache.

.. math:: P = \operatorname{softmax}(s\,Q K^\top + M), \quad Y = (P \circ D)\,V, \qquad
    \bar P = D \circ (\bar Y V^\top), \quad \bar S = P \circ (\bar P - \textstyle\sum_j \bar P_j P_j)

The examples and the heads are two axes, and matrices lie in them as they lie: what a layer has cut a product into is
not copied, and the results lie like what they belong to, so that they are put together again without a copy too. A
causal query does not look at what comes after it: its block's products leave most of that out.
"""

from functools import lru_cache

import numpy

from ..jit.elementary import copy_row, exp
from ..jit.lazy import inner
from ..once import Once
from ..registry import kernel
from ..threads.blas_threads import single_threaded_blas
from ..threads.fork_join import parallel
from ..threads.team import parallel_for
from ..workspace import constant, contiguous, empty, empty_like, launch
from .gemm.blas import gemm
from .gemm.panels import empty_panels, pack_into, packed_gemm, panel_width, zero_rows
from .softmax import largest_of

_BLOCK = 32  # queries at a time


@kernel("attention")
def attention(q, k, v, mask, kept, is_causal, scale):
    return _attention(q, k, v, mask, kept, is_causal, scale, True)


@kernel("attention", alone=True)
def attention_alone(q, k, v, mask, kept, is_causal, scale):
    return _attention(q, k, v, mask, kept, is_causal, scale, False)


@kernel("self_attention")
def self_attention(qkv, mask, kept, is_causal, scale):
    return _self_attention(qkv, mask, kept, is_causal, scale, True)


@kernel("self_attention", alone=True)
def self_attention_alone(qkv, mask, kept, is_causal, scale):
    return _self_attention(qkv, mask, kept, is_causal, scale, False)


@kernel("self_attention", of="qkv")
def self_attention_qkv(g, of_scores):
    return of_scores(g)


def _self_attention(qkv, mask, kept, is_causal, scale, with_weights):
    shape = qkv.shape
    if qkv.ndim != 5 or not (_has_no_gaps(qkv.shape, qkv.strides, qkv.itemsize) and qkv.flags.writeable):
        qkv = contiguous(qkv.reshape(3, *_with_heads(qkv[0]).shape))
    as_given = lambda found: found.reshape(shape)
    return _attend_all(qkv, [shape[1:]] * 3, mask, kept, is_causal, scale, with_weights, as_given)


def _attention(q, k, v, mask, kept, is_causal, scale, with_weights):
    if v is None or q.shape[:-2] != k.shape[:-2] or v.shape[:-2] != q.shape[:-2]:
        return NotImplemented
    shapes = [x.shape for x in (q, k, v)]
    given = _alike(*[_with_heads(x) for x in (q, k, v)])
    as_given = lambda found: [x.reshape(shape) for x, shape in zip(found, shapes, strict=True)]
    return _attend_all(given, shapes, mask, kept, is_causal, scale, with_weights, as_given)


def _attend_all(given, shapes, mask, kept, is_causal, scale, with_weights, as_given):
    """What all queries find, and with the weights also these, and the function that gives the gradients.

    Arguments: ``given``, queries, keys and values in one array, or three that are alike, of four axes; ``shapes``,
    which they had before; ``as_given``, what makes gradients like ``given`` those of what was given before.
    """
    q, k, v = given
    if 0 in (*k.shape, *v.shape) or scale <= 0 or not (mask is None or mask.dtype == bool):
        return NotImplemented  # a mask of floats may want its gradient
    weights, everywhere = (*shapes[0][:-1], k.shape[-2]), (*q.shape[:-1], k.shape[-2])
    y = empty_like(q) if q.shape == v.shape else empty((*q.shape[:-1], v.shape[-1]), q.dtype)
    p = empty(everywhere if with_weights else (*q.shape[:-1], 0), q.dtype)
    places = _ones(everywhere, bool) if mask is None else _with_heads(numpy.broadcast_to(mask, weights))
    drops = _ones(everywhere, q.dtype.type) if kept is None else _with_heads(numpy.broadcast_to(kept, weights))
    masks = (places, drops, mask is not None, kept is not None)
    options = (is_causal, q.dtype.type(scale))
    cost = q.size * 2 * k.shape[-2]
    parallel_for(_attend, cost, q.shape[0] * q.shape[1], q, k, v, y, p, *masks, *options)

    def back(g):
        g = _like(y, _with_heads(g))
        found = empty_like(given) if isinstance(given, numpy.ndarray) else [*map(empty_like, given)]
        with single_threaded_blas:
            parallel_for(_attend_back, 2 * cost, q.shape[0] * q.shape[1], q, k, v, g, *found, p, *masks[1::2], *options)
        return as_given(found)

    y = y.reshape(*shapes[0][:-1], shapes[2][-1])
    return (y, p.reshape(weights), Once(back)) if with_weights else y


@kernel("attention", of="q")
def attention_q(g, of_scores):
    return of_scores(g)[0]


@kernel("attention", of="k")
def attention_k(g, of_scores):
    return of_scores(g)[1]


@kernel("attention", of="v")
def attention_v(g, of_scores):
    return of_scores(g)[2]


@lru_cache(64)
def _has_no_gaps(shape, strides, size):
    """Whether numbers fill the memory from the first to the last, in whatever order of the axes."""
    for length, stride in sorted(zip(shape, strides, strict=True), key=lambda axis: axis[::-1]):
        if length > 1:
            if stride != size:
                return False
            size *= length
    return True


@lru_cache(64)
def _ones(shape, dtype):
    """An array of one number, for what is not looked at."""
    return numpy.broadcast_to(constant(numpy.asarray(dtype(1))), shape)


def _with_heads(x):
    """Matrices with two axes before them, an array of one layout or the other. Shapes: (*, l, e) -> (n, h, l, e)."""
    return x.reshape(-1, *x.shape[-3:]) if x.ndim > 3 else x.reshape((1,) * (4 - x.ndim) + x.shape)


def _fits(x):
    """Whether the rows of matrices are there as the library wants them, though there are gaps between them."""
    by_size = x.strides[-1] == x.itemsize and x.strides[-2] >= x.shape[-1] * x.itemsize
    return by_size and min(x.strides) > 0 and x.flags.writeable and not x.flags.c_contiguous


def _alike(*arrays):
    """Arrays of one kind of layout, for which one function is compiled: all with gaps, or all without."""
    return arrays if all(map(_fits, arrays)) else [contiguous(x) for x in arrays]


def _like(y, x):
    """An array in the kind of layout of another."""
    if _fits(x) if _fits(y) else x.flags.carray:
        return x
    copy_row = empty_like(y)
    launch(numpy.copyto, copy_row, x)
    return copy_row


# --- forward ----------------------------------------------------------------------------------------------------------


@parallel(makes_arrays=True)
def _attend(first, last, q, k, v, y, p, places, drops, masked, dropped, is_causal, scale):
    of_k, of_v = empty_panels(k[0, 0].T), empty_panels(v[0, 0])
    scores, found = zero_rows(_BLOCK, of_k).reshape(-1), zero_rows(_BLOCK, of_v)
    nothing = zero_rows(1, of_k if len(of_k) > len(of_v) else of_v)
    for n in range(first, last):
        i, h = n // q.shape[1], n % q.shape[1]
        matrices = (q[i, h], k[i, h], v[i, h], y[i, h], p[i, h], places[i, h], drops[i, h])
        _attend_one(*matrices, masked, dropped, is_causal, scale, of_k, of_v, scores, found, nothing)


@inner
def _attend_one(q, k, v, y, p, places, drops, masked, dropped, is_causal, scale, of_k, of_v, scores, found, nothing):
    queries, keys, width = len(q), len(k), panel_width(k)
    pack_into(k.T, of_k)
    pack_into(v, of_v)
    for start in range(0, queries, _BLOCK):
        stop = min(start + _BLOCK, queries)
        seen = min(stop, keys) if is_causal else keys
        panels = of_k[: (seen + width - 1) // width]
        block = scores[: (stop - start) * len(panels) * width].reshape(stop - start, len(panels) * width)
        packed_gemm(q[start:stop], panels, nothing, block)
        for r in range(start, stop):
            row = block[r - start]
            if masked:
                _hide(row[:seen], places[r])
            # To the end of the panels, so that the rows are as long as vectors are wide.
            row[min(r + 1, seen) if is_causal else seen :] = -numpy.inf
        _softmax(block, scale)
        for r in range(start, stop):
            row = block[r - start, :seen]
            if p.shape[1]:  # its gradient is wanted
                copy_row(p[r], row)
                p[r, seen:] = 0
            if dropped:
                _times(row, row, drops[r])
        packed_gemm(block[:, :seen], of_v, nothing, found[: stop - start])
        for r in range(start, stop):
            copy_row(y[r], found[r - start, : y.shape[1]])


# Each of these is given rows, of which the compiler knows that their elements lie side by side: it does not of a matrix
# that was cut out of another.


@inner
def _hide(scores, places):
    for j in range(scores.size):
        scores[j] = scores[j] if places[j] else -numpy.inf


@inner
def _softmax(scores, scale):
    """The softmax of rows of scores, in place: of one that may look nowhere it is 0.

    The exponentials are taken of all rows in one loop. Row by row each would wait for the largest and for the sum.
    """
    for r in range(len(scores)):
        largest = largest_of(scores[r])
        _move(scores[r], scores.dtype.type(0) if largest == -numpy.inf else largest, scale)
    _exponentials(scores.reshape(-1))
    for r in range(len(scores)):
        total = _sum(scores[r])
        _scale(scores[r], scores.dtype.type(0) if total == 0 else scores.dtype.type(1) / total)


@inner
def _move(row, origin, scale):
    for j in range(row.size):
        row[j] = (row[j] - origin) * scale


@inner
def _exponentials(numbers):
    for j in range(numbers.size):
        numbers[j] = exp(numbers[j])


@inner
def _sum(row):
    total = row.dtype.type(0)
    for j in range(row.size):
        total += row[j]
    return total


@inner
def _scale(row, by):
    for j in range(row.size):
        row[j] *= by


@inner
def _times(out, a, b):
    for j in range(a.size):
        out[j] = a[j] * b[j]


# --- back -------------------------------------------------------------------------------------------------------------


@parallel(makes_arrays=True)
def _attend_back(first, last, q, k, v, g, g_q, g_k, g_v, p, drops, dropped, is_causal, scale):
    empty, kept = numpy.empty((_BLOCK, k.shape[2]), p.dtype), numpy.empty((_BLOCK, k.shape[2]), p.dtype)
    for n in range(first, last):
        i, h = n // q.shape[1], n % q.shape[1]
        matrices = (q[i, h], k[i, h], v[i, h], g[i, h], g_q[i, h], g_k[i, h], g_v[i, h], p[i, h], drops[i, h])
        _attend_one_back(*matrices, dropped, is_causal, scale, empty, kept)


@inner
def _attend_one_back(q, k, v, g, g_q, g_k, g_v, p, drops, dropped, is_causal, scale, empty, kept):
    queries, keys = p.shape
    g_k[:], g_v[:] = 0, 0
    for start in range(0, queries, _BLOCK):
        stop = min(start + _BLOCK, queries)
        seen = min(stop, keys) if is_causal else keys
        weights, s = p[start:stop, :seen], empty[: stop - start, :seen]
        kept_now = weights
        gemm(g[start:stop], v[:seen].T, 0, s)
        if dropped:
            kept_now = kept[: stop - start, :seen]
        for r in range(start, stop):
            slope, weight = empty[r - start, :seen], p[r, :seen]
            if dropped:
                _times(slope, slope, drops[r])
                _times(kept[r - start], weight, drops[r])
            _of_scores(slope, weight, scale)
        gemm(s, k[:seen], 0, g_q[start:stop])
        gemm(s.T, q[start:stop], 1, g_k[:seen])
        gemm(kept_now.T, g[start:stop], 1, g_v[:seen])


@inner
def _of_scores(s, p, scale):
    """What the gradient of a row of weights becomes as that of the products of queries and keys, in place."""
    total = s.dtype.type(0)
    for j in range(s.size):
        total += s[j] * p[j]
    for j in range(s.size):
        s[j] = p[j] * (s[j] - total) * scale
