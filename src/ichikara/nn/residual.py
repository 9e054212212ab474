"""Residual connections."""

from ..autodiff import Tensor
from ..errors import UserError
from .module import Module, not_a_module

__all__ = ["Residual"]


class Residual(Module):
    r"""Adds a function's input to its output, so that it learns the difference, and the gradient bypasses it.

    .. math:: y = a\bigl(f(x) + s(x)\bigr), \qquad
        \frac{\partial y}{\partial x} = a' \Bigl(\frac{\partial f}{\partial x} + \frac{\partial s}{\partial x}\Bigr)

    With the identity as shortcut s the second term is 1, however deep the network.

    Shapes: those of f, which s gives too.

    Arguments: ``function``, f, a module; ``shortcut``, s, a module where f changes the shape, by default the identity;
    ``activation``, a, a module that the sum goes through, by default none.

    Raises TypeError for what is not a module; UserError where f and s give different shapes.

    >>> from ichikara.nn import Linear, ReLU, Sequential
    >>> block = Residual(Sequential(Linear(4, 8), ReLU(), Linear(8, 4)))
    >>> block([[1.0, 2.0, 3.0, 4.0]]).shape
    (1, 4)

    Source: K. He et al., "Deep Residual Learning for Image Recognition" (2015).
    """

    def __init__(self, function: Module, shortcut: Module | None = None, activation: Module | None = None):
        super().__init__()
        if not isinstance(function, Module):
            raise TypeError(not_a_module(function))
        self.register_module("function", function)
        self.register_module("shortcut", shortcut)
        self.register_module("activation", activation)

    def forward(self, input: Tensor) -> Tensor:
        change = self.function(input)
        past = input if self.shortcut is None else self.shortcut(input)
        if change.shape != past.shape:
            what = "the input" if self.shortcut is None else "the shortcut's output"
            raise UserError(
                f"Residual adds what its function gives, of shape {change.shape}, to {what}, of shape {past.shape}; "
                "give it a shortcut that leads to the same shape, such as a Conv2d with kernel_size=1 or a Linear"
            )
        output = change + past
        return output if self.activation is None else self.activation(output)
