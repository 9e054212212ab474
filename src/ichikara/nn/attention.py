"""Multi-head attention: several attentions side by side, each with its own queries, keys and values."""

import math
from typing import Any

from .. import ops
from ..arrays import Generator, choose_generator, default_float
from ..autodiff import Tensor, asarray
from ..checks import fraction, whole_number
from ..errors import UserError
from ..ops.attention import attention, self_attention
from . import init
from .linear import Linear
from .module import Module
from .parameter import Parameter

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    r"""Attention with several heads: each averages the values by how well their keys match a query.

    .. math:: Y = [Y_1, \dots, Y_h]\,W_o^\top + b_o, \qquad
        Y_i = \operatorname{softmax}\Bigl(\frac{Q_i K_i^\top}{\sqrt{e / h}} + M\Bigr) V_i, \qquad
        Q_i = Q W_{q i}^\top + b_{q i}, \dots

    Shapes: query (l, n, embed_dim), key (s, n, kdim), value (s, n, vdim), with ``batch_first`` n before l and s, or
    without n -> (l, n, embed_dim), and the weights (n, l, s), or (n, num_heads, l, s) unaveraged, or None.
    ``in_proj_weight`` (3 embed_dim, embed_dim), or with kdim or vdim ``q_proj_weight``, ``k_proj_weight``,
    ``v_proj_weight``; ``in_proj_bias`` (3 embed_dim).

    Arguments: ``embed_dim``, the length of a step; ``num_heads``, the number of heads h, which divides it; ``dropout``,
    the probability, 0 to 1, that a weight is dropped; ``bias``, whether there are biases; ``kdim`` and ``vdim``, the
    lengths of keys and values where these differ; ``batch_first``, whether the sequences come before their steps;
    ``dtype``, the type of the parameters; ``generator``, the source of the dropout masks.

    In a call: ``key_padding_mask`` (n, s) and ``attn_mask`` (l, s) or (n num_heads, l, s), **true where attention is
    not allowed**, or floats that are added to the scores; ``need_weights``, whether to return the weights too, which is
    slower; ``average_attn_weights``, whether to average them over the heads; ``is_causal``, whether each position
    attends only to itself and to earlier ones, without a mask. A step that may attend to nothing gets 0 and the
    output's bias.

    Raises UserError where the heads do not divide embed_dim, and for shapes that do not fit.

    >>> layer = MultiheadAttention(8, 2, batch_first=True)
    >>> x = ops.ones((1, 3, 8))
    >>> y, weights = layer(x, x, x)
    >>> y.shape, weights.shape
    ((1, 3, 8), (1, 3, 3))

    Source: A. Vaswani et al., "Attention Is All You Need" (2017), section 3.2.2; PyTorch's
    ``torch.nn.MultiheadAttention``.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        dtype: Any = None,
        generator: Generator | None = None,
    ):
        super().__init__()
        self.embed_dim, self.num_heads = whole_number("embed_dim", embed_dim), whole_number("num_heads", num_heads)
        if embed_dim % num_heads:
            raise UserError(
                f"{num_heads} heads share the {embed_dim} numbers of a step evenly, and these do not divide"
            )
        self.head_dim = embed_dim // num_heads
        self.kdim = embed_dim if kdim is None else whole_number("kdim", kdim)
        self.vdim = embed_dim if vdim is None else whole_number("vdim", vdim)
        self.dropout, self.batch_first = fraction("dropout", dropout), batch_first
        self.generator = None if generator is None else choose_generator(generator)
        dtype = dtype or default_float
        shapes = {
            "q_proj_weight": (embed_dim, embed_dim),
            "k_proj_weight": (embed_dim, self.kdim),
            "v_proj_weight": (embed_dim, self.vdim),
        }
        if self.kdim == self.vdim == embed_dim:
            shapes = {"in_proj_weight": (3 * embed_dim, embed_dim)}
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            shape = shapes.get(name)
            self.register_parameter(name, None if shape is None else Parameter(ops.zeros(shape, dtype=dtype)))
        self.register_parameter("in_proj_bias", Parameter(ops.zeros((3 * embed_dim,), dtype=dtype)) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values for the parameters; the biases start at 0."""
        self.out_proj.reset_parameters()
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        batched = query.ndim == 3
        self._check(query, key, value)
        n, l, s = self._sizes(query, key)
        mask = self._mask(n, l, s, key_padding_mask, attn_mask)
        if mask is not None and mask.dtype.kind == "f" and mask.dtype != query.dtype:
            mask = mask.astype(query.dtype)  # it is added to the scores, and does not widen them
        dropout_mask = self._dropout_mask((n, self.num_heads, l, s), query.dtype)
        options = {"is_causal": is_causal and attn_mask is None, "scale": 1 / math.sqrt(self.head_dim)}
        weights = None
        if query is key is value and self.in_proj_weight is not None and not need_weights:
            qkv = self._to_heads(ops.linear(query, self.in_proj_weight, self.in_proj_bias), batched, 3)
            y = self_attention(qkv, mask, dropout_mask, **options)  # (n, h, l, e / h)
        else:
            q, k, v = (self._to_heads(x, batched) for x in self._projected(query, key, value))  # (n, h, l, e / h)
            if need_weights:
                weights = attention(q, k, None, mask, dropout_mask, **options)  # (n, h, l, s)
                y = weights @ v
            else:
                y = attention(q, k, v, mask, dropout_mask, **options)  # (n, h, l, e / h)
        y = self.out_proj(self._from_heads(y, batched))
        if weights is not None:
            weights = weights.mean(axis=1) if average_attn_weights else weights
            weights = weights if batched else weights[0]
        return y, weights

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        """Queries, keys and values, those of all heads side by side."""
        e, bias = self.embed_dim, self.in_proj_bias
        if self.in_proj_weight is not None:
            weights = [self.in_proj_weight[i : i + e] for i in (0, e, 2 * e)]
        else:
            weights = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        biases = [None if bias is None else bias[i : i + e] for i in (0, e, 2 * e)]
        return [ops.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]

    def _to_heads(self, x: Tensor, batched: bool, parts: int = 1) -> Tensor:
        """Shapes: (l, n, p e), (n, l, p e) or (l, p e) -> (p, n, h, l, e / h), without p where it is 1."""
        before = x.shape[:-1] if batched else (1, *x.shape[:-1])
        n, l = (0, 1) if self.batch_first or not batched else (1, 0)
        if parts == 1:
            return ops.permute_dims(ops.reshape(x, (*before, self.num_heads, self.head_dim)), (n, 2, l, 3))
        return ops.permute_dims(ops.reshape(x, (*before, parts, self.num_heads, self.head_dim)), (2, n, 3, l, 4))

    def _from_heads(self, y: Tensor, batched: bool) -> Tensor:
        """Shapes: (n, h, l, e / h) -> (l, n, e), (n, l, e) or (l, e)."""
        y = ops.permute_dims(y, (0, 2, 1, 3) if self.batch_first or not batched else (2, 0, 1, 3))
        y = ops.reshape(y, (*y.shape[:2], self.embed_dim))
        return y if batched else y[0]

    def _mask(self, n: int, l: int, s: int, key_padding_mask: Any, attn_mask: Any) -> Tensor | None:
        """Both masks as one: true where attention is allowed if both are boolean, else what is added to the scores."""
        masks = []
        alone = {(s,): (1, 1, 1, s)} if n == 1 else {}
        known: tuple[tuple[str, Any, dict], ...] = (
            ("key_padding_mask", key_padding_mask, {(n, s): (n, 1, 1, s), **alone}),
            ("attn_mask", attn_mask, {(l, s): (l, s), (n * self.num_heads, l, s): (n, self.num_heads, l, s)}),
        )
        for name, given, shapes in known:
            if given is None:
                continue
            mask = asarray(given)
            if mask.shape not in shapes:
                raise UserError(f"{name} has the shape {' or '.join(map(str, shapes))} here, not {mask.shape}")
            if mask.dtype.kind not in "bf":
                raise UserError(f"{name} is of true and false, or of floats, not of {mask.dtype}")
            masks.append(ops.reshape(mask, shapes[mask.shape]))
        if not masks:
            return None
        if all(m.dtype.kind == "b" for m in masks):
            return ~(masks[0] if len(masks) == 1 else masks[0] | masks[1])
        added = [ops.where(m, -math.inf, 0.0) if m.dtype.kind == "b" else m for m in masks]
        return added[0] if len(added) == 1 else added[0] + added[1]

    def _sizes(self, query: Tensor, key: Tensor) -> tuple[int, int, int]:
        """How many sequences, how long they are, and how long those of the keys are."""
        if query.ndim == 2:
            return 1, len(query), len(key)
        length = 1 if self.batch_first else 0
        return query.shape[1 - length], query.shape[length], key.shape[length]

    def _dropout_mask(self, shape: tuple[int, ...], dtype: Any) -> Tensor | None:
        """What dropout multiplies the weights with."""
        if not self.training or not self.dropout:
            return None
        kept = choose_generator(self.generator).bernoulli(1 - self.dropout, shape)
        return asarray(kept, dtype=dtype) * (1 / (1 - self.dropout) if self.dropout < 1 else 0.0)

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        for name, x, size in (("query", query, self.embed_dim), ("key", key, self.kdim), ("value", value, self.vdim)):
            if x.ndim not in (2, 3) or x.ndim != query.ndim or x.shape[-1] != size:
                raise UserError(
                    f"MultiheadAttention takes a {name} of {size} numbers a step, all of them with a batch or without, "
                    f"and this one has shape {x.shape} beside a query of {query.shape}"
                )
        batch = 0 if self.batch_first else 1
        if key.shape[:-1] != value.shape[:-1] or (query.ndim == 3 and query.shape[batch] != key.shape[batch]):
            raise UserError(
                f"query, key and value have one batch, key and value one length, and these have the shapes "
                f"{query.shape}, {key.shape} and {value.shape}"
            )
