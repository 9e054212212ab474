"""Dropout: random elements or channels are zeroed while training."""

from ..arrays import Generator, choose_generator
from ..autodiff import Tensor, asarray
from ..checks import fraction
from ..errors import UserError
from .module import Module

__all__ = ["Dropout", "Dropout1d", "Dropout2d"]


class Dropout(Module):
    r"""Zeroes each element with probability p while training; in evaluation it is the identity.

    .. math:: y_i = \frac{m_i}{1 - p}\, x_i, \qquad m_i \sim \operatorname{Bernoulli}(1 - p)

    The division keeps the expected value, so that evaluation needs no correction.

    Shapes: (\*) -> (\*).

    Arguments: ``p``, the probability of an element to be zeroed, 0 to 1; ``generator``, where the masks are drawn from,
    by default ``ichikara.default_generator()`` at the time of the call.

    Raises UserError for a p outside of 0 to 1.

    >>> import ichikara
    >>> drop = Dropout(0.5, generator=ichikara.Generator(0))
    >>> drop([1.0, 1.0, 1.0, 1.0])
    Tensor([0., 0., 2., 2.])
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
        drawn = choose_generator(self.generator).bernoulli(1 - self.p, self._mask_shape(input))
        mask = asarray(drawn, dtype=input.dtype)  # 0 or 1
        return input * (mask if self.p == 1 else mask * (1 / (1 - self.p)))

    def extra_repr(self) -> str:
        return f"p={self.p}"

    def _mask_shape(self, input: Tensor) -> tuple[int, ...]:
        """The shape of the mask: here each element is drawn independently."""
        return input.shape


class _ChannelDropout(Dropout):
    """Whole channels are zeroed."""

    _axes: int

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (self._axes + 1, self._axes + 2):
            lengths = "height, width" if self._axes == 2 else "length"
            raise UserError(
                f"{self!r} takes inputs of shape (n, channels, {lengths}), and this one has shape {input.shape}"
            )
        return super().forward(input)

    def _mask_shape(self, input: Tensor) -> tuple[int, ...]:
        return (*input.shape[: -self._axes], *(1,) * self._axes)


class Dropout2d(_ChannelDropout):
    r"""Zeroes whole channels of images with probability p while training.

    .. math:: y_{n c i} = \frac{m_{n c}}{1 - p}\, x_{n c i}, \qquad m_{n c} \sim \operatorname{Bernoulli}(1 - p)

    Neighbouring pixels are correlated, so a single one that `Dropout` zeroes can be inferred from the others.

    Shapes: (n, c, h, w) or (c, h, w) -> the same.

    Arguments: as of `Dropout`.

    Raises UserError for a p outside of 0 to 1, and for an input of another shape.

    >>> import ichikara
    >>> drop = Dropout2d(0.5, generator=ichikara.Generator(0))
    >>> drop(ichikara.ones((1, 4, 1, 2))).tolist()
    [[[[0.0, 0.0]], [[0.0, 0.0]], [[2.0, 2.0]], [[2.0, 2.0]]]]

    Source: J. Tompson et al., "Efficient Object Localization Using Convolutional Networks" (2014).
    """

    _axes = 2


class Dropout1d(_ChannelDropout):
    r"""Zeroes whole channels of sequences with probability p while training: as `Dropout2d`.

    .. math:: y_{n c i} = \frac{m_{n c}}{1 - p}\, x_{n c i}, \qquad m_{n c} \sim \operatorname{Bernoulli}(1 - p)

    Shapes: (n, c, l) or (c, l) -> the same.

    Arguments: as of `Dropout`.

    Raises UserError for a p outside of 0 to 1, and for an input of another shape.

    >>> import ichikara
    >>> drop = Dropout1d(0.5, generator=ichikara.Generator(0))
    >>> drop(ichikara.ones((1, 4, 2))).tolist()
    [[[0.0, 0.0], [0.0, 0.0], [2.0, 2.0], [2.0, 2.0]]]

    Source: J. Tompson et al., "Efficient Object Localization Using Convolutional Networks" (2014).
    """

    _axes = 1
