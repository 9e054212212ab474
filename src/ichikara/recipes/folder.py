"""The folder of a run: its files, a new one, and the network that was trained in it."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Any

import numpy
from pydantic import Field, FiniteFloat

from ..arrays import Generator
from ..data.atomic import remove_leftovers
from ..data.lock import lock
from ..errors import UserError
from ..strict_json import dumps
from ..train import load_arrays
from ..train.checkpoint import load_settings
from .build import build_scaler
from .models import build_model
from .schema import Recipe, load_recipe
from .summary import SUMMARY, read_summary

__all__ = [
    "CHECKPOINT",
    "CURVES",
    "HISTORY",
    "RECIPE",
    "SUMMARY",
    "VAULT",
    "WEIGHTS",
    "new_folder",
    "open_run",
    "trained",
    "writing",
]


@dataclass
class SavedWith:
    """The settings that are saved with the weights of a run."""

    shape: list[Annotated[int, Field(ge=1)]]
    outputs: Annotated[int, Field(ge=0)]
    whole: bool
    classes: list[str] | None
    input_names: list[str] | None
    value_range: Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]
    task: str
    data: str
    table: dict[str, Any] | None
    epoch: Annotated[int, Field(ge=0)] | None
    diverged: Annotated[int, Field(ge=1)] | None


RECIPE, CHECKPOINT, WEIGHTS = "recipe.toml", "checkpoint.safetensors", "weights.safetensors"
HISTORY, CURVES, VAULT = "history.csv", "curves.png", "vault.json"
_LOCK = ".run.lock"


def new_folder(recipe_name: str, out: str | Path | None = None) -> Path:
    """The folder of a new run: ``out``, or one in ``runs`` with the next free number.

    Raises UserError if it holds a run already, or cannot be made.
    """
    try:
        if out is not None:
            folder = Path(out)
            refuse_writer(folder)
            refuse_run(folder)
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        number = 1
        while True:
            folder = Path("runs") / f"{recipe_name}-{number}"
            try:
                folder.mkdir(parents=True)
                return folder
            except FileExistsError:
                number += 1
    except OSError as error:
        raise UserError(f"cannot make the folder {error.filename}: {error.strerror}; choose one with --out") from None


def refuse_run(folder: Path) -> None:
    """Raise UserError where a folder holds a run already."""
    if any((folder / name).exists() for name in (RECIPE, CHECKPOINT, WEIGHTS)):
        raise UserError(f"{folder} holds a run already; go on with it by --resume {folder}, or choose another")


def refuse_writer(folder: Path) -> None:
    """Raise UserError where another process writes into a run's folder, which is only looked at."""
    with suppress(OSError), open(folder / _LOCK, "r+b") as file:
        _take(file, folder)


@contextmanager
def writing(folder: Path, by: str) -> Iterator[None]:
    """Within the block no other process writes into a run's folder. The lock of a killed process is released.

    Arguments: ``by``, what writes, for others to be told.

    Raises UserError where another process writes into it: which, on what host, and since when.
    """
    with _locked(folder / _LOCK) as file:
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        file.truncate(0)
        file.write(dumps({"by": by, "pid": os.getpid(), "host": socket.gethostname(), "since": since}).encode())
        file.flush()
        remove_leftovers(folder)
        yield


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    """A file that this process alone has; it is removed in the end."""
    while True:
        try:
            file = open(path, "a+b")  # noqa: SIM115 - errors of the block must not be taken for errors of this line
        except OSError as error:
            raise UserError(
                f"cannot write into {path.parent}: {error.strerror or error}; choose another folder with --out"
            ) from None
        with file:
            _take(file, path.parent)
            try:
                ours = os.path.samestat(os.fstat(file.fileno()), os.stat(path))
            except FileNotFoundError:
                ours = False
            if not ours:
                continue  # the one before us has removed the file that we have opened
            try:
                yield file
            finally:
                with suppress(OSError):  # Windows keeps a file that is open
                    path.unlink()
            return


def _take(file: IO[bytes], folder: Path) -> None:
    """Take the lock of a folder; raises UserError where another process has it."""
    if not lock(file, wait=False):
        raise UserError(f"{folder} is being written by {_writer(file)}; wait for its end, or choose another folder")


def _writer(file: IO[bytes]) -> str:
    """Who has a lock, in words."""
    for _ in range(10):
        file.seek(0)
        with suppress(ValueError, KeyError, TypeError):
            told = json.loads(file.read(1000))
            return f"{told['by']} (process {int(told['pid'])} on {told['host']}, since {told['since']})"
        time.sleep(0.02)  # it has the lock, and is about to write its name
    return "another process"


def open_run(folder: str | Path) -> Recipe:
    """The recipe of the run in a folder. Raises UserError where there is none."""
    path = Path(folder) / RECIPE
    if not path.is_file():
        raise UserError(f"{folder} holds no run (there is no {path}); ichikara train makes one")
    return load_recipe(path)


def trained(folder: Path) -> tuple[Recipe, Any, Any, dict[str, Any]]:
    """A run's recipe, its network and scaler as they were trained, and the settings saved with the weights."""
    recipe = open_run(folder)
    path = folder / WEIGHTS
    if not path.is_file():
        diverged = _diverged(folder)
        if diverged is not None:
            raise UserError(
                f"{folder} holds no weights: its training diverged in epoch {diverged}, before any were saved; train "
                "again with a smaller learning rate, such as by --set optimizer.lr=…"
            )
        raise UserError(f"{folder} holds no weights yet; resume its training: ichikara train --resume {folder}")
    arrays, about = load_arrays(path, SavedWith)
    for name, array in arrays.items():
        if not numpy.isfinite(array).all():
            raise UserError(f"{path} holds a number in {name} that is not finite, so it cannot be used; train again")
    if about["diverged"] is not None:
        print(said_of_diverged(folder, about), file=sys.stderr)
    state = lambda prefix: {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
    try:
        model = build_model(recipe, tuple(about["shape"]), about["outputs"], Generator(0), about["whole"])
        model.load_state_dict(state("model."))
        scaler = build_scaler(recipe)
        if scaler is not None:
            scaler.load_state_dict(state("scaler."))
    except (ValueError, KeyError) as error:
        raise UserError(f"the weights in {path} do not fit the run's recipe: {error}") from None
    return recipe, model, scaler, about


def said_of_diverged(folder: Path, about: dict[str, Any]) -> str:
    """What is to be known of the weights of a run that diverged."""
    diverged, epoch = about["diverged"], about["epoch"]
    return f"{folder} diverged in epoch {diverged}; its weights are the last good ones, of epoch {epoch}"


def divergence(folder: Path) -> dict[str, int]:
    """The epoch in which a trained network's run diverged, under ``diverged``; nothing if it did not."""
    diverged = load_settings(folder / WEIGHTS, SavedWith)["diverged"]
    return {} if diverged is None else {"diverged": diverged}


def _diverged(folder: Path) -> int | None:
    """The epoch in which a run without weights diverged; None where its record does not say so."""
    with suppress(UserError):
        return read_summary(folder)["diverged"]
    return None
