"""Sequences of different lengths as one batch: padded to the longest, or packed without padding."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import ops
from ..arrays import namespace
from ..autodiff import Tensor, asarray
from ..errors import UserError, choose

__all__ = [
    "PackedSequence",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpad_sequence",
]

_xp = namespace()  # lengths are NumPy arrays on the host


class PackedSequence(NamedTuple):
    """The steps of several sequences without padding: all first steps, then all second ones, and so on.

    The sequences come with the longest first, so that at each step the sequences that have not ended come first. Made
    by `pack_padded_sequence` or `pack_sequence`; the recurrent layers take it and give one back.

    Shapes: data (sum of lengths, *), batch_sizes (T); sorted_indices and unsorted_indices (n), or None where the
    sequences came sorted.

    >>> packed = pack_sequence([asarray([1.0, 2.0]), asarray([3.0])])
    >>> packed.data.tolist(), packed.batch_sizes.tolist()
    ([1.0, 3.0, 2.0], [2, 1])

    Source: PyTorch's ``torch.nn.utils.rnn.PackedSequence``.
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch of sequences.

    Shapes: input (T, n, \\*), or (n, T, \\*) with ``batch_first``; lengths (n) -> data (sum of lengths, \\*).

    Arguments: ``lengths``, how many steps each sequence has; ``batch_first``, whether the sequences come before their
    steps; ``enforce_sorted``, whether they must come with the longest first; False sorts them.

    Raises UserError for lengths that are not from 1 to T, or not sorted where they should be.

    >>> packed = pack_padded_sequence([[1.0, 3.0], [2.0, 0.0]], [2, 1])
    >>> packed.data
    Tensor([1., 3., 2.])

    Source: PyTorch's ``torch.nn.utils.rnn.pack_padded_sequence``.
    """
    input = asarray(input)
    if input.ndim < 2:
        raise UserError(f"sequences come as (T, n, …), or as (n, T, …) with batch_first, not as {input.shape}")
    steps, batch = (input.shape[1], input.shape[0]) if batch_first else input.shape[:2]
    counted = _lengths(lengths, batch, steps)
    ranks = _xp.argsort(-counted, stable=True)  # the longest first
    if enforce_sorted and counted.tolist() != counted[ranks].tolist():
        raise UserError(
            f"the sequences do not come with the longest first (their lengths: {counted.tolist()}); "
            "sort them, or pass enforce_sorted=False"
        )
    mask = _xp.arange(counted.max())[:, None] < counted[ranks]  # (T, n)
    step, rank = _xp.nonzero(mask)
    place = ranks[rank] * steps + step if batch_first else step * batch + ranks[rank]
    data = ops.take(ops.reshape(input, (steps * batch, *input.shape[2:])), place, axis=0)
    sizes = asarray(mask.sum(axis=1))
    if enforce_sorted:
        return PackedSequence(data, sizes)
    return PackedSequence(data, sizes, asarray(ranks), asarray(_xp.argsort(ranks)))


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The reverse of `pack_padded_sequence`: sequences of one length, and the lengths that they had.

    Shapes: -> (T, n, \\*) or (n, T, \\*), and (n).

    Arguments: ``batch_first``, whether the sequences come before their steps; ``padding_value``, the value after a
    sequence's end; ``total_length``, T, by default the longest length.

    Raises UserError for a total length below the longest.

    >>> padded, lengths = pad_packed_sequence(pack_padded_sequence([[1.0, 3.0], [2.0, 0.0]], [2, 1]), padding_value=9.0)
    >>> padded.tolist(), lengths.tolist()
    ([[1.0, 3.0], [2.0, 9.0]], [2, 1])

    Source: PyTorch's ``torch.nn.utils.rnn.pad_packed_sequence``.
    """
    if not isinstance(sequence, PackedSequence):
        raise TypeError(f"a PackedSequence is expected here, not {type(sequence).__name__}")
    sizes = _xp.asarray(sequence.batch_sizes)
    batch, steps = int(sizes[0]), len(sizes) if total_length is None else total_length
    if steps < len(sizes):
        raise UserError(f"total_length = {steps} is below the longest sequence's {len(sizes)} steps")
    mask = _xp.arange(batch) < sizes[:, None]  # (T, n)
    step, rank = _xp.nonzero(mask)
    ranks = _xp.arange(batch) if sequence.sorted_indices is None else _xp.asarray(sequence.sorted_indices)
    lengths = _xp.zeros(batch, dtype="int64")
    lengths[ranks] = mask.sum(axis=0)
    place = ranks[rank] * steps + step if batch_first else step * batch + ranks[rank]
    data = sequence.data
    padded = ops.scatter(data, place, (steps * batch, *data.shape[1:]))
    if padding_value:
        missing = _xp.ones((steps * batch, *[1] * (data.ndim - 1)), dtype=bool)
        missing[place] = False
        padded = ops.where(missing, padding_value, padded)
    shape = (batch, steps) if batch_first else (steps, batch)
    return ops.reshape(padded, (*shape, *data.shape[1:])), asarray(lengths)


def pad_sequence(
    sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences of different lengths as one tensor, padded to the longest.

    Shapes: (T_i, \\*) for each -> (T, n, \\*), or (n, T, \\*) with ``batch_first``.

    Arguments: ``padding_value``, the value of padding; ``padding_side``, 'right' for after a sequence, 'left' for
    before.

    >>> pad_sequence([[1.0, 2.0], [3.0]], batch_first=True).tolist()
    [[1.0, 2.0], [3.0, 0.0]]

    Source: PyTorch's ``torch.nn.utils.rnn.pad_sequence``.
    """
    right = choose("padding_side", padding_side, {"right": True, "left": False})
    tensors = _sequences(sequences)
    longest = max(len(t) for t in tensors)
    padded = []
    for t in tensors:
        missing = longest - len(t)
        width = (0, missing) if right else (missing, 0)
        padded.append(ops.pad(t, [width, *[(0, 0)] * (t.ndim - 1)], constant_values=padding_value) if missing else t)
    return ops.stack(padded, axis=0 if batch_first else 1)


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of different lengths: `pad_sequence` and `pack_padded_sequence` in one.

    Shapes: (T_i, \\*) for each -> data (sum of T_i, \\*).

    Source: PyTorch's ``torch.nn.utils.rnn.pack_sequence``.
    """
    tensors = _sequences(sequences)
    return pack_padded_sequence(pad_sequence(tensors), [len(t) for t in tensors], enforce_sorted=enforce_sorted)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Tensor]:
    """The reverse of `pad_sequence`: a list of sequences without padding.

    Shapes: (T, n, \\*), or (n, T, \\*) with ``batch_first``; lengths (n) -> (T_i, \\*) for each.

    Source: PyTorch's ``torch.nn.utils.rnn.unpad_sequence``.
    """
    padded = asarray(padded_sequences)
    steps, batch = (padded.shape[1], padded.shape[0]) if batch_first else padded.shape[:2]
    counted = _lengths(lengths, batch, steps).tolist()
    return [padded[i, :n] if batch_first else padded[:n, i] for i, n in enumerate(counted)]


def _sequences(sequences: Sequence[Any]) -> list[Tensor]:
    tensors = [asarray(s) for s in sequences]
    if not tensors:
        raise UserError("no sequences were given")
    if any(t.ndim == 0 or t.shape[1:] != tensors[0].shape[1:] for t in tensors):
        raise UserError(
            f"sequences differ in their first axis only, and these have shapes {[t.shape for t in tensors]}"
        )
    return tensors


def _lengths(lengths: Any, batch: int, steps: int) -> Any:
    """Lengths, checked, as a NumPy array."""
    counted = asarray(lengths)
    if counted.shape != (batch,) or counted.dtype.kind not in "iu" or not batch:
        raise UserError(f"{batch} sequences have that many lengths, whole numbers, not {counted.dtype}{counted.shape}")
    array = _xp.asarray(counted)
    if array.min() < 1 or array.max() > steps:
        raise UserError(f"a sequence of this batch has 1 to {steps} steps, and the lengths are {array.tolist()}")
    return array
