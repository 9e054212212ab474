"""The arguments of what moves a window over an image (convolution, pooling), checked and in one form."""

import operator
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from ..arrays import namespace
from ..errors import UserError
from .shape import expand_dims, squeeze

__all__ = ["Window", "as_given", "as_images", "as_plane", "count_positions", "make_window", "padded", "sizes"]

Pair = tuple[int, int]


class Window(NamedTuple):
    """How a window moves over an image: steps between positions, zeros around the image, steps between its elements.

    ``padding`` is (top, bottom), (left, right).
    """

    stride: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)

    def padded(self, size: Pair) -> Pair:
        """The size of an image with its padding."""
        return size[0] + sum(self.padding[0]), size[1] + sum(self.padding[1])

    def inside(self, size: Pair) -> tuple:
        """Where an image of this size lies in its padded one."""
        (top, _), (left, _) = self.padding
        return ..., slice(top, top + size[0]), slice(left, left + size[1])

    def positions(self, size: Pair, kernel: Pair) -> Pair:
        """How many positions a kernel has in an image of this size, down and across."""
        return _positions(self, size, kernel)

    def places(self, kernel: Pair, positions: Pair) -> Iterator[tuple]:
        """For each element of the kernel, what it sees of the padded image from all positions: one shifted slice."""
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                top, left = i * self.dilation[0], j * self.dilation[1]
                yield (
                    ...,
                    slice(top, top + self.stride[0] * (positions[0] - 1) + 1, self.stride[0]),
                    slice(left, left + self.stride[1] * (positions[1] - 1) + 1, self.stride[1]),
                )


@lru_cache(256)
def _positions(window, size, kernel):
    height, width = (
        (padded - dilation * (length - 1) - 1) // stride + 1
        for padded, length, stride, dilation in zip(
            window.padded(size), kernel, window.stride, window.dilation, strict=True
        )
    )
    return height, width


def sizes(name: str, value: Any, axes: int, at_least: int = 1) -> tuple[int, ...]:
    """One whole number for each axis, given as such or as one number for all.

    Raises UserError for anything else.
    """
    given = value if isinstance(value, tuple | list) else (value,) * axes
    try:
        numbers = tuple(operator.index(n) for n in given)
    except TypeError:
        numbers = ()
    if len(numbers) != axes or any(n < at_least for n in numbers):
        what = f"a whole number of at least {at_least}"
        raise UserError(f"{name} is {what}{f', or {axes} of them' if axes > 1 else ''}, not {value!r}")
    return numbers


def as_plane(numbers: tuple, fill: Any) -> Any:
    """What is said of a row of numbers, as it is said of an image that is one element high."""
    return (fill, *numbers) if len(numbers) == 1 else numbers


def make_window(axes: int, kernel: tuple[int, ...], stride: Any, padding: Any, dilation: Any) -> Window:
    """The window of a convolution over 1 or 2 axes. ``padding`` is also ``'valid'`` (none) or ``'same'``.

    Raises UserError for numbers that make no sense, and for ``'same'`` with a stride.
    """
    stride = sizes("stride", stride, axes)
    dilation = sizes("dilation", dilation, axes)
    if padding == "same":
        if set(stride) != {1}:
            raise UserError(f"padding='same' keeps the size of an image, which stride {stride} does not; leave one out")
        missing = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        sides = tuple((n // 2, n - n // 2) for n in missing)
    elif isinstance(padding, str) and padding != "valid":
        raise UserError(f"padding is 'same', 'valid' or numbers, not {padding!r}")
    else:
        sides = tuple((n, n) for n in sizes("padding", 0 if padding == "valid" else padding, axes, at_least=0))
    return Window(as_plane(stride, 1), as_plane(sides, (0, 0)), as_plane(dilation, 1))


def count_positions(what: str, window: Window, size: Any, kernel: Any) -> tuple[int, int]:
    """How many positions a kernel has in an image, down and across.

    Raises UserError where it has none.
    """
    positions = window.positions(size, kernel)
    if min(positions) < 1:
        reach = tuple(d * (k - 1) + 1 for d, k in zip(window.dilation, kernel, strict=True))
        raise UserError(
            f"{what} with a window of {reach[0]} by {reach[1]} does not fit into an image of "
            f"{' by '.join(map(str, window.padded(size)))}, its padding included; "
            "use larger images, a smaller window or more padding"
        )
    return positions


def as_images(axes, x):
    """A batch of images, of what may be a single one, or one element high."""
    x = expand_dims(x, axis=0) if x.ndim == axes + 1 else x
    return expand_dims(x, axis=2) if axes == 1 else x


def as_given(axes, x, y):
    """The output in the form that the input had."""
    y = squeeze(y, axis=2) if axes == 1 else y
    return squeeze(y, axis=0) if x.ndim == axes + 1 else y


def padded(x: Any, window: Window, value: float) -> Any:
    """Images with a value around them. Shapes: (n, c, h, w) -> (n, c, h + padding, w + padding)."""
    if not any(map(any, window.padding)):
        return x
    return namespace(x).pad(x, ((0, 0), (0, 0), *window.padding), constant_values=value)
