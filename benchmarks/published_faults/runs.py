"""Train the published programs in both states, let the doctor examine each, and keep what it said, line by line."""

import hashlib
import json
import math
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy

from ichikara import glass
from ichikara.arrays import Generator, using
from ichikara.glass.case import Case
from ichikara.glass.doctor import CAUSE_UNKNOWN, diagnose
from ichikara.glass.rules.rule import RULES
from ichikara.glass.watcher import watch

from . import deepcrime, deepfd, deepfd_pictures, deepfd_tables, traincheck
from .program import Program, Run, fit

__all__ = ["MARKS", "SOURCES", "Row", "examine", "finish", "mark"]

SOURCES: dict[str, list[Program]] = {
    "DeepFD": deepfd.PROGRAMS + deepfd_tables.PROGRAMS + deepfd_pictures.PROGRAMS,
    "TrainCheck": traincheck.PROGRAMS,
    "DeepCrime": deepcrime.PROGRAMS,
}
UNMAPPED = {
    "DeepFD": deepfd_pictures.UNMAPPED,
    "TrainCheck": traincheck.UNMAPPED,
    "DeepCrime": deepcrime.UNMAPPED,
}
HARM = 0.02
"""By how much the score of a faulty program must be lower to be worse."""

MARKS = {
    "named": "the first finding is a right cause",
    "also": "the first finding is another fault that the program has and the source does not list",
    "unknown": "the doctor says that training went badly, and that it does not know the cause",
    "wrong": "the first finding is something else",
    "missed": "no finding",
    "harmless": "no finding, and the faulty program is as good as the repaired one",
}
"""What a diagnosis of a faulty program is worth."""

Row = dict[str, Any]


def examine(program: Program, repaired: bool, seed: int) -> Row:
    """Train a program in one state, and examine it: what was found, and how good the network is."""
    began = time.perf_counter()
    with numpy.errstate(all="ignore"), using(Generator(seed)):
        run = program.build(repaired, seed)
        with watch(run.model, run.optimizer) as record:
            fit(run, seed)
        score = run.score(run.outputs(run.test), run.test.targets)
    findings = diagnose(case_of(run, record)).findings
    return {
        "findings": [finding.name for finding in findings],
        "certain": [finding.name for finding in findings if finding.certainty == "certain"],
        "score": score if math.isfinite(score) else None,
        "seconds": round(time.perf_counter() - began, 2),
    }


def case_of(run: Run, record: Any) -> Case:
    """What the doctor gets to see."""
    return Case(
        record=record,
        history=run.history,
        losses=run.losses,
        model=run.model,
        loss=run.loss,
        optimizer=run.optimizer,
        train=run.train,
        validation=run.validation,
        batches=run.batches,
        batch_size=run.batch_size,
        settings={"epochs": run.epochs, "shuffle": True},
        diverged=not math.isfinite(run.losses[-1]),
    )


def finish(
    file: Path, only: list[str], seed: int, report: Callable[[Row], None]
) -> list[tuple[str, Program, Row, Row]]:
    """Every program with its rows, faulty and repaired: those that the file has, and the others, appended to it."""
    names = {name for programs in SOURCES.values() for one in programs for name in (*one.causes, *one.also)}
    if not names <= set(RULES):
        raise ValueError(f"right answers that are no rule of the doctor: {', '.join(sorted(names - set(RULES)))}")
    rows = {}
    for line in file.read_text("utf-8").splitlines() if file.exists() else []:
        row = json.loads(line)
        if row["digest"] == digest():
            rows[row["name"]] = row
    file.parent.mkdir(parents=True, exist_ok=True)
    found = []
    with open(file, "a", encoding="utf-8") as lines:
        for source, programs in SOURCES.items():
            for program in programs:
                if only and program.number not in only:
                    continue
                both = []
                for repaired in (False, True):
                    name = f"{source} {program.twin if repaired and program.twin else program.number} {repaired} {seed}"
                    if name not in rows:
                        rows[name] = {"name": name, "digest": digest(), **examine(program, repaired, seed)}
                        lines.write(json.dumps(rows[name]) + "\n")
                        lines.flush()
                        report(rows[name])
                    both.append(rows[name])
                found.append((source, program, *both))
    return found


def mark(program: Program, faulty: Row, repaired: Row) -> str:
    """What a diagnosis of a faulty program is worth, one of `MARKS`."""
    if not faulty["findings"]:
        scores = faulty["score"], repaired["score"]
        return "harmless" if None not in scores and scores[0] > scores[1] - HARM else "missed"
    first = faulty["findings"][0]
    if first in program.causes:
        return "named"
    return "also" if first in program.also else "unknown" if first in CAUSE_UNKNOWN else "wrong"


@cache
def digest() -> str:
    """A checksum over the code of the programs and of the doctor."""
    files = [*sorted(Path(glass.__file__).parent.rglob("*.py")), *sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.name not in IGNORED)).hexdigest()[:16]


IGNORED = ("__main__.py", "page.py")
