"""Tensors of given numbers: zeros, ones, ranges, identity matrices.


In all of them ``dtype=None`` is the default: float32 for real numbers, else the type of the numbers that were given.
``device`` is ``'cpu'`` or None.
"""

from ..arrays import as_dtype, check_device, default_float, is_floating, namespace
from ..autodiff import Tensor, asarray, is_grad_enabled, raw, wrap
from ..autodiff.arguments import check_constant
from .shape import broadcast_to

__all__ = [
    "arange",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "linspace",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]

_host = namespace()  # where nothing says otherwise: NumPy


def _made(array, device, requires_grad=False):
    check_device(device)
    return asarray(array, requires_grad=True) if requires_grad else wrap(array, None)


def zeros(shape, dtype=None, requires_grad=False, device=None) -> Tensor:
    """Zeros of a shape. Shapes: -> shape."""
    return _made(_host.zeros(shape, dtype=as_dtype(dtype)), device, requires_grad)


def ones(shape, dtype=None, requires_grad=False, device=None) -> Tensor:
    """Ones of a shape. Shapes: -> shape."""
    return _made(_host.ones(shape, dtype=as_dtype(dtype)), device, requires_grad)


def empty(shape, dtype=None, device=None) -> Tensor:
    """Zeros of a shape: a tensor is not changed in place, so there is nothing to leave unset for. Shapes: -> shape."""
    return zeros(shape, dtype, device=device)


def full(shape, fill_value, dtype=None, requires_grad=False, device=None) -> Tensor:
    """One number everywhere; its type is that of `asarray`, and the gradient of a Tensor is kept. Shapes: -> shape."""
    value = asarray(fill_value, dtype=dtype)
    if value.requires_grad and is_grad_enabled() and not requires_grad:
        check_device(device)
        return broadcast_to(value, (shape,) if isinstance(shape, int) else shape)
    return _made(_host.full(shape, raw(value), dtype=value.dtype), device, requires_grad)


def zeros_like(x, dtype=None, device=None) -> Tensor:
    """Zeros of the shape and type of x. Shapes: (*) -> (*)."""
    return _like(x, 0, dtype, device)


def ones_like(x, dtype=None, device=None) -> Tensor:
    """Ones of the shape and type of x. Shapes: (*) -> (*)."""
    return _like(x, 1, dtype, device)


def empty_like(x, dtype=None, device=None) -> Tensor:
    """Zeros of the shape and type of x, as `empty` gives them. Shapes: (*) -> (*)."""
    return _like(x, 0, dtype, device)


def full_like(x, fill_value, dtype=None, device=None) -> Tensor:
    """One number everywhere, in the shape and type of x. Shapes: (*) -> (*)."""
    if isinstance(fill_value, Tensor):
        x = asarray(x)
        return full(x.shape, fill_value, x.dtype if dtype is None else dtype, device=device)
    return _like(x, fill_value, dtype, device)


def _like(x, value, dtype, device):
    array = raw(asarray(x))
    made = namespace(array).full_like(array, value, dtype=None if dtype is None else as_dtype(dtype))
    return wrap(made, None) if device is None else _made(made, device)


def arange(start, stop=None, step=1, dtype=None, device=None) -> Tensor:
    """The numbers from start up to stop (without it) in steps; float32 if one of them is a float. Shapes: -> (n,)."""
    _refuse_gradients("arange", start=start, stop=stop, step=step)
    if stop is None:
        start, stop = 0, start
    if dtype is None:
        dtype = default_float if any(_is_real(n) for n in (start, stop, step)) else "int64"
    return _made(_host.arange(start, stop, step, dtype=as_dtype(dtype)), device)


def _refuse_gradients(function, **numbers):
    """Raise UserError for a tensor that wants a gradient: what is made here is a constant."""
    for name, value in numbers.items():
        if isinstance(value, Tensor):
            check_constant(function, name, value)


def _is_real(number):
    return is_floating(number) if hasattr(number, "dtype") else isinstance(number, float)


def linspace(start, stop, num, dtype=None, endpoint=True, device=None) -> Tensor:
    """Numbers at even distances from start to stop. Shapes: -> (num,)."""
    _refuse_gradients("linspace", start=start, stop=stop)
    return _made(_host.linspace(start, stop, num, dtype=as_dtype(dtype), endpoint=endpoint), device)


def eye(n_rows, n_cols=None, k=0, dtype=None, device=None) -> Tensor:
    """Ones on a diagonal, zeros elsewhere. Shapes: -> (n_rows, n_cols)."""
    return _made(_host.eye(n_rows, n_cols, k=k, dtype=as_dtype(dtype)), device)
