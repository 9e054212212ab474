"""`ichikara doctor`: what ails a training, and why."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UserError
from ..words import language_of
from .loading import call_function, is_function, load_function
from .main import Json, Settings, app
from .output import Language, err, out, print_json

__all__ = ["doctor"]


@app.command()
def doctor(
    what: Annotated[
        str,
        typer.Argument(
            help="The folder of a run; a recipe, which is trained for it; or a function that trains a network: "
            "file.py:function.",
            show_default=False,
        ),
    ],
    set_: Settings = None,
    lang: Language = None,
    as_json: Json = False,
) -> None:
    """Say what ails a training: its evidence, its cause and its cure; and what could not be judged."""
    if set_ and (is_function(what) or Path(what).is_dir()):
        raise UserError("--set changes the settings of a recipe that is trained; omit it")
    if is_function(what):
        diagnosis = _of_function(what)
    elif Path(what).is_dir():
        diagnosis = _of_run(Path(what))
    else:
        diagnosis = _of_recipe(what, set_ or ())
    if as_json:
        print_json(diagnosis.to_dict(language_of()))
    else:
        out.print(diagnosis.text(language_of()))


def _of_run(folder: Path) -> Any:
    from ..recipes.inside import read_diagnosis

    return read_diagnosis(folder)


def _of_recipe(name: str, settings: Any) -> Any:
    """Train a recipe without leaving a folder, and return its trainer's diagnosis."""
    from ..recipes import build, load_recipe
    from ..train import DivergedError, Progress

    parts = build(load_recipe(name, settings))
    trainer = parts.trainer
    trainer.callbacks.append(Progress(err))
    try:
        trainer.fit(parts.loader, parts.recipe.training.epochs, parts.watched)
    except DivergedError as error:
        err.print(str(error))
    if trainer.interrupted:
        raise KeyboardInterrupt
    return trainer.diagnosis


def _of_function(text: str) -> Any:
    from ..glass.doctor import diagnose
    from ..glass.loop import case_of_loop
    from ..train import Trainer
    from ..train.examining import case_of

    function = load_function(text)
    returned, case = case_of_loop(lambda: call_function(function, text))
    if isinstance(returned, Trainer):
        return returned.diagnosis or diagnose(case_of(returned))
    return diagnose(case)
