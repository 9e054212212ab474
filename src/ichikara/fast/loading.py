"""Kernels are imported when the first of them is looked up."""

from functools import lru_cache
from importlib import import_module

from .memory import retain_freed_memory

__all__ = ["load_kernels"]


@lru_cache(1)
def load_kernels() -> bool:
    """Import all kernels once, which takes some hundredths of a second. Returns whether there are any.

    The package is imported by name, as a plug-in is: kernels import the registry, and so the registry cannot import
    them.
    """
    retain_freed_memory()
    try:
        import_module(f"{__package__}.kernels")
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("numba", "llvmlite"):
            raise
        return False
    return True
