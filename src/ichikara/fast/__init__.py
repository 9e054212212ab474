"""Floor 5: the wing that makes the engine fast. It attaches to the seam from outside; no floor below knows it."""

from ..arrays import attach
from .dispatch import Dispatcher

__all__ = ["Dispatcher"]

attach(Dispatcher())
