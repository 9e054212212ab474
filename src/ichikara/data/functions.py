"""Functions to approximate: a curve over an interval, a surface over a square."""

import numpy

from ichikara.arrays import Generator
from ichikara.checks import number, whole_number

from .dataset import Dataset

__all__ = ["curve", "load_curve", "load_surface", "surface"]


def curve(x):
    """Nielsen's example of a function with no simple form. Shapes: (*) -> (*).

    Source: M. Nielsen, "Neural Networks and Deep Learning" (2015), ch. 4.
    """
    return 0.2 + 0.4 * x**2 + 0.3 * x * numpy.sin(15 * x) + 0.05 * numpy.cos(50 * x)


def surface(x, y):
    """A hill and a hollow. Shapes: (*), (*) -> (*)."""
    return numpy.exp(-8 * ((x - 0.3) ** 2 + (y - 0.3) ** 2)) - 0.8 * numpy.exp(-12 * ((x - 0.7) ** 2 + (y - 0.6) ** 2))


def load_curve(n_samples: int = 500, noise: float = 0.0, *, seed: int = 0) -> Dataset:
    """Points of `curve` over [0, 1], at even distances. Shapes: inputs (n_samples, 1), targets (n_samples, 1).

    Arguments: ``n_samples``; ``noise``, the standard deviation added to the targets; ``seed``, of the noise.

    >>> load_curve(5).inputs[:, 0].tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    x = numpy.linspace(0, 1, whole_number("n_samples", n_samples, at_least=2))
    random = Generator(whole_number("seed", seed, at_least=0)).normal(x.shape, std=number("noise", noise, at_least=0))
    return Dataset(x[:, None], (curve(x) + random)[:, None], "curve", source="a formula of Nielsen's chapter 4")


def load_surface(n_samples: int = 2500, noise: float = 0.0, *, seed: int = 0) -> Dataset:
    """Points of `surface` over the unit square, drawn evenly. Shapes: inputs (n_samples, 2), targets (n_samples, 1).

    Arguments: ``n_samples``; ``noise``, the standard deviation added to the targets; ``seed``, of the draw.

    >>> load_surface(100).targets.shape
    (100, 1)
    """
    generator = Generator(whole_number("seed", seed, at_least=0))
    points = generator.uniform((whole_number("n_samples", n_samples, at_least=1), 2))
    random = generator.normal((len(points),), std=number("noise", noise, at_least=0))
    heights = surface(points[:, 0], points[:, 1]) + random
    return Dataset(points, heights[:, None], "surface", source="a formula: a hill and a hollow")
