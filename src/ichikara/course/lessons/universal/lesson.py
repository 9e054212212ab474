"""Lesson 3: enough neurons come close to any function."""

import math

import numpy

from ichikara import asarray, nn
from ichikara.charts import Axis, Chart, Dots, Label, Line, Raster, Rule, fixed_text, short_text
from ichikara.course.controls import Curve, Points, Slider
from ichikara.course.lesson import Answer, Code, Handle, Lesson, Outcome, Picture, Prediction, Progress
from ichikara.course.lessons.universal.exercises import EXERCISES, TOWER
from ichikara.course.lessons.universal.functions import curve, distance, hills, leaping
from ichikara.course.lessons.universal.training import SEEDS, STEPS, follow, trained
from ichikara.course.pictures import grid, plane_axis
from ichikara.zoo import bumps, towers

UNIT = (0.0, 1.0)
PLACES = numpy.linspace(0, 1, 61)  # where a drawn curve has its heights
FINE = numpy.array(grid(400, UNIT))
TOPS = ((0.15, 0.3, 0), (0.38, 0.8, 0), (0.62, 0.5, 0), (0.85, 0.2, 0))

lesson = Lesson(
    "universal",
    tops=Points(TOPS, 0.0, 1.0),
    chosen=Slider(0, len(TOPS) - 1, 1, 1),
    width=Slider(0.05, 0.4, 0.23, 0.01),
    steep=Slider(5.0, 1000.0, 400.0, log=True),
    at=Slider(0.0, 1.0, 0.4, 0.01),
    drawn=Curve(tuple(curve(PLACES).round(3).tolist()), 0.0, 1.0),
    count=Slider(1, 40, 8, 1),
    side=Slider(1, 10, 4, 1),
    sharp=Slider(3.0, 300.0, 100.0, log=True),
)
say = lesson.say


def at_places(net, places):
    """What a network answers at places. Shapes: (n) or (n, 2) -> (n)."""
    return net(asarray(numpy.asarray(places).reshape(len(places), -1), dtype="float32")).numpy()[:, 0].astype(float)


def heights_of(drawn):
    """The drawn curve as a function of a number."""
    return lambda x: numpy.interp(x, PLACES, drawn)


def follows(function, count, places=FINE):
    """The network set by hand to a function, at places."""
    return at_places(bumps(function, *UNIT, count), places)


def slope_of(x, y):
    """The slope of the straight line through points on logarithmic axes."""
    return float(numpy.polyfit(numpy.log(x), numpy.log(y), 1)[0])


# --- predict ----------------------------------------------------------------------------------------------------------


@lesson.figure
def stairs():
    """A staircase of ten bumps, and the curve that it follows."""
    marks = [
        Line(FINE, curve(FINE), ink="a", label=say("stairs.curve")),
        Line(FINE, follows(curve, 10), ink="b", label=say("stairs.net")),
    ]
    return Chart(marks, Axis("x", limits=UNIT), Axis("y", limits=UNIT), alt=say("stairs.alt", n=20))


def doubled():
    """How the distance changes when neurons double, from 20 to 40, 80, 160 and 320."""
    wide = numpy.array(grid(2000, UNIT))
    errors = [float(distance(follows(curve, count, wide), curve(wide))) for count in (10, 20, 40, 80, 160)]
    ratio = (errors[-1] / errors[0]) ** (1 / 4)
    factors = {"stays": 1.0, "seven": math.sqrt(1 / 2), "half": 1 / 2, "quarter": 1 / 4}
    right = min(factors, key=lambda name: abs(math.log(factors[name] / ratio)))
    notes = {right: " → ".join(short_text(error, 2) for error in errors)}
    return Answer([right], notes, {"ratio": ratio})


lesson.add(Prediction("doubling", ("stays", "seven", "half", "quarter"), doubled))

# --- move: bumps by hand ----------------------------------------------------------------------------------------------


def pairs(tops, width, steep):
    """The steps of each bump, (weight, bias, height): one goes up at its left edge, one down at its right."""
    for x, height, _ in tops:
        for edge, sign in ((x - width / 2, 1), (x + width / 2, -1)):
            yield steep, -steep * edge, sign * height


def net_of(tops, width, steep):
    """A network whose hidden neurons are the steps of these bumps."""
    weights, biases, heights = zip(*pairs(tops, width, steep), strict=True)
    net = nn.Sequential(nn.Linear(1, len(weights)), nn.Sigmoid(), nn.Linear(len(weights), 1))
    net[0].weight.data, net[0].bias.data = [[w] for w in weights], list(biases)
    net[2].weight.data, net[2].bias.data = [list(heights)], [0.0]
    return net


@lesson.figure
def hand(tops, width, steep, at):
    """Bumps and their sum."""
    net = net_of(tops, width, steep)
    fired = net[1](net[0](asarray(FINE[:, None], dtype="float32"))).numpy() * net[2].weight.numpy()
    whole = fired.sum(1)
    marks = [Rule(x=at, ink="quiet", dashed=True)]
    marks += [Line(FINE, fired[:, 2 * i] + fired[:, 2 * i + 1], ink="b", dashed=True) for i in range(len(tops))]
    marks += [Line(FINE, whole), Dots([x for x, _, _ in tops], [y for _, y, _ in tops], ink="b")]
    y = float(at_places(net, [at])[0])
    marks.append(Dots([at], [y]))
    handles = [
        Handle("top", x, y, i, label=say("handles.top", n=i + 1, x=fixed_text(x), y=fixed_text(y)))
        for i, (x, y, _) in enumerate(tops)
    ]
    top = max(1.1, 1.1 * float(whole.max()))
    axes = Axis("x", limits=UNIT), Axis("y", limits=(0, top))
    alt = say("hand.alt", n=len(tops), x=fixed_text(at), y=fixed_text(y))
    return Picture(Chart(marks, *axes, alt=alt, numbers={"neurons": 2 * len(tops), "y": y}), handles)


@lesson.figure
def steps(tops, width, steep, chosen):
    """The two steps of the bump that was moved last."""
    bump = tops[chosen : chosen + 1] or tops[:1]
    net = net_of(bump, width, steep)
    up, down = (net[1](net[0](asarray(FINE[:, None], dtype="float32"))).numpy() * net[2].weight.numpy()).T
    marks = [
        Line(FINE, up + down),
        Line(FINE, up, ink="b", label=say("steps.up")),
        Line(FINE, down, ink="a", dashed=True, label=say("steps.down")),
    ]
    edges = bump[0][0] - width / 2, bump[0][0] + width / 2
    alt = say("steps.alt", left=fixed_text(edges[0]), right=fixed_text(edges[1]), height=fixed_text(bump[0][1]))
    return Chart(marks, Axis("x", limits=UNIT), Axis("y", limits=(-1.1, 1.1)), alt=alt)


@lesson.handle
def top(tops, x, y, index):
    """The top of a bump is moved: its place and its height."""
    i = int(index) % len(tops)
    inside = lambda value: round(max(0.0, min(1.0, value)), 2)
    return {"tops": (*tops[:i], (inside(x), inside(y), 0), *tops[i + 1 :]), "chosen": i}


@lesson.action
def slide():
    """The bumps side by side, as wide as their distance."""
    return {"tops": tuple((0.125 + 0.25 * i, top[1], 0) for i, top in enumerate(TOPS)), "width": 0.25}


@lesson.action
def reset():
    """All as it was at the start."""
    return {name: control.value for name, control in lesson.controls.items()}


# --- move: a curve of one's own ---------------------------------------------------------------------------------------

COUNTS = (1, 2, 4, 8, 16, 32)


@lesson.figure
def fit(drawn, count):
    """The drawn curve, and the network that follows it."""
    wanted = heights_of(drawn)
    found = follows(wanted, count)
    error = float(distance(found, wanted(FINE)))
    marks = [
        Line(PLACES, drawn, ink="a", label=say("stairs.yours")),
        Line(FINE, found, ink="b", label=say("stairs.net")),
    ]
    alt = say("fit.alt", n=2 * count, error=short_text(error, 2))
    axes = Axis("x", limits=UNIT), Axis("y", limits=UNIT)
    return Chart(marks, *axes, alt=alt, numbers={"neurons": 2 * count, "bumps": count, "error": error})


@lesson.figure
def errors(drawn, count):
    """The distance from the drawn curve, against neurons."""
    wanted = heights_of(drawn)
    tried = sorted({*COUNTS, count})
    found = {n: max(float(distance(follows(wanted, n), wanted(FINE))), 1e-9) for n in tried}
    neurons, dots = [2 * n for n in COUNTS], [found[n] for n in COUNTS]
    slope = slope_of(neurons[2:], dots[2:])
    marks = [
        Line(neurons, dots, ink="b"),
        Dots(neurons, dots, ink="b", size=0.8),
        Dots([2 * count], [found[count]], hollow=True, size=1.8),
    ]
    axes = Axis(say("errors.x"), scale="log", limits=(1.6, 100)), Axis(say("errors.y"), scale="log", limits=(1e-3, 1))
    alt = say("errors.alt", slope=fixed_text(slope))
    return Chart(marks, *axes, alt=alt, numbers={"slope": slope, "from": neurons[2], "to": neurons[-1]})


# --- move: towers -----------------------------------------------------------------------------------------------------

CELLS = 48


def mesh(count):
    at = numpy.array(grid(count, UNIT))
    return numpy.stack([part.ravel() for part in numpy.meshgrid(at, at)], 1)


def surface(values, label, alt, **more):
    count = math.isqrt(len(values))
    mark = Raster(numpy.asarray(values).reshape(count, count).round(3), UNIT, UNIT, ink="b", limits=UNIT)
    return Chart([mark], plane_axis("x₁", UNIT), plane_axis(label, UNIT), alt=alt, equal=True, **more)


@lesson.figure
def city(side, sharp):
    """The sum of towers."""
    places = mesh(CELLS)
    found = at_places(towers(hills, (0, 0), (1, 1), side, sharp), places)
    error = float(distance(found, hills(*places.T)))
    numbers = {"towers": side * side, "neurons": 4 * side + side * side, "error": error}
    alt = say("city.alt", n=side * side, error=short_text(error, 2))
    return surface(found, say("city.label"), alt, numbers=numbers)


@lesson.figure
def goal():
    """The surface that the towers follow."""
    return surface(hills(*mesh(CELLS).T), say("city.goal"), say("city.goal_alt"))


@lesson.figure
def cross():
    """The sum of two bumps, one along each axis, for the tower of the exercise."""
    places = mesh(CELLS)
    walls = [
        at_places(net_of((((a + b) / 2, 1.0, 0),), b - a, 500.0), places[:, axis]) for axis, (a, b) in enumerate(TOWER)
    ]
    mark = Raster(sum(walls).reshape(CELLS, CELLS).round(2), UNIT, UNIT, ink="b", limits=(0, 2.4))
    (a, b), (c, d) = TOWER
    beside = [((a + b) / 2, (1 + d) / 2, "1"), ((a + b) / 2, c / 2, "1"), (a / 2, (c + d) / 2, "1")]
    beside += [((1 + b) / 2, (c + d) / 2, "1"), ((a + b) / 2, (c + d) / 2, "2"), ((1 + b) / 2, (1 + d) / 2, "0")]
    marks = [mark, *(Label(*place, ink="ink") for place in beside)]
    return Chart(marks, plane_axis("x₁", UNIT), plane_axis("x₂", UNIT), alt=say("cross.alt"), equal=True)


# --- formula and code -------------------------------------------------------------------------------------------------


@lesson.formula
def total(tops, width, steep, at):
    """The sum of bumps, in symbols and in the numbers of the place x."""
    net = net_of(tops, width, steep)
    fired = net[1](net[0](asarray([[at]], dtype="float32"))).numpy()[0].tolist()
    y = float(at_places(net, [at])[0])
    terms = [rf"{h:.2f} \cdot ({fired[2 * i]:.2f} - {fired[2 * i + 1]:.2f})" for i, (_, h, _) in enumerate(tops)]
    lines = [" + ".join(terms[i : i + 2]) for i in range(0, len(terms), 2)]
    s, x = r"\class{steep}{s}", r"\class{at}{x}"
    return r" \\ ".join(
        (
            rf"y(x) & = & \sum_k h_k \left( \sigma({s}({x} - a_k)) - \sigma({s}({x} - b_k)) \right)",
            rf"y(\class{{at}}{{{at:.2f}}}) & = & {lines[0]}",
            *(rf"& + & {line}" for line in lines[1:]),
            f"& = & {y:.2f}",
        )
    )


lesson.add(Code("bumps", bumps))

# --- test -------------------------------------------------------------------------------------------------------------

ORDERS = {"smooth": (5, 10, 20, 40, 80, 160), "jump": (5, 10, 20, 40, 80, 160), "towers": (3, 5, 9, 13, 19, 25)}
LEAPS = [0.31 + 0.03 * i for i in range(12)]


def order_point(kind, count):
    """Hidden neurons, and the distance that is left; that of a leap is the typical one of several places of it."""
    if kind == "towers":
        places = mesh(100)
        found = at_places(towers(hills, (0, 0), (1, 1), count), places)
        return 4 * count + count**2, float(distance(found, hills(*places.T)))
    wanted = {"smooth": [curve], "jump": [leaping(place) for place in LEAPS]}[kind]
    places = numpy.array(grid(2000, UNIT))
    left = [distance(follows(function, count, places), function(places)) for function in wanted]
    return 2 * count, float(distance(numpy.array(left), 0.0))


@lesson.experiment
def orders():
    """The distance of networks set by hand, against neurons: of a curve, of one with a leap, of a surface."""
    found = {kind: [] for kind in ORDERS}
    total = sum(map(len, ORDERS.values()))
    for kind, counts in ORDERS.items():
        for count in counts:
            found[kind].append(order_point(kind, count))
            slopes = {
                kind: slope_of(*zip(*points, strict=True)) if len(points) > 2 else 0.0 for kind, points in found.items()
            }
            holds = (
                -1.15 < slopes["smooth"] < -0.85 and max(abs(slopes[kind] + 0.5) for kind in ("jump", "towers")) < 0.15
            )
            yield Progress(sum(map(len, found.values())), total, orders_chart(found), {**slopes, "holds": holds})


def orders_chart(found):
    marks = []
    for kind, points in found.items():
        x, y = [n for n, _ in points], [error for _, error in points]
        look = {"smooth": {"ink": "b"}, "jump": {"ink": "a", "dashed": True}, "towers": {"ink": "ink"}}[kind]
        if points:
            marks.append(Line(x, y, label=say(f"orders.{kind}") if len(points) == 6 else "", **look))
            marks.append(Dots(x, y, ink=look["ink"], hollow=kind == "jump", size=0.8))
    axes = Axis(say("errors.x"), scale="log", limits=(8, 1000)), Axis(say("errors.y"), scale="log", limits=(2e-3, 0.5))
    return Chart(marks, *axes, alt=say("orders.alt", n=sum(map(len, found.values()))))


SIZES = (10, 20, 40)
STARTS = "usual", "steep"


@lesson.experiment
def learners():
    """Networks that learn the curve, against one set by hand with as many neurons."""
    by_hand = [float(distance(follows(curve, size // 2), curve(FINE))) for size in SIZES]
    found, done, parts = {}, 0, 10
    for size in SIZES:
        for start in STARTS:
            for weights in trained(start, size, report=STEPS // parts):
                found[start, size] = distance(follow(start, weights, FINE).numpy(), curve(FINE))
                done += 1
                numbers = {"seeds": SEEDS, "steps": STEPS, "size": SIZES[-1], "hand": by_hand[-1]}
                for kind in STARTS:
                    last = found.get((kind, SIZES[-1]), numpy.full(SEEDS, numpy.inf))
                    numbers |= {f"{kind}_more": int((last > by_hand[-1]).sum())}
                    numbers |= {f"{kind}_middle": float(numpy.median(last)), f"{kind}_worst": float(last.max())}
                numbers = {name: value if numpy.isfinite(value) else None for name, value in numbers.items()}
                holds = numbers["usual_more"] == SEEDS and numbers["steep_more"] < SEEDS / 4
                chart = learners_chart(found, by_hand)
                yield Progress(done, parts * len(SIZES) * len(STARTS), chart, {**numbers, "holds": holds})


def learners_chart(found, by_hand):
    marks = [Line(SIZES, by_hand, label=say("learners.hand")), Dots(SIZES, by_hand)]
    for start, side, look in (("usual", -1, {"ink": "a", "hollow": True}), ("steep", 1, {"ink": "b"})):
        places, heights = [], []
        for (kind, size), values in found.items():
            if kind == start:
                places += [size * 1.07**side] * len(values)
                heights += values.tolist()
        label = say(f"learners.{start}") if places else ""
        marks.append(Dots(places, heights, size=0.6, label=label, **look))
    axes = Axis(say("errors.x"), scale="log", limits=(8, 50)), Axis(say("errors.y"), scale="log", limits=(1e-3, 0.4))
    return Chart(marks, *axes, alt=say("learners.alt", n=SEEDS))


@lesson.claim
def stuck():
    """Networks with sigmoids that descend plainly, and the best straight line."""
    count, steps = 20, 600
    (weights,) = trained("plain", count, steps=steps, report=steps)
    found = follow("plain", weights, FINE).numpy()
    straight = numpy.polyval(numpy.polyfit(FINE, curve(FINE), 1), FINE)
    left, least = distance(found, curve(FINE)), float(distance(straight, curve(FINE)))
    marks = [Line(FINE, curve(FINE), ink="a", label=say("stairs.curve"))]
    marks += [Line(FINE, one, ink="quiet") for one in found]
    marks.append(Line(UNIT, straight[[0, -1]], ink="b", dashed=True, label=say("stuck.line")))
    numbers = {"seeds": SEEDS, "steps": steps, "size": count, "line": least, "best": float(left.min())}
    numbers["above"] = int((left >= least).sum())
    chart = Chart(
        marks, Axis("x", limits=UNIT), Axis("y", limits=UNIT), alt=say("stuck.alt", n=numbers["above"], all=SEEDS)
    )
    return Outcome(numbers["above"] > SEEDS / 2, numbers, [chart])


@lesson.claim
def outside():
    """Beyond the range in which they were set or trained, both networks leave the curve."""
    x = numpy.linspace(-0.5, 1.5, 401)
    within, far = (x >= 0) & (x <= 1), (x < -0.1) | (x > 1.1)
    (weights,) = trained("steep", 40, seeds=1, steps=1000, report=1000)
    nets = {"hand": follows(curve, 20, x), "trained": follow("steep", weights, x).numpy()[0]}
    numbers = {}
    for name, values in nets.items():
        numbers[f"{name}_in"] = float(distance(values[within], curve(x[within])))
        numbers[f"{name}_out"] = float(distance(values[far], curve(x[far])))
    marks = [
        Rule(x=0.0, ink="quiet", dashed=True),
        Rule(x=1.0, ink="quiet", dashed=True),
        Line(x, curve(x), ink="a", label=say("stairs.curve")),
        Line(x, nets["hand"], label=say("outside.hand"), dashed=True),
        Line(x, nets["trained"], ink="b", label=say("outside.trained")),
    ]
    alt = say("outside.alt", hand=short_text(numbers["hand_out"], 2), trained=short_text(numbers["trained_out"], 2))
    chart = Chart(marks, Axis("x"), Axis("y", limits=(-0.6, 1.8)), alt=alt)
    holds = all(numbers[f"{name}_out"] > 3 * numbers[f"{name}_in"] for name in nets)
    return Outcome(holds, numbers, [chart])


lesson.add(*EXERCISES)
