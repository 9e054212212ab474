"""Three networks that learn digits in the middle of a field, and are asked for digits that stand elsewhere."""

from collections.abc import Iterator

import numpy

from ichikara import nn, ops, optim
from ichikara.arrays import Generator, using

from ...digits import splits
from .net import SIZE, accuracy

__all__ = ["EPOCHS", "KINDS", "REACH", "field", "learning", "moved", "network", "shares"]

KINDS = ("mlp", "flat", "max")
REACH = 4
"""How far digits are moved: so far their field has space."""
EPOCHS, BATCH, FILTERS = 10, 50, 32


def network(kind: str) -> nn.Module:
    """A network by its kind: fully connected, or convolutions whose maps are flattened, or kept by their maxima."""
    if kind == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, 64), nn.ReLU(), nn.Linear(64, 10))
    maps = nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, FILTERS, 3, padding=1), nn.ReLU()
    if kind == "flat":
        return nn.Sequential(*maps, nn.Flatten(), nn.Linear(FILTERS * SIZE * SIZE // 4, 10))
    return nn.Sequential(*maps, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(FILTERS, 10))


def field(images: numpy.ndarray) -> numpy.ndarray:
    """Images in the middle of an empty field. Shapes: (n, 64) -> (n, 1, 16, 16)."""
    return numpy.pad(images.reshape(-1, 1, 8, 8), ((0, 0), (0, 0), (4, 4), (4, 4)))


def moved(images: numpy.ndarray, right: int, down: int) -> numpy.ndarray:
    r"""Images moved by whole pixels; paper comes in at the border. Shapes: (\*, h, w) -> (\*, h, w)."""
    height, width = images.shape[-2:]
    place = lambda by, size: (slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size - max(by, 0)))
    (rows, from_rows), (columns, from_columns) = place(down, height), place(right, width)
    out = numpy.zeros_like(images)
    out[..., rows, columns] = images[..., from_rows, from_columns]
    return out


def learning(kind: str, seed: int) -> Iterator[nn.Module]:
    """The network after each epoch of learning digits in the middle."""
    split, draw = splits(seed, 1000, 500), numpy.random.default_rng(seed)
    with using(Generator(seed)):
        net = network(kind)
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    images = field(split.images)
    for _ in range(EPOCHS):
        order = draw.permutation(len(images))
        for rows in order.reshape(-1, BATCH):
            optimizer.zero_grad()
            ops.cross_entropy(net(images[rows]), split.labels[rows]).backward()
            optimizer.step()
        yield net


def shares(net: nn.Module, seed: int) -> list[float]:
    """The share of test digits that are read rightly, by how far they were moved: up, down, left and right."""
    split = splits(seed, 1000, 500)
    images = field(split.test_images)
    found = []
    for by in range(REACH + 1):
        ways = [(by, 0), (-by, 0), (0, by), (0, -by)] if by else [(0, 0)]
        found.append(float(numpy.mean([accuracy(net, moved(images, *way), split.test_labels) for way in ways])))
    return found
