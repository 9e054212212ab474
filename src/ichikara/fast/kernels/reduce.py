r"""Means, and what they give back.

.. math:: y = \frac1n \sum_{i=1}^n x_i, \qquad \bar x_i = \bar y / n
"""

import math

from ...arrays.axes import normalise_axes
from ..registry import ANY, kernel, small
from ..tape import contiguous, room
from ..workers import together
from .team import shared

_TOGETHER = 256  # numbers: small ones are added to small ones, and keep their digits


@kernel("mean")
def mean(x, axis, keepdims):
    """The mean along the last axes, of many rows."""
    axes = normalise_axes(axis, x.ndim)
    kept = [k for k in range(x.ndim) if k not in axes]
    count = math.prod(x.shape[k] for k in axes)
    last = [k for k in kept if x.shape[k] > 1]
    rows = x.size // count if count else 0
    if rows < 2 or math.prod(x.shape[: last[-1] + 1]) != rows:
        return NotImplemented
    out = room([1 if k in axes else n for k, n in enumerate(x.shape) if keepdims or k in kept], x.dtype)
    together(_means, x.size, rows, contiguous(x).reshape(rows, count), out.reshape(rows))
    return out


@shared
def _means(first, last, x, out):
    for r in range(first, last):
        total = 0.0
        for start in range(0, x.shape[1], _TOGETHER):
            some, row = x.dtype.type(0), x[r, start : start + _TOGETHER]
            for j in range(row.size):
                some += row[j]
            total += some
        out[r] = total / x.shape[1]


@small("mean", axis=None, keepdims=False)
def _mean(x, y):
    total = 0.0
    for i in range(x.size):
        total += x.flat[i]
    y[()] = total / x.size


@small("mean", of="x", x_shape=ANY, axis=None, keepdims=False)
def _mean_x(g, gx):
    for i in range(gx.size):
        gx.flat[i] = g[()] / gx.size
