"""NumPy's files, ``.npy`` and ``.npz``. A header is compared with the file before anything is allocated for it."""

import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Collection
from typing import IO, NamedTuple

import numpy

from ichikara.errors import UserError

from .reading import check_memory, open_file, reason

__all__ = ["check_deflated", "fill", "read_npy", "read_npz"]

LONGEST_HEADER = 2**16  # bytes; NumPy writes about 100
LONGEST_SHOWN, MOST_SHOWN = 80, 30  # characters, and arrays, in a message
CHUNK = 2**24
DEFLATE = 1032  # a byte that deflate wrote is never more bytes than this
# Such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } with the keys in any order.
ENTRY = (
    r"\s*'(?:descr'\s*:\s*'(?P<d{0}>[^']*)'|fortran_order'\s*:\s*(?P<f{0}>True|False)"
    r"|shape'\s*:\s*\((?P<s{0}>[^)]*)\))\s*"
)
HEADER = re.compile(r"\{" + ",".join(ENTRY.format(i) for i in range(3)) + r",?\s*\}\s*")
DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f(2|4|8|12|16)|[US][1-9]\d{0,8})")
SHAPE = re.compile(r"\s*|\s*\d{1,18}L?\s*,\s*|\s*\d{1,18}L?(\s*,\s*\d{1,18}L?)+\s*,?\s*")


class _Damaged(ValueError):
    """What is wrong with a file, without its name."""


class Header(NamedTuple):
    """What a ``.npy`` file says of its array: dtype, order and shape, and where the numbers begin."""

    dtype: numpy.dtype
    fortran: bool
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_npy(path: str | os.PathLike) -> numpy.ndarray:
    """The array in a ``.npy`` file, of numbers or of words; never a pickle, which could run arbitrary code.

    Errors: `UserError` for a file that cannot be read, is damaged, or holds something else.
    """
    with open_file(path) as file:
        try:
            header = _header(file)
            _check_size(header, os.fstat(file.fileno()).st_size)
            check_memory(path, 2 * header.size)
            return _array(header, file)
        except (OSError, EOFError, ValueError) as error:
            raise _unreadable(path, error) from None


def read_npz(path: str | os.PathLike, names: Collection[str]) -> tuple[dict[str, numpy.ndarray], dict[str, str]]:
    """The arrays of these names that a ``.npz`` file holds, and a description of each array in it.

    Errors: as of `read_npy`. An array that is not asked for is not read.
    """
    arrays, contents = {}, {}
    with open_file(path) as file:
        try:
            start = file.read(6)
            file.seek(0)
            if start == b"\x93NUMPY":
                raise UserError(
                    f"{path} holds a single array; save inputs and targets with numpy.savez(path, x=…, y=…)"
                )
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    name = member.filename.removesuffix(".npy")
                    if name in names:
                        arrays[name] = _member(path, archive, member)
                        contents[name] = f"{name} {arrays[name].shape}"
                    elif len(contents) < MOST_SHOWN:
                        contents[name] = f"{name} {_shape(archive, member)}".strip()
        except UserError:
            raise
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            RuntimeError,
            zipfile.BadZipFile,
            zlib.error,
            struct.error,
        ) as error:
            raise _unreadable(path, error) from None
    return arrays, contents


def check_deflated(size: int, packed: int) -> None:
    """Refuse a size that this many packed bytes cannot have. Raises ValueError."""
    if size > DEFLATE * packed + DEFLATE:
        raise _Damaged(f"{size:,} bytes are announced, which {packed:,} packed bytes cannot hold")


def fill(file: IO[bytes], array: numpy.ndarray) -> None:
    """Read the bytes of a new array from a file, piece by piece. Raises EOFError if there are too few."""
    content = memoryview(array.reshape(-1).view("u1") if array.nbytes else b"")  # type: ignore[arg-type]
    for at in range(0, len(content), CHUNK):
        piece = content[at : at + CHUNK]
        got = 0
        while got < len(piece):
            count = file.readinto(piece[got:])  # type: ignore[attr-defined]
            if not count:
                raise EOFError(f"it ends after {at + got:,} of {len(content):,} bytes")
            got += count


def _shape(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    """The shape of an array that is not read, for a message; empty if it is none."""
    try:
        with archive.open(member) as file:
            return str(_header(file).shape)
    except Exception:  # a damaged member that nobody asked for
        return ""


def _member(path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> numpy.ndarray:
    if member.compress_type == zipfile.ZIP_DEFLATED:
        check_deflated(member.file_size, member.compress_size)
    elif member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        raise _Damaged(f"'{member.filename}' is packed in a way that NumPy does not use")
    with archive.open(member) as file:
        header = _header(file)
        _check_size(header, member.file_size)
        check_memory(path, 2 * header.size)
        array = _array(header, file)
        file.read(1)  # at the end of the member its checksum is compared
        return array


def _header(file: IO[bytes]) -> Header:
    """The header, by a pattern: it has the form of a Python dictionary, and nothing of a file is evaluated."""
    start = file.read(8)
    if len(start) < 8 or start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
        raise _Damaged("it does not start like a .npy file")
    form = "<H" if start[6] == 1 else "<I"
    packed = file.read(struct.calcsize(form))
    if len(packed) < struct.calcsize(form):
        raise _Damaged("it ends within its header")
    (length,) = struct.unpack(form, packed)
    if length > LONGEST_HEADER:
        raise _Damaged(f"its header of {length:,} bytes is too long")
    content = file.read(length)
    found = HEADER.fullmatch(content.decode("latin-1"))
    groups = {} if found is None else {name[0]: value for name, value in found.groupdict().items() if value is not None}
    if len(content) < length or len(groups) < 3:
        raise _Damaged(f"its header is {content[:LONGEST_SHOWN].decode('latin-1')!r}")
    if not DTYPE.fullmatch(groups["d"]) or not SHAPE.fullmatch(groups["s"]):
        raise _Damaged(f"it holds '{groups['d'][:LONGEST_SHOWN]}' of shape ({groups['s'][:LONGEST_SHOWN]})")
    try:
        dtype = numpy.dtype(groups["d"])
    except TypeError:  # a float of twelve or sixteen bytes, which not every machine has
        raise _Damaged(f"it holds '{groups['d']}', which this machine does not have") from None
    shape = tuple(int(n.strip().rstrip("L")) for n in groups["s"].split(",") if n.strip())
    if len(shape) > 32:
        raise _Damaged(f"it has {len(shape)} axes")
    return Header(dtype, groups["f"] == "True", shape, 8 + len(packed) + length)


def _check_size(header: Header, size: int) -> None:
    if header.start + header.size != size:
        raise _Damaged(
            f"its header says {header.dtype} of shape {header.shape}, {header.size:,} bytes, and "
            f"{max(size - header.start, 0):,} follow it"
        )


def _array(header: Header, file: IO[bytes]) -> numpy.ndarray:
    array = numpy.empty(math.prod(header.shape), header.dtype)
    fill(file, array)
    if header.dtype.kind == "b":
        array = array.view("u1") != 0  # any byte but 0 and 1 would be neither true nor false
    if header.dtype.kind == "U" and array.size:
        codes = array.view(header.dtype.byteorder.replace("|", "=") + "u4")
        if codes.max() > 0x10FFFF or ((codes >= 0xD800) & (codes < 0xE000)).any():
            raise _Damaged("it holds numbers in place of letters")
    array = array.reshape(header.shape, order="F" if header.fortran else "C")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _unreadable(path, error: Exception) -> UserError:
    if isinstance(error, UserError):
        return error
    return UserError(
        f"cannot read {path}: it is damaged, or holds something else than arrays of numbers or words ({reason(error)})"
    )
