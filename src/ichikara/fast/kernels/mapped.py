"""Functions of numbers, done for each element of arrays."""

from ..tape import contiguous, room
from ..workers import together
from .compiled import named
from .deferred import inner
from .team import shared

__all__ = ["mapped", "of_one", "of_three", "of_two"]


def of_one(function):
    """Decorator: a function of a number, and of options, as one of an array and of the array for its results.

    It is a `small` kernel for arrays of any shape; `mapped` does it for large ones.
    """
    number = inner(function)

    def few(x, y):
        for i in range(x.size):
            y.flat[i] = number(x.flat[i])

    def many(first, last, x, y, options):
        x, y = x[first:last], y[first:last]
        for i in range(x.size):
            y[i] = number(x[i], *options)

    return _both(function, few, many)


def of_two(function):
    """Decorator: a function of two numbers, and of options, as one of two arrays and of the array for its results."""
    number = inner(function)

    def few(a, b, y):
        for i in range(a.size):
            y.flat[i] = number(a.flat[i], b.flat[i])

    def many(first, last, a, b, y, options):
        a, b, y = a[first:last], b[first:last], y[first:last]
        for i in range(a.size):
            y[i] = number(a[i], b[i], *options)

    return _both(function, few, many)


def of_three(function):
    """Decorator: a function of three numbers, and of options, as one of three arrays and that for its results."""
    number = inner(function)

    def few(a, b, c, y):
        for i in range(a.size):
            y.flat[i] = number(a.flat[i], b.flat[i], c.flat[i])

    def many(first, last, a, b, c, y, options):
        a, b, c, y = a[first:last], b[first:last], c[first:last], y[first:last]
        for i in range(a.size):
            y[i] = number(a[i], b[i], c[i], *options)

    return _both(function, few, many)


def _both(function, few, many):
    few = named(few, function)
    few.many = shared(named(many, function, "_many"))
    return few


def mapped(function, *arrays, cost=4, options=()):
    """A new array of what such a function gives for the elements of arrays; ``cost`` is that of an element."""
    out = room(arrays[0].shape, arrays[0].dtype)
    rows = [contiguous(array).ravel() for array in (*arrays, out)]
    together(function.many, out.size * cost, out.size, *rows, options)
    return out
