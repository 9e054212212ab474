"""What a run says of its training from inside: the doctor's findings, and the record's charts."""

import json
from pathlib import Path
from typing import Any

from ..glass.record_charts import record_charts
from ..glass.record_files import event_lines, events_path, load_record, row_lines
from ..plot import inline_svg
from ..plot.draw import draw
from ..strict_json import dumps
from ..train.checkpoint import write
from ..words import say
from .findings import Section

__all__ = ["RECORD", "charts_section", "diagnosed", "doctor_section", "write_record"]

RECORD = "watch.csv"


def write_record(folder: Path, record: Any) -> None:
    """Write a record into the folder of its run. Raises UserError where it cannot be written."""
    write(folder / RECORD, row_lines(record))
    write(events_path(folder / RECORD), event_lines(record))


def diagnosed(diagnosis: Any) -> dict[str, Any]:
    """What run.json says of a diagnosis: nothing of a run that was not examined."""
    if diagnosis is None:
        return {}
    said = diagnosis.to_dict("en")
    return json.loads(dumps({"findings": said["findings"], "unjudged": said["unjudged"]}, default=str))


def doctor_section(summary: dict[str, Any]) -> Section | None:
    """The doctor's findings, the most telling first, and what could not be judged."""
    if "findings" not in summary:
        return None
    found = [
        {
            "title": finding["title"],
            "certainty": finding["certainty"],
            "rows": [
                ("seen", finding["seen"]),
                ("cause", finding["cause"]),
                ("cure", finding["cure"]),
                *([("line", finding["line"])] if finding["line"] else []),
                *([("lesson", say(f"lessons.{finding['lesson']}.title", "en"))] if finding["lesson"] else []),
            ],
        }
        for finding in summary["findings"]
    ]
    reasons: dict[str, list[str]] = {}
    for rule, reason in summary.get("unjudged", {}).items():
        reasons.setdefault(reason, []).append(say(f"doctor.topic.{rule}", "en"))
    unjudged = [(", ".join(rules), say(f"doctor.unjudged.{reason}", "en")) for reason, rules in reasons.items()]
    return {"note": "" if found else say("doctor.frame.none", "en"), "findings": found, "unjudged": unjudged}


def charts_section(folder: Path) -> Section | None:
    """The charts of the run's record; None where it has none."""
    if not (folder / RECORD).exists():
        return None
    figures: list[dict[str, str]] = []
    for chart in record_charts(load_record(folder / RECORD)):
        svg = inline_svg(draw(chart), f"inside-{len(figures)}", chart.alt)
        figures.append({"svg": svg, "caption": chart.caption})
    return {"note": "Measured at some of the steps, densely at first.", "figures": figures} if figures else None
