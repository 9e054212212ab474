"""Generative adversarial networks: a generator makes images of noise, a discriminator tells them from real ones."""

import math
from collections.abc import Callable
from typing import Any

import numpy

from .. import nn, ops
from ..arrays import Generator
from ..autodiff import Tensor, asarray, no_grad
from ..checks import fraction
from .evaluation import predict
from .trainer import DivergedError, Trainer

__all__ = ["Adversaries", "AdversarialTrainer", "Optimizers", "judge"]


class Adversaries(nn.Module):
    """A generator and its discriminator, as one module whose output is the generator's.

    The lecture's picture of the two is a forger and a detector of forgeries.

    Shapes: (n, latent) -> (n, channels, height, width), from -1 to 1.

    Arguments: ``generator`` and ``discriminator``, the two networks; ``latent``, the size of the noise.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, latent: int):
        super().__init__()
        self.generator, self.discriminator, self.latent = generator, discriminator, latent

    def forward(self, noise):
        return self.generator(noise)

    def sample(self, count: int, generator: Generator) -> numpy.ndarray:
        """Generated images, from 0 to 1. Shapes: -> (count, channels, height, width)."""
        return (predict(self, generator.normal((count, self.latent))) + 1) / 2


class Optimizers:
    """Several optimisers with one state and one list of groups. A trainer steps each separately."""

    def __init__(self, *optimizers):
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all of them."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The states of all of them."""
        return {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load the states of `state_dict`."""
        for optimizer, part in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(part)


class AdversarialTrainer(Trainer):
    r"""Trains a discriminator to tell generated from real images, and a generator to fool it; one step each per batch.

    .. math:: L_D = -\ln \sigma(D(x)) - \ln\bigl(1 - \sigma(D(G(z)))\bigr), \qquad L_G = -\ln \sigma(D(G(z)))

    The history has both losses: ``discriminator_loss`` and ``generator_loss``. ``real`` is the discriminator's mean
    output for real images, and ``fake`` that for generated ones, as probabilities of being real. They are 1 and 0 when
    the discriminator is always right, and the generator then learns nothing more. Both are near 1/2 in balance.
    ``spread`` is the standard deviation of generated images relative to real ones. It is near 0 when the generator has
    collapsed to a single image.

    Arguments: ``model``, `Adversaries`; ``optimizer``, an `Optimizers` of the generator's and the discriminator's;
    ``smooth``, the target for real images, a little below 1 (one-sided label smoothing). The others are those of
    `Trainer`; ``generator`` among them is the source of random numbers, not the network.

    Raises UserError for a ``smooth`` that is no probability; DivergedError when a loss is no longer finite.

    Source: I. Goodfellow et al., "Generative Adversarial Networks" (2014); T. Salimans et al., "Improved Techniques for
    Training GANs" (2016) for one-sided smoothing.
    """

    def __init__(self, model: Adversaries, optimizer: Optimizers, *, smooth: float = 0.9, **options):
        super().__init__(model, _no_loss, optimizer, **options)
        self.smooth = fraction("smooth", smooth)

    def step(self, inputs, targets=None, last: bool = True) -> float:
        """One step of the discriminator on real images (from 0 to 1) and generated ones, then one of the generator."""
        real = asarray(inputs)
        found = self._engine.call(self, self._learn_both, real, self.smooth)
        discriminator_loss, generator_loss, real_score, fake_score, spread, real_spread = [one.item() for one in found]
        numbers = {
            "loss": discriminator_loss + generator_loss,
            "discriminator_loss": discriminator_loss,
            "generator_loss": generator_loss,
            "real": real_score,
            "fake": fake_score,
            "spread": spread / max(real_spread, 1e-12),
        }
        if not math.isfinite(numbers["loss"]):
            raise DivergedError(f"the loss became {numbers['loss']} in epoch {self.epoch + 1}; {self._advice()}")
        self.steps += 1
        if self.watching is not None:
            self.watching.note_loss(self.steps, numbers["loss"])
        self._totals.add(len(real), numbers)
        return numbers["loss"]

    def _learn_both(self, inputs, smooth) -> list[Tensor]:
        """The part of a step that is captured: both losses, the discriminator's mean outputs, and both deviations."""
        generator, discriminator = self.model.generator, self.model.discriminator
        generator_optimizer, discriminator_optimizer = self.optimizer.optimizers
        real = inputs * 2 - 1

        fake = generator(self._noise(len(real)))
        discriminator_optimizer.zero_grad()
        real_score, fake_score = discriminator(real), discriminator(fake.detach())
        discriminator_loss = _bce(real_score, smooth) + _bce(fake_score, 0.0)
        discriminator_loss.backward()
        discriminator_optimizer.step()

        generator_optimizer.zero_grad()
        generator_loss = _bce(discriminator(fake), 1.0)
        generator_loss.backward()
        generator_optimizer.step()
        with no_grad():
            outputs = [ops.sigmoid(score).mean() for score in (real_score, fake_score)]
            deviations = [ops.std(images, axis=0).mean() for images in (fake, real)]
        return [loss.detach() for loss in (discriminator_loss, generator_loss)] + outputs + deviations

    def _noise(self, n: int) -> Tensor:
        return asarray(self.generator.normal((n, self.model.latent)))

    def evaluate(self, data, **_) -> dict[str, float]:
        """There is no validation loss: a generator is evaluated by its samples, see `judge`."""
        return {}


def judge(samples: numpy.ndarray, classify: Callable[[numpy.ndarray], numpy.ndarray]) -> dict[str, Any]:
    """Evaluate generated images by a classifier: its mean confidence, and how many it assigns to each class.

    Shapes: (n, channels, height, width), and a function of that to (n, classes) scores.

    >>> judge(numpy.zeros((4, 1, 2, 2)), lambda x: numpy.tile([0.0, 9.0], (len(x), 1)))["classes"]
    [0, 4]
    """
    scores = classify(samples)
    with no_grad():
        probabilities = ops.softmax(asarray(scores), axis=-1).numpy()
    counts = numpy.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    return {
        "samples": len(samples),
        "confidence": float(probabilities.max(axis=1).mean()),
        "classes": counts.tolist(),
        "classes_present": int((counts > 0).sum()),
    }


def _bce(scores, target):
    return ops.binary_cross_entropy_with_logits(scores, ops.full_like(scores, target))


def _no_loss(output, targets):
    raise TypeError("an adversarial trainer has no loss of outputs and targets")
