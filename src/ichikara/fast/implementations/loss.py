"""The cross entropy of labels, whose log-probabilities are saved for the gradient."""

import numpy

from ...ops.activation import log_softmax
from ...ops.labels import counted
from ..registry import implementation

__all__ = ["categorical_nll"]


@implementation("categorical_nll", residuals=("logp",))
def categorical_nll(u, labels, ignore_index, reduction):
    logp = log_softmax.function(u, 1)
    mask = counted(labels, u.shape[1], ignore_index)
    losses = -logp[numpy.arange(u.shape[0]), _valid_labels(labels, mask)]
    if mask is not None:
        losses = numpy.where(mask, losses, 0.0)  # not times 0: the loss may be infinite
    if reduction != "none":
        losses = losses.sum()
    return losses if reduction != "mean" else losses / _count(labels, mask, u.dtype), logp


def _valid_labels(labels, mask):
    """The labels, 0 in place of those that do not count."""
    return labels if mask is None else numpy.where(mask, labels, 0)


def _count(labels, mask, dtype):
    """How many labels count."""
    return labels.shape[0] if mask is None else mask.astype(dtype).sum()


def _gradient(g, logp, labels, ignore_index, reduction):
    mask = counted(labels, logp.shape[1], ignore_index)
    u_bar = numpy.exp(logp) - (numpy.arange(logp.shape[1]) == _valid_labels(labels, mask)[:, None])
    if mask is not None:
        u_bar = numpy.where(mask[:, None], u_bar, 0.0)
    if reduction == "mean":
        g = g / _count(labels, mask, logp.dtype)
    return u_bar * (g[:, None] if reduction == "none" else g)


categorical_nll.gradient(u=_gradient)
