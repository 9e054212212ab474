r"""The mean cross entropy of logits and labels, and its gradient, in one pass each; and the binary cross entropy.

.. math:: L = \frac1n \sum_i \Bigl(\ln \sum_k e^{u_{ik}} - u_{i y_i}\Bigr), \qquad
    \bar u_{ik} = \frac{\bar L}{n}\,(p_{ik} - [k = y_i])
"""

import math

import numpy

from ...ops.labels import counted
from ..jit.dispatcher import compiled
from ..jit.elementary import exp, sigmoid
from ..jit.lazy import inner
from ..registry import kernel, small
from ..threads.fork_join import parallel
from ..threads.team import parallel_for
from ..workspace import empty, launch
from .elementwise import binary, elementwise, ternary
from .softmax import log_softmax, log_softmax_of_rows


def _raise_error(u, labels, ignore_index, *results):
    counted(labels, u.shape[1], ignore_index)


@small("categorical_nll", refused=_raise_error, reduction="mean")
def _categorical_nll(u, labels, ignore_index, loss, logp):
    """Compute the loss and the logarithms of the softmax; returns whether all labels are classes."""
    log_softmax_of_rows(u, logp)
    return _mean(logp, labels, ignore_index, loss)


@kernel("categorical_nll")
def categorical_nll(u, labels, ignore_index, reduction):
    if reduction != "mean":
        return NotImplemented
    loss, logp = empty((), u.dtype), log_softmax(u, 1)
    launch(_mean_or_error, u, logp, labels, ignore_index, loss)
    return loss, logp


def _mean_or_error(u, logp, labels, ignore_index, loss):
    if not _compiled_mean(logp, labels, ignore_index, loss):
        _raise_error(u, labels, ignore_index)


@compiled
def _compiled_mean(logp, labels, ignore_index, loss):
    return _mean(logp, labels, ignore_index, loss)


@inner
def _mean(logp, labels, ignore_index, loss):
    count, total = 0, 0.0
    for r in range(logp.shape[0]):
        label = labels[r]
        if not _is_ignored(label, ignore_index):
            if not 0 <= label < logp.shape[1]:
                return False
            total -= logp[r, label]
            count += 1
    loss[()] = total / count if count else math.nan
    return True


@inner
def _is_ignored(label, ignore_index):
    """Whether a label is the ignored one, if there is one."""
    return False if ignore_index is None else label == ignore_index


@small("categorical_nll", of="u", reduction="mean")
def _nll_u(g, logp, labels, ignore_index, gu):
    _nll_u_of_rows(0, logp.shape[0], g, logp, labels, ignore_index, gu)


@kernel("categorical_nll", of="u")
def categorical_nll_u(g, logp, labels, ignore_index, reduction):
    if reduction != "mean":
        return NotImplemented
    gu = empty(logp.shape, logp.dtype)
    parallel_for(_large_nll_u, 8 * gu.size, len(gu), numpy.asarray(g), logp, labels, ignore_index, gu)
    return gu


@parallel
def _large_nll_u(first, last, g, logp, labels, ignore_index, gu):
    _nll_u_of_rows(first, last, g, logp, labels, ignore_index, gu)


@inner
def _nll_u_of_rows(first, last, g, logp, labels, ignore_index, gu):
    number, count = logp.dtype.type, 0
    for label in labels:
        count += not _is_ignored(label, ignore_index)
    scale = number(g[()] / count) if count else number(0)
    for r in range(first, last):
        label = labels[r]
        if _is_ignored(label, ignore_index):
            gu[r, :] = 0  # whatever its numbers are
            continue
        for i in range(logp.shape[1]):
            gu[r, i] = scale * (exp(logp[r, i]) - (i == label))


# --- binary cross entropy ---------------------------------------------------------------------------------------------


@kernel("logistic_nll")
def logistic_nll(u, target):
    return elementwise(_logistic_nll, u, target, cost=20) if u.shape == target.shape else NotImplemented


@small("logistic_nll")
@binary
def _logistic_nll(u, target):
    factor = type(u)(u > 0) - type(u)(target)
    return (factor * u if factor != 0 else type(u)(0)) + type(u)(math.log1p(exp(-abs(u))))


@kernel("logistic_nll", of="u")
def logistic_nll_u(g, u, target):
    return elementwise(_logistic_nll_u, g, u, target, cost=10) if u.shape == target.shape else NotImplemented


@small("logistic_nll", of="u")
@ternary
def _logistic_nll_u(g, u, target):
    return g * (sigmoid(u) - type(u)(target))
