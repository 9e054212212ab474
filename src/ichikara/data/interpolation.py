"""Bilinear interpolation of a batch of images."""

import numpy

__all__ = ["interpolate"]

PIECE = 8192  # pixels per block, so that a block stays in the processor's cache


def interpolate(
    images: numpy.ndarray, matrices: numpy.ndarray, field: numpy.ndarray, background: float = 0.0
) -> numpy.ndarray:
    r"""Read each pixel of a result at a position of the image, interpolated between four pixels.

    .. math:: p' = A\,(y, x, 1)^\top + f(y, x) = (r + \beta, s + \gamma), \qquad
        v(p') = \sum_{i, j \in \{0, 1\}} |1 - i - \beta|\,|1 - j - \gamma|\; v_{r + i, s + j}

    where r and s are whole and (β, γ) are fractions; positions are counted from the image's centre.

    Shapes: images (n, c, h, w), matrices (n, 2, 3), field (n, 2, h·w) or (n, 2, 1) -> (n, c, h, w).

    Arguments: ``images``; ``matrices``, A of each image; ``field``, f of each image, in pixels; ``background``, the
    value outside of the images.

    >>> left = numpy.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.5]]])  # each pixel is read half a pixel to its right
    >>> interpolate(numpy.array([[[[2.0, 4.0, 8.0]]]]), left, numpy.zeros((1, 2, 1))).tolist()
    [[[[3.0, 6.0, 4.0]]]]

    Source: R. Gonzalez, R. Woods, "Digital Image Processing" (2018), section 2.4.
    """
    _, _, h, w = images.shape
    result = numpy.empty_like(images)
    middle = numpy.array([[(h - 1) / 2], [(w - 1) / 2]], images.dtype)
    grid = numpy.indices((h, w)).reshape(2, h * w).astype(images.dtype) - middle
    step = max(1, PIECE // max(images[:1].size, 1))
    for start in range(0, len(images), step):
        rows = slice(start, start + step)
        places = matrices[rows, :, :2] @ grid + (matrices[rows, :, 2:] + middle) + field[rows]  # (n, 2, h·w)
        result[rows] = _read(images[rows], places, background)
    return result


def _read(images, places, background):
    n, c, h, w = images.shape
    padded = numpy.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=background)
    y = numpy.clip(places[:, 0] + 1, 0, h + 1)  # further out there is only more of the background
    x = numpy.clip(places[:, 1] + 1, 0, w + 1)
    top = numpy.minimum(y.astype("int64"), h)  # the pixel above and to the left
    left = numpy.minimum(x.astype("int64"), w)
    beta = (y - top).astype(images.dtype)[:, None]
    gamma = (x - left).astype(images.dtype)[:, None]
    wide = w + 2
    starts = numpy.arange(n * c).reshape(n, c, 1) * ((h + 2) * wide)
    first = starts + (top * wide + left)[:, None]  # (n, c, h·w)
    pixels = padded.reshape(-1)
    upper, lower = pixels[first], pixels[first + wide]
    upper += gamma * (pixels[first + 1] - upper)
    lower += gamma * (pixels[first + (wide + 1)] - lower)
    upper += beta * (lower - upper)
    return upper.reshape(images.shape)
