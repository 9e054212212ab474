"""Data sets without a download: scikit-learn's, and a few that are generated. They are the defaults.

The moons, circles and blobs of a seed are those of scikit-learn's functions, number by number, and NumPy draws them.
Where scikit-learn is needed it is imported in the function, so that importing ichikara stays light.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy

from ichikara.arrays import Generator
from ichikara.checks import number, whole_number, yes_or_no
from ichikara.errors import UserError

from .dataset import Dataset

__all__ = ["cubic", "load_blobs", "load_circles", "load_cubic", "load_digits", "load_moons", "load_spirals", "load_xor"]


def load_digits(*, as_images: bool = False) -> Dataset:
    """Handwritten digits: 1,797 images of 8×8 pixels in ten classes, with ink from 0 to 16 as published (unscaled).

    Shapes: inputs (1797, 64), or (1797, 1, 8, 8) as images; targets (1797,).

    Arguments: ``as_images``, whether pixels keep their place in the plane.

    >>> load_digits()
    Dataset(digits: 1797 examples for classification, inputs (64,) float32, 10 classes)

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI (1998), by way of scikit-learn.
    """
    as_images = yes_or_no("as_images", as_images)
    from sklearn import datasets

    bunch = datasets.load_digits()
    return Dataset(
        bunch.images[:, None] if as_images else bunch.data,
        bunch.target,
        name="digits",
        classes=tuple(map(str, range(10))),
        input_names=None if as_images else tuple(f"pixel {row},{column}" for row in range(8) for column in range(8)),
        source="scikit-learn's load_digits (UCI, Optical Recognition of Handwritten Digits, test part)",
    )


def load_moons(n_samples: int = 500, noise: float = 0.1, *, seed: int = 0) -> Dataset:
    """Two interleaved half-moons in the plane, which no straight line separates.

    Shapes: inputs (n_samples, 2), targets (n_samples,).

    Arguments: ``n_samples``, how many points in all; ``noise``, the standard deviation added to each coordinate (a moon
    has radius 1); ``seed``, for order and noise.

    >>> load_moons(100).inputs.shape
    (100, 2)

    Source: scikit-learn, ``make_moons``.
    """
    n_samples, noise, seed = _sampling(n_samples, noise, seed)
    half = n_samples // 2
    outer, inner = numpy.linspace(0, math.pi, half), numpy.linspace(0, math.pi, n_samples - half)
    arcs = _on_circle(outer), (1, 0.5) - _on_circle(inner)
    inputs, targets = _drawn(arcs, noise, seed)
    return Dataset(
        inputs, targets, "moons", ("upper", "lower"), ("x1", "x2"), f"scikit-learn's make_moons, noise {noise:g}"
    )


def load_circles(n_samples: int = 500, noise: float = 0.05, factor: float = 0.5, *, seed: int = 0) -> Dataset:
    """A circle of radius 1 around a smaller one.

    Shapes: inputs (n_samples, 2), targets (n_samples,).

    Arguments: ``n_samples``, how many points in all; ``noise``, the standard deviation added to each coordinate;
    ``factor``, the radius of the inner circle, between 0 and 1; ``seed``, for order and noise.

    >>> load_circles(100).classes
    ('outer', 'inner')

    Source: scikit-learn, ``make_circles``.
    """
    n_samples, noise, seed = _sampling(n_samples, noise, seed)
    factor = number("factor", factor, at_least=0)
    if factor >= 1:
        raise UserError(f"factor is the radius of the inner circle, from 0 to below 1, not {factor:g}")
    half = n_samples // 2
    circle = lambda n: _on_circle(numpy.linspace(0, 2 * math.pi, n, endpoint=False))
    inputs, targets = _drawn((circle(half), factor * circle(n_samples - half)), noise, seed)
    return Dataset(
        inputs, targets, "circles", ("outer", "inner"), ("x1", "x2"), f"scikit-learn's make_circles, noise {noise:g}"
    )


def load_spirals(
    n_samples: int = 600, noise: float = 0.05, arms: int = 3, turns: float = 0.75, *, seed: int = 0
) -> Dataset:
    """Spiral arms that wind out from the origin to radius 1, one class each.

    Shapes: inputs (n_samples, 2), targets (n_samples,).

    Arguments: ``n_samples``, how many points in all; ``noise``, the standard deviation added to each coordinate;
    ``arms``, how many; ``turns``, how often an arm goes around; ``seed``, for order and noise.

    >>> load_spirals(arms=2).classes
    ('arm 1', 'arm 2')

    Source: the spiral set of Stanford's CS231n, with noise on the coordinates in place of the angle.
    """
    n_samples, noise, seed = _sampling(n_samples, noise, seed)
    arms, turns = whole_number("arms", arms, at_least=2), number("turns", turns)
    generator = Generator(seed)
    targets = numpy.arange(n_samples) % arms  # arms of equal size, give or take one
    along = (numpy.arange(n_samples) // arms + 1) / math.ceil(n_samples / arms)  # radius, in (0, 1]
    angle = 2 * math.pi * (targets / arms + turns * along)
    inputs = along[:, None] * numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1)
    inputs = inputs + generator.normal(inputs.shape, std=noise)
    order = generator.permutation(n_samples)
    return Dataset(
        inputs[order],
        targets[order],
        "spirals",
        tuple(f"arm {i + 1}" for i in range(arms)),
        ("x1", "x2"),
        f"{arms} spiral arms, {turns:g} turns, noise {noise:g}",
    )


def load_xor(n_samples: int = 4, noise: float = 0.0, *, seed: int = 0) -> Dataset:
    """The four corners of the unit square, labelled by exclusive or: what no single perceptron can learn.

    Shapes: inputs (n_samples, 2), targets (n_samples,).

    Arguments: ``n_samples``, how many points, the corners taken in turn; ``noise``, the standard deviation added to
    each coordinate; ``seed``, for the noise.

    >>> load_xor().inputs.tolist(), load_xor().targets.tolist()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])

    Source: M. Minsky and S. Papert, "Perceptrons" (1969).
    """
    n_samples, noise, seed = _sampling(n_samples, noise, seed)
    corner = numpy.arange(n_samples) % 4
    x1, x2 = corner // 2, corner % 2
    inputs = numpy.stack([x1, x2], axis=1) + Generator(seed).normal((n_samples, 2), std=noise)
    return Dataset(inputs, x1 ^ x2, "xor", ("0", "1"), ("x1", "x2"), f"corners of the unit square, noise {noise:g}")


def load_blobs(
    n_samples: int = 300,
    centers: int | Sequence[Sequence[float]] = 3,
    n_features: int = 2,
    cluster_std: float = 1.0,
    *,
    seed: int = 0,
) -> Dataset:
    """Gaussian clusters of points, one class each.

    Shapes: inputs (n_samples, n_features), targets (n_samples,).

    Arguments: ``n_samples``, how many points in all; ``centers``, how many clusters, placed by the seed in the cube
    from −10 to 10, or the centres themselves; ``n_features``, the dimensions, unless the centres say; ``cluster_std``,
    the standard deviation of a cluster; ``seed``, for everything drawn.

    >>> load_blobs(40, centers=[[-2, 0], [2, 0]]).classes
    ('blob 1', 'blob 2')

    Source: scikit-learn, ``make_blobs``.
    """
    n_samples, cluster_std, seed = _sampling(n_samples, cluster_std, seed, noise_name="cluster_std")
    n_features = whole_number("n_features", n_features, at_least=1)
    if isinstance(centers, Sequence | numpy.ndarray) and not isinstance(centers, str):
        try:
            points = numpy.asarray(centers, "float64")
        except (TypeError, ValueError):
            points = numpy.empty(0)
        if points.ndim != 2 or not points.size or not numpy.isfinite(points).all():
            raise UserError(f"centers is a number of blobs or a list of points like [[-2, 0], [2, 0]], not {centers!r}")
        count, n_features = points.shape
    else:
        points, count = None, whole_number("centers", centers, at_least=1)
    draw = numpy.random.RandomState(seed)  # scikit-learn's own generator
    if points is None:
        points = draw.uniform(-10, 10, (count, n_features))
    sizes = [n_samples // count + (i < n_samples % count) for i in range(count)]
    parts = [draw.normal(point, cluster_std, (size, n_features)) for point, size in zip(points, sizes, strict=True)]
    inputs, targets = _shuffled(parts, draw)
    return Dataset(
        inputs,
        targets,
        "blobs",
        tuple(f"blob {i + 1}" for i in range(count)),
        tuple(f"x{i + 1}" for i in range(n_features)),
        f"scikit-learn's make_blobs, standard deviation {cluster_std:g}",
    )


def _on_circle(angle: numpy.ndarray) -> numpy.ndarray:
    """Points on the circle of radius 1. Shapes: (n,) -> (n, 2)."""
    return numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1)


def _drawn(parts: Sequence[numpy.ndarray], noise: float, seed: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Points and their classes, in a random order, with noise."""
    draw = numpy.random.RandomState(seed)  # scikit-learn's own generator
    inputs, targets = _shuffled(parts, draw)
    return inputs + draw.normal(scale=noise, size=inputs.shape), targets


def _shuffled(parts: Sequence[numpy.ndarray], draw: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Points and the number of the part that each is of, in a random order."""
    order = numpy.arange(sum(map(len, parts)))
    draw.shuffle(order)
    return numpy.concatenate(parts)[order], numpy.repeat(numpy.arange(len(parts)), list(map(len, parts)))[order]


def cubic(x: numpy.ndarray) -> numpy.ndarray:
    """The curve of `load_cubic`, y = x³ − x. Shapes: (*) -> (*).

    >>> float(cubic(2.0))
    6.0
    """
    return x**3 - x


def load_cubic(n_samples: int = 20, noise: float = 0.3, *, seed: int = 0) -> Dataset:
    """Points on a cubic, y = x³ − x, with noise: few enough that a polynomial of high degree fits the noise.

    Shapes: inputs (n_samples, 1), x evenly drawn from −1.5 to 1.5; targets (n_samples, 1), as a network's outputs.

    Arguments: ``n_samples``, how many points; ``noise``, the standard deviation added to y; ``seed``, for x and noise.

    >>> load_cubic(noise=0.0)
    Dataset(cubic: 20 examples for regression, inputs (1,) float32)

    Source: part D1 of the lecture "1から作る DEEP LEARNING", which overfits a noisy cubic.
    """
    n_samples, noise, seed = _sampling(n_samples, noise, seed)
    generator = Generator(seed)
    inputs = generator.uniform((n_samples, 1), -1.5, 1.5)
    targets = cubic(inputs) + generator.normal(inputs.shape, std=noise)
    return Dataset(inputs, targets, "cubic", None, ("x",), f"y = x³ − x, noise {noise:g}")


def _sampling(n_samples, noise, seed, noise_name="noise") -> tuple[int, float, int]:
    """The three arguments that all generated sets share, checked."""
    seed = whole_number("seed", seed, at_least=0)
    if seed >= 2**32:  # what scikit-learn takes
        raise UserError(f"a seed of a drawn data set is below 2**32, not {seed}")
    return whole_number("n_samples", n_samples, at_least=1), number(noise_name, noise, at_least=0), seed
