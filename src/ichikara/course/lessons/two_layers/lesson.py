"""Lesson 2: several lines make a shape."""

import math

import numpy

from ichikara import asarray, nn, ops
from ichikara.charts import Area, Arrows, Axis, Bars, Chart, Dots, Label, Line, Raster, fixed_text
from ichikara.course.controls import Choice, Points, Slider
from ichikara.course.lesson import Answer, Code, Handle, Lesson, Outcome, Picture, Prediction, Progress
from ichikara.course.lessons.two_layers.exercises import EXERCISES, RING, RING_WINDOW, counts
from ichikara.course.lessons.two_layers.lines import codes, codes_far_away, pieces, random_lines, span
from ichikara.course.lessons.two_layers.training import INPUTS, SEEDS, STEPS, XOR, solved, sums_of, trained
from ichikara.course.pictures import classes, cut, grid, half_plane, line, network, plane_axis

REACH = 2.0
ARROW = 0.5  # arrows are drawn at half their length
SQUARE = (-0.5, 1.5)  # the window of XOR
CORNERS = ((0.0, 1.3), (-1.25, -0.9), (1.25, -0.9))  # of the triangle that is wanted

# The foot of each neuron's arrow, on its line, and the arrow's tip.
START = ((-0.5, 0.3, 0), (-0.2, 0.17, 1), (0.4, 1.07, 0), (0.05, 0.81, 1), (0.5, -0.05, 0), (0.45, 0.3, 1))

lesson = Lesson(
    "two-layers",
    arrows=Points(START, -REACH, REACH),
    v1=Slider(-3.0, 3.0, 1.0, 0.5),
    v2=Slider(-3.0, 3.0, 1.0, 0.5),
    v3=Slider(-3.0, 3.0, 1.0, 0.5),
    v0=Slider(-3.0, 3.0, -2.5, 0.5),
    wanted=Choice(("triangle", "xor", "nothing"), "triangle"),
    probe=Points(((-0.3, -0.6, 1),), -REACH, REACH),
)
say = lesson.say


def lines_of(arrows):
    """The weights (w0, w1, w2) of the hidden neurons, from their arrows' feet and tips."""
    found = []
    for (x, y, _), (to_x, to_y, _) in zip(arrows[::2], arrows[1::2], strict=False):
        w1, w2 = (to_x - x) / ARROW, (to_y - y) / ARROW
        found.append((-(w1 * x + w2 * y), w1, w2))
    return found


def net_of(lines, output):
    """Two layers of neurons with steps. Arguments: ``lines``, weights of the hidden ones; ``output``, v0, v1, ..."""
    net = nn.Sequential(nn.Linear(2, len(lines)), nn.Step(), nn.Linear(len(lines), 1), nn.Step())
    net[0].weight.data, net[0].bias.data = [line[1:] for line in lines], [line[0] for line in lines]
    net[2].weight.data, net[2].bias.data = [output[1 : len(lines) + 1]], [output[0]]
    return net


def fires(net, places):
    return net(asarray(places, dtype="float32")).numpy()[:, 0] > 0


def middle(polygon):
    return numpy.mean(polygon, 0).tolist()


# --- predict ----------------------------------------------------------------------------------------------------------


def triangle_points():
    """Discs in the triangle that is wanted, and rings round it."""
    edges = []
    for (x0, y0), (x1, y1) in zip(CORNERS, CORNERS[1:] + CORNERS[:1], strict=True):
        long = math.hypot(x1 - x0, y1 - y0)
        edges.append(((x0 * y1 - y0 * x1) / long, (y0 - y1) / long, (x1 - x0) / long))
    draw, found = numpy.random.default_rng(3), []
    for _ in range(400):
        x, y = draw.uniform(-1.85, 1.85, 2).round(2)
        inside = min(w0 + w1 * x + w2 * y for w0, w1, w2 in edges)
        wanted = int(inside > 0)
        apart = all(math.hypot(x - a, y - b) > (0.46, 0.36)[wanted] for a, b, _ in found)
        if abs(inside) > 0.18 and apart:
            found.append((float(x), float(y), wanted))
    return tuple(found)


TRIANGLE = triangle_points()
POINTS = {"triangle": TRIANGLE, "xor": XOR, "nothing": ()}


@lesson.figure
def target():
    """The points of the question."""
    axes = plane_axis("x₁"), plane_axis("x₂")
    return Chart(classes(TRIANGLE), *axes, alt=say("target.alt", n=len(TRIANGLE)), equal=True)


def closed():
    """How many regions so many lines make, and how many of these are closed, for a hundred draws of each number."""
    names, notes, right = {"one": 1, "two": 2, "three": 3, "six": 6}, {}, []
    for name, count in names.items():
        draws = [random_lines(count, seed) for seed in range(100)]
        regions = max(len(codes(lines)) for lines in draws)
        shut = max(len(codes(lines) - codes_far_away(lines)) for lines in draws)
        notes[name] = say("closed", regions=regions, closed=shut)
        if shut and not right:
            right.append(name)
    return Answer(right, notes)


lesson.add(Prediction("sides", ("one", "two", "three", "six"), closed))

# --- move -------------------------------------------------------------------------------------------------------------


def room_for(lines, arrows, probe):
    """A place for words in each region that has space for them, by its code: far from lines, arrows and P."""
    at = grid(36)
    mesh = numpy.array([(x, y) for y in at for x in at])
    fired = nn.Step()(asarray(mesh @ numpy.array(lines)[:, 1:].T + numpy.array(lines)[:, 0])).numpy() > 0
    gaps = [REACH - abs(mesh).max(1), numpy.hypot(*(mesh - probe).T) - 0.2]
    for w0, w1, w2 in lines:
        gaps.append(abs(w0 + w1 * mesh[:, 0] + w2 * mesh[:, 1]) / (math.hypot(w1, w2) or 1))
    for (x, y, _), (to_x, to_y, _) in zip(arrows[::2], arrows[1::2], strict=False):
        for share in (0.25, 0.5, 0.75, 1.0, 1.4):
            gaps.append(numpy.hypot(mesh[:, 0] - x - share * (to_x - x), mesh[:, 1] - y - share * (to_y - y)) - 0.1)
    gap, found = numpy.min(gaps, 0), {}
    numbers = fired @ 2 ** numpy.arange(len(lines))[::-1]
    for number in numpy.unique(numbers).tolist():
        here = numpy.where(numbers == number, gap, -1)
        if here.max() > 0.13:
            found[f"{number:0{len(lines)}b}"] = mesh[here.argmax()].tolist()
    return found


@lesson.figure
def plane(arrows, probe):
    """The half planes in which the hidden neurons fire, one over the other, and the code of each region."""
    lines = lines_of(arrows)
    marks = [mark for weights in lines for mark in half_plane(weights, ink="a")]
    marks += [mark for weights in lines for mark in line(weights)]
    handles, (x, y, _) = [], probe[0]
    for i, (foot, tip) in enumerate(zip(arrows[::2], arrows[1::2], strict=False)):
        dx, dy = tip[0] - foot[0], tip[1] - foot[1]
        away = 1 + 0.2 / (math.hypot(dx, dy) or 1)
        marks.append(Arrows([foot[0]], [foot[1]], [dx], [dy]))
        marks.append(Label(foot[0] + away * dx, foot[1] + away * dy, f"o⁰{'₁₂₃'[i % 3]}", ink="ink"))
        ends = cut(lines[i])
        if ends:
            handles.append(Handle("border", *ends[0], i, to=ends[1], label=say("handles.line", n=i + 1)))
    marks += [Label(*place, code) for code, place in room_for(lines, arrows, (x, y)).items()]
    marks += [Dots([x], [y]), Label(x + 0.14, y + 0.1, "P", ink="ink")]
    words = lambda i, tip: say("handles.tip", n=i + 1, x=fixed_text(tip[0]), y=fixed_text(tip[1]))
    handles += [Handle("tip", tip[0], tip[1], i, label=words(i, tip)) for i, tip in enumerate(arrows[1::2])]
    handles.append(Handle("place", x, y, label=say("handles.place", x=fixed_text(x), y=fixed_text(y))))
    count, shown = len(codes(lines)), len(pieces(lines))
    alt = say("plane.alt", n=len(lines), shown=shown, count=count)
    axes = plane_axis("x₁"), plane_axis("x₂")
    return Picture(Chart(marks, *axes, alt=alt, numbers={"shown": shown, "count": count}, equal=True), handles)


@lesson.figure
def output(arrows, v0, v1, v2, v3, wanted, probe):
    """Where the output fires: some of the regions."""
    lines, points = lines_of(arrows), POINTS[wanted]
    net, polygons = net_of(lines, (v0, v1, v2, v3)), pieces(lines)
    on = fires(net, [middle(polygon) for polygon in polygons])
    bands = [span(polygon) for polygon, fire in zip(polygons, on, strict=True) if fire]
    marks = [Area(*band, ink="b") for band in bands if band]
    marks += [mark for weights in lines for mark in line(weights, ink="quiet")]
    wrong = []
    if points:
        wrong = [p for p, o in zip(points, fires(net, [p[:2] for p in points]), strict=True) if o != p[2]]
        marks += classes(points)
        marks.append(Dots([p[0] for p in wrong], [p[1] for p in wrong], hollow=True, dashed=True, size=2.0))
    numbers = {"on": int(on.sum()), "regions": len(on), "wrong": len(wrong), "points": len(points)}
    caption = (
        say("output.nothing", **numbers) if not points else say("output.wrong" if wrong else "output.right", **numbers)
    )
    axes = plane_axis(say("output.x")), plane_axis("")
    return Chart(
        marks, *axes, alt=say("output.alt", caption=caption), numbers={**numbers, "caption": caption}, equal=True
    )


def at_place(arrows, output, probe):
    """Sums and answers at the place P: of the hidden neurons, and of the output."""
    net, (x, y, _) = net_of(lines_of(arrows), output), probe[0]
    hidden = net[0](asarray([[x, y]], dtype="float32"))
    fired = net[1](hidden)
    last = net[2](fired)
    return hidden.numpy()[0].tolist(), fired.numpy()[0].astype(int).tolist(), last.item(), int(net[3](last).item())


@lesson.figure
def net(arrows, v0, v1, v2, v3, probe):
    """The network, with the numbers of P."""
    sums, fired, last, o = at_place(arrows, (v0, v1, v2, v3), probe)
    x, y, _ = probe[0]
    lines = lines_of(arrows)
    columns = [
        [(fixed_text(x), "x₁"), (fixed_text(y), "x₂"), ("1", "x₀")],
        [
            *(
                (str(f), f"u⁰{'₁₂₃'[i % 3]} = {fixed_text(u)}")
                for i, (u, f) in enumerate(zip(sums, fired, strict=True))
            ),
            ("1", "o⁰₀"),
        ],
        [(str(o), f"u¹ = {fixed_text(last)}")],
    ]
    weights = [[[w1, w2, w0] for w0, w1, w2 in lines], [[*(v1, v2, v3)[: len(lines)], v0]]]
    code = "".join(map(str, fired))
    alt = say("net.alt", x=fixed_text(x), y=fixed_text(y), code=code, u=fixed_text(last), o=o)
    numbers = {"code": code, "o": o}
    return network(columns, weights, names=False, gap=(10.0, 4.6), alt=alt, numbers=numbers)


def kept(value):
    return round(max(-1.95, min(1.95, value)), 2)


def with_arrow(arrows, i, foot, tip):
    new = list(arrows)
    new[2 * i : 2 * i + 2] = (kept(foot[0]), kept(foot[1]), 0), (kept(tip[0]), kept(tip[1]), 1)
    return {"arrows": tuple(new)}


@lesson.handle
def tip(arrows, x, y, index):
    """The tip turns the arrow about its foot."""
    i = int(index) % (len(arrows) // 2)
    return with_arrow(arrows, i, arrows[2 * i], (x, y))


@lesson.handle
def border(arrows, x, y, index):
    """The line is moved along its arrow, to the place; it stops where its arrow would leave the window."""
    i = int(index) % (len(arrows) // 2)
    (fx, fy, _), (tx, ty, _) = arrows[2 * i : 2 * i + 2]
    size = math.hypot(tx - fx, ty - fy) or 1.0
    nx, ny = (tx - fx) / size, (ty - fy) / size
    by = (x - fx) * nx + (y - fy) * ny
    for at, n in ((fx, nx), (fy, ny), (tx, nx), (ty, ny)):
        if abs(at + by * n) > 1.95:
            by = math.copysign(max(0.0, (1.95 - math.copysign(at, by * n)) / abs(n)), by)
    return with_arrow(arrows, i, (fx + by * nx, fy + by * ny), (tx + by * nx, ty + by * ny))


@lesson.handle
def place(x, y):
    """P is moved."""
    return {"probe": ((kept(x), kept(y), 1),)}


@lesson.action
def all_fire():
    """The output fires where all three do."""
    return {"v0": -2.5, "v1": 1.0, "v2": 1.0, "v3": 1.0}


@lesson.action
def any_fires():
    """The output fires where at least one does."""
    return {"v0": -0.5, "v1": 1.0, "v2": 1.0, "v3": 1.0}


@lesson.action
def reset():
    """All as it was at the start."""
    return {name: control.value for name, control in lesson.controls.items()}


# --- formula and code -------------------------------------------------------------------------------------------------


@lesson.formula
def layers(arrows, v0, v1, v2, v3, probe):
    """Both layers, in symbols and in the numbers of P."""
    sums, fired, last, o = at_place(arrows, (v0, v1, v2, v3), probe)
    x, y, _ = probe[0]
    n = lambda value, digits=2: f"({value:.{digits}f})" if value < 0 else f"{value:.{digits}f}"
    rows = [r"o^0_i & = & f(w^0_{i0} \cdot 1 + w^0_{i1} \cdot x_1 + w^0_{i2} \cdot x_2)"]
    for i, (w0, w1, w2) in enumerate(lines_of(arrows)):
        inner = rf"{w0 + 0.0:.2f} {w1:+.2f} \cdot {n(x)} {w2:+.2f} \cdot {n(y)}"
        rows.append(rf"o^0_{i + 1} & = & f({inner}) = f({sums[i]:.2f}) = {fired[i]}")
    symbols = " + ".join(rf"\class{{v{i}}}{{w^1_{i} \cdot {'1' if not i else f'o^0_{i}'}}}" for i in range(4))
    values = [v0, v1, v2, v3]
    numbers = " + ".join(rf"\class{{v{i}}}{{{n(values[i], 1)} \cdot {([1, *fired, 0, 0, 0])[i]}}}" for i in range(4))
    return r" \\ ".join([*rows, rf"o & = & f({symbols})", rf"& = & f({numbers}) = f({last:.1f}) = {o}"])


lesson.add(Code("layers", nn.Sequential.forward), Code("step", nn.Step.forward))

# --- test -------------------------------------------------------------------------------------------------------------

MOST = 10


@lesson.experiment
def count():
    """Regions of random sets of lines, in the whole plane and in the window, against 1 + n + n(n − 1)/2."""
    found, total = [], 20 * MOST
    for i in range(total):
        n = 1 + i % MOST
        lines = random_lines(n, i, whole=i // MOST % 4 == 3)
        found.append((n, len(codes(lines)), len(pieces(lines))))
        if i % MOST == MOST - 1:
            seen = [window / whole for n, whole, window in found if n == MOST]
            numbers = {
                "sets": len(found),
                "above": sum(whole > bound(n) for n, whole, _ in found),
                "on": sum(whole == bound(n) for n, whole, _ in found),
                "n": MOST,
                "most": bound(MOST),
                "seen": float(numpy.mean(seen)),
            }
            yield Progress(i + 1, total, count_chart(found), numbers)


def bound(n):
    return 1 + n + n * (n - 1) // 2


def count_chart(found):
    spread = [n + 0.3 * ((7 * i) % 20 / 20 - 0.5) for i, (n, _, _) in enumerate(found)]
    ends = numpy.linspace(0.6, MOST + 0.4, 60)
    marks = [
        Line(ends, 1 + ends + ends * (ends - 1) / 2, label="1 + n + n(n − 1)/2"),
        Dots(spread, [whole for _, whole, _ in found], ink="b", size=0.7),
        Dots(spread, [window for _, _, window in found], ink="a", size=0.6, hollow=True),
        Label(1.2, 50, say("count.above"), "start", ink="quiet"),
    ]
    axes = Axis(say("count.x"), limits=(0.5, MOST + 0.5), whole=True), Axis(say("count.y"), limits=(0, 62))
    return Chart(marks, *axes, alt=say("count.alt", n=len(found)))


SIZES = (1, 2, 3, 4, 8)


@lesson.experiment
def seeds():
    """How many of a hundred networks find XOR, by the number of hidden neurons."""
    found, done = [], 0
    for hidden in SIZES:
        found.append(0)
        for weights in trained(hidden, STEPS // 10):
            done, found[-1] = done + 1, int(solved(weights).sum())
            values = {f"h{size}": found[i] if i < len(found) else 0 for i, size in enumerate(SIZES)}
            holds = found == sorted(found) and found[0] == 0
            yield Progress(done, 10 * len(SIZES), seeds_chart(found), {**values, "seeds": SEEDS, "holds": holds})


def seeds_chart(found):
    axes = (
        Axis(say("seeds.x"), names=["", *map(str, SIZES)], limits=(0.4, len(SIZES) + 0.6)),
        Axis(say("seeds.y"), limits=(0, 112)),
    )
    texts = [Label(i, value + 6, str(value), ink="ink") for i, value in enumerate(found, 1)]
    alt = say("seeds.alt", found=", ".join(f"{size}: {value}" for size, value in zip(SIZES, found, strict=False)))
    return Chart([Bars(range(1, len(found) + 1), found, width=0.5, ink="b"), *texts], *axes, alt=alt)


@lesson.claim
def pair():
    """Of the networks with two hidden neurons, the first that has found XOR, and the first that has not."""
    (weights,) = trained(2)
    found = solved(weights)
    answers = sums_of(weights, asarray(INPUTS)).numpy()[:, :, 0] > 0
    charts = [map_of(weights, answers, i, key) for i, key in ((found.argmax(), "found"), ((~found).argmax(), "stuck"))]
    left = {"found": int(found.sum()), "seeds": SEEDS, "steps": STEPS, "wrong": charts[1].numbers["wrong"]}
    return Outcome(bool(found.any() and not found.all()), left, charts)


def map_of(weights, answers, index, key):
    at = grid(31, SQUARE)
    mesh = asarray([(x, y) for y in at for x in at], dtype="float32")
    values = ops.sigmoid(sums_of([w.detach()[index] for w in weights], mesh)).numpy().reshape(31, 31).round(6)
    wrong = [p for p, o in zip(XOR, answers[index], strict=True) if o != p[2]]
    marks = [Raster(values, SQUARE, SQUARE, ink="b", limits=(0, 2.4), levels=[0.5]), *classes(XOR)]
    marks.append(Dots([p[0] for p in wrong], [p[1] for p in wrong], hollow=True, dashed=True, size=2.0))
    alt, axes = (
        say(f"pair.{key}_alt", wrong=len(wrong)),
        (plane_axis(say(f"pair.{key}"), SQUARE), plane_axis("", SQUARE)),
    )
    return Chart(marks, *axes, alt=alt, numbers={"wrong": len(wrong)}, equal=True)


# --- exercises --------------------------------------------------------------------------------------------------------


@lesson.figure
def square_ring():
    """The eight lines of a ring, and in each region how many outer and inner neurons fire."""
    polygons = pieces(RING, RING_WINDOW)
    inside = [polygon for polygon in polygons if counts(polygon)[0] == 4 > counts(polygon)[1]]
    marks = [Area(*span(polygon), ink="b") for polygon in inside]
    marks += [mark for i, weights in enumerate(RING) for mark in line(weights, RING_WINDOW, dashed=i > 3)]
    marks += [Label(*middle(polygon), "{}, {}".format(*counts(polygon)), ink="ink") for polygon in polygons]
    axes = plane_axis("x₁", RING_WINDOW), plane_axis("x₂", RING_WINDOW)
    return Chart(marks, *axes, alt=say("ring.alt", n=len(polygons)), equal=True)


lesson.add(*EXERCISES)
