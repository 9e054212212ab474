"""`ichikara explain`: the chain rule of a network, written out."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UserError
from .loading import call_function, is_function, load_function
from .main import Json, Settings, app
from .output import Language, err, out, print_json

__all__ = ["explain"]

EXAMPLES = 4  # of a recipe's data; of sequences one, which has a prediction at each of its places


def _page(text: str) -> Path:
    path = Path(text)
    if not text.strip() or not path.parent.is_dir() or path.is_dir():
        raise typer.BadParameter(f"{text or 'nothing'} is no name of a file in a folder that exists, such as page.html")
    return path


@app.command()
def explain(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A recipe, or a function that computes a loss: file.py:function. By default the lecture's net.",
            show_default=False,
        ),
    ] = None,
    wrt: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="By what to differentiate: a parameter's path, a variable.", show_default=False
        ),
    ] = None,
    unfold: Annotated[
        list[str] | None,
        typer.Option(metavar="MODULE", help="Show this module operation by operation.", show_default=False),
    ] = None,
    set_: Settings = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print the formulas in LaTeX.")] = False,
    html: Annotated[
        Path | None, typer.Option(parser=_page, metavar="FILE", help="Write a page here.", show_default=False)
    ] = None,
    lang: Language = None,
    as_json: Json = False,
) -> None:
    """Write out the chain rule of a network, term by term, with its numbers."""
    from ..glass.explanation import Explanation
    from ..words import language_of

    language = language_of()
    found = [
        part
        for run, default in _runs(what, set_)
        for part in _explained(run, wrt or default, unfold or [], language).parts
    ]
    explanation = Explanation(found, language)
    if html is not None:
        html.write_text(_document(explanation), encoding="utf-8")
        err.print(f"page       {html}")
    if as_json:
        print_json(explanation.to_dict())
    elif latex:
        print(explanation.latex(), end="")
    elif html is None:
        out.print(explanation.text(), end="")


def _explained(run: Any, wrt: list[str] | None, unfold: list[str], language: str) -> Any:
    from ..glass.chain_rule import explained

    return explained(run, wrt, unfold=unfold, language=language)


def _runs(what: str | None, settings: list[str] | None) -> list[tuple[Any, list[str] | None]]:
    """What to explain, each with the names by which to differentiate if the user gives none."""
    from ..glass.lecture import net_of_matrices, net_of_neurons
    from ..glass.run import run

    if what is None:
        return [(run(net_of_neurons, []), ["x[1]"]), (run(net_of_matrices, []), ["x", "W^0"])]
    if is_function(what):
        if settings:
            raise UserError("--set changes a recipe's settings, and this is a function; leave it out")
        return [(_run_of_function(load_function(what), what), None)]
    return [_run_of_recipe(what, settings)]


def _run_of_function(function: Callable, what: str) -> Any:
    from ..glass.run import run

    return run(function, [], call=lambda: call_function(function, what))


def _run_of_recipe(name: str, settings: list[str] | None) -> tuple[Any, list[str]]:
    """The loss of the first examples of a recipe's data, and the weights of the network's first layer."""
    from ..autodiff import asarray
    from ..glass.run import run
    from ..recipes import build, load_recipe
    from ..train.objective import PLACES

    parts = build(load_recipe(name, settings or ()))
    if parts.objective is None:
        raise UserError(f"{name} trains two networks against each other; explain a function of yours, file.py:function")
    model, count = parts.model, 1 if parts.train.task in PLACES else EXAMPLES
    inputs, targets = [asarray(array)[:count] for array in next(iter(parts.loader))]

    def loss():
        return parts.objective(model(inputs), targets)

    return run(loss, [{"model": model}]), [f"model.{next(model.named_parameters())[0]}"]


def _document(explanation: Any) -> str:
    return (
        f'<!doctype html>\n<html lang="{explanation.language}">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>ichikara explain</title>\n{explanation.html()}</html>\n"
    )
