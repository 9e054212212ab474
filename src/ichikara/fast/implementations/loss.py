"""The cross entropy of labels, whose log-probabilities are kept for the gradient."""

from ...arrays import namespace
from ...ops.activation import log_softmax
from ...ops.labels import counted as counted_labels
from ..registry import implementation

__all__ = ["categorical_nll"]


@implementation("categorical_nll", keeps=("logp",))
def categorical_nll(u, labels, ignore_index, reduction):
    logp = log_softmax.function(u, 1)
    counted = counted_labels(labels, u.shape[1], ignore_index)
    losses = -logp[namespace(labels).arange(u.shape[0]), _zero_unless(counted, labels)]
    if counted is not None:
        losses = namespace(u).where(counted, losses, 0.0)  # not times 0: the loss may be infinite
    if reduction != "none":
        losses = losses.sum()
    return losses if reduction != "mean" else losses / _count(labels, counted, u.dtype), logp


def _zero_unless(counted, labels):
    return labels if counted is None else namespace(labels).where(counted, labels, 0)


def _count(labels, counted, dtype):
    """How many rows count."""
    return labels.shape[0] if counted is None else namespace(counted).astype(counted, dtype).sum()


def _towards_labels(g, logp, labels, ignore_index, reduction):
    xp = namespace(g, logp)
    counted = counted_labels(labels, logp.shape[1], ignore_index)
    slope = xp.exp(logp) - (xp.arange(logp.shape[1]) == _zero_unless(counted, labels)[:, None])
    if counted is not None:
        slope = xp.where(counted[:, None], slope, 0.0)
    if reduction == "mean":
        g = g / _count(labels, counted, logp.dtype)
    return slope * (g[:, None] if reduction == "none" else g)


categorical_nll.gradient(u=_towards_labels)
