"""Opening what a person names: regular files only, text without invisible marks, nothing larger than the memory."""

import os
import stat
from typing import BinaryIO

from ichikara.errors import UserError
from ichikara.memory import available

__all__ = ["check_memory", "open_file", "read_text", "reason"]

FIRST = 2**20  # bytes of a file that are looked at before the rest is read
# What a path can name beside a file. Reading some of these waits forever, or never ends.
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_file(path: str | os.PathLike) -> BinaryIO:
    """Open a regular file for reading.

    Errors: `UserError` for what is missing, cannot be read, or is something else than a file.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            return open(path, "rb")
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason(error)}") from None
    except ValueError as error:  # a zero byte, or half of a pair of surrogates
        raise UserError(f"{os.fspath(path)!r} is no path: {error}") from None
    kind = next((name for is_kind, name in KINDS if is_kind(mode)), "no regular file")
    raise UserError(f"cannot read {path}: it is {kind}, and a file is needed")


def read_text(path: str | os.PathLike, memory: int = 8) -> str:
    """The text of a file in UTF-8, without the byte-order marks that editors and spreadsheets put in.

    Line ends stay as they are.

    Arguments: ``path``; ``memory``, how many bytes the reader needs for a byte of the file.

    Errors: `UserError` for a file that cannot be read, is no text, or is larger than the memory.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = _piece(path, file, min(FIRST, size))
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise UserError(f"{path} is not a text in UTF-8 but in UTF-16; save it in UTF-8")
        _check_zeros(path, content)
        check_memory(path, memory * size)
        if size > FIRST:
            content += _piece(path, file, size - FIRST)
            _check_zeros(path, content)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not a text in UTF-8 ({error.reason} at byte {error.start}); save it in UTF-8"
        ) from None
    return text.replace("\ufeff", "")


def check_memory(path: str | os.PathLike, needed: int) -> None:
    """Refuse what would not fit into the memory that is free, before any of it is taken."""
    free = available()
    if needed > free:
        raise UserError(
            f"{path} needs about {needed / 2**30:,.1f} GiB of memory, and {free / 2**30:,.1f} GiB are free; "
            f"use a part of it"
        )


def reason(error: Exception) -> str:
    """Why an operation on a file failed, without the number and the path."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _piece(path, file: BinaryIO, size: int) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason(error)}") from None


def _check_zeros(path, content: bytes) -> None:
    place = content.find(0)
    if place >= 0:
        raise UserError(f"{path} is no text: byte {place:,} is zero; save it as a text in UTF-8")
