"""A record in files: its rows as CSV, its events as JSON, one a line; and a record as arrays, for a checkpoint."""

import csv
import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from ..data.atomic import write_atomically
from ..errors import UserError
from ..strict_json import dumps
from ..validation import checked_json
from .record import EVENT_KINDS, QUANTITIES, Event, Record, Row

__all__ = ["event_lines", "events_path", "load_record", "pack_record", "row_lines", "save_record", "unpack_record"]

_HEADER = "step,layer,quantity,value"
_QUANTITY = re.compile(r"(\w+?)(?:\[(\d{1,9})\])?")


def events_path(path: str | os.PathLike) -> Path:
    """The file of the events, beside that of the rows.

    >>> events_path("runs/xor/watch.csv").name
    'watch.events.jsonl'
    """
    return Path(path).with_suffix(".events.jsonl")


def save_record(record: Record, path: str | os.PathLike) -> None:
    """Save a record: the rows in the file, ``step,layer,quantity,value``, and the events beside it (`events_path`).

    Errors: OSError where it cannot be written.
    """
    write_atomically(path, row_lines(record).encode())
    write_atomically(events_path(path), event_lines(record).encode())


def load_record(path: str | os.PathLike) -> Record:
    """Load what `save_record` saved. Raises UserError for files that are missing, damaged or something else.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_record(Record([Row(1, "0.weight", "gradient_norm", 0.5)]), Path(folder, "watch.csv"))
    ...     load_record(Path(folder, "watch.csv")).rows
    [Row(step=1, layer='0.weight', quantity='gradient_norm', value=0.5)]
    """
    rows, events = _read(Path(path)), _read(events_path(path))
    try:
        found = list(csv.reader(io.StringIO(rows), strict=True))
        if not found or ",".join(found[0]) != _HEADER:
            raise ValueError(f"its first line is not {_HEADER}")
        record = Record([_row(*row) for row in found[1:]])
    except (ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path} is damaged, or no record of a training: {error}") from None
    record.events = _events(events, str(events_path(path)))
    return record


def row_lines(record: Record) -> str:
    """The rows as a text of CSV."""
    text = io.StringIO()
    writer = csv.writer(text)  # whose lines end as RFC 4180 says, so that a return within a text is quoted
    writer.writerow(_HEADER.split(","))
    writer.writerows((row.step, row.layer, row.quantity, repr(float(row.value))) for row in record.rows)
    return text.getvalue()


def event_lines(record: Record) -> str:
    """The events as a text, a line of JSON for each."""
    return "".join(dumps(event._asdict()) + "\n" for event in record.events)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()  # with the ends of lines as they are
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None


def _row(step: str, layer: str, quantity: str, value: str) -> Row:
    return _checked(Row(int(step), layer, quantity, float(value)))


def _checked(row: Row) -> Row:
    """The row. Raises ValueError if it can be none."""
    found = _QUANTITY.fullmatch(row.quantity)
    known = QUANTITIES.get(found[1]) if found else None
    if found is None or known is None or (known.parts == 1) != (found[2] is None):
        raise ValueError(f"there is no quantity {row.quantity!r}")
    if found[2] and known.parts and int(found[2]) >= known.parts:
        raise ValueError(f"{found[1]} has {known.parts} parts, and this is {row.quantity!r}")
    if not 0 <= row.step < 2**53:
        raise ValueError(f"a step is a whole number, not {row.step}")
    return row


@dataclass
class _SavedEvent:
    step: int
    kind: str
    layer: str
    about: dict[str, Any]
    line: str


def _events(text: str, where: str) -> list[Event]:
    found = checked_json(list[_SavedEvent], f"[{','.join(text.splitlines())}]", where)
    for event in found:
        if event["kind"] not in EVENT_KINDS or event["step"] < 0:
            raise UserError(f"{where} is damaged: there is no event {event['kind']!r} at step {event['step']}")
    return [Event(*(event[name] for name in Event._fields)) for event in found]


def pack_record(record: Record) -> dict[str, Any]:
    """The record in two arrays and texts."""
    names: dict[tuple[str, str], int] = {}
    places = [names.setdefault((row.layer, row.quantity), len(names)) for row in record.rows]
    return {
        "steps": numpy.array([[row.step for row in record.rows], places], "int64"),
        "values": numpy.array([row.value for row in record.rows], "float64"),
        "names": list(names),
        "events": event_lines(record),
    }


def unpack_record(packed: Mapping[str, Any]) -> Record:
    """The record that `pack_record` packed.

    Raises ValueError, LookupError, TypeError or UserError for something else.
    """
    steps, places = numpy.asarray(packed["steps"]).tolist()
    values = numpy.asarray(packed["values"]).tolist()
    names = [(str(layer), str(quantity)) for layer, quantity in packed["names"]]
    if any(not 0 <= place < len(names) for place in places):
        raise ValueError("a row of the record has no name")
    rows = [
        _checked(Row(int(s), names[k][0], names[k][1], float(v))) for s, k, v in zip(steps, places, values, strict=True)
    ]
    return Record(rows, _events(str(packed["events"]), "the record of the run"))
