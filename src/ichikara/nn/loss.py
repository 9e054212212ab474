"""Losses: how far predictions are from their targets, as modules."""

from typing import Any

from .. import ops
from ..autodiff import Tensor
from ..checks import fraction, positive
from ..errors import UserError, choose
from .module import Module

__all__ = ["BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "L1Loss", "MSELoss", "NLLLoss"]


class _Loss(Module):
    """What the losses share: how the losses of the elements are reduced."""

    def __init__(self, *, reduction: str = "mean"):
        super().__init__()
        self.reduction: str = choose("reduction", reduction, {"none": "none", "mean": "mean", "sum": "sum"})


class L1Loss(_Loss):
    r"""Mean of absolute differences: each error counts by its size.

    .. math:: L = \tfrac{1}{n} \sum_i |x_i - y_i|

    Shapes: input (\*), target (\*) -> (), or (\*) with ``reduction="none"``.

    Arguments: ``reduction``, ``'mean'``, ``'sum'`` or ``'none'``.

    Raises ValueError for shapes that differ; UserError for another reduction.

    >>> L1Loss()([1.0, 2.0], [3.0, 2.0])
    Tensor(1.)

    Source: PyTorch's ``torch.nn.L1Loss``.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return ops.l1_loss(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    r"""Mean of squared differences: large errors count most.

    .. math:: L = \tfrac{1}{n} \sum_i (x_i - y_i)^2

    Shapes: input (\*), target (\*) -> (), or (\*) with ``reduction="none"``.

    Arguments: ``reduction``, ``'mean'``, ``'sum'`` or ``'none'``.

    Raises ValueError for shapes that differ; UserError for another reduction.

    >>> MSELoss()([1.0, 2.0], [3.0, 2.0])
    Tensor(2.)

    Source: PyTorch's ``torch.nn.MSELoss``.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return ops.mse_loss(input, target, reduction=self.reduction)


class HuberLoss(_Loss):
    r"""Squared near the target and absolute far from it, so that the gradient of an outlier is bounded.

    .. math:: L = \tfrac{1}{n} \sum_i \tfrac12 d_i^2 \text{ where } |d_i| \le \delta
        \text{ else } \delta (|d_i| - \tfrac12 \delta), \qquad d = x - y

    Shapes: input (\*), target (\*) -> (), or (\*) with ``reduction="none"``.

    Arguments: ``reduction``, ``'mean'``, ``'sum'`` or ``'none'``; ``delta``, δ, above 0, in units of the target.

    Raises ValueError for shapes that differ; UserError for another reduction, or a delta that is not above 0.

    >>> HuberLoss()([1.0, 2.0], [4.0, 2.0])
    Tensor(1.25)

    Source: P. Huber, "Robust Estimation of a Location Parameter" (1964).
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        super().__init__(reduction=reduction)
        self.delta = positive("delta", delta)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return ops.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class BCELoss(_Loss):
    r"""Cross entropy of probabilities with targets from 0 to 1.

    .. math:: L = -\tfrac{1}{n} \sum_i w_i \bigl(y_i \ln p_i + (1 - y_i) \ln(1 - p_i)\bigr)

    Logarithms are clamped at -100. Prefer `BCEWithLogitsLoss`, which needs no clamp.

    Shapes: input (\*), target (\*) -> (), or (\*) with ``reduction="none"``.

    Arguments: ``weight``, of the elements, broadcast to their shape; ``reduction``, ``'mean'``, ``'sum'`` or
    ``'none'``.

    Raises ValueError for shapes that differ, or a probability outside of 0 to 1; UserError for another reduction, or a
    weight that does not fit.

    >>> BCELoss()([0.5, 0.5], [0.0, 1.0])
    Tensor(0.6931472)

    Source: PyTorch's ``torch.nn.BCELoss``.
    """

    def __init__(self, weight: Any = None, *, reduction: str = "mean"):
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        weight = _of_elements(self, "weight", input)
        return ops.binary_cross_entropy(input, target, weight=weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    r"""Sigmoid and cross entropy in one, from the weighted sum u; stable where the two steps would overflow.

    .. math:: L = \tfrac{1}{n} \sum_i w_i \bigl(\ln(1 + e^{u_i}) - y_i u_i\bigr),
        \qquad \frac{\partial L}{\partial u} = \frac{w}{n} \bigl(\sigma(u) - y\bigr)

    Shapes: input (\*), target (\*) -> (), or (\*) with ``reduction="none"``.

    Arguments: ``weight``, of the elements, broadcast to their shape; ``reduction``, ``'mean'``, ``'sum'`` or
    ``'none'``; ``pos_weight``, how much more a target of 1 counts, broadcast likewise.

    Raises ValueError for shapes that differ; UserError for another reduction, or a weight that does not fit.

    >>> BCEWithLogitsLoss()([0.0, 0.0], [0.0, 1.0])
    Tensor(0.6931472)

    Source: PyTorch's ``torch.nn.BCEWithLogitsLoss``.
    """

    def __init__(self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None):
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return ops.binary_cross_entropy_with_logits(
            input,
            target,
            weight=_of_elements(self, "weight", input),
            reduction=self.reduction,
            pos_weight=_of_elements(self, "pos_weight", input),
        )


class NLLLoss(_Loss):
    r"""Negative log likelihood: the weighted mean of what log-probabilities say of the right classes.

    .. math:: L = -\tfrac{1}{\sum_i w_{y_i}} \sum_i w_{y_i} x_{i y_i}

    Shapes: input (n, c, \*d), target (n, \*d) -> (), or (n, \*d) with ``reduction="none"``; also (c), () -> ().

    Arguments: ``weight``, one for each class; ``ignore_index``, the label of positions that do not count;
    ``reduction``, ``'mean'``, ``'sum'`` or ``'none'``.

    Raises ValueError for labels beyond the classes, or a weight of another length; UserError for another reduction.

    >>> NLLLoss()([[-0.1, -2.4]], [0])
    Tensor(0.1)

    Source: PyTorch's ``torch.nn.NLLLoss``.
    """

    def __init__(self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        weight = _like(self.weight, input)
        return ops.nll_loss(input, target, weight=weight, ignore_index=self.ignore_index, reduction=self.reduction)


class CrossEntropyLoss(_Loss):
    r"""Softmax and negative log likelihood in one, from the weighted sums u of a classifier's last layer.

    .. math:: L = -\tfrac{1}{n} \sum_i \sum_c w_c\,t_{ic} \ln \frac{e^{u_{ic}}}{\sum_k e^{u_{ik}}}

    Shapes: input (n, c, \*d), target (n, \*d) of labels or (n, c, \*d) of probabilities -> (), or (n, \*d) with
    ``reduction="none"``; also without n.

    Arguments: ``weight``, one for each class; ``ignore_index``, the label of positions that do not count;
    ``reduction``, ``'mean'``, ``'sum'`` or ``'none'``; ``label_smoothing``, the part of the target, 0 to 1, that is
    spread evenly over all classes.

    Raises ValueError for labels beyond the classes, or targets of another shape; UserError for another reduction, or
    a smoothing outside of 0 to 1.

    >>> CrossEntropyLoss()([[0.0, 0.0]], [1])
    Tensor(0.6931472)

    Source: C. Bishop, "Pattern Recognition and Machine Learning" (2006), section 4.3.4; C. Szegedy et al.,
    "Rethinking the Inception Architecture for Computer Vision" (2015), for the smoothing.
    """

    def __init__(
        self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ):
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.label_smoothing = fraction("label_smoothing", label_smoothing)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return ops.cross_entropy(
            input,
            target,
            weight=_like(self.weight, input),
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


def _like(weight: Tensor | None, input: Tensor) -> Tensor | None:
    """The weight in the input's floating type: weights given as float64 must not widen the loss."""
    return weight if weight is None or weight.dtype == input.dtype else ops.astype(weight, input.dtype)


def _of_elements(loss: Module, name: str, input: Tensor) -> Tensor | None:
    """A weight of the elements, which must not broadcast them to a larger shape."""
    weight = getattr(loss, name)
    if weight is not None:
        lengths = zip(reversed(weight.shape), reversed(input.shape), strict=False)
        if weight.ndim > input.ndim or any(n not in (1, of) for n, of in lengths):
            raise UserError(
                f"the {name} of {type(loss).__name__} has shape {weight.shape}, "
                f"which cannot be broadcast to the predictions' {input.shape}"
            )
    return _like(weight, input)
