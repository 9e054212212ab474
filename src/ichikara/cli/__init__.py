"""Floor 10: the `ichikara` command."""

from .entry import main

__all__ = ["main"]
