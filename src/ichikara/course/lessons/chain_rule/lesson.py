"""Lesson 7: the chain rule, walked backwards."""

import itertools
import re
import time
from functools import lru_cache
from statistics import median

import numpy

from ichikara import ops
from ichikara.autodiff import asarray, no_grad
from ichikara.autodiff.engine import sweep
from ichikara.charts import Axis, Chart, Dots, Graph, Line, Vertex
from ichikara.course.controls import Choice, Formula, Slider
from ichikara.course.formulas import formula_of
from ichikara.course.lesson import Answer, Code, Handle, Lesson, Outcome, Picture, Prediction, Progress
from ichikara.glass import explain, graph
from ichikara.glass.chain_rule import explained
from ichikara.glass.computation import computation
from ichikara.glass.explanation import rounded
from ichikara.glass.expression import Product, number, symbols
from ichikara.glass.latex import to_latex
from ichikara.glass.paths import Paths

from .exercises import EXERCISES
from .net import BACKWARD, END, FORWARD, PATHS, PLACES, decimal, equations, fixed, graph_of, run_of, sweep_of, text_of

START = {"x0": 0.5, "x1": 1.2, "w0_00": 0.9, "w0_01": -0.6, "w0_10": 0.4, "w0_11": 1.1, "w1_00": 1.4, "w1_01": -0.7}
WHOLE = len(FORWARD)  # the steps of the forward pass

lesson = Lesson(
    "chain-rule",
    step=Slider(0, END, WHOLE, 1, stepped=True),
    path=Choice(("none", "1", "2"), "none"),
    **{name: Slider(-2.0, 2.0, value, 0.05) for name, value in START.items()},
    expression=Formula("a*b + sin(a)", names=("a", "b")),
    a=Slider(-3.0, 3.0, 1.5, 0.05),
    b=Slider(-3.0, 3.0, -0.5, 0.05),
)
say = lesson.say


def net_of(x0, x1, w0_00, w0_01, w0_10, w0_11, w1_00, w1_01):
    """The numbers of the net, as `lecture.net_of_neurons` takes them."""
    return (x0, x1), ((w0_00, w0_01), (w0_10, w0_11)), (w1_00, w1_01)


# --- predict ----------------------------------------------------------------------------------------------------------


@lesson.figure
def before():
    """The net after the forward pass: what is known when the question is asked."""
    sweep = sweep_of(net_of(**START))
    return Chart(graph_of(sweep, WHOLE), alt=say("before.alt", **said(sweep)))


def said(sweep):
    """The values of a sweep for a text, by names that it can quote."""
    return {re.sub(r"\W", "", name): fixed(value) for name, value in sweep.values.items()}


def larger():
    sweep = sweep_of(net_of(**START))
    sizes = {path: abs(sweep.product(path)) for path in PATHS}
    first, second = sizes.values()
    right = "same" if max(first, second) < 1.1 * min(first, second) else max(sizes, key=sizes.get)
    notes = {path: say("larger.carries", size=fixed(sizes[path], 4)) for path in PATHS}
    found = {"first": first, "second": second, "out": sweep.values["w0[1][1]"]}
    return Answer([right], notes, found)


lesson.add(Prediction("larger", ("1", "2", "same"), larger))

# --- move -------------------------------------------------------------------------------------------------------------


@lesson.figure
def net(step, path, x0, x1, w0_00, w0_01, w0_10, w0_11, w1_00, w1_01):
    """The graph of the net after some steps of the sweep, with a path lit."""
    sweep = sweep_of(net_of(x0, x1, w0_00, w0_01, w0_10, w0_11, w1_00, w1_01))
    back = step - WHOLE
    where = say("net.forward", k=step, n=WHOLE) if back <= 0 else say("net.backward", k=back, n=len(BACKWARD))
    what = say(f"net.{kind_of(step)}")
    lit = "" if path == "none" or back < 0 else product_sentence(sweep, path)
    chart = Chart(
        graph_of(sweep, step, path),
        alt=say("net.alt", where=where, what=what, lit=lit, **said(sweep)),
        numbers={"where": where, "what": what, "product": lit},
    )
    return Picture(chart, [*ways()])


def kind_of(step):
    """What is computed in a step, by the name of its sentence."""
    if not step:
        return "nothing"
    name = (FORWARD + BACKWARD)[step - 1]
    hidden = "h" if name[:2] == "o0" and step > WHOLE else ""
    return ("f" if step <= WHOLE else "b") + "_" + name[0] + hidden


def product_sentence(sweep, path):
    factors = " × ".join(f"({fixed(f)})" if f < 0 else fixed(f) for f in sweep.factors(path))
    return say("net.product", path=path, factors=factors, product=fixed(sweep.product(path), 4))


def ways():
    """Places where the pointer lights a path: the edges that belong to one path alone."""
    for path, way in PATHS.items():
        for index, (end, start) in enumerate(itertools.pairwise(way[2:])):
            number = 3 * (path == "2") + index
            label = say("net.way", path=path, start=text_of(start), end=text_of(end))
            yield Handle("way", *PLACES[start], number, "over", PLACES[end], label)


@lesson.handle
def way(index):
    """The path that the pointer touches is lit."""
    return {"path": "2" if index >= 3 else "1"}


@lesson.formula
def now(step, x0, x1, w0_00, w0_01, w0_10, w0_11, w1_00, w1_01):
    """What the step computes."""
    return equations(sweep_of(net_of(x0, x1, w0_00, w0_01, w0_10, w0_11, w1_00, w1_01)), step)


@lesson.action
def reset():
    """The numbers as they were at the start."""
    return {**START, "step": WHOLE, "path": "none"}


# --- formula and code -------------------------------------------------------------------------------------------------


@lesson.formula
def rule():
    """The chain rule as the lecture writes it, for the net's second input."""
    one = r"\frac{\partial L}{\partial x_1}"
    return rf"{one} = \sum_i \frac{{\partial L}}{{\partial u^0_i}} \cdot \frac{{\partial u^0_i}}{{\partial x_1}}"


@lesson.formula
def whole(x0, x1, w0_00, w0_01, w0_10, w0_11, w1_00, w1_01):
    """What `explain` writes of the net, by x₁."""
    net = net_of(x0, x1, w0_00, w0_01, w0_10, w0_11, w1_00, w1_01)
    row = explained(run_of(net), "x[1]").parts[0].lines[0]
    lines = [
        *by_paths(to_latex(row.name), row.formula),
        *by_paths("", row.numbers),
        rf"& = & {decimal(row.value)} & & & ",
    ]
    return lit_terms(r" \\ ".join(lines))


def by_paths(name, formula):
    """A product of what all paths share and the sum of the rest, a path in each line."""
    *shared, paths = (rounded(factor, 3) for factor in formula.factors)
    for place, term in enumerate(paths.terms, 1):
        before = rf"{name} & = & {to_latex(Product.of(shared))} & (\," if place == 1 else r"& & & {} +"
        after = "" if place < len(paths.terms) else ")"
        yield rf"{before} & {to_latex(term)}{after} & \text{{{say('whole.path', n=place)}}}"


def rows(parts):
    """The lines of an explanation's parts under one another: in symbols, in numbers, and what comes out."""
    found = []
    for row in (row for part in parts for row in (*part.lines, *part.where)):
        sides = [side for side in (row.formula, row.numbers, number(row.value)) if side is not None]
        texts = dict.fromkeys(to_latex(rounded(side, 4)) for side in sides)
        found.append(rf"{to_latex(row.name)} & = & " + r" \\ & = & ".join(texts))
    return r" \\ ".join(found)


def lit_terms(latex):
    """Weights and inputs of a formula light up with their sliders."""
    latex = re.sub(r"\{f\^\{(\d)\}\}'", r"f^{\1\\prime}", latex)
    latex = re.sub(r"\{w\^\{(\d)\}_\{(\d\d)\}\}", r"\\class{w\1_\2}{w^{\1}_{\2}}", latex)
    return latex.replace(r"\partial x_{1}", r"\partial \class{x1}{x_{1}}")


def function_of(expression, at_a, at_b):
    """The function that computes what was typed, with a and b as Tensors."""
    formula = formula_of(expression, ("a", "b"))

    def value():
        a, b = (asarray(at, requires_grad=True) for at in (at_a, at_b))
        return formula(a, b)

    return value


@lru_cache(16)
def explained_own(expression, a, b):
    """What `explain` says of the learner's own expression, by each letter that is in it."""
    there = set(symbols(formula_of(expression, ("a", "b")).expression))
    return [part for part in explain(function_of(expression, a, b)).parts if part.by in there]


@lesson.figure
@numpy.errstate(all="ignore")
def own(expression, a, b):
    """The graph of the learner's own expression, as `glass.graph` draws it."""
    function = function_of(expression, a, b)
    found = function()
    if not numpy.isfinite(found.item()):
        mark = Graph([Vertex("value", "?", 0, 0, 2, 2, "output")], [])
        return Chart([mark], alt=say("own.undefined"), numbers={"caption": say("own.undefined")})
    caption = say("own.value", value=fixed(found.item()))
    for part in explained_own(expression, a, b):
        caption += say(f"own.paths_{'one' if part.paths == 1 else 'many'}", letter=part.by.base, n=part.paths)
    chart = graph(function, direction="right")
    return Chart(chart.marks, alt=chart.alt, numbers={"caption": caption})


@lesson.formula
@numpy.errstate(all="ignore")
def own_rule(expression, a, b):
    """What `explain` writes of the learner's own expression."""
    if not numpy.isfinite(function_of(expression, a, b)().item()):
        return rf"\text{{{say('own.undefined')}}}"
    parts = explained_own(expression, a, b)
    return rows(parts) if parts else rf"\text{{{say('own.constant')}}}"


lesson.add(Code("sweep", sweep, until="return found"))

# --- test -------------------------------------------------------------------------------------------------------------

NETS, LAYERS = 1000, 10


@lesson.claim
def sums():
    """The sum over paths is the gradient: in a thousand nets at once, and over 1,024 paths of a deeper one."""
    draw = numpy.random.default_rng(7)
    x, w, v = (draw.normal(size=size) for size in ((2, NETS), (2, 2, NETS), (2, NETS)))
    leaf = asarray(x[1], requires_grad=True)
    hidden = [ops.sigmoid(w[i, 0] * asarray(x[0]) + w[i, 1] * leaf) for i in (0, 1)]
    out = ops.sigmoid(v[0] * hidden[0] + v[1] * hidden[1])
    ((out - 1.0) ** 2).sum().backward()
    slope = lambda y: y * (1 - y)
    o, h = out.numpy(), [one.numpy() for one in hidden]
    paths = [2 * (o - 1) * slope(o) * v[i] * slope(h[i]) * w[i, 1] for i in (0, 1)]
    shallow = float(abs(paths[0] + paths[1] - leaf.grad.numpy()).max())
    count, total, gradient = deep_sum(LAYERS)
    counts = [counted(layers) for layers in range(1, LAYERS + 1)]
    doubles = all(after[0] == 2 * before[0] for before, after in itertools.pairwise(counts))
    more = {after[1] - before[1] for before, after in itertools.pairwise(counts)}
    found = {
        "nets": NETS,
        "shallow": shallow,
        "layers": LAYERS,
        "paths": count,
        "deep": abs(total - gradient),
        "operations": counts[-1][1],
        "more": max(more),
    }
    holds = max(shallow, found["deep"]) < 1e-12 and doubles and len(more) == 1 and counts[-1][0] == count
    return Outcome(holds, found, [counts_chart(counts)])


def deep_net(layers):
    """A net of one input and so many layers of two tanh neurons: the input, the loss, the weights, the outputs."""
    draw = numpy.random.default_rng(layers)
    first, last = draw.normal(size=2), draw.normal(size=2)
    between = draw.normal(size=(layers - 1, 2, 2))
    x = asarray(0.7, dtype="float64", requires_grad=True)
    outputs = [[ops.tanh(float(w) * x) for w in first]]
    for matrix in between:
        before = outputs[-1]
        outputs.append([ops.tanh(float(row[0]) * before[0] + float(row[1]) * before[1]) for row in matrix])
    loss = float(last[0]) * outputs[-1][0] + float(last[1]) * outputs[-1][1]
    return x, loss, (first, between, last), [[o.item() for o in layer] for layer in outputs]


def deep_sum(layers):
    """How many paths a deep net has, the sum of their products, one path after another, and the engine's gradient."""
    x, loss, (first, between, last), outputs = deep_net(layers)
    loss.backward()
    total, count = 0.0, 0
    for way in itertools.product((0, 1), repeat=layers):
        product = first[way[0]] * last[way[-1]]
        for matrix, start, end in zip(between, way, way[1:], strict=False):
            product *= matrix[end, start]
        for neuron, layer in zip(way, outputs, strict=True):
            product *= 1 - layer[neuron] ** 2
        total, count = total + float(product), count + 1
    return count, total, x.grad.item()


def counted(layers):
    """How many paths lead from the loss of a deep net to its input, and how many operations a sweep visits."""
    x, loss, _, _ = deep_net(layers)
    found = computation(loss, None)
    return Paths(found, found.of(x)).count, sum(vertex.operation is not None for vertex in found)


def counts_chart(counts):
    layers = list(range(1, LAYERS + 1))
    paths, operations = ([pair[i] for pair in counts] for i in (0, 1))
    marks = [
        Line(layers, paths, dashed=True, label=say("counts.paths")),
        Line(layers, operations, ink="b", label=say("counts.operations")),
    ]
    axes = Axis(say("counts.x"), whole=True, limits=(1, LAYERS)), Axis(say("counts.y"), limits=(0, None))
    return Chart(marks, *axes, alt=say("counts.alt", layers=LAYERS, paths=paths[-1], operations=operations[-1]))


SIDES = (3, 10, 32, 100, 316)  # nets of n = side² + side weights
SWEEPS, BATCH, SHOWN = 60, 20, 25  # sweeps that are timed; passes that are timed together; batches between two charts


def timed(function, times):
    """The seconds of a call, as the mean of so many, one after another."""
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) / times


@lesson.experiment
def cost():
    """The time of n + 1 forward passes against that of one sweep, for nets of more and more weights."""
    sizes = [side * side + side for side in SIDES]
    total, done, gains, ratios = sum(sizes) + len(sizes), 0, [], []
    for side, n in zip(SIDES, sizes, strict=True):
        passes, swept = pair_of(side)
        passes(), swept()
        batches = [min(BATCH, n + 1 - i) for i in range(0, n + 1, BATCH)]
        seconds = []
        for place, batch in enumerate(batches):
            seconds.append(timed(passes, batch))
            done += batch
            if place % SHOWN == 0:
                yield Progress(done, total, cost_chart(sizes, gains), cost_numbers(sizes, gains, ratios))
        one, sweep_ = median(seconds), median(timed(swept, 1) for _ in range(SWEEPS))
        gains.append((n + 1) * one / sweep_)
        ratios.append(sweep_ / one)
    yield Progress(total, total, cost_chart(sizes, gains), cost_numbers(sizes, gains, ratios))


def pair_of(side):
    """A forward pass without a record of a net with side² + side weights, and a forward pass with a backward sweep."""
    draw = numpy.random.default_rng(side)
    first, last = (asarray(draw.normal(size=size), requires_grad=True) for size in ((side, side), (side,)))
    x = asarray(draw.normal(size=side))
    loss = lambda: last @ ops.tanh(first @ x)

    def forward():
        with no_grad():
            loss()

    def swept():
        loss().backward()
        first.grad = last.grad = None

    return forward, swept


def cost_numbers(sizes, gains, ratios):
    if not gains:
        return {"from": sizes[0], "n": 0, "gain": None, "least": None, "most": None}
    return {"from": sizes[0], "n": sizes[len(gains) - 1], "gain": gains[-1], "least": min(ratios), "most": max(ratios)}


def cost_chart(sizes, gains):
    done = sizes[: len(gains)]
    marks = [
        Line(done, gains, ink="b"),
        Dots(done, gains, ink="b"),
        Line([1, 2e5], [1, 2e5], ink="quiet", dashed=True, label=say("cost.line")),
    ]
    axes = Axis(say("cost.x"), scale="log", limits=(6, 2e5)), Axis(say("cost.y"), scale="log", limits=(1, 2e5))
    return Chart(marks, *axes, alt=say("cost.alt", n=len(done), gain=fixed(gains[-1], 0) if gains else "–"))


lesson.add(*EXERCISES)
