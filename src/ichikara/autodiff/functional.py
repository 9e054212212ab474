r"""Derivatives of functions: gradient, products with the Jacobian and the Hessian, and those matrices themselves.

Each takes a function of tensors and gives a function or a value; they nest. Where something outside still wants to be
differentiated through the result, the result is recorded; elsewhere the sweep runs on plain arrays.
"""

import math
from collections.abc import Callable
from typing import Any

from ..arrays import namespace
from .base import raw
from .engine import Tensor, sweep, wrap
from .graph import reaches_beyond
from .modes import enable_grad, mode
from .operation import alias
from .tensor import asarray
from .tree import flatten, tree_map

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]


def grad(function: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    r"""The function that computes the gradient of a scalar function.

    .. math:: \nabla f = \Bigl(\frac{\partial f}{\partial x_1}, \dots, \frac{\partial f}{\partial x_n}\Bigr)

    Shapes: the gradient has the shape of the argument.

    Arguments: ``function``, of tensors, or of tuples, lists and dictionaries of them, to a single number;
    ``argnums``, by which arguments to differentiate; ``has_aux``, whether the function returns ``(value, aux)``, in
    which case the result is ``(gradient, aux)``.

    Raises ValueError if the value is not a single number.

    >>> grad(lambda x: x**3)(2.0)
    Tensor(12.)
    >>> grad(grad(lambda x: x**3))(2.0)
    Tensor(12.)
    """
    both = value_and_grad(function, argnums, has_aux)

    def gradient(*args, **options):
        value, g = both(*args, **options)
        return (g, value[1]) if has_aux else g

    return gradient


def value_and_grad(function: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """The function that computes a scalar function's value and its gradient, in one pass forward and one back.

    Shapes, arguments and errors: as `grad`; the result is ``(value, gradient)``, or ``((value, aux), gradient)``.

    >>> value_and_grad(lambda x: x * x)(3.0)
    (Tensor(9.), Tensor(6.))
    """

    def both(*args, **options):
        chosen = argnums if isinstance(argnums, tuple) else (argnums,)
        building = mode.grad_enabled
        with enable_grad():
            variables, rebuild = _variables(tuple(args[n] for n in chosen))
            given = list(args)
            for n, tree in zip(chosen, rebuild(variables), strict=True):
                given[n] = tree
            result = function(*given, **options)
            value, aux = result if has_aux else (result, None)
            value = asarray(value)
            if value.size != 1:
                raise ValueError(
                    f"grad() is of functions to a single number, and this value has shape {value.shape}; "
                    "reduce it (sum(), mean()), or use jacobian()"
                )
            beyond = building and _reaches_beyond(value, variables)
            gradients = rebuild(_pull(value, None, variables, beyond))
        value = value if beyond else value.detach()
        aux = tree_map(lambda leaf: _released(leaf, variables, building), aux)
        return (value, aux) if has_aux else value, gradients if isinstance(argnums, tuple) else gradients[0]

    return both


def vjp(function: Callable, *args) -> tuple[Tensor, Callable]:
    r"""The value of a function, and the product of a vector with its Jacobian: what a backward sweep computes.

    .. math:: \bar x = \bar y^\top \frac{\partial y}{\partial x}

    Shapes: the second result takes a gradient of the value's shape, and gives a tuple, one for each argument.

    >>> y, pull = vjp(lambda x: x * x, [1.0, 2.0])
    >>> pull([1.0, 10.0])
    (Tensor([ 2., 40.]),)
    """
    building = mode.grad_enabled
    with enable_grad():
        variables, rebuild = _variables(args)
        value = asarray(function(*rebuild(variables)))
        beyond = _reaches_beyond(value, variables)

    def pull(gradient=None):
        create_graph = mode.grad_enabled and (beyond or _traced(gradient))
        with enable_grad():
            return rebuild(_pull(value, gradient, variables, create_graph))

    return value if building and beyond else value.detach(), pull


def jvp(function: Callable, args: tuple, tangents: tuple) -> tuple[Tensor, Tensor]:
    r"""The value of a function, and its derivative in a direction: the Jacobian times a vector.

    .. math:: \dot y = \frac{\partial y}{\partial x}\, \dot x

    The product with a vector from the left, :math:`\bar y^\top J`, is linear in :math:`\bar y`; its own derivative by
    :math:`\bar y` is :math:`J`, so two sweeps give the product from the right and no operation needs a second rule.

    Shapes: each tangent has its argument's shape; the result has the value's.

    >>> jvp(lambda x: x * x, ([1.0, 2.0],), ([1.0, 10.0],))
    (Tensor([1., 4.]), Tensor([ 2., 40.]))

    Source: J. Townsend, "A new trick for calculating Jacobian vector products" (2017).
    """
    if len(args) != len(tangents):
        raise ValueError(f"jvp() was given {len(args)} arguments and {len(tangents)} tangents; each has one")
    building = mode.grad_enabled
    with enable_grad():
        variables, rebuild = _variables(tuple(args))
        value = asarray(function(*rebuild(variables)))
        beyond = building and _reaches_beyond(value, variables)
        direction = flatten(tuple(tangents))[0]
        if value._node is None:
            return value, wrap(namespace(value._data).zeros_like(value._data), None)
        probe = asarray(namespace(value._data).zeros_like(value._data), requires_grad=True)
        pulled = _sweep_all(value, probe, variables, create_graph=True)
        total: Any = None
        for part, tangent, x in zip(pulled, direction, variables, strict=True):
            tangent = asarray(tangent, dtype=x.dtype)
            if tangent.shape != x.shape:
                raise ValueError(f"a tangent has its argument's shape {x.shape}, not {tangent.shape}")
            if part is not None:
                term = (part * tangent).sum()
                total = term if total is None else total + term
        slope = None
        if total is not None and total._node is not None:
            (slope,) = _sweep_all(total, None, [probe], create_graph=beyond or (building and _traced(tangents)))
        tangent_out = wrap(namespace(value._data).zeros_like(value._data), None) if slope is None else slope
    return value if beyond else value.detach(), tangent_out


def hvp(function: Callable, x, vector) -> Any:
    r"""The Hessian of a scalar function times a vector, without the Hessian.

    .. math:: H v = \nabla_x \bigl( \nabla f(x) \cdot v \bigr)

    Shapes: x, v -> that of x; trees of tensors as well.

    >>> hvp(lambda x: (x**3).sum(), [1.0, 2.0], [1.0, 1.0])
    Tensor([ 6., 12.])

    Source: B. Pearlmutter, "Fast Exact Multiplication by the Hessian" (1994).
    """
    along = flatten(vector)[0]

    def slope(point):
        gradients = flatten(grad(function)(point))[0]
        return sum((g * asarray(v, dtype=g.dtype)).sum() for g, v in zip(gradients, along, strict=True))

    return grad(slope)(x)


def jacobian(function: Callable, argnum: int = 0) -> Callable:
    r"""The function that computes the matrix of all first derivatives, a backward sweep for each row.

    .. math:: J_{ij} = \frac{\partial y_i}{\partial x_j}

    Shapes: y's shape followed by x's.

    >>> jacobian(lambda x: x * x)([1.0, 2.0])
    Tensor([[2., 0.],
            [0., 4.]])
    """

    def matrix(*args):
        def of_one(x):
            return function(*args[:argnum], x, *args[argnum + 1 :])

        value, pull = vjp(of_one, args[argnum])
        xp = Tensor._namespace
        rows = [pull(row)[0] for row in _basis(value)]
        shape = value.shape + asarray(args[argnum]).shape
        return xp.reshape(xp.stack(rows), shape) if rows else xp.zeros(shape, dtype=value.dtype)

    return matrix


def hessian(function: Callable, argnum: int = 0) -> Callable:
    r"""The function that computes the matrix of all second derivatives of a scalar function.

    .. math:: H_{ij} = \frac{\partial^2 f}{\partial x_i \partial x_j}

    Shapes: x's shape twice.

    >>> hessian(lambda x: (x**3).sum())([1.0, 2.0])
    Tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacobian(grad(function, argnum), argnum)


def _variables(trees: tuple) -> tuple[list[Tensor], Callable]:
    """The leaves of the arguments as tensors by which can be differentiated apart from everything else.

    A tuple, since a list of numbers is an array.
    """
    leaves, rebuild = flatten(trees)
    return [_variable(asarray(leaf)) for leaf in leaves], rebuild


def _variable(x: Tensor) -> Tensor:
    if x.requires_grad:
        return alias(x)  # what made x stays reachable, for a derivative of the derivative
    return asarray(raw(x), requires_grad=True)


def _traced(tree) -> bool:
    """Whether something outside wants to differentiate through a result that was made of these."""
    return any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in flatten(tree)[0])


def _released(leaf, variables: list[Tensor], building: bool):
    """A result, still recorded only where something outside wants to differentiate through it."""
    if not isinstance(leaf, Tensor) or (building and _reaches_beyond(leaf, variables)):
        return leaf
    return leaf.detach()


def _pull(value: Tensor, gradient, variables: list[Tensor], create_graph: bool) -> list[Tensor]:
    """The gradients of the variables, zero where the value does not depend on one."""
    parts: list = [None] * len(variables)
    if value._node is not None:
        parts = _sweep_all(value, gradient, variables, create_graph)
    return [
        wrap(namespace(x._data).zeros_like(x._data), None) if part is None else part
        for part, x in zip(parts, variables, strict=True)
    ]


def _sweep_all(value, gradient, variables, create_graph) -> list[Tensor | None]:
    found = sweep(
        value._node,
        value.seed(gradient, create_graph),
        {x._node for x in variables},
        retain=True,
        traced=create_graph,
    )
    parts = [found.get(x._node) for x in variables]
    return [part if part is None or create_graph else wrap(part, None) for part in parts]


def _reaches_beyond(value: Tensor, variables: list[Tensor]) -> bool:
    """Whether the value was made from something else that requires a gradient, or the variables from anything."""
    return reaches_beyond(value._node, {x._node for x in variables})


def _basis(value: Tensor):
    """The gradients that pick out one element of the value each, in order."""
    xp = namespace(value._data)
    identity = xp.eye(math.prod(value.shape), dtype=value.dtype)
    return [wrap(xp.reshape(row, value.shape), None) for row in identity]
