"""Floor 1: which library computes. The floors of the engine above it name neither NumPy nor JAX."""

from .axes import check_indices, is_basic_index, normalise_axes, size_along, unreduce
from .convert import as_array, format_array, native, read_only, to_numpy
from .convolution import Window, convolve, convolve_back, convolve_weight
from .dtypes import (
    as_dtype,
    bool_,
    default_float,
    float16,
    float32,
    float64,
    harmonise,
    int32,
    int64,
    uint8,
)
from .labels import counted as counted_labels
from ..fast.layout import joined, rows_at, stretched
from .namespace import (
    PYTHON_NUMBERS,
    READY,
    dtype_name,
    is_array,
    is_floating,
    is_scalar,
    is_tensor,
    is_traced,
    namespace,
)
from ..fast.once import Once
from ..fast.product import product, sum_of_rows, sum_of_two, sum_to
from .random import Generator, choose_generator, default_generator, generator_in_use, seed, using
from ..fast.replay.recorded import Recorded, compute, effect, of_fixed_count, plain, recording, refuse, run
from .special import add_into, erf, scatter_add

__all__ = [
    "PYTHON_NUMBERS",
    "READY",
    "Generator",
    "Once",
    "Recorded",
    "Window",
    "add_into",
    "as_array",
    "as_dtype",
    "check_indices",
    "choose_generator",
    "compute",
    "bool_",
    "convolve",
    "convolve_back",
    "convolve_weight",
    "counted_labels",
    "default_float",
    "default_generator",
    "dtype_name",
    "effect",
    "erf",
    "float16",
    "float32",
    "float64",
    "format_array",
    "generator_in_use",
    "harmonise",
    "int32",
    "int64",
    "is_array",
    "is_basic_index",
    "is_floating",
    "is_scalar",
    "is_tensor",
    "is_traced",
    "joined",
    "namespace",
    "native",
    "normalise_axes",
    "of_fixed_count",
    "plain",
    "product",
    "read_only",
    "recording",
    "refuse",
    "rows_at",
    "run",
    "scatter_add",
    "seed",
    "size_along",
    "stretched",
    "sum_of_rows",
    "sum_of_two",
    "sum_to",
    "to_numpy",
    "uint8",
    "unreduce",
    "using",
]
