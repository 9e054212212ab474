"""Networks of convolutions: from LeNet's two layers to residual networks of any depth."""

from collections.abc import Sequence

from .. import nn
from ..errors import UserError

__all__ = ["LeNet", "ResNet"]


class LeNet(nn.Sequential):
    r"""Two convolutions with pooling, then a fully connected network, for handwritten digits.

    Shapes: (n, channels, height, width) -> (n, out_features).

    Arguments: ``channels``, of the images; ``size``, their height and width in pixels; ``out_features``; ``filters``,
    of the convolutions, usually two; ``hidden``, neurons of the layer before the last; ``dropout``, the probability by
    which features are zeroed while training; ``batch_norm``, whether the convolutions are normalised.

    Raises UserError for images that are too small for the pooling.

    >>> model = LeNet(1, (28, 28), 10)
    >>> sum(p.size for p in model.parameters())
    421642

    Source: Y. LeCun et al., "Gradient-Based Learning Applied to Document Recognition" (1998), with ReLU and maximum
    pooling in place of its sigmoids and averages; the lecture's E1.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        out_features: int,
        filters: Sequence[int] = (32, 64),
        hidden: int = 128,
        dropout: float = 0.25,
        batch_norm: bool = False,
    ):
        height, width = size
        if not filters:
            raise UserError("a LeNet has at least one convolution; filters is the number of output channels of each")
        if min(height, width) < 2 ** len(filters):
            times = f"after each of {len(filters)} convolutions"
            raise UserError(f"a LeNet halves its images {times}, and {width}×{height} pixels are too few for that")
        layers: list[nn.Module] = []
        for before, after in zip((channels, *filters), filters, strict=False):
            layers.append(nn.Conv2d(before, after, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(after))
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
        features = filters[-1] * (height >> len(filters)) * (width >> len(filters))
        layers += [nn.Flatten(), nn.Dropout(dropout), nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(dropout)]
        super().__init__(*layers, nn.Linear(hidden, out_features))


class ResNet(nn.Sequential):
    r"""A deep convolutional network of residual blocks, so that the gradient bypasses them.

    .. math:: y = f\bigl(F(x) + x\bigr), \qquad
        \frac{\partial L}{\partial x} = \frac{\partial L}{\partial y} f' \Bigl(\frac{\partial F}{\partial x} + 1\Bigr)

    Shapes: (n, channels, height, width) -> (n, out_features).

    Arguments: ``channels``, of the images; ``out_features``; ``widths``, the channels of each stage, the image being
    halved between stages; ``blocks``, in each stage; ``shortcut``, False for the same layers without the addition;
    ``pool``, whether the image is halved before the first stage, which makes a step about four times as fast;
    ``dropout``, the probability by which the last features are zeroed while training.

    >>> ResNet(1, 10, widths=(8, 16), blocks=1).depth
    6

    Source: K. He et al., "Deep Residual Learning for Image Recognition" (2015), section 4.2; the lecture's C7.
    """

    def __init__(
        self,
        channels: int,
        out_features: int,
        widths: Sequence[int] = (16, 32, 64),
        blocks: int = 1,
        shortcut: bool = True,
        pool: bool = False,
        dropout: float = 0.0,
    ):
        if blocks < 1 or not widths:
            raise UserError(f"a ResNet has at least one stage of at least one block, not {list(widths)} and {blocks}")
        layers: list[nn.Module] = [_convolution(channels, widths[0]), nn.BatchNorm2d(widths[0]), nn.ReLU()]
        if pool:
            layers.append(nn.MaxPool2d(2))
        before = widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                layers.append(_block(before, width, stride, shortcut))
                before = width
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        super().__init__(*layers, nn.Linear(before, out_features))
        self.depth = 2 + 2 * blocks * len(widths)


def _convolution(before, after, stride=1):
    convolution = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution


def _block(before, after, stride, shortcut):
    """Two convolutions, with the input added before the last activation."""
    inner = nn.Sequential(
        _convolution(before, after, stride),
        nn.BatchNorm2d(after),
        nn.ReLU(),
        _convolution(after, after),
        nn.BatchNorm2d(after),
    )
    if not shortcut:
        return nn.Sequential(inner, nn.ReLU())
    past: nn.Module | None = None
    if stride != 1 or before != after:
        past = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))
    return nn.Sequential(nn.Residual(inner, past), nn.ReLU())
