"""Functions that move elements and change none: reshaping, joining, cutting, turning round."""

import math
from collections.abc import Sequence
from functools import lru_cache

from ..arrays import namespace, normalise_axes, sum_along, sum_to
from ..autodiff import asarray, composed, op, raw
from ..autodiff.tensor import bind
from .indexing import scatter
from .info import broadcast_shapes

__all__ = [
    "broadcast_arrays",
    "broadcast_to",
    "concat",
    "expand_dims",
    "flatten",
    "flip",
    "matrix_transpose",
    "meshgrid",
    "moveaxis",
    "pad",
    "permute_dims",
    "repeat",
    "reshape",
    "roll",
    "squeeze",
    "stack",
    "tile",
    "tril",
    "triu",
    "unstack",
]


@op(r"y = \operatorname{reshape}(x)")
def reshape(x, /, shape):
    """The same elements in another shape; one length may be -1, for what is left. Shapes: (*) -> shape."""
    return x.reshape((shape,) if isinstance(shape, int) else tuple(shape))


reshape.gradient(
    x=(r"\bar x = \operatorname{reshape}(\bar y)", lambda g, x_shape: namespace(g).reshape(g, x_shape)),
)
reshape.jacobian(x=r"\frac{\partial \operatorname{vec}(y)}{\partial \operatorname{vec}(x)} = I")


@bind("reshape")
def _reshape(self, *shape):
    return reshape(self, *shape) if len(shape) == 1 else reshape(self, shape)


@composed(r"y = \operatorname{vec}(x)", binds="flatten")
def flatten(x, /, start_axis=0, end_axis=-1):
    """The axes from one to another as one; a single number has none, and gets one.

    Shapes: (\\*a, \\*b, \\*c) -> (\\*a, prod b, \\*c).
    """
    if not x.ndim:
        return reshape(x, (1,))
    first, last = normalise_axes(start_axis, x.ndim)[0], normalise_axes(end_axis, x.ndim)[0]
    return reshape(x, (*x.shape[:first], math.prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


@op(r"y_{i_{p(1)} \dots i_{p(n)}} = x_{i_1 \dots i_n}")
def permute_dims(x, /, axes):
    """The axes in another order. Shapes: (n_0, ..., n_k) -> (n_axes[0], ..., n_axes[k])."""
    return namespace(x).permute_dims(x, _checked(tuple(axes), x.ndim))


@lru_cache(256)
def _checked(axes, ndim):
    """The axes counted from the front; raises for what is no axis, or named twice."""
    normalise_axes(axes, ndim)
    return tuple(axis % ndim for axis in axes)


def _inverse(axes):
    """The permutation that undoes one."""
    n = len(axes)
    return tuple(sorted(range(n), key=lambda i: axes[i] % n))


permute_dims.gradient(
    x=(
        r"\bar x_{i_1 \dots i_n} = \bar y_{i_{p(1)} \dots i_{p(n)}}",
        lambda g, axes: namespace(g).permute_dims(g, _inverse(axes)),
    ),
)
permute_dims.jacobian(
    x=r"\frac{\partial L}{\partial x_{i_1 \dots i_n}} = \frac{\partial L}{\partial y_{i_{p(1)} \dots i_{p(n)}}}",
)


@composed(r"y_{\dots j \dots} = x_{\dots i \dots}", binds="moveaxis")
def moveaxis(x, /, source, destination):
    """Axes at other places, the others in their order. Shapes: (*) -> (*) with its axes in another order.

    Arguments: ``source``, an axis or several; ``destination``, as many, where they are to be.
    """
    source, destination = (_checked(tuple(a) if hasattr(a, "__len__") else (a,), x.ndim) for a in (source, destination))
    order = [i for i in range(x.ndim) if i not in source]
    for place, axis in sorted(zip(destination, source, strict=True)):
        order.insert(place, axis)
    return permute_dims(x, order)


@op(r"Y = X^\top")
def matrix_transpose(x, /):
    """The last two axes exchanged. Shapes: (*n, i, j) -> (*n, j, i)."""
    return _matrices(x).mT


def _matrices(x):
    """The array itself. Raises ValueError where it is no matrix."""
    if x.ndim < 2:
        raise ValueError(f"a matrix has two axes at least, and this has {x.ndim}")
    return x


matrix_transpose.gradient(x=(r"\bar X = \bar Y^\top", lambda g: g.mT))
matrix_transpose.jacobian(x=r"\frac{\partial L}{\partial X} = \bigl(\frac{\partial L}{\partial Y}\bigr)^\top")
bind("mT")(property(matrix_transpose))


def _transposed(self):
    if self.ndim != 2:
        raise ValueError(f"T is of a matrix, and this has {self.ndim} axes; use mT, or permute_dims()")
    return matrix_transpose(self)


bind("T")(property(_transposed))


@op(r"y = \operatorname{broadcast}(x)")
def broadcast_to(x, /, shape):
    """Repeated along axes of length 1, and along new ones in front. Shapes: (*) -> shape."""
    return namespace(x).broadcast_to(x, tuple(shape))


broadcast_to.gradient(x=(r"\bar x = \sum_{\text{repeated}} \bar y", lambda g, x_shape: sum_to(g, x_shape)))
broadcast_to.jacobian(x=r"\frac{\partial y_{r i}}{\partial x_j} = [i = j]")


def broadcast_arrays(*arrays) -> tuple:
    """Arrays in the shape that they have together. Shapes: (*), … -> (*) for each."""
    tensors = [asarray(array) for array in arrays]
    shape = broadcast_shapes(*[tensor.shape for tensor in tensors])
    return tuple(broadcast_to(tensor, shape) for tensor in tensors)


def meshgrid(*arrays, indexing="xy") -> tuple:
    """Coordinates on a grid, of the coordinates along each axis. Shapes: (n_0), (n_1), … -> (n_1, n_0, …) for each.

    Arguments: ``indexing``, ``"xy"``, or ``"ij"`` for results of shape (n_0, n_1, …).

    >>> [a.tolist() for a in meshgrid([1, 2], [3, 4])]
    [[[1, 2], [1, 2]], [[3, 3], [4, 4]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing is 'xy' or 'ij', not {indexing!r}")
    tensors = [asarray(array) for array in arrays]
    axes = list(range(len(tensors)))
    if indexing == "xy":
        axes[:2] = axes[:2][::-1]
    spread = [
        reshape(tensor, tuple(-1 if axis == own else 1 for axis in range(len(tensors))))
        for tensor, own in zip(tensors, axes, strict=True)
    ]
    return broadcast_arrays(*spread)


@op(r"y_{\dots 0 \dots} = x_{\dots}")
def expand_dims(x, /, axis=0):
    """With a new axis of length 1. Shapes: (*a, *b) -> (*a, 1, *b)."""
    return namespace(x).expand_dims(x, axis=axis)


expand_dims.gradient(x=(r"\bar x = \bar y_{\dots 0 \dots}", lambda g, x_shape: namespace(g).reshape(g, x_shape)))
expand_dims.jacobian(x=r"\frac{\partial \operatorname{vec}(y)}{\partial \operatorname{vec}(x)} = I")


@op(r"y_{\dots} = x_{\dots 0 \dots}", binds="squeeze")
def squeeze(x, /, axis=None):
    """Without axes of length 1: the named ones, or all of them. Shapes: (*a, 1, *b) -> (*a, *b)."""
    axes = tuple(i for i, n in enumerate(x.shape) if n == 1) if axis is None else axis
    return namespace(x).squeeze(x, axis=axes)


squeeze.gradient(x=(r"\bar x_{\dots 0 \dots} = \bar y", lambda g, x_shape: namespace(g).reshape(g, x_shape)))
squeeze.jacobian(x=r"\frac{\partial \operatorname{vec}(y)}{\partial \operatorname{vec}(x)} = I")


@op(r"y = (x_1, \dots, x_n)", sequence=True)
def concat(arrays, /, axis=0):
    """Joined along an axis that they have; None joins them flattened.

    Shapes: (*a, n_i, *b) for each -> (*a, sum n_i, *b).
    """
    if not len(arrays):
        raise ValueError("concat() was given no arrays")
    return namespace(*arrays).concat(arrays, axis=axis)


def _split(g, arrays_shape, axis):
    """The parts of a joined array's gradient, one for each that was joined."""
    lengths = [math.prod(shape) if axis is None else shape[axis] for shape in arrays_shape]
    axis = 0 if axis is None else axis % g.ndim
    parts, start = [], 0
    for length, shape in zip(lengths, arrays_shape, strict=True):
        part = g[(slice(None),) * axis + (slice(start, start + length),)]
        parts.append(namespace(g).reshape(part, shape))
        start += length
    return parts


concat.gradient(arrays=(r"(\bar x_1, \dots, \bar x_n) = \bar y", _split))
concat.jacobian(arrays=r"\frac{\partial y_{b_k + i}}{\partial {x^{(k)}_j}} = [i = j]")


@op(r"y_i = x_i", sequence=True)
def stack(arrays, /, axis=0):
    """Laid along a new axis. Shapes: (*a, *b) n times -> (*a, n, *b)."""
    if not len(arrays):
        raise ValueError("stack() was given no arrays")
    return namespace(*arrays).stack(arrays, axis=axis)


def _layers(g, axis):
    before = (slice(None),) * (axis % g.ndim)
    return [g[(*before, i)] for i in range(g.shape[axis])]


stack.gradient(arrays=(r"\bar x_i = \bar y_i", _layers))
stack.jacobian(arrays=r"\frac{\partial y_{l i}}{\partial {x^{(k)}_j}} = [l = k]\,[i = j]")


@composed(r"x_i = y_i")
def unstack(x, /, axis=0):
    """The arrays that lie along an axis, as a tuple. Shapes: (*a, n, *b) -> (*a, *b) n times."""
    return tuple(_layers(x, normalise_axes(axis, x.ndim)[0]))


@op(r"y = (0, x, 0)")
def pad(x, /, pad_width, constant_values=0.0):
    """Enclosed in a constant. Shapes: (n_i, ...) -> (before_i + n_i + after_i, ...).

    Arguments: ``pad_width``, a pair (before, after) for each axis, or one pair or number for all.
    """
    return namespace(x).pad(x, _pairs(pad_width, x.ndim), constant_values=constant_values)


def _pairs(width, ndim):
    if isinstance(width, int):
        return [(width, width)] * ndim
    width = width.tolist() if hasattr(width, "tolist") else list(width)
    if len(width) == 2 and all(isinstance(n, int) for n in width):
        return [tuple(width)] * ndim
    if len(width) == 1 and ndim != 1:
        return [tuple(width[0])] * ndim
    pairs = [tuple(pair) if isinstance(pair, Sequence) else (pair,) for pair in width]
    return [pair * 2 if len(pair) == 1 else pair for pair in pairs]


def _unpad(g, pad_width):
    pairs = _pairs(pad_width, g.ndim)
    return g[tuple(slice(before, n - after) for (before, after), n in zip(pairs, g.shape, strict=True))]


pad.gradient(x=(r"\bar x = \bar y_{\text{inside}}", _unpad))
pad.jacobian(x=r"\frac{\partial y_i}{\partial x_j} = [i = j + p]")


@op(r"y_i = x_{n - 1 - i}")
def flip(x, /, axis=None):
    """In the opposite order along axes, or along all. Shapes: (*) -> (*)."""
    return namespace(x).flip(x, axis=axis)


flip.gradient(x=(r"\bar x_i = \bar y_{n - 1 - i}", lambda g, axis: namespace(g).flip(g, axis=axis)))
flip.jacobian(x=r"\frac{\partial y_i}{\partial x_j} = [i = n - 1 - j]")


@op(r"y_{(i + s) \bmod n} = x_i")
def roll(x, /, shift, axis=None):
    """Shifted along an axis, what leaves at one end coming in at the other. Shapes: (*) -> (*)."""
    return namespace(x).roll(x, shift, axis=axis)


def _roll_back(g, shift, axis):
    back = tuple(-s for s in shift) if isinstance(shift, tuple | list) else -shift
    return namespace(g).roll(g, back, axis=axis)


roll.gradient(x=(r"\bar x_i = \bar y_{(i + s) \bmod n}", _roll_back))
roll.jacobian(x=r"\frac{\partial y_i}{\partial x_j} = [i = (j + s) \bmod n]")


@op(r"y_{r i + k} = x_i")
def repeat(x, /, repeats, axis=None):
    """Each element several times in a row, along an axis or of the flattened array.

    Shapes: (*a, n, *b) -> (*a, n r, *b), or (*a, sum r_i, *b).

    Arguments: ``repeats``, how often: one whole number, or one for each entry along the axis.
    """
    return namespace(x).repeat(x, _counts(repeats), axis=axis)


def _counts(repeats):
    """Whole numbers as the array library takes them: a number, or an array of them."""
    counts = raw(asarray(repeats))
    if counts.dtype.kind not in "iu" or counts.ndim > 1:
        raise TypeError(f"repeats is a whole number or a list of them, not {counts.dtype} of shape {counts.shape}")
    return counts if counts.ndim else int(counts)


def _sum_repeats(g, x_shape, repeats, axis):
    xp, counts = namespace(g), _counts(repeats)
    shape = (math.prod(x_shape),) if axis is None or not x_shape else x_shape
    axis = 0 if axis is None else axis % len(shape)
    if isinstance(counts, int):
        apart = xp.reshape(g, (*shape[: axis + 1], counts, *shape[axis + 1 :]))
        return xp.reshape(sum_along(apart, axis + 1), x_shape)
    entry = namespace(counts).repeat(namespace(counts).arange(shape[axis]), counts)
    return xp.reshape(scatter(g, (slice(None),) * axis + (entry,), shape), x_shape)


repeat.gradient(x=(r"\bar x_i = \sum_k \bar y_{r i + k}", _sum_repeats))
repeat.jacobian(x=r"\frac{\partial y_i}{\partial x_j} = [j = \lfloor i / r \rfloor]")


@composed(r"y_{i + n k} = x_i")
def tile(x, /, repetitions):
    """The whole array several times along each axis. Shapes: (n_i, ...) -> (n_i r_i, ...), axes added in front.

    Arguments: ``repetitions``, how often along each of the last axes; the axes in front of these stay as they are.

    >>> tile([1, 2], (2, 2)).tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    counts = (repetitions,) if isinstance(repetitions, int) else tuple(repetitions)
    shape = (1,) * (len(counts) - x.ndim) + x.shape
    counts = (1,) * (len(shape) - len(counts)) + counts
    apart = reshape(x, tuple(n for length in shape for n in (1, length)))
    spread = broadcast_to(apart, tuple(n for pair in zip(counts, shape, strict=True) for n in pair))
    return reshape(spread, tuple(count * n for count, n in zip(counts, shape, strict=True)))


@op(r"y_{ij} = x_{ij}\,[j \le i + k]")
def tril(x, /, k=0):
    """The lower triangle of matrices, zeros above it. Shapes: (*n, i, j) -> (*n, i, j)."""
    return namespace(x).tril(_matrices(x), k=k)


tril.gradient(x=(r"\bar x_{ij} = \bar y_{ij}\,[j \le i + k]", lambda g, k: namespace(g).tril(g, k=k)))
tril.jacobian(x=r"\frac{\partial y_{ij}}{\partial x_{lm}} = [i = l]\,[j = m]\,[j \le i + k]")


@op(r"y_{ij} = x_{ij}\,[j \ge i + k]")
def triu(x, /, k=0):
    """The upper triangle of matrices, zeros below it. Shapes: (*n, i, j) -> (*n, i, j)."""
    return namespace(x).triu(_matrices(x), k=k)


triu.gradient(x=(r"\bar x_{ij} = \bar y_{ij}\,[j \ge i + k]", lambda g, k: namespace(g).triu(g, k=k)))
triu.jacobian(x=r"\frac{\partial y_{ij}}{\partial x_{lm}} = [i = l]\,[j = m]\,[j \ge i + k]")
