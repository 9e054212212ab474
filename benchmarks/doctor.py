"""Train the clinic's faults and healthy runs, let the doctor examine each, and write docs/doctor.md.

    python -m benchmarks.doctor                                 # all of it, in two processes; what is done is kept
    python -m benchmarks.doctor --faults no_zero_grad frozen    # these, and print what the doctor said; no page
    python -m benchmarks.doctor --subjects mlp --seeds 0        # a part of each
    python -m benchmarks.doctor --healthy                       # the healthy runs alone
    python -m benchmarks.doctor --table                         # train nothing, write the page of what is there

A run that was interrupted is taken up where it stopped. A cell whose code has changed, be it the fault's or the
doctor's, is computed again.
"""

import argparse
from pathlib import Path

from ichikara.recipes.clinic import FAULTS, SUBJECTS
from ichikara.recipes.clinic.matrix import all_cells, finish, read
from ichikara.recipes.clinic.page import judged, page

PAGE = Path(__file__).parent.parent / "docs" / "doctor.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", nargs="*", help="which; by default all")
    parser.add_argument("--subjects", nargs="*", choices=list(SUBJECTS), help="in which; by default all")
    parser.add_argument("--seeds", nargs="*", type=int, help="which; by default all")
    parser.add_argument("--healthy", action="store_true", help="only trainings without a fault")
    parser.add_argument("--file", type=Path, default=Path("runs/doctor.jsonl"), help="where the cells are kept")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="train nothing")
    options = parser.parse_args()
    unknown = [name for name in options.faults or () if name not in FAULTS]
    if unknown:
        parser.error(f"unknown faults: {', '.join(unknown)}; known: {', '.join(FAULTS)}")
    cells = [] if options.table else all_cells()
    if options.healthy:
        cells = [cell for cell in cells if not cell.fault]
    for name, chosen in (("fault", options.faults), ("subject", options.subjects), ("seed", options.seeds)):
        if chosen is not None:  # the healthy ones of a subject are what its faults are compared with
            subjects = options.subjects or list(SUBJECTS)
            cells = [c for c in cells if getattr(c, name) in chosen or (not c.fault and c.subject in subjects)]
    done = 0

    def report(row: dict) -> None:
        nonlocal done
        done += 1
        name, where = row["fault"] or "healthy", f"{row['subject']} {row['seed']}"
        if "error" in row:
            print(f"{done:4}  {name:28} {where:40} {row['error']}", flush=True)
            return
        losses = " ".join("NaN" if row[of] is None else f"{row[of]:.4g}" for of in ("validation", "test"))
        said = ", ".join(row["findings"]) or "nothing found"
        print(f"{done:4}  {name:28} {where:40} {losses:16} {row['seconds']:5.1f} s  {said}", flush=True)

    finish(cells, options.file, options.processes, report)
    rows = read(options.file)
    if options.faults or options.subjects or options.seeds:
        for cell, mark in judged({cell: row for cell, row in rows.items() if not cell.fault or cell in cells}).items():
            print(f"{mark:9} {' '.join(map(str, cell))}: {', '.join(rows[cell]['findings'])}")
        return
    text = page(rows)
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
