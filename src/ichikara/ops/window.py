"""The arguments of what moves a window over an image (convolution, pooling), checked and in one form."""

import operator
from typing import Any

from ..arrays import Window
from ..errors import UserError
from .shape import expand_dims, squeeze

__all__ = ["as_given", "as_images", "as_plane", "count_positions", "make_window", "sizes"]


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
