"""MNIST, and the idx format that it is published in."""

import gzip
import io
import math
import os
import struct
import zlib
from typing import Any

import numpy

from ichikara.checks import yes_or_no
from ichikara.errors import UserError

from .dataset import Dataset
from .download import RemoteFile, fetch
from .numpy_files import check_deflated, fill
from .reading import check_memory, open_file, reason
from .splits import TrainTest

__all__ = ["load_mnist", "read_idx"]

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# SHA-256 of the unpacked files, as published.
CHECKSUMS = {
    "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
# The third byte of an idx file names the type of its numbers, which are big-endian.
IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def load_mnist(*, as_images: bool = True) -> TrainTest:
    """MNIST's handwritten digits: 60,000 images of 28×28 to train on and 10,000 to test with, ink divided by 255.

    Shapes: inputs (n, 1, 28, 28) in [0, 1], or (n, 784) flat; targets (n,).

    Arguments: ``as_images``, whether pixels keep their place in the plane.

    Returns the pair ``(train, test)``, also by these names.

    Errors: `UserError` if a file is damaged, or can neither be found nor downloaded: see `ichikara.data.fetch`. In
    ``$ICHIKARA_DATA`` the files lie in ``mnist/`` under their published names.

    Example: ``train, test = load_mnist()``

    Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits" (1998).
    """
    as_images = yes_or_no("as_images", as_images)
    return TrainTest(_load_part("train", "train", as_images), _load_part("t10k", "test", as_images))


def read_idx(path: str | os.PathLike) -> numpy.ndarray:
    """Read an array from a file in the idx format, gzipped or not.

    Shapes: -> those that the file states.

    Arguments: ``path``, the file.

    Errors: `UserError` if it cannot be read, is not an idx file, or is cut short.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "three-labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 0x08, 1, 0, 0, 0, 3, 7, 2, 1]))
    ...     read_idx(path).tolist()
    [7, 2, 1]

    Source: the format is described on the page of the MNIST database.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not packed:
                return _parse_idx(file, str(path), size)
            with gzip.open(file) as content:
                return _parse_idx(content, str(path), packed=size)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"cannot read {path}: {reason(error)}") from None


def _parse_idx(file: Any, name: str, size: int | None = None, packed: int = 0) -> numpy.ndarray:
    """An idx file: two zero bytes, the type, the number of axes, their sizes, then the numbers.

    Arguments: ``size``, of the file, or ``packed``, the size of the gzip file that it is in; the header is compared
    with it before anything is allocated.
    """
    start = file.read(4)
    kind = IDX_TYPES.get(start[2]) if len(start) == 4 and start[:2] == b"\0\0" else None
    if kind is None:
        raise UserError(f"{name} is not an idx file: it starts with {start.hex(' ') or 'nothing'}")
    axes = start[3]
    sizes = file.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise UserError(f"{name} is cut short: it has {axes} axes but ends before their sizes")
    shape = struct.unpack(f">{axes}I", sizes)
    if axes > 32:
        raise UserError(f"{name} is damaged: it says that it has {axes} axes")
    dtype = numpy.dtype(kind)
    expected = 4 + 4 * axes + math.prod(shape) * dtype.itemsize
    wrong = f"where its shape {shape} takes {expected:,}"
    if size is not None and size != expected:
        raise UserError(f"{name} is damaged: {size:,} bytes, {wrong}")
    if size is None:
        try:
            check_deflated(expected, packed)
        except ValueError as error:
            raise UserError(f"{name} is damaged: {error}") from None
    check_memory(name, 2 * expected)
    array = numpy.empty(math.prod(shape), dtype)
    try:
        fill(file, array)
    except EOFError as error:
        raise UserError(f"{name} is damaged: {error}, {wrong}") from None
    if file.read(1):  # which in a gzip file also compares its checksum
        raise UserError(f"{name} is damaged: more bytes follow, {wrong}")
    return array.reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _load_part(prefix: str, part: str, as_images: bool) -> Dataset:
    images, labels = (_published(f"{prefix}-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
    inputs = images.astype("float32")
    inputs /= 255
    shape = (1, *images.shape[1:]) if as_images else (math.prod(images.shape[1:]),)
    return Dataset(
        inputs.reshape(len(images), *shape),
        labels,
        name="mnist",
        classes=tuple(map(str, range(10))),
        source="the MNIST database of handwritten digits; ink divided by 255",
        part=part,
    )


def _published(name: str) -> numpy.ndarray:
    file = RemoteFile(f"mnist/{name}", tuple(mirror + name for mirror in MIRRORS), CHECKSUMS[name])
    content = fetch(file)
    return _parse_idx(io.BytesIO(content), name, len(content))
