"""Gradients of slices: kept as pieces until their sum is needed.

The gradient of ``x[i]`` by x is zero but for one place. Where x is cut into many slices, as a sequence is into its
steps, an array of zeros for each of them would cost as much as the whole each time.

Source: TensorFlow's ``IndexedSlices``.
"""

from operator import add
from typing import Any

from ..arrays import add_into
from ..arrays.interpreter import seam

__all__ = ["IndexedSlices", "add_gradients"]


class IndexedSlices:
    """The sum of gradients that the slices of one array got, and of another gradient that it has besides."""

    __slots__ = ("dtype", "operation", "others", "pieces", "shape")

    def __init__(self, operation: Any, rule: Any, values: dict, source: Any):
        """The gradient of one slice: what the rule of ``x[i]`` would give for these values."""
        self.operation, self.shape, self.dtype = operation, source.shape, source.dtype
        self.pieces = [(rule, values)]
        self.others: list = []

    def add(self, gradient: Any) -> "IndexedSlices":
        """The sum with another gradient of the same array."""
        if isinstance(gradient, IndexedSlices):
            self.pieces += gradient.pieces
            self.others += gradient.others
        else:
            self.others.append(gradient)
        return self

    def dense(self) -> Any:
        """The sum as an array."""
        (rule, values), *more = self.pieces
        interpreter = seam.interpreter
        total = interpreter.backward(self.operation, rule, ["x"], [values[need] for need in rule.needs])
        for _, values in more:
            total = interpreter.call(add_into, total, values["index"], values["g"])
        for other in self.others:
            total = interpreter.call(add, total, other)
        return total


def add_gradients(a: Any, b: Any, interpreter: Any) -> Any:
    """The gradient of what was used twice."""
    if b.__class__ is IndexedSlices:
        a, b = b, a
    if a.__class__ is IndexedSlices:
        return a.add(b)
    return interpreter.call(add, a, b)
