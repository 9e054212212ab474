"""Networks that read a sequence step by step and carry a state along: the plain recurrence, the LSTM and the GRU.

Each operation is one layer, in one direction, over a whole sequence, time first. What does not depend on the state is
done for all steps at once: the input's part of the weighted sums before the loop, the gradients of the weights after
the loop back. In the loops stays what must wait for the step before.
"""

from collections.abc import Callable

from ..arrays import Once, namespace
from ..fast.steps import (
    Back,
    added,
    as_pages,
    bound,
    check,
    cleaned,
    if_living,
    living_steps,
    of_inputs,
    of_weight,
    order,
    pages,
    start,
    weighted,
)
from ..autodiff import op
from ..errors import choose

__all__ = ["gru", "lstm", "rnn"]


# --- the plain recurrence ---------------------------------------------------------------------------------------------

_NONLINEARITIES: dict[str, tuple[Callable, Callable]] = {  # the function, and its slope by its value
    "tanh": (lambda xp, a: xp.tanh(a), lambda h: 1 - h * h),
    "relu": (lambda xp, a: xp.maximum(a, 0), lambda h: h > 0),
}


@op(
    r"h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})",
    floating=True,
    promotes=tuple(range(6)),
    keeps=("before", "inputs", "back"),
)
def rnn(x, w_ih, w_hh, b_ih=None, b_hh=None, h0=None, lengths=None, /, nonlinearity="tanh", reverse=False):
    r"""A layer that reads a sequence, its last output being a part of its next input.

    .. math:: h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    Shapes: x (T, n, in), w_ih (size, in), w_hh (size, size), biases (size), h0 (n, size), lengths (n)
    -> (T + 1, n, size): the hidden state of every step, and after them the last state of each sequence.

    Arguments: ``h0``, the state before the first step, by default 0; ``lengths``, how many steps each sequence has:
    beyond them the output is 0 and the state stays; ``nonlinearity``, 'tanh' or 'relu'; ``reverse``, read each
    sequence from its own end.

    Source: J. Elman, "Finding Structure in Time" (1990); the way back, P. Werbos, "Backpropagation Through Time: What
    It Does and How to Do It" (1990).
    """
    xp = namespace(x, w_ih, w_hh, b_ih, b_hh, h0)
    check("rnn", x, w_ih, w_hh, 1, lengths)
    function, slope = choose("nonlinearity", nonlinearity, _NONLINEARITIES)
    steps, size = x.shape[0], w_hh.shape[1]
    living = living_steps(xp, x, lengths)
    x = cleaned(living, x)
    sums = weighted(x, w_ih, added(b_ih, b_hh))  # (T, n, size)
    h = start(xp, x, h0, size)
    y, before = (pages(xp, n, h.shape, sums.dtype) for n in (steps + 1, steps))
    for t in order(steps, reverse):
        before[t] = h
        new = function(xp, sums[t] + h @ w_hh.mT)
        y[t] = if_living(living, t, new, 0.0)
        h = if_living(living, t, new, h)
    y[steps] = h
    y = bound(y)

    def back(g):
        xp = namespace(g, y, w_hh)
        g_steps, dh = cleaned(living, g[:steps]), g[steps]
        sums = pages(xp, steps, dh.shape, g.dtype)
        for t in order(steps, not reverse):
            dh = dh + g_steps[t]  # from this step's output, and from the step after it
            d = if_living(living, t, dh * slope(y[t]), 0.0)
            sums[t] = d
            dh = if_living(living, t, d @ w_hh, dh)
        sums = bound(sums)
        return Back(sums, sums, dh)

    return y, bound(before), x, Once(back)


rnn.gradient(
    x=(r"\bar x_t = W_{ih}^\top \delta_t", lambda g, w_ih, back: of_inputs(back(g).x, w_ih)),
    w_ih=(r"\bar W_{ih} = \textstyle\sum_t \delta_t x_t^\top", lambda g, inputs, back: of_weight(back(g).x, inputs)),
    w_hh=(
        r"\bar W_{hh} = \textstyle\sum_t \delta_t h_{t-1}^\top, \quad"
        r" \delta_t = (\bar h_t + W_{hh}^\top \delta_{t+1}) (1 - h_t^2)",
        lambda g, before, back: of_weight(back(g).h, before),
    ),
    b_ih=(r"\bar b_{ih} = \textstyle\sum_t \delta_t", lambda g, back: back(g).b_ih()),
    b_hh=(r"\bar b_{hh} = \textstyle\sum_t \delta_t", lambda g, back: back(g).b_hh()),
    h0=(r"\bar h_0 = W_{hh}^\top \delta_1", lambda g, back: back(g).h0),
    lengths=None,
)


# --- long short-term memory -------------------------------------------------------------------------------------------


def _squashed(xp, a, scale, shift):
    r"""Sigmoids and hyperbolic tangents side by side, by one tanh that cannot overflow; ``a`` is our own.

    .. math:: \sigma(a) = \tfrac12 + \tfrac12 \tanh \tfrac12 a
    """
    a *= scale
    a = xp.tanh(a)
    a *= scale
    a += shift
    return a


def _squashing(xp, kinds, size, dtype):
    """The scale and the shift of `_squashed` for gates that are sigmoids (s) and tanhs (t). Shapes: -> (gates size)."""
    rows = [(0.5, 0.5) if kind == "s" else (1.0, 0.0) for kind in kinds]
    return [xp.concat([xp.full((size,), row[k], dtype=dtype) for row in rows]) for k in (0, 1)]


def _cut(a, size):
    """The gates that lie side by side. Shapes: (n, gates size) -> (n, size), …"""
    return [a[:, k : k + size] for k in range(0, a.shape[1], size)]


@op(
    r"c_t = f_t c_{t-1} + i_t g_t, \quad h_t = o_t \tanh c_t",
    floating=True,
    promotes=tuple(range(7)),
    keeps=("before", "inputs", "back"),
)
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
    xp = namespace(x, w_ih, w_hh, b_ih, b_hh, h0, c0)
    check("lstm", x, w_ih, w_hh, 4, lengths)
    steps, size = x.shape[0], w_hh.shape[1]
    living = living_steps(xp, x, lengths)
    x = cleaned(living, x)
    gates = as_pages(weighted(x, w_ih, added(b_ih, b_hh)))  # (T, n, 4 size): weighted sums, then the gates
    scale, shift = _squashing(xp, "ssts", size, x.dtype)
    h, c = start(xp, x, h0, size), start(xp, x, c0, size)
    y, before, c_before, tanh_c = (pages(xp, n, h.shape, x.dtype) for n in (steps + 2, steps, steps, steps))
    for t in order(steps, reverse):
        before[t], c_before[t] = h, c
        gates[t] = a = _squashed(xp, gates[t] + h @ w_hh.mT, scale, shift)
        i, f, g, o = _cut(a, size)
        new_c = f * c + i * g
        tanh_c[t] = shown = xp.tanh(new_c)
        new_h = o * shown
        y[t] = if_living(living, t, new_h, 0.0)
        h, c = if_living(living, t, new_h, h), if_living(living, t, new_c, c)
    y[steps], y[steps + 1] = h, c

    def back(g_y):
        xp = namespace(g_y, w_hh, *gates[:1])
        g_steps, dh, dc = cleaned(living, g_y[:steps]), g_y[steps], g_y[steps + 1]
        sums = pages(xp, steps, gates[0].shape, g_y.dtype)
        for t in order(steps, not reverse):
            i, f, g, o = _cut(gates[t], size)
            dh = dh + g_steps[t]  # from this step's output, and from the step after it
            dc_t = dc + dh * o * (1 - tanh_c[t] * tanh_c[t])
            d = xp.concat(
                [
                    dc_t * g * i * (1 - i),
                    dc_t * c_before[t] * f * (1 - f),
                    dc_t * i * (1 - g * g),
                    dh * tanh_c[t] * o * (1 - o),
                ],
                axis=1,
            )
            sums[t] = d = if_living(living, t, d, 0.0)
            dh, dc = if_living(living, t, d @ w_hh, dh), if_living(living, t, dc_t * f, dc)
        sums = bound(sums)
        return Back(sums, sums, dh, dc)

    return bound(y), bound(before), x, Once(back)


lstm.gradient(
    x=(r"\bar x_t = W_{ih}^\top \delta_t", lambda g, w_ih, back: of_inputs(back(g).x, w_ih)),
    w_ih=(r"\bar W_{ih} = \textstyle\sum_t \delta_t x_t^\top", lambda g, inputs, back: of_weight(back(g).x, inputs)),
    w_hh=(
        r"\bar W_{hh} = \textstyle\sum_t \delta_t h_{t-1}^\top, \quad"
        r" \delta_t = (\bar c_t g_t i_t (1 - i_t),\ \bar c_t c_{t-1} f_t (1 - f_t),\ \bar c_t i_t (1 - g_t^2),\ "
        r" \bar h_t \tanh(c_t)\, o_t (1 - o_t))",
        lambda g, before, back: of_weight(back(g).h, before),
    ),
    b_ih=(r"\bar b_{ih} = \textstyle\sum_t \delta_t", lambda g, back: back(g).b_ih()),
    b_hh=(r"\bar b_{hh} = \textstyle\sum_t \delta_t", lambda g, back: back(g).b_hh()),
    h0=(r"\bar h_{t-1} = W_{hh}^\top \delta_t", lambda g, back: back(g).h0),
    c0=(r"\bar c_{t-1} = f_t \bigl(\bar c_t + \bar h_t o_t (1 - \tanh^2 c_t)\bigr)", lambda g, back: back(g).c0),
    lengths=None,
)


# --- gated recurrent unit ---------------------------------------------------------------------------------------------


@op(
    r"h_t = (1 - z_t) n_t + z_t h_{t-1}",
    floating=True,
    promotes=tuple(range(6)),
    keeps=("before", "inputs", "back"),
)
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
    xp = namespace(x, w_ih, w_hh, b_ih, b_hh, h0)
    check("gru", x, w_ih, w_hh, 3, lengths)
    steps, size = x.shape[0], w_hh.shape[1]
    living = living_steps(xp, x, lengths)
    x = cleaned(living, x)
    sums = weighted(x, w_ih, b_ih)  # (T, n, 3 size)
    scale, shift = _squashing(xp, "ss", size, x.dtype)
    h = start(xp, x, h0, size)
    y, before, fresh, recalled = (pages(xp, n, h.shape, x.dtype) for n in (steps + 1, steps, steps, steps))
    gates = pages(xp, steps, (x.shape[1], 2 * size), x.dtype)
    for t in order(steps, reverse):
        before[t] = h
        a = h @ w_hh.mT
        if b_hh is not None:
            a += b_hh
        gates[t] = rz = _squashed(xp, sums[t][:, : 2 * size] + a[:, : 2 * size], scale, shift)
        r, z = _cut(rz, size)
        recalled[t] = m = a[:, 2 * size :]
        fresh[t] = n = xp.tanh(sums[t][:, 2 * size :] + r * m)
        new = n + z * (h - n)
        y[t] = if_living(living, t, new, 0.0)
        h = if_living(living, t, new, h)
    y[steps] = h

    def back(g):
        xp = namespace(g, w_hh, *fresh[:1])
        g_steps, dh = cleaned(living, g[:steps]), g[steps]
        of_x, of_h = (pages(xp, steps, (dh.shape[0], 3 * size), g.dtype) for _ in range(2))
        for t in order(steps, not reverse):
            (r, z), n, m = _cut(gates[t], size), fresh[t], recalled[t]
            dh = dh + g_steps[t]  # from this step's output, and from the step after it
            dn = dh * (1 - z) * (1 - n * n)
            dr = dn * m * r * (1 - r)
            dz = dh * (before[t] - n) * z * (1 - z)
            d = if_living(living, t, xp.concat([dr, dz, dn * r], axis=1), 0.0)
            of_x[t] = if_living(living, t, xp.concat([dr, dz, dn], axis=1), 0.0)
            of_h[t] = d
            dh = if_living(living, t, d @ w_hh + dh * z, dh)
        return Back(bound(of_x), bound(of_h), dh)

    return bound(y), bound(before), x, Once(back)


gru.gradient(
    x=(r"\bar x_t = W_{ih}^\top \delta_t", lambda g, w_ih, back: of_inputs(back(g).x, w_ih)),
    w_ih=(r"\bar W_{ih} = \textstyle\sum_t \delta_t x_t^\top", lambda g, inputs, back: of_weight(back(g).x, inputs)),
    w_hh=(
        r"\bar W_{hh} = \textstyle\sum_t \epsilon_t h_{t-1}^\top, \quad"
        r" \delta_t = (\bar r_t r_t (1 - r_t),\ \bar z_t z_t (1 - z_t),\ \bar n_t (1 - n_t^2)),\quad"
        r" \epsilon_t = \delta_t \text{ with its last part times } r_t",
        lambda g, before, back: of_weight(back(g).h, before),
    ),
    b_ih=(r"\bar b_{ih} = \textstyle\sum_t \delta_t", lambda g, back: back(g).b_ih()),
    b_hh=(r"\bar b_{hh} = \textstyle\sum_t \epsilon_t", lambda g, back: back(g).b_hh()),
    h0=(r"\bar h_{t-1} = W_{hh}^\top \epsilon_t + z_t \bar h_t", lambda g, back: back(g).h0),
    lengths=None,
)
