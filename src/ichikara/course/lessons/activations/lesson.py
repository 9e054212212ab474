"""Lesson 9: why a bend is needed."""

import math
from functools import lru_cache
from itertools import pairwise

import numpy

from ichikara import nn, ops
from ichikara.autodiff import asarray, value_and_grad
from ichikara.charts import Axis, Bars, Chart, Dots, Label, Line, Raster, Rule, fixed_text, short_text
from ichikara.course.controls import Choice, Slider
from ichikara.course.lesson import Answer, Code, Handle, Lesson, Outcome, Picture, Prediction
from ichikara.course.pictures import classes, grid, half_plane, line, plane_axis
from ichikara.glass.expression import Expression, Symbol, substitute
from ichikara.glass.latex import to_latex
from ichikara.glass.local import forward_formula, local_derivative
from ichikara.optim import SGD

from .exercises import EXERCISES

REACH = 4.0
WINDOW = (-REACH, REACH)
FUNCTIONS = ("none", "step", "sigmoid", "tanh", "relu", "leaky_relu", "softplus")
OPERATIONS = {
    "step": ops.heaviside,
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
    "relu": ops.relu,
    "leaky_relu": ops.leaky_relu,
    "softplus": ops.softplus,
}
WIDTH = 10
FINE = 61

lesson = Lesson(
    "activations",
    f=Choice(FUNCTIONS, "none"),
    slope=Slider(0.0, 1.0, 0.03, 0.01),
    beta=Slider(0.5, 8.0, 1.0, 0.1),
    u=Slider(-REACH, REACH, 1.0, 0.05),
    depth=Slider(1, 10, 10, 1),
    weights=Slider(0, 40, 0, 1),
)
say = lesson.say


def function_of(f, slope=0.03, beta=1.0):
    """The library's function of this name, with its parameter."""
    if f == "leaky_relu":
        return lambda x: ops.leaky_relu(x, slope)
    if f == "softplus":
        return lambda x: ops.softplus(x, beta)
    return OPERATIONS.get(f, lambda x: asarray(x))


def slopes_of(f, slope, beta, places):
    """The derivative at places, by the engine. A step has the derivative 0, but at 0 none."""
    if f == "step":
        return numpy.where(places == 0, math.nan, 0.0)
    function = function_of(f, slope, beta)
    return value_and_grad(lambda x: function(x).sum())(asarray(places))[1].numpy()


# --- predict ----------------------------------------------------------------------------------------------------------


@lru_cache(64)
def outputs(f, slope, beta, depth, seed, width=WIDTH):
    """What a net of random weights answers on a grid of the plane, less the mean of its answers."""
    draw = numpy.random.default_rng(seed)
    places = numpy.array(grid(FINE, (-1, 1)))
    x = asarray(numpy.stack(numpy.meshgrid(places, places), -1).reshape(-1, 2))
    function, inputs = function_of(f, slope, beta), 2
    gain = {"sigmoid": 6.0, "tanh": 1.8, "step": 1.5, "softplus": 1.8}.get(f, 1.4)
    for _ in range(depth):
        weight = draw.normal(size=(width, inputs)) * gain / math.sqrt(inputs)
        x = function(ops.linear(x, asarray(weight), asarray(draw.normal(size=width) * 0.5)))
        x, inputs = x - x.mean(0), width  # as the next bias could do; so deep layers see both signs
    answer = ops.linear(x, asarray(draw.normal(size=(1, inputs)))).numpy().reshape(FINE, FINE)
    return answer - answer.mean()


def bend(answer):
    """How far the answers are from those of one neuron: the largest second difference, as a share of their range."""
    second = [numpy.abs(numpy.diff(answer, 2, axis)).max() for axis in (0, 1)]
    return float(max(second) / (numpy.ptp(answer) or 1.0))


def region(answer, **look):
    """The part of the plane where a net answers above 0: flat tints, and a border between cells."""
    steps = numpy.hypot(numpy.diff(answer, axis=0)[:, 1:], numpy.diff(answer, axis=1)[1:])
    most = float(numpy.quantile(steps, 0.3) or numpy.abs(answer).min())
    near = (answer / most).clip(-1, 1).round(2)
    marks = [Raster(near, (-1, 1), (-1, 1), ink="b", limits=(0, 10 / 3), levels=[0])]
    return Chart(marks, plane_axis("x₁", (-1, 1)), plane_axis("x₂", (-1, 1)), equal=True, **look)


def drawn():
    """What each option draws."""
    places = numpy.array(grid(FINE, (-1, 1)))
    x, y = numpy.meshgrid(places, places)
    return {
        "A": 0.4 + x - 0.7 * y,
        "B": numpy.abs(x + 0.2) + 0.8 * y - numpy.maximum(x - 0.3, 0) * 2 - 0.2,
        "C": 0.5 - (x - 0.1) ** 2 - 1.4 * y**2,
        "D": numpy.sin(9 * (x + 0.4 * y)),
    }


def pictures():
    return {name: region(answer, alt=say(f"picture.{name}")) for name, answer in drawn().items()}


def linear_net():
    """What a net of ten layers without activations draws, for ten sets of weights."""
    found = [outputs("none", 0.0, 1.0, 10, seed) for seed in range(10)]
    worst = max(map(bend, found))
    right = "A" if worst < 1e-9 else "B"
    charts = {**pictures(), right: region(found[3], alt=say(f"picture.{right}"))}
    return Answer([right], {right: say("picture.computed")}, {"bend": short_text(worst, 1), "nets": len(found)}, charts)


lesson.add(Prediction("ten_layers", tuple("ABCD"), linear_net, charts=pictures))

# --- move -------------------------------------------------------------------------------------------------------------

PLACES = numpy.linspace(*WINDOW, 321)


def known(values):
    return [None if not math.isfinite(value) else float(value) for value in values]


@lesson.figure
def shape(f, slope, beta, u):
    """The function, with the place u and its tangent."""
    function, here = function_of(f, slope, beta), numpy.array([u])
    y = function(asarray(PLACES)).numpy()
    if f == "step":
        y = numpy.where(PLACES == 0, math.nan, y)
    value, steep = float(function(asarray(here)).item()), float(slopes_of(f, slope, beta, here)[0])
    marks = [Line(PLACES, known(y))]
    if f == "step":
        marks.append(Dots([0.0], [1.0], hollow=True, size=0.7))
        marks.append(Dots([0.0], [0.0], size=0.7))
    if math.isfinite(steep):
        half = 1.2 / math.hypot(1, steep)
        marks.append(Line([u - half, u + half], [value - steep * half, value + steep * half], ink="b"))
        caption = say("shape.caption", u=fixed_text(u), value=short_text(value), slope=short_text(steep))
    else:
        caption = say("shape.none", u=fixed_text(u))
    marks.append(Dots([u], [value], ink="b", label=f"f({fixed_text(u)}) = {short_text(value)}"))
    chart = Chart(
        marks,
        Axis("u", limits=WINDOW),
        Axis("f(u)", limits=(-1.4, 2.6)),
        alt=say("shape.alt", f=say(f"controls.f.{f}"), caption=caption),
        numbers={"caption": caption, "value": value},
    )
    return Picture(chart, [Handle("along", u, max(-1.4, min(2.6, value)), label=say("shape.handle", u=fixed_text(u)))])


@lesson.figure
def derivative(f, slope, beta, u):
    """Its derivative, with the place u."""
    steep = slopes_of(f, slope, beta, PLACES)
    here = float(slopes_of(f, slope, beta, numpy.array([u]))[0])
    jumps = f in ("step", "relu") or (f == "leaky_relu" and slope != 1)
    marks = [Line(PLACES, known(numpy.where((PLACES == 0) & jumps, math.nan, steep)), ink="b")]
    if f == "step":
        marks.append(Dots([0.0], [0.0], ink="b", hollow=True, size=0.7))
    if math.isfinite(here):
        marks.append(Dots([u], [here], ink="b", label=f"f′({fixed_text(u)}) = {short_text(here)}"))
    most = float(numpy.nanmax(steep))
    axes = Axis("u", limits=WINDOW), Axis("f′(u)", limits=(-0.2, 1.3))
    alt = say("derivative.alt", f=say(f"controls.f.{f}"), most=short_text(most))
    return Chart(marks, *axes, alt=alt, numbers={"most": most})


@lesson.figure
def plane(f, slope, beta, depth, weights):
    """The region that a net of random weights draws, with this function after each of its layers."""
    answer = outputs(f, slope, beta, depth, weights)
    kind = "straight" if bend(answer) < 1e-9 else "bent"
    caption = say(f"plane.{kind}", depth=depth, f=say(f"controls.f.{f}"))
    return region(answer, alt=say("plane.alt", caption=caption), numbers={"caption": caption})


@lesson.handle
def along(x):
    """The place u is moved."""
    return {"u": round(max(-REACH, min(REACH, x)), 2)}


# --- formula and code -------------------------------------------------------------------------------------------------


def written(expression: Expression) -> str:
    """A formula of the library, with u for its input and o for its value."""
    text = to_latex(substitute(expression, {Symbol("x"): Symbol("u"), Symbol("y"): Symbol("o")}))
    then, _, rest = text.partition(r" \text{ where } ")
    condition, _, other = rest.partition(r" \text{ else } ")
    return rf"{then} \;\; ({condition}), \quad {other} \;\; (\text{{{say('at_u.else')}}})" if rest else text


@lesson.formula
def at_u(f, slope, beta, u):
    """The function and its derivative, as the library's records state them, and their values at u."""
    here = numpy.array([u])
    value, steep = float(function_of(f, slope, beta)(asarray(here)).item()), float(slopes_of(f, slope, beta, here)[0])
    if f == "none":
        first, second = "u", "1"
    else:
        first = written(forward_formula(OPERATIONS[f])[0].sides[-1])
        second = "0" if f == "step" else written(local_derivative(OPERATIONS[f], "x"))
    last = rf"\text{{{say('at_u.none')}}}" if math.isnan(steep) else f"{steep:.3f}"
    return (
        rf"o = f(u) & = & {first} \\ f(\class{{u}}{{{u:.2f}}}) & = & {value:.3f} \\"
        rf" f'(u) & = & {second} \\ f'(\class{{u}}{{{u:.2f}}}) & = & {last}"
    )


lesson.add(Code("functions", (ops.heaviside, ops.sigmoid, ops.relu, ops.leaky_relu)))

# --- test -------------------------------------------------------------------------------------------------------------


def layers(draw, count=10):
    """Weights and biases of a net from two inputs to one output, without activations."""
    sizes = [2, *[WIDTH] * (count - 1), 1]
    return [
        (draw.normal(size=(after, before)) / math.sqrt(before), draw.normal(size=after) * 0.3)
        for before, after in pairwise(sizes)
    ]


def one_matrix(net):
    """The one matrix and the one bias that do what all layers do."""
    weight, bias = numpy.eye(2), numpy.zeros(2)
    for w, b in net:
        weight, bias = w @ weight, w @ bias + b
    return weight, bias


@lesson.claim
def collapse():
    """Ten layers without activations against the one matrix that is the product of theirs."""
    draw = numpy.random.default_rng(9)
    points = draw.uniform(-1, 1, (60, 2))
    nets, worst, wrong, charts = 100, 0.0, 0, []
    for _ in range(nets):
        net = layers(draw)
        x = asarray(points)
        for w, b in net:
            x = ops.linear(x, asarray(w), asarray(b))
        weight, bias = one_matrix(net)
        single = points @ weight.T + bias
        worst = max(worst, float(numpy.abs(x.numpy() - single).max() / numpy.abs(single).max()))
        fires = x.numpy()[:, 0] > 0
        wrong += int((fires != (single[:, 0] > 0)).sum())
        if not charts and 15 < fires.sum() < 45:
            neuron = (float(bias[0]), *map(float, weight[0]))
            marks = [*half_plane(neuron, (-1, 1)), *line(neuron, (-1, 1))]
            marks += classes([(*map(float, point), int(fire)) for point, fire in zip(points, fires, strict=True)])
            alt = say("collapse.alt", w0=fixed_text(neuron[0]), w1=fixed_text(neuron[1]), w2=fixed_text(neuron[2]))
            axes = plane_axis("x₁", (-1, 1)), plane_axis("x₂", (-1, 1))
            charts.append(Chart(marks, *axes, alt=alt, equal=True))
            numbers = {"w0": neuron[0], "w1": neuron[1], "w2": neuron[2]}
    numbers |= {"nets": nets, "worst": short_text(worst, 1), "wrong": wrong}
    return Outcome(worst < 1e-9 and not wrong, numbers, charts)


def moons(draw, count=200):
    """Two half rings that reach into each other, and their classes."""
    angle, kind = draw.uniform(0, math.pi, count), numpy.arange(count) % 2
    x = numpy.where(kind == 0, numpy.cos(angle), 1 - numpy.cos(angle)) - 0.5
    y = numpy.where(kind == 0, numpy.sin(angle), 0.5 - numpy.sin(angle)) - 0.25
    return numpy.stack([x, y], 1) + draw.normal(size=(count, 2)) * 0.1, kind


def trained(between, seed, hidden=4, steps=300):
    """Train a net with one hidden layer on the moons. Returns how far each layer has moved, and all losses."""
    draw = numpy.random.default_rng(seed)
    x, kind = moons(draw)
    first, last = nn.Linear(2, hidden), nn.Linear(hidden, 1)
    for layer in (first, last):
        layer.weight.data = draw.normal(size=layer.weight.shape).astype("float32")
        layer.bias.data = draw.normal(size=layer.bias.shape).astype("float32")
    net = nn.Sequential(first, between, last)
    inputs, targets = asarray(x.astype("float32")), asarray(kind.astype("float32")[:, None])
    optimizer, loss_of = SGD(net.parameters(), lr=0.5), nn.BCEWithLogitsLoss()
    before, losses = [layer.weight.numpy().copy() for layer in (first, last)], []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(net(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    moved = [
        float(numpy.abs(layer.weight.numpy() - old).mean()) for layer, old in zip((first, last), before, strict=True)
    ]
    return *moved, losses[0], losses[-1]


@lesson.claim
def before_a_step():
    """How far the weights before and behind a step move in training, and those before and behind a sigmoid."""
    nets = 3
    step, sigmoid = (
        numpy.mean([trained(between(), seed) for seed in range(nets)], axis=0).tolist()
        for between in (nn.Step, nn.Sigmoid)
    )
    numbers = dict(zip(("before", "behind", "first", "last"), step, strict=True)) | {"nets": nets}
    numbers |= {"before_sigmoid": sigmoid[0], "behind_sigmoid": sigmoid[1], "last_sigmoid": sigmoid[3]}
    names = [say("before_a_step.before"), say("before_a_step.behind")] * 2
    top = 1.1 * max(*step[:2], *sigmoid[:2])
    marks = [Bars([0, 1], step[:2], ink="a"), Bars([2, 3], sigmoid[:2], ink="b")]
    marks += [
        Label(0.5, top, say("before_a_step.step"), ink="a"),
        Label(2.5, top, say("before_a_step.sigmoid"), ink="b"),
    ]
    alt = say(
        "before_a_step.alt", **{name: fixed_text(numbers[name]) for name in ("before", "behind", "before_sigmoid")}
    )
    chart = Chart(marks, Axis(names=names), Axis(say("before_a_step.y"), limits=(0, None)), alt=alt)
    learns = step[1] > 0.01 and step[3] < step[2] and sigmoid[0] > 0.01 and sigmoid[3] < step[3]
    return Outcome(step[0] == 0 and learns, numbers, [chart])


def revived(slope, steps=400):
    """Train one neuron whose sum is below 0 on all data: its first gradient, the losses, the step at which it lives."""
    x = asarray(numpy.linspace(0.5, 2.0, 20))
    target = x + 0.5
    w, b = asarray(-1.0, dtype="float64", requires_grad=True), asarray(-0.5, dtype="float64", requires_grad=True)
    optimizer, losses, gradients, alive = SGD([w, b], lr=0.1), [], [], None
    for step in range(steps):
        optimizer.zero_grad()
        u = w * x + b
        if alive is None and (u.numpy() > 0).any():
            alive = step
        loss = ((ops.leaky_relu(u, slope) - target) ** 2).mean()
        loss.backward()
        gradients.append(w.grad.item())
        optimizer.step()
        losses.append(loss.item())
    return gradients[0], losses, alive


@lesson.claim
def leak():
    """A neuron that is silent on all data, with ReLU and with a leaky ReLU of slope 0.03."""
    dead, dead_losses, never = revived(0.0)
    leaky, losses, alive = revived(0.03)
    steps = list(range(len(losses)))
    marks = [
        Line(steps, dead_losses, ink="a", dashed=True, label="ReLU"),
        Line(steps, losses, ink="b", label=say("leak.leaky")),
    ]
    axes = Axis(say("leak.x"), limits=(0, len(steps))), Axis(say("leak.y"), limits=(0, None))
    numbers = {
        "dead": dead,
        "leaky": leaky,
        "alive": alive,
        "last": short_text(losses[-1], 2),
        "stays": dead_losses[-1],
    }
    if alive is not None:
        marks.append(Rule(x=alive, ink="quiet", label=say("leak.alive")))
    chart = Chart(marks, *axes, alt=say("leak.alt", stays=fixed_text(dead_losses[-1]), last=short_text(losses[-1], 2)))
    holds = dead == 0 and never is None and dead_losses[0] == dead_losses[-1] and leaky != 0 and alive is not None
    return Outcome(holds, numbers, [chart])


lesson.add(*EXERCISES)
