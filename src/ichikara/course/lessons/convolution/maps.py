"""Maps: what a kernel, and what the trained network, makes of an image."""

from functools import lru_cache

import numpy

from ichikara import ops
from ichikara.autodiff import asarray
from ichikara.nn import ReLU

from .net import SIZE, trained
from .shift import REACH, moved

__all__ = ["convolved", "followed", "interior", "place_of", "reading"]


def convolved(image, kernel, stride, padding):
    """The library's convolution of one image with one kernel. Shapes: (h, w), (3, 3) -> (oh, ow)."""
    x, k = (numpy.array(part, "float64")[None, None] for part in (image, kernel))
    return ops.conv2d(x, k, stride=stride, padding=padding).numpy()[0, 0]


def place_of(stride, padding, row, column):
    """The row and column in the map, which may be smaller than the controls allow, and the map's size."""
    size = (SIZE + 2 * padding - 3) // stride + 1
    return min(row, size - 1), min(column, size - 1), size


def interior(size, stride, padding, right, down):
    """The cells of a map whose windows see none of what came in at the border. Shapes: -> (size, size)."""
    sees = lambda by: [
        max(0, by) <= at * stride - padding and at * stride - padding + 3 <= SIZE + min(0, by) for at in range(size)
    ]
    return numpy.outer(sees(down), sees(right)) > 0


def followed():
    """How far the map of a moved image is from the moved map, for random images and kernels and all distances.

    Returns the largest difference ``inside`` and at the ``border`` with stride 1, with stride 2 the largest of
    ``even`` distances and the least of ``odd`` ones, for the best of all moves of the map; and how many ``trials``.
    """
    draw = numpy.random.default_rng(0)
    found = {"inside": [], "border": [], "even": [], "odd": []}
    for right in range(-REACH, REACH + 1):
        for down in range(-REACH, REACH + 1):
            image, kernel = draw.random((SIZE, SIZE)), draw.normal(size=(3, 3))
            for stride in (1, 2):
                one = convolved(moved(image, right, down), kernel, stride, 1)
                whole, inside = convolved(image, kernel, stride, 1), interior(len(one), stride, 1, right, down)
                ways = [(right // stride + i, down // stride + j) for i in range(stride) for j in range(stride)]
                away = [abs(one - moved(whole, *way)) for way in ways]
                kind = "inside" if stride == 1 else "odd" if right % 2 or down % 2 else "even"
                found[kind].append(min(float(difference[inside].max()) for difference in away))
                if stride == 1 and (right or down):
                    found["border"].append(float(away[0][~inside].max()))
    worst = {name: (min if name == "odd" else max)(values) for name, values in found.items()}
    return {**worst, "trials": len(found["inside"])}


@lru_cache(maxsize=4)
def reading(image):
    """What the trained network makes of an image.

    Returns the probabilities of the digits, the maps of both layers, the likeliest digit, and the slope of its score by
    each pixel.
    """
    maps = []
    x = h = asarray(numpy.array(image, "float32")[None, None], requires_grad=True)
    for layer in trained():
        h = layer(h)
        if isinstance(layer, ReLU):
            maps.append(h.numpy()[0])
    winner = int(h.numpy()[0].argmax())
    h[0, winner].backward()
    return ops.softmax(h, axis=1).numpy()[0], maps, winner, x.grad.numpy()[0, 0]
