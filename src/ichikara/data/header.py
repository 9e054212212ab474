"""Whether the first line of a table holds the names of its columns."""

import os
from collections.abc import Sequence
from itertools import pairwise

from ichikara.errors import UserError, listed, setting

from .cells import Line, is_number

__all__ = ["has_header"]

GAPS = {"", "?", "-", "na", "n/a", "nan", "null", "none"}  # words that stand for a missing number
COUNTED = 5  # so many columns called by successive numbers are no coincidence


def has_header(path: str | os.PathLike, lines: Sequence[Line]) -> bool:
    """Whether the first line is a header.

    It is one if none of its cells is a number. With numbers in it, such as ``2019,2020,kind``, it is one if these are
    whole, no cell stands there twice, and every cell is of another kind than its column: a word over numbers, a whole
    number over fractions, a value that occurs in no other line over values that repeat. A line of numbers only has to
    count up as well (``0,1,2``, as pandas writes); from five columns on counting up is enough.

    Errors: `UserError` if it could be either.
    """
    first = lines[0][1]
    below = [cells for _, cells in lines[1:] if len(cells) == len(first)]
    numbers = [cell for cell in first if is_number(cell)]
    if not numbers:
        return any(first)
    if not below or not all(cell.isdecimal() for cell in numbers) or len(set(first)) < len(first):
        return False
    words = len(numbers) < len(first)
    differs = [_differs(cell, [cells[i] for cells in below]) for i, cell in enumerate(first)]
    names = any(differs[i] for i, cell in enumerate(first) if not is_number(cell))
    counts = _counts(numbers) and not _counts(below[0])
    if all(differs) and (words or (counts and len(first) > 2)):
        return True
    if counts and len(numbers) >= COUNTED and any(differs) and names == words:
        return True
    if names or (not words and (all(differs) or (counts and len(first) > 2 and any(differs)))):
        raise UserError(
            f"{path}: the first line ({listed(first, 6)}) can hold the names of the columns or an example; say which "
            f"by {setting('header', True)} (names) or {setting('header', False)} (an example)"
        )
    return False


def _differs(cell: str, column: list[str]) -> bool:
    """Whether the first cell of a column is of another kind than those below it."""
    if cell.lower() in GAPS:
        return False
    if is_number(cell):
        fractions = sum(is_number(other) and not other.isdecimal() for other in column)
        if fractions > len(column) / 2:
            return True
    elif all(map(is_number, column)):
        return True
    values = set(column)
    return cell not in values and len(values) <= len(column) / 2


def _counts(cells: list[str]) -> bool:
    """Whether these are whole numbers, each the one before plus one."""
    if not all(cell.isdecimal() and len(cell) < 18 for cell in cells):
        return False
    return all(int(b) == int(a) + 1 for a, b in pairwise(cells))
