r"""Attention, some queries at a time, so that their scores stay in the processor's cache.

.. math:: P = \operatorname{softmax}(s\,Q K^\top + M), \quad Y = (P \circ D)\,V, \qquad
    \bar P = D \circ (\bar Y V^\top), \quad \bar S = P \circ (\bar P - \textstyle\sum_j \bar P_j P_j)

The examples and the heads are two axes, and matrices lie in them as they lie: what a layer has cut a product into is
not copied, and the results lie like what they belong to, so that they are put together again without a copy too. A
causal query does not look at what comes after it: its block's products leave most of that out.
"""

import numpy

from ..once import Once
from ..workers import held, together
from . import kernel
from .blas import multiply_add
from .compiled import compiled, exp, inner
from .team import share_out

_BLOCK = 32  # queries at a time


@kernel("attention")
def attention(q, k, v, mask, kept, is_causal, scale):
    if v is None or q.shape[:-2] != k.shape[:-2] or v.shape[:-2] != q.shape[:-2]:
        return NotImplemented
    if 0 in (*k.shape, *v.shape) or scale <= 0 or not (mask is None or mask.dtype == bool):
        return NotImplemented  # a mask of floats may want its gradient
    shapes = [x.shape for x in (q, k, v)]
    weights = (*q.shape[:-1], k.shape[-2])
    q, k, v = _alike(*[_with_heads(x) for x in (q, k, v)])
    y = numpy.empty_like(q) if q.shape == v.shape else numpy.empty((*q.shape[:-1], v.shape[-1]), q.dtype)
    p = numpy.empty((*q.shape[:-1], k.shape[-2]), q.dtype)
    places = _with_heads(numpy.broadcast_to(True if mask is None else mask, weights))
    drops = _with_heads(numpy.broadcast_to(q.dtype.type(1) if kept is None else kept, weights))
    masks = (places, drops, mask is not None, kept is not None)
    options = (is_causal, q.dtype.type(scale))
    cost = p.size * (q.shape[-1] + v.shape[-1])
    with held:
        together(_attend, cost, q, k, v, y, p, *masks, *options)

    def back(g):
        g = _like(y, _with_heads(g))
        found = [numpy.empty_like(x) for x in (q, k, v)]
        with held:
            together(_attend_back, 2 * cost, q, k, v, g, *found, p, *masks[1::2], *options)
        return [x.reshape(shape) for x, shape in zip(found, shapes, strict=True)]

    return y.reshape(*shapes[0][:-1], shapes[2][-1]), p.reshape(weights), Once(back)


@kernel("attention", of="q")
def attention_q(g, of_scores):
    return of_scores(g)[0]


@kernel("attention", of="k")
def attention_k(g, of_scores):
    return of_scores(g)[1]


@kernel("attention", of="v")
def attention_v(g, of_scores):
    return of_scores(g)[2]


def _with_heads(x):
    """Matrices with two axes before them, an array of one layout or the other. Shapes: (*, l, e) -> (n, h, l, e)."""
    return x.reshape(-1, *x.shape[-3:]) if x.ndim > 3 else x.reshape((1,) * (4 - x.ndim) + x.shape)


def _fits(x):
    """Whether the rows of matrices are there as the library wants them, though there are gaps between them."""
    by_size = x.strides[-1] == x.itemsize and x.strides[-2] >= x.shape[-1] * x.itemsize
    return by_size and min(x.strides) > 0 and x.flags.writeable and not x.flags.c_contiguous


def _alike(*arrays):
    """Arrays of one kind of layout, for which one function is compiled: all with gaps, or all without."""
    return arrays if all(map(_fits, arrays)) else [numpy.require(x, requirements=["C", "W"]) for x in arrays]


def _like(y, x):
    """An array in the kind of layout of another."""
    if _fits(x) if _fits(y) else x.flags.carray:
        return x
    copy = numpy.empty_like(y)
    copy[...] = x
    return copy


# --- forward ----------------------------------------------------------------------------------------------------------


@compiled
def _attend(team, q, k, v, y, p, places, drops, masked, dropped, is_causal, scale):
    arguments = (q, k, v, y, p, places, drops, masked, dropped, is_causal, scale)
    share_out(team, q.shape[0] * q.shape[1], 0, _attend_some, arguments)


@inner
def _attend_some(first, last, q, k, v, y, p, places, drops, masked, dropped, is_causal, scale):
    kept = numpy.empty((_BLOCK, k.shape[2]), p.dtype)
    for n in range(first, last):
        i, h = n // q.shape[1], n % q.shape[1]
        matrices = (q[i, h], k[i, h], v[i, h], y[i, h], p[i, h], places[i, h], drops[i, h])
        _attend_one(*matrices, masked, dropped, is_causal, scale, kept)


@inner
def _attend_one(q, k, v, y, p, places, drops, masked, dropped, is_causal, scale, kept):
    queries, keys = p.shape
    for start in range(0, queries, _BLOCK):
        stop = min(start + _BLOCK, queries)
        seen = min(stop, keys) if is_causal else keys
        weights = p[start:stop, :seen]
        multiply_add(q[start:stop], k[:seen].T, 0, weights)
        if masked:
            _hide(weights, places[start:stop])
        _softmax(weights, scale, start if is_causal else keys)
        p[start:stop, seen:] = 0
        if dropped:
            kept_now = kept[: stop - start, :seen]
            _times(kept_now, weights, drops[start:stop])
            weights = kept_now
        multiply_add(weights, v[:seen], 0, y[start:stop])


@inner
def _hide(scores, places):
    for r in range(scores.shape[0]):
        for j in range(scores.shape[1]):
            if not places[r, j]:
                scores[r, j] = -numpy.inf


@inner
def _softmax(s, scale, before):
    """The softmax of each row, in place, of what lies before its own place, the first row's being ``before``."""
    for r in range(s.shape[0]):
        end = min(before + r + 1, s.shape[1])
        largest = s[r, 0]
        for i in range(end):
            largest = max(largest, s[r, i])
        if largest == -numpy.inf:  # this query may look nowhere
            end = 0
        total = s.dtype.type(0)
        for i in range(end):
            s[r, i] = exp((s[r, i] - largest) * scale)
            total += s[r, i]
        part = s.dtype.type(1) / total
        for i in range(end):
            s[r, i] *= part
        for i in range(end, s.shape[1]):
            s[r, i] = 0


@inner
def _times(out, a, b):
    for r in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[r, j] = a[r, j] * b[r, j]


# --- back -------------------------------------------------------------------------------------------------------------


@compiled
def _attend_back(team, q, k, v, g, g_q, g_k, g_v, p, drops, dropped, is_causal, scale):
    arguments = (q, k, v, g, g_q, g_k, g_v, p, drops, dropped, is_causal, scale)
    share_out(team, q.shape[0] * q.shape[1], 0, _attend_some_back, arguments)


@inner
def _attend_some_back(first, last, q, k, v, g, g_q, g_k, g_v, p, drops, dropped, is_causal, scale):
    room, kept = numpy.empty((_BLOCK, k.shape[2]), p.dtype), numpy.empty((_BLOCK, k.shape[2]), p.dtype)
    for n in range(first, last):
        i, h = n // q.shape[1], n % q.shape[1]
        matrices = (q[i, h], k[i, h], v[i, h], g[i, h], g_q[i, h], g_k[i, h], g_v[i, h], p[i, h], drops[i, h])
        _attend_one_back(*matrices, dropped, is_causal, scale, room, kept)


@inner
def _attend_one_back(q, k, v, g, g_q, g_k, g_v, p, drops, dropped, is_causal, scale, room, kept):
    queries, keys = p.shape
    g_k[:], g_v[:] = 0, 0
    for start in range(0, queries, _BLOCK):
        stop = min(start + _BLOCK, queries)
        seen = min(stop, keys) if is_causal else keys
        weights, s = p[start:stop, :seen], room[: stop - start, :seen]
        kept_now = weights
        multiply_add(g[start:stop], v[:seen].T, 0, s)
        if dropped:
            _times(s, s, drops[start:stop])
            kept_now = kept[: stop - start, :seen]
            _times(kept_now, weights, drops[start:stop])
        _of_scores(s, weights, scale)
        multiply_add(s, k[:seen], 0, g_q[start:stop])
        multiply_add(s.T, q[start:stop], 1, g_k[:seen])
        multiply_add(kept_now.T, g[start:stop], 1, g_v[:seen])


@inner
def _of_scores(s, p, scale):
    """What the gradient of the weights becomes as that of the products of queries and keys, in place."""
    for r in range(s.shape[0]):
        total = s.dtype.type(0)
        for i in range(s.shape[1]):
            total += s[r, i] * p[r, i]
        for i in range(s.shape[1]):
            s[r, i] = p[r, i] * (s[r, i] - total) * scale
