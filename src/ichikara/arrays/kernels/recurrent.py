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
from ..workers import share
from . import kernel
from .compiled import compiled, sigmoid, tanh

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
    h, c = (numpy.ascontiguousarray(start(numpy, x, state, size)) for state in (h0, c0))
    transposed = numpy.ascontiguousarray(w.T)
    cost = steps * n * w.size
    share(lambda p: _lstm(gates, transposed, h, c, y, before, c_before, p.start, p.stop, reverse), n, cost)

    def back(g):
        g = numpy.ascontiguousarray(g)
        sums = numpy.empty_like(gates)
        dh, dc = numpy.empty((n, size), x.dtype), numpy.empty((n, size), x.dtype)
        share(lambda p: _lstm_back(g, gates, w, c_before, sums, dh, dc, p.start, p.stop, reverse), n, cost)
        flat = sums.reshape(steps, n, 4 * size)
        return Back(flat, flat, dh, dc)

    return y, before, x, Once(back)


@compiled
def _lstm(gates, weight, h0, c0, y, before, c_before, first, last, reverse):
    steps, size = before.shape[0], before.shape[2]
    h, c = h0[first:last].copy(), c0[first:last].copy()
    sums = numpy.empty((last - first, weight.shape[1]), h.dtype)
    parts = sums.reshape(last - first, 4, size)
    for k in range(steps):
        t = steps - 1 - k if reverse else k
        numpy.dot(h, weight, sums)
        for r in range(last - first):
            row, seen, kept, out = gates[t, first + r], before[t, first + r], c_before[t, first + r], y[t, first + r]
            for j in range(size):
                seen[j], kept[j] = h[r, j], c[r, j]
            _add_and_squash(row, parts[r], 2)
            for j in range(size):
                c[r, j] = row[1, j] * c[r, j] + row[0, j] * row[2, j]
            for j in range(size):
                h[r, j] = row[3, j] * tanh(c[r, j])
            for j in range(size):
                out[j] = h[r, j]
    y[steps, first:last], y[steps + 1, first:last] = h, c


@compiled
def _add_and_squash(gates, sums, of_tanh):
    """Gates of their weighted sums. Short loops of few arrays each: those the compiler does many numbers at a time."""
    for q in range(gates.shape[0]):
        if q == of_tanh:
            for j in range(gates.shape[1]):
                gates[q, j] = tanh(gates[q, j] + sums[q, j])
        else:
            for j in range(gates.shape[1]):
                gates[q, j] = sigmoid(gates[q, j] + sums[q, j])


@compiled
def _lstm_back(g_y, gates, weight, c_before, sums, dh0, dc0, first, last, reverse):
    steps, _, size = c_before.shape
    dh, dc = g_y[steps, first:last].copy(), g_y[steps + 1, first:last].copy()
    d = numpy.empty((last - first, weight.shape[0]), dh.dtype)
    shown, c_bar = numpy.empty(size, dh.dtype), numpy.empty(size, dh.dtype)
    parts = d.reshape(last - first, 4, size)
    for k in range(steps):
        t = k if reverse else steps - 1 - k
        for r in range(last - first):
            row, part, c = gates[t, first + r], parts[r], c_before[t, first + r]
            _lstm_gates_back(row, part, c, g_y[t, first + r], dh[r], dc[r], shown, c_bar)
            for q in range(4):
                for j in range(size):
                    sums[t, first + r, q, j] = parts[r, q, j]
        numpy.dot(d, weight, dh)
    dh0[first:last], dc0[first:last] = dh, dc


@compiled
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
    h = numpy.ascontiguousarray(start(numpy, x, h0, size))
    bias = (numpy.zeros(3 * size, x.dtype) if b_hh is None else numpy.ascontiguousarray(b_hh)).reshape(3, size)
    transposed = numpy.ascontiguousarray(w.T)
    cost = steps * n * w.size
    share(lambda p: _gru(gates, transposed, bias, h, y, before, recalled, p.start, p.stop, reverse), n, cost)

    def back(g):
        g = numpy.ascontiguousarray(g)
        of_x, of_h = numpy.empty_like(gates), numpy.empty_like(gates)
        dh = numpy.empty((n, size), x.dtype)
        share(lambda p: _gru_back(g, gates, w, before, recalled, of_x, of_h, dh, p.start, p.stop, reverse), n, cost)
        return Back(of_x.reshape(steps, n, -1), of_h.reshape(steps, n, -1), dh)

    return y, before, x, Once(back)


@compiled
def _gru(gates, weight, bias, h0, y, before, recalled, first, last, reverse):
    steps, size = before.shape[0], before.shape[2]
    h = h0[first:last].copy()
    sums = numpy.empty((last - first, weight.shape[1]), h.dtype)
    parts = sums.reshape(last - first, 3, size)
    for k in range(steps):
        t = steps - 1 - k if reverse else k
        numpy.dot(h, weight, sums)
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
    y[steps, first:last] = h


@compiled
def _gru_back(g_y, gates, weight, before, recalled, of_x, of_h, dh0, first, last, reverse):
    steps, _, size = before.shape
    dh = g_y[steps, first:last].copy()
    through = numpy.empty_like(dh)
    d = numpy.empty((last - first, weight.shape[0]), dh.dtype)
    parts = d.reshape(last - first, 3, size)
    for k in range(steps):
        t = k if reverse else steps - 1 - k
        for r in range(last - first):
            row, part, m = gates[t, first + r], parts[r], recalled[t, first + r]
            _gru_gates_back(row, part, m, before[t, first + r], g_y[t, first + r], dh[r], of_x[t, first + r])
            for q in range(3):
                for j in range(size):
                    of_h[t, first + r, q, j] = part[q, j]
        numpy.dot(d, weight, through)
        dh += through
    dh0[first:last] = dh


@compiled
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
