"""Generative adversarial networks: generators and discriminators of images."""

from .. import nn
from ..errors import UserError

__all__ = ["Discriminator", "Generator", "dcgan"]


class Generator(nn.Sequential):
    """A fully connected generator: from noise to an image of numbers from -1 to 1.

    Shapes: (n, latent) -> (n, channels, height, width).

    Arguments: ``latent``, numbers of noise; ``shape``, of an image; ``hidden``, neurons of its layers.

    Source: I. Goodfellow et al., "Generative Adversarial Networks" (2014); the lecture's E2.
    """

    def __init__(self, latent: int, shape: tuple[int, int, int], hidden: tuple[int, ...] = (128, 256)):
        layers: list[nn.Module] = []
        width = latent
        for neurons in hidden:
            layers += [nn.Linear(width, neurons), nn.BatchNorm1d(neurons), nn.ReLU()]
            width = neurons
        channels, height, breadth = shape
        layers += [nn.Linear(width, channels * height * breadth), nn.Tanh(), nn.Unflatten(1, shape)]
        super().__init__(*layers)
        self.latent = latent


class Discriminator(nn.Sequential):
    """A fully connected discriminator: from an image to the logit of its being real.

    Shapes: (n, channels, height, width) -> (n, 1).

    Arguments: ``shape``, of an image; ``hidden``, neurons of its layers; ``dropout``, the probability by which these
    are zeroed.

    Source: as `Generator`.
    """

    def __init__(self, shape: tuple[int, int, int], hidden: tuple[int, ...] = (256, 128), dropout: float = 0.3):
        layers: list[nn.Module] = [nn.Flatten()]
        width = shape[0] * shape[1] * shape[2]
        for neurons in hidden:
            layers += [nn.Linear(width, neurons), nn.LeakyReLU(0.2), nn.Dropout(dropout)]
            width = neurons
        super().__init__(*layers, nn.Linear(width, 1))


def dcgan(latent: int, shape: tuple[int, int, int], width: int = 32) -> tuple[nn.Sequential, nn.Sequential]:
    """A convolutional generator and discriminator, for images whose sides are multiples of 4.

    Shapes: (n, latent) -> (n, channels, height, width), and that -> (n, 1).

    Arguments: ``latent``, numbers of noise; ``shape``, of an image; ``width``, channels next to the image.

    Raises UserError for other image sizes.

    Source: A. Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
    Networks" (2015).
    """
    channels, height, breadth = shape
    if height % 4 or breadth % 4:
        raise UserError(f"a DCGAN doubles its image twice, so sides are multiples of 4, not {breadth}×{height}")
    small = (2 * width, height // 4, breadth // 4)
    generator = nn.Sequential(
        nn.Linear(latent, small[0] * small[1] * small[2]),
        nn.Unflatten(1, small),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(channels, width, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(small[0] * small[1] * small[2], 1),
    )
    generator.latent = latent
    for module in [*generator.modules(), *discriminator.modules()]:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, mean=1.0, std=0.02)
    return generator, discriminator
