"""Dropout: a different part of the network for every example."""

from ..arrays import Generator
from ..autodiff import Tensor, asarray
from .checks import choose_generator, fraction
from .module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    r"""Disables each element with probability p while training; in evaluation it lets everything through.

    .. math:: y_i = \frac{m_i}{1 - p}\, x_i, \qquad m_i \sim \operatorname{Bernoulli}(1 - p)

    The division keeps the expected value, so that evaluation needs no correction.

    Shapes: (\*) -> (\*).

    Arguments: ``p``, the probability of being disabled, 0 to 1; ``generator``, where the masks are drawn from, by
    default ``ichikara.default_generator()`` at the time of the call.

    Raises UserError for a p outside of 0 to 1.

    >>> import ichikara
    >>> drop = Dropout(0.5, generator=ichikara.Generator(0))
    >>> drop([1.0, 1.0, 1.0, 1.0])
    Tensor([0., 0., 0., 2.])
    >>> drop.eval()([1.0, 1.0, 1.0, 1.0])
    Tensor([1., 1., 1., 1.])

    Source: N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting" (2014).
    """

    def __init__(self, p: float = 0.5, *, generator: Generator | None = None):
        super().__init__()
        self.p = fraction("p", p)
        self.generator = None if generator is None else choose_generator(generator)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return input
        kept = choose_generator(self.generator).bernoulli(1 - self.p, input.shape)
        mask = asarray(kept, dtype=input.dtype)  # (*), 0 or 1
        return input * (mask if self.p == 1 else mask * (1 / (1 - self.p)))

    def extra_repr(self) -> str:
        return f"p={self.p}"
