"""Exercises of lesson 6."""

from ichikara.course.answers import defines, numbers
from ichikara.course.lesson import Exercise

__all__ = ["EXERCISES"]


def close(found, wanted):
    return all(abs(a - b) <= 0.005 + 1e-3 * abs(b) for a, b in zip(found, wanted, strict=True))


def walk(move, start, steps=3):
    """Where a walk is after each step."""
    places = [start]
    for _ in range(steps):
        places.append(move(places[-1]))
    return places[1:]


# --- three steps on f(x) = (x − 1)², from x = 5, with η = 1/4 ---------------------------------------------------------

SLOPE = lambda x: 2 * (x - 1)
WALKS = {
    "right": walk(lambda x: x - SLOPE(x) / 4, 5),
    "climbs": walk(lambda x: x + SLOPE(x) / 4, 5),
    "whole_slope": walk(lambda x: x - SLOPE(x), 5),
    "height": walk(lambda x: x - (x - 1) ** 2 / 4, 5),
    "first_slope": walk(lambda x: x - SLOPE(5) / 4, 5),
    "inner": walk(lambda x: x - (x - 1) / 4, 5),
}
FIELDS = ("x1", "x2", "x3")


@numbers
def three_steps(x1, x2, x3):
    found = (x1, x2, x3)
    for name, places in WALKS.items():
        if close(found, places):
            return None if name == "right" else name
    right = [5.0, *WALKS["right"]]
    for i, value in enumerate(found):
        if not close([value], [right[i + 1]]):
            return "from_here", {"step": i + 1, "before": right[i]}
    return None


# --- partial derivatives of f(x, y) = x² y + 3 y, at (2, 5) -----------------------------------------------------------


@numbers
def partial(by_x, by_y):
    if close((by_x, by_y), (20, 7)):
        return None
    if close((by_x, by_y), (7, 20)):
        return "exchanged"
    if close([by_x], [4]) or close([by_y], [4]):
        return "factor_lost"
    if close([by_x], [35]) or close([by_x], [23]):
        return "rest_kept"
    if close([by_y], [3]) or close([by_y], [23]):
        return "other_varied"
    return (
        ("only_y", {"by_x": by_x})
        if close([by_y], [7])
        else ("only_x", {"by_y": by_y})
        if close([by_x], [20])
        else "neither"
    )


# --- one step on f(x) = 3x² − 12x + 1, from x = 5 ---------------------------------------------------------------------


@numbers
def one_step(rate):
    lands = 5 - rate * (6 * 5 - 12)
    values = {"lands": lands, "slope": 6 * lands - 12}
    if close([lands], [2]):
        return None
    if rate <= 0:
        return "uphill", values
    if abs(rate - 1 / 3) < 0.002:
        return "opposite", values
    if abs(rate - 1 / 18) < 0.0006:
        return "one_unit", values
    if abs(rate - 3) < 0.01:
        return "distance", values
    return ("short", values) if lands > 2 else ("beyond", values)


# --- the loop of descent ----------------------------------------------------------------------------------------------

DESCEND = '''def descend(slope, x, rate, steps):
    """Where x is after all steps."""
    for _ in range(steps):
        x = ...
    return x
'''
DONE = DESCEND.replace("...", "x - rate * slope(x)")


@defines("descend")
def loop(function):
    cases = [(lambda x: 2 * x, 3.0, 0.1, 5), (lambda x: x**3 - 1, -1.0, 0.2, 8), (lambda x: 2 * x, 3.0, 0.1, 0)]
    found = [function(*case) for case in cases]
    if any(value is ... or value is None for value in found[:2]):
        return "unwritten"
    follow = lambda move: [walk(lambda x, c=case: move(x, c), case[1], case[3])[-1:] or [case[1]] for case in cases]
    same = lambda places: (
        None not in found and all(abs(value - p[0]) < 1e-9 for value, p in zip(found, places, strict=True))
    )
    if same(follow(lambda x, c: x - c[2] * c[0](x))):
        return None
    if same(follow(lambda x, c: x + c[2] * c[0](x))):
        return "climbs"
    if same(follow(lambda x, c: x - c[0](x))):
        return "whole_slope"
    if same(follow(lambda x, c: x - c[2] * c[0](c[1]))):
        return "first_slope"
    if same(follow(lambda x, c: -c[2] * c[0](x))):
        return "forgets"
    if all(
        abs(value - (case[1] - case[2] * case[0](case[1]))) < 1e-9
        for value, case in zip(found[:2], cases, strict=False)
    ):
        return "one_step"
    return "other", {"found": found[0], "wanted": follow(lambda x, c: x - c[2] * c[0](x))[0][0]}


def texts(values):
    return dict(zip(FIELDS, map(str, values), strict=True))


EXERCISES = (
    Exercise(
        "three_steps",
        "numbers",
        three_steps,
        texts(WALKS["right"]),
        {name: texts(places) for name, places in WALKS.items() if name != "right"} | {"from_here": texts((3, 2.5, 2))},
        fields=FIELDS,
    ),
    Exercise(
        "partial",
        "numbers",
        partial,
        {"by_x": "20", "by_y": "7"},
        {
            "exchanged": {"by_x": "7", "by_y": "20"},
            "factor_lost": {"by_x": "4", "by_y": "7"},
            "rest_kept": {"by_x": "35", "by_y": "7"},
            "other_varied": {"by_x": "20", "by_y": "23"},
            "only_y": {"by_x": "10", "by_y": "7"},
            "only_x": {"by_x": "20", "by_y": "10"},
            "neither": {"by_x": "1", "by_y": "1"},
        },
        fields=("by_x", "by_y"),
    ),
    Exercise(
        "one_step",
        "numbers",
        one_step,
        {"rate": "1/6"},
        {
            "opposite": {"rate": "1/3"},
            "one_unit": {"rate": "1/18"},
            "distance": {"rate": "3"},
            "uphill": {"rate": "-1/6"},
            "short": {"rate": "0.1"},
            "beyond": {"rate": "0.25"},
        },
        fields=("rate",),
    ),
    Exercise(
        "loop",
        "code",
        loop,
        DONE,
        {
            "climbs": DONE.replace("x - rate", "x + rate"),
            "whole_slope": DONE.replace("rate * ", ""),
            "forgets": DONE.replace("x - rate", "-rate"),
            "one_step": DONE.replace("    return x", "        return x"),
            "first_slope": DONE.replace("    for", "    s = slope(x)\n    for").replace("rate * slope(x)", "rate * s"),
            "other": DONE.replace("rate *", "2 * rate *"),
        },
        stub=DESCEND,
    ),
)
