"""Attention in place. Its gradient needs P̄ ∘ P summed over all keys, which is ȳ ∘ y summed over the value's elements.

Source: T. Dao et al., "FlashAttention" (2022), appendix B.
"""

import math

import numpy

from ...arrays import sum_to
from ..product import product
from ..registry import implementation
from ..shared_backward import SharedBackward

__all__ = ["attention", "self_attention"]

_MASKED = -math.inf  # the score of a key that may not be looked at: its exponential is 0


def _scores(q, k, mask, is_causal, scale):
    """The scaled products of queries and keys. Shapes: (*, l, e), (*, s, e) -> (*, l, s)."""
    scores = product(q * scale, k.mT)
    if is_causal:
        past = numpy.tri(*scores.shape[-2:], dtype=numpy.bool_)
        scores += numpy.where(past, numpy.zeros_like(past, scores.dtype), _MASKED)
    if mask is None:
        return scores
    return numpy.where(mask, scores, _MASKED) if mask.dtype == bool else scores + mask.astype(scores.dtype)


@implementation("attention", residuals=("p", "backward"))
def attention(q, k, v, mask, dropout_mask, is_causal, scale):
    p = _scores(q, k, mask, is_causal, scale)  # (*n, l, s)
    highest = numpy.max(p, axis=-1, keepdims=True) if p.shape[-1] else numpy.sum(p, axis=-1, keepdims=True)
    p -= numpy.where(highest == _MASKED, 0.0, highest)
    p = numpy.exp(p)
    total = numpy.sum(p, axis=-1, keepdims=True)
    p /= numpy.where(total == 0, 1.0, total)
    y = p if dropout_mask is None else p * dropout_mask
    if v is not None:
        y = product(y, v)

    def backward(g):
        """The gradient of the scores."""
        s = 1 * g if v is None else product(g, v.mT)  # (*n, l, s), a new array
        if dropout_mask is not None:
            s *= dropout_mask  # P̄
        s -= numpy.sum(g * y, axis=-1, keepdims=True)
        s *= p
        return s

    return y, p, SharedBackward(backward)


def _query_gradient(g, k, q_shape, scale, backward):
    return sum_to(product(backward(g), k * scale), q_shape)


def _key_gradient(g, q, k_shape, scale, backward):
    return sum_to(product(backward(g).mT, q * scale), k_shape)


def _value_gradient(g, p, v_shape, dropout_mask):
    return sum_to(product((p if dropout_mask is None else p * dropout_mask).mT, g), v_shape)


def _mask_gradient(g, mask_shape, backward):
    return sum_to(backward(g), mask_shape)


attention.gradient(q=_query_gradient, k=_key_gradient, v=_value_gradient, mask=_mask_gradient)


@implementation("self_attention", residuals=("p", "backward"))
def self_attention(qkv, mask, dropout_mask, is_causal, scale):
    q, k, v = qkv
    return attention.function(q, k, v, mask, dropout_mask, is_causal, scale)


def _qkv_gradient(g, qkv, dropout_mask, scale, p, backward):
    q, k, v = qkv
    gq, gk = _query_gradient(g, k, q.shape, scale, backward), _key_gradient(g, q, k.shape, scale, backward)
    return numpy.stack([gq, gk, _value_gradient(g, p, v.shape, dropout_mask)])


self_attention.gradient(qkv=_qkv_gradient, mask=_mask_gradient)
