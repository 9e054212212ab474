"""Handwritten digits that lie in the package: 1,797 images of 8×8 pixels. NumPy alone reads them.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository (1998),
https://doi.org/10.24432/C50P49, its test part, as scikit-learn has it. Licence: CC BY 4.0. The numbers are the
published ones; only their type is another.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy

__all__ = ["Split", "digits", "splits"]

FILE = Path(__file__).parent / "lessons" / "digits.npz"
SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
"""Of the pixels and labels, as bytes, one after the other."""


class Split(NamedTuple):
    """Digits to learn from and digits to test with. Shapes: images (n, 64), from 0 to 1; labels (n,)."""

    images: numpy.ndarray
    labels: numpy.ndarray
    test_images: numpy.ndarray
    test_labels: numpy.ndarray


@cache
def digits() -> tuple[numpy.ndarray, numpy.ndarray]:
    """All images and their labels, which cannot be written to.

    Shapes: (1797, 8, 8) uint8, ink from 0 to 16; (1797,) uint8.

    >>> images, labels = digits()
    >>> images.shape, labels[:5].tolist()
    ((1797, 8, 8), [0, 1, 2, 3, 4])
    """
    with numpy.load(FILE) as file:
        images, labels = file["images"], file["labels"]
    images.flags.writeable = labels.flags.writeable = False
    return images, labels


def splits(seed: int, train: int = 1000, test: int | None = None) -> Split:
    """Digits in a random order: the first ones to learn from, those after them to test with.

    Arguments: ``seed``, of the order; ``train`` and ``test``, how many; by default all the rest are for testing.

    >>> split = splits(0, train=1000)
    >>> split.images.shape, split.images.dtype, split.test_labels.shape
    ((1000, 64), dtype('float32'), (797,))
    """
    images, labels = digits()
    order = numpy.random.default_rng(seed).permutation(len(labels))
    inputs, labels = (images[order].reshape(-1, 64) / 16).astype(numpy.float32), labels[order].astype(numpy.int64)
    end = None if test is None else train + test
    return Split(inputs[:train], labels[:train], inputs[train:end], labels[train:end])


def digest(*arrays: numpy.ndarray) -> str:
    """The SHA-256 of arrays' bytes."""
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def main() -> None:
    """``python -m ichikara.course.digits`` writes the file from scikit-learn's copy."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images, labels = bunch.images.astype(numpy.uint8), bunch.target.astype(numpy.uint8)
    numpy.savez_compressed(FILE, images=images, labels=labels)
    print(f"{FILE.name}: {digest(images, labels)}")


if __name__ == "__main__":
    main()
