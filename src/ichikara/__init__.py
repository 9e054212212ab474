"""ichikara (1から, "from one"): deep learning from almost scratch, to be read, watched and used.

>>> import ichikara
>>> x = ichikara.asarray(2.0, requires_grad=True)
>>> (x**3).backward()
>>> x.grad
Tensor(12.)
"""

from importlib import import_module as _import_module

from . import ops as _ops
from .arrays import Generator, default_generator, seed
from .autodiff import (
    Tensor,
    asarray,
    check_grads,
    enable_grad,
    grad,
    hessian,
    hvp,
    is_grad_enabled,
    jacobian,
    jvp,
    no_grad,
    numerical_grad,
    value_and_grad,
    vjp,
)
from .ops import *  # noqa: F403 - the operations are the package's functions

__version__ = "0.1.0.dev0"

try:
    _import_module(f"{__name__}.fast")
except ModuleNotFoundError as _error:  # without the wing all works, slower
    if _error.name != f"{__name__}.fast":
        raise

# Floors that are imported when they are first named, so that `import ichikara` stays light.
_FLOORS = (
    "arrays",
    "autodiff",
    "charts",
    "cli",
    "data",
    "glass",
    "nn",
    "ops",
    "optim",
    "plot",
    "recipes",
    "stage",
    "train",
    "zoo",
)

__all__ = [
    *_ops.__all__,
    "Generator",
    "Tensor",
    "asarray",
    "check_grads",
    "default_generator",
    "enable_grad",
    "grad",
    "hessian",
    "hvp",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "no_grad",
    "numerical_grad",
    "seed",
    "value_and_grad",
    "vjp",
    *_FLOORS,
]


def __getattr__(name):
    if name in _FLOORS:
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'ichikara' has no attribute '{name}'")


def __dir__():
    return sorted(__all__)
