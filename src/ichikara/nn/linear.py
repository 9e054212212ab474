"""Fully connected layers, and modules that only reshape."""

import math
from typing import Any

from .. import ops
from ..arrays import default_float
from ..autodiff import Tensor
from ..checks import whole_number
from ..errors import UserError
from . import init
from .module import Module
from .parameter import Parameter

__all__ = ["Flatten", "Identity", "Linear", "Unflatten"]


class Linear(Module):
    r"""A fully connected layer, without activation: each neuron adds its bias to a weighted sum of all inputs.

    .. math:: y = x W^\top + b

    Weights and biases start uniform between :math:`\pm 1 / \sqrt{\text{in\_features}}`.

    Shapes: (\*, in_features) -> (\*, out_features); ``weight`` (out_features, in_features), ``bias`` (out_features).

    Arguments: ``in_features``, the length of an input; ``out_features``, the number of neurons; ``bias``, whether they
    have one; ``dtype``, the type of the parameters, float32 by default.

    Raises UserError for an input of another length.

    >>> layer = Linear(4, 3)
    >>> layer([[1.0, 2.0, 3.0, 4.0]]).shape
    (1, 3)

    Source: PyTorch's ``torch.nn.Linear``; the start, Y. LeCun et al., "Efficient BackProp" (1998).
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = None):
        super().__init__()
        self.in_features = whole_number("in_features", in_features)
        self.out_features = whole_number("out_features", out_features)
        dtype = dtype or default_float
        self.weight = Parameter(ops.zeros((self.out_features, self.in_features), dtype=dtype))
        self.register_parameter("bias", Parameter(ops.zeros((self.out_features,), dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values for the parameters."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim < 1 or input.shape[-1] != self.in_features:
            flat = math.prod(input.shape[1:]) == self.in_features
            raise UserError(
                f"{self!r} takes inputs of shape (*, {self.in_features}), and this one has shape {input.shape}"
                + ("; put Flatten() before it" if flat else "")
            )
        return ops.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Identity(Module):
    r"""The input, unchanged: a placeholder for a layer.

    .. math:: y = x

    Shapes: (\*) -> (\*). Arguments are ignored.

    >>> Identity()([1.0, 2.0])
    Tensor([1., 2.])

    Source: PyTorch's ``torch.nn.Identity``.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Flatten(Module):
    r"""Several axes as one: an image becomes a vector.

    .. math:: y = \operatorname{vec} x

    Shapes: (n, \*) -> (n, product of \*), with the default axes.

    Arguments: ``start_dim`` and ``end_dim``, the first and the last axis of those that become one.

    Raises UserError for axes that the input does not have, or in the wrong order.

    >>> Flatten()([[[1.0, 2.0], [3.0, 4.0]]])
    Tensor([[1., 2., 3., 4.]])

    Source: PyTorch's ``torch.nn.Flatten``.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        first, last = (_axis(self, dim, input.shape) for dim in (self.start_dim, self.end_dim))
        if first > last:
            raise UserError(f"{self!r}: of an input of shape {input.shape} axis {first} comes after axis {last}")
        return ops.flatten(input, first, last)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    r"""One axis as several: the reverse of `Flatten`.

    .. math:: x = \operatorname{vec} y

    Shapes: (\*a, n, \*b) -> (\*a, \*unflattened_size, \*b).

    Arguments: ``dim``, the axis; ``unflattened_size``, the lengths that it becomes, of which one may be -1, to be
    inferred.

    Raises UserError where the lengths do not make up the axis.

    >>> Unflatten(1, (2, 2))([[1.0, 2.0, 3.0, 4.0]])
    Tensor([[[1., 2.],
             [3., 4.]]])

    Source: PyTorch's ``torch.nn.Unflatten``.
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...] | list[int]):
        super().__init__()
        if not isinstance(unflattened_size, tuple | list) or [n for n in unflattened_size if type(n) is not int]:
            raise UserError(f"unflattened_size is a tuple of whole numbers, not {unflattened_size!r}")
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        axis = _axis(self, self.dim, input.shape)
        length, sizes = input.shape[axis], list(self.unflattened_size)
        if sizes.count(-1) == 1:  # inferred here, because an input without elements would leave it open
            known = math.prod(n for n in sizes if n != -1)
            sizes[sizes.index(-1)] = length // known if known else 0
        if math.prod(sizes) != length or min(sizes, default=0) < 0:
            raise UserError(f"{self!r}: axis {axis} of an input of shape {input.shape} does not have these lengths")
        return ops.reshape(input, (*input.shape[:axis], *sizes, *input.shape[axis + 1 :]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def _axis(layer: Module, dim: int, shape: tuple[int, ...]) -> int:
    if not -len(shape) <= dim < len(shape):
        raise UserError(f"{layer!r}: an input of shape {shape} has no axis {dim}; is the axis of the batch missing?")
    return dim % len(shape)
