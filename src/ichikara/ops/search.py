"""Sorting, searching, and sets: what is where, and in which order."""

from typing import NamedTuple

from ..arrays import namespace, normalise_axes
from ..autodiff import Tensor, asarray, composed, op, raw, wrap
from .indexing import getitem, take_along_axis
from .shape import flatten

__all__ = [
    "argsort",
    "isin",
    "nonzero",
    "searchsorted",
    "sort",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


@op(r"x_{i_1} \le \dots \le x_{i_n}", binds="argsort")
def argsort(x, /, axis=-1, descending=False, stable=True):
    """The positions that sort along an axis; equal elements keep their order. Shapes: (*) -> (*)."""
    xp, last = namespace(x), x.shape[normalise_axes(axis, x.ndim)[0]] - 1
    if not descending:
        return xp.argsort(x, axis=axis, stable=stable)
    return last - xp.flip(xp.argsort(xp.flip(x, axis=axis), axis=axis, stable=stable), axis=axis)


argsort.gradient(x=None)


@composed(r"y_1 \le \dots \le y_n", binds="sort")
def sort(x, /, axis=-1, descending=False, stable=True):
    """The elements in rising order along an axis. Shapes: (*) -> (*).

    >>> sort([3, 1, 2], descending=True).tolist()
    [3, 2, 1]
    """
    return take_along_axis(x, argsort(x, axis=axis, descending=descending, stable=stable), axis=axis)


@op(r"y_j = \sum_i [a_i < b_j]")
def searchsorted(a, b, /, side="left", sorter=None):
    """Where each of b would have to go into the sorted a. Shapes: (n), (*) -> (*).

    Arguments: ``side``, whether ``"left"`` or ``"right"`` of equal elements; ``sorter``, the positions that sort a.
    """
    if side not in ("left", "right"):
        raise ValueError(f"side is 'left' or 'right', not {side!r}")
    return namespace(a, b).searchsorted(a, b, side=side, sorter=raw(sorter))


searchsorted.gradient(a=None, b=None)


@op(r"y = [x \in S]")
def isin(x, elements, /, invert=False):
    """Whether it is one of the elements; with ``invert`` whether it is none. Shapes: (*), (*s) -> (*)."""
    return namespace(x, elements).isin(x, elements, invert=invert)


isin.gradient(x=None, elements=None)


def nonzero(x) -> tuple[Tensor, ...]:
    """The positions of what is not 0, along each axis. Shapes: (*) -> (k) for each axis.

    >>> [i.tolist() for i in nonzero([[0, 5], [7, 0]])]
    [[0, 1], [1, 0]]
    """
    array = raw(asarray(x))
    if not array.ndim:
        raise ValueError("nonzero() asks along which axes, and a single number has none")
    return tuple(wrap(positions, None) for positions in namespace(array).nonzero(array))


class UniqueAll(NamedTuple):
    """The values in rising order, where each is first, the position of each element among them, and how often."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """The values in rising order, and how often each is there."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """The values in rising order, and the position of each element among them."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x) -> UniqueAll:
    """The different elements in rising order, and where they are; each NaN is one of its own.

    Shapes: (*) -> values (k), indices (k), inverse_indices (*), counts (k). The gradient goes to the first of equals.

    >>> unique_all([3, 1, 3]).inverse_indices.tolist()
    [1, 0, 1]
    """
    tensor = asarray(x)
    array = raw(tensor)
    _, indices, inverse, counts = namespace(array).unique_all(array)
    values = getitem(flatten(tensor) if tensor.ndim != 1 else tensor, indices)
    return UniqueAll(values, wrap(indices, None), wrap(inverse, None), wrap(counts, None))


def unique_counts(x) -> UniqueCounts:
    """The different elements in rising order, and how often each is there. Shapes: (*) -> values (k), counts (k)."""
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x) -> UniqueInverse:
    """The different elements in rising order, and the position of each element. Shapes: (*) -> values (k), (*)."""
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x) -> Tensor:
    """The different elements in rising order. Shapes: (*) -> (k).

    >>> unique_values([3, 1, 3]).tolist()
    [1, 3]
    """
    return unique_all(x).values
