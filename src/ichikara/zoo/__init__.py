"""Floor 5: the systems of the lecture, ready to train."""

from .convolutional import LeNet, ResNet
from .gan import Discriminator, Generator, dcgan
from .gpt import GPT
from .mlp import ACTIVATIONS, MLP
from .perceptron import Perceptron
from .polynomial import Polynomial
from .recurrent import CELLS, CharRNN, SequenceReader
from .seq2seq import Seq2Seq
from .universal import bumps, towers

__all__ = [
    "ACTIVATIONS",
    "CELLS",
    "GPT",
    "MLP",
    "CharRNN",
    "Discriminator",
    "Generator",
    "LeNet",
    "Perceptron",
    "Polynomial",
    "ResNet",
    "Seq2Seq",
    "SequenceReader",
    "bumps",
    "dcgan",
    "towers",
]
