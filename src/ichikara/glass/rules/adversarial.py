"""Rules about a generator and a discriminator that are trained together."""

import numpy

from .rule import Unjudged, certain, likely, rule

__all__ = []

BEATEN = 0.02
"""The probability of being real that a discriminator gives generated images when the generator learns nothing more."""

SPREAD = 0.1
"""The deviation of generated images, relative to real ones, below which they are all alike. It is 1 for good ones."""

EPOCHS = 3
"""The last epochs, in all of which it must be so."""


def _lately(case, name: str):
    if case.history is None and len(case.optimizers) > 1:
        raise Unjudged("no_history")
    values = case.column(name)
    return values[-EPOCHS:] if len(values) >= EPOCHS else None


@rule("generator_collapsed", lesson="gan", explains=("discriminator_wins",))
def generator_collapsed(case):
    """The generator makes the same image of all noise."""
    spread = _lately(case, "train_spread")
    if spread is None or not (spread < SPREAD).all():
        return None
    return certain(spread=float(spread[-1]))


@rule("discriminator_wins", lesson="gan")
def discriminator_wins(case):
    """The discriminator is right about every image, so that the generator cannot learn what would fool it."""
    fake, real = _lately(case, "train_fake"), _lately(case, "train_real")
    if fake is None or real is None or not ((fake < BEATEN) & (real > 0.5)).all():
        return None
    return likely(fake=float(numpy.mean(fake)), real=float(numpy.mean(real)))
