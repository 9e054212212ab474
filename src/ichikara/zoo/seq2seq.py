"""A sequence-to-sequence Transformer."""

from .. import nn, ops
from ..autodiff import asarray, no_grad

__all__ = ["Seq2Seq"]


class Seq2Seq(nn.Module):
    r"""A Transformer from one sequence of symbols to another of a given length.

    Training is by teacher forcing: the decoder is given the answer up to each position and predicts the next symbol. An
    input holds both, the question's ``length`` symbols and then the answer shifted by one behind a start symbol.

    Shapes: (n, length + answer) of whole numbers -> (n, answer, symbols).

    Arguments: ``symbols``, how many there are, the last being the start symbol; ``length``, of the question;
    ``answer``, its length; ``width``; ``layers``, of encoder and decoder each; ``heads``; ``dropout``.

    Source: A. Vaswani et al., "Attention Is All You Need" (2017); the lecture's E4.
    """

    def __init__(
        self,
        symbols: int,
        length: int,
        answer: int,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.symbols, self.length, self.answer = symbols, length, answer
        self.embedding = nn.Embedding(symbols, width)
        self.source_places = nn.Embedding(length, width)
        self.target_places = nn.Embedding(answer, width)
        self.transformer = nn.Transformer(
            width, heads, layers, layers, 4 * width, dropout, batch_first=True, norm_first=True
        )
        self.head = nn.Linear(width, symbols)

    def forward(self, x):
        return self._decode(x[:, : self.length], x[:, self.length :])

    def _decode(self, question, given):
        t = given.shape[1]
        source = self.embedding(question) + self.source_places.weight
        target = self.embedding(given) + self.target_places.weight[:t]
        mask = nn.Transformer.generate_square_subsequent_mask(t)
        return self.head(self.transformer(source, target, tgt_mask=mask))

    def solve(self, question):
        """Greedy decoding: the likeliest symbol at each step. Shapes: (n, length) -> (n, answer)."""
        question = asarray(question)
        was = self.training
        self.eval()
        with no_grad():
            given = ops.full((len(question), 1), self.symbols - 1)
            for _ in range(self.answer):
                likeliest = ops.argmax(self._decode(question, given)[:, -1:], axis=-1)
                given = ops.concat([given, likeliest], axis=1)
        self.train(was)
        return given[:, 1:]

    def exact(self, inputs, targets) -> float:
        """The fraction of questions whose whole answer is right. Shapes: as the training data's -> a number."""
        solved = self.solve(asarray(inputs)[:, : self.length])
        return (solved == asarray(targets)).all(axis=1).astype("float64").mean().item()
