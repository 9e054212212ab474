"""Where an axis has its ticks, and what they say. Pages and files have the same, since they are part of the chart."""

import math
from typing import NamedTuple

from .numbers import power_text, short_text

__all__ = ["Tick", "ticks_between"]

MOST = 5  # ticks on an axis


class Tick(NamedTuple):
    """A place on an axis, and the words beneath it."""

    at: float
    text: str


def ticks_between(low: float, high: float, scale: str = "linear", whole: bool = False) -> list[Tick]:
    """At most five ticks from ``low`` to ``high``: multiples of 1, 2 or 5 times a power of ten; powers on a log scale.

    Arguments: ``scale``, "linear" or "log"; ``whole``, whether only whole numbers have a meaning.

    >>> [text for _, text in ticks_between(-0.3, 1.04)]
    ['0.0', '0.5', '1.0']
    >>> [text for _, text in ticks_between(2e-7, 3.0, "log")]
    ['10⁻⁶', '10⁻⁴', '10⁻²', '1']
    >>> [text for _, text in ticks_between(1, 3, whole=True)]
    ['1', '2', '3']
    """
    if scale == "log":
        return _log_ticks(low, high)
    return _linear_ticks(low, high, whole)


def _linear_ticks(low: float, high: float, whole: bool) -> list[Tick]:
    # The exponent of the first step tried is too small, so that the loop meets every one that could do.
    exponent = math.floor(math.log10(max(high / MOST - low / MOST, 5e-324))) - 1
    if whole:
        exponent = max(exponent, 0)
    while True:
        for factor in (1, 2, 5):
            step = float(f"{factor}e{exponent}")
            if step > 0 and high / step - low / step < MOST + 1:
                first, last = _inside(low / step, high / step)
                if last - first < MOST:
                    return [
                        Tick(float(f"{i * factor}e{exponent}"), _fixed_text(i * factor, exponent))
                        for i in range(first, last + 1)
                    ]
        exponent += 1


def _inside(low: float, high: float) -> tuple[int, int]:
    """The first and the last whole number of a range, which rounding may have moved a little."""
    first, last, span = round(low), round(high), min(high - low, 1)
    first = first if abs(first - low) <= 1e-9 * max(abs(low), span) else math.ceil(low)
    last = last if abs(last - high) <= 1e-9 * max(abs(high), span) else math.floor(high)
    return first, last


def _fixed_text(digits: int, exponent: int) -> str:
    """A multiple of a power of ten, with as many decimals as its neighbours have."""
    if exponent >= 5 or exponent < -4:
        return short_text(float(f"{digits}e{exponent}"), 12)
    value = digits * 10**exponent if exponent >= 0 else float(f"{digits}e{exponent}")
    return f"{value:.{max(-exponent, 0)}f}".replace("-", "−")


def _log_ticks(low: float, high: float) -> list[Tick]:
    first, last = _inside(math.log10(low), math.log10(high))
    if last > first:
        step = 1 + (last - first) // MOST
        return [Tick(float(f"1e{e}"), power_text(e)) for e in range(first, last + 1) if e % step == 0]
    for factors in ((1, 2, 5), (1, 3)):
        numbers = [float(f"{factor}e{e}") for e in range(first - 2, last + 3) for factor in factors]
        found = [Tick(at, short_text(at)) for at in numbers if low <= at <= high]
        if 2 <= len(found) <= MOST:
            return found
    return _linear_ticks(low, high, False)
