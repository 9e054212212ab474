"""Networks that read a sequence step by step and carry a state along: the plain recurrence, the LSTM and the GRU.

Each is one layer, in one direction, over a whole sequence, time first. It is written as its formula, step by step, and
its gradient is the chain rule's: backpropagation through time.

Source: P. Werbos, "Backpropagation Through Time: What It Does and How to Do It" (1990).
"""

from ..autodiff import composed, raw
from ..errors import choose
from .activation import relu, sigmoid
from .creation import zeros
from .elementwise import where
from .linalg import linear
from .shape import stack
from .trigonometry import tanh

__all__ = ["gru", "lstm", "rnn"]


def check_shapes(name, x, w_ih, w_hh, gates, lengths):
    """Raise ValueError where the shapes do not fit."""
    size = w_hh.shape[1]
    if x.ndim != 3 or x.shape[0] == 0:
        raise ValueError(f"{name} reads sequences (T, n, features) of at least one step, and this is {x.shape}")
    if w_ih.shape != (gates * size, x.shape[2]) or w_hh.shape[0] != gates * size:
        raise ValueError(
            f"{name} of {x.shape[2]} features and {size} units has weights of shapes "
            f"{(gates * size, x.shape[2])} and {(gates * size, size)}, not {w_ih.shape} and {w_hh.shape}"
        )
    if lengths is not None and lengths.shape != (x.shape[1],):
        raise ValueError(f"{x.shape[1]} sequences have that many lengths, not {lengths.shape}")


class _Mask:
    """Which steps belong to their sequences: beyond its length a sequence keeps its state, and its output is 0."""

    def __init__(self, x, lengths):
        self.lengths = None if lengths is None else raw(lengths)[:, None]  # (n, 1)

    def choose(self, t, new, old):
        """At step t, the new values for sequences that go on, the old ones for those that have ended."""
        return new if self.lengths is None else where(self.lengths > t, new, old)


def _steps(x, reverse):
    """The numbers of the steps in the order in which they are read."""
    return range(x.shape[0] - 1, -1, -1) if reverse else range(x.shape[0])


def _start(x, w_hh, state):
    """The state before the first step: the one given, or zeros. Shapes: -> (n, size)."""
    return zeros((x.shape[1], w_hh.shape[1]), dtype=w_hh.dtype) if state is None else state


def _cut(gates, count):
    """The gates that lie side by side. Shapes: (n, count size) -> count times (n, size)."""
    size = gates.shape[1] // count
    return [gates[:, k * size : (k + 1) * size] for k in range(count)]


@composed(r"h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})")
def rnn(x, w_ih, w_hh, b_ih=None, b_hh=None, h0=None, lengths=None, /, nonlinearity="tanh", reverse=False):
    r"""A layer that reads a sequence, its last output being a part of its next input.

    .. math:: h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    Shapes: x (T, n, in), w_ih (size, in), w_hh (size, size), biases (size), h0 (n, size), lengths (n)
    -> (T + 1, n, size): the hidden state of every step, and after them the last state of each sequence.

    Arguments: ``h0``, the state before the first step, by default 0; ``lengths``, how many steps each sequence has:
    beyond them the output is 0 and the state stays; ``nonlinearity``, 'tanh' or 'relu'; ``reverse``, read each
    sequence from its own end.

    Source: J. Elman, "Finding Structure in Time" (1990).
    """
    check_shapes("rnn", x, w_ih, w_hh, 1, lengths)
    f = choose("nonlinearity", nonlinearity, {"tanh": tanh, "relu": relu})
    mask, h, y = _Mask(x, lengths), _start(x, w_hh, h0), [None] * x.shape[0]
    for t in _steps(x, reverse):
        x_t = mask.choose(t, x[t], 0.0)
        new = f(linear(x_t, w_ih, b_ih) + linear(h, w_hh, b_hh))
        y[t], h = mask.choose(t, new, 0.0), mask.choose(t, new, h)
    return stack([*y, h])


@composed(r"c_t = f_t c_{t-1} + i_t g_t, \quad h_t = o_t \tanh c_t")
def lstm(x, w_ih, w_hh, b_ih=None, b_hh=None, h0=None, c0=None, lengths=None, /, reverse=False):
    r"""A layer that reads a sequence and keeps a memory c, with gates that say what to write, keep and show.

    .. math::
        i_t &= \sigma(W_{ii} x_t + b_{ii} + W_{hi} h_{t-1} + b_{hi}) \\
        f_t &= \sigma(W_{if} x_t + b_{if} + W_{hf} h_{t-1} + b_{hf}) \\
        g_t &= \tanh(W_{ig} x_t + b_{ig} + W_{hg} h_{t-1} + b_{hg}) \\
        o_t &= \sigma(W_{io} x_t + b_{io} + W_{ho} h_{t-1} + b_{ho}) \\
        c_t &= f_t c_{t-1} + i_t g_t \\
        h_t &= o_t \tanh c_t

    The weights of the gates lie in this order, i f g o, one below the other. From c to c leads a sum, with the factor
    f between 0 and 1: a gradient comes through many steps of it, where it would fade in the plain recurrence.

    Shapes: x (T, n, in), w_ih (4 size, in), w_hh (4 size, size), biases (4 size), h0 and c0 (n, size), lengths (n)
    -> (T + 2, n, size): the hidden state of every step, after them the last h of each sequence, and its last c.

    Arguments: ``h0`` and ``c0``, the state before the first step, by default 0; ``lengths``, how many steps each
    sequence has: beyond them the output is 0 and the state stays; ``reverse``, read each sequence from its own end.

    Source: S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory" (1997); the gate f, F. Gers et al., "Learning to
    Forget" (2000).
    """
    check_shapes("lstm", x, w_ih, w_hh, 4, lengths)
    mask, y = _Mask(x, lengths), [None] * x.shape[0]
    h, c = _start(x, w_hh, h0), _start(x, w_hh, c0)
    for t in _steps(x, reverse):
        x_t = mask.choose(t, x[t], 0.0)
        i, f, g, o = _cut(linear(x_t, w_ih, b_ih) + linear(h, w_hh, b_hh), 4)
        new_c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        new_h = sigmoid(o) * tanh(new_c)
        y[t] = mask.choose(t, new_h, 0.0)
        h, c = mask.choose(t, new_h, h), mask.choose(t, new_c, c)
    return stack([*y, h, c])


@composed(r"h_t = (1 - z_t) n_t + z_t h_{t-1}")
def gru(x, w_ih, w_hh, b_ih=None, b_hh=None, h0=None, lengths=None, /, reverse=False):
    r"""A layer that reads a sequence, with one gate between the old state and a new one, and one for what is forgotten.

    .. math::
        r_t &= \sigma(W_{ir} x_t + b_{ir} + W_{hr} h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_{in} x_t + b_{in} + r_t (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z_t) n_t + z_t h_{t-1}

    The weights of the gates lie in this order, r z n, one below the other.

    Shapes: x (T, n, in), w_ih (3 size, in), w_hh (3 size, size), biases (3 size), h0 (n, size), lengths (n)
    -> (T + 1, n, size): the hidden state of every step, and after them the last state of each sequence.

    Arguments: ``h0``, the state before the first step, by default 0; ``lengths``, how many steps each sequence has:
    beyond them the output is 0 and the state stays; ``reverse``, read each sequence from its own end.

    Source: K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (2014); the place of r and
    b_hn is that of cuDNN and PyTorch.
    """
    check_shapes("gru", x, w_ih, w_hh, 3, lengths)
    mask, h, y = _Mask(x, lengths), _start(x, w_hh, h0), [None] * x.shape[0]
    for t in _steps(x, reverse):
        x_t = mask.choose(t, x[t], 0.0)
        x_r, x_z, x_n = _cut(linear(x_t, w_ih, b_ih), 3)
        h_r, h_z, h_n = _cut(linear(h, w_hh, b_hh), 3)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        n = tanh(x_n + r * h_n)
        new = (1 - z) * n + z * h
        y[t], h = mask.choose(t, new, 0.0), mask.choose(t, new, h)
    return stack([*y, h])
