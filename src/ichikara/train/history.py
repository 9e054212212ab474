"""What happened in each epoch of a training run."""

import csv
import io
from typing import Any

__all__ = ["History"]


class History:
    """The rows of a training run: one dictionary for each epoch, from column names to numbers.

    >>> history = History([{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.25}])
    >>> history["train_loss"], history.last["train_loss"]
    ([0.5, 0.25], 0.25)
    """

    def __init__(self, rows: list[dict[str, Any]] | None = None):
        self.rows: list[dict[str, Any]] = list(rows or [])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, column: str) -> list:
        return [row[column] for row in self.rows if column in row]

    @property
    def columns(self) -> list[str]:
        """The columns' names, in the order of their first appearance."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    @property
    def last(self) -> dict[str, Any]:
        """The row of the last epoch; empty before the first."""
        return self.rows[-1] if self.rows else {}

    def best(self, column: str, highest: bool = False) -> dict[str, Any]:
        """The row with the lowest number in a column, or the highest; empty where no row has the column."""
        rows = [row for row in self.rows if column in row]
        return (max if highest else min)(rows, key=lambda row: row[column]) if rows else {}

    def csv(self) -> str:
        """The rows as comma-separated values, under a line of names."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def __repr__(self):
        return f"History({len(self)} epochs, {', '.join(self.columns)})"
