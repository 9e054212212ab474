"""Matplotlib without a backend: its figures are drawn into files."""

import os
import sys
import threading
from contextlib import suppress

__all__ = ["LOCK", "load_matplotlib"]

LOCK = threading.RLock()  # Matplotlib's settings are shared by all threads


def load_matplotlib() -> None:
    """Import Matplotlib, which fails by itself where MPLBACKEND names a backend that is not installed.

    A notebook passes its own backend on to the processes that it starts.
    """
    if "matplotlib" in sys.modules:
        return
    named = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if named is not None:
            os.environ["MPLBACKEND"] = named
    if named:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = named
