"""The recurrences as they are fastest in NumPy: what does not depend on the state is done for all steps at once.

The input's part of the weighted sums is computed before the loop, the gradients of the weights after the loop back.
"""

from collections.abc import Callable

from ...arrays import namespace
from ...errors import choose
from ...ops.recurrent import check_shapes
from ..once import Once
from ..registry import implementation
from ..steps import (
    Back,
    added,
    as_pages,
    bound,
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

__all__ = ["gru", "lstm", "rnn"]


# --- the plain recurrence ---------------------------------------------------------------------------------------------

_NONLINEARITIES: dict[str, tuple[Callable, Callable]] = {  # the function, and its slope by its value
    "tanh": (lambda xp, a: xp.tanh(a), lambda h: 1 - h * h),
    "relu": (lambda xp, a: xp.maximum(a, 0), lambda h: h > 0),
}


@implementation("rnn", keeps=("before", "inputs", "back"))
def rnn(x, w_ih, w_hh, b_ih, b_hh, h0, lengths, nonlinearity, reverse):
    xp = namespace(x, w_ih, w_hh, b_ih, b_hh, h0)
    check_shapes("rnn", x, w_ih, w_hh, 1, lengths)
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
    x=lambda g, w_ih, back: of_inputs(back(g).x, w_ih),
    w_ih=lambda g, inputs, back: of_weight(back(g).x, inputs),
    w_hh=lambda g, before, back: of_weight(back(g).h, before),
    b_ih=lambda g, back: back(g).b_ih(),
    b_hh=lambda g, back: back(g).b_hh(),
    h0=lambda g, back: back(g).h0,
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


@implementation("lstm", keeps=("before", "inputs", "back"))
def lstm(x, w_ih, w_hh, b_ih, b_hh, h0, c0, lengths, reverse):
    xp = namespace(x, w_ih, w_hh, b_ih, b_hh, h0, c0)
    check_shapes("lstm", x, w_ih, w_hh, 4, lengths)
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
    x=lambda g, w_ih, back: of_inputs(back(g).x, w_ih),
    w_ih=lambda g, inputs, back: of_weight(back(g).x, inputs),
    w_hh=lambda g, before, back: of_weight(back(g).h, before),
    b_ih=lambda g, back: back(g).b_ih(),
    b_hh=lambda g, back: back(g).b_hh(),
    h0=lambda g, back: back(g).h0,
    c0=lambda g, back: back(g).c0,
)


# --- gated recurrent unit ---------------------------------------------------------------------------------------------


@implementation("gru", keeps=("before", "inputs", "back"))
def gru(x, w_ih, w_hh, b_ih, b_hh, h0, lengths, reverse):
    xp = namespace(x, w_ih, w_hh, b_ih, b_hh, h0)
    check_shapes("gru", x, w_ih, w_hh, 3, lengths)
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
    x=lambda g, w_ih, back: of_inputs(back(g).x, w_ih),
    w_ih=lambda g, inputs, back: of_weight(back(g).x, inputs),
    w_hh=lambda g, before, back: of_weight(back(g).h, before),
    b_ih=lambda g, back: back(g).b_ih(),
    b_hh=lambda g, back: back(g).b_hh(),
    h0=lambda g, back: back(g).h0,
)
