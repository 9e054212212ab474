"""Data sets as tables of numbers, for the rules about data."""

import numpy

__all__ = ["LEAST", "ROWS", "is_measured", "name_of", "rows_of"]

ROWS = 2000
"""The rows that are looked at, spread evenly over the data."""

LEAST = 40
"""The least rows from which statistics are taken."""


def rows_of(data, most: int = ROWS):
    """Rows of a data set as a table of numbers, spread evenly, and their targets."""
    step = max(len(data.inputs) // most, 1)
    inputs = numpy.asarray(data.inputs)[::step][:most]
    targets = numpy.asarray(data.targets)[::step][:most]
    return inputs.reshape(len(inputs), -1).astype("float64"), targets


def is_measured(data) -> bool:
    """Whether the inputs are measurements, and not symbols."""
    return numpy.asarray(data.inputs).dtype.kind == "f"


def name_of(data, column: int) -> str:
    names = getattr(data, "input_names", None)
    return names[column] if names else str(column)
