"""The cells of a CSV file: its lines, and a column as numbers. Errors name the line and the column."""

import csv
import io
import math
import os
from collections.abc import Sequence

import numpy

from ichikara.errors import UserError, advice, key, plural, setting

from .precision import can_merge, merged
from .reading import read_text

__all__ = ["Line", "check_lengths", "columns_of_numbers", "is_number", "is_whole", "read_lines"]

Line = tuple[int, list[str]]  # its number from 1, and its cells
LARGEST = float(numpy.finfo("float32").max)
MEMORY = 30  # bytes that the cells take for a byte of the file; measured with short numbers
MOST_COLUMNS = 1_000_000


def read_lines(path: str | os.PathLike, delimiter: str) -> list[Line]:
    """The lines that are not blank, each with its number from 1 and its cells, stripped."""
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"\ufeff\0':
        raise UserError(f"{key('delimiter')} is a single character, not {delimiter!r}")
    text = read_text(path, MEMORY)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[Line] = []
    try:
        for cells in reader:
            if len(cells) > MOST_COLUMNS:
                raise UserError(f"{path}, line {reader.line_num}: {len(cells):,} cells; a table has columns and lines")
            if len(cells) > 1 or any(map(str.strip, cells)):
                lines.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}") from None
    if not lines:
        raise UserError(f"{path} is empty")
    return lines


def check_lengths(path: str | os.PathLike, lines: Sequence[Line], width: int) -> None:
    """Refuse a line with more cells than there are columns, or fewer."""
    for line, cells in lines:
        if len(cells) != width:
            raise UserError(f"{path}, line {line}: {plural(len(cells), 'cell')}, where {width} are expected")


def is_number(cell: str) -> bool:
    """Whether a cell is a number as tables write it."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # Python reads 1_000 as a number, no table does


def is_whole(cell: str) -> bool:
    """Whether a cell is a whole number, written without a point."""
    return cell[cell[:1] in ("+", "-") :].isdecimal()


def columns_of_numbers(
    path: str | os.PathLike, lines: Sequence[Line], columns: Sequence[tuple[int, str]], role: str = ""
) -> numpy.ndarray:
    """Columns as float32. Shapes: -> (lines, columns).

    Arguments: ``columns``, the place of each and what messages call it; ``role``, 'input' where a column could be the
    target instead.

    Errors: `UserError` for the first cell that is no finite number, and for numbers that float32 cannot tell apart.
    """
    places = [at for at, _ in columns]
    try:
        exact = numpy.array([[float(cells[at]) for at in places] for _, cells in lines])
        right = bool((numpy.abs(exact) <= LARGEST).all()) and not any(
            "_" in cells[at] for _, cells in lines for at in places
        )
    except ValueError:
        right = False
    if not right:
        raise _fault(path, lines, columns, role)
    for i in can_merge(exact):
        at, name = columns[i]
        cells = [row[at] for _, row in lines]
        values = exact[:, i]
        if numpy.abs(values).max() >= 2**53 and all(len(cell) < 100 and is_whole(cell) for cell in cells):
            values = numpy.array([int(cell) for cell in cells], object)  # float64 has not every whole number either
        lost = merged(values)
        if lost is not None:
            (line, cell), (other, twin) = ((lines[row][0], cells[row]) for row in lost)
            raise UserError(
                f"{path}, column '{name}': {cell} in line {line} and {twin} in line {other} are the same number in "
                f"float32, in which a network computes; remove the column if it only names the lines, or subtract a "
                f"constant from it"
            )
    return exact.astype("float32")


def _fault(path, lines: Sequence[Line], columns: Sequence[tuple[int, str]], role: str) -> UserError:
    """The error for the first cell, column by column, that is no finite number."""
    fits = lambda cell: is_number(cell) and abs(float(cell)) <= LARGEST
    at, name = next((at, name) for at, name in columns if not all(fits(cells[at]) for _, cells in lines))
    cells = [row[at] for _, row in lines]
    wrong = [row for row, cell in enumerate(cells) if not fits(cell)]
    words = [row for row in wrong if cells[row] and not is_number(cells[row])]
    if role == "input" and len(words) > max(1, len(cells) / 2):
        some = ", ".join(f"'{cells[row]}'" for row in words[:2])
        return UserError(
            f"{path}: the column '{name}' holds words ({some}, …), and what a network is given are numbers; "
            f"{advice('remove the column', 'write numbers in their place')}. To predict it: {setting('target', name)}"
        )
    line, cell = lines[wrong[0]][0], cells[wrong[0]]
    if not cell:
        what = "the cell is empty"
    elif not is_number(cell):
        what = f"'{cell}' is not a number"
    elif not math.isfinite(float(cell)):
        what = f"'{cell}' is not a finite number"
    else:
        what = f"'{cell}' is too large for float32"
    return UserError(f"{path}, line {line}, column '{name}': {what}; fill in a finite number or remove the line")
