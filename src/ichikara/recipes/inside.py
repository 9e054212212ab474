"""What a run says of its training from inside: the doctor's findings, and the record's charts."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from ..errors import UserError
from ..glass.finding import Diagnosis
from ..glass.record_charts import record_charts
from ..glass.record_files import event_lines, events_path, load_record, row_lines
from ..plot import inline_svg
from ..plot.draw import draw
from ..strict_json import dumps
from ..train.checkpoint import write
from ..words import say
from .findings import Section
from .summary import SUMMARY, read_summary

__all__ = ["RECORD", "charts_section", "diagnosed", "doctor_section", "read_diagnosis", "write_record"]

RECORD = "watch.csv"


def write_record(folder: Path, record: Any) -> None:
    """Write a record into the folder of its run. Raises UserError where it cannot be written."""
    write(folder / RECORD, row_lines(record))
    write(events_path(folder / RECORD), event_lines(record))


def diagnosed(diagnosis: Diagnosis | None) -> dict[str, Any]:
    """What run.json says of a diagnosis: nothing of a run that was not examined."""
    return {} if diagnosis is None else json.loads(dumps(diagnosis.to_dict("en"), default=str))


def read_diagnosis(folder: Path) -> Diagnosis:
    """What the doctor found in a run. Raises UserError for a folder without one, or with a damaged one."""
    return _diagnosis(read_summary(folder), folder)


def _diagnosis(summary: dict[str, Any], folder: Path) -> Diagnosis:
    if "findings" not in summary:
        raise UserError(f"the training of {folder} was not examined; train it again, or give the doctor its recipe")
    found = Diagnosis.from_dict(summary)
    try:
        found.text("en")
    except (LookupError, ValueError, TypeError) as error:
        said = f"its findings cannot be put into words ({type(error).__name__}: {error})"
        raise UserError(f"{folder / SUMMARY} is damaged or of another version of ichikara: {said}") from None
    return found


def doctor_section(summary: dict[str, Any], folder: Path) -> Section | None:
    """The doctor's findings, the most telling first, and what could not be judged."""
    if "findings" not in summary:
        return None
    diagnosis = _diagnosis(summary, folder)
    found = [
        {
            "title": _with_code(finding.title()),
            "certainty": finding.certainty,
            "rows": [(name, _with_code(text)) for name, text in diagnosis.rows(finding)],
        }
        for finding in diagnosis.findings
    ]
    return {
        "note": "" if found else say("doctor.frame.none", "en"),
        "findings": found,
        "unjudged": diagnosis.reasons(),
    }


def _with_code(text: str) -> Markup:
    """A text as HTML, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def charts_section(folder: Path) -> Section | None:
    """The charts of the run's record; None where it has none."""
    if not (folder / RECORD).exists():
        return None
    figures: list[dict[str, str]] = []
    for chart in record_charts(load_record(folder / RECORD)):
        svg = inline_svg(
            draw(replace(chart, caption="")), f"inside-{len(figures)}", chart.alt
        )  # the page has the caption
        figures.append({"svg": svg, "caption": chart.caption})
    return {"note": "Measured at some of the steps, densely at first.", "figures": figures} if figures else None
