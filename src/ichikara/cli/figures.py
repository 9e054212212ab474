"""`ichikara figures`: the charts of the course as files, for slides and papers."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import choose
from .main import app
from .output import Language, out

__all__ = ["figures"]


@app.command()
def figures(
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for the files.")],
    only: Annotated[
        str | None,
        typer.Option(
            metavar="LESSON|LESSON.CHART|PART",
            help="A lesson (neuron), one of its charts (neuron.plane), or a part of the lecture (A2); by default all.",
            show_default=False,
        ),
    ] = None,
    theme: Annotated[str, typer.Option(metavar="light|dark", help="The colours.")] = "light",
    kind: Annotated[str, typer.Option("--format", metavar="svg|png|pdf", help="The format of the files.")] = "svg",
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out the charts of experiments, which take long.")
    ] = False,
    lang: Language = None,
) -> None:
    """Draw the charts of the course into files."""
    from ..course.outputs.charts import asked_for, charts_of
    from ..plot import save
    from ..plot.draw import FORMATS
    from ..plot.theme import THEMES

    choose("format", kind, FORMATS)
    choose("theme", theme, THEMES)
    wanted = asked_for(only)
    folder.mkdir(parents=True, exist_ok=True)
    for slug, name in wanted:
        for found, chart in charts_of(slug, name, experiments=not quick):
            out.print(str(save(chart, folder / f"{found}.{kind}", theme)))
