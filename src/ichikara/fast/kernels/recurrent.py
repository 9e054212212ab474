r"""The LSTM and the GRU: all steps of some sequences in one loop, which never goes back to Python.

.. math::
    c_t = f_t c_{t-1} + i_t g_t, \quad h_t = o_t \tanh c_t \qquad
    h_t = (1 - z_t) n_t + z_t h_{t-1}

Sequences do not depend on each other, so the batch is shared out among threads and they meet once, after the last
step. The weights are laid out once, for all steps (`panel`). Their gradients are products of matrices for all steps at
once, as in the operations. Gates lie side by side: (steps, n, gate, size).
"""

import numpy

from ..jit.elementary import sigmoid, tanh
from ..jit.lazy import inner
from ..once import Once
from ..registry import kernel
from ..steps import Back, check
from ..threads.fork_join import parallel
from ..threads.team import parallel_for
from ..workspace import contiguous, copy, empty, empty_like, launch, zeros
from .gemm.panels import pack, packed_gemm, zero_rows
from .layout import in_order
from .reduce import sum_of_rows

# --- long short-term memory -------------------------------------------------------------------------------------------


@kernel("lstm")
def lstm(x, w_ih, w_hh, b_ih, b_hh, h0, c0, lengths, reverse):
    if lengths is not None:
        return NotImplemented
    check("lstm", x, w_ih, w_hh, 4, lengths)
    x, w_ih, w = in_order(x), contiguous(w_ih), contiguous(w_hh)
    steps, n, size = x.shape[0], x.shape[1], w_hh.shape[1]
    bias = _bias(b_ih if b_hh is None else b_hh if b_ih is None else _added(b_ih, b_hh), x.dtype)
    gates = empty((steps, n, 4, size), x.dtype)  # weighted sums, then the gates
    y = empty((steps + 2, n, size), x.dtype)
    before, c_before = (empty((steps, n, size), x.dtype) for _ in range(2))
    _begin(y[steps], h0)
    _begin(y[steps + 1], c0)
    cost = steps * n * w.size
    parallel_for(_lstm, cost, n, x, w_ih, w, bias, gates, y, before, c_before, reverse)

    def back(g):
        g = contiguous(g)
        sums = empty_like(gates)
        dh, dc = copy(g[steps]), copy(g[steps + 1])
        flat, total = sums.reshape(steps, n, 4 * size), zeros((n, 4, size), x.dtype)
        parallel_for(_lstm_back, cost, n, g, gates, w, c_before, sums, flat, total, dh, dc, reverse)
        return Back(flat, flat, dh, dc, biases=(_summed(total),) * 2)

    return y, before, x, Once(back)


@parallel(makes_arrays=True)
def _lstm(first, last, x, w_ih, w_hh, bias, gates, y, before, c_before, reverse):
    steps, of_x, of_h = len(x), pack(w_ih.T), pack(w_hh.T)
    h, c = y[steps, first:last], y[steps + 1, first:last]  # the states so far, in the end the last ones
    sums, bias_row, now = zero_rows(last - first, of_h), _row(bias, of_h), slice(first, last)
    for k in range(steps):
        t = steps - 1 - k if reverse else k
        for seen, panels, begin in ((x[t, now], of_x, bias_row), (h, of_h, sums)):
            packed_gemm(seen, panels, begin, sums)
        _lstm_gates(sums, gates[t, now], before[t, now], c_before[t, now], y[t, now], h, c)


@inner
def _lstm_gates(sums, gates, before, c_before, y, h, c):
    """One step of some sequences: the gates of their weighted sums, and the states after it.

    In short loops of few arrays each: those the compiler does many numbers at a time.
    """
    for r in range(len(gates)):
        row, seen, kept, out = gates[r], before[r], c_before[r], y[r]
        for j in range(out.size):
            seen[j], kept[j] = h[r, j], c[r, j]
        for q in range(4):
            part = sums[r, q * out.size :]
            if q == 2:
                for j in range(out.size):
                    row[q, j] = tanh(part[j])
            else:
                for j in range(out.size):
                    row[q, j] = sigmoid(part[j])
        for j in range(out.size):
            c[r, j] = row[1, j] * c[r, j] + row[0, j] * row[2, j]
        for j in range(out.size):
            h[r, j] = row[3, j] * tanh(c[r, j])
        for j in range(out.size):
            out[j] = h[r, j]


@parallel(makes_arrays=True)
def _lstm_back(first, last, g_y, gates, weight, c_before, sums, flat, total, dh, dc, reverse):
    steps, back, now = len(c_before), pack(weight), slice(first, last)
    of_h, nothing, rows = zero_rows(last - first, back), zero_rows(1, back), zero_rows(2, back)
    _copy(of_h, dh[now])
    for k in range(steps):
        t = k if reverse else steps - 1 - k
        _lstm_gates_back(gates[t, now], sums[t, now], c_before[t, now], g_y[t, now], of_h, dc[now], rows)
        _add_to(total[now], sums[t, now])  # which are in the cache
        packed_gemm(flat[t, now], back, nothing, of_h)
    _copy(dh[now], of_h)


@inner
def _lstm_gates_back(gates, sums, c_before, g_y, dh_all, dc_all, rows):
    """The gradients of the four weighted sums of some sequences at one step; ``dc`` becomes that of the step before."""
    one, shown, c_bar = gates.dtype.type(1), rows[0], rows[1]
    for r in range(len(gates)):
        row, part, c, g, dh, dc = gates[r], sums[r], c_before[r], g_y[r], dh_all[r], dc_all[r]
        for j in range(c.size):
            shown[j] = tanh(row[1, j] * c[j] + row[0, j] * row[2, j])
        for j in range(c.size):
            dh[j] += g[j]  # from this step's output, and from the step after it
        for j in range(c.size):
            c_bar[j] = dc[j] + dh[j] * row[3, j] * (one - shown[j] * shown[j])
        for j in range(c.size):
            part[0, j] = c_bar[j] * row[2, j] * row[0, j] * (one - row[0, j])
        for j in range(c.size):
            part[1, j] = c_bar[j] * c[j] * row[1, j] * (one - row[1, j])
        for j in range(c.size):
            part[2, j] = c_bar[j] * row[0, j] * (one - row[2, j] * row[2, j])
        for j in range(c.size):
            part[3, j] = dh[j] * shown[j] * row[3, j] * (one - row[3, j])
        for j in range(c.size):
            dc[j] = c_bar[j] * row[1, j]


# --- gated recurrent unit ---------------------------------------------------------------------------------------------


@kernel("gru")
def gru(x, w_ih, w_hh, b_ih, b_hh, h0, lengths, reverse):
    if lengths is not None:
        return NotImplemented
    check("gru", x, w_ih, w_hh, 3, lengths)
    x, w_ih, w = in_order(x), contiguous(w_ih), contiguous(w_hh)
    steps, n, size = x.shape[0], x.shape[1], w_hh.shape[1]
    gates = empty((steps, n, 3, size), x.dtype)  # weighted sums, then the gates
    y = empty((steps + 1, n, size), x.dtype)
    before, recalled = (empty((steps, n, size), x.dtype) for _ in range(2))
    _begin(y[steps], h0)
    biases = _bias(b_ih, x.dtype), _bias(b_hh, x.dtype)
    cost = steps * n * w.size
    parallel_for(_gru, cost, n, x, w_ih, w, *biases, gates, y, before, recalled, reverse)

    def back(g):
        g = contiguous(g)
        of_x, of_h = empty_like(gates), empty_like(gates)
        x_total, h_total = zeros((n, 3, size), x.dtype), zeros((n, 3, size), x.dtype)
        dh, flat = copy(g[steps]), of_h.reshape(steps, n, -1)
        parallel_for(_gru_back, cost, n, g, gates, w, before, recalled, of_x, of_h, flat, x_total, h_total, dh, reverse)
        biases = _summed(x_total), _summed(h_total)
        return Back(of_x.reshape(steps, n, -1), flat, dh, biases=biases)

    return y, before, x, Once(back)


@parallel(makes_arrays=True)
def _gru(first, last, x, w_ih, w_hh, b_ih, b_hh, gates, y, before, recalled, reverse):
    steps, of_x, of_h = len(x), pack(w_ih.T), pack(w_hh.T)
    h = y[steps, first:last]  # the states so far, in the end the last ones
    x_sums, h_sums, now = zero_rows(last - first, of_x), zero_rows(last - first, of_h), slice(first, last)
    x_row, h_row = _row(b_ih, of_x), _row(b_hh, of_h)
    for k in range(steps):
        t = steps - 1 - k if reverse else k
        for seen, panels, begin, sums in ((x[t, now], of_x, x_row, x_sums), (h, of_h, h_row, h_sums)):
            packed_gemm(seen, panels, begin, sums)
        _gru_gates(x_sums, h_sums, gates[t, now], before[t, now], recalled[t, now], y[t, now], h)


@inner
def _gru_gates(x_sums, h_sums, gates, before, recalled, y, h):
    """One step of some sequences: the gates of the weighted sums of inputs and states, and the states after it."""
    for r in range(len(gates)):
        row, kept, recall, out = gates[r], before[r], recalled[r], y[r]
        size = out.size
        for q in range(2):
            of_x, of_h = x_sums[r, q * size :], h_sums[r, q * size :]
            for j in range(size):
                row[q, j] = sigmoid(of_x[j] + of_h[j])
        of_x, of_h = x_sums[r, 2 * size :], h_sums[r, 2 * size :]
        for j in range(size):
            kept[j], recall[j] = h[r, j], of_h[j]
        for j in range(size):
            row[2, j] = tanh(of_x[j] + row[0, j] * of_h[j])
        for j in range(size):
            h[r, j] = row[2, j] + row[1, j] * (h[r, j] - row[2, j])
        for j in range(size):
            out[j] = h[r, j]


@parallel(makes_arrays=True)
def _gru_back(first, last, g_y, gates, weight, before, recalled, of_x, of_h, flat, x_total, h_total, dh, reverse):
    steps, back, now = len(before), pack(weight), slice(first, last)
    sums = zero_rows(last - first, back)
    _copy(sums, dh[now])
    for k in range(steps):
        t = k if reverse else steps - 1 - k
        _gru_gates_back(gates[t, now], of_h[t, now], recalled[t, now], before[t, now], g_y[t, now], sums, of_x[t, now])
        _add_to(x_total[now], of_x[t, now])  # which are in the cache
        _add_to(h_total[now], of_h[t, now])
        packed_gemm(flat[t, now], back, sums, sums)
    _copy(dh[now], sums)


@inner
def _gru_gates_back(gates, of_h, recalled, before_all, g_y, dh_all, of_x_all):
    """The gradients of the three weighted sums of some sequences at one step, by the input's and the state's part."""
    one = gates.dtype.type(1)
    for r in range(len(gates)):
        row, part, m, before, dh, of_x = gates[r], of_h[r], recalled[r], before_all[r], dh_all[r], of_x_all[r]
        for j in range(m.size):
            dh[j] += g_y[r, j]  # from this step's output, and from the step after it
        for j in range(m.size):
            of_x[2, j] = dh[j] * (one - row[1, j]) * (one - row[2, j] * row[2, j])
        for j in range(m.size):
            part[0, j] = of_x[2, j] * m[j] * row[0, j] * (one - row[0, j])
        for j in range(m.size):
            part[1, j] = dh[j] * (before[j] - row[2, j]) * row[1, j] * (one - row[1, j])
        for j in range(m.size):
            part[2, j] = of_x[2, j] * row[0, j]
        for q in range(2):
            for j in range(m.size):
                of_x[q, j] = part[q, j]
        for j in range(m.size):
            dh[j] *= row[1, j]


# --- both -------------------------------------------------------------------------------------------------------------


@inner(makes_arrays=True)
def _row(bias, panels):
    """A bias as a row as long as all panels are wide; one of no numbers stands for none."""
    row = zero_rows(1, panels)
    for j in range(bias.size):
        row[0, j] = bias[j]
    return row


@inner
def _add_to(total, gates):
    """Add the gates of some sequences at one step to those of others. Shapes: twice (n, gates, size)."""
    for r in range(len(total)):
        for q in range(total.shape[1]):
            to, row = total[r, q], gates[r, q]
            for j in range(to.size):
                to[j] += row[j]


@inner
def _copy(out, x):
    """Copy as many numbers of each row as both have."""
    for r in range(len(out)):
        to, row = out[r], x[r]
        for j in range(min(to.size, row.size)):
            to[j] = row[j]


def _bias(bias, dtype):
    """A bias, of no numbers if there is none."""
    return empty(0, dtype) if bias is None else contiguous(bias)


def _added(a, b):
    total = empty(a.shape, a.dtype)
    launch(numpy.add, a, b, total)
    return total


def _begin(state, given):
    """Let the state before the first step be the one given, or zeros."""
    launch(numpy.copyto, state, 0 if given is None else given)


def _summed(sums):
    """The sums of all sequences. Shapes: (n, gates, size) -> (gates * size)."""
    return sum_of_rows(sums.reshape(len(sums), -1))
