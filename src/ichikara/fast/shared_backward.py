"""A backward pass that the rules of several inputs share."""

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["RecurrentGradients", "SharedBackward"]


class SharedBackward:
    """A backward pass shared by the rules of several inputs: the first rule runs it, the others get its result.

    It is a residual of an operation: the function keeps what it needs of the forward pass.
    """

    def __init__(self, function: Callable):
        self.function, self.g, self.result = function, None, None

    def __call__(self, g) -> Any:
        if self.g is not g:
            self.g, self.result = g, self.function(g)
        return self.result


class RecurrentGradients(NamedTuple):
    """The result of backpropagation through time. The gradients of the weights are products with ``x`` and ``h``."""

    x: Any  # the gradients of the weighted sums of the inputs, (T, n, gates * size)
    h: Any  # those of the weighted sums of the hidden states; only the GRU's differ
    b_ih: Callable[[], Any]  # the gradient of the inputs' bias, (gates * size)
    b_hh: Callable[[], Any]  # that of the hidden states' bias
    h0: Any  # the gradients of the states before the first step, (n, size)
    c0: Any = None
