"""Lesson 21: a kernel slides over an image, and what that is good for."""

import numpy

from ichikara.charts import Axis, Bars, Chart, Dots, Images, Label, Line, Raster, short_text
from ichikara.course.controls import Drawing, Matrix, Slider
from ichikara.course.lesson import Answer, Code, Handle, Lesson, Outcome, Picture, Prediction, Progress
from ichikara.nn import Conv2d, Linear
from ichikara.ops import conv

from ...digits import digits
from .exercises import EXERCISES
from .maps import convolved, followed, interior, place_of, reading
from .marks import reach, rectangle, square, tiles
from .net import SIZE, trained
from .ready import READY
from .shift import EPOCHS, KINDS, REACH, field, learning, moved, network, shares

KERNELS = {
    "upright": ((-1.0, 0.0, 1.0),) * 3,
    "level": ((-1.0,) * 3, (0.0,) * 3, (1.0,) * 3),
    "outline": ((-0.5, -0.5, -0.5), (-0.5, 4.0, -0.5), (-0.5, -0.5, -0.5)),
    "blur": ((0.5, 0.5, 0.5),) * 3,
}
DIGITS = "0123456789"
MARKED = 10  # pixels that are marked for each sign of the gradient

lesson = Lesson(
    "convolution",
    image=Drawing(SIZE, SIZE, READY[3]),
    kernel=Matrix(KERNELS["upright"], -4.0, 4.0),
    stride=Slider(1, 3, 1, 1),
    padding=Slider(0, 2, 1, 1),
    row=Slider(0, SIZE + 1, 3, 1),
    column=Slider(0, SIZE + 1, 4, 1),
    right=Slider(-8, 8, 5, 1),
    down=Slider(-8, 8, 0, 1),
)
say = lesson.say


def pixel_axes(low, high):
    """Axes that count columns from the left, and rows from the top."""
    limits = low, high
    return Axis(say("window.x"), limits=limits, whole=True), Axis(say("window.y"), limits=limits, whole=True, down=True)


# --- predict ----------------------------------------------------------------------------------------------------------


@lesson.figure
def places():
    """The same digits in the middle, where the networks learn them, and four pixels further."""
    images = field(digits()[0][2:6].reshape(-1, 64) / 16)[:, 0]
    both = numpy.concatenate([images, moved(images, REACH, 0)])
    return Chart([Images(both, 4)], alt=say("places.alt"), numbers={"by": REACH})


@lesson.result(parts=(0, 1, 2), tolerance=0.25)
def shifted(seed):
    """Each network's share of digits that it reads, by how far they were moved."""
    found = {}
    for kind in KINDS:
        *_, net = learning(kind, seed)
        found[kind] = shares(net, seed)
    return found


def still_reads():
    mean = {kind: numpy.mean([values[kind] for values in shifted.values], axis=0) for kind in KINDS}
    right = [kind for kind in KINDS if mean[kind][REACH] > 0.5] or ["none"]
    notes = {kind: say("share", before=f"{mean[kind][0]:.0%}", after=f"{mean[kind][REACH]:.0%}") for kind in KINDS}
    return Answer(right, notes, {kind: float(mean[kind][REACH]) for kind in KINDS})


lesson.add(Prediction("moved_digits", (*KINDS, "none"), still_reads))

# --- move: the window -------------------------------------------------------------------------------------------------


@lesson.figure
def shelf():
    """Ten digits that are drawn already, to choose from."""
    row = numpy.concatenate([numpy.pad(digit, ((0, 0), (1, 1))) for digit in READY], axis=1)
    axes = Axis(names=DIGITS, limits=(-0.5, 9.5)), Axis(names=("",), limits=(1, 2), down=True)
    handles = [
        Handle("ready", digit, 1.5, digit, shape="button", label=say("handles.ready", digit=digit))
        for digit in range(10)
    ]
    return Picture(Chart([Raster(row, (-0.5, 9.5), (1, 2))], *axes, alt=say("shelf.alt"), equal=True), handles)


@lesson.handle
def ready(index):
    """A digit that is drawn already."""
    return {"image": READY[int(index) % 10]}


@lesson.figure
def window(image, stride, padding, row, column):
    """The image, and the window of the kernel on it."""
    row, column, _ = place_of(stride, padding, row, column)
    top, left = row * stride - padding, column * stride - padding
    marks = [Raster(numpy.array(image), (0, SIZE), (0, SIZE), limits=(0, 1))]
    if padding:
        marks.append(square(0, 0, SIZE, ink="quiet", dashed=True))
    marks.append(square(left, top, 3, ink="b"))
    return Chart(
        marks,
        *pixel_axes(-padding, SIZE + padding),
        alt=say("window.alt", top=top, left=left, ink=short_text(numpy.sum(image), 3)),
        numbers={"top": top, "left": left},
        equal=True,
    )


@lesson.figure
def response(image, kernel, stride, padding, row, column):
    """The map: what the kernel answers at each place of the window."""
    row, column, size = place_of(stride, padding, row, column)
    found = convolved(image, kernel, stride, padding)
    value = float(found[row, column])
    middles = lambda where: ([where[1] + 0.5], [where[0] + 0.5])
    marks = [Raster(found.round(3), (0, size), (0, size), middle=0.0, limits=(-reach(found), reach(found)))]
    for where, ink in (
        (numpy.unravel_index(found.argmin(), found.shape), "a"),
        (numpy.unravel_index(found.argmax(), found.shape), "b"),
    ):
        extreme = float(found[where])
        if extreme < 0 if ink == "a" else extreme > 0:
            marks.append(Dots(*middles(where), ink=ink, hollow=ink == "a", size=0.8, label=short_text(extreme)))
    marks.append(square(column, row, 1, ink="ink"))
    label = say("handles.place", row=row, column=column, value=short_text(value))
    chart = Chart(
        marks,
        *pixel_axes(0, size),
        alt=say("response.alt", size=size, low=short_text(found.min()), high=short_text(found.max()), value=label),
        numbers={"size": size, "value": value, "row": row, "column": column, "places": size * size},
        equal=True,
    )
    return Picture(chart, [Handle("place", column + 0.5, row + 0.5, label=label, step=1.0)])


@lesson.handle
def place(stride, padding, x, y):
    """The window moves to a cell of the map."""
    *_, size = place_of(stride, padding, 0, 0)
    inside = lambda at: int(max(0, min(size - 1, numpy.floor(at))))
    return {"row": inside(y), "column": inside(x)}


@lesson.action
def slide(stride, padding, row, column):
    """The window at the next place."""
    row, column, size = place_of(stride, padding, row, column)
    after = (row * size + column + 1) % (size * size)
    return {"row": after // size, "column": after % size}


@lesson.action
def upright():
    """A kernel for upright edges."""
    return {"kernel": KERNELS["upright"]}


@lesson.action
def level():
    """A kernel for level edges."""
    return {"kernel": KERNELS["level"]}


@lesson.action
def outline():
    """A kernel for outlines."""
    return {"kernel": KERNELS["outline"]}


@lesson.action
def blur():
    """A kernel that adds up what it sees."""
    return {"kernel": KERNELS["blur"]}


# --- move: a trained network ------------------------------------------------------------------------------------------


@lesson.figure
def seen(image):
    """The drawing, and the pixels that move the winner's score most."""
    _, _, winner, slope = reading(image)
    order = slope.reshape(-1).argsort()
    marks = [Raster(numpy.array(image), (0, SIZE), (0, SIZE), ink="quiet", limits=(0, 1))]
    for chosen, ink in ((order[:MARKED], "a"), (order[::-1][:MARKED], "b")):
        rows, columns = numpy.divmod(chosen, SIZE)
        marks.append(Dots(columns + 0.5, rows + 0.5, ink=ink, hollow=ink == "a", size=0.8))
    numbers = {"winner": str(winner), "up": float(slope.max()), "down": float(slope.min()), "marked": MARKED}
    axes = pixel_axes(0, SIZE)
    return Chart(marks, *axes, alt=say("seen.alt", winner=winner, marked=MARKED), numbers=numbers, equal=True)


@lesson.figure
def scores(image):
    """The network's answer: a probability for each digit."""
    probabilities, _, winner, _ = reading(image)
    share = float(probabilities[winner])
    others = [digit for digit in range(10) if digit != winner]
    marks = [
        Bars(others, probabilities[others].round(4), ink="a"),
        Bars([winner], [share], ink="b"),
        Label(winner, min(share + 0.07, 1.05), f"{share:.0%}", ink="ink"),
    ]
    axes = Axis(say("scores.x"), names=DIGITS), Axis(say("scores.y"), limits=(0, 1.12), percent=True)
    alt = say("scores.alt", winner=winner, share=f"{share:.0%}")
    return Chart(marks, *axes, alt=alt, numbers={"winner": str(winner), "share": share})


@lesson.figure
def first(image):
    """The eight maps of the first layer. One can be pressed: its kernel comes into the window above."""
    maps = reading(image)[1][0]
    handles = [
        Handle(
            "learned",
            1 + (k % 4 + 0.5) * (SIZE + 2),
            1 + (k // 4 + 0.5) * (SIZE + 2),
            k,
            shape="button",
            label=say("handles.learned", number=k + 1, most=short_text(float(maps[k].max()))),
        )
        for k in range(len(maps))
    ]
    return Picture(tiles(maps, 4, say("first.alt", count=len(maps)), {"count": len(maps)}), handles)


@lesson.figure
def second(image):
    """The sixteen maps of the second layer, each of half the size."""
    maps = reading(image)[1][1]
    return tiles(maps, 4, say("second.alt", count=len(maps)), {"count": len(maps), "size": maps.shape[-1]})


@lesson.handle
def learned(index):
    """A kernel that the network has learnt, in the window above."""
    kernel = trained()[0].weight.numpy().astype("float64")[int(index) % 8, 0]
    return {"kernel": tuple(map(tuple, kernel.clip(-4, 4).round(2).tolist()))}


def pushed(image, right, down):
    return {"image": tuple(map(tuple, moved(numpy.array(image), right, down).tolist()))}


@lesson.action
def push_left(image):
    """The drawing one pixel further to the left; what leaves the image is lost."""
    return pushed(image, -1, 0)


@lesson.action
def push_right(image):
    """The drawing one pixel further to the right."""
    return pushed(image, 1, 0)


@lesson.action
def push_up(image):
    """The drawing one pixel higher."""
    return pushed(image, 0, -1)


@lesson.action
def push_down(image):
    """The drawing one pixel lower."""
    return pushed(image, 0, 1)


# --- formula and code -------------------------------------------------------------------------------------------------


@lesson.formula
def products(image, kernel, stride, padding, row, column):
    """The sum under the window, in symbols and in numbers."""
    row, column, _ = place_of(stride, padding, row, column)
    seen = numpy.pad(numpy.array(image), padding)[row * stride :, column * stride :][:3, :3].tolist()
    factor = lambda k: rf"\class{{kernel}}{{{f'({k:.3g})' if k < 0 else f'{k:.3g}'}}}"
    lines = [
        " + ".join(rf"{factor(k)} \cdot {x:.2g}" for k, x in zip(*both, strict=True))
        for both in zip(kernel, seen, strict=True)
    ]
    at = r"\class{stride}{s} r + i - \class{padding}{p},\; \class{stride}{s} c + j - \class{padding}{p}"
    value = float(convolved(image, kernel, stride, padding)[row, column])
    return (
        rf"y_{{rc}} & = & \sum_{{i=0}}^{{2}} \sum_{{j=0}}^{{2}} \class{{kernel}}{{k_{{ij}}}} \cdot x_{{{at}}} \\"
        rf" y_{{{row},{column}}} & = & {lines[0]} \\ & & {{}} + {lines[1]} \\ & & {{}} + {lines[2]} \\"
        rf" & = & {value:.3g}"
    )


@lesson.formula
def size(stride, padding):
    """How many places the window has, across and down."""
    *_, count = place_of(stride, padding, 0, 0)
    symbols = r"n + 2 \class{padding}{p} - k", "s"
    values = rf"{SIZE} + 2 \cdot \class{{padding}}{{{padding}}} - 3", stride
    symbols, values = (
        rf"\left\lfloor \frac{{{top}}}{{\class{{stride}}{{{by}}}}} \right\rfloor + 1" for top, by in (symbols, values)
    )
    return rf"m & = & {symbols} \\ & = & {values} = {count}"


lesson.add(Code("convolution", (conv.convolution, conv._im2col)))

# --- test -------------------------------------------------------------------------------------------------------------


@lesson.figure
def shifting(image, kernel, stride, padding, right, down):
    """The map of the moved image, the moved map, and their difference."""
    one = convolved(moved(numpy.array(image), right, down), kernel, stride, padding)
    other = moved(convolved(image, kernel, stride, padding), round(right / stride), round(down / stride))
    difference = one - other
    inside = interior(len(one), stride, padding, right, down)
    size = len(one)
    wide = [numpy.pad(part, 1, constant_values=numpy.nan) for part in (one, other, difference)]
    top = max(map(reach, (one, other)))
    names = [say(f"shifting.{name}") for name in ("one", "other", "difference")]
    unit = 1 / (size + 2)  # of a cell, where a map with its margin is as wide as 1
    marks = [Raster(numpy.concatenate(wide, axis=1).round(3), (-0.5, 2.5), (1, 2), middle=0.0, limits=(-top, top))]
    for k in range(3):
        x, y = k - 0.5 + unit, 1 + unit
        marks.append(rectangle(x, y, size * unit, size * unit, ink="quiet"))
        if inside.any():
            rows, columns = (numpy.flatnonzero(inside.any(axis)) for axis in (1, 0))
            corner = x + columns[0] * unit, y + rows[0] * unit
            marks.append(rectangle(*corner, len(columns) * unit, len(rows) * unit, dashed=True))
    worst = lambda values: float(abs(values).max()) if values.size else 0.0
    numbers = {"inside": worst(difference[inside]), "border": worst(difference[~inside]), "right": right, "down": down}
    axes = Axis(names=names, limits=(-0.5, 2.5)), Axis(names=("",), limits=(1, 2), down=True)
    alt = say("shifting.alt", inside=short_text(numbers["inside"]), border=short_text(numbers["border"]))
    return Chart(marks, *axes, alt=alt, numbers=numbers, equal=True)


@lesson.claim
def moves_along():
    """Random images and kernels, moved by all distances: the map moves along exactly, inside and with stride 1."""
    found = followed()
    exact, far = (found["inside"], found["even"]), (found["border"], found["odd"])
    return Outcome(max(exact) < 1e-12 and min(far) > 0.1, found)


@lesson.claim
def parameters():
    """How many numbers each network learns, and one layer of each sort with equally many outputs."""
    count = lambda net: sum(parameter.size for parameter in net.parameters())
    totals, outputs = {kind: count(network(kind)) for kind in KINDS}, 8 * SIZE * SIZE
    layers = {"kernels": count(Conv2d(1, 8, 3, padding=1)), "full": count(Linear(SIZE * SIZE, outputs))}
    chart = Chart(
        [Bars(range(3), list(totals.values()), ink="a")]
        + [Label(k, totals[kind] + 1400, f"{totals[kind]:,}", ink="ink") for k, kind in enumerate(KINDS)],
        Axis(names=[say(f"kinds.{kind}") for kind in KINDS]),
        Axis(say("parameters.y"), limits=(0, 26000)),
        alt=say("parameters.alt", **totals),
    )
    holds = totals["max"] < totals["mlp"] and layers["kernels"] * 1000 < layers["full"]
    numbers = {**totals, **layers, "outputs": outputs, "ratio": layers["full"] / layers["kernels"]}
    return Outcome(holds, numbers, [chart])


@lesson.experiment
def further():
    """Three networks learn digits in the middle, and are asked for digits that were moved."""
    total, found = len(KINDS) * EPOCHS + 1, dict.fromkeys(KINDS)
    for k, kind in enumerate(KINDS):
        for done, net in enumerate(learning(kind, 0), k * EPOCHS + 1):
            yield Progress(done, total, further_chart(found), further_numbers(found))
            newest = net
        found[kind] = shares(newest, 0)
    read, shares_of_max = [kind for kind in KINDS if found[kind][REACH] > 0.5], found["max"]
    holds = read == ["max"] and shares_of_max[2] > max(shares_of_max[1], shares_of_max[3])
    yield Progress(total, total, further_chart(found), {**further_numbers(found), "holds": holds})


def further_numbers(found):
    """The shares by network and distance; None where the network is still learning."""
    numbers = {f"{kind}_{by}": values and values[by] for kind, values in found.items() for by in range(REACH + 1)}
    return {**numbers, "by": REACH}


def further_chart(found):
    marks = []
    for kind, ink, dashed in zip(KINDS, ("a", "a", "b"), (True, False, False), strict=True):
        if values := found[kind]:
            marks += [Line(range(REACH + 1), values, ink=ink, dashed=dashed, label=say(f"kinds.{kind}"))]
            marks += [Dots(range(REACH + 1), values, ink=ink, hollow=dashed, size=0.7)]
    values = "; ".join(f"{say(f'kinds.{kind}')} {v[0]:.0%}, {v[-1]:.0%}" for kind, v in found.items() if v)
    x = Axis(say("further.x"), whole=True, limits=(-0.2, REACH + 0.2))
    return Chart(marks, x, Axis(say("further.y"), limits=(0, 1), percent=True), alt=say("further.alt", values=values))


lesson.add(*EXERCISES)
