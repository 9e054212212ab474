"""The user's files: CSV tables and `.npz` files. Errors name the line and the column."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy

from ichikara.checks import yes_or_no
from ichikara.errors import UserError, choose, key, listed, setting

from .cells import Line, check_lengths, columns_of_numbers, is_number, is_whole, read_lines
from .dataset import Dataset
from .header import has_header
from .numpy_files import read_npz
from .table import Column, Table

__all__ = ["load_csv", "load_npz"]

MOST_CLASSES = 20  # whole numbers of more different values than this are taken for a regression
INPUTS, TARGETS = ("inputs", "x", "X"), ("targets", "y")
TASKS = {"classification": None, "regression": None}


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
    the last; ``header``, whether the first line holds names, by default if none of its cells is a number, or if every
    cell is of another kind than those below it (see docs/recipes.md); ``task``, 'classification' or 'regression', by
    default the first if the targets are words, or whole numbers of at most 20 different values that occur twice on
    average; ``delimiter``, the character between cells. What was decided is the ``table`` of the result.

    Errors: `UserError` with file, line and column for an empty cell, a cell that is not a finite number, a line of
    another length, numbers that float32 cannot tell apart; for a missing file or an unknown column; for a first line
    that can be names or an example; for a single class.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flowers.csv")
    ...     _ = path.write_text("petal,kind\\n1.4,setosa\\n5.1,virginica\\n")
    ...     data = load_csv(path)
    >>> data.classes, data.input_names, data.targets.tolist()
    (('setosa', 'virginica'), ('petal',), [0, 1])
    """
    path = Path(path)
    if task is not None:
        choose(key("task"), task, TASKS)
    lines = read_lines(path, delimiter)
    header = has_header(path, lines) if header is None else yes_or_no("header", header)
    names = _column_names(path, lines[0][1], header)
    lines = lines[1:] if header else lines
    if not lines:
        raise UserError(f"{path} has a header and no lines after it")
    check_lengths(path, lines, len(names))
    if len(names) < 2:
        raise UserError(
            f"{path} has a single column; one for inputs and one for the target are needed. "
            f"If the delimiter is not {delimiter!r}, give it: {setting('delimiter', ';')}"
        )
    at = _target_column(path, target, names)
    words = [cells[at] for _, cells in lines]
    classes: tuple[str, ...] | None = None
    if _csv_task(path, lines, names[at], words, task) == "classification":
        targets, classes = _classes(words)
        if len(classes) < 2:
            raise UserError(
                f"{path}, column '{names[at]}': every line has the class '{classes[0]}', and a classification needs "
                f"two; if another column is to be predicted, name it: {setting('target', names[at - 1])}"
            )
    else:
        targets = columns_of_numbers(path, lines, [(at, names[at])])
    columns = tuple(
        Column(name, "class" if i == at and classes else "number", classes if i == at else None)
        for i, name in enumerate(names)
    )
    table = Table(columns, names[at], header, delimiter)
    inputs = columns_of_numbers(path, lines, [(i, name) for i, name in enumerate(names) if i != at], "input")
    return Dataset(
        inputs,
        targets,
        path.stem,
        classes,
        tuple(column.name for column in table.inputs),
        f"the file {path.name}",
        table=table,
    )


def load_npz(path: str | os.PathLike, *, task: str | None = None) -> Dataset:
    """Read an ``.npz`` file's inputs (the array ``inputs``, ``x`` or ``X``) and targets (``targets`` or ``y``).

    Shapes: inputs (n, *); targets (n,) or (n, 1) for classes, (n, *) for quantities, where (n,) becomes (n, 1).

    Arguments: ``path``, a file that ``numpy.savez`` wrote; ``task``, 'classification' or 'regression', by default the
    second if the targets are fractional numbers. An array ``classes`` may hold the names that the targets count from 0;
    without it the classes are the different targets. Other arrays are not read.

    Errors: `UserError` if the file is missing, damaged, larger than the memory, lacks such arrays, or holds Python
    objects: they are never read; for targets that do not name one class for each example, and for a single class.

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
        choose(key("task"), task, TASKS)
    arrays, contents = read_npz(path, {*INPUTS, *TARGETS, "classes"})
    inputs, targets = (_named(path, arrays, contents, *role) for role in (("inputs", INPUTS), ("targets", TARGETS)))
    names = arrays.get("classes")
    words = targets.dtype.kind in "US"
    if task is None:
        task = "regression" if targets.dtype.kind == "f" and names is None else "classification"
    if task == "regression":
        if words:
            raise UserError(f"{path}: the targets are words, which {setting('task', 'regression')} cannot predict")
        targets = targets[:, None] if targets.ndim == 1 else targets
        return Dataset(inputs, targets, path.stem, None, None, f"the file {path.name}")
    if targets.ndim > 1 and targets.shape != (len(targets), 1):
        raise UserError(
            f"{path}: the targets have the shape {targets.shape}, and a classification has one class for each example, "
            f"(n,). If each row marks its class by a 1, save y.argmax(axis=1); if they are quantities: "
            f"{setting('task', 'regression')}"
        )
    targets = targets.reshape(-1)
    if names is not None and not words:
        classes = _texts(numpy.ravel(names))
    else:
        if targets.dtype.kind == "f" and not numpy.isfinite(targets).all():
            raise UserError(f"{path}: the targets hold NaN or infinity; a class has to be known")
        found, targets = numpy.unique(targets, return_inverse=True)
        classes = _texts(found)
    if len(classes) < 2 and len(targets):
        raise UserError(
            f"{path}: every example has the class '{listed(classes) or 'none'}', and a classification needs two; "
            f"if the targets are quantities: {setting('task', 'regression')}"
        )
    return Dataset(inputs, targets, path.stem, classes, None, f"the file {path.name}")


def _column_names(path: Path, first: Sequence[str], header: bool) -> list[str]:
    """The names in the first line if it is a header; a column without one is called by its place."""
    names = [(name if header else "") or f"column {i + 1}" for i, name in enumerate(first)]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UserError(f"{path}: two columns are called '{name}'; give them different names")
        seen.add(name)
    return names


def _target_column(path: Path, target: str | int | None, names: list[str]) -> int:
    if target is None:
        return len(names) - 1
    if isinstance(target, int) and not isinstance(target, bool):
        if not -len(names) <= target < len(names):
            raise UserError(f"{path} has {len(names)} columns, from 0 to {len(names) - 1}; there is no column {target}")
        return target % len(names)
    return choose(f"column of {path}", target, {name: i for i, name in enumerate(names)})


def _csv_task(path: Path, lines: Sequence[Line], name: str, words: list[str], task: str | None) -> str:
    """The task of the target column, as requested or as its cells suggest."""
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
            f"line {lines[word][0]} the word '{words[word]}'; correct one of them, or, if both are classes, give "
            f"{setting('task', 'classification')}"
        )
    if not all(numeric):
        return "classification"
    kinds = set(words)
    return (
        "classification"
        if all(map(is_whole, kinds)) and len(kinds) <= min(MOST_CLASSES, len(words) / 2)
        else "regression"
    )


def _classes(words: list[str]) -> tuple[numpy.ndarray, tuple[str, ...]]:
    """Class numbers and class names, the names in the order of their numbers if they are numbers, else alphabetical."""
    kinds = set(words)
    ordered = sorted(kinds, key=lambda word: (float(word), word)) if all(map(is_number, kinds)) else sorted(kinds)
    place = {word: i for i, word in enumerate(ordered)}
    return numpy.array([place[word] for word in words], "int64"), tuple(ordered)


def _texts(values: numpy.ndarray) -> tuple[str, ...]:
    """Names of classes, from an array of words or numbers."""
    return tuple(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values)


def _named(path: Path, arrays: dict[str, numpy.ndarray], contents, role: str, names: tuple[str, ...]) -> numpy.ndarray:
    found = [name for name in names if name in arrays]
    if len(found) != 1:
        problem = f"several arrays of {role}: {', '.join(found)}" if found else f"no array of {role}"
        raise UserError(
            f"{path} has {problem}; call one of them {' or '.join(names)}. "
            f"The file holds: {listed(contents.values()) or 'nothing'}"
        )
    array = arrays[found[0]]
    if array.ndim == 0:
        raise UserError(f"{path}: '{found[0]}' is a single value; its first axis must count the examples")
    if not array.size:
        raise UserError(f"{path}: '{found[0]}' has the shape {array.shape}, which holds no examples")
    return array
