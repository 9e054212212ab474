"""Lesson 10: learning from a handful at a time."""

import math
from functools import cache, lru_cache

import numpy

from ichikara import nn
from ichikara.arrays import Generator
from ichikara.autodiff import asarray
from ichikara.charts import Axis, Chart, Dots, Line, Raster, fixed_text
from ichikara.course.controls import Choice, Slider
from ichikara.course.digits import splits
from ichikara.course.lesson import Answer, Code, Lesson, Outcome, Prediction, Progress
from ichikara.course.pictures import grid, plane_axis
from ichikara.data import DataLoader, Dataset
from ichikara.optim import SGD, rules

from .exercises import EXERCISES
from .training import CLASSES, GOAL, RATES, Point, network, scores, stepper, until_goal

EXAMPLES = 40
START = (-1.2, -1.2)
WINDOW = (-1.6, 2.0)
FAR = 1e3  # a weight beyond it will not come back

lesson = Lesson(
    "mini-batches",
    m=Slider(1, EXAMPLES, 8, 1, log=True),
    rate=Slider(0.01, 1.0, 0.1, 0.01, log=True),
    order=Choice(("each", "once", "sorted"), "each"),
    epochs=Slider(1, 10, 4, 1),
    count=Choice(("steps", "examples"), "steps"),
    against=Choice(("steps", "examples", "seconds"), "seconds"),
)
say = lesson.say

# --- a line through forty points --------------------------------------------------------------------------------------


def points():
    """Forty examples (x, 1) with targets that scatter about a line, in the order of x."""
    draw = numpy.random.default_rng(0)
    x = numpy.linspace(-1, 1, EXAMPLES)
    return Dataset(numpy.stack([x, numpy.ones(EXAMPLES)], axis=1), 0.8 * x + 0.3 + draw.normal(0, 0.4, EXAMPLES))


POINTS = points()
SHUFFLED = POINTS[numpy.random.default_rng(1).permutation(EXAMPLES)]


def batches(m, order):
    """The library's loader of the points; each time it is gone through is an epoch."""
    data = POINTS if order == "sorted" else SHUFFLED
    return DataLoader(data, m, shuffle=order == "each", generator=Generator(0))


def loss(weights):
    """The mean squared error on all points. Shapes: (..., 2) -> (...)."""
    return ((numpy.asarray(weights) @ POINTS.inputs.T - POINTS.targets) ** 2).mean(-1)


@lru_cache(64)
def path(m, rate, order, epochs):
    """The weights from the start on, after each update. Shapes: (steps + 1, 2)."""
    weights = numpy.array(START)
    found, loader = [weights], batches(m, order)
    for _ in range(epochs):
        for x, y in loader:
            slope = 2 / len(x) * ((x @ weights - y) @ x)
            weights, _ = rules.sgd(weights, slope, {}, lr=rate)
            found.append(weights)
            if abs(weights).max() > FAR:
                return numpy.array(found)
    return numpy.array(found)


def three(m, rate, order, epochs):
    """The paths by their names: all points at a time, m, and one, and how each is drawn."""
    looks = {"all": ("a", False), "some": ("ink", False), "one": ("b", True)}
    sizes = {"all": EXAMPLES, "some": m, "one": 1}
    names = [name for name in looks if name != "some" or 1 < m < EXAMPLES]
    return {
        name: (path(sizes[name], rate, order, epochs), sizes[name], {"ink": looks[name][0], "dashed": looks[name][1]})
        for name in names
    }


@cache
def surface():
    """The loss at the middles of cells, in rows from the bottom."""
    at = grid(45, WINDOW)
    return loss([[(w, b) for w in at] for b in at]).round(4)


@lesson.figure
def paths(m, rate, order, epochs):
    """Three paths on the surface of the loss."""
    lowest = float(surface().min())
    marks = [
        Raster(
            surface(),
            WINDOW,
            WINDOW,
            ink="quiet",
            limits=(0, 14),
            levels=[lowest + rise for rise in (0.05, 0.25, 0.6, 1.2, 2.2, 3.6, 5.6)],
        )
    ]
    found = three(m, rate, order, epochs)
    for name, (weights, _, look) in reversed(found.items()):
        marks.append(Line(weights[:, 0], weights[:, 1], label=say(f"names.{name}", m=m), **look))
    marks.append(Dots(found["all"][0][:, 0], found["all"][0][:, 1], ink="a", size=0.6))
    ends = {name: float(loss(weights[-1])) for name, (weights, _, _) in found.items()}
    lines = []
    for name, (weights, _, _) in found.items():
        how = "gone" if ends[name] > 1e4 else "there"
        path_name = say(f"names.{name}", m=m)
        lines.append(say(f"ends.{how}", path=path_name, n=len(weights) - 1, loss=fixed_text(ends[name])))
    caption = say("paths.seen", epochs=epochs, examples=epochs * EXAMPLES, paths=say("paths.between").join(lines))
    return Chart(
        marks,
        plane_axis(say("paths.x"), WINDOW),
        plane_axis(say("paths.y"), WINDOW),
        alt=say("paths.alt", caption=caption),
        numbers={"caption": caption},
        equal=True,
    )


@lesson.figure
def curves(m, rate, order, epochs, count):
    """The loss on all points, after each update."""
    marks = []
    for name, (weights, size, look) in three(m, rate, order, epochs).items():
        after = numpy.arange(1, len(weights))
        if count == "examples":
            after = numpy.minimum(size * after, epochs * EXAMPLES)
        marks.append(Line(after, loss(weights[1:]).clip(0, 1e6), label=say(f"names.{name}", m=m), **look))
        if len(after) == 1:
            marks.append(Dots(after, marks[-1].y, ink=look["ink"], size=0.6))
    axes = Axis(say(f"counts.{count}"), scale="log"), Axis(say("curves.y"), scale="log", limits=(0.07, 10))
    return Chart(marks, *axes, alt=say("curves.alt", count=say(f"counts.{count}"), epochs=epochs))


@lesson.action
def reset():
    """All as it was at the start."""
    return {name: control.value for name, control in lesson.controls.items() if name != "against"}


@lesson.formula
def update(m, rate, order):
    """The first update of the first weight, in symbols and in the numbers of the first batch."""
    x, y = next(iter(batches(m, order)))
    weights = asarray(START, requires_grad=True)
    left = (x @ weights) - y
    (left * left).mean().backward()
    SGD([weights], lr=rate).step()
    each = [float(2 * (START[0] * xi[0] + START[1] - yi) * xi[0]) for xi, yi in zip(x, y, strict=True)]
    n = lambda value: f"({{{value:.2f}}})" if value < 0 else f"{value:.2f}"
    terms = [f"{{{each[0]:.2f}}}", *map(n, each[1:])]
    if m > 3:
        terms = [*terms[:2], r"\cdots", terms[-1]]
    share = rf"\class{{m}}{{\frac{{1}}{{{m}}}}}"
    return (
        r"w & \leftarrow & w - \class{rate}{\eta} \cdot \class{m}{\frac{1}{m}}"
        r" \sum_{j=1}^{m} \frac{\partial L_j}{\partial w} \\"
        rf" & = & {START[0]:.2f} - \class{{rate}}{{{rate:g}}} \cdot {share} ({' + '.join(terms)}) \\"
        rf" & = & {weights.tolist()[0]:.2f}"
    )


lesson.add(Code("loader", DataLoader.__iter__))

# --- ten digits -------------------------------------------------------------------------------------------------------

KINDS = {"one": 1, "some": 25, "all": 7500}
LOOKS = {"one": {"ink": "b", "dashed": True}, "some": {"ink": "ink"}, "all": {"ink": "a"}}


@cache
def arrivals():
    """By name, the last point of each of three trainings."""
    return {name: list(until_goal(m, RATES[m][0]))[-1] for name, m in KINDS.items()}


def first_by(field):
    """Which of the three reaches the goal first, by steps or by seconds."""

    def answer():
        costs = {name: getattr(point, field) for name, point in arrivals().items()}
        notes = {
            name: say(f"notes.{field}", n=f"{cost:,}" if field == "steps" else f"{cost:.2f}")
            for name, cost in costs.items()
        }
        return Answer([min(costs, key=costs.__getitem__)], notes, costs)

    return answer


lesson.add(
    Prediction("by_steps", tuple(KINDS), first_by("steps")),
    Prediction("by_time", tuple(KINDS), first_by("seconds")),
)


@lesson.experiment
def race(against):
    """Three trainings until the goal, drawn against steps, examples or seconds."""
    runs = {}
    for done, (name, m) in enumerate(KINDS.items(), 1):
        runs[name] = []
        for point in until_goal(m, RATES[m][0]):
            runs[name].append(point)
            if len(runs[name]) % 10 == 1 or point.accuracy >= GOAL:
                yield Progress(done, len(KINDS), race_chart(runs, against), race_numbers(runs))


def race_numbers(runs):
    ends = {name: points[-1] for name, points in runs.items()}
    empty = Point(0, 0, 0.0, 0.0, 0.0)
    return {
        f"{name}_{field}": getattr(ends.get(name, empty), field)
        for name in KINDS
        for field in ("steps", "examples", "seconds")
    }


def race_chart(runs, against):
    marks = []
    for name, points in runs.items():
        x, y = [getattr(point, against) for point in points], [point.loss for point in points]
        marks.append(Line(x, y, label=say(f"digits.{name}"), **LOOKS[name]))
        if points[-1].accuracy >= GOAL:
            marks.append(Dots(x[-1:], y[-1:], ink=LOOKS[name]["ink"]))
    axes = Axis(say(f"counts.{against}"), scale="log"), Axis(say("race.y"), limits=(0, 2.6))
    return Chart(marks, *axes, alt=say("race.alt", count=say(f"counts.{against}"), n=len(runs)))


# --- test -------------------------------------------------------------------------------------------------------------

DRAWS = 60


def gradient(net, x, y):
    """The gradient of a batch by all weights, as one vector."""
    net.zero_grad()
    nn.CrossEntropyLoss()(net(x), y).backward()
    return numpy.concatenate([parameter.grad.numpy().ravel() for parameter in net.parameters()])


@lesson.experiment
def noise():
    """How far the gradients of random batches are from that of all examples, by the size of the batch."""
    split, net, draw = splits(0, train=1500), network(), numpy.random.default_rng(0)
    whole = gradient(net, split.images, split.labels)
    sizes, back, out = [2**k for k in range(11)], [], []
    for done, m in enumerate(sizes, 1):
        far = {True: [], False: []}
        for again, found in far.items():
            for _ in range(DRAWS):
                rows = draw.choice(len(split.labels), m, replace=again)
                found.append(((gradient(net, split.images[rows], split.labels[rows]) - whole) ** 2).sum())
        back.append(math.sqrt(numpy.mean(far[True])))
        out.append(math.sqrt(numpy.mean(far[False])))
        slope = float(numpy.polyfit(numpy.log(sizes[:done]), numpy.log(back), 1)[0]) if done > 1 else 0.0
        marks = [
            Line(sizes, [back[0] / math.sqrt(m) for m in sizes], ink="ink", label="1/√m"),
            Line(sizes, [back[0] * math.sqrt((1 - m / 1500) / m) for m in sizes], ink="a", dashed=True),
            Dots(sizes[:done], out, ink="a", hollow=True, label=say("noise.without")),
            Dots(sizes[:done], back, ink="b", label=say("noise.with")),
        ]
        chart = Chart(
            marks,
            Axis(say("noise.x"), scale="log"),
            Axis(say("noise.y"), scale="log"),
            alt=say("noise.alt", slope=fixed_text(slope)),
        )
        found = {"slope": slope, "draws": DRAWS, "holds": done < len(sizes) or abs(slope + 0.5) < 0.03}
        yield Progress(done, len(sizes), chart, found)


PASSES = 10


def by_epoch(order):
    """The accuracy on 297 new digits after each epoch."""
    split = splits(0, train=1500)
    rows = numpy.argsort(split.labels, kind="stable") if order == "sorted" else slice(None)
    data = Dataset(split.images[rows], split.labels[rows], classes=CLASSES)
    new = Dataset(split.test_images, split.test_labels, classes=CLASSES)
    net, loader = network(), DataLoader(data, 25, shuffle=order == "each", generator=Generator(0))
    step, found = stepper(net, 0.5, data.inputs[:25], data.targets[:25]), []
    for _ in range(PASSES):
        for x, y in loader:
            step(x, y)
        found.append(scores(net, new)[1])
    return found


@lesson.claim
def orders():
    """Sorted by class spoils learning; shuffled once is as good as shuffled before each epoch."""
    found = {order: by_epoch(order) for order in ("each", "once", "sorted")}
    ends = {order: curve[-1] for order, curve in found.items()}
    looks = {"each": {"ink": "ink"}, "once": {"ink": "a", "dashed": True}, "sorted": {"ink": "b"}}
    x = range(1, PASSES + 1)
    marks = [Line(x, curve, label=say(f"orders.{order}"), **looks[order]) for order, curve in found.items()]
    axes = Axis(say("orders.x"), whole=True, limits=(1, PASSES)), Axis(say("orders.y"), percent=True, limits=(0, 1))
    chart = Chart(marks, *axes, alt=say("orders.alt", **{order: f"{end:.0%}" for order, end in ends.items()}))
    holds = ends["sorted"] < 0.5 and abs(ends["once"] - ends["each"]) < 0.03
    return Outcome(holds, {**ends, "epochs": PASSES}, [chart])


@lesson.experiment
def cost():
    """What 95% costs by the size of a batch, each at the best of its three rates."""
    costs: dict[str, dict[int, float]] = {"steps": {}, "examples": {}, "seconds": {}}
    runs = [(m, rate) for m, rates in RATES.items() for rate in rates]
    for done, (m, rate) in enumerate(runs, 1):
        most = 1.5 * costs["steps"].get(m, 10_000)
        for count, point in enumerate(until_goal(m, rate, most)):
            if point.accuracy >= GOAL:
                for name, by_size in costs.items():
                    by_size[m] = min(by_size.get(m, math.inf), getattr(point, name))
            elif count % 10 == 0:
                yield Progress(done, len(runs), cost_chart(costs), cost_numbers(costs, False))
        yield Progress(done, len(runs), cost_chart(costs), cost_numbers(costs, done == len(runs)))


def cost_numbers(costs, ended):
    best = {name: min(by_size, key=by_size.__getitem__, default=0) for name, by_size in costs.items()}
    holds = best["steps"] == 7500 and best["examples"] <= 25 and 1 < best["seconds"] < 7500
    return {**best, "holds": holds or not ended}


def cost_chart(costs):
    looks = {"steps": {"ink": "a"}, "examples": {"ink": "ink", "dashed": True}, "seconds": {"ink": "b"}}
    marks = []
    for name, by_size in costs.items():
        sizes, least = list(by_size), min(by_size.values(), default=1)
        y = [by_size[m] / least for m in sizes]
        marks += [
            Line(sizes, y, label=say(f"counts.{name}"), **looks[name]),
            Dots(sizes, y, ink=looks[name]["ink"], size=0.7),
        ]
    axes = Axis(say("cost.x"), scale="log", limits=(0.8, 1e4)), Axis(say("cost.y"), scale="log", limits=(0.8, 500))
    return Chart(marks, *axes, alt=say("cost.alt", n=len(costs["steps"])))


lesson.add(*EXERCISES)
