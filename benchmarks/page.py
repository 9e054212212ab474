"""docs/performance.md from the figures of a measurement; what was written by hand between its markers stays."""

from pathlib import Path
from typing import Any

from .figures import (
    LIBRARIES,
    best_of_ours,
    best_rival,
    geometric_mean,
    is_ours,
    limit_ms,
    median,
    quartiles,
    ratio,
    ratios,
)
from .measure import STARTS

BEGIN, END = "<!-- notes -->", "<!-- /notes -->"
NOTES = "\nNothing is noted yet.\n"


def write(result: dict[str, Any], path: Path, picture: str | None = None) -> None:
    """Write the page; ``picture`` is its place as seen from the page."""
    notes = notes_of(path.read_text(encoding="utf-8")) if path.exists() else NOTES
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(result, notes, picture), encoding="utf-8")


def notes_of(page: str) -> str:
    """What stands between the markers of a page."""
    if BEGIN not in page or END not in page:
        return NOTES
    return page.split(BEGIN, 1)[1].split(END, 1)[0]


def text(result: dict[str, Any], notes: str, picture: str | None) -> str:
    """The whole page."""
    parts = [
        "# Performance",
        "The time of a whole step — forward, loss, backward and update — in float32, beside other libraries.\n"
        "Written by `python -m benchmarks --write`; only the notes at the end are written by hand.",
        machine(result),
        "## Times",
        "Milliseconds for a step: the median of all rounds, and in brackets the quartiles. The libraries of a row\n"
        "took turns, a round each, every one in a process of its own.",
        times(result["rows"]),
        disturbances(result["rows"]),
        "## Ratios",
        "Our time, in the faster mode, in theirs, taken in each round and then the median: below 1 we are faster. In\n"
        "brackets the quartiles.",
        ratio_table(result["rows"]),
        mean_line(result["rows"]),
        "## Limits",
        limits(result),
        "## Memory",
        "The most memory a process held, in MiB, and in brackets how much of it came after the imports.",
        memory(result["rows"]),
        "## Starts",
        starts(result["rows"]),
        starts_of_ours(result),
    ]
    if picture:
        parts += ["## Sizes", f"![The time of a step against batch and width]({picture})"]
    failed = failures(result["rows"])
    if failed:
        parts += ["## What did not run", failed]
    parts += ["## What paid, what did not, and what holds it back", f"{BEGIN}{notes}{END}"]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: list[str], lines: list[list[str]]) -> str:
    """A table of Markdown, all columns but the first to the right."""
    rows = [head, ["---", *["---:"] * (len(head) - 1)], *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def number(value: float) -> str:
    """Three figures, as far as they mean anything."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def with_range(values: list[float]) -> str:
    """The median, and in brackets the quartiles."""
    low, high = quartiles(values)
    return f"{number(median(values))} ({number(low)}–{number(high)})"


def libraries(rows: dict[str, Any]) -> list[str]:
    """All that ran somewhere."""
    return [name for name in LIBRARIES if any(name in ran(row) for row in rows.values())]


def by_library(rows: dict[str, Any], names: list[str], cell) -> str:
    """A table of workloads and libraries; ``cell`` gives the text for what was found of one, where it ran."""
    lines = []
    for name, row in rows.items():
        found = row["found"]
        cells = [cell(found, library) if found.get(library, {}).get("ms") else "" for library in names]
        lines.append([f"**{name}** {row['title']}", *cells])
    return table(["workload", *names], lines)


def machine(result: dict[str, Any]) -> str:
    """What it was measured on, with what."""
    about, top = result["about"], result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"Machine: {about['cpu']}, {about['cores']} cores, {about['system']}; {result['threads']} threads, "
        f"{result['rounds']} rounds. Measured limits: {top['operations_s'] / 1e9:.0f} GFLOP/s in products of float32 "
        f"matrices, {top['bytes_s'] / 1e9:.1f} GB/s in copies of memory.\n\nVersions: {versions}."
    )


def times(rows: dict[str, Any]) -> str:
    return by_library(rows, libraries(rows), lambda found, library: with_range(found[library]["ms"]))


def disturbances(rows: dict[str, Any]) -> str:
    """How many turns began while other programs were at work."""
    turns = [row["found"][name] for row in rows.values() for name in ran(row)]
    disturbed, all_turns = sum(found["disturbed"] for found in turns), sum(len(found["ms"]) for found in turns)
    return f"Turns that began while other programs kept the machine busy: {disturbed} of {all_turns}."


def ratio_table(rows: dict[str, Any]) -> str:
    def cell(found, library):
        ours = best_of_ours(found)
        if not ours:
            return ""
        each = ratios(found[ours]["ms"], found[library]["ms"])
        return f"**{with_range(each)}**" if library == best_rival(found) else with_range(each)

    return by_library(rows, [name for name in libraries(rows) if not is_ours(name)], cell)


def mean_line(rows: dict[str, Any]) -> str:
    """The geometric mean against the best of the others in each row."""
    values = {name: ratio(row["found"], best_rival(row["found"])) for name, row in rows.items()}
    known = [value for value in values.values() if value is not None]
    if not known:
        return ""
    mean = number(geometric_mean(known))
    return f"Geometric mean of our time in that of the fastest other library of each row (bold): **{mean}**."


def limits(result: dict[str, Any]) -> str:
    """What the machine would need for the operations and bytes alone, and how many times that we take."""
    lines = []
    for name, row in result["rows"].items():
        cost, least = row["cost"], limit_ms(row["cost"], result["machine"])
        mine, fastest = best_of_ours(row["found"]), best_rival(row["found"])
        ours = row["found"][mine]["ms"] if mine else None
        lines.append(
            [
                f"**{name}**",
                number(cost["operations"] / 1e6),
                number(cost["bytes"] / 1e6),
                number(least),
                number(median(ours) / least) if ours else "",
                number(median(row["found"][fastest]["ms"]) / least) if fastest else "",
            ]
        )
    return (
        "The least time that the machine needs for the products of a step or for moving its numbers, whichever is\n"
        "longer, and how many times that a step takes. Bytes are counted as if each layer fetched its inputs from\n"
        "memory, so a step whose numbers stay in the caches can be faster; a step of A is too small for either.\n\n"
        + table(["workload", "million operations", "million bytes", "limit, ms", "ours/limit", "best/limit"], lines)
    )


def memory(rows: dict[str, Any]) -> str:
    def cell(found, library):
        of = found[library]
        return f"{of['peak_mib']:.0f} ({of['peak_mib'] - of['imported_mib']:.0f})"

    return by_library(rows, libraries(rows), cell)


def starts(rows: dict[str, Any]) -> str:
    """Import times, and times from building the network to the end of its first step."""
    names = libraries(rows)
    imports = [
        [name, number(median([row["found"][name]["import_s"] for row in rows.values() if name in ran(row)]))]
        for name in names
    ]

    def cell(found, library):
        warm, cold = found[library]["first_s"], found[library].get("cold_s")
        return number(warm) if cold is None else f"{number(warm)} ({number(cold)})"

    return (
        "Seconds to import a library, the median of all its processes.\n\n"
        + table(["library", "import, s"], imports)
        + "\n\nSeconds from building the network to the end of its first step. What keeps compiled code on disk was\n"
        f"started {STARTS} times with all of it there, of which this is the median; in brackets the very first time\n"
        "on a machine.\n\n" + by_library(rows, names, cell)
    )


def starts_of_ours(result: dict[str, Any]) -> str:
    """What a first step costs more than a later one, at the most, and how the recipe that needs no compiler begins."""
    lines = []
    for key, said in (("first_s", "With all on disk"), ("cold_s", "With nothing on disk")):
        more = {
            f"{name}, {library}": found[key] - median(found["ms"]) / 1e3
            for name, row in result["rows"].items()
            for library, found in row["found"].items()
            if is_ours(library) and found.get("ms") and found.get(key) is not None
        }
        if more:
            worst = max(more, key=lambda name: more[name])
            lines.append(
                f"{said}, a first step of ours takes at the most {number(more[worst])} s more than a later one\n"
                f"({worst})."
            )
    if "digits" in result:
        step, epoch = (number(result["digits"][key]) for key in ("step_s", "epoch_s"))
        lines.append(
            f"With nothing on disk the recipe `digits` ends its first step {step} s after the start of the training,\n"
            f"its first epoch after {epoch} s."
        )
    return "\n".join(lines)


def ran(row: dict[str, Any]) -> list[str]:
    """The libraries of a row that gave times."""
    return [name for name, found in row["found"].items() if found.get("ms")]


def failures(rows: dict[str, Any]) -> str:
    """What gave no times and why, a line for each reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, row in rows.items():
        for library, found in row["found"].items():
            if found.get("error"):
                reasons.setdefault((library, found["error"]), []).append(name)
    return "\n".join(f"- {library} ({', '.join(names)}): {why}" for (library, why), names in reasons.items())
