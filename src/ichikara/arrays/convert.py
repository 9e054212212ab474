"""Into arrays and out of them: Python's numbers and lists, NumPy's arrays, and a clear word about everything else."""

from typing import Any

import numpy

from .dtypes import default_float
from .namespace import is_array, is_tensor

__all__ = ["as_array", "check_device", "format_array", "native", "read_only", "to_numpy"]


def to_numpy(array: Any) -> numpy.ndarray:
    """The array's numbers as a NumPy array, without a copy where that can be done."""
    return numpy.asarray(array)


def read_only(array: Any) -> Any:
    """A view of a NumPy array that cannot be written through; other libraries' arrays cannot be written anyway."""
    if not isinstance(array, numpy.ndarray):
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def format_array(array: Any, prefix: str) -> str:
    """The array's numbers as text, continued lines indented by the length of the prefix."""
    return numpy.array2string(to_numpy(array), separator=", ", prefix=prefix)


def check_device(device: Any) -> None:
    """Raise ValueError for another place to compute than the processor; None leaves the choice to us."""
    if device not in (None, "cpu"):
        raise ValueError(f"arrays are made on the device 'cpu', and {device!r} was asked for; leave device= out")


def as_array(obj: Any, dtype: numpy.dtype | None = None, copy: bool | None = None) -> Any:
    """An array of numbers, nested lists, or an array of NumPy or JAX; Python's floats become float32.

    Raises TypeError for an array of another library and for what is not a real number; ValueError for ragged lists, and
    where ``copy=False`` forbids a copy that is needed.
    """
    if not is_array(obj):
        array = _from_python(obj, dtype)
    elif dtype is not None and obj.dtype != dtype:
        array = obj.astype(dtype)
    else:
        array = obj.copy() if copy else obj
    if array.dtype.kind not in "fiub" and str(array.dtype) != "bfloat16":
        raise TypeError(f"a tensor holds real numbers, and these are of type {array.dtype}")
    array = native(array)
    if copy is False and array is not obj:
        raise ValueError(f"copy=False, and these numbers must be copied to be of type {array.dtype}; leave copy= out")
    return array


def native(array: Any) -> Any:
    """The array with its bytes in the processor's order; a file may have held them in the other."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _from_python(obj: Any, dtype: numpy.dtype | None) -> numpy.ndarray:
    if not isinstance(obj, int | float | list | tuple | range):
        kind = type(obj)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        if any(hasattr(obj, mark) for mark in ("__array__", "__dlpack__", "__array_interface__")):
            raise TypeError(
                f"ichikara computes with NumPy arrays, and this is a {name}; "
                "convert it first: numpy.asarray(x), or x.detach().numpy() for a tensor of PyTorch"
            )
        raise TypeError(f"a tensor is made of numbers, lists of numbers or a NumPy array, not of {name}")
    if isinstance(obj, list | tuple) and any(is_tensor(item) for item in obj):
        raise TypeError("a list of tensors becomes one tensor by stack(tensors) or concat(tensors)")
    try:
        array = numpy.array(obj, dtype=dtype)
    except ValueError as error:
        raise ValueError(f"these nested lists do not make an array: {error}") from None
    if dtype is None and (array.size == 0 or array.dtype == "float64"):
        return array.astype(default_float)
    return array
