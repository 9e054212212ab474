"""Labels of classes: which of them count, and a clear word about those that are none."""

from typing import Any

from ..arrays import namespace

__all__ = ["counted"]


def counted(labels: Any, classes: int, ignore_index: int | None) -> Any:
    """Which labels count; None for all of them. Raises ValueError where one is no class."""
    if namespace(labels).__name__ == "numpy":
        # Looked at once, as is nearly always enough: read without its sign a negative number is a large one.
        if not labels.size or int(labels.view(f"u{labels.dtype.itemsize}").max()) < classes:
            ignores = ignore_index is not None and 0 <= ignore_index < classes
            return labels != ignore_index if ignores else None
        wrong = labels[((labels < 0) | (labels >= classes)) & (labels != ignore_index)]
        if wrong.size:
            raise ValueError(f"label {wrong[0]} was given for {classes} classes, 0 to {classes - 1}")
    return None if ignore_index is None else labels != ignore_index
