"""Going through a sequence, forward and back: what the recurrences share.

One text serves every kind of array: ``a += b`` works in place on NumPy's arrays and makes a new array of others, and
`pages` are written to as a block of memory in NumPy, as a list elsewhere.
"""

from typing import Any

from ..arrays.namespace import namespace
from .once import Once
from .product import product, sum_of_rows

__all__ = [
    "Back",
    "added",
    "as_pages",
    "bound",
    "if_living",
    "cleaned",
    "living_steps",
    "of_inputs",
    "of_weight",
    "order",
    "pages",
    "rows",
    "start",
    "weighted",
]


def pages(xp, count, shape, dtype):
    """Room for one array for each step, to be written to by ``pages[t] = array`` in any order."""
    return xp.empty((count, *shape), dtype=dtype) if xp.__name__ == "numpy" else [None] * count


def as_pages(array):
    """The steps of an array that is our own, to be overwritten one by one."""
    return array if namespace(array).__name__ == "numpy" else [array[t] for t in range(array.shape[0])]


def bound(pages):
    """Pages as one array."""
    return namespace(*pages).stack(pages) if isinstance(pages, list) else pages


def rows(x):
    """The steps of all sequences as the rows of one matrix. Shapes: (T, n, k) -> (T n, k)."""
    return namespace(x).reshape(x, (x.shape[0] * x.shape[1], x.shape[2]))


def weighted(x, weight, bias):
    """The weighted sums of all steps in one product. Shapes: (T, n, in), (k, in), (k) -> (T, n, k)."""
    sums = product(rows(x), weight.mT, bias)
    return namespace(sums).reshape(sums, (*x.shape[:2], weight.shape[0]))


def added(a, b):
    """The sum of two biases, either of which may be missing."""
    return b if a is None else a if b is None else a + b


def start(xp, x, state, size):
    """The state before the first step: the one given, or zeros. Shapes: -> (n, size)."""
    return xp.zeros((x.shape[1], size), dtype=x.dtype) if state is None else state


def living_steps(xp, x, lengths):
    """Which steps belong to their sequence; None if all do. Shapes: (n) -> (T, n, 1)."""
    if lengths is None:
        return None
    return xp.reshape(xp.arange(x.shape[0]), (-1, 1, 1)) < xp.reshape(lengths, (1, -1, 1))


def if_living(living, t, new, old):
    """At step t the new values for the sequences that are still going on, the old ones for those that have ended."""
    return new if living is None else namespace(new, old, living).where(living[t], new, old)


def cleaned(living, x):
    """The steps beyond a sequence's end as zeros, whatever was there."""
    return x if living is None else namespace(x, living).where(living, x, 0.0)


def order(steps, reverse):
    """The numbers of the steps, in the order in which they are read."""
    return range(steps - 1, -1, -1) if reverse else range(steps)


class Back:
    """What the way back through time finds."""

    def __init__(self, x: Any, h: Any, h0: Any, c0: Any = None, biases: tuple | None = None):
        self.x = x  # the gradients of the weighted sums of the inputs, (T, n, gates * size)
        self.h = h  # and of those of the hidden states: the same, but for the GRU
        self.h0, self.c0 = h0, c0
        self._biases = biases  # the gradients of both biases, if they have been added up on the way
        self._of_bias = Once(_of_bias)  # of these sums; where both are the same, taken once

    def b_ih(self) -> Any:
        """The gradient of the bias of the inputs. Shapes: -> (gates * size)."""
        return self._biases[0] if self._biases else self._of_bias(self.x)

    def b_hh(self) -> Any:
        """The gradient of the bias of the hidden states. Shapes: -> (gates * size)."""
        return self._biases[1] if self._biases else self._of_bias(self.h)


def of_weight(sums, inputs):
    """The gradient of a weight: one product for all time steps. Shapes: (T, n, k), (T, n, in) -> (k, in)."""
    return product(rows(sums).mT, rows(inputs))


def _of_bias(sums):
    """Shapes: (T, n, k) -> (k)."""
    return sum_of_rows(rows(sums))


def of_inputs(sums, weight):
    """The gradient of the inputs of all steps. Shapes: (T, n, k), (k, in) -> (T, n, in)."""
    return namespace(sums).reshape(product(rows(sums), weight), (*sums.shape[:2], weight.shape[1]))
