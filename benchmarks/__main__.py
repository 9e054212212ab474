"""Measure the time of a step of ichikara and of other libraries, side by side.

    python -m benchmarks                          # all workloads, all libraries
    python -m benchmarks BD --rounds 5            # two of them
    python -m benchmarks --libraries ichikara torch jax
    python -m benchmarks --json all.json --write  # keep the figures, and write docs/performance.md
    python -m benchmarks --from-json all.json --write

A letter names a workload; I is six of them. Libraries that are not installed or fail are named with the reason.
"""

import argparse
import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from . import digits, limits, measure, page, picture
from .figures import LIBRARIES, OURS, best_of_ours, best_rival, is_ours, limit_ms, median, ratio
from .workloads import LETTERS, SWEEPS, WORKLOADS

DOCS = measure.ROOT / "docs"
PACKAGES = ("numpy", "numba", "scipy", "torch", "jax", "scikit-learn", "autograd", "dezero", "tinygrad")
ROUNDS_OF_PICTURE = 3


def describe() -> dict[str, Any]:
    """The machine and the versions of what is installed."""
    processors = Path("/proc/cpuinfo")
    lines = processors.read_text().splitlines() if processors.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    versions = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue  # its rows say that it does not run
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "versions": versions,
    }


def run(letters: str, chosen: list[str], rounds: int, threads: int, with_picture: bool, say) -> dict[str, Any]:
    """Measure workloads, the machine's limits, and what the picture shows."""
    say("limits of the machine")
    result: dict[str, Any] = {
        "about": describe(),
        "threads": threads,
        "rounds": rounds,
        "machine": limits.measure(threads),
        "rows": {},
    }
    if OURS in chosen:
        say("the recipe digits")
        result["digits"] = digits.measure(threads)
    for workload in WORKLOADS:
        names = [name for name in measure.variants(workload) if name in chosen]
        if workload.name[0] in letters and names:
            found = measure.measure(workload, names, rounds, threads, say=say)
            row = {"title": workload.title, "cost": workload.cost._asdict(), "found": found}
            result["rows"][workload.name] = row
    if with_picture:
        drawn = list(picture.STYLES)
        result["sweeps"] = {
            quantity: {
                str(size): measure.measure(workload, drawn, min(rounds, ROUNDS_OF_PICTURE), threads, say=say)
                for size, workload in points.items()
            }
            for quantity, points in SWEEPS.items()
        }
    return result


def show(result: dict[str, Any], console: Console) -> None:
    """Print a table of the medians, and what did not run."""
    table = Table("workload", "library", title="A step in ms: median and quartiles of all rounds")
    for head in ("step", "ours/theirs", "limits", "peak MiB"):
        table.add_column(head, justify="right")
    for name, row in result["rows"].items():
        found, least = row["found"], limit_ms(row["cost"], result["machine"])
        fastest = best_rival(found)
        for library in page.libraries({name: row}):
            ms = found[library]["ms"]
            against = ratio(found, library)
            table.add_row(
                name,
                library + " *" * (library in (best_of_ours(found), fastest)),
                page.with_range(ms),
                "" if against is None or is_ours(library) else f"{against:.2f}",
                page.number(median(ms) / least),
                f"{found[library]['peak_mib']:.0f}",
            )
        table.add_section()
    console.print(table)
    console.print("* the fastest of ours and of the others; 'limits' is how often the machine's limit goes into a step")
    rows = result["rows"]
    for text in (page.mean_line(rows), page.disturbances(rows), page.failures(rows)):
        if text:
            console.print(text.replace("**", ""), markup=False)


def options_of(words: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("letters", nargs="*", help=f"workloads, by default all of {LETTERS}")
    parser.add_argument("--rounds", type=int, default=15, help="how often each library has its turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=LIBRARIES, metavar="LIBRARY")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures")
    parser.add_argument("--from-json", type=Path, metavar="FILE", help="measure nothing, take these figures")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and its picture")
    options = parser.parse_args(words)
    options.letters = "".join(options.letters).upper() or LETTERS
    unknown = sorted(set(options.letters) - set(LETTERS))
    if unknown:
        parser.error(f"unknown workloads: {', '.join(unknown)}; there are {', '.join(LETTERS)}")
    if options.rounds < 1 or options.threads < 1:
        parser.error("rounds and threads are at least 1")
    if options.from_json and not options.from_json.is_file():
        parser.error(f"there is no file {options.from_json} to take figures from; --json FILE writes one")
    return options


def main() -> None:
    options = options_of()
    if options.from_json:
        result = json.loads(options.from_json.read_text(encoding="utf-8"))
    else:
        say = lambda line: print(f"\r{line:<60}", end="", file=sys.stderr, flush=True)
        result = run(options.letters, options.libraries, options.rounds, options.threads, options.write, say)
        say("")
        print(file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    show(result, Console())
    if options.write:
        drawn = DOCS / "pictures" / "performance.svg"
        if "sweeps" in result:
            picture.draw(result["sweeps"], drawn)
        page.write(result, DOCS / "performance.md", "pictures/performance.svg" if drawn.exists() else None)


if __name__ == "__main__":
    main()
