r"""The product of two large matrices, divided among threads.

.. math:: C = f(A B + b)

Which algorithm is the fastest depends on the sizes and the layouts: one for skinny matrices, our own blocked GEMM with
or without split-K, or the linear algebra library's GEMM, called by each thread for a part of C.
"""

from functools import lru_cache

import numpy

from ...jit.address import address
from ...jit.dispatcher import compiled
from ...jit.lazy import inner
from ...registry import kernel
from ...threads.blas_threads import single_threaded_blas
from ...threads.fork_join import fork_join, parallel
from ...threads.team import parallel_for, threads_for
from ...workspace import constant, contiguous, empty
from ..epilogue import apply_epilogue, encode_epilogue
from ..reduce import sum_parts
from . import split_k
from .blas import NO_TRANSPOSE, TRANSPOSE, cblas_gemm
from .blocked import FASTER_THAN_BLAS, blocked_gemm, blocked_workspace, pays, splits_k

__all__ = ["matmul"]

_FEW_ROWS = 4
_SOME_ROWS, _ELONGATION = 12, 8  # so many rows are few as well, if they are so many times as long as there are of them
_FEW_COLUMNS = 31
_LONG_K = 256  # for a smaller K the library takes hardly longer, and there is nothing to compile
_SHORT_K, _ENOUGH_ROWS = 64, 16  # with such a K, and so many rows that each thread has some, C is divided by rows
_CHUNK = 512  # rows: then what has just been computed is still in the cache when the epilogue needs it


@kernel("arrays.product")
def matmul(a, b, bias, cost, epilogue=None):
    """The product of two large matrices, and a bias; None if their layouts are not ones that the library takes.

    Shapes: (m, k), (k, n), (n) or None -> (m, n).

    Arguments: ``epilogue``, as of `encode_epilogue`.
    """
    a_transposed, b_transposed = not a.flags.c_contiguous, not b.flags.c_contiguous
    if a_transposed:
        a = a.T
    if b_transposed:
        b = b.T
    if not (a.flags.carray and b.flags.carray):  # with gaps, or read-only: another type for the compiler
        return None
    depth, rows, columns = a.shape[not a_transposed], a.shape[a_transposed], b.shape[not b_transposed]
    c = empty((rows, columns), a.dtype)
    if bias is not None:
        bias = contiguous(bias)
    code, mask = encode_epilogue(c, epilogue)
    few_rows = rows <= _FEW_ROWS or (rows <= _SOME_ROWS and depth >= _ELONGATION * rows)
    few_columns = columns <= _FEW_COLUMNS and depth >= _LONG_K
    if (few_rows or few_columns) and b_transposed and not a_transposed:
        start = _zero_bias(1, c.dtype) if bias is None else bias[None]
        skinny = (a, b, start, c, code, mask) if few_rows else (b, a, start.T, c.T, code, mask.T)
        parallel_for(_skinny_gemm, cost, len(skinny[1]), *skinny)
        return c
    threads, may_split = threads_for(cost), a_transposed and bias is None and epilogue is None
    if may_split and not b_transposed and split_k.packs_both(c, depth, threads):
        sums, *packed = split_k.split_k_workspace(a, b, threads)
        parallel_for(_split_k, cost, threads, a, b, sums, *packed)
        sum_parts(sums, c)
    elif pays(rows, columns, depth, a_transposed, cost):
        split = may_split and splits_k(c, depth, threads)
        sums, *blocks = blocked_workspace(c, depth, threads, split)
        start = _zero_bias(columns, c.dtype) if bias is None else _bias_row(bias, c)
        parallel_for(_own_or_blas, cost, threads, a, a_transposed, b, b_transposed, start, sums, *blocks, code, mask)
        if split:
            sum_parts(sums, c)
    else:
        operands = (a, a_transposed, b, b_transposed, _bias_row(bias, c))
        with single_threaded_blas:
            if FASTER_THAN_BLAS:  # one kernel for both, since compiling two takes longer
                no_panels = empty((0, 0), c.dtype)
                parallel_for(_own_or_blas, cost, 0, *operands, c[None], 0, 0, no_panels, code, mask)
            else:
                parallel_for(_by_blas, cost, *operands, c, code, mask)
    return c


@lru_cache(256)
def _zero_bias(columns, dtype):
    """A bias of zeros as a matrix of one row."""
    return constant(numpy.zeros((1, columns), dtype))


def _bias_row(bias, c):
    """A bias as a matrix of one row; an empty one stands for none."""
    return empty((1, 0), c.dtype) if bias is None else bias[None]


@compiled
def _split_k(team, threads, a, b, sums, tiles, panels):
    fork_join(team, threads, threads, split_k.split_k_gemm, (threads, a, b, sums, tiles, panels))


@compiled
def _own_or_blas(team, threads, a, a_transposed, b, b_transposed, bias, sums, across, down, panels, code, mask):
    if threads:
        blocks = (threads, a, a_transposed, b, b_transposed, bias, sums, across, down, panels, code, mask)
        fork_join(team, threads, threads, blocked_gemm, blocks)
    else:
        _divide_for_blas(team, a, a_transposed, b, b_transposed, bias, sums[0], code, mask)


@compiled
def _by_blas(team, a, a_transposed, b, b_transposed, bias, c, code, mask):
    _divide_for_blas(team, a, a_transposed, b, b_transposed, bias, c, code, mask)


@inner
def _divide_for_blas(team, a, a_transposed, b, b_transposed, bias, c, code, mask):
    # C is divided along its longer side; but with a short K by rows, as the operations that follow are divided.
    m, n = c.shape
    depth = a.shape[0] if a_transposed else a.shape[1]
    by_rows = m >= n or (depth <= _SHORT_K and m >= _ENOUGH_ROWS)
    count = m if by_rows else n
    operands = (a, a_transposed, b, b_transposed, bias, c, by_rows, code, mask)
    fork_join(team, count, count // _CHUNK, _blas_part, operands)


@inner
def _blas_part(first, last, a, a_transposed, b, b_transposed, bias, c, by_rows, code, mask):
    """Some rows or some columns of a product, given to the library as addresses and sizes."""
    m, n = c.shape
    k = a.shape[0] if a_transposed else a.shape[1]
    if bias.size:  # the sums start with it instead of 0
        for r in range(first if by_rows else 0, last if by_rows else m):
            row, start = (c[r], bias[0]) if by_rows else (c[r, first:last], bias[0, first:last])
            for j in range(row.size):
                row[j] = start[j]
    a_pointer, b_pointer, c_pointer, size = address(a), address(b), address(c), c.itemsize
    if by_rows:
        m = last - first
        a_pointer += first * size * (1 if a_transposed else k)
        c_pointer += first * size * n
    else:
        n = last - first
        b_pointer += first * size * (k if b_transposed else 1)
        c_pointer += first * size
    a_flag, b_flag = TRANSPOSE if a_transposed else NO_TRANSPOSE, TRANSPOSE if b_transposed else NO_TRANSPOSE
    beta, lda, ldb, ldc = 1 if bias.size else 0, a.shape[1], b.shape[1], c.shape[1]
    cblas_gemm(a_flag, b_flag, m, n, k, a_pointer, lda, b_pointer, ldb, beta, c_pointer, ldc, c)
    top, bottom, left, right = (first, last, 0, n) if by_rows else (0, m, first, last)
    apply_epilogue(c, top, bottom, left, right, code, mask)


# --- skinny matrices --------------------------------------------------------------------------------------------------


@parallel
def _skinny_gemm(first, last, few, many, bias, out, code, mask):
    """Some columns of the product of few rows with the transpose of many. The rows of both are contiguous.

    For one row the time is that of reading the many. The library, made for matrices that are read many times, takes two
    to four times as long for two to four rows, and up to three times as long for fewer rows than a tile is wide.
    """
    down, across = len(bias) - 1, bias.shape[1] - 1  # a bias of one row or column is used for all
    for j in range(first, last, 4):
        w0, w1 = many[j], many[min(j + 1, last - 1)]
        w2, w3 = many[min(j + 2, last - 1)], many[min(j + 3, last - 1)]
        for i in range(0, len(few), 2):
            if i + 1 < len(few):
                sums, other_sums = _eight_sums(few[i], few[i + 1], w0, w1, w2, w3)
                for n in range(min(4, last - j)):
                    out[i + 1, j + n] = bias[min(i + 1, down), min(j + n, across)] + other_sums[n]
            else:
                sums = _four_sums(few[i], w0, w1, w2, w3)
            for n in range(min(4, last - j)):
                out[i, j + n] = bias[min(i, down), min(j + n, across)] + sums[n]
    apply_epilogue(out, 0, len(few), first, last, code, mask)


# Several sums at once, because each addition to a sum has to wait for the one before.


@inner
def _four_sums(x, w0, w1, w2, w3):
    zero = x.dtype.type(0)
    s0, s1, s2, s3 = zero, zero, zero, zero
    for k in range(x.size):
        s0, s1, s2, s3 = s0 + x[k] * w0[k], s1 + x[k] * w1[k], s2 + x[k] * w2[k], s3 + x[k] * w3[k]
    return s0, s1, s2, s3


@inner
def _eight_sums(x, z, w0, w1, w2, w3):
    zero = x.dtype.type(0)
    of_x, of_z = (zero, zero, zero, zero), (zero, zero, zero, zero)
    for k in range(x.size):
        a0, a1, a2, a3 = of_x
        b0, b1, b2, b3 = of_z
        of_x = (a0 + x[k] * w0[k], a1 + x[k] * w1[k], a2 + x[k] * w2[k], a3 + x[k] * w3[k])
        of_z = (b0 + z[k] * w0[k], b1 + z[k] * w1[k], b2 + z[k] * w2[k], b3 + z[k] * w3[k])
    return of_x, of_z
