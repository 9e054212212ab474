r"""Attention for a block of queries at a time, so that their scores stay in the processor's cache.

.. math:: P = \operatorname{softmax}(s\,Q K^\top + M), \quad Y = (P \circ D)\,V, \qquad
    \bar P = D \circ (\bar Y V^\top), \quad \bar S = P \circ (\bar P - \textstyle\sum_j \bar P_j P_j)

The examples and the heads are two axes, and the matrices may be strided. So the heads into which a layer has divided a
product are not copied. The results have the layout of what they belong to, so that the heads are joined again without a
copy too. A causal query does not look at what comes after it: the products of its block leave most of that out.
"""

from functools import lru_cache

import numpy

from ..jit.elementary import copy_row, exp
from ..jit.lazy import inner
from ..registry import kernel
from ..shared_backward import SharedBackward
from ..threads.blas_threads import single_threaded_blas
from ..threads.fork_join import parallel
from ..threads.team import parallel_for
from ..workspace import constant, contiguous, empty, empty_like, launch
from .gemm.blas import gemm
from .gemm.panels import empty_panels, pack_into, packed_gemm, panel_width, zero_rows
from .softmax import row_maximum

_BLOCK = 32  # queries at a time


@kernel("attention")
def attention(q, k, v, mask, dropout, is_causal, scale):
    return _attention(q, k, v, mask, dropout, is_causal, scale, True)


@kernel("attention", inference=True)
def attention_inference(q, k, v, mask, dropout, is_causal, scale):
    return _attention(q, k, v, mask, dropout, is_causal, scale, False)


@kernel("self_attention")
def self_attention(qkv, mask, dropout, is_causal, scale):
    return _self_attention(qkv, mask, dropout, is_causal, scale, True)


@kernel("self_attention", inference=True)
def self_attention_inference(qkv, mask, dropout, is_causal, scale):
    return _self_attention(qkv, mask, dropout, is_causal, scale, False)


@kernel("self_attention", of="qkv")
def self_attention_qkv(g, backward):
    return backward(g)


def _self_attention(qkv, mask, dropout, is_causal, scale, with_weights):
    shape = qkv.shape
    if qkv.ndim != 5 or not (_is_dense(qkv.shape, qkv.strides, qkv.itemsize) and qkv.flags.writeable):
        qkv = contiguous(qkv.reshape(3, *_with_heads(qkv[0]).shape))
    restore = lambda gradient: gradient.reshape(shape)
    return _attend_all(qkv, [shape[1:]] * 3, mask, dropout, is_causal, scale, with_weights, restore)


def _attention(q, k, v, mask, dropout, is_causal, scale, with_weights):
    if v is None or q.shape[:-2] != k.shape[:-2] or v.shape[:-2] != q.shape[:-2]:
        return NotImplemented
    shapes = [x.shape for x in (q, k, v)]
    qkv = _in_one_layout(*[_with_heads(x) for x in (q, k, v)])
    restore = lambda gradients: [x.reshape(shape) for x, shape in zip(gradients, shapes, strict=True)]
    return _attend_all(qkv, shapes, mask, dropout, is_causal, scale, with_weights, restore)


def _attend_all(qkv, shapes, mask, dropout, is_causal, scale, with_weights, restore):
    """The attention of all queries; with the weights, also these and the function of the gradients.

    Arguments: ``qkv``, queries, keys and values in one array, or three arrays in one kind of layout, of four axes;
    ``shapes``, their original ones; ``restore``, a function that gives gradients of ``qkv`` their original shapes.
    """
    q, k, v = qkv
    if 0 in (*k.shape, *v.shape) or scale <= 0 or not (mask is None or mask.dtype == bool):
        return NotImplemented  # a mask of floats may need its gradient
    original, shape = (*shapes[0][:-1], k.shape[-2]), (*q.shape[:-1], k.shape[-2])
    y = empty_like(q) if q.shape == v.shape else empty((*q.shape[:-1], v.shape[-1]), q.dtype)
    p = empty(shape if with_weights else (*q.shape[:-1], 0), q.dtype)
    masks = _broadcast_one(shape, bool) if mask is None else _with_heads(numpy.broadcast_to(mask, original))
    if dropout is None:
        dropouts = _broadcast_one(shape, q.dtype.type)
    else:
        dropouts = _with_heads(numpy.broadcast_to(dropout, original))
    masked, dropped = mask is not None, dropout is not None
    options = (is_causal, q.dtype.type(scale))
    cost = q.size * 2 * k.shape[-2]
    count = q.shape[0] * q.shape[1]
    parallel_for(_attend, cost, count, q, k, v, y, p, masks, dropouts, masked, dropped, *options)

    def backward(g):
        g = _in_layout_of(y, _with_heads(g))
        gradients = empty_like(qkv) if isinstance(qkv, numpy.ndarray) else [*map(empty_like, qkv)]
        with single_threaded_blas:
            operands = (q, k, v, g, *gradients, p, dropouts, dropped)
            parallel_for(_attend_backward, 2 * cost, count, *operands, *options)
        return restore(gradients)

    y = y.reshape(*shapes[0][:-1], shapes[2][-1])
    return (y, p.reshape(original), SharedBackward(backward)) if with_weights else y


@kernel("attention", of="q")
def attention_q(g, backward):
    return backward(g)[0]


@kernel("attention", of="k")
def attention_k(g, backward):
    return backward(g)[1]


@kernel("attention", of="v")
def attention_v(g, backward):
    return backward(g)[2]


@lru_cache(64)
def _is_dense(shape, strides, size):
    """Whether an array fills its memory without gaps, whatever the order of its axes."""
    for length, stride in sorted(zip(shape, strides, strict=True), key=lambda axis: axis[::-1]):
        if length > 1:
            if stride != size:
                return False
            size *= length
    return True


@lru_cache(64)
def _broadcast_one(shape, dtype):
    """The number 1 broadcast to a shape, which stands for a mask that there is not."""
    return numpy.broadcast_to(constant(numpy.asarray(dtype(1))), shape)


def _with_heads(x):
    """Matrices with two axes before them; the array may have any layout. Shapes: (*, l, e) -> (n, h, l, e)."""
    return x.reshape(-1, *x.shape[-3:]) if x.ndim > 3 else x.reshape((1,) * (4 - x.ndim) + x.shape)


def _is_strided(x):
    """Whether matrices have contiguous rows, as the library needs them, with gaps between the rows."""
    contiguous_rows = x.strides[-1] == x.itemsize and x.strides[-2] >= x.shape[-1] * x.itemsize
    return contiguous_rows and min(x.strides) > 0 and x.flags.writeable and not x.flags.c_contiguous


def _in_one_layout(*arrays):
    """Arrays in one kind of layout, for which one function is compiled: all strided, or all contiguous."""
    return arrays if all(map(_is_strided, arrays)) else [contiguous(x) for x in arrays]


def _in_layout_of(y, x):
    """An array in the kind of layout of another."""
    if _is_strided(x) if _is_strided(y) else x.flags.carray:
        return x
    out = empty_like(y)
    launch(numpy.copyto, out, x)
    return out


# --- forward ----------------------------------------------------------------------------------------------------------


@parallel(makes_arrays=True)
def _attend(first, last, q, k, v, y, p, masks, dropouts, masked, dropped, is_causal, scale):
    k_panels, v_panels = empty_panels(k[0, 0].T), empty_panels(v[0, 0])
    scores, out = zero_rows(_BLOCK, k_panels).reshape(-1), zero_rows(_BLOCK, v_panels)
    zeros = zero_rows(1, k_panels if len(k_panels) > len(v_panels) else v_panels)
    for n in range(first, last):
        i, h = n // q.shape[1], n % q.shape[1]
        matrices = (q[i, h], k[i, h], v[i, h], y[i, h], p[i, h], masks[i, h], dropouts[i, h])
        _attend_head(*matrices, masked, dropped, is_causal, scale, k_panels, v_panels, scores, out, zeros)


@inner
def _attend_head(
    q, k, v, y, p, mask, dropout, masked, dropped, is_causal, scale, k_panels, v_panels, scores, out, zeros
):
    queries, keys, width = len(q), len(k), panel_width(k)
    pack_into(k.T, k_panels)
    pack_into(v, v_panels)
    for start in range(0, queries, _BLOCK):
        stop = min(start + _BLOCK, queries)
        visible = min(stop, keys) if is_causal else keys
        panels = k_panels[: (visible + width - 1) // width]
        block = scores[: (stop - start) * len(panels) * width].reshape(stop - start, len(panels) * width)
        packed_gemm(q[start:stop], panels, zeros, block)
        for r in range(start, stop):
            row = block[r - start]
            if masked:
                _mask_row(row[:visible], mask[r])
            # To the end of the panels, so that the length of a row is a multiple of a vector's.
            row[min(r + 1, visible) if is_causal else visible :] = -numpy.inf
        _softmax(block, scale)
        for r in range(start, stop):
            row = block[r - start, :visible]
            if p.shape[1]:  # a gradient is wanted
                copy_row(p[r], row)
                p[r, visible:] = 0
            if dropped:
                _multiply(row, row, dropout[r])
        packed_gemm(block[:, :visible], v_panels, zeros, out[: stop - start])
        for r in range(start, stop):
            copy_row(y[r], out[r - start, : y.shape[1]])


# Each of these takes rows, which the compiler knows to be contiguous. It does not know that of a part of a matrix.


@inner
def _mask_row(scores, mask):
    for j in range(scores.size):
        scores[j] = scores[j] if mask[j] else -numpy.inf


@inner
def _softmax(scores, scale):
    """The softmax of rows of scores, in place; a row that is masked everywhere becomes 0.

    The exponentials of all rows are computed in one loop. Row by row each would wait for its maximum and its sum.
    """
    for r in range(len(scores)):
        largest = row_maximum(scores[r])
        _shift_and_scale(scores[r], scores.dtype.type(0) if largest == -numpy.inf else largest, scale)
    _exponentials(scores.reshape(-1))
    for r in range(len(scores)):
        total = _sum(scores[r])
        _scale(scores[r], scores.dtype.type(0) if total == 0 else scores.dtype.type(1) / total)


@inner
def _shift_and_scale(row, origin, scale):
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
def _scale(row, factor):
    for j in range(row.size):
        row[j] *= factor


@inner
def _multiply(out, a, b):
    for j in range(a.size):
        out[j] = a[j] * b[j]


# --- backward ---------------------------------------------------------------------------------------------------------


@parallel(makes_arrays=True)
def _attend_backward(first, last, q, k, v, g, g_q, g_k, g_v, p, dropouts, dropped, is_causal, scale):
    g_scores, dropped_p = numpy.empty((_BLOCK, k.shape[2]), p.dtype), numpy.empty((_BLOCK, k.shape[2]), p.dtype)
    for n in range(first, last):
        i, h = n // q.shape[1], n % q.shape[1]
        matrices = (q[i, h], k[i, h], v[i, h], g[i, h], g_q[i, h], g_k[i, h], g_v[i, h], p[i, h], dropouts[i, h])
        _attend_head_backward(*matrices, dropped, is_causal, scale, g_scores, dropped_p)


@inner
def _attend_head_backward(q, k, v, g, g_q, g_k, g_v, p, dropout, dropped, is_causal, scale, g_scores, dropped_p):
    queries, keys = p.shape
    g_k[:], g_v[:] = 0, 0
    for start in range(0, queries, _BLOCK):
        stop = min(start + _BLOCK, queries)
        visible = min(stop, keys) if is_causal else keys
        weights, s = p[start:stop, :visible], g_scores[: stop - start, :visible]
        used_weights = weights
        gemm(g[start:stop], v[:visible].T, 0, s)
        if dropped:
            used_weights = dropped_p[: stop - start, :visible]
        for r in range(start, stop):
            gradient, weight = g_scores[r - start, :visible], p[r, :visible]
            if dropped:
                _multiply(gradient, gradient, dropout[r])
                _multiply(dropped_p[r - start], weight, dropout[r])
            _softmax_gradient(gradient, weight, scale)
        gemm(s, k[:visible], 0, g_q[start:stop])
        gemm(s.T, q[start:stop], 1, g_k[:visible])
        gemm(used_weights.T, g[start:stop], 1, g_v[:visible])


@inner
def _softmax_gradient(s, p, scale):
    """The gradient of a row of scores from that of the row of weights, in place."""
    total = s.dtype.type(0)
    for j in range(s.size):
        total += s[j] * p[j]
    for j in range(s.size):
        s[j] = p[j] * (s[j] - total) * scale
