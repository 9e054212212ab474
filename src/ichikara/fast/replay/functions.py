"""Functions that stand in programs beside those of the step: they read what is outside, and put values together."""

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

import numpy

from ...autodiff import wrap
from .recorded import Recorded

__all__ = [
    "as_array",
    "as_list",
    "as_tensor",
    "as_tuple",
    "gathering",
    "grad",
    "held_at",
    "numbers",
    "numbers_found",
    "positional",
    "rebuilding",
    "taker",
]

numbers = attrgetter("_data")


def numbers_found(holder, tensor_of):
    return tensor_of(holder)._data


def held_at(place):
    held, name = place
    return held.get(name)


def grad(leaf):
    return leaf.grad


def as_tensor(array):
    return wrap(array, None)


def as_array(value):
    """A scalar of NumPy's as the array that a kernel takes; anything else as it is."""
    return numpy.asarray(value) if isinstance(value, numpy.generic) else value


def as_list(*parts):
    return list(parts)


def as_tuple(*parts):
    return parts


def positional(function: Callable, args: Any, options: dict) -> tuple[Callable, tuple]:
    """A function and its arguments without options; those that are recorded come first among the new arguments."""
    fixed = {name: value for name, value in options.items() if not isinstance(value, Recorded)}
    function = partial(function, **fixed) if fixed else function
    moving = tuple(name for name in options if name not in fixed)
    if not moving:
        return function, tuple(args)
    count = len(args)
    named = lambda *given: function(*given[:count], **dict(zip(moving, given[count:], strict=True)))
    return named, (*args, *(options[name] for name in moving))


def gathering(function: Callable, position: int, names: tuple) -> Callable:
    """A function that puts results into a dictionary, as one that returns them."""

    def gathered(*args):
        into: dict = {}
        output = function(*args[:position], into, *args[position + 1 :])
        return output, *(into[name] for name in names)

    return gathered


def rebuilding(rebuild: Callable, leaves: list, places: list[int]) -> Callable:
    """The function that makes what a step returns, of what is others in each replay."""
    if not places:
        constant = rebuild(leaves)
        return lambda moving: constant
    if len(leaves) == 1 and rebuild(leaves) is leaves[0]:  # a tree of nothing but this leaf
        return itemgetter(0)
    template = list(leaves)
    for place in places:
        template[place] = None

    def result(moving):
        filled = template.copy()
        for place, value in zip(places, moving, strict=True):
            filled[place] = value
        return rebuild(filled)

    return result


def taker(slots: Sequence[int]) -> Callable:
    """The function that takes the values in these slots out of a list of all values, as a row."""
    if len(slots) > 1:
        return itemgetter(*slots)
    first = slots[0] if slots else 0
    return itemgetter(slice(first, first + len(slots)))
