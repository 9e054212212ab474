"""Transformers: stacks of attention and feed-forward layers with residual connections."""

import copy
import math
from collections.abc import Callable
from typing import Any

from .. import ops
from ..arrays import Generator, default_float
from ..autodiff import Tensor
from ..checks import whole_number
from ..errors import UserError, choose
from . import init
from .attention import MultiheadAttention
from .containers import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .norm import LayerNorm

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "generate_square_subsequent_mask",
]

_ACTIVATIONS: dict[str, Callable] = {"relu": ops.relu, "gelu": ops.gelu}


def generate_square_subsequent_mask(sz: int, dtype: Any = default_float) -> Tensor:
    """The causal mask: 0 where a position attends, to itself and earlier ones, -inf elsewhere. Shapes: -> (sz, sz).

    >>> generate_square_subsequent_mask(2).tolist()
    [[0.0, -inf], [0.0, 0.0]]

    Source: PyTorch's ``torch.nn.Transformer.generate_square_subsequent_mask``.
    """
    return ops.triu(ops.full((sz, sz), -math.inf, dtype=dtype), k=1)


class _Layer(Module):
    """What encoder and decoder layers share: attentions and a feed-forward network, each in a residual connection."""

    _attentions: tuple[str, ...]

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: Any = None,
        generator: Generator | None = None,
    ):
        super().__init__()
        self.norm_first = norm_first
        for name in self._attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype, generator=generator
            )
            self.register_module(name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, dtype=dtype)
        self.dropout = Dropout(dropout, generator=generator)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, dtype=dtype)
        self.activation = activation if callable(activation) else choose("activation", activation, _ACTIVATIONS)
        numbers = range(1, len(self._attentions) + 2)
        for k in numbers:
            self.register_module(f"norm{k}", LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype))
        for k in numbers:
            self.register_module(f"dropout{k}", Dropout(dropout, generator=generator))

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))

    def _residual(self, x: Tensor, function: Callable, norm: Module, dropout: Module) -> Tensor:
        """A function in a residual connection, with the norm before the function or after the sum."""
        if self.norm_first:
            return x + dropout(function(norm(x)))
        return norm(x + dropout(function(x)))


class TransformerEncoderLayer(_Layer):
    r"""Self-attention, then a feed-forward network at each position, both with residual connection and norm.

    .. math:: u = \operatorname{norm}(x + \operatorname{attention}(x, x, x)), \qquad
        y = \operatorname{norm}(u + W_2\,\varphi(W_1 u + b_1) + b_2)

    With ``norm_first`` the norm is inside the residual branch, u = x + attention(norm(x)): deep stacks then train more
    easily, because gradients pass from end to end through sums alone.

    Shapes: (T, n, d_model), (n, T, d_model) with ``batch_first``, or (T, d_model) -> the same.

    Arguments: ``d_model``, the length of a step; ``nhead``, the number of heads, which divides it; ``dim_feedforward``,
    the hidden neurons of the feed-forward network; ``dropout``, the probability, 0 to 1, by which attention weights,
    hidden neurons and outputs of both parts are zeroed; ``activation``, 'relu', 'gelu' or a function of tensors;
    ``layer_norm_eps``, ε of the norms; ``batch_first``, whether the sequences come before their steps; ``norm_first``,
    whether the norms come first; ``bias``, whether there are biases; ``dtype``, the type of the parameters;
    ``generator``, the source of the dropout masks.

    In a call: ``src_mask``, ``src_key_padding_mask``, ``is_causal`` as `MultiheadAttention` takes them.

    Raises UserError where the heads do not divide d_model.

    >>> layer = TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> layer(ops.ones((1, 3, 8)), is_causal=True).shape
    (1, 3, 8)

    Source: A. Vaswani et al., "Attention Is All You Need" (2017); ``norm_first``, R. Xiong et al., "On Layer
    Normalization in the Transformer Architecture" (2020); PyTorch's ``torch.nn.TransformerEncoderLayer``.
    """

    _attentions = ("self_attn",)

    def forward(
        self, src: Tensor, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
    ) -> Tensor:
        def self_attention(x):
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]

        x = self._residual(src, self_attention, self.norm1, self.dropout1)
        return self._residual(x, self._feed_forward, self.norm2, self.dropout2)


class TransformerDecoderLayer(_Layer):
    r"""Self-attention, cross-attention to another sequence (the memory), then a feed-forward network.

    .. math:: u = \operatorname{norm}(x + \operatorname{attention}(x, x, x)), \quad
        v = \operatorname{norm}(u + \operatorname{attention}(u, m, m)), \quad
        y = \operatorname{norm}(v + W_2\,\varphi(W_1 v + b_1) + b_2)

    Shapes: tgt (T, n, d_model), memory (S, n, d_model), with ``batch_first`` n before T and S, or without n
    -> (T, n, d_model).

    Arguments, errors: as `TransformerEncoderLayer`.

    In a call: masks for each of the two attentions, ``tgt_…`` and ``memory_…``, as `MultiheadAttention` takes them.

    >>> layer = TransformerDecoderLayer(8, 2, 16, batch_first=True)
    >>> layer(ops.ones((1, 3, 8)), ops.ones((1, 5, 8)), tgt_is_causal=True).shape
    (1, 3, 8)

    Source: A. Vaswani et al., "Attention Is All You Need" (2017); PyTorch's ``torch.nn.TransformerDecoderLayer``.
    """

    _attentions = ("self_attn", "multihead_attn")

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        def self_attention(x):
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def cross_attention(x):
            return self.multihead_attn(
                x, memory, memory, memory_key_padding_mask, False, memory_mask, is_causal=memory_is_causal
            )[0]

        x = self._residual(tgt, self_attention, self.norm1, self.dropout1)
        x = self._residual(x, cross_attention, self.norm2, self.dropout2)
        return self._residual(x, self._feed_forward, self.norm3, self.dropout3)


def _copies(layer: Module, number: int) -> ModuleList:
    """Copies of a layer with equal parameters, which share its generator."""
    shared = {id(g): g for part in layer.modules() if isinstance(g := getattr(part, "generator", None), Generator)}
    return ModuleList(copy.deepcopy(layer, dict(shared)) for _ in range(number))


class _Stack(Module):
    """Stacked layers, and a norm after the last one."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None):
        super().__init__()
        self.layers = _copies(layer, whole_number("num_layers", num_layers))
        self.num_layers = num_layers
        self.norm = norm

    def _through(self, x: Tensor, *others: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x, *others)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    r"""A stack of encoder layers.

    .. math:: y = \operatorname{norm}(f_n(\dots f_1(x)))

    Shapes: as its layers.

    Arguments: ``encoder_layer``, the layer to copy, so that all start with equal parameters; ``num_layers``, how many
    there are; ``norm``, a norm after the last one, which ``norm_first`` layers want.

    In a call: ``mask``, ``src_key_padding_mask``, ``is_causal`` as `MultiheadAttention` takes them.

    >>> stack = TransformerEncoder(TransformerEncoderLayer(8, 2, 16), num_layers=2)
    >>> stack(ops.ones((3, 1, 8))).shape
    (3, 1, 8)

    Source: PyTorch's ``torch.nn.TransformerEncoder``.
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None):
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self, src: Tensor, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None
    ) -> Tensor:
        return self._through(src, mask, src_key_padding_mask, bool(is_causal))


class TransformerDecoder(_Stack):
    r"""A stack of decoder layers, all of which attend to the same memory.

    .. math:: y = \operatorname{norm}(f_n(\dots f_1(x, m), m))

    Shapes: as its layers.

    Arguments: ``decoder_layer``, the layer to copy; ``num_layers``, how many there are; ``norm``, a norm after the last
    one.

    >>> stack = TransformerDecoder(TransformerDecoderLayer(8, 2, 16), num_layers=2)
    >>> stack(ops.ones((3, 1, 8)), ops.ones((5, 1, 8))).shape
    (3, 1, 8)

    Source: PyTorch's ``torch.nn.TransformerDecoder``.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None):
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        masks = tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask
        return self._through(tgt, memory, *masks, bool(tgt_is_causal), memory_is_causal)


class Transformer(Module):
    r"""An encoder of one sequence, and a decoder of another that attends to the encoder's output.

    .. math:: y = \operatorname{decoder}(t, \operatorname{encoder}(s))

    Embeddings, positional encodings and the output layer are up to the caller. Matrices start as `init.xavier_uniform_`
    draws them.

    Shapes: src (S, n, d_model), tgt (T, n, d_model), with ``batch_first`` n before S and T, or without n
    -> (T, n, d_model).

    Arguments: ``num_encoder_layers`` and ``num_decoder_layers``, how many layers there are; ``custom_encoder`` and
    ``custom_decoder``, modules in their place; the others as `TransformerEncoderLayer`.

    In a call: masks for each of the three attentions, ``src_…``, ``tgt_…`` and ``memory_…``, as `MultiheadAttention`
    takes them.

    Raises UserError where the heads do not divide d_model, and for shapes that do not fit.

    >>> model = Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> model(ops.ones((1, 5, 8)), ops.ones((1, 3, 8)), tgt_is_causal=True).shape
    (1, 3, 8)

    Source: A. Vaswani et al., "Attention Is All You Need" (2017); PyTorch's ``torch.nn.Transformer``.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: Any = None,
        generator: Generator | None = None,
    ):
        super().__init__()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        args = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        more = {"dtype": dtype, "generator": generator}

        def norm():
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder: Module = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*args, **more), num_encoder_layers, norm()
        )
        self.decoder: Module = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*args, **more), num_decoder_layers, norm()
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values for all matrices."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise UserError(
                f"src and tgt have steps of {self.d_model} numbers here, and these have the shapes "
                f"{src.shape} and {tgt.shape}"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            tgt_is_causal,
            memory_is_causal,
        )

    generate_square_subsequent_mask = staticmethod(generate_square_subsequent_mask)
