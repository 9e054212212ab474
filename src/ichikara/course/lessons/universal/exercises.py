"""The exercises of lesson 3."""

import math

import numpy

from ichikara.course.answers import defines, numbers
from ichikara.course.lesson import Exercise

__all__ = ["EXERCISES", "TOWER"]

TOWER = ((0.2, 0.5), (0.3, 0.7))
"""From where to where the tower of the exercise stands, on each axis."""


def sigmoid(u):
    return 1 / (1 + math.exp(-max(-500.0, min(500.0, u))))


@numbers
def step(w, b):
    """A step up at 0.4 that is below 0.1 at 0.38, and above 0.9 at 0.42."""
    if w == 0:
        return "flat", {"o": sigmoid(b)}
    before, after, place = sigmoid(0.38 * w + b), sigmoid(0.42 * w + b), -b / w
    values = {"before": before, "after": after, "place": place}
    if before < 0.1 and after > 0.9:
        return None
    if abs(place - 0.4) < 0.02:
        return ("down" if w < 0 else "shallow"), values
    if abs(place + 0.4) < 0.02:
        return "bias_sign", values
    if abs(abs(b) - 0.4) < 1e-9:
        return "bias_is_place", values
    return "elsewhere", values


@numbers
def bump(b1, b2, v1, v2):
    """A bump of height 0.7 from 0.2 to 0.5, by two neurons whose weight is 1000."""
    edges = -b1 / 1000, -b2 / 1000
    level = lambda x: sum(v * (x > edge) for v, edge in zip((v1, v2), edges, strict=True))
    values = {"left": min(edges), "right": max(edges), "inside": level(sum(edges) / 2), "behind": v1 + v2}
    right_edges = abs(min(edges) - 0.2) < 0.005 and abs(max(edges) - 0.5) < 0.005
    if not right_edges:
        flipped = abs(max(edges) + 0.2) < 0.005 and abs(min(edges) + 0.5) < 0.005
        return ("bias_sign" if flipped else "edges"), values
    first, second = (v1, v2) if edges[0] < edges[1] else (v2, v1)
    if abs(first - 0.7) < 0.005 and abs(second + 0.7) < 0.005:
        return None
    if first < 0 < second:
        return "hollow", values
    if first > 0 and second > 0:
        return "stairs", values
    return ("height" if abs(first + second) < 0.005 else "no_return"), values


TOWER_STUB = """def step(u):
    return 1 if u > 0 else 0

def bump(x, start, end):
    return step(x - start) - step(x - end)

def tower(x1, x2):
    # 0.2 < x1 < 0.5, 0.3 < x2 < 0.7
    return ...
"""


@defines("tower")
def tower(function):
    places = numpy.random.default_rng(0).uniform(0, 1, (600, 2)).tolist()
    found = [function(x1, x2) for x1, x2 in places]
    if any(value is ... or value is None for value in found):
        return "unwritten"
    walls = lambda first, second: [
        (first[0] < x1 < first[1]) + (second[0] < x2 < second[1]) for x1, x2 in places
    ]  # how many of the two bumps are up
    up = walls(*TOWER)
    if found == [n == 2 for n in up]:
        return None
    if found == up:
        return "sum"
    if found == [n > 0 for n in up]:
        return "cross"
    if found == [n == 2 for n in walls(TOWER[1], TOWER[0])]:
        return "exchanged"
    if found in (
        [TOWER[0][0] < x < TOWER[0][1] for x, _ in places],
        [TOWER[1][0] < y < TOWER[1][1] for _, y in places],
    ):
        return "wall"
    wrong = next(i for i in range(len(places)) if found[i] != (up[i] == 2))
    number = lambda value: f"{value:.2f}"
    return "elsewhere", {"x1": number(places[wrong][0]), "x2": number(places[wrong][1]), "found": str(found[wrong])}


SUM = "bump(x1, 0.2, 0.5) + bump(x2, 0.3, 0.7)"
written = lambda answer: TOWER_STUB.replace("return ...", f"return {answer}")


def learn(answer):
    return None if answer == "not_found" else answer or "empty"


EXERCISES = (
    Exercise(
        "step",
        "numbers",
        step,
        {"w": "200", "b": "-80"},
        {
            "flat": {"w": "0", "b": "1"},
            "shallow": {"w": "10", "b": "-4"},
            "down": {"w": "-200", "b": "80"},
            "bias_sign": {"w": "200", "b": "80"},
            "bias_is_place": {"w": "200", "b": "0.4"},
            "elsewhere": {"w": "200", "b": "-40"},
        },
        fields=("w", "b"),
    ),
    Exercise(
        "bump",
        "numbers",
        bump,
        {"b1": "-200", "b2": "-500", "v1": "0.7", "v2": "-0.7"},
        {
            "bias_sign": {"b1": "200", "b2": "500", "v1": "0.7", "v2": "-0.7"},
            "edges": {"b1": "-0.2", "b2": "-0.5", "v1": "0.7", "v2": "-0.7"},
            "stairs": {"b1": "-200", "b2": "-500", "v1": "0.7", "v2": "0.7"},
            "hollow": {"b1": "-200", "b2": "-500", "v1": "-0.7", "v2": "0.7"},
            "no_return": {"b1": "-200", "b2": "-500", "v1": "0.7", "v2": "0"},
            "height": {"b1": "-200", "b2": "-500", "v1": "1", "v2": "-1"},
        },
        fields=("b1", "b2", "v1", "v2"),
    ),
    Exercise(
        "tower",
        "code",
        tower,
        written(f"step({SUM} - 1.5)"),
        {
            "sum": written(SUM),
            "cross": written(f"step({SUM} - 0.5)"),
            "exchanged": written("step(bump(x1, 0.3, 0.7) + bump(x2, 0.2, 0.5) - 1.5)"),
            "wall": written("bump(x1, 0.2, 0.5)"),
            "elsewhere": written(f"1 - step({SUM} - 1.5)"),
        },
        stub=TOWER_STUB,
    ),
    Exercise(
        "learn",
        "choice",
        learn,
        "not_found",
        {"too_small": "too_small", "cannot": "cannot", "more": "more"},
        fields=("too_small", "cannot", "not_found", "more"),
    ),
)
