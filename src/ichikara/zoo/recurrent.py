"""Recurrent networks: one for a whole sequence, and a language model of characters."""

from .. import nn
from ..errors import UserError, choose

__all__ = ["CELLS", "CharRNN", "SequenceReader"]

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class SequenceReader(nn.Module):
    r"""A recurrent network whose output is a linear layer of the last hidden state.

    .. math:: h_t = \mathrm{cell}(x_t, h_{t-1}), \qquad y = W h_T + b

    Shapes: (n, t, in_features) -> (n, out_features).

    Arguments: ``in_features``, of each step; ``out_features``; ``cell``, 'rnn', 'lstm' or 'gru'; ``hidden``, the size
    of its state; ``layers``, how many are stacked.

    Source: S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory" (1997); the lecture's E3.
    """

    def __init__(self, in_features: int, out_features: int, cell: str = "lstm", hidden: int = 64, layers: int = 1):
        super().__init__()
        kind = choose("cell", cell, CELLS)
        self.cell = kind(in_features, hidden, num_layers=layers, batch_first=True)
        self.head = nn.Linear(hidden, out_features)

    def forward(self, x):
        states, _ = self.cell(x)  # (n, t, hidden)
        return self.head(states[:, -1])


class CharRNN(nn.Module):
    r"""A recurrent language model: predicts the next character at each position.

    .. math:: h_t = \mathrm{cell}(E_{x_t}, h_{t-1}), \qquad P(x_{t+1}) = \mathrm{softmax}(W h_t + b)

    Shapes: (n, t) of whole numbers -> (n, t, vocabulary).

    Arguments: ``vocabulary``, how many characters there are; ``cell``, 'rnn', 'lstm' or 'gru'; ``embedding``, numbers
    for each character; ``hidden``, the size of the state; ``layers``, how many are stacked; ``dropout``, between them.

    Source: A. Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks" (2015); the lecture's E3.
    """

    context = None  # a text may have any length

    def __init__(
        self,
        vocabulary: int,
        cell: str = "lstm",
        embedding: int = 64,
        hidden: int = 256,
        layers: int = 1,
        dropout: float = 0.0,
    ):
        super().__init__()
        kind = choose("cell", cell, CELLS)
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.cell = kind(embedding, hidden, num_layers=layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, x):
        return self.read(x, None)[0]

    def read(self, x, state):
        """The scores of the next characters, and the last state. Shapes: (n, t), state -> (n, t, v), state."""
        states, state = self.cell(self.embedding(x), state)
        return self.head(self.dropout(states)), state

    def next_of(self, x, state):
        """The scores of the next character, and the last state. Shapes: (n, t), state -> (n, v)."""
        scores, state = self.read(x, state)
        return scores[:, -1], state


def check_context(length: int, context: int | None) -> None:
    """Raise UserError for a text that is longer than the context of a network."""
    if context is not None and length > context:
        raise UserError(f"the network has a context of {context} characters, and was given {length}")
