"""Threefry: random numbers as a function of a key and a counter, so that each can be computed by itself.

Most generators have a state that each number changes, so they compute their numbers one after the other. Here the i-th
number is a hash of the key and of i. It is the same on every machine, and several machines can compute parts of a
stream at once. JAX's generator is the same function.

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), Threefry-2x32
with 20 rounds.
"""

import numpy

__all__ = ["PARITY", "threefry"]

Key = tuple[int, int]

_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
PARITY = 0x1BD11BDA
_CACHED = 1 << 13  # so many counters at once stay in the processor's cache


def _word(number: int) -> numpy.ndarray:
    return numpy.array(number & 0xFFFFFFFF, numpy.uint32)


_SHIFTS = [[(_word(bits), _word(32 - bits)) for bits in rotations] for rotations in _ROTATIONS]


def threefry(key: Key, first: int, count: int) -> numpy.ndarray:
    r"""Two words of 32 random bits for each of the counters first … first + count - 1. Shapes: -> (2, count), uint32.

    A round mixes the two words of a counter, and after each four rounds a part of the key is added:

    .. math:: x_0 \leftarrow x_0 + x_1, \qquad x_1 \leftarrow (x_1 \lll r) \oplus x_0

    >>> threefry((0, 0), 0, 1).tolist()  # the first known answer of the paper's authors
    [[1797259609], [2579123966]]
    """
    words = numpy.empty((2, count), numpy.uint32)
    for start in range(0, count, _CACHED):
        part = words[:, start : start + _CACHED]
        counters = numpy.arange(part.shape[1], dtype=numpy.uint64) + numpy.uint64(first + start)
        part[0], part[1] = counters >> numpy.uint64(32), counters & numpy.uint64(0xFFFFFFFF)
        _mix(key, *part)
    return words


def _mix(key: Key, x0: numpy.ndarray, x1: numpy.ndarray) -> None:
    """Replace the upper and the lower words of counters by random ones."""
    spare = numpy.empty_like(x0)
    parts = (*key, key[0] ^ key[1] ^ PARITY)
    x0 += _word(parts[0])
    x1 += _word(parts[1])
    for i in range(5):
        for left, right in _SHIFTS[i % 2]:
            x0 += x1
            numpy.right_shift(x1, right, out=spare)
            x1 <<= left
            x1 |= spare
            x1 ^= x0
        x0 += _word(parts[(i + 1) % 3])
        x1 += _word(parts[(i + 2) % 3] + i + 1)
