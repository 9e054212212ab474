"""The exercises of lesson 2."""

import numpy

from ichikara.course.answers import defines, numbers
from ichikara.course.lesson import Exercise
from ichikara.course.lessons.two_layers.lines import codes, pieces

__all__ = ["EXERCISES", "RING", "RING_WINDOW", "counts"]

XOR = {(0, 0): 0, (0, 1): 1, (1, 0): 1, (1, 1): 0}
RING_WINDOW = (0.0, 4.0)
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))
RING = [(half - 2 * sum(side), *side) for half in (1.4, 0.7) for side in SIDES]  # four lines of each square


def counts(polygon):
    """How many of the outer and of the inner neurons fire in a region."""
    x, y = numpy.mean(polygon, 0)
    fired = [bool(w0 + w1 * x + w2 * y > 0) for w0, w1, w2 in RING]
    return sum(fired[:4]), sum(fired[4:])


@numbers
def xor(a0, a1, a2, b0, b1, b2, v0, v1, v2):
    found, sums = {}, {}
    for x1, x2 in XOR:
        u = a0 + a1 * x1 + a2 * x2, b0 + b1 * x1 + b2 * x2
        sums[x1, x2] = u
        found[x1, x2] = int(u[0] > 0), int(u[1] > 0)
    last = {corner: v0 + v1 * o1 + v2 * o2 for corner, (o1, o2) in found.items()}
    answers = {corner: int(u > 0) for corner, u in last.items()}
    if answers == XOR:
        return None
    if all(answers[corner] != XOR[corner] for corner in XOR):
        return "opposite"
    for (x1, x2), u in sums.items():
        if 0 in u:
            return "on_the_line", {"n": 1 + u.index(0), "x1": x1, "x2": x2}
    for one in XOR:
        for other in XOR:
            if found[one] == found[other] and XOR[one] < XOR[other]:
                code = "".join(map(str, found[one]))
                return "same_code", {"one": f"({one[0]}, {one[1]})", "other": f"({other[0]}, {other[1]})", "code": code}
    if len(set(found.values())) == 4:
        return "four_codes"
    corner = next(corner for corner in XOR if answers[corner] != XOR[corner])
    code = "".join(map(str, found[corner]))
    values = {"x1": corner[0], "x2": corner[1], "code": code, "u": last[corner]}
    return "should_fire" if XOR[corner] else "should_be_silent", values


@numbers
def ring(bias, outer, inner):
    sums = {
        pair: bias + outer * pair[0] + inner * pair[1] for pair in sorted(set(map(counts, pieces(RING, RING_WINDOW))))
    }
    wanted = {(o, i): o == 4 and i < 4 for o, i in sums}
    wrong = [pair for pair in sums if (sums[pair] > 0) != wanted[pair]]
    if not wrong:
        return None
    if len(wrong) == len(sums):
        return "opposite"
    if not any(u > 0 for u in sums.values()):
        return "nowhere"
    values = {"outer": wrong[0][0], "inner": wrong[0][1], "u": sums[wrong[0]]}
    if wrong == [(4, 4)]:
        return "filled", {"u": sums[4, 4]}
    return ("broken", values) if wanted[wrong[0]] else ("outside", values)


SHAPE = """def step(u):
    return 1 if u > 0 else 0

def inside(x1, x2):
    o = [step(x1), step(2 - x1),      # the square:
         step(x2), step(2 - x2),      # four sides
         step(1 - x1), step(1 - x2)]  # left of 1, below 1
    return ...
"""


@defines("inside")
def shape(function):
    places = numpy.random.default_rng(0).uniform(-1, 3, (600, 2)).tolist()
    found = [function(x, y) for x, y in places]
    if any(value is ... or value is None for value in found):
        return "unwritten"
    if any(value not in (0, 1) for value in found):
        return "sum"
    square = [0 < x < 2 and 0 < y < 2 for x, y in places]
    wanted = [inside and (x < 1 or y < 1) for inside, (x, y) in zip(square, places, strict=True)]
    if found == wanted:
        return None
    if found == square:
        return "filled"
    if found == [0 < x < 1 and 0 < y < 1 for x, y in places]:
        return "all_six"
    if all(value != want for value, want in zip(found, wanted, strict=True)):
        return "opposite"
    wrong = next(i for i in range(len(places)) if found[i] != wanted[i])
    leaks = [i for i in range(len(places)) if found[i] and not square[i]]
    x, y = places[leaks[0] if leaks else wrong]
    return "leaks" if leaks else "broken", {"x1": f"{x:.1f}".replace("-", "−"), "x2": f"{y:.1f}".replace("-", "−")}


RIGHT = SHAPE.replace("return ...", "return step(2 * (o[0] + o[1] + o[2] + o[3]) + o[4] + o[5] - 8.5)")


@numbers
def parallel(regions):
    """Four lines, of which two are parallel and the others cross all: (0, 1, 0) and (1, 1, 0) are parallel."""
    most = len(codes([(0, 1, 0), (1, 1, 0), (0.3, 1, 1), (0.7, 1, -2)]))
    if regions == most:
        return None
    return {2**4: "all_codes", most + 1: "crossing", 2 * 4: "two_each", 4 + 1: "one_each"}.get(regions, "recount")


XOR_RIGHT = {
    "a0": "-0.5",
    "a1": "1",
    "a2": "1",
    "b0": "1.5",
    "b1": "-1",
    "b2": "-1",
    "v0": "-1.5",
    "v1": "1",
    "v2": "1",
}
RING_RIGHT = {"bias": "-4.5", "outer": "2", "inner": "-1"}

EXERCISES = (
    Exercise(
        "xor",
        "numbers",
        xor,
        XOR_RIGHT,
        {
            "opposite": {**XOR_RIGHT, "v0": "1.5", "v1": "-1", "v2": "-1"},
            "on_the_line": {**XOR_RIGHT, "b0": "1"},
            "same_code": {**XOR_RIGHT, "b0": "2.5"},
            "four_codes": {**XOR_RIGHT, "a2": "0", "b0": "-0.5", "b1": "0", "b2": "1"},
            "should_fire": {**XOR_RIGHT, "v0": "-2.5"},
            "should_be_silent": {**XOR_RIGHT, "v0": "-0.5"},
        },
        fields=tuple(XOR_RIGHT),
    ),
    Exercise(
        "ring",
        "numbers",
        ring,
        RING_RIGHT,
        {
            "filled": {"bias": "-3.5", "outer": "1", "inner": "0"},
            "outside": {"bias": "-0.5", "outer": "1", "inner": "-1"},
            "broken": {"bias": "-5.5", "outer": "2", "inner": "-1"},
            "nowhere": {"bias": "-9", "outer": "2", "inner": "-1"},
            "opposite": {"bias": "4.5", "outer": "-2", "inner": "1"},
        },
        fields=tuple(RING_RIGHT),
    ),
    Exercise(
        "shape",
        "code",
        shape,
        RIGHT,
        {
            "filled": SHAPE.replace("return ...", "return step(o[0] + o[1] + o[2] + o[3] - 3.5)"),
            "all_six": SHAPE.replace("return ...", "return step(sum(o) - 5.5)"),
            "leaks": SHAPE.replace("return ...", "return step(sum(o) - 4.5)"),
            "broken": SHAPE.replace("return ...", "return step(2 * sum(o[:4]) + o[4] - 8.5)"),
            "opposite": RIGHT.replace("return step", "return 1 - step"),
            "sum": SHAPE.replace("return ...", "return sum(o)"),
        },
        stub=SHAPE,
    ),
    Exercise(
        "parallel",
        "numbers",
        parallel,
        {"regions": "10"},
        {
            "all_codes": {"regions": "16"},
            "crossing": {"regions": "11"},
            "two_each": {"regions": "8"},
            "one_each": {"regions": "5"},
            "recount": {"regions": "9"},
        },
        fields=("regions",),
    ),
)
