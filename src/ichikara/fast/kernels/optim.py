r"""The update of a parameter in one pass over the parameter, its gradient and the optimiser's state.

The state is updated in place: it belongs to the optimiser, and memory that is written where it was read is fetched
once. So is a parameter whose array nothing else refers to; it is then the first of the results.
"""

import math

import numpy

from ..jit.chain import Chain, link
from ..jit.dispatcher import compiled
from ..jit.elementary import copy_row
from ..jit.lazy import inner
from ..registry import in_place
from ..threads.fork_join import fork_join
from ..threads.team import parallel_for
from ..workspace import contiguous, launch

_BLOCK = 1024  # elements that stay in the L1 cache from one loop to the next

# --- stochastic gradient descent --------------------------------------------------------------------------------------


def _sgd_numbers(*, lr, momentum, dampening, weight_decay, nesterov, maximize, l1):
    state = ("momentum_buffer",) if momentum else ()
    return None if l1 else (state, (lr, momentum, dampening, weight_decay, nesterov, maximize))


def _update_by_sgd(parameters, gradients, states, numbers):
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


@in_place("rules.sgd", numbers_of=_sgd_numbers, launch=_update_by_sgd)
def sgd(parameter, gradient, state, exclusive, numbers):
    first_step = bool(numbers[1]) and not state  # the first velocity is the gradient itself
    if first_step:
        state = {"momentum_buffer": _zeros(parameter)}
    new = _result_array(parameter, exclusive)
    flat = new.ravel()
    p = flat if new is parameter else parameter.ravel()
    v = state["momentum_buffer"].ravel() if numbers[1] else flat  # not read without momentum
    parallel_for(_sgd, 4 * flat.size, p, gradient.ravel(), v, flat, new is not parameter, numbers, first_step)
    return new, state


def _small_sgd(g, p, v, options, is_first):
    constants, has_momentum, nesterov = _sgd_constants(p, options, False)
    _sgd_range(0, p.size, p, g, v, p, False, constants, has_momentum, nesterov)


@compiled
def _sgd(team, p, g, v, new, separate, options, first_step):
    constants, has_momentum, nesterov = _sgd_constants(p, options, first_step)
    fork_join(team, p.size, 0, _sgd_range, (p, g, v, new, separate, constants, has_momentum, nesterov))


@inner
def _sgd_constants(p, options, first_step):
    """The constants of SGD's update, whether it has momentum, and whether that is Nesterov's."""
    number = p.dtype.type
    lr, momentum, dampening, decay, nesterov, maximize = options
    weight = 1 if first_step else 1 - dampening
    constants = number(lr), number(momentum), number(weight), number(decay), number(-1 if maximize else 1)
    return constants, momentum != 0, nesterov != 0


@inner
def _sgd_range(first, last, p, g, v, new, separate, constants, has_momentum, nesterov):
    rate, momentum, weight, decay, sign = constants
    for start in range(first, last, _BLOCK):
        stop = min(start + _BLOCK, last)
        p_block, g_block, v_block = new[start:stop], g[start:stop], v[start:stop]
        if separate:
            copy_row(p_block, p[start:stop])
        for i in range(p_block.size):
            d = sign * g_block[i] + decay * p_block[i]
            if has_momentum:
                v_block[i] = momentum * v_block[i] + weight * d
                d = d + momentum * v_block[i] if nesterov else v_block[i]
            p_block[i] -= rate * d


# --- Adam and AdamW ---------------------------------------------------------------------------------------------------


def _adam_numbers(*, lr, betas, eps, weight_decay, amsgrad, maximize, l1):
    return None if amsgrad or maximize or l1 else (_ADAM_STATE, (lr, *betas, eps, weight_decay, 0.0))


def _adamw_numbers(*, lr, betas, eps, weight_decay, amsgrad, maximize, l1):
    return None if amsgrad or maximize or l1 else (_ADAM_STATE, (lr, *betas, eps, 0.0, weight_decay))


_ADAM_STATE = "step", "exp_avg", "exp_avg_sq"


def _update_by_adam(parameters, gradients, states, numbers):
    step = states[0]["step"]  # all of them share it
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


@in_place("rules.adam", numbers_of=_adam_numbers, launch=_update_by_adam)
@in_place("rules.adamw", numbers_of=_adamw_numbers, launch=_update_by_adam)
def adam(parameter, gradient, state, exclusive, numbers):
    if not state:
        state = {"step": numpy.zeros((), numpy.int32), "exp_avg": _zeros(parameter), "exp_avg_sq": _zeros(parameter)}
    new = _result_array(parameter, exclusive)
    flat = new.ravel()
    p = flat if new is parameter else parameter.ravel()
    m, v = state["exp_avg"].ravel(), state["exp_avg_sq"].ravel()
    operands = (p, gradient.ravel(), m, v, flat, new is not parameter, state["step"], True, numbers)
    parallel_for(_adam, 8 * new.size, *operands)
    return new, state


def _small_adam(g, p, m, v, step, options, is_first):
    step[()] += is_first
    _adam_range(0, p.size, p, g, m, v, p, False, *_adam_constants(p, step[()], options))


@compiled
def _adam(team, p, g, m, v, new, separate, step, advances, options):
    if advances:
        step[()] += 1
    constants = _adam_constants(p, step[()], options)
    fork_join(team, p.size, 0, _adam_range, (p, g, m, v, new, separate, *constants))


@inner
def _adam_constants(p, step, options):
    """The constants of Adam's update, the decay that is added to the gradient, and the decoupled one."""
    number = p.dtype.type
    lr, beta1, beta2, eps, decay, decoupled_decay = options
    # 1 - b is computed before b is rounded; rate is lr over the bias correction of m, and v_factor is one over the
    # square root of that of v.
    rate, v_factor = lr / _bias_correction(beta1, step), 1 / math.sqrt(_bias_correction(beta2, step))
    complements = number(1 - beta1), number(1 - beta2)
    constants = (number(beta1), number(beta2), *complements, number(rate), number(v_factor), number(eps))
    return constants, number(decay), number(lr * decoupled_decay)


@inner
def _bias_correction(beta, step):
    """1 - beta^step, the weights' sum in a running mean that began at 0."""
    return -math.expm1(math.log(beta) * step) if beta else 1.0


@inner
def _adam_range(first, last, p, g, m, v, new, separate, constants, decay, decoupled_decay):
    # m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2,  p <- p - lr m^ / (sqrt(v^) + eps). In three loops, because the
    # compiler vectorises one that writes three arrays and reads four only if it knows that none of them overlap.
    beta1, beta2, complement1, complement2, rate, v_factor, eps = constants
    for start in range(first, last, _BLOCK):
        stop = min(start + _BLOCK, last)
        p_block, g_block, m_block, v_block = new[start:stop], g[start:stop], m[start:stop], v[start:stop]
        if separate:
            copy_row(p_block, p[start:stop])
        for i in range(p_block.size):
            m_block[i] = beta1 * m_block[i] + complement1 * (g_block[i] + decay * p_block[i])
        for i in range(p_block.size):
            d = g_block[i] + decay * p_block[i]
            v_block[i] = beta2 * v_block[i] + complement2 * d * d
        for i in range(p_block.size):
            step = rate * m_block[i] / (p.dtype.type(math.sqrt(v_block[i])) * v_factor + eps)
            p_block[i] -= decoupled_decay * p_block[i] + step


# --- all optimisers ---------------------------------------------------------------------------------------------------


def _multi_tensor_apply(kernel, rows, shared):
    """Call a kernel for the arrays of each parameter in turn, in one launch.

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


def _result_array(parameter, exclusive):
    """The array for the updated parameter: its own, if that is contiguous and nothing else refers to it."""
    return parameter if exclusive and parameter.flags.carray else numpy.empty(parameter.shape, parameter.dtype)


def _zeros(parameter):
    return numpy.zeros(parameter.shape, parameter.dtype)
