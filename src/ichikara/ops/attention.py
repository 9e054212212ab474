"""Attention: looking things up by the likeness of what is asked for to what is there."""

import math

from ..arrays import Generator, Once, default_generator, dtype_name, namespace, product, sum_to
from ..autodiff import asarray, composed, op

__all__ = ["attention", "scaled_dot_product_attention", "self_attention"]

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


@op(
    r"Y = P V, \quad P = \operatorname{softmax}(s\,Q K^\top + M)",
    floating=True,
    promotes=(0, 1, 2),
    keeps=("p", "of_scores"),
)
def attention(q, k, v=None, mask=None, kept=None, /, is_causal=False, scale=1.0):
    r"""The values, weighed by how alike a query and the values' keys are; without values, the weights.

    .. math:: Y = (P \circ D)\,V, \qquad P = \operatorname{softmax}(s\,Q K^\top + M)

    A query that may look nowhere gets 0.

    Shapes: q (\*n, l, e), k (\*n, s, e), v (\*n, s, d), mask and kept broadcast to (\*n, l, s) -> (\*n, l, d),
    or (\*n, l, s) without v.

    Arguments: ``mask``, M: floats that are added to the scores, or true where may be looked; ``kept``, D: what dropout
    multiplies the weights with; ``is_causal``, look at places up to one's own only; ``scale``, s.

    Source: A. Vaswani et al., "Attention Is All You Need" (2017), section 3.2.1; the way back, T. Dao et al.,
    "FlashAttention" (2022), appendix B.
    """
    xp = namespace(q, k, v, mask)
    p = _scores(xp, q, k, mask, is_causal, scale)  # (*n, l, s)
    highest = xp.max(p, axis=-1, keepdims=True) if p.shape[-1] else xp.sum(p, axis=-1, keepdims=True)
    p -= xp.where(highest == _NOWHERE, 0.0, highest)
    p = xp.exp(p)
    total = xp.sum(p, axis=-1, keepdims=True)
    p /= xp.where(total == 0, 1.0, total)
    y = p if kept is None else p * kept
    if v is not None:
        y = product(y, v)

    def of_scores(g):
        """A softmax's way back; the sum in it, of P̄ P over all keys, is that of ȳ y over the value's elements."""
        s = 1 * g if v is None else product(g, v.mT)  # (*n, l, s), our own
        if kept is not None:
            s *= kept  # P̄
        s -= namespace(g, y).sum(g * y, axis=-1, keepdims=True)
        s *= p
        return s

    return y, p, Once(of_scores)


def _of_queries(g, k, q_shape, scale, of_scores):
    return sum_to(product(of_scores(g), k * scale), q_shape)


def _of_keys(g, q, k_shape, scale, of_scores):
    return sum_to(product(of_scores(g).mT, q * scale), k_shape)


def _of_values(g, p, v_shape, kept):
    return sum_to(product((p if kept is None else p * kept).mT, g), v_shape)


def _of_mask(g, mask_shape, of_scores):
    return sum_to(of_scores(g), mask_shape)


attention.gradient(
    q=(r"\bar Q = s\,\bar S K, \quad \bar S = P \circ (\bar P - \textstyle\sum_j \bar P_j P_j)", _of_queries),
    k=(r"\bar K = s\,\bar S^\top Q", _of_keys),
    v=(r"\bar V = (P \circ D)^\top \bar Y, \quad \bar P = D \circ (\bar Y V^\top)", _of_values),
    mask=(r"\bar M = \bar S", _of_mask),
    kept=None,
)


@op(
    r"Y = P V, \quad P = \operatorname{softmax}(s\,Q K^\top + M)",
    floating=True,
    promotes=(0,),
    keeps=("p", "of_scores"),
)
def self_attention(qkv, mask=None, kept=None, /, is_causal=False, scale=1.0):
    r"""`attention` whose queries, keys and values lie one behind the other in an array, as one product makes them.

    .. math:: Y = (P \circ D)\,V, \qquad P = \operatorname{softmax}(s\,Q K^\top + M)

    Its gradient is one array too; those of three that were cut out of one would each be put between zeros, and added.

    Shapes: qkv (3, \*n, l, e), mask and kept broadcast to (\*n, l, l) -> (\*n, l, e).

    Arguments: as of `attention`.
    """
    q, k, v = qkv
    return attention.forward(q, k, v, mask, kept, is_causal, scale)


def _of_all(g, qkv, kept, scale, p, of_scores):
    q, k, v = qkv
    of_queries = _of_queries(g, k, q.shape, scale, of_scores)
    of_keys = _of_keys(g, q, k.shape, scale, of_scores)
    return namespace(g, p).stack([of_queries, of_keys, _of_values(g, p, v.shape, kept)])


self_attention.gradient(
    qkv=(
        r"\bar Q = s\,\bar S K, \quad \bar K = s\,\bar S^\top Q, \quad \bar V = (P \circ D)^\top \bar Y",
        _of_all,
    ),
    mask=(r"\bar M = \bar S", _of_mask),
    kept=None,
)


@composed(r"Y = \operatorname{softmax}\Bigl(\frac{Q K^\top}{\sqrt e} + M\Bigr) V")
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
    start where its slope is 0. A query that may look nowhere gets 0.

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
    kept = None
    if dropout_p:
        batch = namespace().broadcast_shapes(query.shape[:-2], key.shape[:-2])
        shape = (*batch, query.shape[-2], key.shape[-2])
        drawn = (generator or default_generator()).bernoulli(1 - dropout_p, shape)
        kept = asarray(drawn, dtype=query.dtype) * (1 / (1 - dropout_p) if dropout_p < 1 else 0.0)
    scale = 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale
    return attention(query, key, value, attn_mask, kept, is_causal=is_causal, scale=scale)
