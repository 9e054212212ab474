"""What was taken for what in the data of a run, in lines for its user."""

import numpy

from ..data import Dataset
from ..data.cells import is_whole
from ..errors import listed, plural
from .schema import Recipe
from .subject import shorten

__all__ = ["describe_data"]


def describe_data(data: Dataset, recipe: Recipe) -> list[tuple[str, str]]:
    """Lines about the target, the task, the classes and the inputs, each with its heading.

    What was decided without being asked for is said with the key that decides otherwise.
    """
    guessed = data.table is not None and "task" not in recipe.data.options
    if data.classes is not None:
        task = {"text": "characters", "sequence": "symbols"}.get(data.task, "classes")
        what = f"{len(data.classes)} {task}: {listed(map(shorten, data.classes), 10)}"
        if guessed and all(map(is_whole, data.classes)):
            what += ' (if they are quantities: data.task = "regression")'
    else:
        what = f"quantities from {data.targets.min():g} to {data.targets.max():g}"
        if guessed and bool((data.targets == numpy.floor(data.targets)).all()):
            what += ' (if they are classes: data.task = "classification")'
    if data.table is None:
        shape = "×".join(map(str, data.inputs.shape[1:]))
        inputs = f"{shape} numbers each" if shape else f"one of the {task} each"
        return [("target", what), ("inputs", inputs)]
    columns = [column.name for column in data.table.inputs]
    names = "named in the first line" if data.table.header else "by place, the file has no header"
    return [
        ("target", f"column '{shorten(data.table.target or '')}', {what}"),
        ("inputs", f"{plural(len(columns), 'column')}, {names}: {listed(map(shorten, columns), 10)}"),
    ]
