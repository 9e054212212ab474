"""`ichikara learn`: the course in the browser, and what is made of its lessons: runs, notebooks, pages, keys."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError, choose
from .main import app
from .output import Language, bold, err, out

__all__ = ["learn"]

WIDEST = 92  # columns of a line of text


@app.command()
def learn(
    lesson: Annotated[
        str | None,
        typer.Argument(help="A lesson, such as neuron; by default the map of the course.", show_default=False),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port of 127.0.0.1.")] = 8617,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser.")] = True,
    present: Annotated[
        bool, typer.Option("--present", help="For a class: large type, no hints; PageUp and PageDown step.")
    ] = False,
    run: Annotated[
        bool,
        typer.Option("--run", help="Print the lesson, or all, and compute all that it states. Exits 0 if it holds."),
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="With --run: leave long experiments after two steps.")] = False,
    notebook: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the lesson as a notebook (.ipynb).", show_default=False)
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write all lessons as pages without a server.", show_default=False),
    ] = None,
    key: Annotated[
        bool, typer.Option("--key", help="Print a teacher's key of the lesson, or of all: answers, replies, hints.")
    ] = False,
    lang: Language = None,
) -> None:
    """Open the course in the browser: lessons that run on this library."""
    from ..course.lessons import READY

    if lesson is not None:
        choose("lesson", lesson, dict.fromkeys(READY))
    outputs = {"--run": run, "--notebook": notebook, "--gallery": gallery, "--key": key}
    asked = [name for name, value in outputs.items() if value]
    if len(asked) > 1:
        raise UserError(f"{' and '.join(asked)} do different things; give one of them")
    if quick and not run:
        raise UserError("--quick is for --run")
    if gallery is not None:
        _gallery(lesson, gallery)
    elif notebook is not None:
        _notebook(lesson, notebook)
    elif key:
        _key([lesson] if lesson else READY)
    elif run:
        _run([lesson] if lesson else READY, quick)
    else:
        _serve(lesson, port, browser, present)


def _serve(lesson: str | None, port: int, browser: bool, present: bool) -> None:
    from ..course.server.serving import address, serve
    from ..words import language_of

    where = address(port, f"/{language_of()}/{lesson or ''}", "&present=1" if present else "")

    def opened() -> None:
        err.print(f"course     {where}")
        err.print("           Ctrl+C ends it")

    serve(port, opened, browse=where if browser else None)


def _run(slugs, quick: bool) -> None:
    from rich.cells import cell_len

    from ..course.outputs.run import Run
    from ..plot.place import wrapped

    failed = False
    for slug in slugs:
        lesson = Run(slug, quick)
        for line in lesson.lines():
            if line.kind == "heading":
                out.print("\n", bold(line.text), sep="")
            elif line.kind == "result":
                out.print(bold(line.text, {True: "green", False: "bold red", None: ""}[line.holds]))
            else:
                lines = [line.text] if line.kind == "code" else wrapped(line.text, min(out.width, WIDEST), cell_len)
                for one in lines or [""]:
                    out.print(one)
        failed = failed or bool(lesson.failed)
    if failed:
        raise typer.Exit(1)


def _notebook(lesson: str | None, path: Path) -> None:
    if lesson is None:
        raise UserError(
            "a notebook is made of one lesson; name it, as in: ichikara learn neuron --notebook neuron.ipynb"
        )
    from ..course.outputs.notebook import write_notebook

    write_notebook(lesson, path)
    err.print(f"notebook   {path}")


def _gallery(lesson: str | None, folder: Path) -> None:
    if lesson is not None:
        raise UserError("--gallery writes all lessons; leave the lesson's name out")
    from ..course.outputs.gallery import write_gallery

    for path in write_gallery(folder):
        err.print(f"page       {path}")


def _key(slugs) -> None:
    from ..course.outputs.key import key_of

    for i, slug in enumerate(slugs):
        out.print("\n" * bool(i) + key_of(slug))
