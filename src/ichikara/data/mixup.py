"""Mix-up: convex combinations of two examples and of their targets."""

from collections.abc import Iterator
from typing import Any

import numpy

from ichikara.arrays import Generator
from ichikara.checks import number, whole_number
from ichikara.errors import UserError

__all__ = ["MixUpLoader", "mix_up"]


def mix_up(
    inputs: numpy.ndarray, targets: numpy.ndarray, classes: int, alpha: float, generator: Generator
) -> tuple[numpy.ndarray, numpy.ndarray]:
    r"""Mix each example of a batch with another one, and their targets likewise.

    .. math:: \tilde x = \lambda x_i + (1 - \lambda) x_j, \qquad \tilde y = \lambda y_i + (1 - \lambda) y_j, \qquad
        \lambda \sim \mathrm{Beta}(\alpha, \alpha)

    with a separate λ for each pair.

    Shapes: inputs (n, \*), labels (n,) or probabilities (n, classes) -> inputs (n, \*), probabilities (n, classes),
    float32 and float64 unchanged.

    Arguments: ``inputs`` and ``targets``, a batch; ``classes``, how many there are; ``alpha``, above 0: near 0 most
    examples stay almost unchanged, at 1 all mixtures are equally likely; ``generator``, for the draws.

    Errors: `UserError` for arguments out of range, inputs that are whole numbers, and labels beyond the classes.

    >>> x, y = mix_up(numpy.eye(2, dtype="float32"), numpy.array([0, 1]), 2, 1.0, Generator(3))
    >>> bool((x == y).all()), y.sum(axis=1).tolist()
    (True, [1.0, 1.0])

    Source: H. Zhang et al., "mixup: Beyond Empirical Risk Minimization" (2018), equation 1.
    """
    from scipy.special import betaincinv

    classes, alpha = whole_number("classes", classes, at_least=2), number("alpha", alpha, at_least=0)
    if alpha == 0:
        raise UserError("alpha is a number above 0; for no mixing use the batch as it is")
    inputs, targets = numpy.asarray(inputs), numpy.asarray(targets)
    n = len(inputs)
    if inputs.dtype.kind != "f":
        raise UserError(f"only floating-point inputs can be mixed, and these are {inputs.dtype}: names of symbols?")
    if targets.ndim == 1 and targets.dtype.kind in "iu" and len(targets) == n:
        if n and not 0 <= targets.min() <= targets.max() < classes:
            raise UserError(f"with {classes} classes a label is from 0 to {classes - 1}, not {targets.max()}")
        targets = numpy.eye(classes, dtype=inputs.dtype)[targets]
    if targets.shape != (n, classes):
        raise UserError(f"mix-up needs a label for each example, or {classes} probabilities, not {targets.shape}")
    share = betaincinv(alpha, alpha, generator.uniform((n,), dtype="float64")).astype(inputs.dtype)
    others = generator.permutation(n)
    mixed = lambda values: _between(values, values[others], share)
    return mixed(inputs), mixed(targets.astype(inputs.dtype, copy=False))


def _between(one: numpy.ndarray, other: numpy.ndarray, share: numpy.ndarray) -> numpy.ndarray:
    share = share.reshape(-1, *[1] * (one.ndim - 1))
    return share * one + (1 - share) * other


class MixUpLoader:
    """A loader's batches, mixed: what `mix_up` makes of each, drawn from the loader's generator.

    Shapes: iterating yields inputs (b, *) and probabilities (b, classes).

    Arguments: ``loader``, a `DataLoader` of a classification; ``alpha``, see `mix_up`.

    Errors: `UserError` for data without classes.

    >>> from ichikara.data import DataLoader, load_moons
    >>> inputs, targets = next(iter(MixUpLoader(DataLoader(load_moons(), batch_size=32), alpha=0.2)))
    >>> targets.shape
    (32, 2)

    Source: see `mix_up`.
    """

    def __init__(self, loader: Any, alpha: float = 0.2):
        self.loader, self.dataset, self.generator = loader, loader.dataset, loader.generator
        if self.dataset.task != "classification":
            raise UserError(f"mix-up mixes classes, and {self.dataset.name} is a {self.dataset.task} set")
        self.alpha = number("alpha", alpha, at_least=0)

    @property
    def state(self) -> dict[str, Any]:
        """The state of the loader's random generator."""
        return self.loader.state

    @state.setter
    def state(self, state: dict[str, Any]):
        self.loader.state = state

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[numpy.ndarray, numpy.ndarray]]:
        for inputs, targets in self.loader:
            yield mix_up(inputs, targets, len(self.dataset.classes), self.alpha, self.generator)
