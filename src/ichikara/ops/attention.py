"""Attention: looking things up by the likeness of what is asked for to what is there."""

import math

from ..arrays import Generator, default_generator, namespace
from ..autodiff import asarray, composed
from .creation import ones
from .elementwise import where
from .exponential import exp
from .shape import expand_dims, matrix_transpose, tril

__all__ = ["attention", "scaled_dot_product_attention", "self_attention"]


@composed(r"Y = (P \circ D)\;V, \quad P = \operatorname{softmax}(s\,Q K^\top + M)", accumulates=True)
def attention(q, k, v=None, mask=None, dropout_mask=None, /, is_causal=False, scale=1.0):
    r"""The values, weighed by how alike a query and the values' keys are; without values, the weights.

    .. math:: Y = (P \circ D)\,V, \qquad P = \operatorname{softmax}(s\,Q K^\top + M)

    A query that may look nowhere gets 0.

    Shapes: q (\*n, l, e), k (\*n, s, e), v (\*n, s, d), both masks broadcast to (\*n, l, s) -> (\*n, l, d),
    or (\*n, l, s) without v.

    Arguments: ``mask``, M: floats that are added to the scores, or true where may be looked; ``dropout_mask``, D: what
    dropout multiplies the weights with; ``is_causal``, look at places up to one's own only; ``scale``, s.

    Source: A. Vaswani et al., "Attention Is All You Need" (2017), section 3.2.1.
    """
    scores = (q * scale) @ matrix_transpose(k)  # (*n, l, s)
    if is_causal:
        scores = where(tril(ones(scores.shape[-2:], dtype="bool")), scores, -math.inf)
    if mask is not None:
        scores = where(mask, scores, -math.inf) if mask.dtype.kind == "b" else scores + mask.astype(scores.dtype)
    weights = _softmax_or_zero(scores)
    if dropout_mask is not None:
        weights = weights * dropout_mask
    return weights if v is None else weights @ v


def _softmax_or_zero(scores):
    """The softmax of each row; zeros where every score is -inf."""
    if not scores.shape[-1]:
        return scores
    highest = scores.max(axis=-1, keepdims=True).detach()
    e = exp(scores - where(highest == -math.inf, 0.0, highest))
    total = e.sum(axis=-1, keepdims=True)
    return e / where(total == 0, 1.0, total)


@composed(r"Y = (P \circ D)\;V, \quad P = \operatorname{softmax}(s\,Q K^\top + M)", accumulates=True)
def self_attention(qkv, mask=None, dropout_mask=None, /, is_causal=False, scale=1.0):
    r"""`attention` whose queries, keys and values lie one behind the other in an array, as one product makes them.

    .. math:: Y = (P \circ D)\,V, \qquad P = \operatorname{softmax}(s\,Q K^\top + M)

    Shapes: qkv (3, \*n, l, e), both masks broadcast to (\*n, l, l) -> (\*n, l, e).

    Arguments: as of `attention`.
    """
    return attention(qkv[0], qkv[1], qkv[2], mask, dropout_mask, is_causal, scale)


def _only(x, part):
    """The rows of x that take part, and zeros for the others: even times 0, inf and nan would be nan."""
    if namespace().broadcast_shapes(x.shape[:-1], part.shape) != x.shape[:-1]:
        return x  # which part it is differs where x is the same
    return where(expand_dims(part, axis=-1), x, 0.0)


@composed(r"Y = \operatorname{softmax}\Bigl(\frac{Q K^\top}{\sqrt e} + M\Bigr)\;V")
def scaled_dot_product_attention(
    query,
    key,
    value,
    attn_mask=None,
    /,
    dropout_p=0.0,
    is_causal=False,
    scale=None,
    generator: Generator | None = None,
):
    r"""What each query finds: the values, weighed by the inner products of the query with their keys.

    .. math:: Y = \operatorname{softmax}\Bigl(\frac{Q K^\top}{\sqrt e} + M\Bigr) V

    An inner product of e random numbers has a variance of e; the root takes it back to 1, so that the softmax does not
    start where its slope is 0. A query that may look nowhere gets 0, and keys that no query may look at have no say,
    whatever they hold.

    Shapes: query (\*n, l, e), key (\*n, s, e), value (\*n, s, d), attn_mask broadcast to (\*n, l, s) -> (\*n, l, d).

    Arguments: ``attn_mask``, true where a query (row) may look at a key (column), or floats that are added to the
    scores; ``dropout_p``, the probability, 0 to 1, that a weight is dropped; ``is_causal``, look at places up to one's
    own only; ``scale``, in the place of 1/√e; ``generator``, where dropout draws from.

    Raises ValueError for a mask beside ``is_causal``, and for shapes that do not fit.

    Source: A. Vaswani et al., "Attention Is All You Need" (2017), section 3.2.1.
    """
    if attn_mask is not None and is_causal:
        raise ValueError("is_causal makes the mask itself; give attn_mask or is_causal, not both")
    if not 0 <= dropout_p <= 1:
        raise ValueError(f"dropout_p is a probability, 0 to 1, not {dropout_p}")
    if query.ndim < 2 or query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"queries (*, l, e), keys (*, s, e) and values (*, s, d) are needed, and these have the shapes "
            f"{query.shape}, {key.shape} and {value.shape}"
        )
    if attn_mask is not None and attn_mask.ndim > 1:
        allowed = attn_mask if attn_mask.dtype.kind == "b" else attn_mask != -math.inf
        looks, seen = allowed.any(axis=-1), allowed.any(axis=-2)
        query, key, value = (_only(x, part) for x, part in ((query, looks), (key, seen), (value, seen)))
    if attn_mask is not None and attn_mask.dtype.kind == "f" and attn_mask.dtype != query.dtype:
        attn_mask = attn_mask.astype(query.dtype)  # it is added to the scores, and does not widen them
    dropout_mask = None
    if dropout_p:
        batch = namespace().broadcast_shapes(query.shape[:-2], key.shape[:-2])
        shape = (*batch, query.shape[-2], key.shape[-2])
        drawn = (generator or default_generator()).bernoulli(1 - dropout_p, shape)
        dropout_mask = asarray(drawn, dtype=query.dtype) * (1 / (1 - dropout_p) if dropout_p < 1 else 0.0)
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    return attention(query, key, value, attn_mask, dropout_mask, is_causal=is_causal, scale=scale)
