"""`ichikara learn`: the course in the browser."""

from typing import Annotated

import typer

from .main import app
from .output import Language, err

__all__ = ["learn"]


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
    lang: Language = None,
) -> None:
    """Open the course in the browser: lessons that run on this library."""
    from ..course.lessons import READY
    from ..course.server.serving import address, serve
    from ..errors import choose
    from ..words import language_of

    if lesson is not None:
        choose("lesson", lesson, dict.fromkeys(READY))
    where = address(port, f"/{language_of()}/{lesson or ''}", "&present=1" if present else "")

    def opened() -> None:
        err.print(f"course     {where}")
        err.print("           Ctrl+C ends it")

    serve(port, opened, browse=where if browser else None)
