"""The tables of docs/doctor-published.md about published programs."""

from collections import Counter

from ..markdown import table
from .program import Program
from .runs import MARKS, SOURCES, UNMAPPED, Row, mark

__all__ = ["BEGIN", "END", "text"]

BEGIN, END = "<!-- programs -->", "<!-- /programs -->"


def text(found: list[tuple[str, Program, Row, Row]]) -> str:
    """What stands between the markers."""
    parts = [summary(found)]
    for source in SOURCES:
        chosen = [(program, sick, sound) for one, program, sick, sound in found if one == source]
        notes = bullets({program.number: program.note for program, *_ in chosen if program.note})
        parts += [f"### {source}", programs(chosen)]
        parts += ["How the ports differ from the programs:", notes] if notes else []
        parts += ["Not here:", bullets(UNMAPPED[source])]
    return "\n\n".join(parts)


def summary(found) -> str:
    """How many of each mark."""
    head = ["source", "programs", *MARKS, "findings on repaired twins"]
    lines = []
    for source in [*SOURCES, "all"]:
        chosen = [row for row in found if source in (row[0], "all")]
        marks = Counter(mark(*row) for _, *row in chosen)
        sound = {row["name"]: row for *_, row in chosen}.values()
        alarms = sum(bool(row["findings"]) for row in sound)
        counts = [str(marks[name]) for name in MARKS]
        lines.append([source, str(len(chosen)), *counts, f"{alarms} of {len(sound)}"])
    meaning = "\n".join(f"- *{name}*: {about}" for name, about in MARKS.items())
    among = Counter(source for source, program, sick, _ in found if {*program.causes} & {*sick["findings"]})
    each = ", ".join(f"{among[source]} of {source}" for source in SOURCES)
    return f"{table(head, lines)}\n\n{meaning}\n\nA right cause is among all findings of a program for {each}."


def programs(chosen) -> str:
    """A table of programs."""
    head = [
        "program",
        "what is wrong",
        "repair",
        "right answers",
        "found",
        "mark",
        "score",
        "found on the repaired one",
    ]
    lines = []
    for program, sick, sound in chosen:
        lines.append(
            [
                program.number,
                program.wrong,
                program.repair,
                ", ".join(program.causes) or "none has a name",
                said(sick),
                mark(program, sick, sound),
                f"{score(sick)} → {score(sound)}",
                said(sound),
            ]
        )
    return table(head, lines)


def said(row: Row) -> str:
    """What was found, the first finding first."""
    return ", ".join(name if name in row["certain"] else f"{name}?" for name in row["findings"]) or "nothing"


def score(row: Row) -> str:
    """Accuracy or explained variance; a dash where the network gives no numbers."""
    return "–" if row["score"] is None else f"{row['score']:.2f}"


def bullets(about: dict[str, str]) -> str:
    """A list of programs, with something about each."""
    return "\n".join(f"- {number}: {text}" for number, text in about.items())
