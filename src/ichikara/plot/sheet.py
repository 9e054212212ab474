"""A sheet of small images in rows."""

from typing import Any

import numpy

from .curves import new_figure

__all__ = ["sheet"]


def sheet(images: numpy.ndarray, columns: int = 10, title: str = "", labels: list[str] | None = None) -> Any:
    """Draw images in rows, each with its label; returns a Matplotlib figure.

    Shapes: images (n, 1, height, width) or (n, height, width), grey from 0 (black) to 1.

    Arguments: ``columns``, images in a row; ``title``; ``labels``, one for each image.

    >>> sheet(numpy.zeros((12, 1, 8, 8)), columns=6).axes[0].get_title()
    ''
    """
    images = images.reshape(len(images), *images.shape[-2:])
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure, (whole,) = new_figure(1, 0.7 * columns, (0.9 if labels else 0.7) * rows + (0.4 if title else 0))
    whole.axis("off")
    whole.set_title(title)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        height = 1 / rows
        share = 0.78 if labels else 0.96
        ax = whole.inset_axes([column / columns, 1 - (row + 1) * height, 0.96 / columns, share * height])
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        ax.set_xticks([])
        ax.set_yticks([])
        if labels:
            ax.set_title(labels[i], fontsize=7, pad=2)
    return figure
