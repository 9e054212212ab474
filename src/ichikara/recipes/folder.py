"""The folder of a run: its files, a new one, and the network that was trained in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, FiniteFloat

from ..arrays import Generator
from ..errors import UserError
from ..train import load_arrays
from .build import build_scaler
from .models import build_model
from .schema import Recipe, load_recipe

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


RECIPE, CHECKPOINT, WEIGHTS = "recipe.toml", "checkpoint.safetensors", "weights.safetensors"
HISTORY, CURVES, SUMMARY, VAULT = "history.csv", "curves.png", "run.json", "vault.json"


def new_folder(recipe_name: str, out: str | Path | None = None) -> Path:
    """The folder of a new run: ``out``, or one in ``runs`` with the next free number.

    Raises UserError if it holds a run already, or cannot be made.
    """
    try:
        if out is not None:
            folder = Path(out)
            if (folder / RECIPE).exists():
                raise UserError(f"{folder} holds a run already; go on with it by --resume {folder}, or choose another")
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
        raise UserError(f"{folder} holds no weights yet; resume its training: ichikara train --resume {folder}")
    arrays, about = load_arrays(path, SavedWith)
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
