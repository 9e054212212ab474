r"""The update of one parameter, one pure function for each optimiser, that reads like its paper.

Every rule takes the parameter θ, the gradient g of the loss by it, and what the optimiser remembers of it, a dictionary
of arrays that is empty before the first step; it returns the new parameter and the new memory, and changes neither of
those it was given. It works on NumPy's arrays and on JAX's, traced ones too, so a whole training step can be staged.

>>> import numpy
>>> w, state = adam(numpy.array([1.0, -2.0]), numpy.array([0.5, 0.1]), {}, lr=0.1)
>>> w.round(6).tolist()  # whatever the slope, the first step is as long as the learning rate
[0.9, -2.1]
>>> sorted(state)
['exp_avg', 'exp_avg_sq', 'step']

Three things are the same in all of them. ``maximize`` climbs instead of descending. ``weight_decay`` pulls the
parameter towards 0. In every rule but `adamw` this pull is *coupled*: it is added to the gradient, as if the penalty
:math:`\tfrac{\lambda}{2} \theta^2` were part of the loss, and so it passes through the momentum, and through the
division by the gradient's size in the adaptive rules. There it shrinks a parameter with large gradients *less* than
one with small ones, which is not what a penalty is for: `adamw` therefore *decouples* it and pulls at the parameter
itself (Loshchilov and Hutter 2019).

``l1`` is the penalty :math:`\lambda_1 |\theta|`, and what is asked of it is that parameters become exactly 0. The
slope of the penalty would not do that, for it jumps there and the parameter would go back and forth. So every rule
ends with the *proximal* step of the penalty, `soft_threshold` by ηλ₁: whatever is nearer to 0 than that becomes 0. It
too is decoupled: nothing of it is in the momentum or in the gradient's size. In the adaptive rules λ₁ therefore
compares with a gradient of about 1: under Adam a parameter becomes 0 where :math:`|\hat m| / \sqrt{\hat v}`, the part
of its gradient that is not noise, is below λ₁. The steps of `adagrad` shrink with time and its threshold does not, so
there a small λ₁ is much.
"""

import math
from functools import wraps

from ..arrays import PYTHON_NUMBERS, int32, namespace

__all__ = ["adagrad", "adam", "adamw", "rmsprop", "sgd", "soft_threshold"]


def _rule(update):
    """What every rule promises, done once: numbers take the parameter's type, and what comes out are arrays of it."""

    @wraps(update)
    def updated(parameter, gradient, state, **options):
        xp, dtype = namespace(parameter, gradient, *state.values()), parameter.dtype
        if not PYTHON_NUMBERS.issuperset(map(type, options.values())):
            options = {name: _number(value, dtype) for name, value in options.items()}
        gradient = xp.asarray(gradient, dtype=dtype)
        parameter, new = update(parameter, gradient, state, **options)
        new = {name: xp.asarray(value, dtype=int32 if name == "step" else dtype) for name, value in new.items()}
        return xp.asarray(parameter), {**state, **new}

    return updated


def _number(value, dtype):
    """An option as a number that does not widen arrays of this type: Python's own, or an array of the type itself."""
    if value.__class__ in PYTHON_NUMBERS:
        return value
    if isinstance(value, tuple | list):
        return tuple(_number(part, dtype) for part in value)
    return namespace(value).asarray(value, dtype=dtype)


def _on(strength):
    """Whether a term takes part: not if its strength is a plain 0. A traced strength always does."""
    return not (strength.__class__ in PYTHON_NUMBERS and strength == 0)


def _descending(parameter, gradient, weight_decay, maximize):
    """The gradient to descend along, of the loss and of its coupled penalty together."""
    g = -gradient if maximize else gradient
    return g + weight_decay * parameter if _on(weight_decay) else g


def soft_threshold(parameter, threshold):
    r"""Every component nearer to 0 by the threshold, and exactly 0 where it would pass it.

    .. math:: \operatorname{sign}(\theta) \max(|\theta| - s, 0)

    Shapes: (*) -> (*).

    It is the proximal step of the L1 penalty: the least :math:`\tfrac12 (\theta' - \theta)^2 + s\,|\theta'|` is there.

    >>> import numpy
    >>> soft_threshold(numpy.array([0.5, -0.25, 0.05]), 0.25).tolist()
    [0.25, 0.0, 0.0]

    Source: I. Daubechies, M. Defrise and C. De Mol (2004); N. Parikh and S. Boyd, "Proximal Algorithms" (2014).
    """
    return parameter - namespace(parameter).clip(parameter, -threshold, threshold)


def _penalised(parameter, lr, l1):
    """The parameter after the proximal step of its L1 penalty."""
    return soft_threshold(parameter, lr * l1) if _on(l1) else parameter


def _share(beta, step, like):
    """1 - βᵗ: how much of a running mean that began at 0 has been filled after t steps.

    Through expm1, for in float32 the difference of 1 and 0.999 has lost three digits.
    """
    xp = namespace(like, beta, step)
    tiny = 1e-30  # stands for β = 0, whose logarithm is none
    logarithm = math.log(max(beta, tiny)) if beta.__class__ in (float, int) else xp.log(xp.maximum(beta, tiny))
    return xp.asarray(-xp.expm1(logarithm * step), dtype=like.dtype)


@_rule
def sgd(
    parameter,
    gradient,
    state,
    *,
    lr=1e-3,
    momentum=0.0,
    dampening=0.0,
    weight_decay=0.0,
    nesterov=False,
    maximize=False,
    l1=0.0,
):
    """Gradient descent; with momentum the parameter rolls like a ball. The formula is at `SGD`.

    Shapes: (*), (*) -> (*), and ``momentum_buffer`` (*).
    """
    g = _descending(parameter, gradient, weight_decay, maximize)
    if not _on(momentum):
        return _penalised(parameter - lr * g, lr, l1), state
    v = state.get("momentum_buffer")
    # The first velocity is the gradient itself, undamped. A copy, for the gradient belongs to others.
    v = namespace(g).asarray(g, copy=True) if v is None else momentum * v + (1 - dampening) * g
    direction = g + momentum * v if nesterov else v
    return _penalised(parameter - lr * direction, lr, l1), {"momentum_buffer": v}


@_rule
def adagrad(
    parameter,
    gradient,
    state,
    *,
    lr=1e-2,
    lr_decay=0.0,
    weight_decay=0.0,
    initial_accumulator_value=0.0,
    eps=1e-10,
    maximize=False,
    l1=0.0,
):
    """Each component's step shrinks with all the gradient that it has seen. The formula is at `Adagrad`.

    Shapes: (*), (*) -> (*), and ``sum`` (*), ``step`` ().
    """
    g = _descending(parameter, gradient, weight_decay, maximize)
    t = state.get("step", 0) + 1
    s = state.get("sum", initial_accumulator_value) + g * g
    rate = _number(lr / (1 + (t - 1) * lr_decay), parameter.dtype)
    stepped = parameter - rate * g / (namespace(s).sqrt(s) + eps)
    return _penalised(stepped, rate, l1), {"step": t, "sum": s}


@_rule
def rmsprop(
    parameter,
    gradient,
    state,
    *,
    lr=1e-2,
    alpha=0.99,
    eps=1e-8,
    weight_decay=0.0,
    momentum=0.0,
    centered=False,
    maximize=False,
    l1=0.0,
):
    """The gradient over the root of the running mean of its square. The formula is at `RMSprop`.

    Shapes: (*), (*) -> (*), and ``square_avg``, ``grad_avg``, ``momentum_buffer`` (*), ``step`` ().
    """
    g = _descending(parameter, gradient, weight_decay, maximize)
    xp = namespace(g)
    v = variance = alpha * state.get("square_avg", 0.0) + (1 - alpha) * (g * g)
    new = {"step": state.get("step", 0) + 1, "square_avg": v}
    if centered:
        m = new["grad_avg"] = alpha * state.get("grad_avg", 0.0) + (1 - alpha) * g
        variance = xp.maximum(v - m * m, 0.0)  # rounding can leave a little less than 0, which has no root
    direction = g / (xp.sqrt(variance) + eps)
    if _on(momentum):
        direction = new["momentum_buffer"] = momentum * state.get("momentum_buffer", 0.0) + direction
    return _penalised(parameter - lr * direction, lr, l1), new


@_rule
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
    """The running mean of the gradient over the root of that of its square. The formula is at `Adam`.

    Shapes: (*), (*) -> (*), and ``exp_avg``, ``exp_avg_sq``, ``max_exp_avg_sq`` (*), ``step`` ().
    """
    beta1, beta2 = betas
    g = _descending(parameter, gradient, weight_decay, maximize)
    xp = namespace(g)
    t = state.get("step", 0) + 1
    m = beta1 * state.get("exp_avg", 0.0) + (1 - beta1) * g
    v = beta2 * state.get("exp_avg_sq", 0.0) + (1 - beta2) * (g * g)
    new = {"step": t, "exp_avg": m, "exp_avg_sq": v}
    if amsgrad:
        v = new["max_exp_avg_sq"] = xp.maximum(state.get("max_exp_avg_sq", 0.0), v)
    m_hat = m / _share(beta1, t, like=m)
    v_hat = v / _share(beta2, t, like=v)
    return _penalised(parameter - lr * m_hat / (xp.sqrt(v_hat) + eps), lr, l1), new


@_rule
def adamw(
    parameter,
    gradient,
    state,
    *,
    lr=1e-3,
    betas=(0.9, 0.999),
    eps=1e-8,
    weight_decay=1e-2,
    amsgrad=False,
    maximize=False,
    l1=0.0,
):
    """`adam`, with a weight decay that pulls at the parameter itself. The formula is at `AdamW`.

    Shapes: as `adam`.
    """
    if _on(weight_decay):
        parameter = parameter - lr * (weight_decay * parameter)
    return adam(parameter, gradient, state, lr=lr, betas=betas, eps=eps, amsgrad=amsgrad, maximize=maximize, l1=l1)
