"""The `ichikara` command: recipes, train, evaluate, predict, summary.

Each command prints what it will do, does it, and prints where its files are. Exit status: 0 success, 1 a fault of
ichikara, 2 bad usage or input, a training that would fail by its preflight, or a lack of memory or disk space, 3 a test
set that was opened before, 130 interrupted.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from ..errors import UserError, plural
from .output import Language, bold, err, out, print_json, visible
from .preflight import show_preflight

__all__ = ["app"]

app = typer.Typer(
    name="ichikara",
    help="Deep learning from almost scratch. Start with: ichikara train digits",
    epilog="Exit status: 0 success, 1 a fault of ichikara, 2 bad usage or input, 3 a test set that was opened before, "
    "130 interrupted.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, for programs.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as optimizer.lr=0.1.")
]
RecipeName = Annotated[str, typer.Argument(help="A recipe's name, or the path of a TOML file.", show_default=False)]


def _path(text: str) -> Path:
    """The path that a word names. An empty one, as of a variable that is not set, would be the current folder."""
    if not text.strip():
        raise typer.BadParameter("it is empty; give the name of a file or a folder")
    return Path(text)


def _picture(text: str) -> Path:
    """The path of a picture that is written at the end of a long computation, so it is checked at its start."""
    path = _path(text)
    if not path.parent.is_dir() or path.is_dir() or path.suffix.lower() not in (".png", ".pdf", ".svg", ".jpg"):
        raise typer.BadParameter(f"{path} is no name of a picture in a folder that exists, such as plot.png")
    return path


_FILE: dict[str, Any] = {"parser": _path, "metavar": "PATH", "show_default": False}
Run = Annotated[Path, typer.Argument(parser=_path, metavar="RUN", help="The folder of a run.", show_default=False)]
Picture = Annotated[
    Path | None, typer.Option(parser=_picture, metavar="PATH", help="Write a plot here (PNG).", show_default=False)
]


@app.callback()
def ichikara(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from; so does ICHIKARA_DEBUG=1.")] = (
        False
    ),
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        print(f"ichikara {version_of('ichikara')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


@app.command()
def recipes(as_json: Json = False) -> None:
    """List the recipes that come with ichikara."""
    from ..recipes import load_recipe, packaged

    known = {name: load_recipe(name) for name in packaged()}
    if as_json:
        print_json({name: recipe.title for name, recipe in known.items()})
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("recipe", "data", "what it trains"):
        table.add_column(heading, overflow="fold")
    for name, recipe in known.items():
        table.add_row(bold(name), recipe.data.name, recipe.title)
    out.print(table)
    out.print("\nTrain one with: ichikara train RECIPE. A recipe of your own is the path of a TOML file.")


@app.command()
def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe's name, or the path of a TOML file.", show_default=False)
    ] = None,
    set_: Settings = None,
    seed: Annotated[int | None, typer.Option(help="The seed of everything random.", min=0, show_default=False)] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="The folder of the run; by default runs/RECIPE-N.", **_FILE)
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Resume the run in this folder.", **_FILE)] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="What computes a step: eager, replay, or auto, which chooses.", show_default=False),
    ] = None,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="Check in seconds whether the training would fail, and do not train.")
    ] = False,
    lang: Language = None,
    as_json: Json = False,
) -> None:
    """Train a network by a recipe."""
    from ..recipes import build, continued_recipe, load_recipe, new_folder, train_run
    from ..recipes.schema import find_recipe
    from ..train import Progress

    if preflight and resume is not None:
        raise UserError("--preflight is for a training that has not begun; omit --resume")
    settings = [*(set_ or ()), *([] if engine is None else [f"training.engine={engine}"])]
    if resume is not None:
        folder = resume
        if out_dir is not None and out_dir != resume:
            raise UserError("--resume goes on in the run's own folder; omit --out")
        if recipe is not None and not (folder / "recipe.toml").is_file():
            made = load_recipe(recipe, settings, seed)
            folder.mkdir(parents=True, exist_ok=True)
        else:
            made = continued_recipe(folder, settings, recipe, seed)
    else:
        if recipe is None:
            raise UserError("say which recipe to train, such as: ichikara train digits; ichikara recipes lists them")
        made = load_recipe(recipe, settings, seed)
    parts = build(made)
    if preflight:
        show_preflight(parts, as_json)
        return
    if resume is None:
        folder = new_folder(find_recipe(str(recipe)).stem, out_dir)
    _announce(parts)
    progress = Progress(err)
    parts.trainer.callbacks.append(progress)
    summary = train_run(parts, folder, resume=resume is not None, tell=err.print)
    _report(parts, folder, summary)
    if as_json:
        print_json(summary)
    if summary["interrupted"] and summary["epochs"] < made.training.epochs:
        raise typer.Exit(130)


def _announce(parts) -> None:
    """Print data, model and training before the run."""
    from ..recipes.described import describe_data

    recipe = parts.recipe
    sizes = [f"{len(parts.train)} for training"]
    if parts.validation is not None:
        sizes.append(f"{len(parts.validation)} for validation")
    if parts.test is not None:
        sizes.append(f"{len(parts.test)} in the vault")
    if recipe.title:
        err.print(bold(recipe.title))
    layers = " → ".join(type(layer).__name__ for layer in parts.model.children()) or type(parts.model).__name__
    count = sum(p.size for p in parts.model.parameters())
    options = ", ".join(f"{key} {value}" for key, value in recipe.optimizer.options.items())
    err.print(f"data       {parts.train.name}: {', '.join(sizes)}")
    for heading, words in describe_data(parts.train, recipe):
        err.print(f"{heading:<11}{words}")
    err.print(f"model      {layers}, {plural(count, 'parameter')}")
    epochs, batches = plural(recipe.training.epochs, "epoch"), plural(len(parts.loader), "batch")
    err.print(f"training   {epochs} of {batches}, {recipe.optimizer.name} {options}")


def _report(parts, folder, summary) -> None:
    """Print the results, and the folder."""
    from ..train.progress import describe

    trainer = parts.trainer
    if summary["interrupted"]:
        err.print(f"interrupted in epoch {trainer.epoch + 1}; resume with: ichikara train --resume {folder}")
    if trainer.stopped:
        err.print(f"stopped after epoch {trainer.epoch}: {trainer.stopped}")
    words = describe(summary)
    best = f" (weights of epoch {summary['best_epoch']})" if summary["best_epoch"] not in (None, trainer.epoch) else ""
    err.print(bold(words), f"{best} · {plural(summary['epochs'], 'epoch')} in {summary['seconds']:.1f} s", sep="")
    if summary["baseline"]:
        baseline = summary["baseline"]
        err.print(f"baseline   {baseline['name']}: {describe(baseline)} in {baseline['seconds']:.1f} s")
    err.print(f"run        {folder}  (report.html, recipe.toml, weights.safetensors, history.csv, curves.png)")
    if hasattr(parts.model, "sample"):
        err.print(f"see it     ichikara sample {folder}")
    elif parts.test is not None:
        err.print(f"test it    ichikara evaluate {folder}")


@app.command()
def evaluate(
    run: Run,
    again: Annotated[bool, typer.Option("--again", help="Open a test set that was opened before.")] = False,
    as_json: Json = False,
) -> None:
    """Open a run's test set, once, and evaluate the network on it."""
    from ..recipes import evaluate_run
    from ..train.progress import describe

    result = evaluate_run(run, again)
    times = "once" if result["openings"] == 1 else f"{result['openings']} times"
    said = err if as_json else out
    said.print(bold(describe(result)), f"on {plural(result['examples'], 'example')}; test set opened {times}")
    if as_json:
        print_json(result)


@app.command()
def predict(
    run: Run,
    file: Annotated[
        Path, typer.Argument(parser=_path, metavar="INPUT", help="A .csv table, an .npy array or a .png picture.")
    ],
    invert: Annotated[bool, typer.Option("--invert", help="The picture is dark ink on a light background.")] = False,
    as_json: Json = False,
) -> None:
    """Predict with a run's network."""
    from ..recipes import predict_run
    from ..recipes.folder import divergence

    rows = predict_run(run, file, invert, err.print).rows()
    if as_json:
        print_json({"run": str(run), **divergence(run), "predictions": rows})
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("row", justify="right")
    for heading in rows[0]:
        table.add_column(heading)
    for i, row in enumerate(rows):
        table.add_row(str(i), *(_cell(value) for value in row.values()))
    out.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return "  ".join(f"{number:.6g}" for number in value)
    return f"{value:.2%}" if isinstance(value, float) else str(value)


@app.command("cross-validate")
def cross_validate(
    recipe: RecipeName,
    folds: Annotated[int, typer.Option(help="How many parts; each is the validation part once.", min=2)] = 5,
    jobs: Annotated[int, typer.Option(help="How many folds are trained in parallel.", min=1)] = 1,
    set_: Settings = None,
    picture: Picture = None,
    as_json: Json = False,
) -> None:
    """Train a recipe on each fold of its data, and show how much the results vary."""
    from ..recipes import cross_validate_recipe, load_recipe

    result = cross_validate_recipe(load_recipe(recipe, set_ or ()), folds, jobs, picture)
    table = Table(box=None, pad_edge=False)
    for heading in ("fold", *result.measures):
        table.add_column(heading, justify="right")
    for number, row in enumerate(result.rows, 1):
        table.add_row(str(number), *(f"{row[name]:.4f}" for name in result.measures))
    said = err if as_json else out
    said.print(table)
    said.print(", ".join(f"{name} {result.means[name]:.4f} ± {result.spreads[name]:.4f}" for name in result.measures))
    if as_json:
        print_json({"means": result.means, "spreads": result.spreads, "folds": result.rows})


@app.command("find-lr")
def find_lr(
    recipe: RecipeName,
    set_: Settings = None,
    picture: Picture = None,
    as_json: Json = False,
) -> None:
    """Try rising learning rates on a recipe, and suggest one."""
    from ..recipes import find_rate, load_recipe

    found = find_rate(load_recipe(recipe, set_ or ()), picture)
    lowest = found.rates[found.smoothed.argmin()]
    said = err if as_json else out
    if found.suggestion is None:
        said.print("the loss fell at no rate; the network may not fit the data")
    else:
        said.print(
            "the loss falls fastest at a learning rate of",
            bold(f"{found.suggestion:.3g}"),
            f"and is lowest at {lowest:.3g}: train with --set optimizer.lr={found.suggestion:.2g}",
        )
    if as_json:
        print_json({"suggestion": found.suggestion, "lowest": float(lowest)})


@app.command()
def generate(
    run: Run,
    prompt: Annotated[
        str | None, typer.Option(help="What the text begins with; by default with a new line.", show_default=False)
    ] = None,
    tokens: Annotated[int, typer.Option(help="How many characters to write.", min=0)] = 500,
    temperature: Annotated[
        float, typer.Option(help="Below 1 less random, above 1 more random, 0 always the likeliest.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Sample from the k likeliest only.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Of the sampling.", min=0)] = 0,
) -> None:
    """Generate text with a language model."""
    from ..recipes import generate_text

    characters = generate_text(run, prompt, tokens, temperature, top_k, seed)
    shown = visible if sys.stdout.isatty() else str
    sys.stdout.write(shown(prompt or ""))
    for character in characters:
        sys.stdout.write(shown(character))
        sys.stdout.flush()
    sys.stdout.write("\n")


@app.command()
def sample(
    run: Run,
    count: Annotated[int, typer.Option(help="How many images.", min=1)] = 100,
    seed: Annotated[int, typer.Option(help="Of the noise.", min=0)] = 0,
    judge_run: Annotated[
        Path | None,
        typer.Option("--judge", help="A run whose classifier evaluates the images.", **_FILE),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a sheet of images from a run's generator."""
    from ..recipes import sample_run

    result = sample_run(run, count, seed, judge_run)
    said = err if as_json else out
    said.print(f"{plural(result['samples'], 'sample')} in {result['sheet']}")
    if judge_run is not None:
        said.print(
            f"{judge_run} has a mean confidence of {result['confidence']:.1%}, and finds "
            f"{result['classes_present']} of {len(result['classes'])} classes: {result['classes']}"
        )
    if as_json:
        print_json(result)


@app.command()
def summary(recipe: RecipeName, set_: Settings = None) -> None:
    """Show the layers, shapes and parameters of a recipe's network."""
    from .. import nn, ops
    from ..recipes import build, load_recipe
    from ..train import Adversaries

    parts = build(load_recipe(recipe, set_ or ()))
    if isinstance(parts.model, Adversaries):
        print(nn.summary(parts.model.generator, (1, parts.model.latent)))
        print(nn.summary(parts.model.discriminator, (1, *parts.shape)))
    else:
        print(nn.summary(parts.model, ops.zeros((1, *parts.shape), dtype=parts.train.inputs.dtype)))
