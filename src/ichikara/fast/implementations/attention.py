"""Attention in place, its gradient by the sum of the softmax's way back.

Source: T. Dao et al., "FlashAttention" (2022), appendix B.
"""

import math

from ...arrays import dtype_name, namespace, sum_to
from ..once import Once
from ..product import product
from ..registry import implementation

__all__ = ["attention", "self_attention"]

_NOWHERE = -math.inf  # the score of a place that may not be looked at: its exponential is 0


def _scores(xp, q, k, mask, is_causal, scale):
    """How much each query has to do with each key. Shapes: (*, l, e), (*, s, e) -> (*, l, s)."""
    scores = product(q * scale, k.mT)
    if is_causal:
        past = xp.tril(xp.ones(scores.shape[-2:], dtype=scores.dtype)) > 0
        scores += xp.where(past, xp.zeros_like(past, dtype=scores.dtype), _NOWHERE)
    if mask is None:
        return scores
    if dtype_name(mask) == "bool":
        return xp.where(mask, scores, _NOWHERE)
    return scores + xp.astype(mask, scores.dtype)


@implementation("attention", keeps=("p", "of_scores"))
def attention(q, k, v, mask, dropout_mask, is_causal, scale):
    xp = namespace(q, k, v, mask)
    p = _scores(xp, q, k, mask, is_causal, scale)  # (*n, l, s)
    highest = xp.max(p, axis=-1, keepdims=True) if p.shape[-1] else xp.sum(p, axis=-1, keepdims=True)
    p -= xp.where(highest == _NOWHERE, 0.0, highest)
    p = xp.exp(p)
    total = xp.sum(p, axis=-1, keepdims=True)
    p /= xp.where(total == 0, 1.0, total)
    y = p if dropout_mask is None else p * dropout_mask
    if v is not None:
        y = product(y, v)

    def of_scores(g):
        """A softmax's way back; the sum in it, of P̄ P over all keys, is that of ȳ y over the value's elements."""
        s = 1 * g if v is None else product(g, v.mT)  # (*n, l, s), our own
        if dropout_mask is not None:
            s *= dropout_mask  # P̄
        s -= namespace(g, y).sum(g * y, axis=-1, keepdims=True)
        s *= p
        return s

    return y, p, Once(of_scores)


def _of_queries(g, k, q_shape, scale, of_scores):
    return sum_to(product(of_scores(g), k * scale), q_shape)


def _of_keys(g, q, k_shape, scale, of_scores):
    return sum_to(product(of_scores(g).mT, q * scale), k_shape)


def _of_values(g, p, v_shape, dropout_mask):
    return sum_to(product((p if dropout_mask is None else p * dropout_mask).mT, g), v_shape)


def _of_mask(g, mask_shape, of_scores):
    return sum_to(of_scores(g), mask_shape)


attention.gradient(
    q=_of_queries,
    k=_of_keys,
    v=_of_values,
    mask=_of_mask,
)


@implementation("self_attention", keeps=("p", "of_scores"))
def self_attention(qkv, mask, dropout_mask, is_causal, scale):
    q, k, v = qkv
    return attention.function(q, k, v, mask, dropout_mask, is_causal, scale)


def _of_all(g, qkv, dropout_mask, scale, p, of_scores):
    q, k, v = qkv
    of_queries = _of_queries(g, k, q.shape, scale, of_scores)
    of_keys = _of_keys(g, q, k.shape, scale, of_scores)
    return namespace(g, p).stack([of_queries, of_keys, _of_values(g, p, v.shape, dropout_mask)])


self_attention.gradient(
    qkv=_of_all,
    mask=_of_mask,
)
