"""Kernels are imported when the first of them is asked for."""

from functools import lru_cache

from .memory import keep_freed

__all__ = ["load_kernels"]


@lru_cache(1)
def load_kernels() -> bool:
    """Import all kernels, once, which takes some hundredths of a second; whether there are any."""
    keep_freed()
    try:
        from . import kernels  # noqa: F401 - each makes itself known
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("numba", "llvmlite"):
            raise
        return False
    return True
