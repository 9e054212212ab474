r"""The LSTM and the GRU: all steps of some sequences in one loop, which never goes back to Python.

.. math::
    c_t = f_t c_{t-1} + i_t g_t, \quad h_t = o_t \tanh c_t \qquad
    h_t = (1 - z_t) n_t + z_t h_{t-1}

Sequences do not depend on each other, so the batch is shared out among threads and they meet once, after the last
step. The input's part of the weighted sums, and the gradients of the weights, are products of matrices for all steps
at once, as in the operations. Gates lie side by side: (steps, n, gate, size).
"""

import numpy

from ..once import Once
from ..steps import Back, added, check, start, weighted
from ..workers import held, together
from . import kernel
from .blas import multiply_add
from .compiled import inner, sigmoid, tanh
from .team import shared

# --- long short-term memory -------------------------------------------------------------------------------------------


@kernel("lstm")
def lstm(x, w_ih, w_hh, b_ih, b_hh, h0, c0, lengths, reverse):
    if lengths is not None:
        return NotImplemented
    check("lstm", x, w_ih, w_hh, 4, lengths)
    x, w = numpy.ascontiguousarray(x), numpy.ascontiguousarray(w_hh)
    steps, n, size = x.shape[0], x.shape[1], w_hh.shape[1]
    gates = weighted(x, w_ih, added(b_ih, b_hh)).reshape(steps, n, 4, size)  # weighted sums, then the gates
    y = numpy.empty((steps + 2, n, size), x.dtype)
    before, c_before = (numpy.empty((steps, n, size), x.dtype) for _ in range(2))
    y[steps], y[steps + 1] = start(numpy, x, h0, size), start(numpy, x, c0, size)
    cost = steps * n * w.size
    with held:
        together(_lstm, cost, n, gates, gates.reshape(steps, n, -1), w, y, before, c_before, reverse)

    def back(g):
        g = numpy.ascontiguousarray(g)
        sums = numpy.empty_like(gates)
        dh, dc = g[steps].copy(), g[steps + 1].copy()
        flat = sums.reshape(steps, n, 4 * size)
        with held:
            together(_lstm_back, cost, n, g, gates, w, c_before, sums, flat, dh, dc, reverse)
        return Back(flat, flat, dh, dc)

    return y, before, x, Once(back)


@shared
def _lstm(first, last, gates, flat, weight, y, before, c_before, reverse):
    steps, size = before.shape[0], before.shape[2]
    h, c = y[steps, first:last], y[steps + 1, first:last]  # the states so far, in the end the last ones
    for k in range(steps):
        t = steps - 1 - k if reverse else k
        multiply_add(h, weight.T, 1, flat[t, first:last])
        for r in range(last - first):
            row, seen, kept, out = gates[t, first + r], before[t, first + r], c_before[t, first + r], y[t, first + r]
            for j in range(size):
                seen[j], kept[j] = h[r, j], c[r, j]
            _squash(row, 2)
            for j in range(size):
                c[r, j] = row[1, j] * c[r, j] + row[0, j] * row[2, j]
            for j in range(size):
                h[r, j] = row[3, j] * tanh(c[r, j])
            for j in range(size):
                out[j] = h[r, j]


@inner
def _squash(gates, of_tanh):
    """Gates of their weighted sums. Short loops of few arrays each: those the compiler does many numbers at a time."""
    for q in range(gates.shape[0]):
        if q == of_tanh:
            for j in range(gates.shape[1]):
                gates[q, j] = tanh(gates[q, j])
        else:
            for j in range(gates.shape[1]):
                gates[q, j] = sigmoid(gates[q, j])


@shared
def _lstm_back(first, last, g_y, gates, weight, c_before, sums, flat, dh, dc, reverse):
    steps, _, size = c_before.shape
    shown, c_bar = numpy.empty(size, dh.dtype), numpy.empty(size, dh.dtype)
    for k in range(steps):
        t = k if reverse else steps - 1 - k
        for r in range(last - first):
            row, part, c = gates[t, first + r], sums[t, first + r], c_before[t, first + r]
            _lstm_gates_back(row, part, c, g_y[t, first + r], dh[first + r], dc[first + r], shown, c_bar)
        multiply_add(flat[t, first:last], weight, 0, dh[first:last])


@inner
def _lstm_gates_back(row, part, c, g, dh, dc, shown, c_bar):
    """The gradients of the four weighted sums of one sequence at one step; ``dc`` becomes that of the step before."""
    one = row.dtype.type(1)
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
    x, w = numpy.ascontiguousarray(x), numpy.ascontiguousarray(w_hh)
    steps, n, size = x.shape[0], x.shape[1], w_hh.shape[1]
    gates = weighted(x, w_ih, b_ih).reshape(steps, n, 3, size)  # weighted sums, then the gates
    y = numpy.empty((steps + 1, n, size), x.dtype)
    before, recalled = (numpy.empty((steps, n, size), x.dtype) for _ in range(2))
    y[steps] = start(numpy, x, h0, size)
    bias = (numpy.zeros(3 * size, x.dtype) if b_hh is None else numpy.ascontiguousarray(b_hh)).reshape(3, size)
    cost = steps * n * w.size
    with held:
        together(_gru, cost, n, gates, w, bias, y, before, recalled, reverse)

    def back(g):
        g = numpy.ascontiguousarray(g)
        of_x, of_h = numpy.empty_like(gates), numpy.empty_like(gates)
        dh, flat = g[steps].copy(), of_h.reshape(steps, n, -1)
        with held:
            together(_gru_back, cost, n, g, gates, w, before, recalled, of_x, of_h, flat, dh, reverse)
        return Back(of_x.reshape(steps, n, -1), flat, dh)

    return y, before, x, Once(back)


@shared
def _gru(first, last, gates, weight, bias, y, before, recalled, reverse):
    steps, size = before.shape[0], before.shape[2]
    h = y[steps, first:last]  # the states so far, in the end the last ones
    sums = numpy.empty((last - first, weight.shape[0]), h.dtype)
    parts = sums.reshape(last - first, 3, size)
    for k in range(steps):
        t = steps - 1 - k if reverse else k
        multiply_add(h, weight.T, 0, sums)
        for r in range(last - first):
            row, kept, recall, out = gates[t, first + r], before[t, first + r], recalled[t, first + r], y[t, first + r]
            for j in range(size):
                kept[j], recall[j] = h[r, j], parts[r, 2, j] + bias[2, j]
            for q in range(2):
                for j in range(size):
                    row[q, j] = sigmoid(row[q, j] + (parts[r, q, j] + bias[q, j]))
            for j in range(size):
                row[2, j] = tanh(row[2, j] + row[0, j] * recall[j])
            for j in range(size):
                h[r, j] = row[2, j] + row[1, j] * (h[r, j] - row[2, j])
            for j in range(size):
                out[j] = h[r, j]


@shared
def _gru_back(first, last, g_y, gates, weight, before, recalled, of_x, of_h, flat, dh, reverse):
    steps = before.shape[0]
    for k in range(steps):
        t = k if reverse else steps - 1 - k
        for r in range(last - first):
            row, part, m = gates[t, first + r], of_h[t, first + r], recalled[t, first + r]
            _gru_gates_back(row, part, m, before[t, first + r], g_y[t, first + r], dh[first + r], of_x[t, first + r])
        multiply_add(flat[t, first:last], weight, 1, dh[first:last])


@inner
def _gru_gates_back(row, part, m, before, g, dh, of_x):
    """The gradients of the three weighted sums of one sequence at one step, by the input's and by the state's part."""
    one = row.dtype.type(1)
    for j in range(m.size):
        dh[j] += g[j]  # from this step's output, and from the step after it
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
