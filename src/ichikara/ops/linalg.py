"""Products of matrices, and of arrays with more axes."""

import math

from ..arrays import namespace, normalise_axes, sum_along, sum_to
from ..autodiff import composed, op
from .reduce import sum
from .shape import permute_dims, reshape

__all__ = ["einsum", "linear", "matmul", "tensordot", "vecdot"]


@op(r"Y = A B", binds="@", promotes=True)
def matmul(a, b, /):
    """Matrix product; a vector on the left is a row, on the right a column.

    Shapes: (*n, i, k), (*n, k, j) -> (*n, i, j), the leading axes broadcast together.
    """
    return a @ b


def as_matrices(g, a, b):
    """The factors and the gradient with the axes that a vector lacks, of length 1."""
    if b.ndim == 1:
        b, g = b[:, None], g[..., None]
    if a.ndim == 1:
        a, g = a[None, :], g[..., None, :]
    return g, a, b


def _left(g, a, b):
    g, matrix, b = as_matrices(g, a, b)
    return namespace(g).reshape(sum_to(g @ b.mT, matrix.shape), a.shape)


def _right(g, a, b):
    g, a, matrix = as_matrices(g, a, b)
    return namespace(g).reshape(sum_to(a.mT @ g, matrix.shape), b.shape)


matmul.gradient(a=(r"\bar A = \bar Y B^\top", _left), b=(r"\bar B = A^\top \bar Y", _right))
matmul.jacobian(
    a=r"\frac{\partial L}{\partial A} = B \frac{\partial L}{\partial Y}",
    b=r"\frac{\partial L}{\partial B} = \frac{\partial L}{\partial Y} A",
)


@op(r"Y = X W^\top + b", promotes=True)
def linear(x, weight, bias=None, /):
    """A layer's weighted sums: a row of the weight, and an element of the bias, for each neuron.

    Shapes: (*n, in), (out, in), (out) -> (*n, out).
    """
    y = x @ weight.mT
    return y if bias is None else y + bias


def flatten_rows(x):
    """A matrix of all leading axes as one. Shapes: (*n, k) -> (prod n, k)."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


linear.gradient(
    x=(r"\bar X = \bar Y W", lambda g, weight: g @ weight),
    weight=(r"\bar W = \bar Y^\top X", lambda g, x: flatten_rows(g).mT @ flatten_rows(x)),
    bias=(r"\bar b = \sum_i \bar Y_i", lambda g: sum_along(flatten_rows(g), 0)),
)
linear.jacobian(  # of one example
    x=r"\frac{\partial L}{\partial x} = \frac{\partial L}{\partial y} W, \quad y = W x + b",
    weight=r"\frac{\partial L}{\partial W} = x\;\frac{\partial L}{\partial y}, \quad y = W x + b",
    bias=r"\frac{\partial L}{\partial b} = \frac{\partial L}{\partial y}, \quad y = W x + b",
)


@composed(r"y_{i \dots j} = \sum_k a_{i k} b_{k j}")
def tensordot(a, b, /, axes=2):
    """Sum of products over pairs of axes: the last of a with the first of b, or two lists of axes.

    Shapes: (*i, *k), (*k, *j) -> (*i, *j).
    """
    if isinstance(axes, int):
        axes = (tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes)))
    first, second = ((n,) if isinstance(n, int) else tuple(n) for n in axes)
    first = tuple(normalise_axes(n, a.ndim)[0] for n in first)
    second = tuple(normalise_axes(n, b.ndim)[0] for n in second)
    if [a.shape[i] for i in first] != [b.shape[j] for j in second]:
        raise ValueError(f"tensordot: axes {first} of {a.shape} do not match axes {second} of {b.shape}")
    rows = tuple(i for i in range(a.ndim) if i not in first)
    columns = tuple(j for j in range(b.ndim) if j not in second)
    inner = math.prod(a.shape[i] for i in first)
    shape = tuple(a.shape[i] for i in rows) + tuple(b.shape[j] for j in columns)
    left = reshape(permute_dims(a, rows + first), (math.prod(a.shape[i] for i in rows), inner))
    right = reshape(permute_dims(b, second + columns), (inner, math.prod(b.shape[j] for j in columns)))
    return reshape(left @ right, shape)


@composed(r"y = \sum_k a_k b_k")
def vecdot(a, b, /, axis=-1):
    """Sum of products along an axis that both have. Shapes: (*n, k, *m), (*n, k, *m) -> (*n, *m), broadcast together.

    >>> vecdot([[1, 2], [3, 4]], [10, 1]).tolist()
    [12, 34]
    """
    products = a * b
    y = sum(products, axis=axis)
    return y if y.dtype == products.dtype else y.astype(products.dtype)  # a sum of short whole numbers is of long ones


def einsum(subscripts, *operands):
    r"""Sum of products, each axis named by a letter: those missing on the right are summed.

    .. math:: y_{\text{right}} = \sum_{\text{other letters}} \prod_k x^{(k)}_{\text{left}_k}

    Shapes: as the letters say; ``...`` stands for leading axes that are broadcast.

    Raises ValueError where the letters do not fit the operands.

    >>> einsum("ij,jk->ik", [[1.0, 2.0]], [[3.0], [4.0]])
    Tensor([[11.]])
    """
    return contract(list(operands), _spell_out(subscripts, [_rank(x) for x in operands]))


def _rank(x):
    """The number of axes of an operand, which may be a nested list."""
    return x.ndim if hasattr(x, "ndim") else len(_list_shape(x))


def _list_shape(x):
    return (len(x), *_list_shape(x[0])) if isinstance(x, list | tuple) and len(x) else ()


def _spell_out(subscripts, ranks):
    """The subscripts with ``...`` replaced by letters, and with a right side."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"einsum: '{subscripts}' is of {len(terms)} operands, and {len(ranks)} were given")
    used = set(text)
    spare = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in used]
    widths = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    for term, rank, width in zip(terms, ranks, widths, strict=True):
        if width < 0 or (width and "..." not in term):
            raise ValueError(f"einsum: '{term}' in '{subscripts}' does not name the {rank} axes of its operand")
    dots = "".join(spare[: max(widths, default=0)])
    if not arrow:
        letters = [c for term in terms for c in term if c.isalpha()]
        right = "..." * ("..." in left) + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    terms = [term.replace("...", dots[len(dots) - width :]) for term, width in zip(terms, widths, strict=True)]
    return ",".join(terms) + "->" + right.replace("...", dots)


@op(r"y_r = \sum \prod_k {x^{(k)}_{l_k}}", sequence=True, accumulates=True, name="einsum")
def contract(operands, /, subscripts):
    """`einsum` of a list of operands, every axis named. Shapes: as the letters say."""
    _check_lengths(operands, subscripts)
    return namespace(*operands).einsum(subscripts, *operands, optimize=len(operands) > 2)


def _check_lengths(operands, subscripts):
    """Raise ValueError where a letter stands for axes of different lengths; one of length 1 is broadcast."""
    lengths: dict[str, int] = {}
    for term, x in zip(subscripts.split("->")[0].split(","), operands, strict=True):
        for letter, n in zip(term, x.shape, strict=True):
            if n != 1 and lengths.setdefault(letter, n) != n:
                raise ValueError(f"axis {letter} has the lengths {lengths[letter]} and {n}")


def _contract_back(g, operands, subscripts):
    """For each operand: the gradient times the others, summed to the operand's letters.

    A letter that only this operand has was summed away; ones bring it back. A letter that it has twice chose its
    diagonal; an identity matrix puts the gradient there.
    """
    left, right = subscripts.split("->")
    terms = left.split(",")
    xp = namespace(g, *operands)
    parts = []
    for k, (term, x) in enumerate(zip(terms, operands, strict=True)):
        factors, names = [g], [right]
        for j, other in enumerate(operands):
            if j != k:
                factors.append(other)
                names.append(terms[j])
        spare = iter(c for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in subscripts)
        target = ""
        for axis, letter in enumerate(term):
            n = x.shape[axis]
            if letter in target:
                twin = next(spare)
                factors.append(xp.eye(n, dtype=g.dtype))
                names.append(letter + twin)
                target += twin
            else:
                if n != 1 or not any(letter in name for name in names):
                    # Ones also where the letter is known already: cheap, and they make an axis of the right length.
                    factors.append(xp.ones((n,), dtype=g.dtype))
                    names.append(letter)
                target += letter
        full = _contract_any(factors, names, target)
        parts.append(sum_to(full, x.shape))
    return parts


def _contract_any(factors, names, target):
    return contract(factors, ",".join(names) + "->" + target)


contract.gradient(operands=(r"{\bar x^{(k)}_{l_k}} = \sum \bar y_r \prod_{j \ne k} {x^{(j)}_{l_j}}", _contract_back))
contract.jacobian(operands=r"\frac{\partial y_r}{\partial {x^{(k)}_{l_k}}} = \sum \prod_{j \ne k} {x^{(j)}_{l_j}}")
