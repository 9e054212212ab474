"""docs/doctor.md: what the doctor said about every fault, as a page."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import unseen, unseen_second
from .examination import SECONDS
from .fault import FAULTS, Fault
from .harm import DEVIATIONS, HEALTHY_SEEDS, MARKS, SEEDS, Bounds
from .healthy import VARIANTS
from .matrix import Cell, bounds_of, judge

__all__ = ["judged", "page", "published"]

SIGNS = {"named": "●", "unknown": "?", "wrong": "✗", "missed": "○", "harmless": "·", "alarm": "!"}
TITLES = {"mlp": "MLP", "resnet": "ResNet", "lstm": "LSTM", "gpt": "GPT"}
KINDS = {
    "training": "Faults of the training",
    "data": "Faults of the data",
    "code": "Faults of the code",
    "unseen": "Faults that were written without knowledge of the rules",
    "unseen_second": "Further faults that were written without knowledge of the rules",
}
OF_HARM = ("named", "unknown", "wrong", "missed")

KNOWN_SINCE = """The first rules, which nobody had tried on these faults, named the cause in 28.8% of the cells, and
a wrong one in 28.8%. The rules were then made narrower, by people who knew that. So the score above no longer says how
the doctor does on faults that nobody has looked at; other ones must tell."""

SECOND = """These were written after the rules had been frozen a second time, by someone who had read none of them."""

Rows = Mapping[Cell, Mapping[str, Any]]


TEXT = """# The doctor's test bench

Faults are injected into healthy trainings, and the doctor, who sees nothing but the training, is asked what is wrong.
This page is written by `python -m benchmarks.doctor`. It keeps what is done in `runs/doctor.jsonl`, and goes on from
there when it was interrupted.

## Scores

{scores}

{healthy}

## How it is judged

This was fixed before the rules were judged by it; `recipes/clinic/harm.py` is its code.

- *Harm*: a loss is not a number; or it is worse than the mean of {healthy_seeds} healthy seeds by {deviations:g} of
  their standard deviations, be it on the validation data, as the training evaluates it, or on a test part that no
  fault touches; or the validation loss is too good by as much beside the test loss, as when validation rows were
  trained on.
- *Named*: the first finding shown is one of those that stand beside the fault as right.
- Each fault is injected with {seeds} seeds. A training takes at most {seconds:g} seconds of one core.

The bounds of harm:

| network | validation loss | test loss | test minus validation |
|---|---|---|---|
{bounds}

A cell of the tables has a sign for each seed. It is empty where the fault does not apply to the network.

| sign | meaning |
|---|---|
{signs}
{matrices}

## What was said instead

{confusions}

## Injections without harm

They are not counted above.

{harmless}

## The healthy trainings

The four into which faults are injected, with {healthy_seeds} seeds each, and {variants} others: digits, points in the
plane, curves and surfaces, tables, images, the adding problem and text, by networks of other kinds and sizes, with
other activations, optimisers, schedules, losses and batches. They are in `recipes/clinic/variants.py`.
"""


def page(rows: Rows) -> str:
    """The page of all that was computed."""
    marks = judged(rows)
    matrices: list[str] = []
    for kind, title in KINDS.items():
        faults = [fault for fault in FAULTS.values() if fault.kind == kind]
        if faults:
            matrices += ["", f"## {title}", "", *_frozen(kind), *_matrix(faults, marks)]
    lines = {
        "scores": _scores(marks),
        "healthy": _healthy(rows),
        "bounds": [
            f"| {TITLES[name]} | {' | '.join(f'{bound:.6g}' for bound in limits)} |"
            for name, limits in bounds_of(rows).items()
        ],
        "signs": [f"| {SIGNS[name]} | {name}: {meaning} |" for name, meaning in MARKS.items()],
        "matrices": matrices,
        "confusions": _confusions(rows, marks),
        "harmless": _harmless(rows, marks),
    }
    return TEXT.format(
        healthy_seeds=len(HEALTHY_SEEDS),
        deviations=DEVIATIONS,
        seeds=len(SEEDS),
        seconds=SECONDS,
        variants=len(VARIANTS),
        **{name: "\n".join(some) for name, some in lines.items()},
    )


def judged(rows: Rows) -> dict[Cell, str]:
    """The mark of each cell with a fault, of `MARKS`."""
    limits = bounds_of(rows)
    sick = {cell: row for cell, row in rows.items() if cell.fault and cell.subject in limits}
    return {cell: judge(row, limits[cell.subject]) for cell, row in sick.items()}


def published(text: str) -> tuple[dict[Cell, str], dict[str, Bounds]]:
    """The marks of the cells and the bounds of the subjects that a page states."""
    marks, limits = {}, {}
    subjects, names = {title: name for name, title in TITLES.items()}, {sign: name for name, sign in SIGNS.items()}
    for line in text.splitlines():
        first, *others = [cell.strip() for cell in line.strip("|").split("|")]
        fault = first.strip("`")
        if first in subjects:
            limits[subjects[first]] = Bounds(*map(float, others))
        elif fault in FAULTS and len(others) > len(TITLES):
            for subject, signs in zip(TITLES, others, strict=False):
                for seed, sign in enumerate(signs):
                    if sign in names:
                        marks[Cell(fault, subject, seed)] = names[sign]
    return marks, limits


def _scores(marks: Mapping[Cell, str]) -> list[str]:
    """A table of the scores: of the faults that rules were written for, and of those that were not looked at."""
    lines = [
        "| faults | cells with harm | cause named | cause unknown, and said so | missed | wrong cause | without harm |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, kinds, goal in (
        ("that rules were written for", ("training", "data", "code"), (95, 1)),
        ("that were written without knowledge of the rules", ("unseen",), (None, 3)),
        ("that were so written after the rules were frozen a second time", ("unseen_second",), (None, 3)),
    ):
        counts = Counter(mark for cell, mark in marks.items() if FAULTS[cell.fault].kind in kinds)
        harm = sum(counts[name] for name in OF_HARM)
        if not harm:
            continue
        share = lambda name, counts=counts, harm=harm: f"{counts[name]} ({counts[name] / harm:.1%})"
        without = counts["harmless"] + counts["alarm"]
        named, wrong = goal
        lines.append(
            f"| {title} | {harm} | {share('named')}{f', goal ≥ {named}%' if named else ''} | {share('unknown')} | "
            f"{share('missed')} | {share('wrong')}, goal ≤ {wrong}% | {without} ({without / (harm + without):.1%}), "
            f"at most a quarter |"
        )
    return lines


def _healthy(rows: Rows) -> list[str]:
    healthy = {cell: row for cell, row in rows.items() if not cell.fault}
    if not healthy:
        return []
    found = {cell: row["findings"] for cell, row in healthy.items() if row["findings"]}
    share = f"{len(found)} of {len(healthy)} ({len(found) / len(healthy):.1%}, goal ≤ 1%)"
    lines = [f"Healthy trainings with a finding: {share}."]
    return lines + [f"- `{cell.subject}`, seed {cell.seed}: {_said(names)}" for cell, names in sorted(found.items())]


def _matrix(faults: Iterable[Fault], marks: Mapping[Cell, str]) -> list[str]:
    lines = [
        f"| fault | {' | '.join(TITLES.values())} | what is wrong | right findings |",
        "|---|" + "---|" * (len(TITLES) + 2),
    ]
    for fault in faults:
        cells = []
        for subject in TITLES:
            signs = [
                SIGNS[marks[cell]] if (cell := Cell(fault.name, subject, seed)) in marks else "…" for seed in SEEDS
            ]
            cells.append("".join(signs) if subject in fault.subjects else "")
        right = ", ".join(f"`{name}`" for name in fault.accepts)
        lines.append(f"| `{fault.name}` | {' | '.join(cells)} | {fault.about} | {right} |")
    return lines


def _frozen(kind: str) -> list[str]:
    """What stands above the faults of a set that was written without knowledge of the rules; nothing for others."""
    files = {"unseen": (unseen.__file__, KNOWN_SINCE), "unseen_second": (unseen_second.__file__, SECOND)}
    if kind not in files:
        return []
    file, about = Path(files[kind][0]), files[kind][1]
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()
    return [f"`recipes/clinic/{file.name}` has the SHA-256 `{checksum}`.", "", about, ""]


def _confusions(rows: Rows, marks: Mapping[Cell, str]) -> list[str]:
    other = {
        (cell.fault, cell.subject, mark, _said(rows[cell]["findings"])): None
        for cell, mark in marks.items()
        if mark not in ("named", "harmless")
    }
    if not other:
        return ["Nothing: every cause was named."]
    lines = ["| fault | network | mark | the doctor's findings |", "|---|---|---|---|"]
    for fault, subject, mark, said in sorted(other, key=lambda one: _place(*one[:2])):
        lines.append(f"| `{fault}` | {TITLES[subject]} | {SIGNS[mark]} {mark} | {said} |")
    return lines


def _harmless(rows: Rows, marks: Mapping[Cell, str]) -> list[str]:
    seeds: dict[tuple[str, str, str], list[int]] = {}
    for cell, mark in marks.items():
        if mark in ("harmless", "alarm"):
            seeds.setdefault((cell.fault, cell.subject, _said(rows[cell]["findings"])), []).append(cell.seed)
    lines = ["| fault | network | seeds | the doctor's findings |", "|---|---|---|---|"]
    for (fault, subject, said), which in sorted(seeds.items(), key=lambda one: _place(*one[0][:2])):
        lines.append(f"| `{fault}` | {TITLES[subject]} | {', '.join(map(str, sorted(which)))} | {said} |")
    return lines


def _place(fault: str, subject: str) -> tuple[int, int]:
    return list(FAULTS).index(fault), list(TITLES).index(subject)


def _said(findings: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in findings) or "none"
