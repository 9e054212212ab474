"""Generated sequences: tasks that need a memory, and tasks that attention makes easy."""

import numpy

from ichikara.arrays import Generator
from ichikara.checks import whole_number
from ichikara.errors import UserError

from .dataset import Dataset

__all__ = ["load_adding", "load_reverse"]


def load_adding(n_samples: int = 10_000, length: int = 100, *, seed: int = 0) -> Dataset:
    """The adding problem: in a long sequence of numbers two are marked, and the target is their sum.

    The constant answer 1 has a mean squared error of 1/6; a network without a long memory stays there.

    Shapes: inputs (n_samples, length, 2), a number from 0 to 1 and its mark; targets (n_samples, 1).

    Arguments: ``n_samples``; ``length``, of each sequence, at least 2; ``seed``, of the draw.

    >>> data = load_adding(100, length=10)
    >>> data.inputs[:, :, 1].sum(axis=1).tolist() == [2.0] * 100
    True

    Source: S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory" (1997), experiment 4, in the form of Q. Le et
    al., "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units" (2015).
    """
    n_samples = whole_number("n_samples", n_samples, at_least=1)
    length = whole_number("length", length, at_least=2)
    generator = Generator(whole_number("seed", seed, at_least=0))
    numbers = generator.uniform((n_samples, length))
    half = length // 2
    first = generator.integers(half, (n_samples,))
    second = generator.integers(length, (n_samples,), low=half)
    marks = numpy.zeros((n_samples, length), "float32")
    rows = numpy.arange(n_samples)
    marks[rows, first] = marks[rows, second] = 1
    targets = (numbers * marks).sum(axis=1, keepdims=True)
    return Dataset(numpy.stack([numbers, marks], axis=-1), targets, "adding", source="drawn by rule")


def load_reverse(
    n_samples: int = 10_000, length: int = 10, symbols: int = 10, order: str = "reverse", *, seed: int = 0
) -> Dataset:
    """Sequences of symbols to be reversed, or sorted.

    Shapes: inputs (n_samples, 2 length): the question, then the answer shifted by one behind a start symbol, as a
    decoder is trained with; targets (n_samples, length), the answer.

    Arguments: ``n_samples``; ``length``, of a question; ``symbols``, how many there are beside the start symbol, which
    comes last; ``order``, 'reverse' or 'sort'; ``seed``, of the draw.

    Errors: `UserError` for another order.

    >>> data = load_reverse(1, length=3, symbols=5, seed=4)
    >>> data.inputs[0, :3].tolist(), data.targets[0].tolist()
    ([2, 4, 0], [0, 4, 2])
    """
    n_samples = whole_number("n_samples", n_samples, at_least=1)
    length, symbols = whole_number("length", length, at_least=1), whole_number("symbols", symbols, at_least=2)
    if order not in ("reverse", "sort"):
        raise UserError(f"order is 'reverse' or 'sort', not {order!r}")
    questions = Generator(whole_number("seed", seed, at_least=0)).integers(symbols, (n_samples, length))
    answers = questions[:, ::-1] if order == "reverse" else numpy.sort(questions, axis=1)
    start = numpy.full((n_samples, 1), symbols)
    inputs = numpy.concatenate([questions, start, answers[:, :-1]], axis=1)
    names = (*(str(i) for i in range(symbols)), "start")
    return Dataset(inputs, answers.copy(), order, names, source="drawn by rule", task="sequence")
