"""The vault: a test set that is opened once, at the end, with a record of what opened it and when."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ichikara.checks import yes_or_no
from ichikara.errors import UserError, VaultOpenedError, plural
from ichikara.strict_json import dumps
from ichikara.validation import checked_json

from .atomic import write_atomically
from .dataset import Dataset
from .folds import refuse_inside_fold
from .lock import lock

__all__ = ["Opening", "TestVault", "read_record"]

FORMAT = "ichikara vault 1"


class Opening(NamedTuple):
    """One opening of a vault: by what, when (UTC, ISO 8601), and whether it was a repetition."""

    by: str
    when: str
    again: bool


@dataclass
class _RecordedData:
    name: str
    examples: int
    checksum: str


@dataclass
class _RecordedOpening:
    by: str
    when: str
    again: bool


@dataclass
class _Record:
    """The file of a vault's record."""

    format: Literal["ichikara vault 1"]
    data: _RecordedData
    openings: list[_RecordedOpening]


def read_record(path: Path) -> dict[str, Any]:
    """What the file of a vault's record says. Raises UserError where it cannot be read, or is something else."""
    try:
        return checked_json(_Record, path.read_bytes(), str(path))
    except OSError as error:
        raise UserError(f"cannot read the record of the test set, {path}: {error.strerror or error}") from None


class TestVault:
    """Keeps a test set closed until it is opened, and records each opening.

    A test set estimates the error on unseen data. Used twice, with changes in between, it becomes one more validation
    set; so a second opening must be requested, and is counted.

    Arguments: ``dataset``, the test set; ``path``, the JSON file of the record, which also pins the data's checksum;
    None keeps the record in memory only.

    Errors: `UserError` if the record is damaged (it is never overwritten), belongs to other data, or cannot be written.

    >>> from ichikara.data import load_xor
    >>> vault = TestVault(load_xor())
    >>> vault
    TestVault(4 examples, opened 0 times)
    >>> len(vault.open(by="evaluate"))
    4
    >>> [opening.by for opening in vault.openings]
    ['evaluate']

    Source: part D2 of the lecture "1から作る DEEP LEARNING".
    """

    __test__ = False  # pytest would take a class of this name for a test

    def __init__(self, dataset: Dataset, path: str | os.PathLike | None = None):
        if not isinstance(dataset, Dataset):
            raise UserError(f"a vault holds a Dataset, not {type(dataset).__name__}")
        self._dataset = dataset
        self._checksum = dataset.checksum
        self._path = None if path is None else Path(path)
        self._memory: list[Opening] = []
        self._threads = threading.Lock()
        if self._path is not None:
            with self._locked():
                if self._path.exists():
                    self._read()
                else:
                    self._write([])

    def open(self, by: str, again: bool = False) -> Dataset:
        """Record what opens the vault and when, and return the test set.

        Arguments: ``by``, what opens it, such as 'evaluate'; ``again``, True to open a vault that was opened before.

        Errors: `VaultOpenedError` if it was opened before and ``again`` is not set; `UserError` if the opening cannot
        be recorded, in which case the vault stays closed.
        """
        refuse_inside_fold()
        if not isinstance(by, str) or not by.strip():
            raise UserError(f"by names what opens the vault, such as 'evaluate', not {by!r}")
        again = yes_or_no("again", again)
        with self._locked():
            openings = self._read()
            if openings and not again:
                first = openings[0]
                times = "" if len(openings) == 1 else f", and {len(openings) - 1} more since"
                raise VaultOpenedError(
                    f"this test set was opened before: by {first.by} at {first.when}{times}. A second look makes it a "
                    f"validation set; if you mean it, open it again (again=True, --again): it will be counted"
                )
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self._write([*openings, Opening(by, now, again)])
        return self._dataset

    @property
    def openings(self) -> list[Opening]:
        """All openings up to now, the first first, also those by other processes."""
        return self._read()

    def __repr__(self):
        return f"TestVault({plural(len(self._dataset), 'example')}, opened {plural(len(self.openings), 'time')})"

    def _read(self) -> list[Opening]:
        """The recorded openings, once the record is checked against this data."""
        if self._path is None:
            return list(self._memory)
        try:
            record = read_record(self._path)
        except UserError as error:
            raise UserError(
                f"{error}. This record of a test set is left as it is, and the vault stays closed. "
                f"Restore it from a copy, or move it away if you know that the test set was never opened"
            ) from None
        openings = [Opening(entry["by"], entry["when"], entry["again"]) for entry in record["openings"]]
        name, checksum = record["data"]["name"], record["data"]["checksum"]
        if checksum != self._checksum:
            raise UserError(
                f"{self._path} is the record of another test set ({name}, checksum {checksum[:12]}…); this is "
                f"{self._dataset.name}, checksum {self._checksum[:12]}…. Use the same data and seed, or another record"
            )
        return openings

    def _write(self, openings: list[Opening]) -> None:
        if self._path is None:
            self._memory = openings
            return
        record = {
            "format": FORMAT,
            "data": {
                "name": self._dataset.name,
                "examples": len(self._dataset),
                "checksum": self._checksum,
            },
            "openings": [opening._asdict() for opening in openings],
        }
        try:
            write_atomically(self._path, (dumps(record, indent=2, ensure_ascii=False) + "\n").encode())
        except OSError as error:
            raise UserError(
                f"cannot write the record of the test set, {self._path}: {error.strerror or error}; "
                f"the vault stays closed"
            ) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Within the block no other thread and no other process opens this vault."""
        with self._threads:
            if self._path is None:
                yield
                return
            # A separate file: the record is replaced by renaming, and a lock stays with the file it was taken on.
            path = self._path.with_name(f".{self._path.name}.lock")
            try:
                file = open(path, "ab")  # noqa: SIM115 - errors of the block must not be taken for errors of this line
            except OSError as error:
                raise UserError(
                    f"cannot keep a record of the test set in {self._path.parent}: {error.strerror or error}"
                ) from None
            with file:  # closing releases the lock, and so does the end of the process
                lock(file)
                yield
