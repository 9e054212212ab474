"""Loaders: a data set in batches, in an order that depends on the seed alone and can be resumed."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy

from ichikara.arrays import Generator, default_generator
from ichikara.checks import whole_number, yes_or_no
from ichikara.errors import UserError, plural

from .dataset import Dataset

__all__ = ["DataLoader", "TextLoader"]

Batch = tuple[numpy.ndarray, numpy.ndarray]
Transform = Callable[[numpy.ndarray, Generator], numpy.ndarray]


class _Loader:
    """What the loaders share: a dataset, a batch size, and a random generator."""

    def __init__(self, dataset: Dataset, batch_size: int, generator: Generator | None, draws: bool):
        if not isinstance(dataset, Dataset):
            raise UserError(
                f"a loader takes a Dataset, not {type(dataset).__name__}; make one with Dataset(inputs, targets, …)"
            )
        if generator is not None and not isinstance(generator, Generator):
            raise UserError(f"generator is a Generator, such as ichikara.arrays.Generator(0), not {generator!r}")
        if not len(dataset):
            raise UserError(f"{dataset.name} holds no examples; there is nothing to load")
        self.dataset = dataset
        self.batch_size = whole_number("batch_size", batch_size, at_least=1)
        if generator is None:  # a loader that draws nothing must not advance ichikara's generator
            generator = default_generator().spawn() if draws else Generator(0)
        self.generator = generator

    @property
    def state(self) -> dict[str, Any]:
        """The state of the random generator, for JSON; set between epochs, it repeats the epochs that followed."""
        return self.generator.state

    @state.setter
    def state(self, state: dict[str, Any]):
        self.generator.state = state


class DataLoader(_Loader):
    """Batches of a data set; an epoch has every example once.

    Shapes: iterating yields inputs (b, *) and targets (b, *), fresh contiguous NumPy arrays, b being ``batch_size`` or,
    in the last batch, what is left.

    Arguments: ``dataset``, a Dataset; ``batch_size``, examples in a batch; ``shuffle``, whether each epoch has a new
    order; ``drop_last``, whether an incomplete last batch is left out; ``generator``, the source of the orders, by
    default a new one drawn from ichikara's; ``transform``, a function of a batch's inputs and the generator that gives
    the inputs to use (augmentation), None for none.

    Errors: `UserError` for a batch size below 1, a set without examples, or if no batch is left.

    >>> from ichikara.data import load_xor
    >>> for inputs, targets in DataLoader(load_xor(), batch_size=3):
    ...     print(inputs.shape, targets.tolist())
    (3, 2) [0, 1, 1]
    (1, 2) [0]

    Source: the names are those of PyTorch's ``DataLoader``.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: Generator | None = None,
        transform: Transform | None = None,
    ):
        self.shuffle = yes_or_no("shuffle", shuffle)
        super().__init__(dataset, batch_size, generator, draws=shuffle or transform is not None)
        self.drop_last = yes_or_no("drop_last", drop_last)
        self.transform = transform
        if not len(self):
            raise UserError(
                f"drop_last with batch_size {self.batch_size} leaves no batch of the "
                f"{plural(len(dataset), 'example')} of {dataset.name}; use smaller batches"
            )

    def __len__(self) -> int:
        whole, left = divmod(len(self.dataset), self.batch_size)
        return whole + (left > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        draws = self.shuffle or self.transform is not None
        epoch = self.generator.spawn() if draws else self.generator
        augmentation = epoch.fold_in("augmentation")  # a stream of its own, so it has no say in the orders
        order = epoch.permutation(len(self.dataset)) if self.shuffle else None
        for batch in range(len(self)):
            rows = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
            inputs, targets = (
                # A caller may change a batch, so it never shares memory with the dataset.
                array[rows].copy() if order is None else array.take(order[rows], axis=0)
                for array in (self.dataset.inputs, self.dataset.targets)
            )
            if self.transform is not None:
                inputs = numpy.ascontiguousarray(self.transform(inputs, augmentation))
            yield inputs, targets


class TextLoader(_Loader):
    """Windows of a text, with the next character at each position.

    Shapes: iterating yields inputs (b, context) and targets (b, context), int64, the targets being the inputs shifted
    by one.

    Arguments: ``dataset``, a Dataset of a text; ``batch_size``, windows in a batch; ``context``, characters in a
    window; ``batches``, how many make an epoch, by default as many as cover the text's length; ``shuffle``, whether
    windows are drawn at random, with replacement; if not, they are laid end to end from the start, a rest shorter than
    a window being left out; ``generator``, the source of the draw, by default a new one drawn from ichikara's.

    Errors: `UserError` if the text is shorter than ``context`` + 1 characters, or is not a text.

    >>> from ichikara.data import text_dataset
    >>> inputs, targets = next(iter(TextLoader(text_dataset("abcabcabc"), batch_size=2, context=4, shuffle=False)))
    >>> inputs.tolist(), targets.tolist()
    ([[0, 1, 2, 0], [1, 2, 0, 1]], [[1, 2, 0, 1], [2, 0, 1, 2]])

    Source: random windows as in A. Karpathy's nanoGPT, ``get_batch``.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        context: int = 64,
        batches: int | None = None,
        shuffle: bool = True,
        generator: Generator | None = None,
    ):
        self.shuffle = yes_or_no("shuffle", shuffle)
        super().__init__(dataset, batch_size, generator, draws=shuffle)
        self.context = whole_number("context", context, at_least=1)
        if dataset.task != "text":
            raise UserError(f"a TextLoader takes a text, and {dataset.name} is a {dataset.task} set; use a DataLoader")
        if len(dataset) < self.context:
            part = f" ({dataset.part} part)" if dataset.part else ""
            raise UserError(
                f"{dataset.name}{part} has {plural(len(dataset) + 1, 'character')}; a context of "
                f"{self.context} needs at least {self.context + 1}: use a longer text or a shorter context"
            )
        windows = len(dataset) // self.context
        most = -(-windows // self.batch_size)
        self.batches = most if batches is None else whole_number("batches", batches, at_least=1)
        if not self.shuffle and self.batches > most:
            raise UserError(f"{dataset.name} has {most} batches of windows laid end to end, not {batches}")

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Batch]:
        last = len(self.dataset) - self.context
        for batch in range(self.batches):
            if self.shuffle:
                starts = self.generator.integers(last + 1, (self.batch_size,))
            else:
                starts = (batch * self.batch_size + numpy.arange(self.batch_size)) * self.context
                starts = starts[starts <= last]
            places = starts[:, None] + numpy.arange(self.context)  # (b, context)
            yield self.dataset.inputs[places], self.dataset.targets[places]
