"""Inputs without targets, for prediction: a CSV table, an array, an image."""

import os
from pathlib import Path

import numpy

from ichikara.errors import UserError

from .files import UNREADABLE, column_of_numbers, is_number, read_lines

__all__ = ["load_inputs"]


def load_inputs(
    path: str | os.PathLike,
    shape: tuple[int, ...],
    *,
    names: tuple[str, ...] | None = None,
    value_range: tuple[float, float] = (0.0, 1.0),
    invert: bool = False,
) -> numpy.ndarray:
    """Read the inputs of a prediction: rows of a CSV, an ``.npy`` array, or one picture.

    Shapes: -> (n, *shape), float32.

    Arguments: ``path``, a file that ends in .csv, .npy, .png or .jpg; ``shape``, that of one example; ``names``, of the
    columns, by which those of a CSV with a header are found; ``value_range``, what black and white are in the training
    data; ``invert``, for a picture whose ink is dark on a light ground.

    Errors: `UserError` for a file that is missing, damaged or of another kind, for NaN or infinity in it, and for
    inputs of another size.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "points.csv")
    ...     _ = path.write_text("0.5,1\\n2,3\\n")
    ...     load_inputs(path, (2,)).tolist()
    [[0.5, 1.0], [2.0, 3.0]]
    """
    path = Path(path)
    readers = {
        ".csv": lambda: _csv(path, shape, names),
        ".npy": lambda: _npy(path),
        **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp", ".gif"), lambda: _picture(path, shape, value_range, invert)),
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"cannot tell what {path} is; inputs are a .csv table, an .npy array or a .png picture")
    if not path.is_file():
        raise UserError(f"cannot read {path}: no such file")
    array = reader()
    size = int(numpy.prod(shape))
    if array.shape == shape:
        array = array[None]
    elif array.shape[1:] != shape:
        if array[:1].size != size:
            raise UserError(f"{path} holds inputs of shape {array.shape[1:]}, and the network needs {shape} for each")
        array = array.reshape(len(array), *shape)
    with numpy.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        floats = numpy.ascontiguousarray(array, dtype="float32")
    finite = numpy.isfinite(floats)
    if not finite.all():
        place = tuple(int(i) for i in numpy.argwhere(~finite)[0])
        raise UserError(
            f"{path} holds {array[place]} at {place} (row, column …, counted from 0), which is no finite number that "
            "float32 can hold"
        )
    return floats


def _csv(path: Path, shape, names) -> numpy.ndarray:
    lines = read_lines(path, ",")
    first = lines[0][1]
    header = any(first) and not any(is_number(cell) for cell in first)
    columns = [f"column {i + 1}" for i in range(len(first))]
    places = list(range(len(first)))
    if header:
        columns, lines = first, lines[1:]
        if names is not None:
            missing = [name for name in names if name not in columns]
            if missing:
                raise UserError(f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(columns)}")
            places = [columns.index(name) for name in names]
    if not lines:
        raise UserError(f"{path} has a header and no lines after it")
    width = int(numpy.prod(shape))
    if len(places) != width:
        raise UserError(f"{path} has {len(places)} columns, and the network needs {width} numbers for each line")
    for line, cells in lines:
        if len(cells) != len(columns):
            raise UserError(f"{path}, line {line}: {len(cells)} cells, where {len(columns)} are expected")
    return numpy.stack([column_of_numbers(path, lines, columns, i) for i in places], axis=1)


def _npy(path: Path) -> numpy.ndarray:
    try:
        with open(path, "rb") as file:
            array = numpy.lib.format.read_array(file, allow_pickle=False)
    except UNREADABLE as error:
        raise UserError(f"cannot read {path}: it is damaged or no array of numbers ({error})") from None
    if array.dtype.kind not in "biuf" or not array.ndim:
        raise UserError(f"{path} holds {array.dtype} of shape {array.shape}; inputs are rows of real numbers")
    return array


def _picture(path: Path, shape, value_range, invert) -> numpy.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            grey = numpy.asarray(picture.convert("L"), dtype="float32") / 255
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise UserError(f"cannot read {path} as a picture: {error}") from None
    height, width = grey.shape
    if len(shape) == 3 and shape[0] == 1:
        wanted = shape[1:]
    else:
        side = round(int(numpy.prod(shape)) ** 0.5)
        wanted = (side, side)
        if side * side != int(numpy.prod(shape)):
            raise UserError(f"the network needs {int(numpy.prod(shape))} numbers, which make no square picture")
    if (height, width) != wanted:
        raise UserError(
            f"{path} is {width}×{height} pixels, and the network was trained on {wanted[1]}×{wanted[0]}; "
            "crop and resize it first"
        )
    low, high = value_range
    return (low + (1 - grey if invert else grey) * (high - low)).reshape(1, *shape)
