"""Matplotlib without a backend: its figures are drawn into files."""

import os

__all__ = ["load_matplotlib"]


def load_matplotlib() -> None:
    """Import Matplotlib, also where MPLBACKEND names a backend that is not installed, as in a notebook's subprocess."""
    try:
        import matplotlib  # noqa: F401
    except ValueError:
        named = os.environ.pop("MPLBACKEND", None)
        if named is None:
            raise
        try:
            import matplotlib  # noqa: F401
        finally:
            os.environ["MPLBACKEND"] = named
