"""Exercises of lesson 9."""

import math

from ichikara.course.answers import defines, numbers
from ichikara.course.lesson import Exercise

__all__ = ["EXERCISES"]

# --- which derivative belongs to which function -----------------------------------------------------------------------

PAIRS = {"sigmoid": 2, "tanh": 3, "relu": 1, "leaky": 4, "softplus": 5}


@numbers
def match(**answers):
    if answers == PAIRS:
        return None
    wrong = {name: int(answer) for name, answer in answers.items() if answer != PAIRS[name]}
    if wrong == {"sigmoid": 3, "tanh": 2}:
        return "hills"
    if wrong == {"relu": 4, "leaky": 1}:
        return "kinks"
    if answers["sigmoid"] == 5:
        return "itself"
    if answers["softplus"] == 1:
        return "smooth"
    name = next(iter(wrong))
    return "other", {"name": {"relu": "ReLU", "leaky": "leaky ReLU"}.get(name, name), "number": wrong[name]}


# --- a dead neuron: w = −3, w₀ = 1, x = 2, ∂L/∂o = −4 -----------------------------------------------------------------

close = lambda found, wanted: abs(found - wanted) <= 1e-3 * max(1.0, abs(wanted)) and (found == 0) == (wanted == 0)


@numbers
def dead(u, relu, leaky):
    if not close(u, -5):
        return "bias" if close(u, -6) else "sign" if close(u, 7) else ("sum", {"u": u})
    if close(relu, -8):
        return "slope_one"
    if not close(relu, 0):
        return "relu", {"relu": relu}
    if close(leaky, -0.24):
        return None
    if close(leaky, -0.12):
        return "input"
    if close(leaky, 0.06) or close(leaky, 0.03):
        return "from_above"
    if close(leaky, 1.2) or close(leaky, 0.6):
        return "value"
    return ("leaky_sign" if close(leaky, 0.24) else "leaky"), {"leaky": leaky}


# --- the derivative of softplus ---------------------------------------------------------------------------------------

STUB = """from math import exp, log

def softplus(u):
    return log(1 + exp(u))

def slope(u):
    return ...
"""
sigma = lambda u: 1 / (1 + math.exp(-u))
KINDS = {
    "chain": lambda u: 1 / (1 + math.exp(u)),
    "inner_only": math.exp,
    "hill": lambda u: sigma(u) * (1 - sigma(u)),
    "itself": lambda u: math.log(1 + math.exp(u)),
}


@defines("slope")
def softplus(function):
    places = [-3.0, -1.0, 0.5, 2.0]
    found = [function(u) for u in places]
    if any(value is ... or value is None for value in found):
        return "unwritten"
    same = lambda wanted: all(
        abs(value - wanted(u)) < 1e-6 * max(1.0, wanted(u)) for u, value in zip(places, found, strict=True)
    )
    if same(sigma):
        return None
    for name, kind in KINDS.items():
        if same(kind):
            return name
    if all(abs(value - sigma(u)) < 0.02 for u, value in zip(places, found, strict=True)):
        return "quotient"
    return "other", {"found": found[2], "wanted": (KINDS["itself"](0.501) - KINDS["itself"](0.499)) / 0.002}


def layers(answer):
    return None if answer == "one" else answer or "empty"


DONE = STUB.replace("return ...", "return exp(u) / (1 + exp(u))")
right = {name: str(number) for name, number in PAIRS.items()}
answer = lambda u, relu, leaky: {"u": u, "relu": relu, "leaky": leaky}

EXERCISES = (
    Exercise(
        "match",
        "numbers",
        match,
        right,
        {
            "hills": right | {"sigmoid": "3", "tanh": "2"},
            "kinks": right | {"relu": "4", "leaky": "1"},
            "itself": right | {"sigmoid": "5", "softplus": "2"},
            "smooth": right | {"softplus": "1", "relu": "5"},
            "other": right | {"tanh": "1"},
        },
        fields=tuple(PAIRS),
    ),
    Exercise(
        "layers",
        "choice",
        layers,
        "one",
        {"ten": "ten", "polygon": "polygon", "training": "training"},
        fields=("ten", "polygon", "one", "training"),
    ),
    Exercise(
        "dead",
        "numbers",
        dead,
        answer("-5", "0", "-0.24"),
        {
            "bias": answer("-6", "0", "-0.24"),
            "sign": answer("7", "0", "-0.24"),
            "sum": answer("1", "0", "0"),
            "slope_one": answer("-5", "-8", "-0.24"),
            "relu": answer("-5", "-4", "-0.24"),
            "input": answer("-5", "0", "-0.12"),
            "from_above": answer("-5", "0", "0.06"),
            "value": answer("-5", "0", "1.2"),
            "leaky_sign": answer("-5", "0", "0.24"),
            "leaky": answer("-5", "0", "-8"),
        },
        fields=("u", "relu", "leaky"),
    ),
    Exercise(
        "softplus",
        "code",
        softplus,
        DONE,
        {
            "chain": STUB.replace("...", "1 / (1 + exp(u))"),
            "inner_only": STUB.replace("...", "exp(u)"),
            "hill": STUB.replace("...", "exp(u) / (1 + exp(u)) ** 2"),
            "itself": STUB.replace("...", "softplus(u)"),
            "quotient": STUB.replace("...", "(softplus(u + 0.01) - softplus(u)) / 0.01"),
            "other": STUB.replace("...", "u"),
        },
        stub=STUB,
    ),
)
