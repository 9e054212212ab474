"""The kernel of random numbers: Threefry's words."""

import numpy

from ...arrays.threefry import PARITY
from ..jit.lazy import inner
from ..registry import kernel
from ..threads.fork_join import parallel
from ..threads.team import parallel_for
from ..workspace import empty

_32 = numpy.uint32


@kernel("arrays.threefry")
def threefry(key, first, count):
    words = empty((2, count), _32)
    parallel_for(_threefry, 20 * count, count, _32(key[0]), _32(key[1]), numpy.uint64(first), *words)
    return words


@parallel
def _threefry(first, last, a, b, start, hi, lo):
    start = numpy.uint64(start + numpy.uint64(first))
    above, below = (
        _32(start >> numpy.uint64(32)),
        _32(start),
    )  # words of 32 bits throughout, so that the loop vectorises
    hi, lo = hi[first:last], lo[first:last]
    c = _32(_32(a ^ b) ^ _32(PARITY))
    for i in range(hi.size):
        x1 = _32(below + _32(i))
        x0 = _32(_32(above + _32(x1 < below)) + a)
        x0, x1 = _four_rounds(x0, _32(x1 + b), 13, 15, 26, 6)
        x0, x1 = _four_rounds(_32(x0 + b), _32(x1 + _32(c + _32(1))), 17, 29, 16, 24)
        x0, x1 = _four_rounds(_32(x0 + c), _32(x1 + _32(a + _32(2))), 13, 15, 26, 6)
        x0, x1 = _four_rounds(_32(x0 + a), _32(x1 + _32(b + _32(3))), 17, 29, 16, 24)
        x0, x1 = _four_rounds(_32(x0 + b), _32(x1 + _32(c + _32(4))), 13, 15, 26, 6)
        hi[i] = _32(x0 + c)
        lo[i] = _32(x1 + _32(a + _32(5)))


@inner(inlined=True)
def _four_rounds(x0, x1, r0, r1, r2, r3):
    x0, x1 = _round(x0, x1, r0)
    x0, x1 = _round(x0, x1, r1)
    x0, x1 = _round(x0, x1, r2)
    return _round(x0, x1, r3)


@inner(inlined=True)
def _round(x0, x1, r):
    x0 = _32(x0 + x1)
    return x0, _32(_32(_32(x1 << _32(r)) | _32(x1 >> _32(32 - r))) ^ x0)
