"""The cross entropy of labels, whose log-probabilities are saved for the gradient."""

import numpy

from ...ops.activation import log_softmax
from ...ops.loss import label_gradient, label_losses
from ..registry import implementation

__all__ = ["categorical_nll"]


@implementation("categorical_nll", residuals=("logp",))
def categorical_nll(u, labels, ignore_index, reduction):
    logp = log_softmax.function(u, 1)
    return label_losses(logp, labels, ignore_index, reduction), logp


def _gradient(g, logp, labels, ignore_index, reduction):
    return label_gradient(g, numpy.exp(logp), labels, ignore_index, reduction)


categorical_nll.gradient(u=_gradient)
