"""GPT: a causal Transformer that predicts the next character at each position."""

from .. import nn, ops
from ..checks import whole_number
from ..errors import UserError

__all__ = ["GPT"]


class _Block(nn.Module):
    """Causal self-attention, then a feed-forward network, both with residual connections."""

    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = x + self.dropout(self.proj(self._attend(self.norm1(x))))
        return x + self.dropout(self.mlp(self.norm2(x)))

    def _attend(self, x):
        n, t, width = x.shape
        split = lambda y: ops.permute_dims(ops.reshape(y, (n, t, self.heads, width // self.heads)), (0, 2, 1, 3))
        weight, bias = self.qkv.weight, self.qkv.bias  # three layers in one, sliced before the product
        q, k, v = (
            split(ops.linear(x, weight[rows], bias[rows]))  # (n, heads, t, width / heads)
            for rows in (slice(i * width, (i + 1) * width) for i in range(3))
        )
        y = ops.scaled_dot_product_attention(q, k, v, is_causal=True)
        return ops.reshape(ops.permute_dims(y, (0, 2, 1, 3)), (n, t, width))


class GPT(nn.Module):
    r"""A stack of Transformer blocks over embeddings of characters and positions.

    .. math:: h^0 = E_{x} + P, \qquad h^{l+1} = \mathrm{block}(h^l), \qquad P(x_{t+1}) = \mathrm{softmax}(E\,h^L_t)

    Input and output layer share their weights (the embedding of characters).

    Shapes: (n, t) of whole numbers, t up to ``context`` -> (n, t, vocabulary).

    Arguments: ``vocabulary``, how many characters there are; ``context``, the length of the context in characters;
    ``width``, features of each position; ``layers``; ``heads``, of attention, which divide the width; ``dropout``.

    Raises UserError for heads that do not divide the width, and for a text longer than the context.

    Source: A. Radford et al., "Language Models are Unsupervised Multitask Learners" (2019); A. Karpathy, nanoGPT.
    """

    def __init__(
        self, vocabulary: int, context: int, width: int = 128, layers: int = 4, heads: int = 4, dropout: float = 0.0
    ):
        super().__init__()
        width, heads = whole_number("width", width), whole_number("heads", heads)
        if width % heads:
            raise UserError(f"{heads} heads do not divide a width of {width}; choose a multiple")
        self.context = context
        self.characters = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(context, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*[_Block(width, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif "norm" not in name:
                # The residual branches start smaller the more blocks there are.
                last = name.endswith(("proj.weight", "mlp.2.weight"))
                nn.init.normal_(parameter, std=0.02 / (2 * layers) ** 0.5 if last else 0.02)

    def forward(self, x):
        t = x.shape[1]
        if t > self.context:
            raise UserError(f"this network has a context of {self.context} characters, and was given {t}")
        h = self.dropout(self.characters(x) + self.places.weight[:t])
        return ops.linear(self.norm(self.blocks(h)), self.characters.weight)

    def next_of(self, x, state=None):
        """The scores of the next character, by the last ``context`` ones. Shapes: (n, t) -> (n, v), None."""
        return self(x[:, -self.context :])[:, -1], None
