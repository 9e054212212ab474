r"""The update of a parameter in one pass over it, its gradient and what is remembered of it.

What is remembered is changed in place: it is the optimiser's own, and memory that is written where it was read is
fetched once; so is a parameter that nobody else has, which is then the first of the results. A rule changes nothing
that it was given, so as the kernel of a rule the same is done to a copy.
"""

import math
from functools import lru_cache

import numpy

from ..workers import together
from . import again, in_place, kernel
from .chain import for_each
from .compiled import compiled, copy, inner
from .team import share_out

_AT_ONCE = 1024  # elements whose numbers stay in the fastest cache from one loop to the next


@in_place("rules.sgd")
def sgd(parameter, gradient, state, alone, *, lr, momentum, dampening, weight_decay, nesterov, maximize, l1):
    numbers = None if l1 else _numbers(lr, momentum, dampening, weight_decay)
    if numbers is None:
        return NotImplemented
    if momentum and not state:  # the first velocity is the gradient itself
        state, numbers = {"momentum_buffer": numpy.zeros_like(parameter)}, (*numbers[:2], 0.0, numbers[3])
    if momentum and not _can_be_changed(state, ("momentum_buffer",)):
        return NotImplemented
    new = _place_for(parameter, alone)
    there = new.ravel()
    p = there if new is parameter else parameter.ravel()
    v = state["momentum_buffer"].ravel() if momentum else there  # not looked at without momentum
    words = new is not parameter, *numbers, bool(nesterov), bool(maximize)
    together(_sgd, 4 * there.size, p, gradient.ravel(), v, there, *words)
    return new, state


@again("rules.sgd")
def sgd_again(parameters, states, *, lr, momentum, dampening, weight_decay, nesterov, maximize, l1):
    numbers = None if l1 else _numbers(lr, momentum, dampening, weight_decay, nesterov, maximize)
    if numbers is None or (momentum and not all("momentum_buffer" in state for state in states)):
        return None
    remembered = [state["momentum_buffer"] for state in states] if momentum else parameters
    return for_each(_small_sgd, [*zip(parameters, remembered, strict=True)], [numpy.array(numbers)])


def _small_sgd(g, p, v, options, is_first):
    lr, momentum, dampening, decay, nesterov, maximize = options
    words = momentum != 0, nesterov != 0
    _sgd_some(0, p.size, p, g, v, p, False, _of_sgd(p, lr, momentum, dampening, decay, maximize != 0), *words)


@compiled
def _sgd(team, p, g, v, new, apart, lr, momentum, dampening, decay, nesterov, maximize):
    numbers = _of_sgd(p, lr, momentum, dampening, decay, maximize)
    share_out(team, p.size, 0, _sgd_some, (p, g, v, new, apart, numbers, momentum != 0, nesterov))


@inner
def _of_sgd(p, lr, momentum, dampening, decay, maximize):
    """What SGD reckons with."""
    number = p.dtype.type
    return number(lr), number(momentum), number(1 - dampening), number(decay), number(-1 if maximize else 1)


@inner
def _sgd_some(first, last, p, g, v, new, apart, numbers, remembers, nesterov):
    rate, keep, take, decay, sign = numbers
    for start in range(first, last, _AT_ONCE):
        stop = min(start + _AT_ONCE, last)
        here, slopes, velocity = new[start:stop], g[start:stop], v[start:stop]
        if apart:
            copy(here, p[start:stop])
        for i in range(here.size):
            slope = sign * slopes[i] + decay * here[i]
            if remembers:
                velocity[i] = keep * velocity[i] + take * slope
                slope = slope + keep * velocity[i] if nesterov else velocity[i]
            here[i] -= rate * slope


@in_place("rules.adam")
def adam(parameter, gradient, state, alone, **options):
    return _adam_with(parameter, gradient, state, alone, _numbers_of_adam(False, **options))


@in_place("rules.adamw")
def adamw(parameter, gradient, state, alone, **options):
    return _adam_with(parameter, gradient, state, alone, _numbers_of_adam(True, **options))


@again("rules.adam")
def adam_again(parameters, states, **options):
    return _adam_again(parameters, states, _numbers_of_adam(False, **options))


@again("rules.adamw")
def adamw_again(parameters, states, **options):
    return _adam_again(parameters, states, _numbers_of_adam(True, **options))


def _numbers_of_adam(apart, *, lr, betas, eps, weight_decay, amsgrad, maximize, l1):
    """The options as numbers, the decay that is added to the gradient before the one that is kept ``apart`` from it."""
    decays = (0.0, weight_decay) if apart else (weight_decay, 0.0)
    return None if amsgrad or maximize or l1 else _numbers(lr, *betas, eps, *decays)


def _adam_again(parameters, states, numbers):
    names = "exp_avg", "exp_avg_sq"
    if numbers is None or not all({"step", *names} <= state.keys() for state in states):
        return None
    step = states[0]["step"]  # one for all of them
    if any(state["step"] is not step for state in states):
        return None
    kept = [(p, *(state[name] for name in names)) for p, state in zip(parameters, states, strict=True)]
    return for_each(_small_adam, kept, [step, numpy.array(numbers)])


def _small_adam(g, p, m, v, step, options, is_first):
    lr, beta1, beta2, eps, decay, pull = options
    step[()] += is_first
    _adam_some(0, p.size, p, g, m, v, p, False, *_of_adam(p, step[()], lr, beta1, beta2, eps, decay, pull))


def _adam_with(parameter, gradient, state, alone, numbers):
    if numbers is None:
        return NotImplemented
    if not state:
        zeros = numpy.zeros_like
        state = {"step": numpy.zeros((), numpy.int32), "exp_avg": zeros(parameter), "exp_avg_sq": zeros(parameter)}
    if "step" not in state or not _can_be_changed(state, ("exp_avg", "exp_avg_sq")):
        return NotImplemented
    new = _place_for(parameter, alone)
    there, step = new.ravel(), int(state["step"]) + 1
    p = there if new is parameter else parameter.ravel()
    remembered = state["exp_avg"].ravel(), state["exp_avg_sq"].ravel()
    together(_adam, 8 * new.size, p, gradient.ravel(), *remembered, there, new is not parameter, step, numbers)
    state["step"] = numpy.asarray(step, numpy.int32)  # anew, for several parameters may share it
    return new, state


@compiled
def _adam(team, p, g, m, v, new, apart, step, options):
    numbers = _of_adam(p, step, *options)
    share_out(team, p.size, 0, _adam_some, (p, g, m, v, new, apart, *numbers))


@inner
def _of_adam(p, step, lr, beta1, beta2, eps, decay, pull):
    """What Adam reckons with."""
    number = p.dtype.type
    # rest is 1 - b, taken before b is rounded; rate is lr over the share of m that has been filled, and root is one
    # over the root of that of v.
    rate, root = lr / _filled(beta1, step), 1 / math.sqrt(_filled(beta2, step))
    rests = number(1 - beta1), number(1 - beta2)
    numbers = (number(beta1), number(beta2), *rests, number(rate), number(root), number(eps))
    return numbers, number(decay), number(lr * pull)


@inner
def _filled(beta, step):
    """How much of a running mean that began at 0 has been filled."""
    return -math.expm1(math.log(beta) * step) if beta else 1.0


@inner
def _adam_some(first, last, p, g, m, v, new, apart, numbers, decay, pull):
    # m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2,  p <- p - lr m^ / (sqrt(v^) + eps). In three loops, for of one
    # that writes three arrays and reads four the compiler would have to know that none of them lies upon another.
    beta1, beta2, rest1, rest2, rate, root, eps = numbers
    for start in range(first, last, _AT_ONCE):
        stop = min(start + _AT_ONCE, last)
        here, slopes, mean, square = new[start:stop], g[start:stop], m[start:stop], v[start:stop]
        if apart:
            copy(here, p[start:stop])
        for i in range(here.size):
            mean[i] = beta1 * mean[i] + rest1 * (slopes[i] + decay * here[i])
        for i in range(here.size):
            slope = slopes[i] + decay * here[i]
            square[i] = beta2 * square[i] + rest2 * slope * slope
        for i in range(here.size):
            step = rate * mean[i] / (p.dtype.type(math.sqrt(square[i])) * root + eps)
            here[i] -= pull * here[i] + step


def _place_for(parameter, alone):
    """Where the changed parameter goes: where it was, if nobody else has it and its numbers lie side by side."""
    return parameter if alone and parameter.flags.carray else numpy.empty(parameter.shape, parameter.dtype)


def _of_copies(update):
    """The kernel of a rule, which leaves what it is given as it is."""

    def updated(parameter, gradient, state, **options):
        return update(parameter, gradient, {name: numpy.array(x) for name, x in state.items()}, False, **options)

    return updated


for _rule in (sgd, adam, adamw):
    kernel(f"rules.{_rule.__name__}")(_of_copies(_rule))


def _can_be_changed(state, names):
    """Whether all of this is remembered, and in arrays whose numbers lie side by side and may be changed."""
    return all(name in state and state[name].flags.carray for name in names)


@lru_cache(64)
def _numbers(*options):
    """Options as numbers of one type, None if there is an array among them."""
    return tuple(map(float, options)) if {float, int, bool}.issuperset(map(type, options)) else None
