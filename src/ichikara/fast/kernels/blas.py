r"""Products of matrices in compiled code, by the linear algebra library that NumPy brings along.

.. math:: C \leftarrow A B + \beta C

Numba's own ``numpy.dot`` is another library's, SciPy's: older, with threads of its own, and it takes a tenth of a
second to import. Where NumPy was built on something else, whose functions have another form, one of the same form is
made of ``numpy.dot``.
"""

import ctypes
from pathlib import Path

import numpy

from ..workers import ALONE, look_again
from .deferred import inner, intrinsic, later
from .kept import name_address

__all__ = ["PLAIN", "TURNED", "address", "gemm", "multiply", "multiply_add"]

cgutils, ir, numba, types = later("numba.core.cgutils"), later("llvmlite.ir"), later("numba"), later("numba.types")

# CBLAS's numbers: matrices lie row by row; one is as it is; or transposed. Of NumPy's type, for Python's numbers would
# each be a type of their own to the compiler, and `multiply` be compiled for each.
_BY_ROWS, PLAIN, TURNED = numpy.int32(101), numpy.int32(111), numpy.int32(112)

_kept: list = []  # what must not go, for only its address is known elsewhere


def _name_products():
    """Give the library's functions the names by which kernels call them, those on disk too."""
    library = _library()
    for letter in "sd":
        found = getattr(library, f"scipy_cblas_{letter}gemm64_", None)
        address = ctypes.cast(found, ctypes.c_void_p).value if found else _made_of_dot(letter)
        name_address(f"ichikara_{letter}gemm", address)


def _library():
    """The OpenBLAS that lies in NumPy's own folders, or None."""
    package = Path(numpy.__file__).parent
    for folder in (package.with_name("numpy.libs"), package / ".dylibs"):
        for path in folder.glob("*openblas64*"):
            try:
                return ctypes.CDLL(str(path))
            except OSError:
                continue
    return None


def _made_of_dot(letter):
    """The address of a function of the same form."""
    number, lies, size = (types.float32 if letter == "s" else types.float64), types.int32, types.int64
    matrix = types.CPointer(number), size
    form = types.void(lies, lies, lies, size, size, size, number, *matrix, *matrix, number, *matrix)
    carray = numba.carray

    def product(order, a_lies, b_lies, m, n, k, alpha, a, a_step, b, b_step, beta, c, c_step):
        left = carray(a, (k, a_step))[:, :m].T if a_lies == TURNED else carray(a, (m, a_step))[:, :k]
        right = carray(b, (n, b_step))[:, :k].T if b_lies == TURNED else carray(b, (k, b_step))[:, :n]
        found, out = numpy.dot(left.copy(), right.copy()), carray(c, (m, c_step))
        for i in range(m):
            for j in range(n):
                out[i, j] = alpha * found[i, j] + (beta * out[i, j] if beta else number(0))

    _kept.append(numba.cfunc(form, cache=True)(product))
    look_again()  # this is done by SciPy's library, which is to keep to one thread too
    return _kept[-1].address


_name_products()


@intrinsic
def address(typing, array):
    """Where an array's numbers begin."""

    def code(context, builder, sig, args):
        return builder.ptrtoint(context.make_array(array)(context, builder, args[0]).data, ir.IntType(64))

    return types.intp(array), code


@intrinsic
def gemm(typing, a_lies, b_lies, m, n, k, a, a_step, b, b_step, beta, c, c_step, like):
    """The library's function for numbers of the type of an array ``like`` this; matrices are given by addresses."""
    number, lies, size = like.dtype, types.int32, types.int64
    matrix = size, size

    def code(context, builder, signature, arguments):
        a_lies, b_lies, m, n, k, a, a_step, b, b_step, beta, c, c_step, _ = arguments
        by_rows, one = context.get_constant(lies, _BY_ROWS), context.get_constant(number, 1)
        given = [by_rows, a_lies, b_lies, m, n, k, one, a, a_step, b, b_step, beta, c, c_step]
        name = f"ichikara_{'s' if number == types.float32 else 'd'}gemm"
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in given])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, name), given)
        return context.get_dummy_value()

    return types.void(lies, lies, size, size, size, *matrix, *matrix, number, *matrix, like), code


@inner
def _lies(matrix):
    """How a matrix lies for CBLAS, and the distance of its rows, or of its columns where it is transposed."""
    size = matrix.itemsize
    if matrix.strides[1] == size or matrix.shape[1] == 1:
        return PLAIN, max(matrix.strides[0] // size, matrix.shape[1], 1)
    return TURNED, max(matrix.strides[1] // size, matrix.shape[0], 1)


@inner
def multiply_add(a, b, beta, c):
    """Add the product of two matrices to ``beta`` times a third, in place; with a ``beta`` of 0 only it counts.

    In each of them the elements of a row, or in the first two those of a column, lie side by side; in compiled code.
    Shapes: (m, k), (k, n), (m, n).
    """
    m, k = a.shape
    n = b.shape[1]
    if m and n:
        (a_lies, a_step), (b_lies, b_step), (_, c_step) = _lies(a), _lies(b), _lies(c)
        gemm(a_lies, b_lies, m, n, k, address(a), a_step, address(b), b_step, beta, address(c), c_step, c)


@inner
def multiply(m, n, k, a, a_lies, b, b_lies, beta, c):
    """`multiply_add` of arrays without gaps, whatever their axes are, by their sizes and how a and b lie.

    It is done in so few rows at a time that the library wakes no threads. Shapes: m k, k n, m n elements.
    """
    few = max(ALONE // max(n * k, 1), 1)
    for first in range(0, m, few):
        at_a = address(a) + first * a.itemsize * (1 if a_lies == TURNED else k)
        at_c = address(c) + first * c.itemsize * n
        a_step, b_step = m if a_lies == TURNED else k, k if b_lies == TURNED else n
        gemm(a_lies, b_lies, min(few, m - first), n, k, at_a, a_step, address(b), b_step, beta, at_c, n, c)
