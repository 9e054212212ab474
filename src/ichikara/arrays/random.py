"""One seeded stream of random numbers.

Everything random in ichikara (initial weights, dropout, shuffling, splits) draws from a `Generator`. A run that is
seeded once is repeatable; a run whose generator's `state` was saved continues bit for bit.

Source: M. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random Number
Generation" (2014), which is NumPy's default.
"""

from contextvars import ContextVar
from typing import Any

import numpy

from .contexts import contextmanager
from .interpreter import effectful, seam

__all__ = ["Generator", "choose_generator", "default_generator", "generator_in_use", "seed", "using"]


class Generator:
    """A stream of random numbers that depends on its seed alone.

    Arguments: ``seed``, a whole number; None takes one from the operating system.

    >>> Generator(0).integers(10, (3,)).tolist()
    [8, 6, 5]
    """

    def __init__(self, seed: int | None = None):
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
            raise ValueError(f"a seed is a whole number of at least 0, not {seed!r}")
        self._stream = numpy.random.Generator(numpy.random.PCG64(seed))

    @effectful
    def normal(self, shape=(), mean=0.0, std=1.0, dtype="float32"):
        """Normal numbers with the given mean and standard deviation. Shapes: -> shape."""
        kind: Any = dtype if dtype in ("float32", "float64") else "float64"
        numbers = self._stream.standard_normal(shape, dtype=kind)
        return numpy.asarray(numbers * numpy.asarray(std, kind) + numpy.asarray(mean, kind)).astype(dtype, copy=False)

    @effectful
    def uniform(self, shape=(), low=0.0, high=1.0, dtype="float32"):
        """Uniform numbers in [low, high). Shapes: -> shape."""
        kind: Any = dtype if dtype in ("float32", "float64") else "float64"
        numbers = self._stream.random(shape, dtype=kind)
        scale = numpy.asarray(high - low, kind)
        return numpy.asarray(numbers * scale + numpy.asarray(low, kind)).astype(dtype, copy=False)

    @effectful
    def bernoulli(self, probability, shape=()):
        """True with the given probability, else False. Shapes: -> shape."""
        return numpy.asarray(self._stream.random(shape, dtype="float32") < probability)

    @effectful
    def integers(self, high, shape=(), low=0):
        """Whole numbers in [low, high). Shapes: -> shape."""
        return numpy.asarray(self._stream.integers(low, high, shape))

    @effectful
    def permutation(self, n):
        """The numbers 0 … n-1 in random order. Shapes: -> (n,)."""
        return self._stream.permutation(n)

    @effectful
    def choice(self, n, shape=(), probabilities=None):
        """Indices below n drawn with replacement, evenly or with the given probabilities. Shapes: -> shape."""
        return numpy.asarray(self._stream.choice(n, shape, p=probabilities))

    def spawn(self) -> "Generator":
        """A new stream, seeded with a number drawn from this one."""
        seam.interpreter.concrete("Generator.spawn()")
        return Generator(int(self._stream.integers(2**63)))

    @property
    def state(self) -> dict[str, Any]:
        """Where the stream stands, as a dictionary of numbers and words that JSON can hold."""
        return dict(self._stream.bit_generator.state)

    @state.setter
    def state(self, state: dict[str, Any]):
        seam.interpreter.concrete("setting a generator's state")
        self._stream.bit_generator.state = state

    def __repr__(self):
        return "Generator()"


_default: Generator | None = None  # made at first use: numpy.random takes a while to import
_in_use: ContextVar[Generator | None] = ContextVar("ichikara_generator", default=None)


def generator_in_use() -> Generator | None:
    """The generator of the block of `using` that we are in, None outside of one."""
    return _in_use.get()


def default_generator() -> Generator:
    """The generator that layers draw from when they are given none: that of `using`, else the process's own."""
    global _default
    in_use = _in_use.get()
    if in_use is not None:
        return in_use
    if _default is None:
        _default = Generator()
    return _default


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
