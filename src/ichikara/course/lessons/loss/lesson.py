"""Lesson 5: how wrong is it?"""

import math

import numpy

from ichikara import nn, ops, optim
from ichikara.autodiff import no_grad, operations
from ichikara.charts import Area, Arrows, Axis, Chart, Dots, Line, Rule
from ichikara.course.controls import Choice, Points, Slider
from ichikara.course.lesson import Answer, Code, Handle, Lesson, Outcome, Picture, Prediction, Progress
from ichikara.course.pictures import cut, line, plane_axis

from .exercises import EXERCISES
from .fits import around, best_line, losses, places

WINDOW = (0.0, 10.0)
START = ((0.9, 1.9), (2.2, 1.7), (3.6, 3.9), (5.0, 3.8), (6.2, 5.3), (7.8, 4.9), (9.1, 6.9))
FAR = 5, 0.4  # the point that is dragged away, and to which height
LEAST, MOST = 0.001, 0.999  # of p

lesson = Lesson(
    "loss",
    loss=Choice(("l2", "l1"), "l2"),
    w1=Slider(-3.0, 3.0, 0.2, 0.05),
    w0=Slider(-10.0, 15.0, 2.0, 0.1),
    points=Points(tuple((x, y, 0) for x, y in START), *WINDOW, kinds=1),
    y=Choice(("1", "0"), "1"),
    p=Slider(LEAST, MOST, 0.3, 0.001),
    die=Choice(("fair", "loaded"), "fair"),
)
say = lesson.say
fixed = lambda value, digits=2: f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def drawn_line(w0, w1, **look):
    return line((w0, w1, -1.0), WINDOW, **look)


# --- predict ----------------------------------------------------------------------------------------------------------

FITS = "l1", "l2"
MOVED = tuple((x, FAR[1] if i == FAR[0] else y) for i, (x, y) in enumerate(START))


def before_and_after(name, after):
    """The points with the line that fits them best, and, if asked for, the one after the point was dragged."""
    (x, y), far = places(START), START[FAR[0]]
    marks = drawn_line(*best_line(name, START), dashed=after, ink="quiet" if after else "ink")
    if after:
        marks += drawn_line(*best_line(name, MOVED), ink="b")
    marks += [Dots(x, y), Arrows([far[0]], [far[1] - 0.5], [0.0], [FAR[1] - far[1] + 0.9])]
    if after:
        marks.append(Dots([far[0]], [FAR[1]], ink="b"))
    axes = plane_axis("", WINDOW), plane_axis("", WINDOW)
    return Chart(marks, *axes, alt=say(f"moved.{'after' if after else 'before'}", loss=name.upper()), equal=True)


def which_moves():
    """How far each line moves at the edges of the window, at most."""
    right, notes = [], {}
    for name in FITS:
        (a0, a1), (b0, b1) = best_line(name, START), best_line(name, MOVED)
        by = max(abs(a0 - b0 + (a1 - b1) * edge) for edge in WINDOW)
        notes[name] = say("moved.by", by=fixed(by)) if by > 0.005 else say("moved.stays")
        if by > 0.005:
            right.append(name)
    return Answer(right, notes, charts={name: before_and_after(name, True) for name in FITS})


lesson.add(
    Prediction("fits", FITS, which_moves, several=True, charts=lambda: {n: before_and_after(n, False) for n in FITS})
)

# --- move: lengths and areas ------------------------------------------------------------------------------------------


@lesson.figure
def fit(loss, w1, w0, points):
    """The points, the model's line, and what it costs: lengths, or areas."""
    x, y = places(points)
    answer = w0 + w1 * x
    marks = []
    for at, given, wanted in zip(x.tolist(), answer.tolist(), y.tolist(), strict=True):
        low, high = sorted((given, wanted))
        ink, dashed = ("b", False) if wanted > given else ("a", True)
        if loss == "l1":
            marks.append(Line([at, at], [low, high], ink=ink, dashed=dashed))
            continue
        far = at + (high - low) * (1 if at + high - low <= WINDOW[1] else -1)
        marks.append(Area(sorted((at, far)), [low, low], [high, high], ink=ink))
        marks.append(Line([at, far, far, at, at], [low, low, high, high, low], ink=ink, dashed=dashed))
    marks += [*drawn_line(w0, w1), Dots(x, y)]
    handles = [
        Handle("point", *spot[:2], i, label=say("handles.point", x=fixed(spot[0]), y=fixed(spot[1])))
        for i, spot in enumerate(points)
    ]
    ends = cut((w0, w1, -1.0), WINDOW)
    if ends:
        ends = sorted(ends)
        handles.insert(0, Handle("shift", *ends[0], to=ends[1], label=say("handles.shift")))
        handles += [Handle("tilt", *end, i, "foot", label=say("handles.tilt")) for i, end in enumerate(ends)]
    now = losses(loss, answer[None], y).item()
    b0, b1 = best_line(loss, points)
    least = losses(loss, (b0 + b1 * x)[None], y).item()
    caption = say(f"fit.{loss}", now=fixed(now), least=fixed(least))
    alt = say("fit.alt", n=len(points), w0=fixed(w0), w1=fixed(w1), caption=caption)
    chart = Chart(
        marks,
        plane_axis("x", WINDOW),
        plane_axis("y", WINDOW),
        alt=alt,
        numbers={"caption": caption, "now": now, "least": least},
        equal=True,
    )
    return Picture(chart, handles)


@lesson.figure
def heights(w1, w0, points):
    """Both losses against the height of the line, its slope as it is."""
    x, y = places(points)
    rest = y - w1 * x
    middle = float(rest.mean())
    reach = max(4.0, abs(w0 - middle) + 1)
    at = numpy.linspace(middle - reach, middle + reach, 161)
    marks, numbers = [Rule(x=w0, ink="quiet")], {}
    for name, ink, dashed in (("l2", "b", False), ("l1", "a", True)):
        found = losses(name, at[:, None] + w1 * x, y)
        now = losses(name, (w0 + w1 * x)[None], y).item()
        numbers[name] = now
        marks.append(Line(at, found, ink=ink, dashed=dashed, label=name.upper()))
        marks.append(Dots([w0], [now], ink=ink, hollow=dashed))
    axes = Axis("w₀", limits=(middle - reach, middle + reach)), Axis(say("heights.y"), limits=(0, 12))
    alt = say("heights.alt", l1=fixed(numbers["l1"]), l2=fixed(numbers["l2"]))
    return Chart(marks, *axes, alt=alt, numbers=numbers)


@lesson.handle
def point(points, x, y, index):
    """A point is moved."""
    index = int(index) % len(points)
    moved = (*(round(min(WINDOW[1], max(WINDOW[0], place)), 2) for place in (x, y)), 0)
    return {"points": (*points[:index], moved, *points[index + 1 :])}


@lesson.handle
def shift(w1, x, y):
    """The line goes through the place to which it is moved, and keeps its slope."""
    return slider_values(y - w1 * x, w1)


@lesson.handle
def tilt(w0, w1, x, y, index):
    """One end of the line is moved; the other one stays where it is."""
    ends = sorted(cut((w0, w1, -1.0), WINDOW)) or [(0.0, w0), (10.0, w0 + 10 * w1)]
    fx, fy = ends[1 - int(index) % 2]
    slope = (y - fy) / (x - fx) if abs(x - fx) > 0.5 else w1
    slope = max(-3.0, min(3.0, slope))
    return slider_values(fy - slope * fx, slope)


def slider_values(w0, w1):
    """Values that the sliders can have."""
    return {"w0": round(max(-10.0, min(15.0, w0)), 3), "w1": round(max(-3.0, min(3.0, w1)), 3)}


@lesson.action
def best_l1(points):
    """The line with the least L1 loss."""
    return slider_values(*best_line("l1", points))


@lesson.action
def best_l2(points):
    """The line with the least L2 loss."""
    return slider_values(*best_line("l2", points))


@lesson.action
def reset():
    """Points and line as they were at the start."""
    return {name: lesson.controls[name].value for name in ("points", "w0", "w1", "loss")}


# --- move: the price of a probability ---------------------------------------------------------------------------------


def prices(p, y):
    """Cross entropy and squared error of answers p where y is right."""
    p = numpy.asarray(p, float)
    targets = numpy.full(p.shape, float(y))
    return (function(p, targets, reduction="none").numpy() for function in (ops.binary_cross_entropy, ops.mse_loss))


@lesson.figure
def price(y, p):
    """What an answer p costs by cross entropy, and by its square."""
    at = numpy.concatenate(
        [numpy.linspace(LEAST, 0.05, 50), numpy.linspace(0.06, 0.94, 89), numpy.linspace(0.95, MOST, 50)]
    )
    curves = list(prices(at, y))
    cost, square = (found.item() for found in prices([p], y))
    texts = ("−ln p", "(1 − p)²") if y == "1" else ("−ln(1 − p)", "p²")
    marks = [
        Line([p, p], [0, cost], ink="quiet"),
        Line(at, curves[1], ink="a", dashed=True, label=texts[1]),
        Line(at, curves[0], ink="b", label=texts[0]),
        Dots([p], [square], ink="a", hollow=True),
        Dots([p], [cost], ink="b"),
    ]
    axes = Axis(say("price.x"), limits=(0, 1)), Axis(say("price.y"), limits=(0, 7))
    alt = say("price.alt", p=fixed(p, 3), y=y, cost=fixed(cost), square=fixed(square))
    handle = Handle("along", p, min(cost, 7.0), label=say("handles.price", p=fixed(p, 3), cost=fixed(cost)))
    return Picture(Chart(marks, *axes, alt=alt, numbers={"p": p, "cost": cost, "square": square}), [handle])


@lesson.handle
def along(x):
    """The answer is moved along the curve."""
    return {"p": round(max(LEAST, min(MOST, x)), 3)}


# --- formula and code -------------------------------------------------------------------------------------------------


@lesson.formula
def means(w1, w0, points):
    """Both losses of the line, in symbols and with the numbers of the picture."""
    x, y = places(points)
    errors = w0 + w1 * x - y
    now = {name: losses(name, (w0 + w1 * x)[None], y).item() for name in FITS}
    lengths = " + ".join(f"{abs(error):.2f}" for error in errors)
    squares = " + ".join(f"{error**2:.2f}" for error in errors)
    n, sign = len(points), "-" if w0 < 0 else "+"
    return (
        rf"f(x) & = & \class{{w1}}{{{w1:.2f}}}\,x {sign} \class{{w0}}{{{abs(w0):.2f}}} \\"
        r"L_1 & = & \frac{1}{n} \sum_i |f(x_i) - y_i| \\"
        rf" & = & \frac{{1}}{{{n}}} ({lengths}) \\ & = & {now['l1']:.2f} \\"
        r"L_2 & = & \frac{1}{n} \sum_i (f(x_i) - y_i)^2 \\"
        rf" & = & \frac{{1}}{{{n}}} ({squares}) \\ & = & {now['l2']:.2f}"
    )


@lesson.formula
def halves(y, p):
    """Cross entropy with both halves, in symbols and in numbers."""
    cost = next(prices([p], y)).item()
    one = int(y)
    return (
        r"L & = & -\left(\class{y}{y}\,\ln\,\class{p}{p} + (1 - \class{y}{y})\,\ln (1 - \class{p}{p})\right) \\"
        rf" & = & -\left(\class{{y}}{{{one}}} \cdot \ln\,\class{{p}}{{{p:.3f}}} +"
        rf" \class{{y}}{{{1 - one}}} \cdot \ln\,\class{{p}}{{{1 - p:.3f}}}\right) \\ & = & {cost:.2f}"
    )


lesson.add(Code("losses", (ops.l1_loss, ops.mse_loss, operations["bernoulli_nll"])))

# --- test -------------------------------------------------------------------------------------------------------------

SETS, CONSTANTS = 200, 1001


@lesson.claim
def constant():
    """No constant beats the mean by squares, or a median by lengths; between the middle two numbers all are equal."""
    draw, holds, odd, even, apart, floor = numpy.random.default_rng(0), True, 0, 0, 0.0, 0.0
    for _ in range(SETS):
        count = int(draw.integers(3, 12))
        numbers = numpy.sort(draw.normal(size=count) * draw.uniform(0.5, 5))
        tried, l1, l2 = around(numbers, CONSTANTS)
        mean, median = numbers.mean(), numpy.median(numbers)
        best = [losses(name, numpy.full((1, count), at), numbers).item() for name, at in (("l1", median), ("l2", mean))]
        holds = holds and bool(l1.min() >= best[0] - 1e-12) and bool(l2.min() >= best[1] - 1e-12)
        step = tried[1] - tried[0]
        apart = max(apart, abs(tried[l2.argmin()] - mean) / step)
        if count % 2:
            odd += 1
            continue
        even += 1
        low, high = numbers[count // 2 - 1 : count // 2 + 1]
        level = l1[(tried >= low) & (tried <= high)]
        outside = l1[(tried < low - step) | (tried > high + step)]
        floor = max(floor, float(abs(level - best[0]).max(initial=0.0)))
        holds = holds and bool((outside > best[0]).all())
    holds = holds and apart <= 0.5 + 1e-6 and floor < 1e-12
    charts = [constant_chart(name, numpy.array([1.0, 2.0, 3.0, 5.0, 6.0, 9.0])) for name in ("l2", "l1")]
    return Outcome(holds, {"sets": SETS, "constants": CONSTANTS, "even": even, "odd": odd, "floor": floor}, charts)


def constant_chart(name, numbers):
    """The loss of constants, with the numbers on the axis and the best constants."""
    tried, l1, l2 = around(numbers, CONSTANTS)
    found = l1 if name == "l1" else l2
    best = numbers[2:4] if name == "l1" else [numbers.mean()]
    low = losses(name, numpy.full((1, len(numbers)), best[0]), numbers).item()
    ink = "a" if name == "l1" else "b"
    top = float(found.max())
    marks = [Line(tried, found, ink=ink, dashed=name == "l1"), Dots(numbers, numpy.zeros(len(numbers)))]
    marks.append(Dots(best, [low] * len(best), ink=ink, hollow=name == "l1", label=say(f"constant.{name}")))
    axes = Axis(say("constant.x"), limits=(0, 10)), Axis(name.upper(), limits=(-0.04 * top, top))
    alt = say("constant.alt", loss=name.upper(), best=", ".join(fixed(value) for value in best), low=fixed(low))
    return Chart(marks, *axes, alt=alt)


@lesson.claim
def sure_wrong():
    """The fused cross entropy grows without end, that of a rounded probability stops, the square stays below one."""
    u = numpy.linspace(0, 200, 401, dtype="float32")
    targets = numpy.zeros_like(u)
    p = ops.sigmoid(u)
    found = {
        "fused": nn.BCEWithLogitsLoss(reduction="none")(u, targets).numpy(),
        "stops": nn.BCELoss(reduction="none")(p, targets).numpy(),
        "square": nn.MSELoss(reduction="none")(p, targets).numpy(),
    }
    inks = {"fused": ("b", False), "stops": ("ink", False), "square": ("a", True)}
    marks = [
        Line(u, found[name], ink=ink, dashed=dashed, label=say(f"sure_wrong.{name}"))
        for name, (ink, dashed) in inks.items()
    ]
    axes = Axis(say("sure_wrong.x"), limits=(0, 200)), Axis(say("sure_wrong.y"), limits=(-5, 205))
    most = {name: float(values.max()) for name, values in found.items()}
    far = nn.BCEWithLogitsLoss()(numpy.array([1e6]), numpy.array([0.0])).item()
    tenfold = (next(prices([1e-6], 1)) - next(prices([1e-5], 1))).item()
    holds = (
        bool(abs(found["fused"][1:] - u[1:]).max() < 0.5)
        and far >= 1e6
        and most["stops"] == 100
        and most["square"] <= 1
    )
    chart = Chart(marks, *axes, alt=say("sure_wrong.alt", **{name: fixed(value, 0) for name, value in most.items()}))
    rounds = float(u[(p.numpy() == 1).argmax()])
    return Outcome(holds, {**most, "u": float(u[-1]), "far": far, "tenfold": tenfold, "rounds": rounds}, [chart])


DICE = {"fair": (1 / 6,) * 6, "loaded": (0.1, 0.1, 0.1, 0.1, 0.1, 0.5)}
THROWS, STEPS = 6000, 200


def entropy(shares):
    """The least cross entropy that any answer can have, in nats."""
    return -sum(share * math.log(share) for share in shares if share)


@lesson.experiment
def dice(die):
    """Six probabilities are trained on throws of a die; their cross entropy against the entropy of the throws.

    The mean over throws is that over faces, each with its share of the throws.
    """
    throws = numpy.random.default_rng(6).choice(6, THROWS, p=DICE[die])
    shares = numpy.bincount(throws, minlength=6) / THROWS
    sums = nn.Parameter(ops.asarray([2.0, -1.0, 0.0, 1.0, -2.0, 0.5], dtype="float64"))
    optimizer, found = optim.SGD([sums], lr=1.0), []
    for step in range(STEPS + 1):
        loss = ops.cross_entropy(ops.reshape(sums, (1, 6)), shares[None])
        found.append(loss.item())
        if step % 5 == 0:
            with no_grad():
                p = ops.softmax(sums, -1).tolist()
            numbers = {
                "throws": THROWS,
                "steps": step,
                "first": found[0],
                "last": found[-1],
                "sample": float(entropy(shares)),
                "die": entropy(DICE[die]),
                "six": p[5],
                "uniform": ops.cross_entropy(ops.zeros((1, 6), dtype="float64"), [0]).item(),
                "holds": bool(step < STEPS or abs(found[-1] - entropy(shares)) < 1e-4),
            }
            yield Progress(step + 1, STEPS + 1, dice_chart(found, numbers["sample"]), numbers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def dice_chart(found, sample):
    marks = [
        Rule(y=sample, ink="a", dashed=True, label=say("dice.sample", value=fixed(sample, 4))),
        Line(range(len(found)), found, ink="b", label=say("dice.loss")),
    ]
    axes = Axis(say("dice.x"), limits=(0, STEPS), whole=True), Axis(say("dice.y"), limits=(1.4, 2.8))
    return Chart(
        marks, *axes, alt=say("dice.alt", steps=len(found) - 1, loss=fixed(found[-1], 4), sample=fixed(sample, 4))
    )


# --- exercises --------------------------------------------------------------------------------------------------------

lesson.add(*EXERCISES)
