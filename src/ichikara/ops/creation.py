"""Tensors of given numbers: zeros, ones, ranges, identity matrices."""

from ..arrays import as_dtype, default_float, namespace
from ..autodiff import Tensor, asarray, raw, wrap
from ..autodiff.arguments import check_constant

__all__ = ["arange", "empty", "eye", "full", "full_like", "linspace", "ones", "ones_like", "zeros", "zeros_like"]

_host = namespace()  # where nothing says otherwise: NumPy


def _made(array, requires_grad):
    return asarray(array, requires_grad=True) if requires_grad else wrap(array, None)


def zeros(shape, dtype=default_float, requires_grad=False) -> Tensor:
    """Zeros of a shape. Shapes: -> shape."""
    return _made(_host.zeros(shape, dtype=as_dtype(dtype)), requires_grad)


def ones(shape, dtype=default_float, requires_grad=False) -> Tensor:
    """Ones of a shape. Shapes: -> shape."""
    return _made(_host.ones(shape, dtype=as_dtype(dtype)), requires_grad)


def empty(shape, dtype=default_float) -> Tensor:
    """Zeros of a shape: a tensor is not changed in place, so there is nothing to leave unset for. Shapes: -> shape."""
    return zeros(shape, dtype)


def full(shape, fill_value, dtype=None, requires_grad=False) -> Tensor:
    """One number everywhere; its type is that of `asarray`. Shapes: -> shape."""
    _refuse_gradients("full", fill_value=fill_value)
    value = asarray(fill_value, dtype=dtype)
    return _made(_host.full(shape, raw(value), dtype=value.dtype), requires_grad)


def zeros_like(x, dtype=None) -> Tensor:
    """Zeros of the shape and type of x. Shapes: (*) -> (*)."""
    return _like(x, 0, dtype)


def ones_like(x, dtype=None) -> Tensor:
    """Ones of the shape and type of x. Shapes: (*) -> (*)."""
    return _like(x, 1, dtype)


def full_like(x, fill_value, dtype=None) -> Tensor:
    """One number everywhere, in the shape and type of x. Shapes: (*) -> (*)."""
    _refuse_gradients("full_like", fill_value=fill_value)
    return _like(x, fill_value, dtype)


def _refuse_gradients(function, **numbers):
    """Raise UserError for a tensor that wants a gradient: what is made here is a constant."""
    for name, value in numbers.items():
        if isinstance(value, Tensor):
            check_constant(function, name, value)


def _like(x, value, dtype):
    array = raw(asarray(x))
    return wrap(namespace(array).full_like(array, value, dtype=None if dtype is None else as_dtype(dtype)), None)


def arange(start, stop=None, step=1, dtype=None) -> Tensor:
    """The numbers from start up to stop (without it) in steps; float32 if one of them is a float. Shapes: -> (n,)."""
    _refuse_gradients("arange", start=start, stop=stop, step=step)
    if stop is None:
        start, stop = 0, start
    if dtype is None:
        dtype = default_float if any(isinstance(n, float) for n in (start, stop, step)) else "int64"
    return wrap(_host.arange(start, stop, step, dtype=as_dtype(dtype)), None)


def linspace(start, stop, num, dtype=default_float, endpoint=True) -> Tensor:
    """Numbers at even distances from start to stop. Shapes: -> (num,)."""
    _refuse_gradients("linspace", start=start, stop=stop)
    return wrap(_host.linspace(start, stop, num, dtype=as_dtype(dtype), endpoint=endpoint), None)


def eye(n_rows, n_cols=None, k=0, dtype=default_float) -> Tensor:
    """Ones on a diagonal, zeros elsewhere. Shapes: -> (n_rows, n_cols)."""
    return wrap(_host.eye(n_rows, n_cols, k=k, dtype=as_dtype(dtype)), None)
