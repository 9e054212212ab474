"""The exercises of lesson 7, and what finds out what is wrong with an answer."""

import numpy

from ichikara.autodiff import GradientError, check_grads
from ichikara.autodiff.engine import Operation
from ichikara.course.answers import numbers
from ichikara.course.lesson import Exercise

__all__ = ["EXERCISES"]

near = lambda value, wanted: abs(value - wanted) <= 1e-6 + 1e-3 * abs(wanted)
OUT, F1, W00, F0, V0, W01, F1_, V1 = -0.5, 0.2, 3.0, 0.25, 2.0, -1.0, 0.1, 4.0  # the numbers of the exercise `blanks`


@numbers
def blanks(u, first, second, sum):
    """∂L/∂o = −0.5, f¹′ = 0.2; path 1: 3, 0.25, 2; path 2: −1, 0.1, 4."""
    before = OUT * F1
    one, two = before * W00 * F0 * V0, before * W01 * F1_ * V1
    if all(map(near, (u, first, second, sum), (before, one, two, one + two))):
        return None
    if not near(u, before):
        return "added" if near(u, OUT + F1) else "start"
    if near(first, W00 * F0 * V0) and near(second, W01 * F1_ * V1):
        return "alone"
    if near(first, before * W00 * V0) or near(second, before * W01 * V1):
        return "slope"
    if near(second, -two):
        return "sign"
    if not (near(first, one) and near(second, two)):
        return "factors", {"path": 2 if near(first, one) else 1}
    return "multiplied" if near(sum, one * two) else "sum"


def missing(answer):
    return None if answer == "right_way" else answer or "empty"


@numbers
def shared(first, second, sum):
    """u = w x + 1, L = w u, with w = 3 and x = 2: the weight is used twice."""
    w, x = 3.0, 2.0
    u = w * x + 1
    if near(first, w * x) and near(second, u):
        return "exchanged"
    if not near(first, u):
        return "first"
    if near(second, x):
        return "half_way"
    if not near(second, w * x):
        return "second"
    if near(sum, u + w * x):
        return None
    if near(sum, u * w * x):
        return "multiplied"
    return "one" if near(sum, u) or near(sum, w * x) else "sum"


BACKWARD_STUB = """def mul_backward(g, a, b):
    # g is the gradient that arrives at the product a * b
    return ..., ...     # the gradient of a, that of b


def tanh_backward(g, y):
    # y = tanh(x) was kept in the forward pass
    return ...          # the gradient of x
"""


def mul(a, b, /):
    return a * b


def tanh(x, /):
    return numpy.tanh(x)


def backward(names):
    for name in ("mul_backward", "tanh_backward"):
        if not callable(names.get(name)):
            return "undefined", {"name": name}
    first, second = names["mul_backward"], names["tanh_backward"]
    g, a, b, y = 2.0, 3.0, 5.0, 0.5
    pair, one = first(g, a, b), second(g, y)
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        return "pair"
    if any(value is ... or value is None for value in (*pair, one)):
        return "unwritten"
    return mul_problem(first, pair, g, a, b) or tanh_problem(second, one, g, y)


def mul_problem(answer, pair, g, a, b):
    if all(map(near, pair, (g * a, g * b))):
        return "exchanged"
    if all(map(near, pair, (b, a))):
        return "no_g"
    rule = Operation(mul, "y = a b", broadcasts=True)
    rule.gradient(a=("", lambda g, a, b: answer(g, a, b)[0]), b=("", lambda g, a, b: answer(g, a, b)[1]))
    return problem(rule, [0.5, -1.2], [1.5, 0.3])


def tanh_problem(answer, one, g, y):
    if near(one, 1 - y * y):
        return "no_g_tanh"
    if near(one, g * (1 - numpy.tanh(y) ** 2)):
        return "twice"
    rule = Operation(tanh, "y = tanh x", floating=True)
    rule.gradient(x=("", lambda g, y: answer(g, y)))
    return problem(rule, [0.5, -1.2])


def problem(rule, *places):
    """What `check_grads` says of a rule: None, or its own words."""
    try:
        check_grads(rule, *places, order=1)
    except GradientError as error:
        return "slope", {"said": str(error)}
    return None


RIGHT = (
    "def mul_backward(g, a, b):\n    return g * b, g * a\n\n\ndef tanh_backward(g, y):\n    return g * (1 - y * y)\n"
)

EXERCISES = (
    Exercise(
        "blanks",
        "numbers",
        blanks,
        {"u": "-0.1", "first": "-0.15", "second": "0.04", "sum": "-0.11"},
        {
            "added": {"u": "-0.3", "first": "-0.15", "second": "0.04", "sum": "-0.11"},
            "start": {"u": "0.1", "first": "-0.15", "second": "0.04", "sum": "-0.11"},
            "alone": {"u": "-0.1", "first": "1.5", "second": "-0.4", "sum": "1.1"},
            "slope": {"u": "-0.1", "first": "-0.6", "second": "0.4", "sum": "-0.2"},
            "sign": {"u": "-0.1", "first": "-0.15", "second": "-0.04", "sum": "-0.19"},
            "factors": {"u": "-0.1", "first": "-0.15", "second": "0.1", "sum": "-0.05"},
            "multiplied": {"u": "-0.1", "first": "-0.15", "second": "0.04", "sum": "-0.006"},
            "sum": {"u": "-0.1", "first": "-0.15", "second": "0.04", "sum": "-0.19"},
        },
        fields=("u", "first", "second", "sum"),
    ),
    Exercise(
        "missing",
        "choice",
        missing,
        "right_way",
        {name: name for name in ("other_input", "other_slope", "no_way")},
        fields=("other_input", "right_way", "other_slope", "no_way"),
    ),
    Exercise(
        "shared",
        "numbers",
        shared,
        {"first": "7", "second": "6", "sum": "13"},
        {
            "exchanged": {"first": "6", "second": "7", "sum": "13"},
            "first": {"first": "3", "second": "6", "sum": "9"},
            "half_way": {"first": "7", "second": "2", "sum": "9"},
            "second": {"first": "7", "second": "3", "sum": "10"},
            "multiplied": {"first": "7", "second": "6", "sum": "42"},
            "one": {"first": "7", "second": "6", "sum": "7"},
            "sum": {"first": "7", "second": "6", "sum": "12"},
        },
        fields=("first", "second", "sum"),
    ),
    Exercise(
        "backward",
        "code",
        backward,
        RIGHT,
        {
            "unwritten": RIGHT.replace("g * (1 - y * y)", "..."),
            "pair": RIGHT.replace("g * b, g * a", "g * b"),
            "exchanged": RIGHT.replace("g * b, g * a", "g * a, g * b"),
            "no_g": RIGHT.replace("g * b, g * a", "b, a"),
            "no_g_tanh": RIGHT.replace("g * (1 - y * y)", "1 - y * y"),
            "twice": "import ichikara\n\n" + RIGHT.replace("(1 - y * y)", "(1 - ichikara.tanh(y).item() ** 2)"),
            "slope": RIGHT.replace("(1 - y * y)", "(1 - y)"),
        },
        stub=BACKWARD_STUB,
    ),
)
