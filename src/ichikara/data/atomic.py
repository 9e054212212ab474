"""Atomic writes: a file has the old content or the new, even after a power failure."""

import os
import re
import secrets
from pathlib import Path

__all__ = ["remove_leftovers", "write_atomically"]

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


def write_atomically(path: str | os.PathLike, content: bytes, mode: int | None = None) -> None:
    """Write the content to a file so that a reader finds the old content or the new, and never a part.

    Arguments: ``path``, whose folder exists; ``content``, the bytes; ``mode``, the file's permissions, by default those
    of any new file.
    Errors: `OSError` when the folder cannot be written to or is full; the old file is then untouched.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "note.txt")
    ...     write_atomically(path, b"learnt")
    ...     path.read_bytes()
    b'learnt'
    """
    path = Path(path)
    # In the same folder, since a rename is atomic only within one file system.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the new name is an entry of the folder, which must reach the disk as well
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_leftovers(folder: str | os.PathLike) -> None:
    """Remove the unfinished files that killed writers left in a folder, in which nobody writes now.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, ".note.txt.0123abcd.tmp").write_bytes(b"lea")
    ...     remove_leftovers(folder)
    ...     list(Path(folder).iterdir())
    []
    """
    for path in Path(folder).glob(".*.tmp"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)
