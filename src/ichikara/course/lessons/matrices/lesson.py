"""Lesson 4: a layer is a matrix."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy

from ichikara import nn, ops
from ichikara.autodiff import no_grad
from ichikara.charts import Axis, Chart, Dots, Edge, Graph, Group, Line, Vertex, short_text
from ichikara.course.controls import Slider, Switch
from ichikara.course.lesson import Answer, Code, Handle, Lesson, Outcome, Picture, Prediction, Progress
from ichikara.course.pictures import network, plane_axis

from .exercises import EXERCISES

INPUTS, HIDDEN, OUTPUTS, BATCH = 4, 5, 3, 3  # as many as the sliders allow

lesson = Lesson(
    "matrices",
    inputs=Slider(1, INPUTS, 3, 1),
    hidden=Slider(1, HIDDEN, 5, 1),
    outputs=Slider(1, OUTPUTS, 2, 1),
    batch=Slider(1, BATCH, 2, 1),
    ones=Switch(False),
    neuron=Slider(0, HIDDEN + OUTPUTS - 1, 1, 1),
    example=Slider(0, BATCH - 1, 1, 1),
)
say = lesson.say
fixed = lambda value, digits: f"{value + 0.0:.{digits}f}".replace("-", "−")
subscript = lambda number: str(number).translate(str.maketrans("01234", "₀₁₂₃₄"))

# --- predict ----------------------------------------------------------------------------------------------------------

SHAPES = {"inputs_first": (3, 5), "neurons_first": (5, 3), "with_bias": (5, 4), "one_each": (5, 1)}


def grid_of(rows, columns):
    """A table without numbers, in the middle of a square window of 6 by 6."""
    left, bottom = 3 - columns / 2, 3 - rows / 2
    marks = [Line([left, left + columns], [bottom + i] * 2) for i in range(rows + 1)]
    marks += [Line([left + j] * 2, [bottom, bottom + rows]) for j in range(columns + 1)]
    axes = plane_axis("", (0, 6)), plane_axis("", (0, 6))
    return Chart(marks, *axes, alt=say("shape.alt", rows=rows, columns=columns), equal=True)


def shape_of_weights():
    """Which table a layer of the library has, and what the product with a column of three inputs gives for each."""
    weight = nn.Linear(3, 5).weight
    right = [name for name, shape in SHAPES.items() if shape == weight.shape]
    notes = {}
    for name, (rows, columns) in SHAPES.items():
        try:
            notes[name] = say("shape.sums", sums=(ops.zeros((rows, columns)) @ ops.zeros((3,))).shape[0])
        except ValueError:
            notes[name] = say("shape.refused", columns=columns, inputs=3)
    return Answer(right, notes)


lesson.add(
    Prediction("shape", tuple(SHAPES), shape_of_weights, charts=lambda: {k: grid_of(*v) for k, v in SHAPES.items()})
)

# --- move -------------------------------------------------------------------------------------------------------------


def tenths(seed, *shape):
    """Numbers with one decimal, from −1.2 to 1.2, and none that is 0."""
    draw = numpy.random.default_rng(seed)
    return draw.choice([-1, 1], shape) * draw.integers(1, 13, shape) / 10


# Those of the largest net; a smaller one has the first of them.
X, W0, B0, W1 = tenths(4, BATCH, INPUTS), tenths(5, HIDDEN, INPUTS), tenths(6, HIDDEN), tenths(7, OUTPUTS, HIDDEN)


def forward(inputs, hidden, outputs, batch, ones):
    """The net's matrices and what goes through them, by name; an example is a column, as in the formula.

    With ``ones`` the first layer has biases: the weights of an input that is always 1.
    """
    x = ops.asarray(X[:batch, :inputs])
    w0, b0, w1 = W0[:hidden, :inputs], B0[:hidden] if ones else None, W1[:outputs, :hidden]
    u0 = ops.linear(x, w0, b0)
    o0 = ops.sigmoid(u0)
    u1 = ops.linear(o0, w1)
    found = {"X": x, "U⁰": u0, "O⁰": o0, "U¹": u1, "O¹": ops.sigmoid(u1)}
    found = {name: value.numpy().T for name, value in found.items()} | {"W⁰": w0, "W¹": w1}
    if ones:
        found["X"] = numpy.vstack([numpy.ones(batch), found["X"]])
        found["W⁰"] = numpy.column_stack([b0, w0])
    return found


def chosen(neuron, example, hidden, outputs, batch):
    """The chosen neuron's layer and its place there, and the chosen example; sizes may have shrunk since."""
    layer = int(neuron >= HIDDEN)
    place = min(neuron - HIDDEN, outputs - 1) if layer else min(neuron, hidden - 1)
    return layer, place, min(example, batch - 1)


WIDE, TALL, HEAD, EDGE = 2.7, 1.8, 1.5, 0.2  # of a cell; above the cells; around them


@dataclass
class Block:
    """A matrix of the picture: cells in a frame that bears its name, from a corner on.

    Arguments: ``kind``, of the cells; ``lit``, whether the cell in row i and column j stands out.
    """

    name: str
    values: numpy.ndarray
    left: float
    top: float
    kind: str
    lit: Callable[[int, int], bool]

    def __post_init__(self):
        self.rows, self.columns = self.values.shape
        self.right, self.bottom = self.left + width_of(self.columns), self.top + HEAD + self.rows * TALL + 2 * EDGE

    def centre(self, i, j):
        return self.left + EDGE + (j + 0.5) * WIDE, self.top + HEAD + EDGE + (i + 0.5) * TALL

    def vertices(self):
        digits = 1 if self.kind in ("input", "parameter") else 2
        size = WIDE - 0.15, TALL - 0.15
        for i, j in numpy.ndindex(self.rows, self.columns):
            text, strong = fixed(self.values[i, j], digits), self.lit(i, j)
            yield Vertex(f"{self.name} {i} {j}", text, *self.centre(i, j), *size, self.kind, strong=strong)

    def group(self):
        middle = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        return Group(self.name, *middle, self.right - self.left, self.bottom - self.top)

    def lengths(self, level):
        """Lines as long as its sides, with how many rows and columns it has; the level one at a height."""
        beside = self.left - 0.7
        upright = Edge("", "", [(beside, self.top + HEAD), (beside, self.bottom)], str(self.rows))
        return [upright, Edge("", "", [(self.left, level), (self.right, level)], str(self.columns))]


def width_of(columns):
    return columns * WIDE + 2 * EDGE


@lesson.figure
def tables(inputs, hidden, outputs, batch, ones, neuron, example):
    """The matrices, each product where the rows of W meet the columns of what it multiplies."""
    found = forward(inputs, hidden, outputs, batch, ones)
    layer, place, shown = chosen(neuron, example, hidden, outputs, batch)
    row = lambda of: lambda i, j: layer == of and i == place
    column = lambda of: lambda i, j: layer == of and j == shown
    cell = lambda of: lambda i, j: layer == of and (i, j) == (place, shown)
    gap, below = 1.8, 1.0
    across = width_of(batch)
    left = max(width_of(inputs + ones) + gap, width_of(hidden) - across)
    block = lambda name, x, y, kind, lit: Block(name, found[name], x, y, kind, lit)
    x = block("X", left, 0.0, "input", column(0))
    u0 = block("U⁰", left, x.bottom + below, "output", cell(0))
    w0 = block("W⁰", left - gap - width_of(inputs + ones), u0.top, "parameter", row(0))
    o0 = block("O⁰", u0.right + gap, u0.top, "output", lambda i, j: cell(0)(i, j) or column(1)(i, j))
    u1 = block("U¹", o0.left, o0.bottom + below, "output", cell(1))
    w1 = block("W¹", u1.left - gap - width_of(hidden), u1.top, "parameter", row(1))
    o1 = block("O¹", u1.left, u1.bottom + gap, "output", cell(1))
    blocks = x, w0, u0, o0, w1, u1, o1
    edges = [*x.lengths(x.bottom + 0.5), *w0.lengths(w0.top - 0.7), *w1.lengths(w1.bottom + 0.7)]
    level, middle = (u0.top + HEAD + u0.bottom) / 2, (u1.left + u1.right) / 2
    for ends in ([(u0.right, level), (o0.left, level)], [(middle, u1.bottom), (middle, o1.top)]):
        edges.append(Edge("", "", ends, "f", ink="ink"))
    graph = Graph([v for b in blocks for v in b.vertices()], edges, [b.group() for b in blocks])
    handles = []
    for of, w in enumerate((w0, w1)):
        for i in range(w.rows):
            label = say("handles.row", layer=of, row=i)
            handles.append(
                Handle("pick", *w.centre(i, 0), HIDDEN * of + i, "button", w.centre(i, w.columns - 1), label)
            )
    for j in range(batch):
        ends = x.centre(0, j), x.centre(x.rows - 1, j)
        handles.append(Handle("pick_example", *ends[0], j, "button", ends[1], say("handles.column", column=j)))
    u, o = (float(found[f"{name}{'⁰¹'[layer]}"][place, shown]) for name in "UO")
    caption = say(
        "tables.caption", at=f"u{'⁰¹'[layer]}{subscript(place)}", u=fixed(u, 2), w=f"W{'⁰¹'[layer]}", row=place
    )
    shapes = ", ".join(f"{b.name} {b.rows}×{b.columns}" for b in blocks)
    alt = say("tables.alt", shapes=shapes, caption=caption)
    weights = hidden * (inputs + ones) + outputs * hidden
    return Picture(Chart([graph], alt=alt, numbers={"caption": caption, "u": u, "o": o, "weights": weights}), handles)


@lesson.figure
def net(inputs, hidden, outputs, batch, ones, neuron, example):
    """The same net as neurons and lines, with the numbers of one example."""
    found = forward(inputs, hidden, outputs, batch, ones)
    layer, place, shown = chosen(neuron, example, hidden, outputs, batch)
    column = lambda name, letter, digits, first=0: [
        (fixed(value, digits), f"{letter}{subscript(first + i)}") for i, value in enumerate(found[name][:, shown])
    ]
    columns = column("X", "x", 1, 1 - ones), column("O⁰", "o⁰", 2), column("O¹", "o¹", 2)
    weights = found["W⁰"].tolist(), found["W¹"].tolist()
    values = "; ".join(", ".join(f"{name} {text}" for text, name in one) for one in columns)
    alt = say("net.alt", values=values)
    chart = network(columns, weights, names=False, strong=(layer + 1, place), gap=(6.4, 4.2), alt=alt)
    handles = []
    for vertex in chart.marks[0].vertices:
        of, i = map(int, vertex.name.split("-"))
        if of:
            label = say("handles.neuron", at=vertex.value, value=vertex.text)
            handles.append(Handle("pick", vertex.x, vertex.y, HIDDEN * (of - 1) + i, "button", label=label))
    return Picture(chart, handles)


@lesson.handle
def pick(index):
    """A neuron is chosen, in the net or by its row."""
    return {"neuron": max(0, min(HIDDEN + OUTPUTS - 1, int(index)))}


@lesson.handle
def pick_example(index):
    """An example of the batch is chosen."""
    return {"example": max(0, min(BATCH - 1, int(index)))}


# --- formula and code -------------------------------------------------------------------------------------------------


@lesson.formula
def shapes(inputs, hidden, outputs, batch, ones):
    """Both layers, and the shapes beneath."""
    n = rf"\class{{inputs}}{{{inputs + ones}}}"
    m, k, b = (
        rf"\class{{{name}}}{{{size}}}" for name, size in (("hidden", hidden), ("outputs", outputs), ("batch", batch))
    )
    shape = lambda rows, columns: rf"({rows} \times {columns})"
    return (
        r"O^0 & = & f\left(W^0 X\right) \\"
        rf" {shape(m, b)} & & {shape(m, n)} \cdot {shape(n, b)} \\"
        r"O^1 & = & f\left(W^1 O^0\right) \\"
        rf" {shape(k, b)} & & {shape(k, m)} \cdot {shape(m, b)}"
    )


@lesson.formula
def one_sum(inputs, hidden, outputs, batch, ones, neuron, example):
    """The sum of the chosen neuron, in symbols and in numbers."""
    found = forward(inputs, hidden, outputs, batch, ones)
    layer, place, shown = chosen(neuron, example, hidden, outputs, batch)
    weights, values = found[f"W{'⁰¹'[layer]}"][place], found["O⁰" if layer else "X"][:, shown]
    letter, first = ("o^0", 0) if layer else ("x", 1 - ones)
    u, o = (float(found[f"{name}{'⁰¹'[layer]}"][place, shown]) for name in "UO")
    digits = 2 if layer else 1
    n = lambda value, digits: f"({value:.{digits}f})" if value < 0 else f"{value:.{digits}f}"
    terms = " + ".join(f"w^{layer}_{{{place}{j}}} {letter}_{j}" for j in range(first, first + len(weights)))
    products = " + ".join(rf"{n(w, 1)} \cdot {n(v, digits)}" for w, v in zip(weights, values, strict=True))
    return (
        rf"u^{layer}_{place} & = & {terms} \\ & = & {products} \\ & = & {u:.2f} \\"
        rf" o^{layer}_{place} & = & f({u:.2f}) = {o:.2f}"
    )


lesson.add(Code("linear", ops.linear), Code("layer", nn.Linear.forward))

# --- test -------------------------------------------------------------------------------------------------------------


def by_loops(W, b, X):
    """The sums of a layer without matrices: for each example, each neuron, each input."""
    U = []
    for x in X:
        row = []
        for w, u in zip(W, b, strict=True):
            for j in range(len(x)):
                u = u + w[j] * x[j]
            row.append(u)
        U.append(row)
    return U


lesson.add(Code("loops", by_loops))


def draw(neurons, inputs, batch, seed=0):
    """Weights, biases and a batch, from a normal distribution, as 64-bit numbers that 32 bits can hold."""
    rng = numpy.random.default_rng(seed)
    shapes = (neurons, inputs), (neurons,), (batch, inputs)
    return [rng.normal(size=shape).astype("float32").astype("float64") for shape in shapes]


SIZES = (4, 8, 16, 32, 64, 128, 256)


@lesson.claim
def same():
    """Loops and matrices give the same sums, up to rounding: each difference is within the bound of its arithmetic."""
    worst, holds, compared = {"float32": [], "float64": []}, True, 0
    for size in SIZES:
        W, b, X = draw(size, size, 4)
        loops = numpy.array(by_loops(W.tolist(), b.tolist(), X.tolist()))
        for dtype, found in worst.items():
            sums = ops.linear(*(ops.asarray(a, dtype=dtype) for a in (X, W, b))).numpy()
            apart = abs(sums - loops)
            allowed = 2 * (size + 1) * numpy.finfo(dtype).eps * (abs(X) @ abs(W).T + abs(b))
            holds = holds and bool((apart <= allowed).all())
            found.append(float(apart.max()))
            compared += apart.size
    ink = {"float32": "b", "float64": "a"}
    seen = {
        dtype: [apart or math.nan for apart in found] for dtype, found in worst.items()
    }  # no 0 on a scale of powers
    marks = [
        Line(SIZES, found, ink=ink[dtype], label=dtype, dashed=dtype == "float64") for dtype, found in seen.items()
    ]
    marks += [Dots(SIZES, found, ink=ink[dtype], hollow=dtype == "float64") for dtype, found in seen.items()]
    axes = Axis(say("same.x"), scale="log"), Axis(say("same.y"), scale="log", limits=(1e-17, 1e-3))
    most = {f"largest{dtype[-2:]}": max(found) for dtype, found in worst.items()}
    alt = say("same.alt", **{name: short_text(value) for name, value in most.items()})
    return Outcome(holds, {"compared": compared, **most}, [Chart(marks, *axes, alt=alt)])


def seconds(function, longest=0.15):
    """The least time that a call takes, of as many as fit into some time, at least three."""
    times, begun = [], time.perf_counter()
    while len(times) < 3 or (time.perf_counter() - begun < longest and len(times) < 200):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


CASES = ((5, 3, 1), *((size, size, 32) for size in SIZES))


@lesson.experiment
def speed():
    """Both ways at one size after another, measured now on this machine."""
    products, loops, matrices = [], [], []
    for done, (neurons, inputs, batch) in enumerate(CASES, 1):
        arrays = draw(neurons, inputs, batch)
        W, b, X = (a.tolist() for a in arrays)
        weight, bias, x = (ops.asarray(a, dtype="float32") for a in arrays)
        with no_grad():
            matrices.append(seconds(lambda x=x, weight=weight, bias=bias: ops.linear(x, weight, bias)))
        loops.append(seconds(lambda W=W, b=b, X=X: by_loops(W, b, X)))
        products.append(neurons * inputs * batch)
        factor = [slow / fast for slow, fast in zip(loops, matrices, strict=True)]
        numbers = {
            "first": factor[0],
            "last": factor[-1],
            "size": inputs,
            "batch": batch,
            "products": products[-1],
            "loops": 1e6 * loops[-1],
            "matrices": 1e6 * matrices[-1],
            "holds": factor[-1] > factor[0],
        }
        yield Progress(done, len(CASES), speed_chart(products, loops, matrices), numbers)


def speed_chart(products, loops, matrices):
    marks = []
    for name, ink, found in (("loops", "b", loops), ("matrices", "a", matrices)):
        times = [1e6 * one for one in found]
        marks.append(Line(products, times, ink=ink, dashed=name == "matrices", label=say(f"speed.{name}")))
        marks.append(Dots(products, times, ink=ink, hollow=name == "matrices"))
    axes = Axis(say("speed.x"), scale="log", limits=(10, 1e7)), Axis(say("speed.y"), scale="log", limits=(0.5, 1e6))
    texts = {"loops": short_text(1e6 * loops[-1]), "matrices": short_text(1e6 * matrices[-1])}
    return Chart(marks, *axes, alt=say("speed.alt", n=len(products), **texts))


# --- exercises --------------------------------------------------------------------------------------------------------

lesson.add(*EXERCISES)
