"""What NumPy's functions do with a Tensor: where its gradient is wanted, they are our operations, or an error.

``np.concatenate([h, h])`` would otherwise take the numbers out, and the gradient would end there without a word; so
would ``np.asarray(h)``, which is an error in `autodiff.base`. ``h.detach()``, ``h.numpy()``, ``no_grad()`` and
``float(h)`` say that the numbers alone are meant. Of tensors whose gradient is not wanted, NumPy's functions give
NumPy's arrays. Its ufuncs are our operations in either case, for ``a + t`` is ``np.add(a, t)`` to NumPy.

Source: NumPy enhancement proposals 13 (``__array_ufunc__``) and 18 (``__array_function__``).
"""

import inspect
from functools import lru_cache

from ..arrays import read_only
from ..autodiff import Tensor, is_grad_enabled, raw
from ..autodiff.tensor import bind
from .numpy_functions import FUNCTIONS, PLAIN, Refused
from .numpy_functions import ufunc as of_ufunc

__all__: list[str] = []  # NumPy calls what is here


@bind("__array_ufunc__")
def _array_ufunc(self, ufunc, method, *inputs, **options):
    ours = of_ufunc(ufunc.__name__, method)
    try:
        if ours is not None and not options:  # an operator, which is not to wait
            return ours(*inputs)
        if any(isinstance(out, Tensor) for out in options.get("out", ())):
            raise TypeError("a tensor is not changed in place, as by out=, so that its gradient stays right")
        return _fitted(ours, inputs, options)
    except Refused as refused:
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        return _by_numpy(getattr(ufunc, method), name, inputs, options, refused)


@bind("__array_function__")
def _array_function(self, function, types, args, options):
    name = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
    if name in PLAIN or not _records((args, options)):
        return function(*_arrays(args), **_arrays(options))
    try:
        return _fitted(FUNCTIONS.get(name), args, options)
    except Refused as refused:
        return _by_numpy(function, name, args, options, refused)


def _fitted(ours, args, options):
    """What our function gives for the arguments of NumPy's. Raises Refused for what it has no place for."""
    if ours is None:
        raise Refused
    options = {name: value for name, value in options.items() if not (name in ("out", "dtype") and value is None)}
    try:
        bound = _signature(ours).bind(*args, **options)
    except TypeError as error:
        raise Refused(str(error)) from None
    if bound.arguments.get("out") is not None:
        raise Refused("out=")
    return ours(*bound.args, **bound.kwargs)


@lru_cache(None)
def _signature(function):
    return inspect.signature(function)


def _by_numpy(function, name, args, options, refused):
    """NumPy's own function of the arrays, where no gradient is lost. Raises TypeError where one would be."""
    if not _records((args, options)):
        return function(*_arrays(args), **_arrays(options))
    if "out" in options:
        raise TypeError(
            f"numpy.{name} would write into an array, as a += t does, and the tensor's gradient would be lost there; "
            "make a new tensor, as a = a + t does, or write the numbers of t.detach()"
        )
    why = f"has no place for this here ({refused})" if str(refused) else "is not among ichikara's operations"
    raise TypeError(
        f"numpy.{name} {why}, and NumPy's own would lose the gradient of a tensor; use operations of ichikara, "
        "or give it t.detach() (or compute under no_grad()) where no gradient is wanted"
    )


def _records(value) -> bool:
    """Whether a tensor is in it whose gradient is wanted."""
    if isinstance(value, Tensor):
        return value.requires_grad and is_grad_enabled()
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return False
    return any(map(_records, value))


def _arrays(value):
    """The same with read-only arrays for tensors."""
    if isinstance(value, Tensor):
        return read_only(raw(value))
    if isinstance(value, dict):
        return {name: _arrays(part) for name, part in value.items()}
    return type(value)(map(_arrays, value)) if type(value) in (list, tuple) else value
