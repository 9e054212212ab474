"""Images in rows as one image, and the filters of a first layer."""

from typing import Any

import numpy

from ..charts import Chart, Images, short_text
from .draw import draw
from .theme import two_inks

__all__ = ["filter_images", "filters", "filters_chart", "tile"]

_TWO_INKS = "Amber is a positive weight, indigo a negative one, paper is 0"


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
    values, deepest = _first_weights(weights)
    shares = (values + 1) / 2
    images = shares if weights.shape[1] == 3 else numpy.moveaxis(two_inks()(shares)[..., :3], -1, 1)
    return images, deepest


def filters_chart(weights: numpy.ndarray, columns: int = 8, title: str = "") -> Chart:
    """A chart of the weights of a first layer. Arguments: as of `filters`.

    >>> filters_chart(numpy.full((12, 1, 3, 3), -0.5)).caption
    'Amber is a positive weight, indigo a negative one, paper is 0. The deepest is 0.5.'
    """
    values, deepest = _first_weights(weights)
    n, coloured = len(weights), weights.shape[1] == 3
    images = numpy.moveaxis(values + 1, 1, -1) / 2 if coloured else values
    scale = "Red, green and blue around grey, which is 0" if coloured else _TWO_INKS
    return Chart(
        [Images(images, columns, signed=not coloured)],
        title=title,
        caption=f"{scale}. The deepest is {short_text(deepest, 2)}.",
        alt=f"The weights of {n} neuron{'' if n == 1 else 's'} of the first layer, as images.",
        numbers={"filters": n, "deepest": deepest},
    )


def filters(weights: numpy.ndarray, columns: int = 8, title: str = "") -> Any:
    """Draw the weights of a first layer as images in rows; returns a Matplotlib figure.

    Shapes: (n, channels, height, width).

    Arguments: ``columns``, filters in a row; ``title``. All have one scale: zero is paper, what excites a neuron amber,
    what inhibits it indigo. Several channels are averaged, but three are shown as red, green and blue around grey.

    >>> len(filters(numpy.ones((12, 1, 3, 3))).axes[0].images)
    12
    """
    return draw(filters_chart(weights, columns, title))


def _first_weights(weights: numpy.ndarray) -> tuple[numpy.ndarray, float]:
    """Weights, averaged over channels unless there are three, as fractions of the largest; and the largest."""
    values = weights if weights.shape[1] == 3 else weights.mean(axis=1)
    deepest = float(numpy.abs(values).max()) or 1.0
    return values / deepest, deepest
