"""A recipe: a training run as a TOML file, and what may stand in it."""

import inspect
import os
import re
import tomllib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from ..data.reading import read_text
from ..errors import UserError, did_you_mean
from ..validation import problems

__all__ = ["Recipe", "find_recipe", "load_recipe", "options_of", "packaged"]

_FOLDER = Path(__file__).parent / "packaged"
_LONGEST, _DEEPEST = 2**18, 50  # a recipe's characters, a key's parts
_STRING_OR_COMMENT = re.compile(r"""("[^"\n]*"|'[^'\n]*'|\#[^\n]*)""")
_END_OF_KEY = re.compile(r"[\n=,\[\]{}]")


class _Table(BaseModel):
    """A table that has only the keys declared here."""

    model_config = ConfigDict(extra="forbid")


class _Component(BaseModel):
    """A table that names a component and gives its options, which the component checks."""

    model_config = ConfigDict(extra="allow")
    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The keys beside those declared here."""
        return dict(self.model_extra or {})


class _Schedule(_Component):
    every: Literal["epoch", "batch"] = "epoch"


class _Split(_Table):
    validation: float = Field(0.2, ge=0, lt=1, description="fraction for validation")
    test: float = Field(0.0, ge=0, lt=1, description="fraction for the test set, which goes into the vault")
    seed: int = Field(0, ge=0, description="of the random split")
    stratify: bool | None = Field(None, description="whether each class is split in the same proportion")


class _Scale(_Table):
    name: Literal["none", "standard", "minmax"] = "none"
    per: Literal["feature", "all"] = "feature"


class _Training(_Table):
    epochs: int = Field(ge=1)
    batch_size: int = Field(32, ge=1)
    shuffle: bool = True
    context: int = Field(64, ge=1, description="characters in a window of a text")
    batches: int | None = Field(None, ge=1, description="batches in an epoch of a text; by default as many as cover it")
    accumulate: int = Field(1, ge=1, description="batches in a step")
    average: float | None = Field(None, ge=0, lt=1, description="decay of the weights' moving average")
    mix_up: float | None = Field(None, gt=0, description="alpha: how much two examples are mixed")
    clip_grad_norm: float | None = Field(None, gt=0)
    clip_grad_value: float | None = Field(None, gt=0)
    engine: Literal["auto", "eager", "replay"] = Field("auto", description="what computes a step")


class _EarlyStopping(_Table):
    monitor: str = "val_loss"
    patience: int = Field(10, ge=1)
    min_delta: float = Field(0.0, ge=0)
    mode: Literal["min", "max"] | None = None
    restore_best: bool = True


class Recipe(_Table):
    """A training run: data, network, loss, optimiser and how long.

    >>> load_recipe("digits").optimizer.name
    'Adam'
    """

    title: str = ""
    seed: int = Field(0, ge=0)
    data: _Component
    split: _Split = Field(default_factory=_Split)  # type: ignore[arg-type]
    scale: _Scale = Field(default_factory=_Scale)
    augment: list[_Component] = Field(default_factory=list)
    model: _Component
    initialisation: _Component | None = None
    loss: _Component = Field(default_factory=lambda: _Component(name="cross_entropy"))
    optimizer: _Component
    schedule: _Schedule | None = None
    training: _Training
    early_stopping: _EarlyStopping | None = None
    baseline: bool = True

    def toml(self) -> str:
        """The recipe as the text of a TOML file, every setting written out."""
        import tomli_w

        return tomli_w.dumps(self.model_dump(exclude_none=True))


def packaged() -> dict[str, Path]:
    """The recipes that come with ichikara: names and files."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.toml"))}


def find_recipe(name: str) -> Path:
    """The file of a recipe, given by the name of a packaged one or by its own path.

    Raises UserError for neither, with the nearest name.
    """
    known = packaged()
    if name in known:
        return known[name]
    path = Path(name)
    if path.suffix == ".toml" or "/" in name or os.path.isdir(name):
        if os.path.isdir(path):
            raise UserError(f"{path} is a folder; a recipe is a .toml file, and a run goes on by --resume {path}")
        if os.path.lexists(path):
            return path  # whether it can be read is said where it is read
        raise UserError(f"there is no recipe file {path}")
    hint = did_you_mean(name, known)
    raise UserError(f"unknown recipe '{name}'{hint} Known: {', '.join(known)}; or give the path of a .toml file")


def load_recipe(name: str | Path, settings: Iterable[str] = (), seed: int | None = None) -> Recipe:
    """Read a recipe, change what is asked for, and check it.

    Arguments: ``name``, of a packaged recipe or the path of a file; ``settings``, changes such as
    ``'optimizer.lr=0.1'``; ``seed``, in place of the recipe's.

    Raises UserError for a file that is missing or no TOML, and for each unknown key or wrong value: which, what was
    given, what is allowed, and the nearest name.
    """
    path = find_recipe(str(name))
    try:
        table = _parsed(read_text(path, memory=64))
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{path} is not TOML: {error}") from None
    for setting in settings:
        _set(table, setting)
    if seed is not None:
        table["seed"] = seed
    recipe = check(Recipe, table, "")
    file = recipe.data.options.get("path")
    if isinstance(file, str):
        # A relative path is looked up beside the recipe, then in the working folder, and becomes absolute.
        beside = path.parent / file
        if "\0" not in file:  # which no path has; it is refused where it is read
            recipe.data.model_extra["path"] = os.path.realpath(beside if os.path.lexists(beside) else file)
    return recipe


def check(model: type[BaseModel], table: Any, where: str) -> Any:
    """An instance of a Pydantic model, or a `UserError` that names every wrong key below ``where``."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise UserError("; ".join(problems(error, table, where, partial(_fields_at, model)))) from None


def options_of(function: Callable, given: dict[str, Any], where: str, leave_out: Iterable[str] = ()) -> dict[str, Any]:
    """The options for a function, checked against its signature's names and types.

    Arguments: ``where``, the recipe's table that has them; ``leave_out``, parameters that a recipe cannot set.

    Raises UserError as `load_recipe`.
    """
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in leave_out or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        kind = Any if parameter.annotation is parameter.empty else parameter.annotation
        fields[name] = (kind, ... if parameter.default is parameter.empty else parameter.default)
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())
    model = create_model(where or "options", __config__=config, **fields)
    checked = check(model, given, where)
    return {name: getattr(checked, name) for name in given}


def _parsed(text: str) -> dict[str, Any]:
    """The table that a text of TOML says. Raises ValueError for what is none, or not fit for a recipe."""
    # The time and the memory that tomllib takes for a key are the square of its parts.
    parts = _END_OF_KEY.split(_STRING_OR_COMMENT.sub("_", text))
    if len(text) > _LONGEST or any(part.count(".") > _DEEPEST for part in parts):
        raise ValueError(f"it has more than {_LONGEST:,} characters, or a key of more than {_DEEPEST} parts")
    try:
        table = tomllib.loads(text)
        _check_numbers(table)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise ValueError("its lists or tables are nested too deep") from None
    except ValueError:
        raise ValueError("a whole number in it is too large; TOML's have 64 bits") from None
    return table


def _check_numbers(value: Any) -> None:
    """Raise ValueError for whole numbers that could not be written into a TOML file."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_numbers(part)


def _set(table: dict, setting: str) -> None:
    """Put one ``key=value`` into a nested table."""
    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set takes key=value, such as optimizer.lr=0.01, not '{setting}'")
    try:
        value = _parsed(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a word without quotes
    except ValueError as error:
        raise UserError(f"--set {key.strip()}: {error}") from None
    *folders, last = key.strip().split(".")
    if len(folders) > _DEEPEST:
        raise UserError(f"--set takes key=value, and this key has {len(folders) + 1} parts")
    for folder in folders:
        table = table.setdefault(folder, {})
        if not isinstance(table, dict):
            raise UserError(f"--set {key}: '{folder}' is a single value, not a table")
    table[last] = value


def _fields_at(model: Any, place: list[str]) -> list[str]:
    """The names of the keys that a table of the recipe may have."""
    for part in place:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        options = [annotation, *getattr(annotation, "__args__", ())]
        model = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), model)
    return list(model.model_fields)
