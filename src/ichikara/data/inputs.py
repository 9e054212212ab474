"""Inputs without targets, for prediction: a CSV table, an array, an image."""

import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy

from ichikara.errors import UserError

from .numpy_files import read_npy
from .pictures import SUFFIXES, read_picture
from .reading import open_file
from .table import Column, Table

__all__ = ["load_inputs"]

TABLES = (".csv", ".tsv")


def load_inputs(
    path: str | os.PathLike,
    shape: tuple[int, ...],
    *,
    table: Table | None = None,
    value_range: tuple[float, float] = (0.0, 1.0),
    invert: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> numpy.ndarray:
    """Read the inputs of a prediction: rows of a table, an ``.npy`` array, or one picture.

    Shapes: -> (n, *shape), float32.

    Arguments: ``path``, a file that ends in .csv, .npy, .png or .jpg; ``shape``, that of one example; ``table``, the
    schema of the training's table, by which another is read; ``value_range``, what black and white are in the training
    data; ``invert``, for a picture whose ink is dark on a light ground; ``tell``, a function that gets a line for the
    user about what was assumed or done.

    Errors: `UserError` for a file that is missing, damaged or of another kind, for NaN or infinity in it, and for
    inputs of another size.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "points.csv")
    ...     _ = path.write_text("0.5,1\\n2,3\\n")
    ...     load_inputs(path, (2,)).tolist()
    [[0.5, 1.0], [2.0, 3.0]]
    """
    path, size = Path(path), math.prod(shape)
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        array = read_picture(path, shape, value_range, invert, tell)
    elif suffix == ".npy":
        array = read_npy(path)
        if array.dtype.kind not in "biuf" or not array.ndim:
            raise UserError(f"{path} holds {array.dtype} of shape {array.shape}; inputs are rows of real numbers")
    elif suffix in TABLES or (table is not None and table.target is not None):
        if table is None:
            table = Table(tuple(Column(f"column {i + 1}") for i in range(size)), header=False)
        if suffix == ".tsv" and table.target is None:
            table = replace(table, delimiter="\t")
        array = table.read_inputs(path, tell)
    else:
        open_file(path).close()  # a missing file is the first thing to say
        raise UserError(f"cannot tell what {path} is; inputs are a .csv table, an .npy array or a .png picture")
    if array.shape == shape:
        array = array[None]
    elif array.shape[1:] != shape:
        if not len(array) or array[:1].size != size:
            raise UserError(f"{path} holds inputs of shape {array.shape[1:]}, and the network needs {shape} for each")
        array = array.reshape(len(array), *shape)
    if not len(array):
        raise UserError(f"{path} holds no inputs")
    with numpy.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        floats = numpy.ascontiguousarray(array, dtype="float32")
    finite = numpy.isfinite(floats)
    if not finite.all():
        place = tuple(int(i) for i in numpy.argwhere(~finite)[0])
        raise UserError(
            f"{path} holds {array[place]} at {place} (row, column …, counted from 0), which is no finite number that "
            f"float32 can hold"
        )
    return floats
