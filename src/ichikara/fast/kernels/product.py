"""One product of large matrices, shared out, and sums of many rows."""

from functools import lru_cache

import numpy

from ..registry import kernel
from ..tape import constant, contiguous, room, zeros
from ..workers import held, parts_for, together
from . import deep
from .blas import PLAIN, TURNED, address, gemm
from .compiled import compiled
from .cut import cut_part, how_to_cut
from .deferred import inner
from .elementary import copy
from .strips import ARE_QUICK, are_long, do_strips, pay, room_for
from .team import bounds, share_out, shared

_FEW_ROWS = 4
_SOME_ROWS, _AS_LONG = 12, 8  # rows that are so many times as long as there are of them are few as well
_FEW_COLUMNS = 31
_DEEP = 256  # sums of so many numbers, for fewer the library takes hardly longer, and there is nothing to compile
_SHALLOW, _ENOUGH = 64, 16  # sums of so few numbers, and so many rows that each worker has some
_PIECE = 512  # rows at a time: then what has just been computed is still in the cache when it is needed
_AT_ONCE = 1024  # elements that stay in the fastest cache
_TOGETHER = 64  # rows whose sum is taken by itself
_MANY = 512  # rows, of which each worker sums up his own; of fewer some columns


@kernel("arrays.product")
def product(a, b, bias, cost, where=None):
    """The product of two matrices that are large, and a bias; None if they lie in a way that the library cannot use.

    Arguments: ``where``, as of `how_to_cut`.
    """
    a_turned, b_turned = not a.flags.c_contiguous, not b.flags.c_contiguous
    if a_turned:
        a = a.T
    if b_turned:
        b = b.T
    if not (a.flags.carray and b.flags.carray):  # with gaps, or not to be written to: another type for the compiler
        return None
    depth, rows, columns = a.shape[not a_turned], a.shape[a_turned], b.shape[not b_turned]
    c = room((rows, columns), a.dtype)
    if bias is not None:
        bias = contiguous(bias)
    cutting = how_to_cut(c, where)
    few_rows = rows <= _FEW_ROWS or (rows <= _SOME_ROWS and depth >= _AS_LONG * rows)
    few_columns = columns <= _FEW_COLUMNS and depth >= _DEEP
    if (few_rows or few_columns) and b_turned and not a_turned:
        begin, (how, where) = _nothing(1, c.dtype) if bias is None else bias[None], cutting
        few = (a, b, begin, c, how, where) if few_rows else (b, a, begin.T, c.T, how, where.T)
        together(_times_few, cost, len(few[1]), *few)
        return c
    workers, may_be_long = parts_for(cost), a_turned and bias is None and where is None
    if may_be_long and not b_turned and deep.are_deep(c, depth, workers):
        sums, *rooms = deep.room_for_deep(a, b, workers)
        together(_deep, cost, workers, a, b, sums, *rooms)
        add_up(sums, c)
    elif pay(rows, columns, depth, a_turned, cost):
        long = may_be_long and are_long(c, depth, workers)
        sums, *strips = room_for(c, depth, workers, long)
        begin = _nothing(columns, c.dtype) if bias is None else _row(bias, c)
        together(_either, cost, workers, a, a_turned, b, b_turned, begin, sums, *strips, *cutting)
        if long:
            add_up(sums, c)
    else:
        factors = (a, a_turned, b, b_turned, _row(bias, c))
        with held:
            if ARE_QUICK:  # one kernel for both, for compiling two takes longer
                together(_either, cost, 0, *factors, c[None], 0, 0, room((0, 0), c.dtype), *cutting)
            else:
                together(_by_library, cost, *factors, c, *cutting)
    return c


@lru_cache(256)
def _nothing(columns, dtype):
    """A bias of zeros as a matrix of one row."""
    return constant(numpy.zeros((1, columns), dtype))


def _row(bias, c):
    """A bias as a matrix of one row; one of no numbers stands for none."""
    return room((1, 0), c.dtype) if bias is None else bias[None]


@compiled
def _deep(team, workers, a, b, sums, tiles, panels):
    share_out(team, workers, workers, deep.add_deep_sums, (workers, a, b, sums, tiles, panels))


@compiled
def _either(team, workers, a, a_turned, b, b_turned, bias, sums, widths, heights, room, how, where):
    if workers:
        strips = (workers, a, a_turned, b, b_turned, bias, sums, widths, heights, room, how, where)
        share_out(team, workers, workers, do_strips, strips)
    else:
        _share_out_to_library(team, a, a_turned, b, b_turned, bias, sums[0], how, where)


@compiled
def _by_library(team, a, a_turned, b, b_turned, bias, c, how, where):
    _share_out_to_library(team, a, a_turned, b, b_turned, bias, c, how, where)


@inner
def _share_out_to_library(team, a, a_turned, b, b_turned, bias, c, how, where):
    # By the longer side; but of sums that are soon taken by rows, as what comes after them is shared out.
    m, n = c.shape
    depth = a.shape[0] if a_turned else a.shape[1]
    by_rows = m >= n or (depth <= _SHALLOW and m >= _ENOUGH)
    count = m if by_rows else n
    share_out(team, count, count // _PIECE, _product_part, (a, a_turned, b, b_turned, bias, c, by_rows, how, where))


@inner
def _product_part(first, last, a, a_turned, b, b_turned, bias, c, by_rows, how, where):
    """Some rows or some columns of a product. The others are beside them, so a place and a size tell which."""
    m, n = c.shape
    k = a.shape[0] if a_turned else a.shape[1]
    if bias.size:  # what the sums begin with, instead of 0
        for r in range(first if by_rows else 0, last if by_rows else m):
            row, start = (c[r], bias[0]) if by_rows else (c[r, first:last], bias[0, first:last])
            for j in range(row.size):
                row[j] = start[j]
    at_a, at_b, at_c, size = address(a), address(b), address(c), c.itemsize
    if by_rows:
        m = last - first
        at_a += first * size * (1 if a_turned else k)
        at_c += first * size * n
    else:
        n = last - first
        at_b += first * size * (k if b_turned else 1)
        at_c += first * size
    lies_a, lies_b = TURNED if a_turned else PLAIN, TURNED if b_turned else PLAIN
    beta = 1 if bias.size else 0
    gemm(lies_a, lies_b, m, n, k, at_a, a.shape[1], at_b, b.shape[1], beta, at_c, c.shape[1], c)
    top, bottom, left, right = (first, last, 0, n) if by_rows else (0, m, first, last)
    cut_part(c, top, bottom, left, right, how, where)


@shared
def _times_few(first, last, few, many, begin, out, how, where):
    """Some columns of the products of few rows with many, whose numbers are read side by side.

    For one row the time is that of reading the many. The library, made for matrices that are used many times, takes two
    to four times as long for two to four rows; and for fewer rows than a tile is wide, up to three times.
    """
    down, across = len(begin) - 1, begin.shape[1] - 1  # what lies there once is for all
    for j in range(first, last, 4):
        w0, w1 = many[j], many[min(j + 1, last - 1)]
        w2, w3 = many[min(j + 2, last - 1)], many[min(j + 3, last - 1)]
        for i in range(0, len(few), 2):
            if i + 1 < len(few):
                sums, others = _sums_of_two(few[i], few[i + 1], w0, w1, w2, w3)
                for n in range(min(4, last - j)):
                    out[i + 1, j + n] = begin[min(i + 1, down), min(j + n, across)] + others[n]
            else:
                sums = _sums_of_one(few[i], w0, w1, w2, w3)
            for n in range(min(4, last - j)):
                out[i, j + n] = begin[min(i, down), min(j + n, across)] + sums[n]
    cut_part(out, 0, len(few), first, last, how, where)


# Several at once, for what is added to one sum has to wait for it.


@inner
def _sums_of_one(x, w0, w1, w2, w3):
    zero = x.dtype.type(0)
    s0, s1, s2, s3 = zero, zero, zero, zero
    for k in range(x.size):
        s0, s1, s2, s3 = s0 + x[k] * w0[k], s1 + x[k] * w1[k], s2 + x[k] * w2[k], s3 + x[k] * w3[k]
    return s0, s1, s2, s3


@inner
def _sums_of_two(x, z, w0, w1, w2, w3):
    zero = x.dtype.type(0)
    of_x, of_z = (zero, zero, zero, zero), (zero, zero, zero, zero)
    for k in range(x.size):
        a0, a1, a2, a3 = of_x
        b0, b1, b2, b3 = of_z
        of_x = (a0 + x[k] * w0[k], a1 + x[k] * w1[k], a2 + x[k] * w2[k], a3 + x[k] * w3[k])
        of_z = (b0 + z[k] * w0[k], b1 + z[k] * w1[k], b2 + z[k] * w2[k], b3 + z[k] * w3[k])
    return of_x, of_z


# --- sums of rows -----------------------------------------------------------------------------------------------------


def add_up(parts, out):
    """Put the sum of several arrays into another, which may be the first of them. All are in C order."""
    apart = out.ctypes.data != parts.ctypes.data
    if apart or len(parts) > 1:
        together(_add_up, 2 * parts.size, out.size, parts.reshape(len(parts), -1), out.reshape(-1), apart)


@shared
def _add_up(first, last, parts, out, apart):
    for start in range(first, last, _AT_ONCE):
        stop = min(start + _AT_ONCE, last)
        to = out[start:stop]
        if apart:
            copy(to, parts[0, start:stop])
        for part in range(1, len(parts)):
            some = parts[part, start:stop]
            for j in range(to.size):
                to[j] += some[j]


@kernel("arrays.sum_of_rows")
def sum_of_rows(x):
    """The sum of the rows of a matrix: of many each worker takes some, which he may have written himself."""
    workers, many = parts_for(x.size, len(x)), len(x) >= _MANY
    sums = zeros((workers if many else 1, x.shape[1]), x.dtype)
    together(_sum_of_rows, x.size, workers, workers, contiguous(x), room(sums.shape, x.dtype), sums)
    add_up(sums, sums[0])
    return sums[0]


@shared
def _sum_of_rows(first, last, workers, x, rooms, sums):
    many = len(sums) == workers
    for worker in range(first, last):
        begin, end = bounds(len(x), worker, workers) if many else (0, len(x))
        left, right = (0, x.shape[1]) if many else bounds(x.shape[1], worker, workers)
        total, some = sums[worker if many else 0, left:right], rooms[worker if many else 0, left:right]
        for start in range(begin, end, _TOGETHER):  # small numbers are added to small ones, and keep their digits
            stop = min(start + _TOGETHER, end)
            some[:] = 0
            for r in range(start, stop - 3, 4):  # by fours, for what has just been stored is slow to be loaded again
                x0, x1, x2, x3 = x[r, left:right], x[r + 1, left:right], x[r + 2, left:right], x[r + 3, left:right]
                for j in range(some.size):
                    some[j] += (x0[j] + x1[j]) + (x2[j] + x3[j])
            for r in range(stop - (stop - start) % 4, stop):
                row = x[r, left:right]
                for j in range(row.size):
                    some[j] += row[j]
            for j in range(some.size):
                total[j] += some[j]


@kernel("arrays.add_rows")
def add_rows(g, index, shape):
    """Rows added to those of zeros that a list of indices names, in order, whoever does which columns."""
    out = zeros(shape, g.dtype)
    rows = contiguous(g).reshape(index.size, -1)
    together(_add_rows, g.size, rows.shape[1], index, rows, out.reshape(shape[0], -1))
    return out


@shared
def _add_rows(first, last, index, rows, out):
    for i in range(index.size):
        here, row = out[index[i], first:last], rows[i, first:last]
        for j in range(row.size):
            here[j] += row[j]
