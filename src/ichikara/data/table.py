"""The schema of a table: what its columns are called, what kind each is, and how the file is written.

Whatever reads a table first decides these, and then reads by them. They are kept with a run, so that a prediction reads
its file as the training read its own.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy

from ichikara.errors import UserError, listed, plural

from .cells import Line, check_lengths, columns_of_numbers, is_number, read_lines

__all__ = ["Column", "Table"]


@dataclass(frozen=True)
class Column:
    """A column: its name, and its kind: 'number', or 'class' with the names of the classes in order."""

    name: str
    kind: Literal["number", "class"] = "number"
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Table:
    """The schema of a table.

    Arguments: ``columns``, in the order of the file; ``target``, the name of the one to be predicted, None for a table
    of inputs only; ``header``, whether the first line holds the names, None if that is not known; ``delimiter``, the
    character between cells.

    >>> table = Table((Column("dose"), Column("effect")), target="effect", header=True)
    >>> table.task, [column.name for column in table.inputs]
    ('regression', ['dose'])
    >>> Table.from_dict(table.to_dict()) == table
    True
    """

    columns: tuple[Column, ...]
    target: str | None = None
    header: bool | None = None
    delimiter: str = ","

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that a network is given, in the order of training."""
        return tuple(column for column in self.columns if column.name != self.target)

    @property
    def target_column(self) -> Column | None:
        """The column to be predicted."""
        return next((column for column in self.columns if column.name == self.target), None)

    @property
    def task(self) -> str:
        """'classification' or 'regression'."""
        column = self.target_column
        return "classification" if column is not None and column.kind == "class" else "regression"

    def to_dict(self) -> dict[str, Any]:
        """The schema in values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Any) -> "Table":
        """The schema that `to_dict` gave, through JSON or not.

        Errors: `UserError` for anything else.
        """
        try:
            columns = tuple(
                Column(column["name"], column["kind"], None if column["classes"] is None else tuple(column["classes"]))
                for column in content["columns"]
            )
            table = cls(columns, content["target"], content["header"], content["delimiter"])
        except (TypeError, KeyError):
            raise UserError("the schema of the table is damaged; train again") from None
        names = [column.name for column in table.columns]
        texts = [*names, *(name for column in table.columns for name in column.classes or ()), table.delimiter]
        right = (
            all(isinstance(text, str) for text in texts)
            and all(column.kind in ("number", "class") for column in table.columns)
            and len(set(names)) == len(names) > 0
            and (table.target is None or table.target in names)
            and table.header in (True, False, None)
        )
        if not right:
            raise UserError("the schema of the table is damaged; train again")
        return table

    def differences(self, other: "Table | None") -> list[str]:
        """In words, how another schema differs from this one; empty if it does not."""
        if other is None:
            return ["it is no table"]
        found = []
        mine, others = ([column.name for column in table.columns] for table in (self, other))
        if mine != others:
            missing, more = ([n for n in a if n not in set(b)] for a, b in ((mine, others), (others, mine)))
            changes = [f"{what} {listed(names, 5)}" for what, names in (("without", missing), ("with", more)) if names]
            found.append(f"its columns are others ({', '.join(changes) or 'in another order'})")
        if self.target != other.target:
            found.append(f"the target is '{other.target}', not '{self.target}'")
        elif self.target_column != other.target_column and self.target in others:
            theirs = other.target_column
            names = "no classes" if theirs is None or theirs.classes is None else listed(theirs.classes, 5)
            found.append(f"the target has other classes: {names}")
        if (self.header, self.delimiter) != (other.header, other.delimiter):
            found.append("the header or the delimiter is another")
        return found

    def read_inputs(self, path: str | os.PathLike, tell: Callable[[str], None] = lambda line: None) -> numpy.ndarray:
        """The input columns of a file, in the order of training.

        Shapes: -> (lines, input columns), float32.

        Columns are found by their names, whatever their order; others, the target among them, are ignored. A file
        without a header is read by place if it has as many columns as there are inputs, or as the training's file.

        Arguments: ``path``; ``tell``, a function that gets a line for the user if something was assumed.

        Errors: `UserError` for a missing column, by name, and for a cell that is no number, by line and column.
        """
        lines = read_lines(path, self.delimiter)
        places = self._places(path, lines, tell)
        width = len(lines[0][1])
        if self._named(lines[0][1]):
            lines = lines[1:]
        if not lines:
            raise UserError(f"{path} has a header and no lines after it")
        check_lengths(path, lines, width)
        names = [column.name for column in self.inputs]
        return columns_of_numbers(path, lines, list(zip(places, names, strict=True)))

    def _named(self, first: Sequence[str]) -> bool:
        """Whether the first line of a file holds names: one of the table's, or no number."""
        if self.header is not False and not {column.name for column in self.columns}.isdisjoint(first):
            return True
        return any(first) and not any(map(is_number, first))

    def _places(self, path, lines: Sequence[Line], tell) -> list[int]:
        """Where the input columns stand in the lines of a file."""
        first, names = lines[0][1], [column.name for column in self.inputs]
        places: dict[str, int] = {}
        twice = set()
        for i, name in enumerate(first):
            if name in places:
                twice.add(name)
            places.setdefault(name, i)
        named = self._named(first)
        if named and self.header is not False:
            missing = [name for name in names if name not in places]
            if missing:
                raise UserError(
                    f"{path} lacks the columns {listed(missing, 10)}; it has {listed(first, 10)}"
                    + (f", separated by {self.delimiter!r}" if len(first) == 1 else "")
                )
            wrong = next((name for name in names if name in twice), None)
            if wrong is not None:
                raise UserError(f"{path}: two columns are called '{wrong}'; give them different names")
            return [places[name] for name in names]
        if self.header and any(map(is_number, names)):
            raise UserError(
                f"{path}: the first line has none of the columns {listed(names, 10)}; write their names there, since "
                f"some of them are numbers and an example could be taken for them"
            )
        columns = names
        if len(first) != len(names):
            columns = [column.name for column in self.columns]
        if len(first) != len(columns):
            raise UserError(
                f"{path} has {plural(len(first), 'column')} separated by {self.delimiter!r}, and the "
                f"network needs {len(names)}" + (f": {listed(names, 10)}" if self.header else " numbers for each line")
            )
        if self.header:
            tell(f"{path} has no header; its columns are taken in this order: {listed(columns, 10)}")
        at = {name: i for i, name in enumerate(columns)}
        return [at[name] for name in names]
