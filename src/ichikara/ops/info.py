"""What the array API asks of a namespace besides its functions: types of numbers, their limits and how they mix."""

import math
from typing import Any, NamedTuple

from ..arrays import (
    as_dtype,
    bool_,
    default_float,
    float32,
    float64,
    harmonise,
    int8,
    int16,
    int32,
    int64,
    is_array,
    namespace,
    uint8,
    uint16,
    uint32,
    uint64,
)

__all__ = [
    "broadcast_shapes",
    "can_cast",
    "e",
    "finfo",
    "iinfo",
    "inf",
    "isdtype",
    "nan",
    "newaxis",
    "pi",
    "result_type",
]

e, inf, nan, pi, newaxis = math.e, math.inf, math.nan, math.pi, None
_host = namespace()

_DTYPES: dict[str, dict[str, Any]] = {
    "bool": {"bool": bool_},
    "signed integer": {"int8": int8, "int16": int16, "int32": int32, "int64": int64},
    "unsigned integer": {"uint8": uint8, "uint16": uint16, "uint32": uint32, "uint64": uint64},
    "real floating": {"float32": float32, "float64": float64},
    "complex floating": {},
}
_KINDS: dict[str | None, tuple[str, ...]] = {
    None: tuple(_DTYPES),
    "integral": ("signed integer", "unsigned integer"),
    "numeric": ("signed integer", "unsigned integer", "real floating"),
    **{kind: (kind,) for kind in _DTYPES},
}


class Limits(NamedTuple):
    """What a type of real numbers can hold: ``eps`` is the distance from 1 to the next number."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Any


class WholeLimits(NamedTuple):
    """What a type of whole numbers can hold."""

    bits: int
    max: int
    min: int
    dtype: Any


def _dtype(value):
    """The type of an array, or the type itself."""
    return value.dtype if is_array(value) else as_dtype(value)


def finfo(type: Any, /) -> Limits:
    """The limits of a type of real numbers, or of an array's.

    >>> finfo("float32").max > 3e38
    True
    """
    dtype = _dtype(type)
    if dtype.kind != "f":
        raise TypeError(f"finfo() is of real numbers, and {dtype} is no type of them; use iinfo()")
    found = _host.finfo(dtype)
    eps, largest, smallest, normal = map(float, (found.eps, found.max, found.min, found.smallest_normal))
    return Limits(found.bits, eps, largest, smallest, normal, dtype)


def iinfo(type: Any, /) -> WholeLimits:
    """The limits of a type of whole numbers, or of an array's.

    >>> iinfo("int8").max
    127
    """
    dtype = _dtype(type)
    if dtype.kind not in "iu":
        raise TypeError(f"iinfo() is of whole numbers, and {dtype} is no type of them; use finfo()")
    found = _host.iinfo(dtype)
    return WholeLimits(found.bits, int(found.max), int(found.min), dtype)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a type is of a kind, or of one of several: ``"bool"``, ``"integral"``, ``"real floating"`` and others.

    >>> isdtype("float32", "real floating"), isdtype("int8", ("bool", "integral"))
    (True, True)
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return bool(_host.isdtype(as_dtype(dtype), tuple(k if k in _KINDS and k != "bool" else as_dtype(k) for k in kinds)))


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The type that arrays, types and Python's numbers have together: that of their sum.

    >>> result_type("int64", "float32")
    dtype('float32')
    """
    if not arrays_and_dtypes:
        raise ValueError("result_type() was given nothing")
    values = [v if v.__class__ in (int, float, bool) else _host.empty(0, _dtype(v)) for v in arrays_and_dtypes]
    harmonise(values, range(len(values)), floating=False)
    return _host.result_type(*values)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether numbers of one type, or an array, become another type when they meet it.

    >>> can_cast("int64", "float32"), can_cast("float64", "float32")
    (True, False)
    """
    return result_type(_dtype(from_), to) == as_dtype(to)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that arrays of these shapes have together. Raises ValueError where they do not fit.

    >>> broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    return _host.broadcast_shapes(*shapes)


class _NamespaceInfo:
    """The answers of `__array_namespace_info__`."""

    def capabilities(self) -> dict[str, Any]:
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        return "cpu"

    def devices(self) -> list[str]:
        return ["cpu"]

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        return {"real floating": default_float, "integral": int64, "indexing": int64}

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        kinds = kind if isinstance(kind, tuple) else (kind,)
        return {name: dtype for k in kinds for group in _KINDS[k] for name, dtype in _DTYPES[group].items()}


def __array_namespace_info__() -> _NamespaceInfo:
    """What this namespace can do, and the types that it has.

    >>> __array_namespace_info__().default_dtypes()["real floating"]
    dtype('float32')
    """
    return _NamespaceInfo()
