"""`Dataset`: examples and their targets, checked once, when it is made."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy

from ichikara.errors import UserError, choose

from .precision import can_merge, merged
from .table import Table

__all__ = ["Dataset"]

TASKS = ("classification", "regression", "text", "sequence")
PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Examples with their targets: arrays whose first axis counts the examples.

    Shapes: inputs (n, *), targets (n, *). Inputs become float32, class targets int64 from 0, regression targets
    float32; in a text and in a set of sequences both are int64, in a text every character and the one that follows it.

    Arguments: ``inputs`` and ``targets``, arrays; ``name``, what to call it; ``classes``, the names of the classes,
    None for a regression; ``input_names``, one for each column of ``inputs``, None if they have none; ``source``, its
    origin, in words; ``task``, 'classification', 'regression', 'text' or 'sequence', by default the first if there are
    classes and the second if not; ``part``, 'train', 'validation' or 'test' for a part of a whole set, else None;
    ``scaled``, whether a fitted scaler has transformed the inputs (scalers set it); ``table``, the schema of the table
    that it was read from, None if it was none. Class targets of shape (n, 1) become (n,).

    Errors: `UserError` if the lengths differ, if a number is NaN or infinite (with its row and column), if a column's
    numbers differ and are the same in float32, if a label names no class.

    >>> data = Dataset([[0, 1], [1, 0]], [0, 1], name="tiny", classes=("up", "down"))
    >>> data
    Dataset(tiny: 2 examples for classification, inputs (2,) float32, 2 classes)
    >>> data[1:].targets.tolist()
    [1]
    """

    inputs: numpy.ndarray
    targets: numpy.ndarray
    name: str = "data"
    classes: tuple[str, ...] | None = None
    input_names: tuple[str, ...] | None = None
    source: str = ""
    task: str = ""
    part: str | None = None
    scaled: bool = False
    table: Table | None = None

    def __post_init__(self):
        put = lambda field, value: object.__setattr__(self, field, value)  # how to set a field of a frozen dataclass
        put("classes", None if self.classes is None else tuple(str(name) for name in self.classes))
        put("input_names", None if self.input_names is None else tuple(str(name) for name in self.input_names))
        put("task", self.task or ("regression" if self.classes is None else "classification"))
        choose("task", self.task, dict.fromkeys(TASKS))
        if self.part is not None:
            choose("part", self.part, dict.fromkeys(PARTS))
        if self.task != "regression" and not self.classes:
            raise UserError(f"{self.name}: a {self.task} set needs its classes: pass classes=('name', 'name', …)")

        inputs, targets = self._array("inputs", self.inputs), self._array("targets", self.targets)
        if len(inputs) != len(targets):
            raise UserError(
                f"{self.name}: {len(inputs)} inputs but {len(targets)} targets; each example needs one of each"
            )
        if self.task == "classification" and targets.shape == (len(targets), 1):
            targets = targets[:, 0]
        whole = self.task in ("text", "sequence")
        put("inputs", self._labels("inputs", inputs) if whole else self._floats("inputs", inputs))
        put(
            "targets",
            self._floats("targets", targets) if self.task == "regression" else self._labels("targets", targets),
        )
        if self.input_names is not None and self.inputs.shape[1:] != (len(self.input_names),):
            raise UserError(
                f"{self.name}: {len(self.input_names)} input names for inputs of shape {self.inputs.shape}; "
                f"input_names has one name for each column"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: Any) -> "Dataset":
        if not isinstance(index, slice) and numpy.ndim(index) != 1:
            raise TypeError(
                f"dataset[…] takes a slice or a list of row numbers and gives a Dataset, not {index!r}; "
                f"for a single example use dataset[i : i + 1], for batches a DataLoader"
            )
        index = index if isinstance(index, slice) or len(index) else slice(0)
        return replace(self, inputs=self.inputs[index], targets=self.targets[index])

    def __repr__(self):
        kind = "" if self.classes is None else f", {len(self.classes)} classes"
        name = self.name if self.part is None else f"{self.name}, {self.part}"
        return (
            f"Dataset({name}: {len(self)} examples for {self.task}, "
            f"inputs {self.inputs.shape[1:]} {self.inputs.dtype}{kind})"
        )

    @property
    def checksum(self) -> str:
        """The SHA-256 of inputs and targets, their shapes and types, in hexadecimal: equal data, equal checksum."""
        digest = hashlib.sha256()
        for array in (self.inputs, self.targets):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(numpy.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _array(self, role: str, values: Any) -> numpy.ndarray:
        try:
            array = numpy.asarray(values)
        except ValueError as error:  # rows of different lengths
            raise UserError(f"{self.name}: the {role} do not form an array ({error})") from None
        if array.dtype.kind not in "biuf":
            raise UserError(f"{self.name}: the {role} are not real numbers but {array.dtype}")
        if array.ndim == 0:
            raise UserError(f"{self.name}: the {role} are a single number; their first axis must count the examples")
        return array

    def _floats(self, role: str, array: numpy.ndarray) -> numpy.ndarray:
        with numpy.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is reported below
            floats = array.astype("float32", copy=False)
        finite = numpy.isfinite(floats)
        if not finite.all():
            place = tuple(numpy.argwhere(~finite)[0])
            raise UserError(
                f"{self.name}: the {role} hold {array[place]!s} at {self._place(role, place)}; "
                f"remove that row or fill in a finite number that float32 can hold"
            )
        self._check_merged(role, array)
        return floats

    def _check_merged(self, role: str, array: numpy.ndarray) -> None:
        """Refuse a column of whole numbers such as ids that float32 rounds to their neighbours."""
        if array.ndim > 2 or array.dtype.itemsize < 4 or array.dtype == "float32" or not array.size:
            return
        columns = array if array.ndim == 2 else array[:, None]
        for column in can_merge(columns):
            rows = merged(columns[:, column])
            if rows is not None:
                first, second = (columns[row, column] for row in rows)
                raise UserError(
                    f"{self.name}: the {role} hold {first!s} and {second!s} at "
                    f"{self._place(role, (rows[1], column)[: array.ndim])}, which are the same number in float32, in "
                    f"which a network computes; leave that column out, or subtract a constant from it"
                )

    def _labels(self, role: str, array: numpy.ndarray) -> numpy.ndarray:
        assert self.classes is not None
        if array.dtype.kind == "f":
            wrong = array != numpy.floor(array)  # true for NaN too; infinities are out of range
        else:
            wrong = numpy.zeros(array.shape, bool)
        with numpy.errstate(invalid="ignore"):
            wrong |= (array < 0) | (array >= len(self.classes))
        if wrong.any():
            place = tuple(numpy.argwhere(wrong)[0])
            raise UserError(
                f"{self.name}: the {role} hold {array[place]!s} at {self._place(role, place)}; "
                f"with {len(self.classes)} classes a label is a whole number from 0 to {len(self.classes) - 1}"
            )
        return array.astype("int64", copy=False)

    def _place(self, role: str, place: tuple) -> str:
        """The position of a value, in words: its row, and its column with its name if there is one."""
        row, *column = (int(i) for i in place)
        if not column:
            return f"row {row} (counted from 0)"
        where = column[0] if len(column) == 1 else tuple(column)
        name = ""
        if role == "inputs" and self.input_names is not None and column[0] < len(self.input_names):
            name = f" ('{self.input_names[column[0]]}')"
        return f"row {row}, column {where}{name} (counted from 0)"
