"""Lesson 1: one neuron draws one line."""

import numpy

from ichikara.charts import Arrows, Axis, Chart, Dots, Edge, Graph, Label, Line, Raster, Vertex, fixed_text, short_text
from ichikara.course.controls import Choice, Points, Slider
from ichikara.course.lesson import Answer, Code, Handle, Lesson, Outcome, Picture, Prediction, Progress
from ichikara.course.pictures import classes, cut, grid, half_plane, line, plane_axis
from ichikara.ops import sigmoid
from ichikara.zoo import Perceptron

from .exercises import EXERCISES
from .points import pictures, random_set, signed, widest

REACH = 2.0
SMALL = (-1.0, 1.0)  # the window of the pictures of the prediction
SQUARE = (-0.5, 1.5)  # the window of XOR
ARROW = 0.4  # the arrow is drawn at four tenths of its length
START = (
    (1.5, 0.85, 1),
    (0.4, 1.35, 1),
    (1.4, -0.8, 1),
    (-0.2, 0.9, 1),
    (-1.3, 0.4, 0),
    (-0.5, -0.6, 0),
    (0.5, -1.2, 0),
    (-1.1, -1.3, 0),
)
XOR = ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0))

lesson = Lesson(
    "neuron",
    w1=Slider(-3.0, 3.0, 1.0, 0.05),
    w2=Slider(-3.0, 3.0, 0.6, 0.05),
    w0=Slider(-3.0, 3.0, -0.2, 0.05),
    f=Choice(("step", "sigmoid"), "step"),
    points=Points(START, -REACH, REACH),
    point=Slider(0, len(START) - 1, 0, 1),
)
say = lesson.say


def neuron_of(w0, w1, w2):
    """The library's neuron with these weights."""
    neuron = Perceptron(2)
    neuron.weight.data, neuron.bias.data = [[w1, w2]], [w0]
    return neuron


def answers(neuron, places, f):
    """What the neuron answers at places (n, 2): 0 or 1 with a step, and numbers between them with a sigmoid."""
    return neuron.fire(places).numpy() if f == "step" else sigmoid(neuron(places)).numpy()[:, 0]


# --- predict ----------------------------------------------------------------------------------------------------------


def learned(points, epochs=100_000):
    """A neuron that has learnt points by Rosenblatt's rule and how many mistakes that took, or None."""
    neuron, mistakes = Perceptron(2), 0
    x, y = numpy.array([point[:2] for point in points]), numpy.array([point[2] for point in points])
    for _ in range(epochs):
        wrong = int((neuron.fire(x).numpy() != y).sum())
        if not wrong:
            return neuron, mistakes
        mistakes += one_pass(neuron, x, y)
    return None


def one_pass(neuron, x, y):
    """One pass of Rosenblatt's rule; returns how many mistakes it mended."""
    before = neuron.bias.item()
    try:
        neuron.learn(x, y, epochs=1)
    except ValueError as error:  # some answers were wrong, and have been mended
        return int(str(error).split()[3])
    assert neuron.bias.item() == before
    return 0


def small(points, line=()):
    axes = plane_axis("", SMALL), plane_axis("", SMALL)
    return Chart([*line, *classes(points)], *axes, alt=say("picture.alt", n=len(points)), equal=True)


def separable():
    charts, right, notes = {}, [], {}
    for name, points in pictures().items():
        if widest(signed(points)) > 1e-6:
            neuron, mistakes = learned(points)
            (w1, w2), w0 = neuron.weight.tolist()[0], neuron.bias.item()
            charts[name] = small(points, line((w0, w1, w2), SMALL))
            right.append(name)
            notes[name] = say("separated", n=mistakes)
        else:
            charts[name], notes[name] = small(points), say("not_separated")
    return Answer(right, notes, charts=charts)


lesson.add(
    Prediction(
        "lines", tuple("ABCD"), separable, several=True, charts=lambda: {k: small(v) for k, v in pictures().items()}
    )
)

# --- move -------------------------------------------------------------------------------------------------------------


def foot_of(w0, w1, w2):
    """Where the arrow stands on the line: the point nearest to the origin, kept in the window. None without a line."""
    ends = cut((w0, w1, w2), (-1.75, 1.75))
    if not ends or not (w1 or w2):
        return None
    size = w1 * w1 + w2 * w2
    x, y = -w0 * w1 / size, -w0 * w2 / size
    (x0, y0), (x1, y1) = ends
    share = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2)
    share = min(1.0, max(0.0, share))
    return x0 + share * (x1 - x0), y0 + share * (y1 - y0)


@lesson.figure
def plane(w0, w1, w2, f, points, point):
    """The plane: where the neuron fires, its line, the arrow (w1, w2), and the points."""
    weights = w0, w1, w2
    neuron = neuron_of(*weights)
    places = numpy.array([p[:2] for p in points], float).reshape(-1, 2)
    wrong = [p for p, o in zip(points, answers(neuron, places, f), strict=True) if (o > 0.5) != p[2]]
    if f == "step":
        ground = half_plane(weights)
    else:
        at = grid(41)
        mesh = numpy.array([[(x, y) for x in at] for y in at])
        ground = [
            Raster(
                answers(neuron, mesh.reshape(-1, 2), f).reshape(41, 41).round(4),
                (-REACH, REACH),
                (-REACH, REACH),
                ink="b",
                limits=(0, 2.4),
                levels=[0.1, 0.25, 0.75, 0.9],
            )
        ]
    marks = [*ground, *line(weights), *classes(points)]
    if wrong:
        marks.append(Dots([p[0] for p in wrong], [p[1] for p in wrong], hollow=True, dashed=True, size=2.0))
    x, y, kind = points[point]
    marks.append(Dots([x], [y], ink="ab"[kind], hollow=kind == 0, label="P"))
    marks += corners(weights, f)
    handles = [
        Handle(
            "point", x, y, i, label=say("handles.point", kind=say(f"kinds.{kind}"), x=fixed_text(x), y=fixed_text(y))
        )
        for i, (x, y, kind) in enumerate(points)
    ]
    foot = foot_of(*weights)
    if foot:
        ends = cut(weights)
        marks.append(arrow(foot, w1, w2))
        handles = [
            Handle("border", *ends[0], to=ends[1], label=say("handles.line")),
            *handles,
            Handle(
                "tip",
                foot[0] + ARROW * w1,
                foot[1] + ARROW * w2,
                label=say("handles.tip", w1=fixed_text(w1), w2=fixed_text(w2)),
            ),
        ]
    caption = say("plane.all_right") if not wrong else say("plane.wrong", wrong=len(wrong), total=len(points))
    chart = Chart(
        marks,
        plane_axis("x₁"),
        plane_axis("x₂"),
        alt=say("plane.alt", w0=fixed_text(w0), w1=fixed_text(w1), w2=fixed_text(w2), caption=caption),
        numbers={"wrong": len(wrong), "points": len(points), "caption": caption},
        equal=True,
    )
    return Picture(chart, handles)


def arrow(foot, w1, w2):
    return Arrows([foot[0]], [foot[1]], [ARROW * w1], [ARROW * w2], label="(w₁, w₂)")


def corners(weights, f):
    """Words in the corners: on which side the neuron fires."""
    w0, w1, w2 = weights
    spots = [(x, y, w0 + w1 * x * 0.8 + w2 * y * 0.85) for x in (-1, 1) for y in (-1, 1)]
    most, least = max(spots, key=lambda s: s[2]), min(spots, key=lambda s: s[2])
    place = lambda spot: (spot[0] * REACH * 0.94, spot[1] * REACH * 0.93)
    anchor = lambda spot: "end" if spot[0] > 0 else "start"
    marks = []
    if most[2] > 0:
        marks.append(Label(*place(most), say(f"plane.{f}.fires"), anchor(most), ink="b"))
    if least[2] <= 0:
        marks.append(Label(*place(least), say(f"plane.{f}.silent"), anchor(least), ink="a"))
    return marks


@lesson.figure
def cell(w0, w1, w2, f, points, point):
    """The neuron, with the numbers of the point P."""
    x1, x2, _ = points[point]
    neuron = neuron_of(w0, w1, w2)
    u = neuron([[x1, x2]]).item()
    o = float(answers(neuron, [[x1, x2]], f)[0])
    inputs = [("1", "x₀", w0), (fixed_text(x1), "x₁", w1), (fixed_text(x2), "x₂", w2)]
    vertices = [Vertex(n, text, 1.4, 4.4 * i, 3, 3, "neuron", n) for i, (text, n, _) in enumerate(inputs)]
    vertices += [
        Vertex("sum", "Σ", 12, 4.4, 3.2, 3.2, "neuron", f"u = {fixed_text(u)}"),
        Vertex("f", "f", 17.6, 4.4, 2.8, 2.8, "operation"),
        Vertex("o", f"o = {short_text(o, 2)}", 23.4, 4.4, 4.6, 2.4, "output"),
    ]
    edges = [
        Edge(n, "sum", [(2.9, 4.4 * i + (0.4, 0, -0.4)[i]), (10.5, 4.4 + (-0.6, 0, 0.6)[i])],
             f"w{'₀₁₂'[i]} = {fixed_text(w)}", w < 0, "b" if w > 0 else "a" if w < 0 else "quiet")
        for i, (_, n, w) in enumerate(inputs)
    ]  # fmt: skip
    edges += [
        Edge("sum", "f", [(13.6, 4.4), (16.2, 4.4)], ink="ink"),
        Edge("f", "o", [(19, 4.4), (21.1, 4.4)], ink="ink"),
    ]
    alt = say(
        "cell.alt",
        w0=fixed_text(w0),
        w1=fixed_text(w1),
        w2=fixed_text(w2),
        x1=fixed_text(x1),
        x2=fixed_text(x2),
        u=fixed_text(u),
        o=short_text(o),
    )
    return Chart([Graph(vertices, edges)], alt=alt, numbers={"u": u, "o": o, "x1": x1, "x2": x2})


@lesson.handle
def tip(w0, w1, w2, x, y):
    """The tip turns the arrow about its foot, which stays where it is."""
    foot = foot_of(w0, w1, w2)
    new1, new2 = ((x - foot[0]) / ARROW, (y - foot[1]) / ARROW)
    size = max(1.0, abs(new1) / 3, abs(new2) / 3)
    new1, new2 = new1 / size, new2 / size
    return {"w1": near(new1), "w2": near(new2), "w0": near(-(new1 * foot[0] + new2 * foot[1]))}


@lesson.handle
def border(w1, w2, x, y):
    """The line goes through the place to which it is moved, and keeps its direction."""
    return {"w0": near(-(w1 * x + w2 * y))}


@lesson.handle
def point(points, x, y, index):
    """A point is moved, and becomes P."""
    index = int(index) % len(points)
    moved = (round(max(-1.95, min(1.95, x)), 2), round(max(-1.95, min(1.95, y)), 2), points[index][2])
    return {"points": (*points[:index], moved, *points[index + 1 :]), "point": index}


def near(weight):
    """A weight that its slider can have."""
    return round(max(-3.0, min(3.0, weight)), 2)


@lesson.action
def double(w0, w1, w2):
    """All weights doubled, if the sliders reach that far; else a quarter of them."""
    factor = 2.0 if max(map(abs, (w0, w1, w2))) <= 1.5 else 0.25
    return {"w0": near(factor * w0), "w1": near(factor * w1), "w2": near(factor * w2)}


@lesson.action
def turn(w0, w1, w2):
    """The arrow turned right round."""
    return {"w0": -w0, "w1": -w1, "w2": -w2}


@lesson.action
def reset():
    """All as it was at the start."""
    return lesson.values({})


# --- formula and code -------------------------------------------------------------------------------------------------


@lesson.formula
def weighted_sum(w0, w1, w2, f, points, point):
    """The sum and the answer, in symbols and in the numbers of P."""
    x1, x2, _ = points[point]
    neuron = neuron_of(w0, w1, w2)
    u, o = neuron([[x1, x2]]).item(), float(answers(neuron, [[x1, x2]], f)[0])
    n = lambda value: f"({value:.2f})" if value < 0 else f"{value:.2f}"
    term = lambda name, weight, x: rf"\class{{{name}}}{{{weight} \cdot {x}}}"
    last = f"[{u:.2f} > 0]" if f == "step" else rf"\sigma({u:.2f})"
    return (
        r"u & = & \class{w0}{w_0 \cdot 1} + \class{w1}{w_1 \cdot x_1} + \class{w2}{w_2 \cdot x_2} \\"
        rf" & = & {term('w0', f'{w0:.2f}', 1)} + {term('w1', n(w1), n(x1))} + {term('w2', n(w2), n(x2))} \\"
        rf" & = & {u:.2f} \\ o & = & {last} = {short_text(o)}"
    )


lesson.add(Code("perceptron", (Perceptron.forward, Perceptron.fire, Perceptron.learn), until="return epoch"))

# --- test -------------------------------------------------------------------------------------------------------------

SETS = 200


@lesson.experiment
def bound():
    """Rosenblatt's mistakes against the bound, for one random set after another."""
    bounds, mistakes = [], []
    for seed in range(SETS):
        points, most = random_set(seed)
        _, count = learned(points)
        bounds.append(float(most))
        mistakes.append(max(count, 0.5))
        if seed % 8 == 7 or seed == SETS - 1:
            ratios = [a / b for a, b in zip(mistakes, bounds, strict=True)]
            longest = max(range(len(mistakes)), key=mistakes.__getitem__)
            numbers = {
                "sets": len(bounds),
                "above": sum(ratio > 1 for ratio in ratios),
                "nearest": max(ratios),
                "longest": int(mistakes[longest]),
                "allowed": int(bounds[longest]),
            }
            yield Progress(seed + 1, SETS, bound_chart(bounds, mistakes), numbers)


def bound_chart(bounds, mistakes):
    ends = [3.0, 1e5]
    marks = [
        Line(ends, ends, label=say("bound.line")),
        Dots(bounds, mistakes, ink="b", size=0.8),
        Label(6.0, 2e4, say("bound.above"), "start", ink="quiet"),
    ]
    axes = Axis(say("bound.x"), scale="log", limits=(3, 1e5)), Axis(say("bound.y"), scale="log", limits=(0.4, 1e5))
    return Chart(marks, *axes, alt=say("bound.alt", n=len(bounds)))


@lesson.claim
def ring():
    """On XOR the rule comes back to weights that it had: from there on it goes round without end."""
    x, y = numpy.array([p[:2] for p in XOR]), numpy.array([p[2] for p in XOR])
    neuron = Perceptron(2)
    mistakes: list[tuple[float, ...]] = []
    state = lambda: (neuron.bias.item(), *neuron.weight.tolist()[0])
    while len(mistakes) < 40:
        for xi, yi in zip(x, y, strict=True):
            if one_pass(neuron, [xi], [yi]):
                mistakes.append(state())
    first = next(i for i in range(len(mistakes)) if mistakes[i] in mistakes[i + 1 :])
    length = mistakes.index(mistakes[first], first + 1) - first
    round_ = mistakes[first : first + length]
    goes_on = all(mistakes[i] == mistakes[i + length] for i in range(first, len(mistakes) - length))
    charts = [ring_chart(weights, first + 1 + i) for i, weights in enumerate(round_)]
    return Outcome(goes_on, {"first": first + 1, "length": length}, charts)


def ring_chart(weights, mistake):
    neuron = neuron_of(*weights)
    wrong = [p for p in XOR if neuron.fire([p[:2]]).item() != p[2]]
    marks = [*half_plane(weights, SQUARE), *line(weights, SQUARE), *classes(XOR)]
    marks.append(Dots([p[0] for p in wrong], [p[1] for p in wrong], hollow=True, dashed=True, size=2.0))
    text = f"({', '.join(short_text(w) for w in weights)})"
    alt = say("ring.alt", mistake=mistake, weights=text, wrong=len(wrong))
    return Chart(marks, plane_axis(text, SQUARE), plane_axis("", SQUARE), alt=alt, equal=True)


lesson.add(*EXERCISES)
