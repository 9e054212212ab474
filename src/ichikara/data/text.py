"""Text as numbers: the vocabulary of its characters, and Tiny Shakespeare."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy

from ichikara.checks import number
from ichikara.errors import UserError, key, plural

from .dataset import Dataset
from .download import RemoteFile, fetch
from .reading import read_text
from .splits import TrainValidation

__all__ = ["CharVocabulary", "load_text", "load_tinyshakespeare", "text_dataset"]

MEMORY = 32  # bytes that a text takes for each of its bytes while it is numbered

TINYSHAKESPEARE = RemoteFile(
    "tinyshakespeare.txt",
    ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)


class CharVocabulary:
    """The characters of a text in the order of their code points; a character's number is its position.

    Arguments: ``characters``, a text or any collection of characters, repeats allowed.

    Errors: `UserError` if there is none, or if one is longer than a character.

    >>> vocabulary = CharVocabulary("hello")
    >>> vocabulary.encode("hole").tolist()
    [1, 3, 2, 0]
    >>> vocabulary.decode([1, 0])
    'he'
    """

    def __init__(self, characters: Iterable[str]):
        self.characters: tuple[str, ...] = tuple(sorted(set(characters)))
        longer = [character for character in self.characters if len(character) != 1]
        if longer:
            raise UserError(f"a vocabulary is made of single characters, not {longer[0]!r}")
        if not self.characters:
            raise UserError("a vocabulary needs at least one character; the text is empty")
        self._codes = _code_points("".join(self.characters))

    def __len__(self) -> int:
        return len(self.characters)

    def __repr__(self):
        return f"CharVocabulary({''.join(self.characters)!r})"

    def encode(self, text: str) -> numpy.ndarray:
        """The characters' numbers. Shapes: text of n characters -> (n,), int64.

        Errors: `UserError` naming a character that the vocabulary does not have, and where it stands.
        """
        codes = _code_points(text)
        ids = numpy.searchsorted(self._codes, codes).astype("int64")
        unknown = self._codes[numpy.minimum(ids, len(self) - 1)] != codes
        if unknown.any():
            place = int(unknown.argmax())
            raise UserError(
                f"the character {text[place]!r} at position {place} is not in the vocabulary; its {len(self)} "
                f"characters are {''.join(self.characters)!r}"
            )
        return ids

    def decode(self, ids: Any) -> str:
        """The text of these numbers. Shapes: (n,) -> text of n characters.

        Errors: `UserError` for a number that names no character.
        """
        ids = numpy.asarray(ids)
        if ids.size == 0:
            return ""
        if ids.dtype.kind not in "iu" or ids.ndim != 1:
            raise UserError(f"decode takes a sequence of whole numbers, not {ids.dtype} of shape {ids.shape}")
        if ids.min() < 0 or ids.max() >= len(self):
            wrong = ids[(ids < 0) | (ids >= len(self))][0]
            raise UserError(f"{wrong} names no character: the vocabulary has numbers from 0 to {len(self) - 1}")
        return self._codes[ids].tobytes().decode("utf-32-le", "surrogatepass")


def text_dataset(
    text: str,
    name: str = "text",
    vocabulary: CharVocabulary | None = None,
    *,
    source: str = "",
    part: str | None = None,
) -> Dataset:
    """A text as a Dataset: each character, and the one that follows it. Its classes are the vocabulary's characters.

    Shapes: a text of n + 1 characters -> inputs (n,), targets (n,), int64.

    Arguments: ``text``; ``name``; ``vocabulary``, by default that of the text; ``source``, in words; ``part``, of a
    larger text.

    Errors: `UserError` for a text of less than two characters, or with characters that the vocabulary does not have.

    >>> data = text_dataset("abba")
    >>> data.inputs.tolist(), data.targets.tolist(), data.classes
    ([0, 1, 1], [1, 1, 0], ('a', 'b'))
    """
    if len(text) < 2:
        raise UserError(
            f"{name} has {plural(len(text), 'character')}; at least two are needed, one to follow the other"
        )
    vocabulary = CharVocabulary(text) if vocabulary is None else vocabulary
    ids = vocabulary.encode(text)
    return Dataset(ids[:-1], ids[1:], name, vocabulary.characters, source=source, task="text", part=part)


def load_text(path: str | os.PathLike, *, validation: float = 0.1) -> TrainValidation:
    """A text file of the user; its last part is for validation.

    Shapes: as `load_tinyshakespeare`.

    Arguments: ``path``, of a file in UTF-8, whose byte-order marks are left out; ``validation``, the
    fraction held out at the end, above 0 and below 1.

    Errors: `UserError` for a file that is missing, empty or not in UTF-8.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "ab.txt").write_text("ab" * 50)
    ...     len(load_text(Path(folder, "ab.txt")).train)
    89
    """
    path = Path(path)
    text = read_text(path, MEMORY).replace("\r\n", "\n").replace("\r", "\n")
    if not text:
        raise UserError(f"{path} is empty; there is nothing to learn from")
    if len(text) > 1 and text == text[0] * len(text):
        raise UserError(f"{path} has the one character {text[0]!r} only; there is nothing to learn from")
    return _cut(text, path.stem, f"the file {path.name}", validation)


def load_tinyshakespeare(*, validation: float = 0.1) -> TrainValidation:
    """Tiny Shakespeare: 1,115,394 characters of the plays, 65 different ones; the last tenth is for validation.

    Shapes: inputs (1003853,), targets (1003853,) for training, (111539,) each for validation, int64.

    Arguments: ``validation``, the fraction held out at the end, above 0 and below 1.

    Returns the pair ``(train, validation)``, also by these names; both have the vocabulary of the whole text, which is
    ``CharVocabulary(train.classes)``.

    Errors: `UserError` if the file is damaged, or can neither be found nor downloaded: see `ichikara.data.fetch`. In
    ``$ICHIKARA_DATA`` it is ``tinyshakespeare.txt``.

    Example: ``train, validation = load_tinyshakespeare()``

    Source: A. Karpathy, char-rnn (2015); the cut is that of nanoGPT.
    """
    validation = _fraction(validation)  # before a megabyte is fetched
    text = fetch(TINYSHAKESPEARE).decode("utf-8")
    return _cut(text, "tinyshakespeare", "Tiny Shakespeare, from A. Karpathy's char-rnn", validation)


def _fraction(validation: float) -> float:
    validation = number("validation", validation, at_least=0)
    if not 0 < validation < 1:
        raise UserError(f"{key('validation')} is a fraction of the text, above 0 and below 1, not {validation:g}")
    return validation


def _cut(text: str, name: str, source: str, validation: float) -> TrainValidation:
    """A text in two parts, with the vocabulary of the whole."""
    validation = _fraction(validation)
    vocabulary = CharVocabulary(text)
    # The two parts share no character, as input or as target.
    cut = int(len(text) * (1 - validation))
    return TrainValidation(
        text_dataset(text[:cut], name, vocabulary, source=source, part="train"),
        text_dataset(text[cut:], name, vocabulary, source=source, part="validation"),
    )


def _code_points(text: str) -> numpy.ndarray:
    return numpy.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
