"""Floor 2: the chain rule. Tensors that remember what made them, the record of an operation, and the sweep back."""

from .base import raw
from .check import GradientError, check_grads, numerical_grad
from .engine import Operation, Tensor, wrap
from .functional import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .modes import enable_grad, is_grad_enabled, no_grad
from .operation import Composition, alias, composed, op, operations, verify
from .tensor import asarray
from .tree import flatten, tree_map

__all__ = [
    "Composition",
    "GradientError",
    "Operation",
    "Tensor",
    "alias",
    "asarray",
    "check_grads",
    "composed",
    "enable_grad",
    "flatten",
    "grad",
    "hessian",
    "hvp",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "no_grad",
    "numerical_grad",
    "op",
    "operations",
    "raw",
    "tree_map",
    "value_and_grad",
    "verify",
    "vjp",
    "wrap",
]
