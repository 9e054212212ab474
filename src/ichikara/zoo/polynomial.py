"""Polynomial regression: a linear layer on the powers of a number."""

from .. import nn, ops

__all__ = ["Polynomial"]


class Polynomial(nn.Module):
    r"""A polynomial whose coefficients are learnt.

    .. math:: y = \sum_{k=0}^{d} w_k \Bigl(\frac{x}{s}\Bigr)^k

    Shapes: (n, 1) -> (n, 1).

    Arguments: ``degree``, d; ``scale``, s, about the largest input, which keeps the powers of one size.

    >>> Polynomial(3)([[0.5]]).shape
    (1, 1)

    Source: the lecture's D1; C. Bishop, PRML (2006), section 1.1.
    """

    def __init__(self, degree: int = 3, scale: float = 1.5):
        super().__init__()
        self.degree, self.scale = degree, scale
        self.coefficients = nn.Linear(degree, 1)
        nn.init.zeros_(self.coefficients.weight)
        nn.init.zeros_(self.coefficients.bias)

    def forward(self, x):
        u = x / self.scale
        powers = [u]
        for _ in range(self.degree - 1):
            powers.append(powers[-1] * u)
        return self.coefficients(ops.concat(powers, axis=-1))

    def extra_repr(self):
        return f"degree={self.degree}, scale={self.scale}"
