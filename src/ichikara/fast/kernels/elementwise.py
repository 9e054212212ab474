"""Elementwise kernels, made from functions of numbers."""

from ..jit.dispatcher import named_after
from ..jit.lazy import inner
from ..threads.fork_join import parallel
from ..threads.team import parallel_for
from ..workspace import contiguous, empty

__all__ = ["binary", "elementwise", "ternary", "unary"]


def unary(function):
    """Decorator: an elementwise kernel from a function of one number and of options.

    The result is a `small` kernel, a function of an array of any shape and of the array for its results; `elementwise`
    computes it for large arrays.
    """
    scalar = inner(function)

    def small(x, y):
        for i in range(x.size):
            y.flat[i] = scalar(x.flat[i])

    def large(first, last, x, y, options):
        x, y = x[first:last], y[first:last]
        for i in range(x.size):
            y[i] = scalar(x[i], *options)

    return _both(function, small, large)


def binary(function):
    """Decorator: the same from a function of two numbers and of options."""
    scalar = inner(function)

    def small(a, b, y):
        for i in range(a.size):
            y.flat[i] = scalar(a.flat[i], b.flat[i])

    def large(first, last, a, b, y, options):
        a, b, y = a[first:last], b[first:last], y[first:last]
        for i in range(a.size):
            y[i] = scalar(a[i], b[i], *options)

    return _both(function, small, large)


def ternary(function):
    """Decorator: the same from a function of three numbers and of options."""
    scalar = inner(function)

    def small(a, b, c, y):
        for i in range(a.size):
            y.flat[i] = scalar(a.flat[i], b.flat[i], c.flat[i])

    def large(first, last, a, b, c, y, options):
        a, b, c, y = a[first:last], b[first:last], c[first:last], y[first:last]
        for i in range(a.size):
            y[i] = scalar(a[i], b[i], c[i], *options)

    return _both(function, small, large)


def _both(function, small, large):
    kernel = named_after(small, function)
    kernel.large = parallel(named_after(large, function, "_large"))
    return kernel


def elementwise(kernel, *arrays, cost=4, options=()):
    """A new array with the results of an elementwise kernel; ``cost`` is that of one element, in multiplications."""
    out = empty(arrays[0].shape, arrays[0].dtype)
    flat = [contiguous(array).ravel() for array in (*arrays, out)]
    parallel_for(kernel.large, out.size * cost, out.size, *flat, options)
    return out
