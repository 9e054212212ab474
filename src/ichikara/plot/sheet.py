"""A sheet of small images in rows."""

from typing import Any

import numpy

from ..charts import Chart, Images, text_width
from .draw import draw

__all__ = ["sheet", "sheet_chart"]

_WIDE = 5.2  # of a label, in units of its height: as wide as an image


def sheet_chart(images: numpy.ndarray, columns: int = 10, title: str = "", labels: list[str] | None = None) -> Chart:
    """A chart of images in rows. Arguments: as of `sheet`.

    >>> sheet_chart(numpy.zeros((12, 1, 8, 8)), columns=6).marks[0].images.shape
    (12, 8, 8, 3)
    """
    grey = numpy.clip(images.reshape(len(images), *images.shape[-2:]), 0, 1)
    colours = numpy.repeat(grey[..., None], 3, axis=-1)  # black is black on dark paper too
    captions = [_short(label) for label in labels or ()]
    n = len(images)
    alt = f"{n} image{'' if n == 1 else 's'} in rows of {min(columns, n)}."
    return Chart([Images(colours, columns, captions)], title=title, alt=alt, numbers={"images": n})


def _short(label: str) -> str:
    if text_width(label) <= _WIDE:
        return label
    while label and text_width(label) > _WIDE - 1:
        label = label[:-1]
    return f"{label}…"


def sheet(images: numpy.ndarray, columns: int = 10, title: str = "", labels: list[str] | None = None) -> Any:
    """Draw images in rows, each with its label; returns a Matplotlib figure.

    Shapes: images (n, 1, height, width) or (n, height, width), grey from 0 (black) to 1.

    Arguments: ``columns``, images in a row; ``title``; ``labels``, one for each image.

    >>> sheet(numpy.zeros((12, 1, 8, 8)), columns=6).axes[0].get_title()
    ''
    """
    return draw(sheet_chart(images, columns, title, labels))
