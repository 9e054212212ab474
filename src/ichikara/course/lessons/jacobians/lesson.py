"""Lesson 8: backpropagation in one line of matrices."""

import re
import time
from functools import lru_cache, partial, reduce
from operator import matmul

import numpy

from ichikara import ops
from ichikara.autodiff import asarray, no_grad
from ichikara.charts import Axis, Chart, Dots, Line, Raster
from ichikara.course.controls import Choice, Slider
from ichikara.course.lesson import Answer, Code, Lesson, Outcome, Prediction, Progress
from ichikara.glass.chain_rule import explained
from ichikara.glass.latex import to_latex
from ichikara.glass.lecture import net_of_matrices, net_of_neurons
from ichikara.glass.run import run
from ichikara.ops import linalg

from .chain import boxes_of, drawn, steps_of
from .exercises import EXERCISES

lesson = Lesson(
    "jacobians",
    by=Choice(("x", "W0", "W1"), "x"),
    layout=Choice(("numerator", "denominator"), "numerator"),
    begin=Choice(("loss", "input"), "loss"),
    step=Slider(0, 4, 0, 1, stepped=True),
    inputs=Slider(1, 8, 3, 1),
    hidden=Slider(1, 8, 5, 1),
    outputs=Slider(1, 5, 2, 1),
)
say = lesson.say
SHAPES = {"5x3": "(5×3)", "3x5": "(3×5)", "1x15": "(1×15)", "5x5": "(5×5)"}


@lru_cache(32)
def explained_net(by, inputs, hidden, outputs):
    """What `explain` says of a net of these sizes, with random numbers in it."""
    draw = numpy.random.default_rng(8)
    sizes = (inputs,), (hidden, inputs), (outputs, hidden)
    numbers = [draw.normal(size=size) for size in sizes]
    return explained(run(net_of_matrices, [], partial(net_of_matrices, *numbers)), by).parts[0]


# --- predict ----------------------------------------------------------------------------------------------------------


def shape():
    found = explained_net("W^0", 3, 5, 1).lines[0].shapes[0]
    return Answer([name for name, text in SHAPES.items() if text == found])


lesson.add(Prediction("shape", tuple(SHAPES), shape))

# --- move -------------------------------------------------------------------------------------------------------------


@lesson.figure
def chain(by, layout, begin, step, inputs, hidden, outputs):
    """The Jacobians as boxes, after some of their products."""
    both = {
        name: steps_of(by, inputs, hidden, outputs, name == "loss", layout == "denominator")
        for name in ("loss", "input")
    }
    steps = both[begin]
    now = steps[min(step, len(steps) - 1)]
    done = sum(one.cost for one in steps[: min(step, len(steps) - 1)])
    totals = {name: sum(one.cost for one in found) for name, found in both.items()}
    if now.next is None:
        what = say("chain.end", matrix=now.boxes[0].name, shape=now.boxes[0].shape, total=totals[begin])
    else:
        left, right = (now.boxes[place] for place in now.next)
        what = say("chain.next", left=left.shape, right=right.shape, cost=now.cost, done=done)
    return Chart(
        drawn(now),
        alt=say("chain.alt", boxes=", ".join(f"{box.name} {box.shape}" for box in now.boxes), what=what),
        numbers={"what": what, **totals},
    )


@lesson.formula
def product(by, layout, inputs, hidden, outputs):
    """The whole product in symbols, and the shapes of its factors beneath them."""
    boxes = boxes_of(by, inputs, hidden, outputs)
    turned = layout == "denominator"
    row = [box.turned() for box in reversed(boxes)] if turned else boxes
    symbols = [box.latex for box in row]
    if by != "x":  # the row stands in brackets
        inside = slice(0, -1) if turned else slice(1, None)
        symbols[inside] = [f"({symbols[inside][0]}", *symbols[inside][1:-1], f"{symbols[inside][-1]})"]
    whole = f"{row[0].rows}×{row[-1].columns}"
    target = {"x": "x", "W0": "W^0", "W1": "W^1"}[by]
    left = rf"\frac{{\partial L}}{{\partial {target}}} & = & "
    return left + " & ".join(symbols) + rf" \\ {text(whole)} & & " + " & ".join(text(box.shape) for box in row)


def text(words):
    return rf"\text{{{words}}}"


@lesson.action
def lecture():
    """The lecture's net: two inputs, two hidden neurons, one output."""
    return {"inputs": 2, "hidden": 2, "outputs": 1, "step": 0}


# --- formula and code -------------------------------------------------------------------------------------------------


@lesson.formula
def written():
    """What `explain` writes of the lecture's net, by its inputs and by both matrices, with the shapes."""
    lines = []
    for by in ("x", "W^0", "W^1"):
        part = explained(run(net_of_matrices, []), by).parts[0]
        row = part.lines[0]
        formula = re.sub(r"\{f\^\{(\d)\}\}'", r"f^{\1\\prime}", to_latex(row.formula))
        lines.append(rf"{to_latex(row.name)} & = & {formula}")
        lines.append(rf"{text(row.shapes[0])} & = & {text(' '.join(row.shapes[1:]))}")
    return r" \\ ".join(lines)


@lesson.formula
def entry():
    """One number of the last product: the sum over the two paths to the second input."""
    terms = (rf"\frac{{\partial L}}{{\partial u^0_{i}}}\,w^0_{{{i}1}}" for i in range(2))
    return rf"\frac{{\partial L}}{{\partial x_1}} = {' + '.join(terms)}"


lesson.add(Code("rules", (linalg.matmul, linalg.as_matrices, linalg._left, linalg._right)))

# --- test -------------------------------------------------------------------------------------------------------------

NETS = 60


@lesson.claim
def scalars():
    """The matrices give lesson 7's numbers, and all ways to multiply give the engine's gradients."""
    neurons = run(net_of_neurons, [])
    found, pairs = {}, []
    for by in ("x", "W^0", "W^1"):
        part = explained(run(net_of_matrices, []), by).parts[0]
        found[by] = numpy.asarray(part.lines[0].value, float)  # in numerator layout
    for i in range(2):
        pairs.append((found["x"].reshape(-1)[i], scalar(neurons, f"x[{i}]")))
        pairs.append((found["W^1"].reshape(-1)[i], scalar(neurons, f"w1[0][{i}]")))
        pairs += [(found["W^0"][j, i], scalar(neurons, f"w0[{i}][{j}]")) for j in range(2)]
    difference = max(abs(a - b) for a, b in pairs)
    draw = numpy.random.default_rng(0)
    worst = max(random_net(draw) for _ in range(NETS))
    rows = [[scalar(neurons, f"w0[{i}][{j}]") for j in range(2)] for i in range(2)]
    charts = [table(found["W^0"].tolist(), "scalars.numerator"), table(rows, "scalars.grad")]
    numbers = {"count": len(pairs), "difference": float(difference), "nets": NETS, "worst": float(worst)}
    return Outcome(difference < 1e-6 and worst < 1e-12, numbers, charts)


def scalar(neurons, name):
    """A gradient of lesson 7's net, neuron by neuron, by the engine."""
    return float(explained(neurons, name).parts[0].gradient)


def table(rows, name):
    """A small matrix with its numbers in it."""
    sides = (0, len(rows[0])), (0, len(rows))
    axes = Axis(say(name), limits=sides[0], names=("",)), Axis(limits=sides[1], names=("",), down=True)
    mark = Raster([[round(value, 4) for value in row] for row in rows], *sides, middle=0.0, text=True)
    return Chart([mark], *axes, alt=say("scalars.alt", matrix=say(name), rows=str(rows)))


def random_net(draw):
    """How far the products of Jacobians of a net of random sizes are from `.grad`: both orders, both layouts."""
    n, h, m = draw.integers(1, 9, size=3)
    x, w0, w1 = (
        asarray(numbers, requires_grad=True)
        for numbers in (draw.normal(size=n), draw.normal(size=(h, n)), draw.normal(size=(m, h)))
    )
    o0 = ops.sigmoid(w0 @ x)
    o = ops.sigmoid(w1 @ o0)
    ((o - 1.0) ** 2).sum().backward()
    o0, o = o0.numpy(), o.numpy()
    row = [2 * (o - 1)[None], numpy.diag(o * (1 - o)), w1.numpy(), numpy.diag(o0 * (1 - o0)), w0.numpy()]
    beside = {"x": None, "W0": x.numpy()[:, None], "W1": o0[:, None]}
    gradients = {"x": x.grad.numpy()[:, None], "W0": w0.grad.numpy(), "W1": w1.grad.numpy()}
    worst = 0.0
    for by, end in (("x", 5), ("W0", 4), ("W1", 2)):
        for found in (reduce(matmul, row[:end]), reduce(lambda a, b: b @ a, row[:end][::-1])):
            whole = found if by == "x" else beside[by] @ found
            turned = reduce(matmul, [one.T for one in row[:end]][::-1])
            turned = turned if by == "x" else turned @ beside[by].T
            worst = max(worst, abs(whole.T - gradients[by]).max(), abs(turned - gradients[by]).max())
    return worst


WIDTHS, DEPTH = (64, 128, 256, 512, 1024), 4
REPEATS = {"loss": 30, "input": 3}  # the quickest of so many counts: a short run is disturbed more


@lesson.experiment
def cost():
    """Products of four layers' Jacobians, begun at the loss and at the input: multiplications, and seconds."""
    seconds = {(layout, begin): [] for layout in ("numerator", "denominator") for begin in ("loss", "input")}
    total = len(WIDTHS) * len(seconds)
    done = 0
    for width in WIDTHS:
        row = chain_of(width)
        for (layout, begin), times in seconds.items():
            matrices = row if layout == "numerator" else [one.T for one in row[::-1]]
            at_left = (begin == "loss") == (layout == "numerator")
            times.append(min(timed(matrices, at_left) for _ in range(REPEATS[begin])))
            done += 1
            yield Progress(done, total, cost_chart(seconds), cost_numbers(width, seconds))


def chain_of(width):
    """A row, and the matrices of four layers, each with the slopes of its activation in it."""
    draw = numpy.random.default_rng(width)
    sizes = [(1, width), *[(width, width)] * DEPTH]
    return [asarray((draw.normal(size=size) / width**0.5).astype("float32")) for size in sizes]


def timed(matrices, at_left):
    """The seconds of the product, begun at the left end or at the right one."""
    start = time.perf_counter()
    with no_grad():
        reduce(matmul, matrices) if at_left else reduce(lambda a, b: b @ a, matrices[::-1])
    return time.perf_counter() - start


def counts(width):
    """Multiplications from the loss, and from the input."""
    return DEPTH * width**2, (DEPTH - 1) * width**3 + width**2


def cost_numbers(width, seconds):
    loss, other = seconds["numerator", "loss"], seconds["numerator", "input"]
    few, many = counts(width)
    mirrored = [seconds["denominator", begin] for begin in ("loss", "input")]
    return {
        "width": width,
        "counted": many / few,
        "measured": other[-1] / loss[-1] if other else None,
        "mirrored": mirrored[1][-1] / mirrored[0][-1] if len(mirrored[1]) == len(loss) else None,
        "holds": len(other) < len(WIDTHS) or other[-1] > 3 * loss[-1],
    }


def cost_chart(seconds):
    marks = []
    for begin, ink, dashed in (("input", "a", True), ("loss", "b", False)):
        times = [1000 * one for one in seconds["numerator", begin]]
        widths = WIDTHS[: len(times)]
        marks.append(Line(widths, times, ink=ink, dashed=dashed, label=say(f"cost.{begin}")))
        marks.append(Dots(widths, times, ink=ink, hollow=dashed))
    axes = (
        Axis(say("cost.x"), scale="log", limits=(50, 1300)),
        Axis(say("cost.y"), "ms", scale="log", limits=(1e-2, 1e3)),
    )
    return Chart(marks, *axes, alt=say("cost.alt", n=len(seconds["numerator", "loss"])))


# --- exercises --------------------------------------------------------------------------------------------------------

lesson.add(*EXERCISES)
