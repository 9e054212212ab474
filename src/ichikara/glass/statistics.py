"""The numbers by which arrays are described in a record. Arrays may be large, so shares and moments are of a sample."""

import math
from collections.abc import Sequence
from typing import Any

import numpy

from .record import BINS

__all__ = ["attention_entropy", "dead_units", "inner_product", "norm", "of_gradient", "of_output", "of_time", "sampled"]

SAMPLE = 1 << 14
"""A share or a moment is taken of about so many elements at least, of examples that lie evenly in the batch."""

NEAR = 0.01
"""An activation is saturated where it is nearer to a bound than this part of its range."""

TIMES = 64
"""The most time steps of which the gradient is noted; of a longer sequence, so many that lie evenly."""

MAPS = 16
"""The most attention maps of which the entropy is computed; of more, so many that lie evenly."""


def sampled(x: numpy.ndarray) -> numpy.ndarray:
    """Some of the examples, 16 at least, and then some of the columns. Shapes: (n, *) -> (m, k)."""
    rows = x.reshape(len(x), -1) if x.ndim else x.reshape(1, 1)
    rows = rows[:: max(1, min(len(rows) // 16, rows.size // SAMPLE))]
    return rows[:, :: max(1, rows.size // (4 * SAMPLE))]


def of_output(y: numpy.ndarray, bounds: tuple[float, float] | None = None) -> dict[str, float]:
    """The quantities of a module's output. Arguments: ``bounds``, of an activation that has some."""
    if not y.size:
        return {}
    x = sampled(y)
    mean, low, high = float(x.mean()), float(x.min()), float(x.max())
    said = {
        "activation_mean": mean,
        "activation_std": float(x.std()),
        "activation_min": low,
        "activation_max": high,
        "activation_norm": norm(x) / math.sqrt(x.size),
        "zero_share": 1 - numpy.count_nonzero(x) / x.size,
        "nonfinite_share": 1 - numpy.count_nonzero(numpy.isfinite(x)) / x.size,
        "std_over_units": float(x.std(axis=1).mean()),
    }
    if len(x) > 1:
        said["std_over_examples"] = float(x.std(axis=0).mean())
    if bounds is not None:
        edge = NEAR * (bounds[1] - bounds[0])
        said["saturated_share"] = numpy.count_nonzero((x < bounds[0] + edge) | (x > bounds[1] - edge)) / x.size
    if math.isfinite(high - low):
        places = (x - low) * (BINS / (high - low) if high > low else 0.0)
        said |= _histogram("activation_histogram", places, x.size)
    return said


def of_gradient(g: numpy.ndarray) -> dict[str, float]:
    """The quantities of the gradient by a module's output."""
    if not g.size:
        return {}
    size = numpy.abs(sampled(g))
    said = {
        "output_gradient_norm": norm(g),
        "output_gradient_mean": float(size.mean()),
        "output_gradient_zero_share": 1 - numpy.count_nonzero(size) / size.size,
        "output_gradient_nonfinite_share": 1 - numpy.count_nonzero(numpy.isfinite(size)) / size.size,
    }
    found = size[(size > 0) & numpy.isfinite(size)]
    return said | _histogram("output_gradient_histogram", numpy.floor(numpy.log10(found)) + 13, size.size)


def _histogram(name: str, places: numpy.ndarray, count: int) -> dict[str, float]:
    """The shares in bins that are not empty. Arguments: ``places``, the bin of each element, as a number."""
    bins = numpy.clip(places, 0, BINS - 1).astype("int64").reshape(-1)
    return {f"{name}[{k}]": n / count for k, n in enumerate(numpy.bincount(bins).tolist()) if n}


def dead_units(y: numpy.ndarray) -> numpy.ndarray:
    """Whether each unit is 0 for all examples: a column, or a channel of images. Shapes: (n, *) -> (units)."""
    axis = 1 if y.ndim == 4 else -1
    alive = numpy.moveaxis(y != 0, axis, -1) if y.ndim else (y != 0).reshape(1)
    return ~alive.reshape(-1, alive.shape[-1]).any(axis=0)


def of_time(g: numpy.ndarray) -> dict[str, float]:
    """The norm at each time step. Shapes: (T, *)."""
    rows = g.reshape(len(g), -1)
    if len(rows) > TIMES:
        rows = rows[numpy.linspace(0, len(rows) - 1, TIMES).round().astype(int)]
    return {f"gradient_by_time[{t}]": norm(row) for t, row in enumerate(rows)}


def norm(x: numpy.ndarray) -> float:
    """The root of the sum of squares, which may exceed float32."""
    flat = x.reshape(-1)
    found = math.sqrt(float(numpy.dot(flat, flat)))
    if math.isfinite(found) and (found > 1e-18 or not found):
        return found
    flat = flat.astype("float64")
    return math.sqrt(float(numpy.dot(flat, flat)))


def inner_product(a: Sequence[Any], b: Sequence[Any]) -> tuple[float, float, float]:
    """The inner product of two lists of arrays, and the norm of each list; of those that are arrays in both."""
    pairs = [(x.reshape(-1), y.reshape(-1)) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    inner = sum(float(numpy.dot(x, y)) for x, y in pairs)
    return inner, math.hypot(*(norm(x) for x, _ in pairs)), math.hypot(*(norm(y) for _, y in pairs))


def attention_entropy(q: numpy.ndarray, k: numpy.ndarray, mask: Any, is_causal: bool, scale: float) -> float | None:
    """The mean entropy of the rows of some attention maps, in parts of the largest possible one; None without any.

    Shapes: q (*, l, e), k (*, s, e), mask broadcast to (*, l, s), or None.
    """
    batch = numpy.broadcast_shapes(q.shape[:-2], k.shape[:-2])
    count = math.prod(batch)
    chosen = numpy.unravel_index(numpy.linspace(0, count - 1, min(count, MAPS)).astype(int), batch) if batch else ()
    some = lambda x: numpy.broadcast_to(x, (*batch, *x.shape[-2:]))[chosen] if batch else x
    scores = some(q).astype("float64") @ numpy.swapaxes(some(k), -1, -2) * scale
    if is_causal:
        scores = numpy.where(numpy.tri(scores.shape[-2], scores.shape[-1], dtype=numpy.bool_), scores, -numpy.inf)
    if mask is not None:
        given = some(numpy.broadcast_to(mask, (*batch, *scores.shape[-2:])))
        scores = numpy.where(given, scores, -numpy.inf) if mask.dtype.kind == "b" else scores + given
    allowed = (scores > -numpy.inf).sum(axis=-1)
    scores = scores[allowed > 1]
    if not scores.size:
        return None
    p = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    entropy = -(p * numpy.log(numpy.where(p > 0, p, 1.0))).sum(axis=-1)
    return float((entropy / numpy.log(allowed[allowed > 1])).mean())
