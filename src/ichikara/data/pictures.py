"""A picture file as the numbers of a network's input. Its header is checked before it is decoded."""

import math
import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy

from ichikara.errors import UserError

from .reading import check_memory, open_file, reason

__all__ = ["SUFFIXES", "read_picture"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF")
ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held
DEPTHS = {
    "I": 65535,
    "I;16": 65535,
    "I;16B": 65535,
    "I;16L": 65535,
}  # the largest number of a pixel, for more than 8 bits


def read_picture(
    path: str | os.PathLike,
    shape: tuple[int, ...],
    value_range: tuple[float, float] = (0.0, 1.0),
    invert: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> numpy.ndarray:
    """Read a picture as one input.

    Shapes: -> (1, *shape), float32. A shape (3, h, w) is of colours; any other takes its shades of grey.

    The picture is turned as its EXIF orientation says, transparent parts become white, and whatever the depth, black
    becomes the first number of ``value_range`` and white the second. Of an animation the first frame is taken.

    Arguments: ``path``; ``shape``, of an input; ``value_range``, what black and white are in the training data;
    ``invert``, for dark ink on a light ground; ``tell``, a function that gets a line for the user about what was done.

    Errors: `UserError` for a file that is no picture or damaged, and, before it is decoded, for one of another size.
    """
    from PIL import Image, ImageOps

    colours = 3 if len(shape) == 3 and shape[0] == 3 else 1
    wanted = _size(shape)
    done: list[str] = []
    with open_file(path) as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of PIL, on damaged EXIF data and on large pictures
                with Image.open(file, formats=FORMATS) as picture:
                    if wanted not in (picture.size, picture.size[::-1]):  # it may lie on its side
                        raise _wrong_size(path, picture.size, wanted)
                    check_memory(path, 16 * math.prod(picture.size))
                    if getattr(picture, "is_animated", False):
                        done.append("its first frame is taken")
                    orientation = picture.getexif().get(ORIENTATION, 1)  # in a PNG it may come after the pixels
                    upright = ImageOps.exif_transpose(picture)
                    if orientation in range(2, 9):
                        done.append("it is turned as its EXIF data say")
                    if upright.size != wanted:
                        raise _wrong_size(path, upright.size, wanted)
                    numbers = _numbers(upright, colours, done)
        except Image.DecompressionBombError as error:
            raise UserError(
                f"{path} is larger than any picture of {wanted[0]}×{wanted[1]} pixels, on which the network was "
                f"trained: {error}"
            ) from None
        except UserError:
            raise
        except Exception as error:  # decoders of damaged files raise whatever they stumble over
            raise UserError(f"cannot read {path} as a picture: {reason(error)}") from None
    if invert:
        numbers = 1 - numbers
    if done:
        tell(f"{path}: {', '.join(done)}")
    low, high = value_range
    return (low + numbers * (high - low)).astype("float32").reshape(1, *shape)


def _wrong_size(path: str | os.PathLike, size: tuple[int, int], wanted: tuple[int, int]) -> UserError:
    return UserError(
        f"{path} is {size[0]}×{size[1]} pixels, and the network was trained on {wanted[0]}×{wanted[1]}; "
        f"crop and resize it first"
    )


def _size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Width and height of the picture that a network needs."""
    if len(shape) == 3 and shape[0] in (1, 3):
        return shape[2], shape[1]
    if len(shape) == 2 and shape[0] > 1:
        return shape[1], shape[0]
    count = math.prod(shape)
    side = math.isqrt(count)
    if side * side != count:
        raise UserError(f"the network needs {count} numbers, which make no square picture")
    return side, side


def _numbers(picture: Any, colours: int, done: list[str]) -> numpy.ndarray:
    """The pixels from 0 to 1. Shapes: -> (h, w), or (3, h, w) in colours."""
    from PIL import Image

    mode = picture.mode
    if mode in DEPTHS:
        done.append("its 16 bits are scaled")
        pixels = numpy.asarray(picture).astype("int64")
        grey = (pixels / DEPTHS[mode]).astype("float32")
        transparent = picture.info.get("transparency")
        if isinstance(transparent, int):
            grey = numpy.where(pixels == transparent, numpy.float32(1), grey)
            done.append("transparent parts become white")
        return grey if colours == 1 else numpy.stack([grey] * colours)
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        if picture.getchannel("A").getextrema()[0] < 255:
            done.append("transparent parts become white")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    elif mode not in ("1", "L", "RGB"):  # a palette, or the colours of a printer
        picture = picture.convert("RGB")
    if colours == 1:
        if _coloured(picture):
            done.append("its colours become shades of grey")
        return numpy.asarray(picture.convert("L"), dtype="float32") / 255
    return numpy.asarray(picture.convert("RGB"), dtype="float32").transpose(2, 0, 1) / 255


def _coloured(picture: Any) -> bool:
    """Whether a pixel has a colour other than grey."""
    if picture.mode not in ("RGB", "RGBA"):
        return False
    red, green, blue = (numpy.asarray(picture.getchannel(name)) for name in "RGB")
    return bool((red != green).any() or (green != blue).any())
