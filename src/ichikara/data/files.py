"""The user's files: CSV tables and `.npz` files. Errors name the line and the column."""

import csv
import math
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from ichikara.checks import yes_or_no
from ichikara.errors import UserError, choose

from .dataset import Dataset

__all__ = ["load_csv", "load_npz"]

MOST_CLASSES = 20  # whole numbers of more different values than this are taken for a regression
LARGEST = float(numpy.finfo("float32").max)
INPUTS, TARGETS = ("inputs", "x", "X"), ("targets", "y")
UNREADABLE = (OSError, EOFError, ValueError, KeyError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error)
GUESS = {"classification": None, "regression": None}


def load_csv(
    path: str | os.PathLike,
    target: str | int | None = None,
    *,
    header: bool | None = None,
    task: str | None = None,
    delimiter: str = ",",
) -> Dataset:
    """Read a table: one example in a line, numbers in the columns, and one column to be predicted.

    Shapes: inputs (lines, columns − 1); targets (lines,) for classes, (lines, 1) for quantities.

    Arguments: ``path``, a file in UTF-8; ``target``, the column to be predicted, by name or by place from 0, by default
    the last; ``header``, whether the first line holds names, by default if none of its cells is a number; ``task``,
    'classification' or 'regression', by default the first if the targets are words, or whole numbers of at most 20
    different values that occur twice on average; ``delimiter``, the character between cells.

    Errors: `UserError` with file, line and column for an empty cell, a cell that is not a finite number, a line of
    another length; for a missing file or an unknown column.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flowers.csv")
    ...     _ = path.write_text("petal,kind\\n1.4,setosa\\n5.1,virginica\\n")
    ...     data = load_csv(path)
    >>> data.classes, data.input_names, data.targets.tolist()
    (('setosa', 'virginica'), ('petal',), [0, 1])
    """
    path = Path(path)
    lines = read_lines(path, delimiter)
    if header is None:
        header = any(lines[0][1]) and not any(is_number(cell) for cell in lines[0][1])
    names = _column_names(path, lines[0][1], yes_or_no("header", header))
    lines = lines[1:] if header else lines
    if not lines:
        raise UserError(f"{path} has a header and no lines after it")
    for line, cells in lines:
        if len(cells) != len(names):
            raise UserError(f"{path}, line {line}: {len(cells)} cells, where {len(names)} are expected")
    if len(names) < 2:
        raise UserError(
            f"{path} has a single column; one for inputs and one for the target are needed. "
            f"If the delimiter is not {delimiter!r}, give it: delimiter=';'"
        )
    at = _target_column(path, target, names)
    columns = [i for i in range(len(names)) if i != at]
    inputs = numpy.stack([column_of_numbers(path, lines, names, i) for i in columns], axis=1)
    words = [cells[at] for _, cells in lines]
    classes: tuple[str, ...] | None = None
    if _csv_task(path, lines, names[at], words, task) == "classification":
        targets, classes = _classes(words)
    else:
        targets = column_of_numbers(path, lines, names, at)[:, None]
    return Dataset(inputs, targets, path.stem, classes, tuple(names[i] for i in columns), f"the file {path.name}")


def load_npz(path: str | os.PathLike, *, task: str | None = None) -> Dataset:
    """Read an ``.npz`` file's inputs (the array ``inputs``, ``x`` or ``X``) and targets (``targets`` or ``y``).

    Shapes: inputs (n, *); targets (n, *), where quantities of shape (n,) become (n, 1).

    Arguments: ``path``, a file that ``numpy.savez`` wrote; ``task``, 'classification' or 'regression', by default the
    second if the targets are fractional numbers. An array ``classes`` may hold the names that the targets count from 0;
    without it the classes are the different targets.

    Errors: `UserError` if the file is missing, damaged, lacks such arrays, or holds Python objects: they are never
    read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "mine.npz")
    ...     numpy.savez(path, x=numpy.ones((4, 3)), y=numpy.array(["no", "yes", "no", "no"]))
    ...     data = load_npz(path)
    >>> data.classes, data.targets.tolist()
    (('no', 'yes'), [0, 1, 0, 0])
    """
    path = Path(path)
    if task is not None:
        choose("task", task, GUESS)
    arrays = _read_npz(path)
    inputs, targets = _named(path, arrays, "inputs", INPUTS), _named(path, arrays, "targets", TARGETS)
    names = arrays.get("classes")
    words = targets.dtype.kind in "US"
    if task is None:
        task = "regression" if targets.dtype.kind == "f" and names is None else "classification"
    if task == "regression":
        if words:
            raise UserError(f"{path}: the targets are words, which task='regression' cannot predict")
        targets = targets[:, None] if targets.ndim == 1 else targets
        return Dataset(inputs, targets, path.stem, None, None, f"the file {path.name}")
    if names is not None and not words:
        classes = tuple(map(str, numpy.ravel(names)))
    else:
        if targets.dtype.kind == "f" and not numpy.isfinite(targets).all():
            raise UserError(f"{path}: the targets hold NaN or infinity; a class has to be known")
        found, targets = numpy.unique(targets, return_inverse=True)
        classes = tuple(
            str(value.item().decode("utf-8", "replace") if found.dtype.kind == "S" else value) for value in found
        )
    return Dataset(inputs, targets, path.stem, classes, None, f"the file {path.name}")


def read_lines(path: Path, delimiter: str) -> list[tuple[int, list[str]]]:
    """The lines that are not blank, each with its number from 1 and its cells, stripped."""
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"':
        raise UserError(f"delimiter is a single character, not {delimiter!r}")
    try:
        # utf-8-sig: spreadsheets put an invisible mark before the first cell.
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            lines = [
                (reader.line_num, [cell.strip() for cell in cells])
                for cells in reader
                if len(cells) > 1 or any(map(str.strip, cells))
            ]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not a text in UTF-8 ({error.reason} at byte {error.start}); save it as CSV in UTF-8"
        ) from None
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}") from None
    if not lines:
        raise UserError(f"{path} is empty")
    return lines


def _column_names(path: Path, first: list[str], header: bool) -> list[str]:
    """The names in the first line if it is a header; a column without one is called by its place."""
    names = [(name if header else "") or f"column {i + 1}" for i, name in enumerate(first)]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise UserError(f"{path}: two columns are called '{twice}'; give them different names")
    return names


def _target_column(path: Path, target: str | int | None, names: list[str]) -> int:
    if target is None:
        return len(names) - 1
    if isinstance(target, int) and not isinstance(target, bool):
        if not -len(names) <= target < len(names):
            raise UserError(f"{path} has {len(names)} columns, from 0 to {len(names) - 1}; there is no column {target}")
        return target % len(names)
    return choose(f"column of {path}", target, {name: i for i, name in enumerate(names)})


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # Python reads 1_000 as a number, no table does


def column_of_numbers(
    path: Path, lines: Sequence[tuple[int, list[str]]], names: list[str], column: int
) -> numpy.ndarray:
    """A column as float32, or an error for its first cell that is no finite number."""
    values = numpy.empty(len(lines), "float32")
    for row, (line, cells) in enumerate(lines):
        cell = cells[column]
        value = float(cell) if is_number(cell) else math.nan
        if not abs(value) <= LARGEST:  # so written, NaN is caught as well
            hint = "; if this line holds the columns' names, pass header=True" if line == lines[0][0] == 1 else ""
            raise UserError(
                f"{path}, line {line}, column '{names[column]}': {_fault(cell)}; "
                f"fill in a finite number or remove the line{hint}"
            )
        values[row] = value
    return values


def _fault(cell: str) -> str:
    if not cell:
        return "the cell is empty"
    if not is_number(cell):
        return f"'{cell}' is not a number"
    return (
        f"'{cell}' is not a finite number" if not math.isfinite(float(cell)) else f"'{cell}' is too large for float32"
    )


def _csv_task(path: Path, lines, name: str, words: list[str], task: str | None) -> str:
    """The task of the target column, as requested or as its cells suggest."""
    if task is not None:
        choose("task", task, GUESS)
    if task == "regression":
        return task
    numeric = [is_number(word) for word in words]
    empty = words.index("") if "" in words else None
    if empty is not None:
        raise UserError(
            f"{path}, line {lines[empty][0]}, column '{name}': the cell is empty; fill it in or remove the line"
        )
    if task is not None:
        return task
    if any(numeric) and not all(numeric):
        # A single typo must not turn a column of quantities into a thousand classes.
        number, word = numeric.index(True), numeric.index(False)
        raise UserError(
            f"{path}, column '{name}': line {lines[number][0]} holds the number '{words[number]}', "
            f"line {lines[word][0]} the word '{words[word]}'; correct one of them, or pass task='classification' if "
            f"both are classes"
        )
    if not all(numeric):
        return "classification"
    kinds = set(words)
    whole = all(word.lstrip("+-").isdecimal() for word in kinds)
    return "classification" if whole and len(kinds) <= min(MOST_CLASSES, len(words) / 2) else "regression"


def _classes(words: list[str]) -> tuple[numpy.ndarray, tuple[str, ...]]:
    """Class numbers and class names, the names in the order of their numbers if they are numbers, else alphabetical."""
    kinds = set(words)
    ordered = sorted(kinds, key=lambda word: (float(word), word)) if all(map(is_number, kinds)) else sorted(kinds)
    place = {word: i for i, word in enumerate(ordered)}
    return numpy.array([place[word] for word in words], "int64"), tuple(ordered)


def _read_npz(path: Path) -> dict[str, numpy.ndarray]:
    """All arrays of the file; never a pickle, which could run arbitrary code."""
    try:
        with open(path, "rb") as opened:
            content: Any = numpy.load(opened, allow_pickle=False)
            if not isinstance(content, numpy.ndarray):
                with content:
                    arrays = {name: content[name] for name in content.files}
                return {name: array for name, array in arrays.items() if isinstance(array, numpy.ndarray)}
    except FileNotFoundError:
        raise UserError(f"cannot read {path}: no such file") from None
    except UNREADABLE as error:
        raise UserError(
            f"cannot read {path}: it is damaged, or holds something else than arrays of numbers or words "
            f"({getattr(error, 'strerror', None) or error})"
        ) from None
    raise UserError(f"{path} holds a single array; save inputs and targets with numpy.savez(path, x=…, y=…)")


def _named(path: Path, arrays: dict[str, numpy.ndarray], role: str, names: tuple[str, ...]) -> numpy.ndarray:
    found = [name for name in names if name in arrays]
    if len(found) != 1:
        problem = f"several arrays of {role}: {', '.join(found)}" if found else f"no array of {role}"
        content = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
        raise UserError(f"{path} has {problem}; call one of them {' or '.join(names)}. The file holds: {content}")
    if arrays[found[0]].ndim == 0:
        raise UserError(f"{path}: '{found[0]}' is a single value; its first axis must count the examples")
    return arrays[found[0]]
