"""Embeddings of tokens, and encodings of positions: learnt tables, or sinusoids."""

import math
from typing import Any, Self

from .. import ops
from ..arrays import Generator, as_dtype, default_float, namespace
from ..autodiff import Tensor, asarray, wrap
from ..checks import whole_number
from ..errors import UserError
from . import init
from .dropout import Dropout
from .module import Module
from .parameter import Parameter

__all__ = ["Embedding", "LearnedPositionalEncoding", "PositionalEncoding"]


class Embedding(Module):
    r"""A table of learnt vectors, one for each token, looked up by the token's index.

    .. math:: y_i = W_{k_i}

    The rows start normal with variance 1.

    Shapes: whole numbers (\*) -> (\*, embedding_dim); ``weight`` (num_embeddings, embedding_dim).

    Arguments: ``num_embeddings``, the number of tokens; ``embedding_dim``, the length of a vector; ``padding_idx``, the
    index of padding: its row starts at 0 and is not learnt; ``dtype``, the type of the table.

    Raises IndexError for indices beyond the table, or not whole.

    >>> table = Embedding(10, 3)
    >>> table([[1, 2], [4, 4]]).shape
    (2, 2, 3)

    Source: Y. Bengio et al., "A Neural Probabilistic Language Model" (2003); PyTorch's ``torch.nn.Embedding``.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, *, dtype: Any = None):
        super().__init__()
        self.num_embeddings = whole_number("num_embeddings", num_embeddings)
        self.embedding_dim = whole_number("embedding_dim", embedding_dim)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise UserError(f"padding_idx is an index below num_embeddings={num_embeddings}, not {padding_idx}")
            padding_idx %= num_embeddings
        self.padding_idx = padding_idx
        self.weight = Parameter(ops.zeros((num_embeddings, embedding_dim), dtype=dtype or default_float))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values for the table."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data = ops.where(self._is_padding(), 0.0, self.weight.detach())

    def _is_padding(self) -> Tensor:
        return ops.reshape(ops.arange(self.num_embeddings) == self.padding_idx, (-1, 1))

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None) -> Self:
        """A layer with a given table, (num_embeddings, embedding_dim); ``freeze`` excludes it from training.

        >>> Embedding.from_pretrained([[1.0, 2.0], [3.0, 4.0]])([1]).tolist()
        [[3.0, 4.0]]
        """
        table = asarray(embeddings)
        if table.ndim != 2:
            raise UserError(f"a table has two axes, tokens and features, and this has shape {table.shape}")
        layer = cls(table.shape[0], table.shape[1], padding_idx, dtype=table.dtype)
        layer.weight.data = table
        layer.weight.requires_grad = not freeze
        return layer

    def forward(self, input: Tensor) -> Tensor:
        return ops.embedding(input, self.weight, padding_idx=self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class _Positions(Module):
    """What positional encodings share: they add a vector for each position, then apply dropout."""

    def __init__(
        self,
        d_model: int,
        dropout: float = 0.1,
        max_len: int = 5000,
        batch_first: bool = False,
        *,
        dtype: Any = None,
        generator: Generator | None = None,
    ):
        super().__init__()
        self.d_model, self.max_len = whole_number("d_model", d_model), whole_number("max_len", max_len)
        self.batch_first = batch_first
        self.dropout = Dropout(dropout, generator=generator)
        self._make_table(dtype or default_float)

    def _make_table(self, dtype: Any) -> None:
        """Register the table of the vectors to add, of this type."""
        raise NotImplementedError

    def _add(self, x: Tensor, table: Tensor) -> Tensor:
        """Shapes: x (T, n, d), (n, T, d) or (T, d), table (max_len, 1, d) -> as x."""
        if x.ndim not in (2, 3) or x.shape[-1] != self.d_model:
            raise UserError(f"{self!r} takes sequences of {self.d_model} numbers a step, and this has shape {x.shape}")
        batch_first = self.batch_first and x.ndim == 3
        steps = x.shape[1 if batch_first else 0]
        if steps > self.max_len:
            raise UserError(
                f"a sequence of {steps} steps was given to {type(self).__name__}, which has {self.max_len} positions; "
                "cut the sequence, or make the layer with a larger max_len"
            )
        rows = table[:steps]  # (T, 1, d)
        if batch_first or x.ndim == 2:
            rows = rows[:, 0]
        return self.dropout(x + rows)

    def extra_repr(self) -> str:
        return f"{self.d_model}, max_len={self.max_len}" + (", batch_first=True" if self.batch_first else "")


class PositionalEncoding(_Positions):
    r"""Adds sinusoids of the position to each step, so that attention can tell positions apart.

    .. math:: p_{t, 2i} = \sin \frac{t}{10000^{2i / d}}, \qquad p_{t, 2i + 1} = \cos \frac{t}{10000^{2i / d}}

    The encodings of two positions at a fixed distance differ by a fixed rotation, so distances can be learnt.

    Shapes: (T, n, d_model), (n, T, d_model) with ``batch_first``, or (T, d_model) -> the same; buffer ``pe``
    (max_len, 1, d_model).

    Arguments: ``d_model``, the length of a step; ``dropout``, the probability, 0 to 1, by which the sum's elements are
    dropped; ``max_len``, the number of positions; ``batch_first``, whether the sequences come before their steps;
    ``dtype``, the type of the encodings; ``generator``, the source of the dropout masks.

    Raises UserError for a sequence longer than ``max_len``.

    >>> PositionalEncoding(4, dropout=0.0)([[0.0] * 4]).tolist()
    [[0.0, 1.0, 0.0, 1.0]]

    Source: A. Vaswani et al., "Attention Is All You Need" (2017), section 3.5.
    """

    pe: Tensor

    def _make_table(self, dtype: Any) -> None:
        xp = namespace()
        place, wave = xp.arange(self.max_len)[:, None], xp.arange((self.d_model + 1) // 2)
        angles = place * xp.exp(wave * (-2 * math.log(10000.0) / self.d_model))  # (max_len, waves)
        waves = xp.stack([xp.sin(angles), xp.cos(angles)], axis=-1).reshape(self.max_len, -1)[:, : self.d_model]
        self.register_buffer("pe", wrap(waves[:, None].astype(as_dtype(dtype)), None))

    def forward(self, x: Tensor) -> Tensor:
        return self._add(x, self.pe)


class LearnedPositionalEncoding(_Positions):
    r"""Adds a learnt vector for its position to each step.

    .. math:: y_t = x_t + W_t

    The rows start normal with standard deviation 0.02.

    Shapes: (T, n, d_model), (n, T, d_model) with ``batch_first``, or (T, d_model) -> the same; ``weight``
    (max_len, d_model).

    Arguments: as `PositionalEncoding`; ``max_len`` is the longest context there can be.

    Raises UserError for a sequence longer than ``max_len``.

    >>> LearnedPositionalEncoding(4, max_len=8)([[0.0] * 4]).shape
    (1, 4)

    Source: J. Gehring et al., "Convolutional Sequence to Sequence Learning" (2017); A. Radford et al., "Improving
    Language Understanding by Generative Pre-Training" (2018).
    """

    def _make_table(self, dtype: Any) -> None:
        self.weight = Parameter(ops.zeros((self.max_len, self.d_model), dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values for the table."""
        init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return self._add(x, self.weight[:, None])
