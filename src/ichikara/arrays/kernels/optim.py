r"""The update of one parameter in one pass over it, its gradient and its memory."""

import math

import numpy

from ..workers import together
from . import kernel
from .compiled import compiled, flat, inner
from .team import share_out


@kernel("rules.adam")
def adam(
    parameter,
    gradient,
    state,
    *,
    lr=1e-3,
    betas=(0.9, 0.999),
    eps=1e-8,
    weight_decay=0.0,
    amsgrad=False,
    maximize=False,
    l1=0.0,
):
    if amsgrad or maximize or l1 or not all(isinstance(option, float | int) for option in (lr, *betas, eps)):
        return NotImplemented
    number = parameter.dtype.type
    step = int(state.get("step", 0)) + 1
    parameter = numpy.ascontiguousarray(parameter)
    before = [state.get(name) for name in ("exp_avg", "exp_avg_sq")]
    before = [numpy.zeros_like(parameter) if array is None else array for array in before]
    new, m, v = (numpy.empty_like(parameter) for _ in range(3))
    first, second = (-math.expm1(math.log(beta) * step) if beta else 1.0 for beta in betas)
    rests = (1 - betas[0], 1 - betas[1])
    rates = (lr / first, 1 / math.sqrt(second), eps, weight_decay)
    numbers = [number(x) for x in (betas[0], rests[0], betas[1], rests[1], *rates)]
    arrays = [flat(array) for array in (parameter, gradient, *before, new, m, v)]
    together(_adam, 8 * parameter.size, *arrays, tuple(numbers))
    return new, {"step": step, "exp_avg": m, "exp_avg_sq": v}


@compiled
def _adam(team, p, g, m, v, new, new_m, new_v, numbers):
    share_out(team, p.size, 0, _adam_some, (p, g, m, v, new, new_m, new_v, numbers))


@inner
def _adam_some(first, last, p, g, m, v, new, new_m, new_v, numbers):
    # m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2,  p <- p - lr m^ / (sqrt(v^) + eps),
    # where rest is 1 - b, taken before b is rounded, rate is lr over the share of m that has been filled, and root is
    # one over the root of that of v.
    beta1, rest1, beta2, rest2, rate, root, eps, decay = numbers
    # An index that begins at 0 cannot be below it, so the compiler need not count from the end and may take vectors.
    p, g, m, v = p[first:last], g[first:last], m[first:last], v[first:last]
    new, new_m, new_v = new[first:last], new_m[first:last], new_v[first:last]
    for i in range(p.size):
        slope = g[i] + decay * p[i]
        mean = beta1 * m[i] + rest1 * slope
        square = beta2 * v[i] + rest2 * slope * slope
        new_m[i], new_v[i] = mean, square
        new[i] = p[i] - rate * mean / (p.dtype.type(math.sqrt(square)) * root + eps)
