"""What a run's report shows: a trained network, its data, and its predictions for held-out data."""

import math
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy

from ..arrays import Generator
from ..autodiff import asarray
from ..data import Dataset
from ..train import Adversaries, predict
from .schema import Recipe

__all__ = ["SECONDS", "Answers", "Subject", "shorten", "thumbnails"]

SECONDS = 1.5
"""The longest time, in seconds, for predictions, and for writing a text."""


@dataclass
class Subject:
    """A trained network and its data, scaled as for the network. A GAN has no loss of outputs and targets."""

    recipe: Recipe
    model: Any
    objective: Any
    train: Dataset
    validation: Dataset | None
    scaler: Any

    @property
    def task(self) -> str:
        """The task of the data, or 'images' for a GAN."""
        return "images" if isinstance(self.model, Adversaries) else self.train.task

    def unscaled(self, inputs: numpy.ndarray) -> numpy.ndarray:
        """Inputs in their original units."""
        return inputs if self.scaler is None else self.scaler.inverse_transform(inputs)

    def ask(self, inputs: numpy.ndarray) -> numpy.ndarray:
        """The network's outputs for inputs in their original units."""
        return predict(self.model, inputs if self.scaler is None else self.scaler.transform(inputs))

    def decide(self, outputs: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray | None]:
        """The class that each output predicts, and its probability if the loss defines one."""
        return self.objective.decide(asarray(outputs))

    @cached_property
    def answers(self) -> "Answers":
        """The network's predictions for the validation data, or for the training data where there is none."""
        return Answers(self)

    @cached_property
    def image_shape(self) -> tuple[int, int, int] | None:
        """Channels, height and width if the examples are images, or flattened images; else None."""
        shape, names = self.train.inputs.shape[1:], self.train.input_names
        if len(shape) == 3 and shape[0] in (1, 3):
            return shape
        if len(shape) == 1 and self.task != "text":
            side = math.isqrt(shape[0])
            named = names is not None and not all(name.startswith("pixel") for name in names)
            if side >= 6 and side * side == shape[0] and not named:
                return 1, side, side
        return None

    def images(self, inputs: numpy.ndarray) -> numpy.ndarray:
        """Inputs as images from 0 to 1. Shapes: (n, *) -> (n, channels, height, width)."""
        low, high = (float(end) for end in self._range)
        values = (self.unscaled(inputs) - low) / ((high - low) or 1)
        assert self.image_shape is not None
        return thumbnails(numpy.clip(values, 0, 1).reshape(len(inputs), *self.image_shape), 96)

    @cached_property
    def _range(self):
        values = self.unscaled(self.train.inputs[:2000])
        return values.min(), values.max()


def thumbnails(images: numpy.ndarray, side: int) -> numpy.ndarray:
    """Images of at most ``side`` pixels on their shorter side. Of larger ones every second, third … pixel is used."""
    step = -(-min(images.shape[-2:]) // side)
    return images[..., ::step, ::step]


def shorten(name: str) -> str:
    """A user's name, not longer than a line."""
    return name if len(name) <= 60 else name[:59] + "…"


class Answers:
    """A network's predictions for held-out examples, in random order: as many as it computes in `SECONDS`."""

    def __init__(self, subject: Subject):
        held = subject.validation is not None and len(subject.validation) > 0
        data: Any = subject.validation if held else subject.train
        order = Generator(0).permutation(len(data))[:10_000]
        began, outputs, done = time.perf_counter(), [], 0
        while done < len(order) and (not done or time.perf_counter() - began < SECONDS):
            chunk = order[done : done + (64 if not done else 512)]
            outputs.append(predict(subject.model, data.inputs[chunk]))
            done += len(chunk)
        self.rows = order[:done]
        self.inputs, self.targets = data.inputs[self.rows], data.targets[self.rows]
        self.outputs = numpy.concatenate(outputs)
        where = "validation data" if held else "training data (there is no validation part)"
        some = "" if done == len(data) else f"{done:,} of the {len(data):,} examples of the "
        self.where = f"{some}{where}" if some else f"the {where}"
        self.classes = tuple(shorten(name) for name in data.classes or ())
        self.labels, self.probabilities = numpy.zeros(0, "int64"), None
        if data.task == "classification":
            self.labels, self.probabilities = subject.decide(self.outputs)
            self.wrong = self.labels != self.targets
            self.losses = self._losses()

    def _losses(self) -> numpy.ndarray:
        """A loss for each prediction: the larger, the worse."""
        outputs = self.outputs.astype("float64")
        if outputs.shape[-1] == 1:
            return outputs[:, 0] * numpy.where(self.targets > 0, -1, 1)
        own = outputs[numpy.arange(len(outputs)), self.targets]
        top = outputs.max(axis=1, keepdims=True)
        return top[:, 0] + numpy.log(numpy.exp(outputs - top).sum(axis=1)) - own
