"""Images in rows as one image, and the filters of a first layer."""

from typing import Any

import numpy

from .backend import load_matplotlib
from .curves import new_figure
from .theme import two_inks

__all__ = ["filter_images", "filters", "tile"]


def tile(images: numpy.ndarray, columns: int = 8, gap: int = 1) -> numpy.ndarray:
    """Put images side by side in rows, with transparent gaps between them.

    Shapes: (n, 1, height, width) or (n, 3, height, width) -> (rows · (height + gap) − gap, …, 4), red, green, blue and
    opacity, from 0 to 1.

    Arguments: ``columns``, images in a row; ``gap``, pixels between them.

    >>> tile(numpy.ones((5, 1, 8, 8)), columns=4).shape
    (17, 35, 4)
    """
    n, _, height, width = images.shape
    columns = max(1, min(columns, n))
    rows = -(-n // columns)
    sheet = numpy.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 4))
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        place = sheet[top : top + height, left : left + width]
        place[..., :3] = numpy.moveaxis(image, 0, -1)
        place[..., 3] = 1
    return sheet


def filter_images(weights: numpy.ndarray) -> tuple[numpy.ndarray, float]:
    """The weights of a first layer as images, and the weight that has the deepest colour.

    Shapes: (n, channels, height, width) -> (n, 3, height, width), red, green and blue from 0 to 1.

    All have one scale: zero is white, what excites a neuron amber, what inhibits it indigo. Several channels are
    averaged, but three are shown as red, green and blue around grey, which is zero.

    >>> images, deepest = filter_images(numpy.full((12, 1, 3, 3), -0.5))
    >>> images.shape, deepest
    ((12, 3, 3, 3), 0.5)
    """
    values = weights if weights.shape[1] == 3 else weights.mean(axis=1)
    deepest = float(numpy.abs(values).max()) or 1.0
    shares = (values / deepest + 1) / 2
    images = shares if weights.shape[1] == 3 else numpy.moveaxis(two_inks()(shares)[..., :3], -1, 1)
    return images, deepest


def filters(weights: numpy.ndarray, columns: int = 8, title: str = "") -> Any:
    """Draw the weights of a first layer as images in rows; returns a Matplotlib figure.

    Shapes: (n, channels, height, width).

    Arguments: ``columns``, filters in a row; ``title``. For the colours see `filter_images`.

    >>> filters(numpy.ones((12, 1, 3, 3))).axes[0].images[0].get_array().shape
    (7, 31, 4)
    """
    load_matplotlib()
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    images, deepest = filter_images(weights)
    sheet = tile(images, columns)
    width = 0.6 * min(columns, len(images))
    figure, (ax,) = new_figure(1, width + 1, max(width * sheet.shape[0] / sheet.shape[1], 0.8) + (0.3 if title else 0))
    ax.imshow(sheet, interpolation="none")
    ax.axis("off")
    if weights.shape[1] != 3:
        scale = ScalarMappable(Normalize(-deepest, deepest), two_inks())
        bar = figure.colorbar(scale, ax=ax, aspect=12, ticks=[-deepest, 0, deepest])
        bar.ax.set_yticklabels([f"−{deepest:.2g}", "0", f"{deepest:.2g}"])
    if title:
        figure.suptitle(title)
    return figure
