"""Seeded streams of random numbers, the same wherever they are computed.

Everything random in ichikara (initial weights, dropout, orders, splits) draws from a `Generator`. It is a key, made of
the seed, and a position: the i-th number is Threefry's for this key and the counter i. A run that is seeded once is
repeatable, and a run whose generator's `state` was saved continues bit for bit.

Source: as of `threefry`; how numbers become floating-point numbers follows JAX.
"""

import math
import os
import threading
import zlib
from contextvars import ContextVar
from typing import Any

import numpy

from .contexts import contextmanager
from .interpreter import effectful, seam
from .special import erfinv
from .threefry import Key, threefry

__all__ = ["Generator", "choose_generator", "default_generator", "generator_in_use", "seed", "using"]

_READ_AHEAD = 1 << 13  # at most so many counters are computed before they are asked for
_lock = threading.Lock()  # held while a generator's position moves on


class Generator:
    """A stream of random numbers that depends on its seed alone.

    Arguments: ``seed``, a whole number below 2⁶⁴; None takes one from the operating system.

    Attributes: ``key``, two whole numbers below 2³², as of JAX's ``jax.random.key(seed)``; ``position``, how many
    counters have been used.

    >>> Generator(0).integers(10, (3,)).tolist()
    [0, 7, 9]
    """

    def __init__(self, seed: int | None = None):
        if seed is None:
            seed = int.from_bytes(os.urandom(8))
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
            raise ValueError(f"a seed is a whole number of at least 0 and below 2**64, not {seed!r}")
        self._start((seed >> 32, seed & 0xFFFFFFFF))

    def _start(self, key: Key, position: int = 0) -> None:
        self.key, self.position = key, position
        self._ahead = 0, numpy.empty((2, 0), numpy.uint32)  # words that are computed already, and the first's counter

    @effectful
    def bits(self, shape=(), dtype="uint32"):
        """Random bits, as whole numbers. Shapes: -> shape.

        Arguments: ``dtype``, uint32 or uint64.

        >>> Generator(0).bits((2,)).tolist()  # as jax.random.bits(jax.random.key(0), (2,))
        [4070199207, 4202968722]
        """
        if dtype not in ("uint32", "uint64"):
            raise ValueError(f"bits have the dtype uint32 or uint64, not {dtype!r}")
        return self._bits(shape, dtype)

    @effectful
    def uniform(self, shape=(), low=0.0, high=1.0, dtype="float32"):
        """Uniform numbers in [low, high). Shapes: -> shape."""
        kind = "float32" if dtype == "float32" else "float64"
        numbers = self._uniform(shape, kind)
        if (low, high) != (0, 1):
            numbers = numbers * numpy.asarray(high - low, kind) + numpy.asarray(low, kind)
        return numpy.asarray(numbers).astype(dtype, copy=False)

    @effectful
    def normal(self, shape=(), mean=0.0, std=1.0, dtype="float32"):
        r"""Normal numbers with the given mean and standard deviation. Shapes: -> shape.

        .. math:: \mu + \sigma \sqrt 2\, \operatorname{erf}^{-1}(u), \qquad u \sim U(-1, 1)
        """
        kind = "float32" if dtype == "float32" else "float64"
        lowest = numpy.nextafter(numpy.asarray(-1, kind), numpy.asarray(0, kind))
        numbers = erfinv(self._uniform(shape, kind) * 2 + lowest) * numpy.asarray(math.sqrt(2) * std, kind)
        return numpy.asarray(numbers + numpy.asarray(mean, kind)).astype(dtype, copy=False)

    @effectful
    def bernoulli(self, probability, shape=()):
        """True with the given probability, else False. Shapes: -> shape."""
        return numpy.asarray(self._uniform(shape, "float32") < probability)

    @effectful
    def integers(self, high, shape=(), low=0):
        """Whole numbers in [low, high). Shapes: -> shape."""
        if not low < high:
            raise ValueError(f"there is no whole number in [{low}, {high})")
        return low + self._below(high - low, shape)

    @effectful
    def permutation(self, n):
        """The numbers 0 … n-1 in random order. Shapes: -> (n,)."""
        return numpy.argsort(self._bits((n,), "uint64"), kind="stable")

    @effectful
    def choice(self, n, shape=(), probabilities=None):
        """Indices below n drawn with replacement, evenly or with the given probabilities. Shapes: -> shape."""
        if probabilities is None:
            return self._below(n, shape)
        p = numpy.asarray(probabilities, "float64")
        if p.shape != (n,) or not (p >= 0).all() or not abs(p.sum() - 1) < 1e-6:
            raise ValueError(f"probabilities are {n} numbers of at least 0 whose sum is 1, not {probabilities!r}")
        reached = p.cumsum()
        return numpy.asarray(reached.searchsorted(self._uniform(shape, "float64") * reached[-1], side="right"))

    def spawn(self) -> "Generator":
        """A new stream, whose key is drawn from this one."""
        seam.interpreter.concrete("Generator.spawn()")
        hi, lo = self._words(1)[:, 0].tolist()
        return Generator.of((hi, lo))

    def fold_in(self, use: int | str) -> "Generator":
        """The stream for one use of this seed, such as "dropout" or an epoch's number; this stream stays where it is.

        Source: ``jax.random.fold_in``; a word is folded in as its CRC-32.

        >>> Generator(0).fold_in("dropout").integers(100, (3,)).tolist()
        [50, 80, 4]
        >>> Generator(0).fold_in("order").integers(100, (3,)).tolist()
        [50, 68, 64]
        """
        number = zlib.crc32(use.encode()) if isinstance(use, str) else use
        hi, lo = threefry(self.key, number, 1)[:, 0].tolist()
        return Generator.of((hi, lo))

    @classmethod
    def of(cls, key: Key, position: int = 0) -> "Generator":
        """The stream with this key, at this position."""
        generator = cls.__new__(cls)
        generator._start(key, position)
        return generator

    @property
    def state(self) -> dict[str, Any]:
        """Where the stream stands, as a dictionary of numbers and words that JSON can hold."""
        return {"generator": "threefry2x32", "key": [*self.key], "position": self.position}

    @state.setter
    def state(self, state: dict[str, Any]):
        seam.interpreter.concrete("setting a generator's state")
        self._start(*_read(state))

    def __getstate__(self):
        return self.state

    def __setstate__(self, state):
        self._start(*_read(state))

    def __repr__(self):
        return f"<Generator with key {self.key} at position {self.position}>"

    def _words(self, count: int) -> numpy.ndarray:
        """The words of the next counters, from those that are ahead if they suffice. Shapes: -> (2, count)."""
        with _lock:
            first = self.position
            self.position = first + count
        start, ahead = self._ahead
        if not start <= first <= first + count <= start + ahead.shape[1]:
            start, more = first, min(16 * count, _READ_AHEAD)
            ahead = seam.interpreter.call(threefry, self.key, first, max(count, more))
            if more > count:
                self._ahead = first, ahead
        return ahead[:, first - start : first - start + count]

    def _bits(self, shape: Any, dtype: str) -> numpy.ndarray:
        hi, lo = self._words(math.prod(shape) if isinstance(shape, tuple | list) else int(shape))
        numbers = hi ^ lo if dtype == "uint32" else (hi.astype(dtype) << numpy.uint64(32)) | lo
        return numbers.reshape(shape)

    def _uniform(self, shape: Any, dtype: str) -> numpy.ndarray:
        """Uniform numbers in [0, 1): random bits as the mantissa of a number in [1, 2), less 1."""
        if dtype == "float32":
            numbers = self._bits(shape, "uint32") >> numpy.uint32(9)
            numbers |= numpy.uint32(0x3F800000)
        else:
            numbers = self._bits(shape, "uint64") >> numpy.uint64(12)
            numbers |= numpy.uint64(0x3FF0000000000000)
        numbers = numbers.view(dtype)
        numbers -= 1
        return numbers

    def _below(self, n: int, shape: Any) -> numpy.ndarray:
        return (self._bits(shape, "uint64") % numpy.uint64(n)).astype("int64")


def _read(state: Any) -> tuple[Key, int]:
    """The key and the position in the state of a generator. Raises ValueError for anything else."""
    match state:
        case {"generator": "threefry2x32", "key": [a, b], "position": n}:
            if _is_below(a, 2**32) and _is_below(b, 2**32) and _is_below(n, 2**64):
                return (a, b), n
    raise ValueError("this is not the state of a generator, or it is that of another version of ichikara")


def _is_below(number: Any, limit: int) -> bool:
    return type(number) is int and 0 <= number < limit


_default = Generator()
_in_use: ContextVar[Generator | None] = ContextVar("ichikara_generator", default=None)


def generator_in_use() -> Generator | None:
    """The generator of the block of `using` that we are in, None outside of one."""
    return _in_use.get()


def default_generator() -> Generator:
    """The generator that layers draw from when they are given none: that of `using`, else the process's own."""
    return _in_use.get() or _default


def seed(number: int) -> Generator:
    """Start the default generator again from a seed, and return it.

    >>> seed(0) is default_generator()
    True
    """
    default_generator().state = Generator(number).state
    return default_generator()


def choose_generator(generator: Any) -> Generator:
    """The generator that was given, or the default one for None.

    Raises TypeError for anything else, such as a bare seed.
    """
    if generator is None:
        return default_generator()
    if not isinstance(generator, Generator):
        raise TypeError(f"generator is a Generator, such as ichikara.Generator(0), not {generator!r}")
    return generator


@contextmanager
def using(generator: Generator):
    """Within the block, and in this thread only, `default_generator` answers with the given generator."""
    token = _in_use.set(generator)
    try:
        yield generator
    finally:
        _in_use.reset(token)
