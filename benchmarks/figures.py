"""From the times of rounds to the figures of the page."""

import statistics
from math import exp, log
from typing import Any

OURS = "ichikara"

# All libraries, PyTorch in its modes, in the order in which they are shown.
LIBRARIES = (
    *(OURS, "torch", "torch-fused", "torch-channels-last", "torch-compile"),
    *("jax", "scikit-learn", "autograd", "dezero", "tinygrad"),
)


def median(times: list[float]) -> float:
    """The middle one."""
    return statistics.median(times)


def quartiles(times: list[float]) -> tuple[float, float]:
    """Between which two values the middle half lies."""
    if len(times) < 2:
        return times[0], times[0]
    low, _, high = statistics.quantiles(times, n=4, method="inclusive")
    return low, high


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Our time in theirs, round by round: what slowed a round slowed both."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def rivals(row: dict[str, dict[str, Any]]) -> dict[str, list[float]]:
    """The times of the other libraries that ran, by name."""
    return {name: found["ms"] for name, found in row.items() if name != OURS and found.get("ms")}


def best_rival(row: dict[str, dict[str, Any]]) -> str | None:
    """The fastest of the other libraries."""
    others = rivals(row)
    return min(others, key=lambda name: median(others[name]), default=None)


def ratio(row: dict[str, dict[str, Any]], rival: str | None) -> float | None:
    """The median of our time in a rival's, where both ran."""
    if not rival or not row.get(OURS, {}).get("ms") or not row.get(rival, {}).get("ms"):
        return None
    return median(ratios(row[OURS]["ms"], row[rival]["ms"]))


def geometric_mean(values: list[float]) -> float:
    """The mean for ratios: twice and half give one."""
    return exp(sum(map(log, values)) / len(values))


def limit_ms(cost: dict[str, float], machine: dict[str, float]) -> float:
    """The least time of a step on a machine: of its operations or of its bytes, whichever takes longer."""
    return 1e3 * max(cost["operations"] / machine["operations_s"], cost["bytes"] / machine["bytes_s"])
