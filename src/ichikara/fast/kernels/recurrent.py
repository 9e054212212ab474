r"""The LSTM and the GRU: all steps of some sequences in one loop of compiled code.

.. math::
    c_t = f_t c_{t-1} + i_t g_t, \quad h_t = o_t \tanh c_t \qquad
    h_t = (1 - z_t) n_t + z_t h_{t-1}

Sequences do not depend on each other, so the batch is divided among the threads, which synchronise once, after the last
step. The weights are packed once, for all steps (`gemm.panels`). Their gradients are products of matrices for all steps
at once, as in the operations. Gates lie side by side: (steps, n, gate, size).
"""

import numpy

from ...ops.recurrent import check_shapes
from ..jit.elementary import sigmoid, tanh
from ..jit.lazy import inner
from ..registry import kernel
from ..shared_backward import RecurrentGradients, SharedBackward
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
    check_shapes("lstm", x, w_ih, w_hh, 4, lengths)
    x, w_ih, w = in_order(x), contiguous(w_ih), contiguous(w_hh)
    steps, n, size = x.shape[0], x.shape[1], w_hh.shape[1]
    bias = _contiguous_bias(b_ih if b_hh is None else b_hh if b_ih is None else _sum(b_ih, b_hh), x.dtype)
    gates = empty((steps, n, 4, size), x.dtype)
    y = empty((steps + 2, n, size), x.dtype)  # the outputs, and the last states
    h_before, c_before = (empty((steps, n, size), x.dtype) for _ in range(2))
    _set_initial_state(y[steps], h0)
    _set_initial_state(y[steps + 1], c0)
    cost = steps * n * w.size
    parallel_for(_lstm, cost, n, x, w_ih, w, bias, gates, y, h_before, c_before, reverse)

    def backward(g):
        g = contiguous(g)
        sums = empty_like(gates)  # the gradients of the weighted sums
        dh, dc = copy(g[steps]), copy(g[steps + 1])
        flat, total = sums.reshape(steps, n, 4 * size), zeros((n, 4, size), x.dtype)
        parallel_for(_lstm_backward, cost, n, g, gates, w, c_before, sums, flat, total, dh, dc, reverse)
        bias = _sum_of_sequences(total)
        return RecurrentGradients(flat, flat, lambda: bias, lambda: bias, dh, dc)

    return y, h_before, x, SharedBackward(backward)


@parallel(makes_arrays=True)
def _lstm(first, last, x, w_ih, w_hh, bias, gates, y, h_before, c_before, reverse):
    steps, x_panels, h_panels = len(x), pack(w_ih.T), pack(w_hh.T)
    h, c = y[steps, first:last], y[steps + 1, first:last]  # the current states, in the end the last ones
    sums, bias_row, own = zero_rows(last - first, h_panels), _bias_row(bias, h_panels), slice(first, last)
    for k in range(steps):
        t = steps - 1 - k if reverse else k
        for inputs, panels, start in ((x[t, own], x_panels, bias_row), (h, h_panels, sums)):
            packed_gemm(inputs, panels, start, sums)
        _lstm_gates(sums, gates[t, own], h_before[t, own], c_before[t, own], y[t, own], h, c)


@inner
def _lstm_gates(sums, gates, h_before, c_before, y, h, c):
    """One step of some sequences: the gates from their weighted sums, and the states after it.

    In short loops of few arrays each: those the compiler vectorises.
    """
    for r in range(len(gates)):
        row, h_row, c_row, out = gates[r], h_before[r], c_before[r], y[r]
        for j in range(out.size):
            h_row[j], c_row[j] = h[r, j], c[r, j]
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
def _lstm_backward(first, last, g_y, gates, weight, c_before, sums, flat, total, dh, dc, reverse):
    steps, panels, own = len(c_before), pack(weight), slice(first, last)
    dh_own, zero_row, buffers = zero_rows(last - first, panels), zero_rows(1, panels), zero_rows(2, panels)
    _copy_rows(dh_own, dh[own])
    for k in range(steps):
        t = k if reverse else steps - 1 - k
        _lstm_gates_backward(gates[t, own], sums[t, own], c_before[t, own], g_y[t, own], dh_own, dc[own], buffers)
        _add_to(total[own], sums[t, own])  # while they are in the cache
        packed_gemm(flat[t, own], panels, zero_row, dh_own)
    _copy_rows(dh[own], dh_own)


@inner
def _lstm_gates_backward(gates, sums, c_before, g_y, dh_all, dc_all, buffers):
    """The gradients of the four weighted sums of some sequences at one step.

    ``dc_all`` becomes that of the step before.
    """
    one, tanh_c, c_bar = gates.dtype.type(1), buffers[0], buffers[1]
    for r in range(len(gates)):
        row, part, c, g, dh, dc = gates[r], sums[r], c_before[r], g_y[r], dh_all[r], dc_all[r]
        for j in range(c.size):
            tanh_c[j] = tanh(row[1, j] * c[j] + row[0, j] * row[2, j])
        for j in range(c.size):
            dh[j] += g[j]  # from this step's output, and from the step after it
        for j in range(c.size):
            c_bar[j] = dc[j] + dh[j] * row[3, j] * (one - tanh_c[j] * tanh_c[j])
        for j in range(c.size):
            part[0, j] = c_bar[j] * row[2, j] * row[0, j] * (one - row[0, j])
        for j in range(c.size):
            part[1, j] = c_bar[j] * c[j] * row[1, j] * (one - row[1, j])
        for j in range(c.size):
            part[2, j] = c_bar[j] * row[0, j] * (one - row[2, j] * row[2, j])
        for j in range(c.size):
            part[3, j] = dh[j] * tanh_c[j] * row[3, j] * (one - row[3, j])
        for j in range(c.size):
            dc[j] = c_bar[j] * row[1, j]


# --- gated recurrent unit ---------------------------------------------------------------------------------------------


@kernel("gru")
def gru(x, w_ih, w_hh, b_ih, b_hh, h0, lengths, reverse):
    if lengths is not None:
        return NotImplemented
    check_shapes("gru", x, w_ih, w_hh, 3, lengths)
    x, w_ih, w = in_order(x), contiguous(w_ih), contiguous(w_hh)
    steps, n, size = x.shape[0], x.shape[1], w_hh.shape[1]
    gates = empty((steps, n, 3, size), x.dtype)
    y = empty((steps + 1, n, size), x.dtype)  # the outputs, and the last state
    h_before, candidates = (empty((steps, n, size), x.dtype) for _ in range(2))  # of the candidates, the recurrent part
    _set_initial_state(y[steps], h0)
    biases = _contiguous_bias(b_ih, x.dtype), _contiguous_bias(b_hh, x.dtype)
    cost = steps * n * w.size
    parallel_for(_gru, cost, n, x, w_ih, w, *biases, gates, y, h_before, candidates, reverse)

    def backward(g):
        g = contiguous(g)
        x_sums, h_sums = empty_like(gates), empty_like(gates)  # the gradients of the weighted sums
        totals = zeros((n, 3, size), x.dtype), zeros((n, 3, size), x.dtype)
        dh, flat = copy(g[steps]), h_sums.reshape(steps, n, -1)
        operands = (g, gates, w, h_before, candidates, x_sums, h_sums, flat, *totals, dh)
        parallel_for(_gru_backward, cost, n, *operands, reverse)
        b_ih, b_hh = _sum_of_sequences(totals[0]), _sum_of_sequences(totals[1])
        return RecurrentGradients(x_sums.reshape(steps, n, -1), flat, lambda: b_ih, lambda: b_hh, dh)

    return y, h_before, x, SharedBackward(backward)


@parallel(makes_arrays=True)
def _gru(first, last, x, w_ih, w_hh, b_ih, b_hh, gates, y, h_before, candidates, reverse):
    steps, x_panels, h_panels = len(x), pack(w_ih.T), pack(w_hh.T)
    h = y[steps, first:last]  # the current states, in the end the last ones
    x_sums, h_sums, own = zero_rows(last - first, x_panels), zero_rows(last - first, h_panels), slice(first, last)
    x_bias, h_bias = _bias_row(b_ih, x_panels), _bias_row(b_hh, h_panels)
    for k in range(steps):
        t = steps - 1 - k if reverse else k
        for inputs, panels, start, sums in ((x[t, own], x_panels, x_bias, x_sums), (h, h_panels, h_bias, h_sums)):
            packed_gemm(inputs, panels, start, sums)
        _gru_gates(x_sums, h_sums, gates[t, own], h_before[t, own], candidates[t, own], y[t, own], h)


@inner
def _gru_gates(x_sums, h_sums, gates, h_before, candidates, y, h):
    """One step of some sequences: the gates from the weighted sums of inputs and states, and the states after it."""
    for r in range(len(gates)):
        row, h_row, candidate, out = gates[r], h_before[r], candidates[r], y[r]
        size = out.size
        for q in range(2):
            x_part, h_part = x_sums[r, q * size :], h_sums[r, q * size :]
            for j in range(size):
                row[q, j] = sigmoid(x_part[j] + h_part[j])
        x_part, h_part = x_sums[r, 2 * size :], h_sums[r, 2 * size :]
        for j in range(size):
            h_row[j], candidate[j] = h[r, j], h_part[j]
        for j in range(size):
            row[2, j] = tanh(x_part[j] + row[0, j] * h_part[j])
        for j in range(size):
            h[r, j] = row[2, j] + row[1, j] * (h[r, j] - row[2, j])
        for j in range(size):
            out[j] = h[r, j]


@parallel(makes_arrays=True)
def _gru_backward(
    first, last, g_y, gates, weight, h_before, candidates, x_sums, h_sums, flat, x_total, h_total, dh, reverse
):
    steps, panels, own = len(h_before), pack(weight), slice(first, last)
    dh_own = zero_rows(last - first, panels)
    _copy_rows(dh_own, dh[own])
    for k in range(steps):
        t = k if reverse else steps - 1 - k
        states = (candidates[t, own], h_before[t, own], g_y[t, own])
        _gru_gates_backward(gates[t, own], h_sums[t, own], *states, dh_own, x_sums[t, own])
        _add_to(x_total[own], x_sums[t, own])  # while they are in the cache
        _add_to(h_total[own], h_sums[t, own])
        packed_gemm(flat[t, own], panels, dh_own, dh_own)
    _copy_rows(dh[own], dh_own)


@inner
def _gru_gates_backward(gates, h_sums, candidates, h_before, g_y, dh_all, x_sums):
    """The gradients of the three weighted sums of some sequences at one step, by the input's and the state's part."""
    one = gates.dtype.type(1)
    for r in range(len(gates)):
        row, h_part, candidate, h, dh, x_part = gates[r], h_sums[r], candidates[r], h_before[r], dh_all[r], x_sums[r]
        for j in range(candidate.size):
            dh[j] += g_y[r, j]  # from this step's output, and from the step after it
        for j in range(candidate.size):
            x_part[2, j] = dh[j] * (one - row[1, j]) * (one - row[2, j] * row[2, j])
        for j in range(candidate.size):
            h_part[0, j] = x_part[2, j] * candidate[j] * row[0, j] * (one - row[0, j])
        for j in range(candidate.size):
            h_part[1, j] = dh[j] * (h[j] - row[2, j]) * row[1, j] * (one - row[1, j])
        for j in range(candidate.size):
            h_part[2, j] = x_part[2, j] * row[0, j]
        for q in range(2):
            for j in range(candidate.size):
                x_part[q, j] = h_part[q, j]
        for j in range(candidate.size):
            dh[j] *= row[1, j]


# --- both -------------------------------------------------------------------------------------------------------------


@inner(makes_arrays=True)
def _bias_row(bias, panels):
    """A bias as a row as long as all panels are wide; an empty one stands for none."""
    row = zero_rows(1, panels)
    for j in range(bias.size):
        row[0, j] = bias[j]
    return row


@inner
def _add_to(total, gates):
    """Add the gates of some sequences at one step to a total. Shapes: twice (n, gates, size)."""
    for r in range(len(total)):
        for q in range(total.shape[1]):
            to, row = total[r, q], gates[r, q]
            for j in range(to.size):
                to[j] += row[j]


@inner
def _copy_rows(out, x):
    """Copy as many numbers of each row as both have."""
    for r in range(len(out)):
        to, row = out[r], x[r]
        for j in range(min(to.size, row.size)):
            to[j] = row[j]


def _contiguous_bias(bias, dtype):
    """A bias in C order, an empty one if there is none."""
    return empty(0, dtype) if bias is None else contiguous(bias)


def _sum(a, b):
    total = empty(a.shape, a.dtype)
    launch(numpy.add, a, b, total)
    return total


def _set_initial_state(state, value):
    """Set the state before the first step to the given one, or to zeros."""
    launch(numpy.copyto, state, 0 if value is None else value)


def _sum_of_sequences(sums):
    """The sums over all sequences. Shapes: (n, gates, size) -> (gates * size)."""
    return sum_of_rows(sums.reshape(len(sums), -1))
