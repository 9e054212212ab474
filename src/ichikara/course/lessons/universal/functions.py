"""What the networks of lesson 3 follow, and how far they are from it."""

import numpy

__all__ = ["curve", "distance", "hills", "leaping"]


def curve(x):
    """The curve that the lesson follows. Source: M. Nielsen, "Neural Networks and Deep Learning" (2015), ch. 4."""
    return 0.2 + 0.4 * x**2 + 0.3 * x * numpy.sin(15 * x) + 0.05 * numpy.cos(50 * x)


def distance(found, wanted):
    """The typical distance of curves: the root of the mean of its square. Shapes: (*, n), (n) -> (*)."""
    return numpy.sqrt(((found - wanted) ** 2).mean(-1))


def leaping(place):
    """A curve that leaps at a place."""
    return lambda x: numpy.where(numpy.asarray(x) < place, 0.25, 0.75)


def hills(x1, x2):
    """A surface with hills and hollows, from 0.1 to 0.9."""
    return 0.5 + 0.4 * numpy.sin(6 * x1) * numpy.cos(5 * x2)
