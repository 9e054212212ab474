"""Losses of lines and of constants, and the lines that fit points best."""

import numpy

from ichikara import ops

__all__ = ["around", "best_line", "losses", "places"]

LOSSES = {"l1": ops.l1_loss, "l2": ops.mse_loss}


def losses(name, predictions, targets):
    """The loss of each row of predictions (n, points)."""
    each = LOSSES[name](predictions, numpy.broadcast_to(targets, predictions.shape), reduction="none")
    return each.numpy().mean(1)


def places(points):
    """The coordinates of points, two arrays."""
    return numpy.array([point[0] for point in points]), numpy.array([point[1] for point in points])


def best_line(name, points):
    """The line (w0, w1) with the least loss.

    For squares there is a formula. For lengths one of the best lines runs through two of the points: all are tried.
    """
    x, y = places(points)
    if name == "l2":
        spread = ((x - x.mean()) ** 2).sum()
        w1 = ((x - x.mean()) * (y - y.mean())).sum() / spread if spread else 0.0
        return float(y.mean() - w1 * x.mean()), float(w1)
    i, j = numpy.triu_indices(len(x), 1)
    i, j = i[x[i] != x[j]], j[x[i] != x[j]]
    w1 = numpy.append((y[j] - y[i]) / (x[j] - x[i]), 0.0)
    w0 = numpy.append(y[i] - w1[:-1] * x[i], numpy.median(y))
    best = losses(name, w0[:, None] + w1[:, None] * x, y).argmin()
    return float(w0[best]), float(w1[best])


def around(numbers, constants):
    """Both losses of constants, tried from the least of the numbers to the largest: (constants, L1s, L2s)."""
    tried = numpy.linspace(numbers.min(), numbers.max(), constants)
    answers = numpy.broadcast_to(tried[:, None], (constants, len(numbers)))
    return tried, losses("l1", answers, numbers), losses("l2", answers, numbers)
