"""Functions in and around programs beside those of the step: they read what is outside, and put values together."""

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

import numpy

from ...autodiff import Tensor, wrap
from ...nn import PackedSequence
from .traced import TracedArray

__all__ = [
    "array_of",
    "array_of_source",
    "as_array",
    "as_list",
    "as_tensor",
    "as_tuple",
    "dictionary_as_results",
    "entry",
    "getter",
    "gradient_of",
    "positional",
    "rebuilder",
    "with_inputs",
]

array_of = attrgetter("_data")


def array_of_source(source, tensor_of):
    """The array of the tensor that a source has now."""
    return tensor_of(source)._data


def entry(source):
    """The value under a name in a dictionary."""
    dictionary, name = source
    return dictionary.get(name)


def gradient_of(leaf):
    return leaf.grad


def as_tensor(array):
    return wrap(array, None)


def as_array(value):
    """A scalar of NumPy as the array that a kernel takes; any other value as it is."""
    return numpy.asarray(value) if isinstance(value, numpy.generic) else value


def as_list(*parts):
    return list(parts)


def as_tuple(*parts):
    return parts


def positional(function: Callable, args: Any, options: dict) -> tuple[Callable, tuple]:
    """The function and its arguments without options: traced options become arguments, the others are bound."""
    bound = {name: value for name, value in options.items() if not isinstance(value, TracedArray)}
    function = partial(function, **bound) if bound else function
    traced = tuple(name for name in options if name not in bound)
    if not traced:
        return function, tuple(args)
    count = len(args)
    call = lambda *given: function(*given[:count], **dict(zip(traced, given[count:], strict=True)))
    return call, (*args, *(options[name] for name in traced))


def dictionary_as_results(function: Callable, position: int, names: tuple) -> Callable:
    """A function that fills a dictionary, as one that returns the dictionary's values after its own value."""

    def call(*args):
        filled: dict = {}
        output = function(*args[:position], filled, *args[position + 1 :])
        return output, *(filled[name] for name in names)

    return call


def rebuilder(rebuild: Callable, leaves: list, positions: list[int]) -> Callable:
    """The function that makes what a step returns, given the values of this replay.

    Arguments: ``rebuild``, a function of all leaves; ``positions``, those of the leaves that differ in each replay.
    """
    if not positions:
        constant = rebuild(leaves)
        return lambda values: constant
    if len(leaves) == 1 and rebuild(leaves) is leaves[0]:  # a tree of nothing but this leaf
        return itemgetter(0)
    template = list(leaves)
    for position in positions:
        template[position] = None

    def result(values):
        filled = template.copy()
        for position, value in zip(positions, values, strict=True):
            filled[position] = value
        return rebuild(filled)

    return result


def getter(slots: Sequence[int]) -> Callable:
    """The function that gets the values in these slots, as a sequence, out of a list of all values."""
    if len(slots) > 1:
        return itemgetter(*slots)
    first = slots[0] if slots else 0
    return itemgetter(slice(first, first + len(slots)))


def with_inputs(tree: Any, inputs: Any) -> Any:
    """The arguments, with traced arrays in the place of arrays and of tensors without a gradient."""
    if isinstance(tree, PackedSequence):
        return tree._replace(data=with_inputs(tree.data, inputs))
    if isinstance(tree, Tensor):
        return tree if tree.requires_grad else wrap(next(inputs), None)
    if type(tree) is numpy.ndarray:
        return next(inputs)
    if type(tree) is dict:
        return {key: with_inputs(value, inputs) for key, value in tree.items()}
    if isinstance(tree, tuple | list):
        parts = [with_inputs(value, inputs) for value in tree]
        return type(tree)._make(parts) if hasattr(tree, "_make") else type(tree)(parts)
    return tree
