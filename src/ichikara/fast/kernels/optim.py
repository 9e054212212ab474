r"""The update of a parameter in one pass over it, its gradient and what is remembered of it.

What is remembered is changed in place: it is the optimiser's own, and memory that is written where it was read is
fetched once; so is a parameter that nobody else has, which is then the first of the results. A rule changes nothing
that it was given, so as the kernel of a rule the same is done to a copy.
"""

import math

import numpy

from ..jit.chain import Chain, link
from ..jit.dispatcher import compiled
from ..jit.elementary import copy_row
from ..jit.lazy import inner
from ..registry import fitting_in_place, in_place, kernel
from ..threads.fork_join import fork_join
from ..threads.team import parallel_for
from ..workspace import contiguous, launch

_AT_ONCE = 1024  # elements whose numbers stay in the fastest cache from one loop to the next


def _numbers_of_sgd(*, lr, momentum, dampening, weight_decay, nesterov, maximize, l1):
    needed = ("momentum_buffer",) if momentum else ()
    return None if l1 else (needed, (lr, momentum, dampening, weight_decay, nesterov, maximize))


def _sgd_again(parameters, gradients, states, numbers):
    rows = [
        (contiguous(g), p, state["momentum_buffer"] if numbers[1] else p)
        for p, g, state in zip(parameters, gradients, states, strict=True)
    ]
    if len(rows) > 1:
        _multi_tensor_apply(_small_sgd, rows, [numbers])
        return
    for row in rows:
        g, p, v = [array.reshape(-1) for array in row]
        parallel_for(_sgd, 4 * p.size, p, g, v, p, False, numbers, False)


@in_place("rules.sgd", numbers_of=_numbers_of_sgd, again=_sgd_again)
def sgd(parameter, gradient, state, alone, numbers):
    begins = bool(numbers[1]) and not state  # the first velocity is the gradient itself
    if begins:
        state = {"momentum_buffer": _zeros(parameter)}
    new = _place_for(parameter, alone)
    there = new.ravel()
    p = there if new is parameter else parameter.ravel()
    v = state["momentum_buffer"].ravel() if numbers[1] else there  # not looked at without momentum
    parallel_for(_sgd, 4 * there.size, p, gradient.ravel(), v, there, new is not parameter, numbers, begins)
    return new, state


def _small_sgd(g, p, v, options, is_first):
    numbers, momentum, nesterov = _of_sgd(p, options, False)
    _sgd_some(0, p.size, p, g, v, p, False, numbers, momentum, nesterov)


@compiled
def _sgd(team, p, g, v, new, apart, options, begins):
    numbers, momentum, nesterov = _of_sgd(p, options, begins)
    fork_join(team, p.size, 0, _sgd_some, (p, g, v, new, apart, numbers, momentum, nesterov))


@inner
def _of_sgd(p, options, begins):
    """What SGD reckons with; whether it remembers a velocity, and looks ahead."""
    number = p.dtype.type
    lr, momentum, dampening, decay, nesterov, maximize = options
    take = 1 if begins else 1 - dampening
    numbers = number(lr), number(momentum), number(take), number(decay), number(-1 if maximize else 1)
    return numbers, momentum != 0, nesterov != 0


@inner
def _sgd_some(first, last, p, g, v, new, apart, numbers, remembers, nesterov):
    rate, keep, take, decay, sign = numbers
    for start in range(first, last, _AT_ONCE):
        stop = min(start + _AT_ONCE, last)
        here, slopes, velocity = new[start:stop], g[start:stop], v[start:stop]
        if apart:
            copy_row(here, p[start:stop])
        for i in range(here.size):
            slope = sign * slopes[i] + decay * here[i]
            if remembers:
                velocity[i] = keep * velocity[i] + take * slope
                slope = slope + keep * velocity[i] if nesterov else velocity[i]
            here[i] -= rate * slope


def _numbers_of_adam(*, lr, betas, eps, weight_decay, amsgrad, maximize, l1):
    return _numbers(lr, betas, eps, weight_decay, 0.0, amsgrad or maximize or l1)


def _numbers_of_adamw(*, lr, betas, eps, weight_decay, amsgrad, maximize, l1):
    return _numbers(lr, betas, eps, 0.0, weight_decay, amsgrad or maximize or l1)


def _numbers(lr, betas, eps, decay, pull, otherwise):
    """Arguments: ``decay``, added to the gradient, and ``pull``, the decay that is kept apart from it."""
    return None if otherwise else (_OF_ADAM, (lr, *betas, eps, decay, pull))


_OF_ADAM = "step", "exp_avg", "exp_avg_sq"


def _adam_again(parameters, gradients, states, numbers):
    step = states[0]["step"]  # one for all of them
    rows = [
        (contiguous(g), p, state["exp_avg"], state["exp_avg_sq"])
        for p, g, state in zip(parameters, gradients, states, strict=True)
    ]
    if len(rows) > 1:
        _multi_tensor_apply(_small_adam, rows, [step, numbers])
        return
    for k, row in enumerate(rows):
        g, p, m, v = [array.reshape(-1) for array in row]
        parallel_for(_adam, 8 * p.size, p, g, m, v, p, False, step, k == 0, numbers)


@in_place("rules.adam", numbers_of=_numbers_of_adam, again=_adam_again)
@in_place("rules.adamw", numbers_of=_numbers_of_adamw, again=_adam_again)
def adam(parameter, gradient, state, alone, numbers):
    if not state:
        state = {"step": numpy.zeros((), numpy.int32), "exp_avg": _zeros(parameter), "exp_avg_sq": _zeros(parameter)}
    new = _place_for(parameter, alone)
    there = new.ravel()
    p = there if new is parameter else parameter.ravel()
    words = state["exp_avg"].ravel(), state["exp_avg_sq"].ravel(), there, new is not parameter, state["step"], True
    parallel_for(_adam, 8 * new.size, p, gradient.ravel(), *words, numbers)
    return new, state


def _small_adam(g, p, m, v, step, options, is_first):
    step[()] += is_first
    _adam_some(0, p.size, p, g, m, v, p, False, *_of_adam(p, step[()], options))


@compiled
def _adam(team, p, g, m, v, new, apart, step, counts, options):
    if counts:
        step[()] += 1
    numbers = _of_adam(p, step[()], options)
    fork_join(team, p.size, 0, _adam_some, (p, g, m, v, new, apart, *numbers))


@inner
def _of_adam(p, step, options):
    """What Adam reckons with."""
    number = p.dtype.type
    lr, beta1, beta2, eps, decay, pull = options
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
            copy_row(here, p[start:stop])
        for i in range(here.size):
            mean[i] = beta1 * mean[i] + rest1 * (slopes[i] + decay * here[i])
        for i in range(here.size):
            slope = slopes[i] + decay * here[i]
            square[i] = beta2 * square[i] + rest2 * slope * slope
        for i in range(here.size):
            step = rate * mean[i] / (p.dtype.type(math.sqrt(square[i])) * root + eps)
            here[i] -= pull * here[i] + step


def _multi_tensor_apply(kernel, rows, shared):
    """Call a kernel for the tensors of each parameter in turn, in one launch.

    The kernel gets flat arrays of the same size, the shared arguments, and as a number whether it is the first call.
    All arrays are in C order.

    Arguments: ``rows``, the arrays of each parameter; ``shared``, arguments that are the same for all.
    """
    arrays = [*(array for row in rows for array in row), *shared]
    links, positions = [], []
    for k, row in enumerate(rows):
        links.append(link(kernel, [*(array.reshape(-1) for array in row), *shared, int(k == 0)], None))
        positions.append([*range(k * len(row), (k + 1) * len(row)), *range(len(arrays) - len(shared), len(arrays))])
    launch(Chain(links, positions), *arrays)


def _place_for(parameter, alone):
    """Where the changed parameter goes: where it was, if nobody else has it and its numbers lie side by side."""
    return parameter if alone and parameter.flags.carray else numpy.empty(parameter.shape, parameter.dtype)


def _zeros(parameter):
    return numpy.zeros(parameter.shape, parameter.dtype)


def _of_copies(rule):
    """The kernel of a rule, which leaves what it is given as it is."""

    def updated(parameter, gradient, state, **options):
        found = fitting_in_place(rule, parameter, gradient, often=True)
        if found is None:
            return NotImplemented
        needed, numbers = found.told(options)
        copies = {name: numpy.array(x) for name, x in state.items()}
        if numbers is None or (copies and not found.can_change(copies, needed)):
            return NotImplemented
        return found.change(parameter, gradient, copies, False, numbers)

    return updated


for _rule in ("rules.sgd", "rules.adam", "rules.adamw"):
    kernel(_rule)(_of_copies(_rule))
