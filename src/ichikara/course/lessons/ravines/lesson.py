"""Lesson 12: ravines, and how optimisers cross them."""

import math
import time
from functools import lru_cache

import numpy

from ichikara.charts import Axis, Chart, Dots, Label, Line, Raster, Rule, fixed_text
from ichikara.course.controls import Choice, Slider
from ichikara.course.lesson import Answer, Code, Handle, Lesson, Outcome, Picture, Prediction, Progress
from ichikara.course.pictures import grid, plane_axis
from ichikara.optim import rules

from . import written
from .exercises import EXERCISES
from .surfaces import NEAR, OPTIMISERS, SURFACES, arrivals, best_rate, race, surface_of
from .tasks import MAKERS, TASKS, tuned
from .trials import CHANGES, CROSSING, KAPPAS, counter_example, crossing, descent, slope_of

STEPS = 240
SAME = 0.01  # the rate that all have at the start
RATE = {"low": 0.0001, "high": 1.0, "value": SAME, "step": 0.0001, "log": True}
OPTIONS = {"beta": 0.9, "alpha": 0.99, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
INKS = {"sgd": "ink", "momentum": "a", "nesterov": "a", "rmsprop": "b", "adam": "b"}
HOLLOW = ("nesterov", "rmsprop")

lesson = Lesson(
    "ravines",
    surface=Choice(tuple(SURFACES), "ravine"),
    kappa=Slider(1.0, 1000.0, 100.0, 1.0, log=True),
    t=Slider(0, STEPS, 40, 1),
    dx=Slider(-1.0, 1.0, 0.0, 0.01),
    dy=Slider(-1.0, 1.0, 0.0, 0.01),
    **{name: Slider(**RATE) for name in OPTIMISERS},
    beta=Slider(0.0, 0.999, 0.9, 0.001),
    alpha=Slider(0.0, 0.999, 0.99, 0.001),
    beta1=Slider(0.0, 0.999, 0.9, 0.001),
    beta2=Slider(0.0, 0.999, 0.999, 0.001),
    eps=Slider(1e-8, 1.0, 1e-8, 1e-8, log=True),
    decay=Slider(0.0, 0.999, 0.1, 0.001),
)
say = lesson.say

# --- predict ----------------------------------------------------------------------------------------------------------


def arrived(rates, steps):
    """By name, the step from which on each has arrived in the ravine, or −1."""
    ground = surface_of("ravine", 100.0)
    _, values, _ = race("ravine", 100.0, ground.start, rates, tuple(OPTIONS.items()), steps)
    return dict(zip(OPTIMISERS, map(int, arrivals(ground, values)), strict=True))


def first_of(found):
    order = sorted(found, key=lambda name: found[name] if found[name] >= 0 else math.inf)
    notes = {name: say("arrived", n=n) if n >= 0 else say("on_the_way") for name, n in found.items()}
    return Answer([order[0]], notes, found)


def same_rate():
    return first_of(arrived((SAME,) * 5, STEPS))


def best_rates():
    start, options = surface_of("ravine", 100.0).start, tuple(OPTIONS.items())
    return first_of({name: best_rate("ravine", 100.0, name, start, options, STEPS)[1] for name in OPTIMISERS})


lesson.add(Prediction("same", tuple(OPTIMISERS), same_rate), Prediction("tuned", tuple(OPTIMISERS), best_rates))

# --- move -------------------------------------------------------------------------------------------------------------


def start_of(ground, dx, dy):
    """The surface's own start, moved by parts of half its window, and kept in it."""
    sides = (ground.x, dx, ground.start[0]), (ground.y, dy, ground.start[1])
    ends = lambda low, high: (low + 0.02 * (high - low), high - 0.02 * (high - low))
    return tuple(
        round(min(ends(*side)[1], max(ends(*side)[0], at + by * (side[1] - side[0]) / 2)), 4) for side, by, at in sides
    )


def run_of(surface, kappa, dx, dy, rates, options):
    """The surface, the places, the losses as parts of the first one, and the memories."""
    ground = surface_of(surface, kappa)
    start = start_of(ground, dx, dy)
    places, values, memories = race(surface, kappa, start, rates, tuple(zip(OPTIONS, options, strict=True)), STEPS)
    return ground, places, values, memories


@lru_cache(32)
def floor(surface, kappa):
    """The surface as a raster of powers of ten, with level lines."""
    ground = surface_of(surface, kappa)
    least, first = (float(ground.value(numpy.array(at))) for at in (ground.goal, ground.start))
    x, y = numpy.meshgrid(grid(45, ground.x), grid(45, ground.y))
    heights = numpy.log10(ground.value(numpy.stack([x, y], axis=-1)) - least + 0.002 * (first - least)).round(3)
    low, high = float(heights.min()), float(heights.max())
    levels = [low + (high - low) * part for part in (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)]
    return Raster(heights, ground.x, ground.y, ink="quiet", limits=(low, low + 2.2 * (high - low)), levels=levels)


def course_marks(surface, kappa, ground, places, t):
    """The surface, the paths until step t, the runners, and the goal."""
    marks = [
        floor(surface, kappa),
        Dots([ground.goal[0]], [ground.goal[1]], ink="quiet", hollow=True, dashed=True, size=2),
    ]
    for i, name in enumerate(OPTIMISERS):
        x, y = places[: t + 1, i].T
        marks.append(Line(x, y, ink=INKS[name], dashed=name in HOLLOW, label=say(f"names.{name}") if t > 2 else ""))
    for i, name in enumerate(OPTIMISERS):
        x, y = places[t, i]
        marks.append(Dots([x], [y], ink=INKS[name], hollow=name in HOLLOW))
    return marks


def standing(ground, places, values, t):
    """In words: who has arrived by step t, who is on the way, who has flown off."""
    found = dict(zip(OPTIMISERS, arrivals(ground, values), strict=True))
    gone = [name for i, name in enumerate(OPTIMISERS) if not numpy.isfinite(places[t, i]).all()]
    there = sorted((n, name) for name, n in found.items() if 0 <= n <= t)
    away = [name for name in OPTIMISERS if name not in gone and not 0 <= found[name] <= t]
    names = lambda some: say("between").join(say(f"names.{name}") for name in some)
    parts = [say("standing.step", t=t)]
    if there:
        parts.append(
            say("standing.there", names=say("between").join(f"{say(f'names.{name}')} ({n})" for n, name in there))
        )
    if away:
        parts.append(say("standing.away", names=names(away)))
    if gone:
        parts.append(say("standing.gone", names=names(gone)))
    return "".join(parts).strip()


@lesson.figure
def course(surface, kappa, t, dx, dy, sgd, momentum, nesterov, rmsprop, adam, beta, alpha, beta1, beta2, eps):
    """The surface with the paths of all five until step t."""
    rates, options = (sgd, momentum, nesterov, rmsprop, adam), (beta, alpha, beta1, beta2, eps)
    ground, places, values, _ = run_of(surface, kappa, dx, dy, rates, options)
    caption = standing(ground, places, values, t)
    start = places[0, 0].tolist()
    chart = Chart(
        course_marks(surface, kappa, ground, places, t),
        plane_axis(say(f"axes_of.{surface}.x"), ground.x),
        plane_axis(say(f"axes_of.{surface}.y"), ground.y),
        alt=say("course.alt", surface=say(f"controls.surface.{surface}"), caption=caption),
        numbers={"caption": caption},
        equal=True,
    )
    return Picture(
        chart,
        [Handle("start", *start, shape="foot", label=say("start", x=fixed_text(start[0]), y=fixed_text(start[1])))],
    )


@lesson.figure
def losses(surface, kappa, t, dx, dy, sgd, momentum, nesterov, rmsprop, adam, beta, alpha, beta1, beta2, eps):
    """The loss of all five by steps, as a part of the loss at the surface's own start."""
    rates, options = (sgd, momentum, nesterov, rmsprop, adam), (beta, alpha, beta1, beta2, eps)
    ground, _, values, _ = run_of(surface, kappa, dx, dy, rates, options)
    least, first = (float(ground.value(numpy.array(at))) for at in (ground.goal, ground.start))
    parts = ((values - least) / (first - least)).clip(1e-6, 1e3)
    marks = [Rule(y=NEAR, ink="quiet", label=say("losses.there")), Rule(x=t, ink="quiet")]
    for i, name in enumerate(OPTIMISERS):
        marks.append(
            Line(range(STEPS + 1), parts[:, i], ink=INKS[name], dashed=name in HOLLOW, label=say(f"names.{name}"))
        )
    axes = Axis(say("losses.x"), limits=(0, STEPS)), Axis(say("losses.y"), scale="log", limits=(1e-5, 10))
    return Chart(marks, *axes, alt=say("losses.alt", surface=say(f"controls.surface.{surface}")))


@lesson.handle
def start(surface, kappa, x, y):
    """The runners begin at the place to which their start is moved."""
    ground = surface_of(surface, kappa)
    part = lambda at, begun, side: round(max(-1.0, min(1.0, 2 * (at - begun) / (side[1] - side[0]))), 3)
    return {"dx": part(x, ground.start[0], ground.x), "dy": part(y, ground.start[1], ground.y)}


@lesson.action
def same():
    """The same rate for all."""
    return dict.fromkeys(OPTIMISERS, SAME)


@lesson.action
def best(surface, kappa, dx, dy, beta, alpha, beta1, beta2, eps):
    """For each the rate with which it arrives first on this surface."""
    start = start_of(surface_of(surface, kappa), dx, dy)
    options = tuple(zip(OPTIONS, (beta, alpha, beta1, beta2, eps), strict=True))
    return {name: best_rate(surface, kappa, name, start, options, STEPS)[0] for name in OPTIMISERS}


@lesson.action
def reset():
    """All as it was at the start."""
    return {name: control.value for name, control in lesson.controls.items()}


FRAMES = [*range(0, 60, 2), *range(60, 120, 4), *range(120, STEPS + 1, 10)]


@lesson.experiment
def film(surface, kappa, dx, dy, sgd, momentum, nesterov, rmsprop, adam, beta, alpha, beta1, beta2, eps):
    """The race, step by step, at the present values."""
    rates, options = (sgd, momentum, nesterov, rmsprop, adam), (beta, alpha, beta1, beta2, eps)
    ground, places, values, _ = run_of(surface, kappa, dx, dy, rates, options)
    axes = plane_axis(say(f"axes_of.{surface}.x"), ground.x), plane_axis(say(f"axes_of.{surface}.y"), ground.y)
    for t in FRAMES:
        caption = standing(ground, places, values, t)
        alt = say("course.alt", surface=say(f"controls.surface.{surface}"), caption=caption)
        chart = Chart(course_marks(surface, kappa, ground, places, t), *axes, alt=alt, equal=True)
        yield Progress(max(t, 1), STEPS, chart, {"caption": caption})
        time.sleep(0.05)  # as fast as an eye follows


# --- formula and code -------------------------------------------------------------------------------------------------


def moment(values, which, t):
    """The gradient along the first axis before step t, the place before and after it, and what is remembered."""
    ground, places, _, memories = values
    i, step = list(OPTIMISERS).index(which), max(1, t)
    gradient = float(ground.slope(places[step - 1, i])[0])
    before, after = float(places[step - 1, i, 0]), float(places[step, i, 0])
    last = lambda name: float(memories[step - 1][i].get(name, [0.0])[0])
    now = lambda name: float(memories[step][i][name][0])
    return step, gradient, before, after, last, now


@lesson.formula
def momentum_step(surface, kappa, t, dx, dy, sgd, momentum, nesterov, rmsprop, adam, beta, alpha, beta1, beta2, eps):
    """Momentum at step t, along the first axis."""
    rates, options = (sgd, momentum, nesterov, rmsprop, adam), (beta, alpha, beta1, beta2, eps)
    _, g, before, after, last, now = moment(run_of(surface, kappa, dx, dy, rates, options), "momentum", t)
    v, old = (now("momentum_buffer"), last("momentum_buffer")) if beta else (g, 0.0)
    return written.momentum(g, before, after, old, v, momentum, beta)


@lesson.formula
def rmsprop_step(surface, kappa, t, dx, dy, sgd, momentum, nesterov, rmsprop, adam, beta, alpha, beta1, beta2, eps):
    """RMSProp at step t, along the first axis."""
    rates, options = (sgd, momentum, nesterov, rmsprop, adam), (beta, alpha, beta1, beta2, eps)
    _, g, before, after, last, now = moment(run_of(surface, kappa, dx, dy, rates, options), "rmsprop", t)
    return written.rmsprop(g, before, after, last("square_avg"), now("square_avg"), rmsprop, alpha, eps)


@lesson.formula
def adam_step(surface, kappa, t, dx, dy, sgd, momentum, nesterov, rmsprop, adam, beta, alpha, beta1, beta2, eps):
    """Adam at step t, along the first axis."""
    rates, options = (sgd, momentum, nesterov, rmsprop, adam), (beta, alpha, beta1, beta2, eps)
    step, _, before, after, _, now = moment(run_of(surface, kappa, dx, dy, rates, options), "adam", t)
    return written.adam(step, before, after, now("exp_avg"), now("exp_avg_sq"), adam, (beta1, beta2), eps)


lesson.add(Code("adam", rules.adam))

# --- test -------------------------------------------------------------------------------------------------------------


@lesson.experiment
def kappas():
    """Steps to cross ravines of growing steepness, each at its best options."""
    found = {name: [] for name in CROSSING}
    for done, kappa in enumerate(KAPPAS, 1):
        for name, options in CROSSING.items():
            found[name].append(crossing(kappa, options(kappa)))
        slope = lambda name, part: slope_of(KAPPAS[: len(found[name])][part], found[name][part])
        slopes = {name: slope(name, slice(None)) for name in ("sgd", "momentum", "nesterov")}
        slopes |= {"flat": slope("fixed", slice(0, 5)), "steep": slope("fixed", slice(5, None))}
        holds = abs(slopes["sgd"] - 1) < 0.05 and all(0.4 < slopes[name] < 0.65 for name in ("momentum", "nesterov"))
        holds = holds and slopes["flat"] < 0.25 and slopes["steep"] > 0.8
        yield Progress(done, len(KAPPAS), kappas_chart(found), {**slopes, "holds": holds or done < len(KAPPAS)})


def kappas_chart(found):
    looks = {
        "sgd": {"ink": "ink"},
        "momentum": {"ink": "a"},
        "nesterov": {"ink": "a", "dashed": True},
        "fixed": {"ink": "b"},
    }
    marks = []
    for name, steps in found.items():
        x = KAPPAS[: len(steps)]
        marks += [
            Line(x, steps, label=say(f"kappas.{name}"), **looks[name]),
            Dots(x, steps, ink=looks[name]["ink"], size=0.6),
        ]
    axes = Axis("κ", scale="log", limits=(8, 2e4)), Axis(say("kappas.y"), scale="log", limits=(3, 1e5))
    return Chart(marks, *axes, alt=say("kappas.alt", n=len(found["sgd"])))


@lesson.claim
def axes():
    """Adam and RMSProp do not see how large a term of the loss is; they do see a stretch and a turn."""
    begin, plain, charts, far = numpy.array([-1.5, 1.0]), numpy.diag([1.0, 20.0]), [], {}
    for name, (moved, curvature) in CHANGES.items():
        for rule, options in ((rules.rmsprop, {"lr": 0.03}), (rules.adam, {"lr": 0.05})):
            first = descent(rule, plain, begin, **options)
            second = descent(rule, curvature, moved @ begin, **options) @ numpy.linalg.inv(moved).T
            far[f"{name}_{rule.__name__}"] = float(numpy.hypot(*(first - second).T).max())
        marks = [
            Line(*first.T, ink="ink"),
            Line(*second.T, ink="b", dashed=True),
            Dots(*begin[:, None], ink="ink", size=0.6),
        ]
        window = (-1.8, 1.8)
        alt = say("axes.alt", what=say(f"axes.{name}"), far=fixed_text(far[f"{name}_adam"]))
        charts.append(
            Chart(marks, plane_axis(say(f"axes.{name}"), window), plane_axis("", window), alt=alt, equal=True)
        )
    holds = all((value < 1e-4) == name.startswith("term") for name, value in far.items())
    return Outcome(holds, far, charts)


@lesson.result(parts=[f"{task} {optimizer}" for task in TASKS for optimizer in MAKERS], tolerance=0.1)
def six_tasks(part):
    """The final loss of an optimiser on a task, at the best of seven rates; the mean of three seeds."""
    task, optimizer = part.split()
    return tuned(task, optimizer)


@lesson.claim
def six():
    """The seeds of Adam overlap those of the best on most tasks, and are all better than those of others on few."""
    kept = six_tasks.kept
    by_task = [{name: kept[f"{task} {name}"] for name in MAKERS} for task in TASKS]
    best = [min(found.values(), key=lambda one: one["mean"]) for found in by_task]
    among = {name: sum(f[name]["least"] <= b["most"] for f, b in zip(by_task, best, strict=True)) for name in MAKERS}
    alone = lambda found: all(found["adam"]["most"] < found[name]["least"] for name in MAKERS if name != "adam")
    wins = sum(map(alone, by_task))
    marks = [Rule(y=1.0, ink="quiet")]
    for k, name in enumerate(MAKERS):
        x = [i + 0.15 * (k - 2) for i in range(len(TASKS))]
        part = {key: [f[name][key] / b["mean"] for f, b in zip(by_task, best, strict=True)] for key in best[0]}
        ends = [(at, end) for i, at in enumerate(x) for end in (part["least"][i], part["most"][i], math.nan)]
        marks.append(Line(*numpy.transpose(ends), ink="quiet"))
        marks.append(Dots(x, part["mean"], ink=INKS[name], hollow=name in HOLLOW, label=say(f"names.{name}"), size=0.8))
    names = [say(f"tasks.{task}") for task in TASKS]
    chart = Chart(marks, Axis("", names=names, limits=(-0.5, 5.5)), Axis(say("six.y"), scale="log"), alt=say("six.alt"))
    numbers = {"tasks": len(TASKS), "wins": wins, **among}
    return Outcome(among["adam"] > len(TASKS) / 2 > wins, numbers, [chart])


@lesson.figure
def reddi(decay):
    """Adam and AMSGrad on a loss whose slope is 3 every third step, and else −1."""
    ends, marks = {}, [Rule(y=-1.0, ink="quiet"), Rule(y=1.0, ink="quiet")]
    for name, strict in (("adam", False), ("amsgrad", True)):
        found = counter_example(decay, strict)
        ends[name] = float(numpy.mean(found[-30:]))
        look = {"ink": "a", "dashed": True} if strict else {"ink": "b"}
        marks.append(Line(range(301), found, label=say(f"reddi.{name}"), **look))
    marks += [
        Label(298, -1.14, say("reddi.best"), "end", ink="quiet"),
        Label(298, 1.14, say("reddi.worst"), "end", ink="quiet"),
    ]
    caption = say(
        f"reddi.{'fails' if ends['adam'] > 0.5 else 'arrives' if ends['adam'] < -0.5 else 'wavers'}", decay=f"{decay:g}"
    )
    axes = Axis(say("reddi.x"), limits=(0, 300)), Axis("x", limits=(-1.3, 1.3))
    return Chart(marks, *axes, alt=say("reddi.alt", caption=caption), numbers={**ends, "caption": caption})


lesson.add(*EXERCISES)
