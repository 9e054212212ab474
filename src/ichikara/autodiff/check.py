r"""The derivative's proof: compare it with the difference quotient of its definition."""

from collections.abc import Callable
from typing import Any

from ..arrays import Generator, to_numpy
from .engine import Tensor, wrap
from .functional import grad
from .modes import no_grad
from .tensor import asarray
from .tree import flatten

__all__ = ["GradientError", "check_grads", "numerical_grad"]


class GradientError(AssertionError):
    """A gradient is not the slope of its function; the message says which, where and by how much."""


def numerical_grad(function: Callable, x, eps: float = 1e-6) -> Tensor:
    r"""The gradient by its definition: vary one element at a time and hold the others.

    .. math:: \frac{\partial f}{\partial x_i}
        \approx \frac{f(x + \varepsilon e_i) - f(x - \varepsilon e_i)}{2\varepsilon}

    It takes two evaluations for each element, where a backward sweep takes one for all of them.

    Shapes: that of x; computed in float64.

    >>> numerical_grad(lambda x: (x * x).sum(), [1.0, 2.0]).numpy().round(6).tolist()
    [2.0, 4.0]
    """
    point = to_numpy(asarray(x, dtype="float64")._data).copy()
    slopes = point.copy()
    with no_grad():
        for i in range(point.size):
            kept = point.flat[i]
            point.flat[i] = kept + eps
            above = asarray(function(asarray(point, copy=True))).item()
            point.flat[i] = kept - eps
            below = asarray(function(asarray(point, copy=True))).item()
            point.flat[i] = kept
            slopes.flat[i] = (above - below) / (2 * eps)
    return wrap(slopes, None)


def check_grads(
    function: Callable, *args, order: int = 2, eps: float = 1e-5, rtol: float = 1e-6, atol: float = 1e-8, seed: int = 0
) -> None:
    r"""Raise unless a function's gradients are its slopes, to second order, in float64.

    .. math:: \nabla \phi(x) \cdot v \approx \frac{4}{3} D_\varepsilon - \frac{1}{3} D_{2\varepsilon}, \qquad
        D_\varepsilon = \frac{\phi(x + \varepsilon v) - \phi(x - \varepsilon v)}{2 \varepsilon}, \qquad
        \phi(x) = \langle u, f(x) \rangle

    A random projection u of the outputs and a random direction v of the inputs test all derivatives at once; the
    second order does the same with the gradient as the function.

    Arguments: ``function``, of tensors to a tensor; ``args``, its arguments, of which the floating-point ones are
    tested, as float64; ``order``, 1 or 2; ``eps``, the step; ``rtol`` and ``atol``, how far apart the two may be,
    relative to the larger slope and absolutely; ``seed``, of the projections.

    Raises GradientError, which names the argument and the element that is furthest off.

    >>> import ichikara
    >>> check_grads(ichikara.tanh, [0.5, -1.0])

    Source: Golub and Ortega, "Scientific Computing and Differential Equations" (1992), for the quotient.
    """
    tensors = [a if isinstance(a, dict) or not _is_real(a) else asarray(a, dtype="float64") for a in args]
    _check(function, tensors, order, eps, rtol, atol, Generator(seed), name=getattr(function, "__name__", "function"))


def _is_real(value: Any) -> bool:
    return not isinstance(value, str | bool | type(None)) and asarray(value).dtype.kind == "f"


def _check(function, args, order, eps, rtol, atol, random, name):
    chosen = [n for n, a in enumerate(args) if isinstance(a, Tensor) and a.dtype.kind == "f"]
    if not chosen:
        raise TypeError(f"check_grads() of {name} was given no floating-point argument to differentiate by")
    weights: list = []

    def projected(*given):
        """The projection of all outputs on one fixed random direction: a single number."""
        outputs = [o for o in flatten(function(*given))[0] if isinstance(o, Tensor) and o.dtype.kind == "f"]
        while len(weights) < len(outputs):
            weights.append(asarray(random.normal(outputs[len(weights)].shape, dtype="float64")))
        total = asarray(0.0, dtype="float64")
        for output, weight in zip(outputs, weights, strict=True):
            total = total + (output * weight).sum()
        return total

    gradients = grad(projected, tuple(chosen))(*args)
    with no_grad():
        for n, g in zip(chosen, gradients, strict=True):
            if g.shape != args[n].shape:
                raise GradientError(f"{name}: the gradient of argument {n} has shape {g.shape}, not {args[n].shape}")
            if not args[n].size:
                continue
            for _ in range(2):
                v = asarray(random.normal(args[n].shape, dtype="float64"))
                told = (g * v).sum().item()
                slope, scale = _slope(projected, args, n, v, eps)
                # Rounding in the values limits what a quotient can show.
                if not abs(told - slope) <= atol + rtol * max(abs(told), abs(slope)) + 1e-14 * scale / eps:
                    raise GradientError(_complaint(name, projected, args, n, g, told, slope, eps))
    if order > 1:

        def gradient(*given):
            return grad(projected, tuple(chosen))(*given)

        _check(gradient, args, order - 1, eps, max(rtol, 1e-5), atol, random, f"the gradient of {name}")


def _slope(function, args, n, v, eps):
    """The slope of a function of argument n along v by two difference quotients, and the size of its values."""

    def at(step):
        return function(*args[:n], args[n] + step * v, *args[n + 1 :]).item()

    ahead, behind, far_ahead, far_behind = at(eps), at(-eps), at(2 * eps), at(-2 * eps)
    slope = (8 * (ahead - behind) - (far_ahead - far_behind)) / (12 * eps)
    return slope, max(abs(ahead), abs(behind))


def _complaint(name, projected, args, n, g, told, slope, eps):
    exact = numerical_grad(lambda x: projected(*args[:n], x, *args[n + 1 :]), args[n], eps).numpy()
    off = abs(g.numpy() - exact)
    worst = int(off.reshape(-1).argmax())
    index = tuple(int(i) for i in _unravel(worst, g.shape))
    return (
        f"{name}: along a random direction of argument {n} the gradient says {told:.10g}, and the slope is "
        f"{slope:.10g}; furthest off at {index}: {g.numpy().reshape(-1)[worst]:.10g} "
        f"where the difference quotient gives {exact.reshape(-1)[worst]:.10g}"
    )


def _unravel(position, shape):
    index = []
    for length in reversed(shape):
        position, i = divmod(position, length)
        index.append(i)
    return reversed(index)
