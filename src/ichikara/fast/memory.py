"""Memory that is kept from one training step to the next."""

import ctypes

__all__ = ["keep_freed"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # the names of the settings in glibc's malloc.h


def keep_freed() -> None:
    """Let the C library keep the memory of arrays that are gone, for those of the next step, which are as large.

    Otherwise large arrays go back to the system one by one, and each new one costs a page fault for every 4 KiB: in a
    step of a small GPT there were 9,000, a fifth of its time. The highest use of memory stays the same. Where the
    library is another one, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, 1 << 30)
    mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
