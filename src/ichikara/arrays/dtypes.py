"""Number types, and the rule by which they mix: whole numbers follow the floats beside them, nothing widens silently.

NumPy turns float32 times int64 into float64, and the exponential of an int64 too. Here such whole numbers become the
float type beside them, or float32 where there is none. Two different float types give the wider one, as everywhere.
"""

from typing import Any

import numpy

from .namespace import namespace

__all__ = [
    "as_dtype",
    "bool_",
    "default_float",
    "float16",
    "float32",
    "float64",
    "harmonise",
    "int8",
    "int16",
    "int32",
    "int64",
    "is_half",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "widened",
]

float16, float32, float64 = numpy.dtype("float16"), numpy.dtype("float32"), numpy.dtype("float64")
int8, int16, int32, int64 = (numpy.dtype(f"int{bits}") for bits in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (numpy.dtype(f"uint{bits}") for bits in (8, 16, 32, 64))
bool_ = numpy.dtype("bool")
default_float = float32

_PYTHON: dict[type, numpy.dtype] = {float: default_float, int: int64, bool: bool_}


def as_dtype(dtype: Any) -> numpy.dtype:
    """The number type that a name, a NumPy type or Python's float, int, bool stands for.

    Python's float is float32, and so is None, which leaves the choice to us.

    Raises TypeError for what is not a type of real numbers.

    >>> as_dtype("float64"), as_dtype(float)
    (dtype('float64'), dtype('float32'))
    """
    if dtype is None:
        return default_float
    if isinstance(dtype, type) and dtype in _PYTHON:
        return _PYTHON[dtype]
    try:
        found: numpy.dtype | None = numpy.dtype(dtype)
    except TypeError:
        found = None
    if found is None or (found.kind not in "fiub" and str(found) != "bfloat16"):
        raise TypeError(f"{dtype!r} is no type of real numbers; use 'float32', 'float64', 'int64', 'bool' or the like")
    return found


def is_half(dtype: Any) -> bool:
    """Whether numbers of this type are of half precision: float16, which ends at 65504, or bfloat16."""
    return dtype.itemsize == 2 and dtype.kind not in "iu"


def widened(x: Any) -> Any:
    """The array as one in which many numbers can be added up: numbers of half precision become float32."""
    return namespace(x).astype(x, float32) if is_half(x.dtype) else x


def harmonise(values: list, positions: range | tuple[int, ...], floating: bool) -> None:
    """Give the arrays at these positions of a list types that mix without widening, in the list itself.

    ``floating`` says that the computation is one of real numbers, so that whole numbers on their own become float32.
    """
    first, same, real = None, True, floating
    for i in positions:
        value = values[i]
        kind = value.__class__
        if kind is float:
            real = True
        elif kind is not int and kind is not bool and value is not None:
            dtype = value.dtype
            if first is None:
                first = dtype
            elif dtype is not first and dtype != first:
                same = False
    if first is None and real:
        for i in positions:
            if values[i] is not None:
                values[i] = default_float.type(values[i])
    if first is None or (same and first.kind == "f"):
        return
    dtypes = [values[i].dtype for i in positions if hasattr(values[i], "dtype")]
    floats = [dtype for dtype in dtypes if dtype.kind not in "iub"]
    if floats:
        target = max(floats, key=lambda dtype: dtype.itemsize)
    elif real:
        target = default_float
    else:
        return
    for i in positions:
        value = values[i]
        if hasattr(value, "dtype") and value.dtype.kind in "iub":
            values[i] = namespace(value).astype(value, target)
