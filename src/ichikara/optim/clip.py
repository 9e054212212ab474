"""Clipping: gradients that are too large are scaled down before a step."""

import math
from collections.abc import Iterable

from ..arrays import namespace, seam, widened
from ..autodiff import Tensor, raw, wrap
from ..errors import UserError
from .checks import at_least_0, number

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def _with_gradient(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    if callable(getattr(parameters, "parameters", None)):
        kind = type(parameters).__name__
        raise TypeError(f"clipping is of the gradients of parameters: give it the .parameters() of this {kind}")
    given = list(parameters)
    for i, parameter in enumerate(given):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"parameter {i} is not a Tensor but of type {type(parameter).__name__}")
    return [parameter for parameter in given if parameter.grad is not None]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    r"""Scale all gradients down if their total norm is above a maximum; return the norm before.

    .. math:: g \leftarrow g \cdot \min\left(1, \frac{c}{\lVert g \rVert_p + 10^{-6}}\right)

    Shapes: -> (), the norm before; float32 of gradients of half precision, whose norm may exceed float16.

    Arguments: ``parameters``, a tensor or several, those without a gradient left out; ``max_norm`` c, in the gradient's
    unit; ``norm_type`` p, ``math.inf`` for the largest component; ``error_if_nonfinite``, whether a norm that is not
    finite is an error. Otherwise the gradients become not finite too.

    Errors: `UserError` for a negative ``max_norm`` or a ``norm_type`` of 0 or less; RuntimeError as said above; nothing
    is changed then.

    >>> import ichikara
    >>> w = ichikara.asarray([0.0, 0.0], requires_grad=True)
    >>> w.grad = ichikara.asarray([3.0, 4.0])
    >>> clip_grad_norm_([w], max_norm=1.0)
    Tensor(5.)
    >>> ichikara.round(w.grad * 100) / 100
    Tensor([0.6, 0.8])

    Source: R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks" (2013);
    ``torch.nn.utils.clip_grad_norm_``.
    """
    if not math.isinf(number("max_norm", max_norm)):
        at_least_0("max_norm", max_norm)
    elif max_norm < 0:
        raise UserError(f"max_norm is a number of at least 0, not {max_norm}")
    if number("norm_type", norm_type) <= 0:
        raise UserError(f"norm_type is a number above 0, such as 2.0 or math.inf, not {norm_type}")
    tensors = _with_gradient(parameters)
    if not tensors:
        return Tensor(0.0)
    gradients = [raw(parameter.grad) for parameter in tensors]
    total, *shortened = seam.interpreter.call(_shortened, gradients, max_norm, norm_type, error_if_nonfinite)
    for parameter, gradient in zip(tensors, shortened, strict=True):
        parameter._keep_grad(wrap(gradient, None))
    return wrap(total, None)


def _shortened(gradients, max_norm, norm_type, error_if_nonfinite):
    """The total norm of these arrays, and after it the arrays, scaled."""
    xp = namespace(*gradients)
    norms = xp.stack([_norm(xp, gradient, norm_type) for gradient in gradients])
    total = xp.asarray(_norm(xp, norms, norm_type))
    if error_if_nonfinite and not bool(xp.isfinite(total)):
        raise RuntimeError(
            f"the gradients have a total norm of {float(total)}, which cannot be clipped: one of them is not "
            "finite. Look for the operation that made it (a logarithm of 0, a division by 0, a learning rate too large)"
        )
    if math.isinf(max_norm):
        return total, *gradients  # the norm alone was asked for, and that may be infinite too
    scale = xp.minimum(xp.asarray(max_norm, dtype=total.dtype) / (total + 1e-6), 1.0)
    return total, *(xp.asarray(gradient * xp.asarray(scale, dtype=gradient.dtype)) for gradient in gradients)


def _norm(xp, x, p):
    """The p-norm of all elements of an array, measured against the largest so that no power overflows."""
    x = xp.abs(widened(x))
    if not x.size:
        return xp.sum(x)
    largest = xp.max(x)
    if math.isinf(p):
        return largest
    # Of zeros and of what is not finite the plain sum of powers is the right answer, or as right as can be.
    unit = xp.where((largest > 0) & xp.isfinite(largest), largest, xp.ones_like(largest))
    return xp.sum((x / unit) ** p) ** (1 / p) * unit


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    r"""Clip each component of each gradient. This changes the direction; `clip_grad_norm_` does not.

    .. math:: g_i \leftarrow \min(\max(g_i, -c), c)

    Arguments: ``parameters``, a tensor or several, those without a gradient left out; ``clip_value`` c, in the
    gradient's unit.

    Errors: `UserError` for a negative ``clip_value``.

    >>> import ichikara
    >>> w = ichikara.asarray([0.0, 0.0], requires_grad=True)
    >>> w.grad = ichikara.asarray([3.0, -0.5])
    >>> clip_grad_value_([w], 1.0)
    >>> w.grad
    Tensor([ 1. , -0.5])

    Source: ``torch.nn.utils.clip_grad_value_``.
    """
    at_least_0("clip_value", clip_value)
    for parameter in _with_gradient(parameters):
        gradient = raw(parameter.grad)
        parameter._keep_grad(wrap(seam.interpreter.call(_cut, gradient, clip_value), None))


def _cut(gradient, size):
    xp = namespace(gradient)
    return xp.asarray(xp.clip(gradient, -size, size))
