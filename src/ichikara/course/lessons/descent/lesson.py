"""Lesson 6: downhill, one step at a time."""

import math
from functools import lru_cache

import numpy

from ichikara.autodiff import asarray, numerical_grad
from ichikara.charts import Arrows, Axis, Chart, Dots, Line, Rule, short_text
from ichikara.course.formulas import formula_of
from ichikara.course.lesson import Answer, Code, Handle, Outcome, Picture, Prediction
from ichikara.optim import SGD
from ichikara.optim.rules import sgd

from . import surface  # noqa: F401 - its figures are registered with the lesson
from .exercises import EXERCISES
from .ground import MOST, REACH, WINDOW, heights, in_brackets, lesson, result, say, written

LOST = 1e9  # beyond this a ball is not followed


@lru_cache(64)
def descend(text, start, rate, steps):
    """Where a ball is after 0, 1, 2 … steps of the library's rule; it is given up where it is lost."""
    formula, places = formula_of(text), [start]
    while len(places) <= steps and abs(places[-1]) < LOST:
        at = numpy.array([places[-1]])
        with numpy.errstate(all="ignore"):
            at, _ = sgd(at, formula.slopes(at)[0], {}, lr=rate)
        places.append(float(at[0]))
    return [place for place in places if math.isfinite(place)]


# --- predict ----------------------------------------------------------------------------------------------------------

BOWL = "x^2/2"  # its curvature is 1
KINDS = {"A": (0.4, 1.5), "B": (1.7, 1.5), "C": (2.2, 0.5), "D": (2.0, 1.1)}  # rates, and where the ball starts


def bowl(rate, start):
    """Six steps on a parabola of curvature 1, in a small picture."""
    places = descend(BOWL, start, rate, 6)
    x, heights = numpy.linspace(-1.7, 1.7, 61), formula_of(BOWL)(places).numpy()
    marks = [
        Line(x, formula_of(BOWL)(x).numpy(), ink="quiet"),
        Line(places, heights, ink="b"),
        Dots(places, heights, ink="b", size=0.7),
        Dots(places[:1], heights[:1], hollow=True),
    ]
    axes = Axis(limits=(-1.7, 1.7)), Axis(limits=(-0.1, 1.5))
    return Chart(marks, *axes, alt=say("bowl.alt", places=", ".join(written(place) for place in places)))


def kind_of(places):
    """Which of the four pictures shows such steps."""
    if places[0] * places[1] > 0:
        return "A"
    change = abs(places[-1]) - abs(places[0])
    return "D" if abs(change) < 1e-9 else "B" if change < 0 else "C"


def bowls():
    return {name: bowl(*kind) for name, kind in KINDS.items()}


def measured(rate):
    """The answer for η = rate / L."""

    def answer():
        places = descend(BOWL, 0.5, rate, 6)
        right = kind_of(places)
        notes = {name: say("bowl.note", rate=short_text(other)) for name, (other, _) in KINDS.items()}
        notes[right] = say("bowl.right", rate=short_text(rate))
        numbers = {"first": places[1] / places[0], "last": abs(places[-1] / places[0])}
        return Answer([right], notes, numbers, {**bowls(), right: bowl(rate, KINDS[right][1])})

    return answer


lesson.add(
    Prediction("beyond_two", tuple(KINDS), measured(2.2), charts=bowls),
    Prediction("beyond_one", tuple(KINDS), measured(1.1)),
)

# --- move: one variable -----------------------------------------------------------------------------------------------


def point_of(formula, place):
    """The height, the slope and the curvature of a function at a place."""
    at = numpy.array([place])
    return float(formula(at).item()), float(formula.slopes(at)[0][0]), float(formula.curvatures(at)[0][0])


@lesson.figure
def hill(formula, start, rate, steps):
    """The function, the ball on it with its tangent, where it has been, and the next step."""
    f = formula_of(formula)
    places = descend(formula, start, rate, steps)
    x = numpy.linspace(*WINDOW, 301)
    y = f(x).numpy()
    low, high = heights(y)
    here, n = places[-1], len(places) - 1
    height, slope, curvature = point_of(f, here)
    step = -rate * slope
    marks = [Line(x, y), Line(places, f(places).numpy(), ink="quiet", dashed=True)]
    marks.append(Dots(places[:-1], f(places[:-1]).numpy() if n else [], ink="b", size=0.6))
    if math.isfinite(height) and math.isfinite(slope):
        half = 1.3 / math.hypot(1, slope * 2 * REACH / (high - low))
        ends = [here - half, here + half]
        marks.append(Line(ends, [height - slope * half, height + slope * half], ink="b", label=say("hill.tangent")))
        if abs(step) > 0.02:
            marks.append(Arrows([here], [height], [step], [0], ink="a", label=say("hill.step")))
    marks.append(Dots([here], [height], ink="b", size=1.3))
    caption = hill_caption(n, steps, here, height, slope, curvature)
    first = f(numpy.array([start])).item()
    at = min(high, max(low, first)) if math.isfinite(first) else low
    chart = Chart(
        marks,
        Axis("x", limits=WINDOW),
        Axis("f(x)", limits=(low, high)),
        alt=say("hill.alt", formula=formula, rate=written(rate), caption=caption),
        numbers={"caption": caption},
    )
    return Picture(chart, [Handle("ball", start, at, shape="foot", label=say("hill.handle", x=written(start)))])


def hill_caption(n, steps, here, height, slope, curvature):
    if not (math.isfinite(height) and math.isfinite(slope)):
        return say("hill.undefined", x=written(here))
    if n < steps:
        return say("hill.lost", n=n)
    where = "hill.outside" if abs(here) > REACH else "hill.here"
    caption = say(where, n=n, x=written(here), slope=written(slope, 3))
    if curvature > 1e-9:
        caption += say("hill.curved", l=written(curvature), one=written(1 / curvature), two=written(2 / curvature))
    return caption


@lesson.figure
def track(formula, start, rate, steps):
    """Where the ball is after each step."""
    places = descend(formula, start, rate, steps)
    n = list(range(len(places)))
    shown = [place if abs(place) < 20 * REACH else math.nan for place in places]
    marks = [Line(n, shown, ink="b"), Dots(n, shown, ink="b", size=0.8)]
    axes = Axis(say("track.x"), limits=(-0.3, max(steps, 10) + 0.3), whole=True), Axis("x", limits=WINDOW)
    return Chart(marks, *axes, alt=say("track.alt", places=", ".join(written(place) for place in places[:12])))


@lesson.handle
def ball(x):
    """The ball is let go from another place."""
    return {"start": round(max(-2.9, min(2.9, x)), 2)}


@lesson.action
def step_once(steps):
    """One step more."""
    return {"steps": min(MOST, steps + 1)}


@lesson.action
def back():
    """The ball back at its start."""
    return {"steps": 0}


@lesson.action
def parabola():
    """The first function."""
    return {"formula": "x^2", "steps": 0, "rate": 0.1}


@lesson.action
def hollows():
    """A function with two hollows."""
    return {"formula": "0.25x^4 - x^2 + 0.3x", "steps": 0, "rate": 0.1}


@lesson.action
def plain():
    """A function that is nearly level far from its hollow."""
    return {"formula": "1 - e^(-x^2)", "steps": 0, "rate": 0.1}


@lesson.formula
def read(formula):
    """The function, as it was read."""
    return f"f(x) = {formula_of(formula).latex}"


# --- formula and code -------------------------------------------------------------------------------------------------


@lesson.formula
def update(formula, start, rate, steps):
    """The next step, in symbols and in the picture's numbers."""
    here = descend(formula, start, rate, steps)[-1]
    _, slope, _ = point_of(formula_of(formula), here)
    return (
        r"x_{\text{next}} & = & x - \class{rate}{\eta} \cdot f'(x) \\"
        rf" & = & {result(here)} - \class{{rate}}{{{rate:.2f}}} \cdot {in_brackets(slope)} \\"
        rf" & = & {result(here - rate * slope)}"
    )


lesson.add(
    Code("sgd", sgd, until="lr, l1), state"),
    Code("numerical_grad", numerical_grad),
)

# --- test -------------------------------------------------------------------------------------------------------------

RUNS, RATES, LONG = 40, 10, 30


@lesson.claim
def threshold():
    """Descent on parabolas of random curvature at random rates: which come nearer, and which cross the bottom."""
    draw = numpy.random.default_rng(6)
    product, ratio, exceptions = [], [], 0
    for rate in 10 ** draw.uniform(-3, 1, RATES):
        reach = draw.uniform(0.02, 3.0, RUNS)  # η L
        curvature = asarray(reach / rate)
        x = asarray(draw.uniform(0.5, 2.0, RUNS), requires_grad=True)
        first = before = x.numpy().copy()
        crossed = numpy.ones(RUNS, bool)
        optimizer = SGD([x], lr=float(rate))
        for _ in range(LONG):
            optimizer.zero_grad()
            (curvature * x * x / 2).sum().backward()
            optimizer.step()
            now = x.numpy().copy()
            crossed &= now * before < 0
            before = now
        nearer = abs(before) < abs(first)
        exceptions += int(((reach < 2) != nearer).sum() + ((reach > 1) != crossed).sum())
        product += reach.tolist()
        ratio += ((abs(before) / abs(first)) ** (1 / LONG)).tolist()
    worst = max(abs(found - abs(1 - at)) for at, found in zip(product, ratio, strict=True))
    numbers = {"runs": len(product), "exceptions": exceptions, "worst": short_text(worst, 2)}
    at = numpy.linspace(0, 3, 61)
    marks = [
        Rule(x=1, ink="ink", dashed=True),
        Rule(x=2, ink="ink", dashed=True),
        Rule(y=1, ink="quiet", label=say("threshold.same")),
        Line(at, abs(1 - at), label="|1 − ηL|"),
        Dots(product, ratio, ink="b", size=0.8),
    ]
    axes = Axis("η L", limits=(0, 3)), Axis(say("threshold.y"), limits=(0, 2.1))
    chart = Chart(marks, *axes, alt=say("threshold.alt", n=len(product)))
    return Outcome(not exceptions and worst < 1e-6, numbers, [chart])


CURVE = formula_of("e^x sin(x)")


@lesson.claim
def quotients():
    """How far off the two difference quotients are, for step after step, in two precisions."""
    numbers, charts, holds = {}, [], True
    exact_at = numpy.random.default_rng(6).uniform(0.5, 2.0, 200)
    for dtype in ("float64", "float32"):
        x = exact_at.astype(dtype)
        exact = CURVE.slopes(x.astype("float64"))[0]
        precision = float(numpy.finfo(dtype).eps)
        steps = 10.0 ** numpy.arange(math.floor(math.log10(precision)) + 1, 0.01, 1 / 3)
        f = lambda places: CURVE(places).numpy()
        errors = {"forward": [], "central": []}
        for h in steps.astype(dtype):
            above, below = f(x + h), f(x - h)
            errors["forward"].append(float(numpy.mean(abs((above - f(x)) / h - exact))))
            errors["central"].append(float(numpy.mean(abs((above - below) / (2 * h) - exact))))
        marks = []
        for name, root, ink in (("forward", 2, "b"), ("central", 3, "a")):
            error, place = errors[name], precision ** (1 / root)
            best = float(steps[int(numpy.argmin(error))])
            bits = dtype[-2:]
            found = {name: best, f"{name}_rule": place, f"{name}_least": min(error)}
            numbers |= {f"{key}{bits}": short_text(value, 2) for key, value in found.items()}
            holds = holds and 0.1 < best / place < 10 and min(error[0], error[-1]) > 10 * min(error)
            marks.append(Rule(x=place, ink="quiet", dashed=root == 3, label="√ε" if root == 2 else "³√ε"))
            marks.append(Line(steps, error, ink=ink, dashed=root == 3, label=say(f"quotients.{name}")))
        axes = Axis(f"h ({dtype})", scale="log"), Axis(say("quotients.y"), scale="log")
        charts.append(Chart(marks, *axes, alt=say("quotients.alt", dtype=dtype)))
    return Outcome(holds, numbers, charts)


lesson.add(*EXERCISES)
