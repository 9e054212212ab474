"""How much memory a recipe needs, compared with how much there is, before it is used."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy

from ..arrays import Observer, interpreting
from ..errors import UserError
from ..memory import available, written
from ..nn.parameter import limited

__all__ = ["Activations", "counted", "explained", "refuse"]


@contextmanager
def explained(key: str, options: dict[str, Any]) -> Iterator[None]:
    """In the block, a lack of memory becomes a `UserError` with the key of the largest number of a recipe's table.

    Arguments: ``key``, of the table; ``options``, the table.
    """
    try:
        yield
    except MemoryError as error:
        raise UserError(f"{_largest(key, options)} needs more memory than there is: {error}") from None


@contextmanager
def counted(key: str, options: dict[str, Any]) -> Iterator[None]:
    """In the block, a network is made, if the memory is enough for its parameters; see `explained`."""
    with explained(key, options), limited(available()):
        yield


class Activations(Observer):
    """Counts the bytes of what operations compute, and raises MemoryError before they are more than there is."""

    def __init__(self):
        super().__init__()
        self.bytes, self._most = 0, available()
        self._block = interpreting(self)

    def forward(self, operation, arguments, wanted):
        value, implementation = super().forward(operation, arguments, wanted)
        for array in value if isinstance(value, tuple) else (value,):
            if isinstance(array, numpy.ndarray) and array.base is None:
                self.bytes += array.nbytes
        if self.bytes > self._most:
            raise MemoryError(f"the activations of one example have more than {written(self.bytes)}")
        return value, implementation

    def __enter__(self):
        self._block.__enter__()
        return self

    def __exit__(self, *error):
        return self._block.__exit__(*error)


def refuse(recipe: Any, parameters: int, activations: int, examples: int) -> None:
    """Raise UserError if a training step surely needs more memory than there is.

    Arguments: ``parameters``, their bytes; ``activations``, the bytes for one example; ``examples``, of a batch.
    """
    # Weights and gradients; half of the activations, since operations that are fused or planned share memory.
    of_weights, of_examples = 2 * parameters, activations * examples // 2
    if of_weights + of_examples <= available():
        return
    key = _largest("model", recipe.model.options)
    if of_examples > of_weights:
        key = f"training.batch_size = {examples} with {key}" if examples > 1 else key
    raise UserError(
        f"{key} needs more memory than there is: a step of the training needs at least "
        f"{written(of_weights + of_examples)} ({written(of_weights)} for parameters and gradients, "
        f"{written(of_examples)} for activations), and {written(available())} are free"
    )


def _largest(key: str, options: Any) -> str:
    """The key of the largest whole number in a table, and the number; the table itself where there is none."""
    found: list[tuple[int, str]] = []

    def walk(value, place):
        if isinstance(value, dict):
            for name, part in value.items():
                walk(part, f"{place}.{name}")
        elif isinstance(value, list | tuple):
            for i, part in enumerate(value):
                walk(part, f"{place}[{i}]" if isinstance(part, dict) else place)
        elif isinstance(value, int) and not isinstance(value, bool):
            found.append((value, place))

    walk(options, key)
    number, place = max(found, default=(0, key))
    return f"{place} = {number:,}".replace(",", "_") if found else place
