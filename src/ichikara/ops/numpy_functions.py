"""NumPy's functions by their names, each made of our operations. Who calls them is in `numpy_protocol`.

Each has the arguments that NumPy's has, in its order, as far as there is something to do with them; ``out`` is there
to keep the place, and never given.
"""

import math
from functools import lru_cache
from typing import Any

from ..autodiff import alias as copy
from ..autodiff import asarray
from . import creation, elementwise, exponential, linalg, logic, reduce, search, shape, trigonometry
from .activation import heaviside
from .elementwise import astype
from .indexing import take, take_along_axis
from .linalg import einsum, matmul, tensordot, vecdot
from .shape import broadcast_to, concat, expand_dims, flip, permute_dims, reshape, stack

__all__ = ["FUNCTIONS", "PLAIN", "Refused", "ufunc"]


class Refused(Exception):
    """What was asked of NumPy's function is not here."""


def _refuse(what):
    raise Refused(what)


def _total(operation):
    def call(a, axis=None, dtype=None, out=None, keepdims=False):
        return operation(a if dtype is None else astype(a, dtype), axis=axis, keepdims=keepdims)

    return call


def _choice(operation):
    return lambda a, axis=None, out=None, keepdims=False: operation(a, axis=axis, keepdims=keepdims)


def _spread(operation):
    def call(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, correction=None):
        return operation(a, axis=axis, correction=ddof if correction is None else correction, keepdims=keepdims)

    return call


def _running(operation):
    def call(a, axis=None, dtype=None, out=None):
        a = a if dtype is None else astype(a, dtype)
        return operation(reshape(a, (-1,)), axis=0) if axis is None else operation(a, axis=axis)

    return call


def ptp(a, axis=None, out=None, keepdims=False):
    return reduce.max(a, axis=axis, keepdims=keepdims) - reduce.min(a, axis=axis, keepdims=keepdims)


def diagonal(a, offset=0, axis1=0, axis2=1):
    a = shape.moveaxis(a, (axis1, axis2), (-2, -1))
    n, m = a.shape[-2:]
    rows = range(max(0, -offset), max(0, -offset, min(n, m - offset)))
    return a[..., list(rows), [i + offset for i in rows]]


def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    return reduce.sum(diagonal(a if dtype is None else astype(a, dtype), offset, axis1, axis2), axis=-1)


def transpose(a, axes=None):
    return permute_dims(a, tuple(reversed(range(a.ndim))) if axes is None else axes)


def swapaxes(a, axis1, axis2):
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return permute_dims(a, order)


def atleast_1d(*arys):
    made = tuple(reshape(a, (1,)) if a.ndim == 0 else a for a in map(asarray, arys))
    return made[0] if len(made) == 1 else made


def atleast_2d(*arys):
    made = tuple(a if a.ndim > 1 else reshape(a, (1, -1)) for a in map(asarray, arys))
    return made[0] if len(made) == 1 else made


def hstack(tup):
    parts = [atleast_1d(part) for part in tup]
    return concat(parts, axis=0 if parts[0].ndim == 1 else 1)


def vstack(tup):
    return concat([atleast_2d(part) for part in tup], axis=0)


def dstack(tup):
    parts = [atleast_2d(part) for part in tup]
    return concat([part if part.ndim > 2 else expand_dims(part, axis=2) for part in parts], axis=2)


def column_stack(tup):
    return concat([part if part.ndim > 1 else reshape(part, (-1, 1)) for part in map(asarray, tup)], axis=1)


def append(arr, values, axis=None):
    return concat([arr, values], axis=axis)


def array_split(ary, indices_or_sections, axis=0):
    n, axis = ary.shape[axis], range(ary.ndim)[axis]
    if isinstance(indices_or_sections, int):
        each, longer = divmod(n, indices_or_sections)
        stops = [(i + 1) * each + min(i + 1, longer) for i in range(indices_or_sections - 1)]
    else:
        stops = list(indices_or_sections)
    before = (slice(None),) * axis
    return [ary[(*before, slice(a, b))] for a, b in zip([0, *stops], [*stops, n], strict=True)]


def split(ary, indices_or_sections, axis=0):
    if isinstance(indices_or_sections, int) and ary.shape[axis] % indices_or_sections:
        raise ValueError(f"an axis of length {ary.shape[axis]} is not split into {indices_or_sections} equal parts")
    return array_split(ary, indices_or_sections, axis)


def pad(array, pad_width, mode="constant", constant_values=0.0):
    return shape.pad(array, pad_width, constant_values) if mode == "constant" else _refuse(f"mode={mode!r}")


def where(condition, x=None, y=None):
    return search.nonzero(condition) if x is None and y is None else elementwise.where(condition, x, y)


def clip(a, a_min=None, a_max=None, out=None, *, min=None, max=None):
    return elementwise.clip(a, a_min if min is None else min, a_max if max is None else max)


def numpy_round(a, decimals=0, out=None):
    return elementwise.round(a) if decimals == 0 else elementwise.round(a * 10**decimals) / 10**decimals


def numpy_take(a, indices, axis=None, out=None):
    return take(reshape(a, (-1,)), indices) if axis is None else take(a, indices, axis=axis)


def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    return search.sort(reshape(a, (-1,))) if axis is None else search.sort(a, axis=axis)


def argsort(a, axis=-1, kind=None, order=None, *, stable=None):
    return search.argsort(reshape(a, (-1,))) if axis is None else search.argsort(a, axis=axis)


def dot(a, b, out=None):
    a, b = asarray(a), asarray(b)
    if not a.ndim or not b.ndim:
        return a * b
    return matmul(a, b) if b.ndim <= 2 else tensordot(a, b, ((a.ndim - 1,), (b.ndim - 2,)))


def inner(a, b):
    a, b = asarray(a), asarray(b)
    return tensordot(a, b, ((a.ndim - 1,), (b.ndim - 1,))) if a.ndim and b.ndim else a * b


def outer(a, b, out=None):
    return reshape(asarray(a), (-1, 1)) * reshape(asarray(b), (1, -1))


def vdot(a, b):
    return reduce.sum(reshape(asarray(a), (-1,)) * reshape(asarray(b), (-1,)))


def norm(x, ord=None, axis=None, keepdims=False):
    """The Euclidean norm; its slope at 0 is taken as 0."""
    if ord not in (None, 2) or (ord == 2 and (x.ndim > 1 if axis is None else not isinstance(axis, int))):
        _refuse(f"ord={ord!r}")
    total = reduce.sum(x * x, axis=axis, keepdims=keepdims)
    nothing = total == 0
    return elementwise.where(nothing, 0.0, elementwise.sqrt(elementwise.where(nothing, 1.0, total)))


FUNCTIONS: dict[str, Any] = {
    "sum": _total(reduce.sum),
    "prod": _total(reduce.prod),
    "mean": _total(reduce.mean),
    **dict.fromkeys(("max", "amax"), _choice(reduce.max)),
    **dict.fromkeys(("min", "amin"), _choice(reduce.min)),
    "all": _choice(reduce.all),
    "any": _choice(reduce.any),
    "argmax": _choice(reduce.argmax),
    "argmin": _choice(reduce.argmin),
    "count_nonzero": lambda a, axis=None, *, keepdims=False: reduce.count_nonzero(a, axis, keepdims),
    "var": _spread(reduce.var),
    "std": _spread(reduce.std),
    "cumsum": _running(reduce.cumulative_sum),
    "cumprod": _running(reduce.cumulative_prod),
    "cumulative_sum": lambda x, *, axis=-1, include_initial=False: reduce.cumulative_sum(x, axis, include_initial),
    "cumulative_prod": lambda x, *, axis=-1, include_initial=False: reduce.cumulative_prod(x, axis, include_initial),
    "diff": lambda a, n=1, axis=-1, prepend=None, append=None: reduce.diff(a, axis, n, prepend, append),
    "ptp": ptp,
    "trace": trace,
    "diagonal": diagonal,
    "reshape": lambda a, shape, order="C": reshape(a, shape) if order == "C" else _refuse(f"order={order!r}"),
    "ravel": lambda a, order="C": reshape(a, (-1,)) if order == "C" else _refuse(f"order={order!r}"),
    "transpose": transpose,
    "permute_dims": transpose,
    "matrix_transpose": lambda x: shape.matrix_transpose(x),
    "swapaxes": swapaxes,
    "moveaxis": lambda a, source, destination: shape.moveaxis(a, source, destination),
    "squeeze": lambda a, axis=None: shape.squeeze(a, axis),
    "expand_dims": lambda a, axis: expand_dims(a, axis),
    "atleast_1d": atleast_1d,
    "atleast_2d": atleast_2d,
    "broadcast_to": lambda array, shape: broadcast_to(array, (shape,) if isinstance(shape, int) else shape),
    "broadcast_arrays": lambda *args: shape.broadcast_arrays(*args),
    "meshgrid": lambda *xi, indexing="xy": shape.meshgrid(*xi, indexing=indexing),
    "flip": lambda m, axis=None: flip(m, axis),
    "flipud": lambda m: flip(m, 0),
    "fliplr": lambda m: flip(m, 1),
    "roll": lambda a, shift, axis=None: shape.roll(a, shift, axis),
    "tril": lambda m, k=0: shape.tril(m, k),
    "triu": lambda m, k=0: shape.triu(m, k),
    "pad": pad,
    "repeat": lambda a, repeats, axis=None: shape.repeat(a, repeats, axis),
    "tile": lambda A, reps: shape.tile(A, reps),
    **dict.fromkeys(("concat", "concatenate"), lambda arrays, axis=0, out=None: concat(arrays, axis)),
    "stack": lambda arrays, axis=0, out=None: stack(arrays, axis),
    "unstack": lambda x, *, axis=0: shape.unstack(x, axis),
    "hstack": hstack,
    "vstack": vstack,
    "dstack": dstack,
    "column_stack": column_stack,
    "append": append,
    "split": split,
    "array_split": array_split,
    "vsplit": lambda ary, indices_or_sections: split(ary, indices_or_sections, 0),
    "hsplit": lambda ary, indices_or_sections: split(ary, indices_or_sections, 0 if ary.ndim == 1 else 1),
    "dsplit": lambda ary, indices_or_sections: split(ary, indices_or_sections, 2),
    **dict.fromkeys(("copy", "real"), lambda a: copy(a)),
    "astype": lambda x, dtype, *, copy=True: astype(x, dtype, copy),
    "where": where,
    "clip": clip,
    **dict.fromkeys(("round", "around"), numpy_round),
    "fix": lambda x, out=None: elementwise.trunc(x),
    "take": numpy_take,
    "take_along_axis": lambda arr, indices, axis=-1: take_along_axis(arr, indices, axis),
    "sort": sort,
    "argsort": argsort,
    "searchsorted": lambda a, v, side="left", sorter=None: search.searchsorted(a, v, side, sorter),
    "nonzero": lambda a: search.nonzero(a),
    "isin": lambda element, test_elements, *, invert=False: search.isin(element, test_elements, invert),
    "unique": lambda ar: search.unique_values(ar),
    **{f"unique_{kind}": getattr(search, f"unique_{kind}") for kind in ("all", "counts", "inverse", "values")},
    "dot": dot,
    "inner": inner,
    "outer": outer,
    "vdot": vdot,
    "tensordot": lambda a, b, axes=2: tensordot(a, b, axes),
    "einsum": lambda subscripts, *operands, out=None, optimize=False: (
        einsum(subscripts, *operands) if isinstance(subscripts, str) else _refuse("letters are to be one text")
    ),
    "linalg.matmul": lambda x1, x2: matmul(x1, x2),
    "linalg.matrix_transpose": lambda x: shape.matrix_transpose(x),
    "linalg.tensordot": lambda x1, x2, *, axes=2: tensordot(x1, x2, axes),
    "linalg.vecdot": lambda x1, x2, *, axis=-1: vecdot(x1, x2, axis),
    "linalg.outer": outer,
    "linalg.diagonal": lambda x, *, offset=0: diagonal(x, offset, -2, -1),
    "linalg.trace": lambda x, *, offset=0: trace(x, offset, -2, -1),
    "linalg.norm": norm,
    "linalg.vector_norm": lambda x, *, axis=None, keepdims=False: norm(x, None, axis, keepdims),
    "linalg.matrix_norm": lambda x, *, keepdims=False: norm(x, None, (-2, -1), keepdims),
    "zeros_like": lambda a, dtype=None: creation.zeros_like(a, dtype),
    "ones_like": lambda a, dtype=None: creation.ones_like(a, dtype),
    "empty_like": lambda a, dtype=None: creation.empty_like(a, dtype),
    "full_like": lambda a, fill_value, dtype=None: creation.full_like(a, fill_value, dtype),
}

# These tell of a tensor what has no slope, or write its numbers where they are meant to be read.
PLAIN = frozenset(
    """
    allclose array2string array_equal array_equiv array_repr array_str argpartition argwhere can_cast common_type
    diag_indices_from digitize einsum_path flatnonzero iscomplex iscomplexobj isclose isneginf isposinf isreal isrealobj
    lexsort linalg.matrix_rank may_share_memory min_scalar_type nanargmax nanargmin ndim result_type save savetxt savez
    savez_compressed shape shares_memory size tril_indices_from triu_indices_from
    """.split()  # noqa: SIM905 - a list of these would be a page
)

_UFUNCS: dict[str, Any] = {
    **{
        name: value
        for module in (elementwise, exponential, linalg, logic, trigonometry)
        for name, value in vars(module).items()
        if hasattr(value, "formula")
    },
    "absolute": elementwise.abs,
    "fabs": elementwise.abs,
    "power": elementwise.pow,
    "float_power": elementwise.pow,
    "rint": elementwise.round,
    "positive": copy,
    "conjugate": copy,
    "invert": logic.bitwise_invert,
    "left_shift": logic.bitwise_left_shift,
    "right_shift": logic.bitwise_right_shift,
    **{f"arc{name}": getattr(trigonometry, f"a{name}") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "arctan2": trigonometry.atan2,
    "exp2": lambda x: 2.0**x,
    **dict.fromkeys(("deg2rad", "radians"), lambda x: x * (math.pi / 180)),
    **dict.fromkeys(("rad2deg", "degrees"), lambda x: x * (180 / math.pi)),
    "divmod": lambda a, b: (elementwise.floor_divide(a, b), elementwise.remainder(a, b)),
    "heaviside": lambda x, at_zero: heaviside(x, at_zero) if isinstance(at_zero, int | float) else _refuse("an array"),
    "matvec": lambda a, b: matmul(a, expand_dims(b, axis=-1))[..., 0],
    "vecmat": lambda a, b: matmul(expand_dims(a, axis=-2), b)[..., 0, :],
}
_REDUCTIONS: dict[str, Any] = {
    "add": reduce.sum,
    "multiply": reduce.prod,
    "maximum": reduce.max,
    "minimum": reduce.min,
    "logical_and": reduce.all,
    "logical_or": reduce.any,
}
_ACCUMULATIONS: dict[str, Any] = {"add": reduce.cumulative_sum, "multiply": reduce.cumulative_prod}


def _outer(operation):
    return lambda a, b: operation(reshape(asarray(a), (*asarray(a).shape, *(1,) * asarray(b).ndim)), b)


@lru_cache(None)
def ufunc(name: str, method: str) -> Any:
    """What a method of a ufunc is here, such as ``__call__`` or ``reduce``; None if nothing."""
    if method == "__call__":
        return _UFUNCS.get(name)
    if method == "outer" and name in _UFUNCS:
        return _outer(_UFUNCS[name])
    if method == "reduce" and name in _REDUCTIONS:
        reduced = _REDUCTIONS[name]
        return lambda array, axis=0, dtype=None, out=None, keepdims=False: reduced(array, axis=axis, keepdims=keepdims)
    if method == "accumulate" and name in _ACCUMULATIONS:
        running = _ACCUMULATIONS[name]
        return lambda array, axis=0, dtype=None, out=None: running(array, axis=axis)
    return None
