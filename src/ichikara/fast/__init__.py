"""Floor 5: kernels, threads and replays. This package attaches to the seam from outside; no floor below knows it."""

from ..arrays import attach
from .dispatch import Dispatcher

__all__ = ["Dispatcher"]

attach(Dispatcher())
