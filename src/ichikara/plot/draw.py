"""Charts drawn by Matplotlib, for files."""

import io
import re
import threading
import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..charts import Chart
from ..errors import UserError, choose
from .backend import load_matplotlib
from .labels import place_labels
from .paint import paint
from .place import DPI, Place
from .theme import THEMES

__all__ = ["draw", "save"]

ALONE, TOGETHER = (540.0, 320.0), (390.0, 250.0)  # width and height of the axes of one chart, and of several

FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"words": "Title", "Date": None},
    "png": {"words": "Description", "Software": None},
    "pdf": {"words": "Title", "CreationDate": None},
}
"""The formats of files; for each where the chart in words is kept, and what is left out, so that files are equal."""

MISSING = "Glyph .* missing from"  # what Matplotlib warns of, once for each letter

_LOCK = threading.Lock()  # Matplotlib's settings are shared by all threads


def draw(chart: Chart | Sequence[Chart], theme: str = "light", columns: int | None = None) -> Any:
    """Draw a chart, or several side by side; returns a Matplotlib figure.

    Arguments: ``theme``, "light" or "dark"; ``columns``, charts in a row, by default all of them up to three.

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
    places = [Place(one, ALONE if len(charts) == 1 else TOGETHER) for one in charts]
    widths = [max(place.width for place in places[i::across]) for i in range(across)]
    heights = [max(place.height for place in places[i : i + across]) for i in range(0, len(charts), across)]
    figure = Figure(figsize=(sum(widths) / DPI, sum(heights) / DPI), dpi=DPI, facecolor=tokens.paper)
    FigureCanvasAgg(figure)
    with _LOCK, warnings.catch_warnings():
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
    figure = draw(chart, theme, columns)
    charts = [chart] if isinstance(chart, Chart) else chart
    alt = " ".join(filter(None, (one.alt or one.caption or one.title for one in charts)))
    path.write_bytes(_file(figure, kind, alt))
    return path


def _file(figure: Any, kind: str, alt: str) -> bytes:
    from matplotlib import rc_context

    buffer = io.BytesIO()
    metadata: dict[str, Any] = {name: value for name, value in FORMATS[kind].items() if value is None}
    metadata[FORMATS[kind]["words"]] = alt
    settings = rc_context({"svg.fonttype": "none", "svg.hashsalt": "ichikara"})
    with _LOCK, settings, warnings.catch_warnings(record=True) as warned:
        warnings.filterwarnings("always", message=MISSING)
        figure.savefig(buffer, format=kind, dpi=192, metadata=metadata, facecolor=figure.get_facecolor())
    if kind != "svg":
        if warned:
            advice = "no installed font has some of the letters; Noto Sans CJK JP has the Japanese ones"
            warnings.warn(advice, stacklevel=3)
        return buffer.getvalue()
    text = buffer.getvalue().decode()  # letters are text there, which the reader's fonts draw
    return re.sub("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', text, count=1).encode()
