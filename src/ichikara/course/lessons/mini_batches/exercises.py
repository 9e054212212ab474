"""The exercises of lesson 10, and how their answers are judged."""

import numpy

from ichikara.course.answers import defines, numbers
from ichikara.course.lesson import Exercise

__all__ = ["EXERCISES"]


@numbers
def updates(one, last, ten):
    """1,000 examples in batches of 32."""
    if one == 1000:
        return "each_example"
    if one == 31.25:
        return "fraction"
    if one == 31:
        return "left_out"
    if one != 32:
        return "count", {"one": one, "covered": 32 * one}
    if last != 8:
        return "last", {"last": last}
    if ten == 313:
        return "not_mixed"
    return None if ten == 320 else ("epochs", {"ten": ten})


@numbers
def by_hand(g1, g2, w):
    """y = w x with w = 1 and η = 0.1; the examples (1, 3) and (2, 0)."""
    close = lambda value, wanted: abs(value - wanted) < 1e-6
    if close(g1, -2) and close(g2, 4):
        return "factor"
    if close(g1, -4) and close(g2, 4):
        return "inner"
    if close(g1, 4) and close(g2, -8):
        return "sign"
    if not (close(g1, -4) and close(g2, 8)):
        return "slopes", {"g1": g1, "g2": g2}
    if close(w, 0.6):
        return "sum"
    if close(w, 1.2):
        return "uphill"
    if close(w, 0.28):
        return "one_by_one"
    return None if close(w, 0.8) else ("step", {"w": w})


STUB = """def epoch(w, xs, ys, m, rate):
    # one pass over the examples, m at a time, in their order
    # the model is w * x, the loss of an example (w * x - y) ** 2
    for start in range(0, len(xs), m):
        ...
    return w
"""

RIGHT = """def epoch(w, xs, ys, m, rate):
    for start in range(0, len(xs), m):
        batch = list(zip(xs[start:start + m], ys[start:start + m]))
        slope = sum(2 * (w * x - y) * x for x, y in batch) / len(batch)
        w = w - rate * slope
    return w
"""


def pass_over(w, xs, ys, m, rate, *, size=len, sign=1.0, whole=False, moves=True):
    """An epoch with a choice of mistakes.

    Arguments: ``size``, by what a sum is divided; ``whole``, whether an incomplete batch is left out; ``moves``,
    whether a batch sees what the one before has changed.
    """
    begun = w
    for start in range(0, len(xs), m):
        x, y = xs[start : start + m], ys[start : start + m]
        if len(x) == m or not whole:
            w = w - sign * rate * float((2 * ((w if moves else begun) * x - y) * x).sum()) / size(x)
    return w


@defines("epoch")
def epoch(function):
    draw = numpy.random.default_rng(0)
    cases = []
    for n, m in ((6, 2), (7, 3), (5, 1), (5, 5), (10, 4)):
        x = draw.uniform(-1, 1, n)
        cases.append((float(draw.normal()), x, 2 * x + draw.normal(0, 0.5, n), m, 0.2))
    given = [function(w, x.tolist(), y.tolist(), m, rate) for w, x, y, m, rate in cases]
    if any(not isinstance(value, int | float) for value in given):
        return "unwritten"
    agrees = lambda **mistake: numpy.allclose(given, [pass_over(*case, **mistake) for case in cases], atol=1e-9)
    if numpy.allclose(given, [case[0] for case in cases], atol=0):
        return "unwritten"
    if agrees():
        return None
    if agrees(size=lambda x: 1):
        return "sum"
    sizes = iter([size for n, m in ((6, 2), (7, 3), (5, 1), (5, 5), (10, 4)) for size in [m] * -(-n // m)])
    if agrees(size=lambda x: next(sizes)):
        return "full_size"
    if agrees(whole=True):
        return "left_out"
    if agrees(moves=False):
        return "old_weight"
    if agrees(sign=-1.0):
        return "uphill"
    return "values", {
        "m": 2,
        "expected": round(pass_over(1.0, numpy.array([1.0, 2.0]), numpy.array([3.0, 0.0]), 2, 0.1), 3),
    }


EXERCISES = (
    Exercise(
        "updates",
        "numbers",
        updates,
        {"one": "32", "last": "8", "ten": "320"},
        {
            "each_example": {"one": "1000", "last": "1", "ten": "10000"},
            "fraction": {"one": "31.25", "last": "8", "ten": "312.5"},
            "left_out": {"one": "31", "last": "32", "ten": "310"},
            "count": {"one": "33", "last": "8", "ten": "330"},
            "last": {"one": "32", "last": "32", "ten": "320"},
            "not_mixed": {"one": "32", "last": "8", "ten": "313"},
            "epochs": {"one": "32", "last": "8", "ten": "32"},
        },
        fields=("one", "last", "ten"),
    ),
    Exercise(
        "by_hand",
        "numbers",
        by_hand,
        {"g1": "-4", "g2": "8", "w": "0.8"},
        {
            "factor": {"g1": "-2", "g2": "4", "w": "0.9"},
            "inner": {"g1": "-4", "g2": "4", "w": "1"},
            "sign": {"g1": "4", "g2": "-8", "w": "1.2"},
            "slopes": {"g1": "1", "g2": "8", "w": "0.8"},
            "sum": {"g1": "-4", "g2": "8", "w": "0.6"},
            "uphill": {"g1": "-4", "g2": "8", "w": "1.2"},
            "one_by_one": {"g1": "-4", "g2": "8", "w": "0.28"},
            "step": {"g1": "-4", "g2": "8", "w": "2"},
        },
        fields=("g1", "g2", "w"),
    ),
    Exercise(
        "epoch",
        "code",
        epoch,
        RIGHT,
        {
            "unwritten": STUB,
            "sum": RIGHT.replace(" / len(batch)", ""),
            "full_size": RIGHT.replace("len(batch)", "m"),
            "left_out": RIGHT.replace("len(xs), m)", "len(xs) - m + 1, m)"),
            "old_weight": RIGHT.replace("    for start", "    old = w\n    for start", 1).replace("(w * x", "(old * x"),
            "uphill": RIGHT.replace("w - rate", "w + rate"),
            "values": RIGHT.replace("- y) * x", "- y)"),
        },
        stub=STUB,
    ),
)
