"""From the times of rounds to the figures of the page."""

import statistics
from math import exp, log
from typing import Any

OURS = "ichikara"

# All libraries, PyTorch and ours in their modes, in the order in which they are shown.
LIBRARIES = (
    *(OURS, f"{OURS}-stage", "torch", "torch-fused", "torch-channels-last", "torch-compile"),
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


def is_ours(name: str) -> bool:
    """Whether a library is ours, in one of its modes."""
    return name.partition("-")[0] == OURS


def _fastest(row: dict[str, dict[str, Any]], ours: bool) -> str | None:
    times = {name: found["ms"] for name, found in row.items() if is_ours(name) is ours and found.get("ms")}
    return min(times, key=lambda name: median(times[name]), default=None)


def best_of_ours(row: dict[str, dict[str, Any]]) -> str | None:
    """The faster of our modes."""
    return _fastest(row, ours=True)


def best_rival(row: dict[str, dict[str, Any]]) -> str | None:
    """The fastest of the other libraries, in its fastest mode."""
    return _fastest(row, ours=False)


def ratio(row: dict[str, dict[str, Any]], rival: str | None) -> float | None:
    """The median of our time, in the faster mode, in a rival's, where both ran."""
    ours = best_of_ours(row)
    if not ours or not rival or not row.get(rival, {}).get("ms"):
        return None
    return median(ratios(row[ours]["ms"], row[rival]["ms"]))


def geometric_mean(values: list[float]) -> float:
    """The mean for ratios: twice and half give one."""
    return exp(sum(map(log, values)) / len(values))


def limit_ms(cost: dict[str, float], machine: dict[str, float]) -> float:
    """The least time of a step on a machine: of its operations or of its bytes, whichever takes longer."""
    return 1e3 * max(cost["operations"] / machine["operations_s"], cost["bytes"] / machine["bytes_s"])
