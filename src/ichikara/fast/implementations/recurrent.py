"""Recurrent layers in NumPy, with backpropagation through time.

What does not depend on the state is computed for all steps at once: the inputs' part of the weighted sums before the
loop, and the gradients of the weights after the loop of the backward pass.
"""

from collections.abc import Callable

import numpy

from ...errors import choose
from ...ops.recurrent import check_shapes
from ..product import product, sum_of_rows
from ..registry import implementation
from ..shared_backward import RecurrentGradients, SharedBackward

__all__ = ["gru", "lstm", "rnn"]


# --- what the three share ---------------------------------------------------------------------------------------------


class _Mask:
    """Which steps are valid: beyond its length a sequence keeps its state, and its output is 0."""

    def __init__(self, steps, lengths):
        """Shapes: lengths (n), or None if all steps are valid."""
        self.valid = None if lengths is None else numpy.arange(steps)[:, None, None] < lengths[:, None]  # (T, n, 1)

    def select(self, t, new, old):
        """The new values of the sequences for which step t is valid, the old ones of the others."""
        return new if self.valid is None else numpy.where(self.valid[t], new, old)

    def zeroed(self, x):
        """The steps of sequences, with zeros where they are not valid."""
        return x if self.valid is None else numpy.where(self.valid, x, 0.0)


def _order(steps, reverse):
    """The numbers of the steps in the order in which they are read."""
    return range(steps - 1, -1, -1) if reverse else range(steps)


def _initial(state, x, size):
    """The state before the first step: the one given, or zeros. Shapes: -> (n, size)."""
    return numpy.zeros((x.shape[1], size), x.dtype) if state is None else state


def _rows(x):
    """The steps of all sequences as the rows of one matrix. Shapes: (T, n, k) -> (T n, k)."""
    return x.reshape((x.shape[0] * x.shape[1], x.shape[2]))


def _weighted_sums(x, weight, bias):
    """The weighted sums of all steps in one product. Shapes: (T, n, in), (k, in), (k) -> (T, n, k)."""
    return product(_rows(x), weight.mT, bias).reshape((*x.shape[:2], weight.shape[0]))


def _sum_of_biases(a, b):
    return b if a is None else a if b is None else a + b


def _gradients(x, h, *states):
    """Arguments: ``x`` and ``h``, the gradients of the weighted sums; ``states``, those of the initial states."""
    bias = SharedBackward(lambda sums: sum_of_rows(_rows(sums)))  # where both are the same, it is summed once
    return RecurrentGradients(x, h, lambda: bias(x), lambda: bias(h), *states)


def _weight_gradient(sums, inputs):
    """One product for all steps. Shapes: (T, n, k), (T, n, in) -> (k, in)."""
    return product(_rows(sums).mT, _rows(inputs))


_RULES: dict[str, Callable] = {
    "x": lambda g, w_ih, backward: _input_gradient(backward(g).x, w_ih),
    "w_ih": lambda g, inputs, backward: _weight_gradient(backward(g).x, inputs),
    "w_hh": lambda g, before, backward: _weight_gradient(backward(g).h, before),
    "b_ih": lambda g, backward: backward(g).b_ih(),
    "b_hh": lambda g, backward: backward(g).b_hh(),
    "h0": lambda g, backward: backward(g).h0,
}


def _input_gradient(sums, weight):
    """Shapes: (T, n, k), (k, in) -> (T, n, in)."""
    return product(_rows(sums), weight).reshape((*sums.shape[:2], weight.shape[1]))


def _squash(a, scale, shift):
    r"""Sigmoids and hyperbolic tangents side by side, by one tanh that cannot overflow; ``a`` is overwritten.

    .. math:: \sigma(a) = \tfrac12 + \tfrac12 \tanh \tfrac12 a
    """
    a *= scale
    a = numpy.tanh(a)
    a *= scale
    a += shift
    return a


def _scale_and_shift(kinds, size, dtype):
    """The scale and the shift of `_squash` for gates that are sigmoids (s) and tanhs (t). Shapes: -> (gates size)."""
    rows = [(0.5, 0.5) if kind == "s" else (1.0, 0.0) for kind in kinds]
    return [numpy.concatenate([numpy.full(size, row[k], dtype) for row in rows]) for k in (0, 1)]


def _split(gates, size):
    """The gates that lie side by side. Shapes: (n, gates size) -> (n, size), …"""
    return [gates[:, k : k + size] for k in range(0, gates.shape[1], size)]


# --- the plain recurrence ---------------------------------------------------------------------------------------------

_NONLINEARITIES: dict[str, tuple[Callable, Callable]] = {  # the function, and its derivative by its value
    "tanh": (numpy.tanh, lambda h: 1 - h * h),
    "relu": (lambda a: numpy.maximum(a, 0), lambda h: h > 0),
}


@implementation("rnn", residuals=("before", "inputs", "backward"))
def rnn(x, w_ih, w_hh, b_ih, b_hh, h0, lengths, nonlinearity, reverse):
    check_shapes("rnn", x, w_ih, w_hh, 1, lengths)
    function, derivative = choose("nonlinearity", nonlinearity, _NONLINEARITIES)
    steps, size = x.shape[0], w_hh.shape[1]
    mask = _Mask(steps, lengths)
    x = mask.zeroed(x)
    sums = _weighted_sums(x, w_ih, _sum_of_biases(b_ih, b_hh))  # (T, n, size)
    h = _initial(h0, x, size)
    y, before = (numpy.empty((count, *h.shape), sums.dtype) for count in (steps + 1, steps))
    for t in _order(steps, reverse):
        before[t] = h
        new = function(sums[t] + h @ w_hh.mT)
        y[t] = mask.select(t, new, 0.0)
        h = mask.select(t, new, h)
    y[steps] = h

    def backward(g):
        g_steps, dh = mask.zeroed(g[:steps]), g[steps]
        sums = numpy.empty((steps, *dh.shape), g.dtype)
        for t in _order(steps, not reverse):
            dh = dh + g_steps[t]  # from this step's output, and from the step after it
            sums[t] = d = mask.select(t, dh * derivative(y[t]), 0.0)
            dh = mask.select(t, d @ w_hh, dh)
        return _gradients(sums, sums, dh)

    return y, before, x, SharedBackward(backward)


rnn.gradient(**_RULES)


# --- long short-term memory -------------------------------------------------------------------------------------------


@implementation("lstm", residuals=("before", "inputs", "backward"))
def lstm(x, w_ih, w_hh, b_ih, b_hh, h0, c0, lengths, reverse):
    check_shapes("lstm", x, w_ih, w_hh, 4, lengths)
    steps, size = x.shape[0], w_hh.shape[1]
    mask = _Mask(steps, lengths)
    x = mask.zeroed(x)
    gates = _weighted_sums(x, w_ih, _sum_of_biases(b_ih, b_hh))  # (T, n, 4 size): weighted sums, then the gates
    scale, shift = _scale_and_shift("ssts", size, x.dtype)
    h, c = _initial(h0, x, size), _initial(c0, x, size)
    y, before, c_before, tanh_c = (
        numpy.empty((count, *h.shape), x.dtype) for count in (steps + 2, steps, steps, steps)
    )
    for t in _order(steps, reverse):
        before[t], c_before[t] = h, c
        gates[t] = a = _squash(gates[t] + h @ w_hh.mT, scale, shift)
        i, f, g, o = _split(a, size)
        new_c = f * c + i * g
        tanh_c[t] = new_tanh_c = numpy.tanh(new_c)
        new_h = o * new_tanh_c
        y[t] = mask.select(t, new_h, 0.0)
        h, c = mask.select(t, new_h, h), mask.select(t, new_c, c)
    y[steps], y[steps + 1] = h, c

    def backward(g_y):
        g_steps, dh, dc = mask.zeroed(g_y[:steps]), g_y[steps], g_y[steps + 1]
        sums = numpy.empty(gates.shape, g_y.dtype)
        for t in _order(steps, not reverse):
            i, f, g, o = _split(gates[t], size)
            dh = dh + g_steps[t]  # from this step's output, and from the step after it
            dc_t = dc + dh * o * (1 - tanh_c[t] * tanh_c[t])
            di, df = dc_t * g * i * (1 - i), dc_t * c_before[t] * f * (1 - f)
            dg, do = dc_t * i * (1 - g * g), dh * tanh_c[t] * o * (1 - o)
            sums[t] = d = mask.select(t, numpy.concatenate([di, df, dg, do], axis=1), 0.0)
            dh, dc = mask.select(t, d @ w_hh, dh), mask.select(t, dc_t * f, dc)
        return _gradients(sums, sums, dh, dc)

    return y, before, x, SharedBackward(backward)


lstm.gradient(**_RULES, c0=lambda g, backward: backward(g).c0)


# --- gated recurrent unit ---------------------------------------------------------------------------------------------


@implementation("gru", residuals=("before", "inputs", "backward"))
def gru(x, w_ih, w_hh, b_ih, b_hh, h0, lengths, reverse):
    check_shapes("gru", x, w_ih, w_hh, 3, lengths)
    steps, size = x.shape[0], w_hh.shape[1]
    mask = _Mask(steps, lengths)
    x = mask.zeroed(x)
    sums = _weighted_sums(x, w_ih, b_ih)  # (T, n, 3 size)
    scale, shift = _scale_and_shift("ss", size, x.dtype)
    h = _initial(h0, x, size)
    y, before, candidates, recurrent = (
        numpy.empty((count, *h.shape), x.dtype) for count in (steps + 1, steps, steps, steps)
    )
    gates = numpy.empty((steps, x.shape[1], 2 * size), x.dtype)
    for t in _order(steps, reverse):
        before[t] = h
        a = h @ w_hh.mT
        if b_hh is not None:
            a += b_hh
        gates[t] = rz = _squash(sums[t][:, : 2 * size] + a[:, : 2 * size], scale, shift)
        r, z = _split(rz, size)
        recurrent[t] = m = a[:, 2 * size :]  # of the candidate's weighted sum, the part of the state
        candidates[t] = n = numpy.tanh(sums[t][:, 2 * size :] + r * m)
        new = n + z * (h - n)
        y[t] = mask.select(t, new, 0.0)
        h = mask.select(t, new, h)
    y[steps] = h

    def backward(g):
        g_steps, dh = mask.zeroed(g[:steps]), g[steps]
        x_sums, h_sums = (numpy.empty((steps, dh.shape[0], 3 * size), g.dtype) for _ in range(2))
        for t in _order(steps, not reverse):
            (r, z), n, m = _split(gates[t], size), candidates[t], recurrent[t]
            dh = dh + g_steps[t]  # from this step's output, and from the step after it
            dn = dh * (1 - z) * (1 - n * n)
            dr = dn * m * r * (1 - r)
            dz = dh * (before[t] - n) * z * (1 - z)
            x_sums[t] = mask.select(t, numpy.concatenate([dr, dz, dn], axis=1), 0.0)
            h_sums[t] = d = mask.select(t, numpy.concatenate([dr, dz, dn * r], axis=1), 0.0)
            dh = mask.select(t, d @ w_hh + dh * z, dh)
        return _gradients(x_sums, h_sums, dh)

    return y, before, x, SharedBackward(backward)


gru.gradient(**_RULES)
