"""Locks between processes. The system releases a lock when its process ends, also when that is killed."""

import errno
import os
from typing import IO

__all__ = ["lock"]

_BYTE = 1 << 30  # Windows locks bytes, and a locked byte cannot be read: one far behind the content
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def lock(file: IO, wait: bool = True) -> bool:
    """Take the lock of an open file, until the file is closed; returns False where another process has it.

    Arguments: ``wait``, whether to wait until the other one releases it. On a file system without locks nothing is
    locked, and the answer is True.
    """
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(_BYTE)
            mode = msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK  # type: ignore[attr-defined,unused-ignore]
            msvcrt.locking(file.fileno(), mode, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return True
        if wait:
            raise
        return False
    return True
