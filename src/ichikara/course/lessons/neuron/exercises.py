"""The exercises of lesson 1, and how each recognises what is wrong."""

import numpy

from ichikara.course.answers import defines, numbers
from ichikara.course.lesson import Exercise


def table(w0, w1, w2, wanted):
    """The first row of inputs on which the neuron does not answer as wanted, and its sum; None if there is none."""
    for (x1, x2), want in wanted.items():
        u = w0 + w1 * x1 + w2 * x2
        if (u > 0) != want:
            return (x1, x2), u, want
    return None


AND = {(0, 0): 0, (0, 1): 0, (1, 0): 0, (1, 1): 1}
OR = {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 1}
NAND = {row: 1 - o for row, o in AND.items()}


@numbers
def nand(w0, w1, w2):
    if w0 == w1 == w2 == 0:
        return "zero"
    wrong = table(w0, w1, w2, NAND)
    if wrong is None:
        return None
    row, u, _ = wrong
    values = {"x1": row[0], "x2": row[1], "u": u}
    if table(w0, w1, w2, AND) is None:
        return "and", values
    if u == 0:
        return "on_the_line", values
    if row == (0, 0):
        return "bias", values
    if w1 > 0 or w2 > 0:
        return "sign", values
    return ("one_is_enough", values) if sum(row) == 1 else ("not_enough", values)


@numbers
def and_or(a0, a1, a2, o0, o1, o2):
    first, second = table(a0, a1, a2, AND), table(o0, o1, o2, OR)
    if first is None and second is None:
        return None
    if table(o0, o1, o2, AND) is None and table(a0, a1, a2, OR) is None:
        return "exchanged"
    name, wrong = ("AND", first) if first else ("OR", second)
    values = {"gate": name, "x1": wrong[0][0], "x2": wrong[0][1], "u": wrong[1]}
    if wrong[1] == 0:
        return "on_the_line", values
    return ("should_be_silent", values) if not wrong[2] else ("should_fire", values)


@numbers
def given_line(w0, w1, w2):
    """The line through (0, 1) and (2, 0), above which the neuron fires: x₁ + 2 x₂ − 2 = 0."""
    if w1 == w2 == 0:
        return "no_line"
    on = [w0 + w2, w0 + 2 * w1]
    scale = max(abs(w0), abs(w1), abs(w2))
    if max(map(abs, on)) <= 1e-9 * scale:
        return None if w0 + 2 * w1 + 2 * w2 > 0 else "other_side"
    if abs(w0 + 2 * w2) <= 1e-9 * scale and abs(w0 + w1) <= 1e-9 * scale:
        return "exchanged"
    if abs(-w0 + w2) <= 1e-9 * scale and abs(-w0 + 2 * w1) <= 1e-9 * scale:
        return "bias_sign"
    return "not_through", {"first": on[0], "second": on[1]}


def doubling(answer):
    return None if answer == "steeper" else answer or "empty"


PREDICT = """def predict(w, x):
    # w = [w0, w1, w2]   x = [x1, x2]
    u = ...
    return ...
"""


@defines("predict")
def predict(function):
    draw = numpy.random.default_rng(0)
    cases = [([-1.0, 1.0, 0.0], [1.0, 0.0])]  # the sum is exactly 0
    cases += [(list(map(float, draw.normal(size=3))), list(map(float, draw.normal(size=2)))) for _ in range(200)]
    found = [function(list(w), list(x)) for w, x in cases]
    if any(value is ... or value is None for value in found):
        return "unwritten"
    sums = [w[0] + w[1] * x[0] + w[2] * x[1] for w, x in cases]
    if all(value == (u > 0) for value, u in zip(found, sums, strict=True)):
        return None
    if all(abs(float(value) - u) < 1e-9 for value, u in zip(found, sums, strict=True)):
        return "sum"
    if all(value == (u >= 0) for value, u in zip(found, sums, strict=True)):
        return "at_zero"
    without = [w[1] * x[0] + w[2] * x[1] for w, x in cases]
    if all(value == (u > 0) for value, u in zip(found, without, strict=True)):
        return "bias"
    return "products"


RIGHT = "def predict(w, x):\n    u = w[0] + w[1] * x[0] + w[2] * x[1]\n    return 1 if u > 0 else 0\n"

EXERCISES = (
    Exercise(
        "nand",
        "numbers",
        nand,
        {"w0": "1.5", "w1": "-1", "w2": "-1"},
        {
            "zero": {"w0": "0", "w1": "0", "w2": "0"},
            "and": {"w0": "-1.5", "w1": "1", "w2": "1"},
            "on_the_line": {"w0": "1", "w1": "-1", "w2": "-0.5"},
            "bias": {"w0": "-1", "w1": "-1", "w2": "-1"},
            "sign": {"w0": "1", "w1": "2", "w2": "-0.5"},
            "one_is_enough": {"w0": "1", "w1": "-2", "w2": "-2"},
            "not_enough": {"w0": "3", "w1": "-1", "w2": "-1"},
        },
        fields=("w0", "w1", "w2"),
    ),
    Exercise(
        "and_or",
        "numbers",
        and_or,
        {"a0": "-1.5", "a1": "1", "a2": "1", "o0": "-0.5", "o1": "1", "o2": "1"},
        {
            "exchanged": {"a0": "-0.5", "a1": "1", "a2": "1", "o0": "-1.5", "o1": "1", "o2": "1"},
            "on_the_line": {"a0": "-2", "a1": "1", "a2": "1", "o0": "-0.5", "o1": "1", "o2": "1"},
            "should_be_silent": {"a0": "1", "a1": "1", "a2": "1", "o0": "-0.5", "o1": "1", "o2": "1"},
            "should_fire": {"a0": "-1.5", "a1": "1", "a2": "1", "o0": "-3", "o1": "1", "o2": "1"},
        },
        fields=("a0", "a1", "a2", "o0", "o1", "o2"),
    ),
    Exercise(
        "given_line",
        "numbers",
        given_line,
        {"w0": "-2", "w1": "1", "w2": "2"},
        {
            "no_line": {"w0": "1", "w1": "0", "w2": "0"},
            "other_side": {"w0": "2", "w1": "-1", "w2": "-2"},
            "exchanged": {"w0": "-2", "w1": "2", "w2": "1"},
            "bias_sign": {"w0": "2", "w1": "1", "w2": "2"},
            "not_through": {"w0": "-1", "w1": "1", "w2": "1"},
        },
        fields=("w0", "w1", "w2"),
    ),
    Exercise(
        "doubling",
        "choice",
        doubling,
        "steeper",
        {"moves": "moves", "nothing": "nothing", "both": "both"},
        fields=("nothing", "moves", "steeper", "both"),
    ),
    Exercise(
        "predict",
        "code",
        predict,
        RIGHT,
        {
            "bias": RIGHT.replace("w[0] + ", ""),
            "at_zero": RIGHT.replace("u > 0", "u >= 0"),
            "sum": RIGHT.replace("1 if u > 0 else 0", "u"),
            "products": RIGHT.replace("w[2] * x[1]", "w[1] * x[1]"),
        },
        stub=PREDICT,
    ),
)
