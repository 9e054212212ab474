"""Floor 10: the `ichikara` command."""

from .main import main

__all__ = ["main"]
