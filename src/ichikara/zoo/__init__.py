"""Floor 5: the systems of the lecture, ready to train."""

from .mlp import ACTIVATIONS, MLP
from .perceptron import Perceptron

__all__ = ["ACTIVATIONS", "MLP", "Perceptron"]
