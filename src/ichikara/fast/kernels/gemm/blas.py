r"""GEMM in compiled code, by the linear algebra library that NumPy brings along.

.. math:: C \leftarrow A B + \beta C

Numba's own ``numpy.dot`` calls another library, SciPy's. That is older, has threads of its own, and takes a tenth of a
second to import. Where NumPy was built with a library whose functions have another signature, a function of the same
signature is made from ``numpy.dot``.
"""

import ctypes
from pathlib import Path

import numpy

from ...jit.address import address
from ...jit.code_cache import add_symbol
from ...jit.lazy import inner, intrinsic, lazy_import
from ...threads.blas_threads import BLAS_SERIAL_LIMIT, rescan

__all__ = ["NO_TRANSPOSE", "TRANSPOSE", "cblas_gemm", "gemm", "small_gemm"]

cgutils, ir, numba, types = (
    lazy_import("numba.core.cgutils"),
    lazy_import("llvmlite.ir"),
    lazy_import("numba"),
    lazy_import("numba.types"),
)

# CBLAS's flags. They are of NumPy's type: each Python number is a type of its own to the compiler, which would compile
# `small_gemm` for each.
_ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE = numpy.int32(101), numpy.int32(111), numpy.int32(112)

_alive: list = []  # objects of which only the addresses are used elsewhere


def _add_gemm_symbols():
    """Give the library's functions the names by which kernels call them, cached ones too."""
    library = _numpy_openblas()
    for letter in "sd":
        function = getattr(library, f"scipy_cblas_{letter}gemm64_", None)
        address = ctypes.cast(function, ctypes.c_void_p).value if function else _gemm_from_dot(letter)
        add_symbol(f"ichikara_{letter}gemm", address)


def _numpy_openblas():
    """The OpenBLAS in NumPy's own folders, or None."""
    package = Path(numpy.__file__).parent
    for folder in (package.with_name("numpy.libs"), package / ".dylibs"):
        for path in folder.glob("*openblas64*"):
            try:
                return ctypes.CDLL(str(path))
            except OSError:
                continue
    return None


def _gemm_from_dot(letter):
    """The address of a function of the same signature, made from ``numpy.dot``."""
    element, flag, size = (types.float32 if letter == "s" else types.float64), types.int32, types.int64
    matrix = types.CPointer(element), size
    form = types.void(flag, flag, flag, size, size, size, element, *matrix, *matrix, element, *matrix)
    carray = numba.carray

    def product(order, a_transpose, b_transpose, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        left = carray(a, (k, lda))[:, :m].T if a_transpose == TRANSPOSE else carray(a, (m, lda))[:, :k]
        right = carray(b, (n, ldb))[:, :k].T if b_transpose == TRANSPOSE else carray(b, (k, ldb))[:, :n]
        result, out = numpy.dot(left.copy(), right.copy()), carray(c, (m, ldc))
        for i in range(m):
            for j in range(n):
                out[i, j] = alpha * result[i, j] + (beta * out[i, j] if beta else element(0))

    _alive.append(numba.cfunc(form, cache=True)(product))
    rescan()  # SciPy's library computes this, and is limited to one thread too
    return _alive[-1].address


_add_gemm_symbols()


@intrinsic
def cblas_gemm(typing, a_transpose, b_transpose, m, n, k, a, lda, b, ldb, beta, c, ldc, like):
    """The library's GEMM for the element type of the array ``like``; matrices are given by addresses."""
    element, flag, size = like.dtype, types.int32, types.int64
    matrix = size, size

    def code(context, builder, signature, arguments):
        a_transpose, b_transpose, m, n, k, a, lda, b, ldb, beta, c, ldc, _ = arguments
        row_major, one = context.get_constant(flag, _ROW_MAJOR), context.get_constant(element, 1)
        operands = [row_major, a_transpose, b_transpose, m, n, k, one, a, lda, b, ldb, beta, c, ldc]
        name = f"ichikara_{'s' if element == types.float32 else 'd'}gemm"
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in operands])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, name), operands)
        return context.get_dummy_value()

    return types.void(flag, flag, size, size, size, *matrix, *matrix, element, *matrix, like), code


@inner
def _layout(matrix):
    """Whether CBLAS has to transpose a matrix, and its leading dimension."""
    size = matrix.itemsize
    if matrix.strides[1] == size or matrix.shape[1] == 1:
        return NO_TRANSPOSE, max(matrix.strides[0] // size, matrix.shape[1], 1)
    return TRANSPOSE, max(matrix.strides[1] // size, matrix.shape[0], 1)


@inner
def gemm(a, b, beta, c):
    """Add the product of two matrices to ``beta`` times a third, in place; with a ``beta`` of 0 that is overwritten.

    In each of them the elements of a row, or in the first two those of a column, are contiguous; in compiled code.

    Shapes: (m, k), (k, n), (m, n).
    """
    m, k = a.shape
    n = b.shape[1]
    if m and n:
        (a_transpose, lda), (b_transpose, ldb), (_, ldc) = _layout(a), _layout(b), _layout(c)
        cblas_gemm(a_transpose, b_transpose, m, n, k, address(a), lda, address(b), ldb, beta, address(c), ldc, c)


@inner
def small_gemm(m, n, k, a, a_transpose, b, b_transpose, beta, c):
    """`gemm` of contiguous arrays of any shape, by the sizes m, n and k and whether a and b are transposed.

    It computes so few rows at a time that the library uses one thread. Shapes: m k, k n, m n elements.
    """
    rows_at_once = max(BLAS_SERIAL_LIMIT // max(n * k, 1), 1)
    for first in range(0, m, rows_at_once):
        a_pointer = address(a) + first * a.itemsize * (1 if a_transpose == TRANSPOSE else k)
        c_pointer = address(c) + first * c.itemsize * n
        lda, ldb = m if a_transpose == TRANSPOSE else k, k if b_transpose == TRANSPOSE else n
        rows, b_pointer = min(rows_at_once, m - first), address(b)
        cblas_gemm(a_transpose, b_transpose, rows, n, k, a_pointer, lda, b_pointer, ldb, beta, c_pointer, n, c)
