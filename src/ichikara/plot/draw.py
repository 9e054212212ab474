"""Charts drawn by Matplotlib, for files."""

import io
import re
import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..charts import Chart
from ..errors import UserError, choose
from .backend import LOCK, load_matplotlib
from .labels import place_labels
from .paint import paint
from .place import DPI, Place
from .theme import THEMES

__all__ = ["draw", "save", "svg"]

ALONE, TOGETHER = (540.0, 320.0), (390.0, 250.0)  # width and height of the axes of one chart, and of several

FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"words": "Title", "Date": None},
    "png": {"words": "Description", "Software": None},
    "pdf": {"words": "Title", "CreationDate": None},
}
"""The formats of files; for each where the chart in words is kept, and what is left out, so that files are equal."""

MISSING = "Glyph .* missing from"  # what Matplotlib warns of, once for each letter


def draw(
    chart: Chart | Sequence[Chart],
    theme: str = "light",
    columns: int | None = None,
    size: tuple[float, float] | None = None,
) -> Any:
    """Draw a chart, or several side by side; returns a Matplotlib figure.

    Arguments: ``theme``, "light" or "dark"; ``columns``, charts in a row, by default all of them up to three; ``size``,
    width and height of the axes in pixels, of which an inch has 96, for charts that could have any.

    >>> from ichikara.charts import Axis, Chart, Line
    >>> figure = draw(Chart([Line([1, 2, 3], [0.9, 0.4, 0.2], ink="a")], Axis("epoch"), Axis("loss")))
    >>> figure.axes[0].get_ylabel()
    'loss'
    """
    tokens = choose("theme", theme, THEMES)
    load_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    charts = [chart] if isinstance(chart, Chart) else list(chart)
    if not charts:
        raise UserError("draw() was given no chart")
    across = min(columns or 3, len(charts))
    places = [Place(one, size or (ALONE if len(charts) == 1 else TOGETHER)) for one in charts]
    for row in (places[i : i + across] for i in range(0, len(places), across)):
        for place in row:
            place.lower(max(other.top for other in row))  # so that axes side by side begin at the same height
    widths = [max(place.width for place in places[i::across]) for i in range(across)]
    heights = [max(place.height for place in places[i : i + across]) for i in range(0, len(charts), across)]
    figure = Figure(figsize=(sum(widths) / DPI, sum(heights) / DPI), dpi=DPI, facecolor=tokens.paper)
    FigureCanvasAgg(figure)
    with LOCK, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=MISSING)
        for i, (one, place) in enumerate(zip(charts, places, strict=True)):
            ax = place.axes(figure, sum(widths[: i % across]), sum(heights[: i // across]), tokens)
            for mark in one.marks:
                paint(mark, ax, tokens)
            place_labels(ax, one.marks, tokens)
    return figure


def save(chart: Chart | Sequence[Chart], path: str | Path, theme: str = "light", columns: int | None = None) -> Path:
    """Draw into a file, whose ending names the format: ``.svg``, ``.png`` or ``.pdf``; returns its path.

    Arguments: as of `draw`. The chart in words (``alt``) is kept in the file. Raises UserError for another format.
    """
    path = Path(path)
    kind = path.suffix[1:].lower()
    choose("format", kind, FORMATS)
    path.write_bytes(_file(draw(chart, theme, columns), kind, _in_words(chart)))
    return path


def svg(chart: Chart | Sequence[Chart], theme: str = "light", columns: int | None = None) -> str:
    """Draw as the text of an ``<svg>`` element, on paper of its own; arguments as of `draw`. So notebooks show charts.

    >>> from ichikara.charts import Axis, Chart, Line
    >>> svg(Chart([Line([1, 2], [0.9, 0.4])], Axis("epoch"), Axis("loss"), alt="The loss falls."))[:40]
    '<svg role="img" aria-label="The loss fal'
    """
    text = _file(draw(chart, theme, columns), "svg", _in_words(chart)).decode()
    return text[text.index("<svg") :]


Chart.drawn = staticmethod(svg)


def _in_words(chart: Chart | Sequence[Chart]) -> str:
    charts = [chart] if isinstance(chart, Chart) else chart
    return " ".join(filter(None, (one.alt or one.caption or one.title for one in charts)))


def _file(figure: Any, kind: str, alt: str) -> bytes:
    from matplotlib import rc_context

    buffer = io.BytesIO()
    metadata: dict[str, Any] = {name: value for name, value in FORMATS[kind].items() if value is None}
    metadata[FORMATS[kind]["words"]] = alt
    settings = rc_context({"svg.fonttype": "none", "svg.hashsalt": "ichikara"})
    with LOCK, settings, warnings.catch_warnings(record=True) as warned:
        warnings.filterwarnings("always", message=MISSING)
        figure.savefig(buffer, format=kind, dpi=192, metadata=metadata, facecolor=figure.get_facecolor())
    others = [warning for warning in warned if not re.search(MISSING, str(warning.message))]
    for warning in others:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if kind != "svg":
        if len(warned) > len(others):
            advice = "no installed font has some of the letters; Noto Sans CJK JP has the Japanese ones"
            warnings.warn(advice, stacklevel=3)
        return buffer.getvalue()
    text = buffer.getvalue().decode()  # letters are text there, which the reader's fonts draw
    text = re.sub(r"(font(?:-family)?: [^;\"]*'[^;\"]*)(?=[;\"])", r"\1, sans-serif", text)
    return re.sub("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', text, count=1).encode()
