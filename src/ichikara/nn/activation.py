"""Activation functions."""

from .. import ops
from ..autodiff import Tensor
from ..checks import positive
from ..errors import UserError, choose
from .module import Module

__all__ = [
    "ELU",
    "GELU",
    "LeakyReLU",
    "LogSoftmax",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Step",
    "Tanh",
]


class Step(Module):
    r"""The unit step of the perceptron: 1 above the threshold, 0 at it and below.

    .. math:: y = [x > \theta]

    Its derivative is 0 wherever it exists, so no gradient flows back through it.

    Shapes: (\*) -> (\*).

    Arguments: ``threshold``, θ.

    >>> Step()([-1.0, 0.0, 1.0])
    Tensor([0., 0., 1.])

    Source: F. Rosenblatt, "The Perceptron" (1958).
    """

    def __init__(self, threshold: float = 0.0):
        super().__init__()
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        return ops.heaviside(input - self.threshold)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}"


class Sigmoid(Module):
    r"""Logistic sigmoid: a step made smooth, from 0 to 1.

    .. math:: y = \sigma(x) = \frac{1}{1 + e^{-x}}, \qquad \sigma' = \sigma (1 - \sigma)

    Shapes: (\*) -> (\*).

    >>> Sigmoid()([0.0])
    Tensor([0.5])

    Source: D. Rumelhart, G. Hinton and R. Williams, "Learning representations by back-propagating errors" (1986).
    """

    def forward(self, input: Tensor) -> Tensor:
        return ops.sigmoid(input)


class Tanh(Module):
    r"""Hyperbolic tangent: a sigmoid from -1 to 1.

    .. math:: y = \tanh x = \frac{e^x - e^{-x}}{e^x + e^{-x}}, \qquad \tanh' = 1 - \tanh^2

    Shapes: (\*) -> (\*).

    >>> Tanh()([0.0])
    Tensor([0.])

    Source: Y. LeCun et al., "Efficient BackProp" (1998).
    """

    def forward(self, input: Tensor) -> Tensor:
        return ops.tanh(input)


class ReLU(Module):
    r"""Rectified linear unit: passes what is positive. Its slope at 0 is taken as 0.

    .. math:: y = \max(x, 0)

    Shapes: (\*) -> (\*).

    >>> ReLU()([-1.0, 2.0])
    Tensor([0., 2.])

    Source: V. Nair and G. Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines" (2010).
    """

    def forward(self, input: Tensor) -> Tensor:
        return ops.relu(input)


class LeakyReLU(Module):
    r"""Rectified linear unit with a small slope for negative input, so that its gradient never vanishes there.

    .. math:: y = x \text{ where } x > 0 \text{ else } a x

    Shapes: (\*) -> (\*).

    Arguments: ``negative_slope``, a.

    >>> LeakyReLU(0.03)([-1.0, 2.0])
    Tensor([-0.03,  2.  ])

    Source: A. Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models" (2013).
    """

    def __init__(self, negative_slope: float = 0.01):
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        return ops.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    r"""Exponential linear unit: negative input saturates at -α.

    .. math:: y = x \text{ where } x > 0 \text{ else } \alpha (e^x - 1)

    Shapes: (\*) -> (\*).

    Arguments: ``alpha``, α.

    >>> ELU()([-1000.0, 2.0])
    Tensor([-1.,  2.])

    Source: D.-A. Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units" (2015).
    """

    def __init__(self, alpha: float = 1.0):
        super().__init__()
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        return ops.elu(input, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    r"""Gaussian error linear unit: the input, times the probability that a normal number lies below it.

    .. math:: y = x\,\Phi(x) \approx \tfrac{x}{2} \Bigl(1 + \tanh\bigl(\sqrt{2/\pi}\,(x + 0.044715\,x^3)\bigr)\Bigr)

    Shapes: (\*) -> (\*).

    Arguments: ``approximate``, ``'none'``, or ``'tanh'`` for the form on the right.

    Raises UserError for another word.

    >>> GELU()([0.0])
    Tensor([0.])

    Source: D. Hendrycks and K. Gimpel, "Gaussian Error Linear Units" (2016).
    """

    def __init__(self, approximate: str = "none"):
        super().__init__()
        self.approximate = choose("approximation of GELU", approximate, {"none": "none", "tanh": "tanh"})

    def forward(self, input: Tensor) -> Tensor:
        return ops.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    r"""Sigmoid linear unit, also called swish: the input, times its sigmoid.

    .. math:: y = x\,\sigma(x)

    Shapes: (\*) -> (\*).

    >>> SiLU()([0.0])
    Tensor([0.])

    Source: P. Ramachandran et al., "Searching for Activation Functions" (2017).
    """

    def forward(self, input: Tensor) -> Tensor:
        return ops.silu(input)


class Softplus(Module):
    r"""A smooth rectified linear unit; beyond the threshold it is the input itself.

    .. math:: y = \tfrac{1}{\beta} \ln(1 + e^{\beta x})

    Shapes: (\*) -> (\*).

    Arguments: ``beta``, β, above 0; ``threshold``, of βx.

    Raises UserError for a beta that is not above 0.

    >>> Softplus()([100.0])
    Tensor([100.])

    Source: C. Dugas et al., "Incorporating Second-Order Functional Knowledge for Better Option Pricing" (2001).
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__()
        self.beta, self.threshold = positive("beta", beta), threshold

    def forward(self, input: Tensor) -> Tensor:
        return ops.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class _OverAxis(Module):
    """What both softmaxes share: the axis, which may be left out."""

    def __init__(self, dim: int | None = None):
        super().__init__()
        self.dim = dim

    def _axis(self, input: Tensor) -> int:
        if self.dim is None:
            if input.ndim > 2:
                raise UserError(f"{self!r}: say which axis of {input.shape} is meant, such as dim=1 for the classes")
            return -1
        if not -input.ndim <= self.dim < input.ndim:
            raise UserError(f"{self!r}: an input of shape {input.shape} has no axis {self.dim}")
        return self.dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_OverAxis):
    r"""Exponentials that add up to 1 along an axis: probabilities of classes.

    .. math:: y_i = \frac{e^{x_i}}{\sum_j e^{x_j}}

    Shapes: (\*) -> (\*).

    Arguments: ``dim``, the axis; None is the last one of an input with one or two axes.

    Raises UserError where ``dim`` is missing, or is an axis that the input does not have.

    >>> Softmax(dim=1)([[0.0, 0.0]])
    Tensor([[0.5, 0.5]])

    Source: J. Bridle, "Probabilistic Interpretation of Feedforward Classification Network Outputs" (1990).
    """

    def forward(self, input: Tensor) -> Tensor:
        return ops.softmax(input, self._axis(input))


class LogSoftmax(_OverAxis):
    r"""Logarithm of `Softmax`, exact where the softmax itself would round to 0.

    .. math:: y_i = x_i - \ln \sum_j e^{x_j}

    Shapes: (\*) -> (\*).

    Arguments: ``dim``, the axis; None is the last one of an input with one or two axes.

    Raises UserError where ``dim`` is missing, or is an axis that the input does not have.

    >>> LogSoftmax(dim=1)([[1000.0, 0.0]])
    Tensor([[    0., -1000.]])

    Source: C. Bishop, "Pattern Recognition and Machine Learning" (2006), section 4.3.4.
    """

    def forward(self, input: Tensor) -> Tensor:
        return ops.log_softmax(input, self._axis(input))
