"""Choosing elements by position, and putting gradients back where they were chosen from."""

from ..arrays import check_indices, is_traced, namespace, normalise_axes, scatter_add, sum_to
from ..autodiff import Tensor, composed, op, raw
from ..autodiff.tensor import bind

__all__ = ["getitem", "one_hot", "scatter", "take", "take_along_axis"]


@op(r"y_{[i]} = \textstyle\sum x")
def scatter(x, /, index, shape):
    """Zeros of a shape, with x added at an index: the reverse of indexing. Shapes: that of y[index] -> shape."""
    return scatter_add(x, index, shape)


@op(r"y = x_{[i]}", slices=True)
def getitem(x, /, index):
    """The elements at an index: ``x[index]``, with slices, whole numbers, None, ``...``, integer or boolean arrays.

    Shapes: NumPy's rules of indexing.
    """
    return x[index]


getitem.gradient(
    x=(r"\bar x_{[i]} = \textstyle\sum \bar y", lambda g, x_shape, index: scatter(g, index, x_shape)),
)
getitem.jacobian(x=r"\frac{\partial y_k}{\partial x_j} = [j = i_k]")


@bind("__getitem__")
def _getitem(self, index):
    return getitem(self, _plain(index))


def _plain(index):
    """An index in which tensors and lists are arrays, as every library can use it."""
    if isinstance(index, tuple):
        return tuple(_plain(part) for part in index)
    if isinstance(index, list):
        index = Tensor(index, dtype="int64") if not index else Tensor(index)
    if isinstance(index, Tensor):
        if index.dtype.kind not in "iub":
            raise IndexError(f"an index is made of whole numbers or of true and false, not of {index.dtype}")
        index = raw(index)
    return index


scatter.gradient(x=(r"\bar x = \bar y_{[i]}", lambda g, x_shape, index: sum_to(g[index], x_shape)))
scatter.jacobian(x=r"\frac{\partial y_j}{\partial x_k} = [j = i_k]")


def _at(indices, axis):
    return (slice(None),) * axis + (indices,)


@op(r"y_{\dots k \dots} = x_{\dots i_k \dots}")
def take(x, indices, /, axis=0):
    """The entries along an axis at whole-number indices. Shapes: (*a, n, *b), (*i) -> (*a, *i, *b)."""
    check_indices(indices, x.shape[axis])
    return namespace(x, indices).take(x, indices, axis=axis)


def _untake(g, x_shape, indices, axis):
    return scatter(g, _at(raw(indices), normalise_axes(axis, len(x_shape))[0]), x_shape)


take.gradient(x=(r"\bar x_{\dots i \dots} = \sum_{k : i_k = i} \bar y_{\dots k \dots}", _untake), indices=None)
take.jacobian(x=r"\frac{\partial y_k}{\partial x_j} = [j = i_k]")


@op(r"y_{\dots k \dots} = x_{\dots i_{\dots k \dots} \dots}")
def take_along_axis(x, indices, /, axis=-1):
    """For each position its own choice along an axis. Shapes: (*a, n, *b), (*a, k, *b) -> (*a, k, *b)."""
    check_indices(indices, x.shape[axis])
    return namespace(x, indices).take_along_axis(x, indices, axis=axis)


def _untake_along_axis(g, x_shape, indices, axis):
    indices = raw(indices)
    axis = normalise_axes(axis, len(x_shape))[0]
    xp = namespace(indices)
    # Along the other axes each position is its own; the indices, or x, may be broadcast there.
    places = [
        xp.reshape(xp.arange(n), tuple(n if i == j else 1 for j in range(len(x_shape)))) for i, n in enumerate(x_shape)
    ]
    places[axis] = indices
    return scatter(g, tuple(places), x_shape)


take_along_axis.gradient(
    x=(r"\bar x_{\dots i \dots} = \sum_{k : i_k = i} \bar y_{\dots k \dots}", _untake_along_axis),
    indices=None,
)
take_along_axis.jacobian(x=r"\frac{\partial y_k}{\partial x_j} = [j = i_k]")


@composed(r"y_{ic} = [l_i = c]")
def one_hot(labels, /, num_classes=-1, dtype="float32"):
    """Class indices as rows of zeros with a one at the class. Shapes: (*) -> (*, num_classes).

    Arguments: ``num_classes``, how many; -1 counts up to the largest label.

    Raises ValueError for labels that are not whole numbers, or beyond the classes.

    >>> one_hot([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    array = raw(labels)
    xp = namespace(array)
    if array.dtype.kind not in "iu":
        raise ValueError(f"class labels are whole numbers, not {array.dtype}")
    if xp.__name__ == "numpy" and array.size and not is_traced(array):
        highest = int(array.max())
        if num_classes == -1:
            num_classes = highest + 1
        if highest >= num_classes or array.min() < 0:
            raise ValueError(
                f"labels from {array.min()} to {highest} were given for {num_classes} classes, 0 to {num_classes - 1}"
            )
    if num_classes < 0:
        raise ValueError("num_classes must be given where there are no labels to count")
    return Tensor(xp.astype(xp.expand_dims(array, axis=-1) == xp.arange(num_classes), xp.bool)).astype(dtype)
