"""The cells of a CSV file: its lines, and a column as numbers. Errors name the line and the column."""

import csv
import io
import math
import os
from collections.abc import Sequence

import numpy

from ichikara.errors import UserError, advice, key, setting

from .precision import merged
from .reading import read_text

__all__ = ["Line", "check_lengths", "column_of_numbers", "is_number", "is_whole", "read_lines"]

Line = tuple[int, list[str]]  # its number from 1, and its cells
LARGEST = float(numpy.finfo("float32").max)
MEMORY = 30  # bytes that the cells take for a byte of the file; measured with short numbers
MOST_COLUMNS = 1_000_000


def read_lines(path: str | os.PathLike, delimiter: str) -> list[Line]:
    """The lines that are not blank, each with its number from 1 and its cells, stripped."""
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"\ufeff\0 ':
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
            count = f"{len(cells)} cell{'s'[: len(cells) != 1]}"
            raise UserError(f"{path}, line {line}: {count}, where {width} are expected")


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


def column_of_numbers(
    path: str | os.PathLike, lines: Sequence[Line], column: int, name: str, role: str = ""
) -> numpy.ndarray:
    """A column as float32.

    Arguments: ``column``, its place; ``name``, what messages call it; ``role``, 'input' where it could be the target
    instead.

    Errors: `UserError` for its first cell that is no finite number, and for whole numbers that float32 cannot tell
    apart.
    """
    cells = [row[column] for _, row in lines]
    try:
        exact = numpy.array([float(cell) for cell in cells])
        right = bool((numpy.abs(exact) <= LARGEST).all()) and not any("_" in cell for cell in cells)
    except ValueError:
        right = False
    if not right:
        raise _fault(path, lines, cells, name, role)
    if len(exact) and numpy.abs(exact).max() >= 2**53 and all(len(cell) < 100 and is_whole(cell) for cell in cells):
        exact = numpy.array([int(cell) for cell in cells], object)  # float64 has not every whole number either
    lost = merged(exact)
    if lost is not None:
        first, second = lost
        raise UserError(
            f"{path}, column '{name}': {cells[first]} in line {lines[first][0]} and {cells[second]} in line "
            f"{lines[second][0]} are the same number in float32, in which a network computes; remove the column if it "
            f"only names the lines, or subtract a constant from it"
        )
    return exact.astype("float32")


def _fault(path, lines: Sequence[Line], cells: list[str], name: str, role: str) -> UserError:
    """The error for the first cell that is no finite number."""
    wrong = [row for row, cell in enumerate(cells) if not (is_number(cell) and abs(float(cell)) <= LARGEST)]
    words = [row for row in wrong if cells[row] and not is_number(cells[row])]
    if role == "input" and len(words) > max(1, len(cells) / 2):
        some = ", ".join(f"'{cells[row]}'" for row in words[:2])
        raise UserError(
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
