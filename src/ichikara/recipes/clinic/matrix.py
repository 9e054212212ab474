"""The cells of the confusion matrix: computed by several processes, and kept line by line, so that they are resumed."""

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from ... import glass
from ...glass.doctor import diagnose
from .examination import sick
from .fault import FAULTS
from .harm import HEALTHY_SEEDS, SEEDS, Bounds, bounds, harmed, mark
from .healthy import SUBJECTS, VARIANTS, healthy
from .training import Result

__all__ = ["Cell", "all_cells", "bounds_of", "compute", "finish", "judge", "read"]


class Cell(NamedTuple):
    """A training to be examined. Arguments: ``fault``, "" for none; ``subject``, of `SUBJECTS` or, without a fault, of
    `VARIANTS`; ``seed``."""

    fault: str
    subject: str
    seed: int


def all_cells() -> list[Cell]:
    """Every cell: the healthy ones of the subjects, then all faults with the first seed, the variants, and the rest."""
    faults = [[Cell(f.name, s, seed) for f in FAULTS.values() for s in f.subjects] for seed in SEEDS]
    healthy = [Cell("", subject, seed) for subject in SUBJECTS for seed in HEALTHY_SEEDS]
    return [*healthy, *faults[0], *(Cell("", variant, 0) for variant in VARIANTS), *itertools.chain(*faults[1:])]


def compute(cell: Cell) -> dict[str, Any]:
    """Train and examine a cell: the losses, the findings that are shown, and the seconds of one core that both took.

    Errors: TimeoutError for a training that takes too long.
    """
    began = time.process_time()
    fault = FAULTS[cell.fault] if cell.fault else None
    training = sick(fault, healthy(cell.subject, cell.seed))
    row: dict[str, Any] = {**cell._asdict(), "digest": digest(cell)}
    result = training.fit()
    trained = time.process_time()
    diagnosis = diagnose(training.case())
    return {
        **row,
        "validation": result.validation if result.finite else None,
        "test": result.test if result.finite else None,
        "findings": [finding.name for finding in diagnosis.findings],
        "certain": [finding.name for finding in diagnosis.findings if finding.certainty == "certain"],
        "seconds": round(trained - began, 2),
        "examined": round(time.process_time() - trained, 2),
    }


def finish(
    cells: Iterable[Cell], file: Path, processes: int = 2, report: Callable[[dict[str, Any]], None] = lambda row: None
) -> list[dict[str, Any]]:
    """The rows of cells: those that the file has, and the others computed and appended to it."""
    cells = list(cells)
    rows = read(file)
    left = [cell for cell in cells if cell not in rows]
    file.parent.mkdir(parents=True, exist_ok=True)
    context = get_context("spawn")
    with (
        open(file, "a", encoding="utf-8") as lines,
        ProcessPoolExecutor(processes, mp_context=context, initializer=_alone) as pool,
    ):
        futures = {pool.submit(compute, cell): cell for cell in left}
        for done in as_completed(futures):
            try:
                row = done.result()
            except Exception as error:  # of one cell; the others go on, and this one is tried again the next time
                report({**futures[done]._asdict(), "error": f"{type(error).__name__}: {error}", "seconds": 0})
                continue
            lines.write("\n" + json.dumps(row))  # a line that a kill has cut short stays alone
            lines.flush()
            rows[_cell(row)] = row
            report(row)
    return [rows[cell] for cell in cells if cell in rows]


def read(file: Path) -> dict[Cell, dict[str, Any]]:
    """The rows of a file by their cells, without those that other code computed."""
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    rows = [row for line in lines if (row := _parsed(line))]
    return {_cell(row): row for row in rows if _known(_cell(row)) and row["digest"] == digest(_cell(row))}


def judge(row: Mapping[str, Any], of_subject: Bounds) -> str:
    """The mark of a fault's row, by the bounds of its subject."""
    return mark(harmed(_result(row), of_subject), row["findings"], FAULTS[row["fault"]].accepts)


def bounds_of(rows: Mapping[Cell, Mapping[str, Any]]) -> dict[str, Bounds]:
    """The bounds of each subject whose healthy trainings are all there."""
    found = {}
    for subject in SUBJECTS:
        healthy = [rows[cell] for seed in HEALTHY_SEEDS if (cell := Cell("", subject, seed)) in rows]
        if len(healthy) == len(HEALTHY_SEEDS):
            found[subject] = bounds([_result(row) for row in healthy])
    return found


def digest(cell: Cell) -> str:
    """A checksum over the code of a cell: the training, the fault, and the doctor."""
    here, of_glass = Path(__file__).parent, Path(glass.__file__).parent
    fault = [FAULTS[cell.fault].file] if cell.fault else []
    settings = json.dumps((SUBJECTS.get(cell.subject) or VARIANTS[cell.subject]), sort_keys=True, default=str)
    files = [here / "training.py", *fault, *sorted(of_glass.rglob("*.py"))]
    return hashlib.sha256("".join([settings, *map(_checksum, files)]).encode()).hexdigest()[:16]


@cache
def _checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _cell(row: dict[str, Any]) -> Cell:
    return Cell(row["fault"], row["subject"], row["seed"])


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:  # an empty line, or one that was cut short
        return None


def _known(cell: Cell) -> bool:
    return (not cell.fault or cell.fault in FAULTS) and (cell.subject in SUBJECTS or cell.subject in VARIANTS)


def _result(row: Mapping[str, Any]) -> Result:
    return Result(row["validation"], row["test"]) if row["validation"] is not None else Result()


def _alone() -> None:
    """One thread for each process."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threadpool_limits(1)
