"""The exercises of lesson 5."""

import math

import numpy

from ichikara import ops
from ichikara.course.answers import defines, numbers
from ichikara.course.lesson import Exercise

# --- one by hand ------------------------------------------------------------------------------------------------------

GIVEN, WANTED = numpy.array([2.0, 5.0, 4.0]), numpy.array([3.0, 5.0, 1.0])
L1, L2 = (loss(GIVEN, WANTED).item() for loss in (ops.l1_loss, ops.mse_loss))
BY_HAND = {
    "exchanged": (L2, L1),
    "sums": (3 * L1, 3 * L2),
    "signed": ((GIVEN - WANTED).mean(), L2),
    "half": (L1, L2 / 2),
    "root": (L1, math.sqrt(L2)),
    "square_of_mean": (L1, L1**2),
}


@numbers
def by_hand(l1, l2):
    near = lambda pair: abs(l1 - pair[0]) < 0.01 and abs(l2 - pair[1]) < 0.01
    if near((L1, L2)):
        return None
    for name, pair in BY_HAND.items():
        if near(pair):
            return name
    return ("only_l2" if abs(l1 - L1) < 0.01 else "only_l1" if abs(l2 - L2) < 0.01 else "other"), {"l1": l1, "l2": l2}


def as_answer(pair):
    return {"l1": f"{pair[0]:.4f}", "l2": f"{pair[1]:.4f}"}


# --- three stories ----------------------------------------------------------------------------------------------------

KINDS = "l1", "l2", "ce"


def story(name, right):
    """A choice between the three losses."""
    return Exercise(
        name,
        "choice",
        lambda answer: None if answer == right else answer or "empty",
        right,
        {kind: kind for kind in KINDS if kind != right},
        fields=KINDS,
    )


# --- both halves ------------------------------------------------------------------------------------------------------

STUB = """from math import log

def cross_entropy(p, y):
    # p: the answer, above 0 and below 1   y: 0 or 1
    return ...
"""
RIGHT = STUB.replace("return ...", "return -(y * log(p) + (1 - y) * log(1 - p))")
MEANT = {
    "sign": lambda p, y: y * math.log(p) + (1 - y) * math.log(1 - p),
    "first_half": lambda p, y: -y * math.log(p),
    "second_half": lambda p, y: -(1 - y) * math.log(1 - p),
    "half_signed": lambda p, y: -y * math.log(p) + (1 - y) * math.log(1 - p),
    "same_p": lambda p, y: -(y * math.log(p) + (1 - y) * math.log(p)),
    "exchanged": lambda p, y: -((1 - y) * math.log(p) + y * math.log(1 - p)),
    "square": lambda p, y: (p - y) ** 2,
}


@defines("cross_entropy")
def both_halves(function):
    cases = [(p, y) for p in (0.05, 0.3, 0.8, 0.99) for y in (0, 1)]
    found = [function(p, y) for p, y in cases]
    if any(value is ... or value is None for value in found):
        return "unwritten"
    agrees = lambda wanted: all(abs(value - want) < 1e-6 for value, want in zip(found, wanted, strict=True))
    p, y = numpy.array(cases, float).T
    if agrees(ops.binary_cross_entropy(p, y, reduction="none").tolist()):
        return None
    for name, meant in MEANT.items():
        if agrees([meant(*case) for case in cases]):
            return name
    return "other", {"p": cases[0][0], "y": cases[0][1], "value": float(found[0])}


EXERCISES = (
    Exercise(
        "by_hand",
        "numbers",
        by_hand,
        {"l1": "4/3", "l2": "10/3"},
        {name: as_answer(pair) for name, pair in BY_HAND.items()}
        | {"only_l1": as_answer((1, L2)), "only_l2": as_answer((L1, 3))},
        fields=("l1", "l2"),
    ),
    story("claims", "l2"),
    story("sensor", "l1"),
    story("mail", "ce"),
    Exercise(
        "both_halves",
        "code",
        both_halves,
        RIGHT,
        {
            "sign": RIGHT.replace("-(y", "(y"),
            "first_half": RIGHT.replace("-(y * log(p) + (1 - y) * log(1 - p))", "-y * log(p)"),
            "second_half": RIGHT.replace("-(y * log(p) + (1 - y) * log(1 - p))", "-(1 - y) * log(1 - p)"),
            "half_signed": RIGHT.replace("-(y * log(p) + (1 - y) * log(1 - p))", "-y * log(p) + (1 - y) * log(1 - p)"),
            "same_p": RIGHT.replace("log(1 - p)", "log(p)"),
            "exchanged": RIGHT.replace("y * log(p) + (1 - y) * log(1 - p)", "(1 - y) * log(p) + y * log(1 - p)"),
            "square": RIGHT.replace("-(y * log(p) + (1 - y) * log(1 - p))", "(p - y) ** 2"),
            "unwritten": STUB,
        },
        stub=STUB,
    ),
)
