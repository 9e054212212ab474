"""The lecture's net of lesson 7: its numbers, how it is swept, and how that is drawn and written."""

from collections.abc import Mapping
from functools import lru_cache, partial
from itertools import pairwise
from typing import NamedTuple

from ichikara.charts import Edge, Graph, Label, Mark, Vertex, fixed_text, short_text
from ichikara.glass.computation import computation
from ichikara.glass.latex import to_latex
from ichikara.glass.lecture import net_of_neurons
from ichikara.glass.naming import Names, symbol_of
from ichikara.glass.run import Run, run
from ichikara.glass.text import to_text
from ichikara.glass.values import Numbers

__all__ = [
    "BACKWARD",
    "END",
    "FORWARD",
    "PATHS",
    "PLACES",
    "Sweep",
    "decimal",
    "equations",
    "fixed",
    "graph_of",
    "run_of",
    "sweep_of",
    "text_of",
]

FORWARD = ("u0[0]", "u0[1]", "o0[0]", "o0[1]", "u1[0]", "o", "L")
BACKWARD = ("L", "o", "u1[0]", "o0[0]", "o0[1]", "u0[0]", "u0[1]", "x[0]", "x[1]")
END = len(FORWARD) + len(BACKWARD)
EDGES = (
    ("x[0]", "u0[0]", "w0[0][0]"),
    ("x[1]", "u0[0]", "w0[0][1]"),
    ("x[0]", "u0[1]", "w0[1][0]"),
    ("x[1]", "u0[1]", "w0[1][1]"),
    ("u0[0]", "o0[0]", ""),
    ("u0[1]", "o0[1]", ""),
    ("o0[0]", "u1[0]", "w1[0][0]"),
    ("o0[1]", "u1[0]", "w1[0][1]"),
    ("u1[0]", "o", ""),
    ("o", "L", ""),
)
PATHS = {
    "1": ("L", "o", "u1[0]", "o0[0]", "u0[0]", "x[1]"),
    "2": ("L", "o", "u1[0]", "o0[1]", "u0[1]", "x[1]"),
}
"""The ways from the loss back to x₁, by their names."""

PLACES = {
    "x[0]": (7.0, 1.4),
    "x[1]": (20.0, 1.4),
    "u0[0]": (7.0, 8.4),
    "u0[1]": (20.0, 8.4),
    "o0[0]": (7.0, 12.6),
    "o0[1]": (20.0, 12.6),
    "u1[0]": (13.5, 17.6),
    "o": (13.5, 21.8),
    "L": (13.5, 26.0),
}
RADIUS = 1.4
LABELS = {  # where an edge's words begin or end
    ("x[0]", "u0[0]"): (6.3, 4.3, "end"),
    ("x[0]", "u0[1]"): (10.64, 3.4, "middle"),
    ("x[1]", "u0[0]"): (16.36, 3.4, "middle"),
    ("x[1]", "u0[1]"): (20.7, 4.3, "start"),
    ("u0[0]", "o0[0]"): (6.3, 10.5, "end"),
    ("u0[1]", "o0[1]"): (19.3, 10.5, "end"),
    ("o0[0]", "u1[0]"): (9.3, 15.2, "end"),
    ("o0[1]", "u1[0]"): (17.7, 15.2, "start"),
    ("u1[0]", "o"): (12.8, 19.7, "end"),
    ("o", "L"): (12.8, 23.9, "end"),
}


class Sweep(NamedTuple):
    """The numbers of the net: values and gradients by name, and local derivatives by edge."""

    values: Mapping[str, float]
    gradients: Mapping[str, float]
    slopes: Mapping[tuple[str, str], float]

    def factors(self, path: str) -> list[float]:
        """The local derivatives on a path, from the loss to x₁."""
        way = PATHS[path]
        return [self.slopes[start, end] for end, start in pairwise(way)]

    def product(self, path: str) -> float:
        """Their product."""
        whole = 1.0
        for factor in self.factors(path):
            whole *= factor
        return whole


Net = tuple[tuple[float, ...], tuple[tuple[float, ...], ...], tuple[float, ...]]
"""The numbers of the inputs, of the hidden layer's weights and of the output's."""


def run_of(net: Net) -> Run:
    """The run of the lecture's net with these numbers."""
    return run(net_of_neurons, [], partial(net_of_neurons, *net))


@lru_cache(64)
def sweep_of(net: Net) -> Sweep:
    """A forward pass and a backward sweep by the engine."""
    found = run_of(net)
    names = Names(found.variables, found.modules)
    whole = computation(found.loss, found.trace, constants=names.constants, known=names.known)
    names.give(whole)
    named = {vertex.name: vertex for vertex in whole if vertex.name}
    numbers = Numbers(whole)
    values = {name: float(numbers.values[vertex]) for name, vertex in named.items()}
    gradients = numbers.gradients([vertex for name, vertex in named.items() if name != "y"])
    slopes = {}
    for start, end, weight in EDGES:
        if weight:
            slopes[start, end] = values[weight]
        elif end == "L":
            slopes[start, end] = 2 * (values["o"] - values["y"])
        else:
            slopes[start, end] = values[end] * (1 - values[end])
    return Sweep(values, {name: float(gradients[v]) for name, v in named.items() if v in gradients}, slopes)


# --- drawn ------------------------------------------------------------------------------------------------------------


def text_of(name: str) -> str:
    """A name as text, such as u⁰₀."""
    return to_text(symbol_of(name))


def fixed(value: float, digits: int = 3) -> str:
    """A number with so many decimals; one that would look like zero and is none, as a power of ten."""
    if value and abs(value) < 0.5 * 10**-digits:
        return short_text(value, 1)
    return fixed_text(value, digits)


def graph_of(sweep: Sweep, step: int, path: str = "") -> list[Mark]:
    """The net after so many steps: values that have been computed, gradients that have arrived, and a path lit.

    What has not been computed yet is not drawn.
    """
    forward = {"x[0]", "x[1]", *FORWARD[:step]}
    backward = BACKWARD[: max(0, step - len(FORWARD))]
    now = (FORWARD + BACKWARD)[step - 1] if step else ""
    ahead = step <= len(FORWARD)
    way = PATHS.get(path, ())
    lit = set(zip(way[1:], way, strict=False))
    vertices = [
        Vertex(
            name,
            text_of(name),
            *PLACES[name],
            2 * RADIUS,
            2 * RADIUS,
            "neuron",
            fixed(sweep.values[name], 2 if name[0] == "x" else 3) if name in forward else "",
            fixed(sweep.gradients[name]) if name in backward else "",
            strong=name == now,
            ink="a" if ahead else "b",
        )
        for name in PLACES
    ]
    edges, labels = [], []
    for start, end, weight in EDGES:
        used = now == (end if ahead else start)
        on = (start, end) in lit
        ink = "ink" if on else ("a" if ahead else "b") if used else "quiet"
        edges.append(Edge(start, end, border(start, end), dashed=on and path == "2", ink=ink, strong=on))
        labels += labels_of(sweep, start, end, weight, step, start in backward, on and step >= len(FORWARD))
    return [Graph(vertices, edges, direction="down"), *labels]


def border(start: str, end: str) -> list[tuple[float, float]]:
    """A line from the border of one circle to that of another."""
    (x0, y0), (x1, y1) = PLACES[start], PLACES[end]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    dx, dy = RADIUS * (x1 - x0) / length, RADIUS * (y1 - y0) / length
    return [(x0 + dx, y0 + dy), (x1 - dx, y1 - dy)]


def labels_of(sweep: Sweep, start: str, end: str, weight: str, step: int, passed: bool, lit: bool) -> list[Label]:
    """The words on an edge: a weight, with its gradient once the walk has passed it; or a function, with its slope."""
    x, y, anchor = LABELS[start, end]
    line = lambda text, ink, row=0: Label(x, y + 1.25 * row, text, anchor, ink=ink)
    if weight:
        found = [line(f"{text_of(weight)} = {fixed(sweep.values[weight], 2)}", "ink" if lit else "a")]
        return [*found, line(fixed(sweep.gradients[weight]), "b", 1)] if passed else found
    slope = fixed(sweep.slopes[start, end])
    if end == "L":
        return [line(f"2 (o − y) = {slope}" if lit or passed else "(o − y)²", "ink")]
    function = "f¹" if end == "o" else "f⁰"
    if lit or passed or (step > len(FORWARD) and (FORWARD + BACKWARD)[step - 1] == start):
        return [line(f"{function}′ = {slope}", "ink")]
    return [line(function, "ink")]


# --- written ----------------------------------------------------------------------------------------------------------


def latex_of(name: str) -> str:
    """A name in LaTeX."""
    return to_latex(symbol_of(name))


def slope_latex(name: str) -> str:
    """The derivative of the loss by what has a name."""
    return rf"\frac{{\partial L}}{{\partial {latex_of(name)}}}"


def factor(value: float, digits: int = 3) -> str:
    """A number as a factor, in brackets where it is negative."""
    return f"({decimal(value, digits)})" if value < 0 else decimal(value, digits)


def decimal(value: float, digits: int = 4) -> str:
    """A number in LaTeX, as `fixed` writes it."""
    if value and abs(value) < 0.5 * 10**-digits:
        first, _, power = f"{value:.0e}".partition("e")
        return rf"{first} \cdot 10^{{{int(power)}}}"
    return f"{value + 0.0:.{digits}f}"


def equations(sweep: Sweep, step: int) -> str:
    """What is computed in a step, in symbols and in numbers; always as high, so that nothing below it moves."""
    if not step:
        text = rf"x_0 & = & {sweep.values['x[0]']:.2f} \\ x_1 & = & {sweep.values['x[1]']:.2f}"
    elif step <= len(FORWARD):
        text = forward_equation(sweep, FORWARD[step - 1])
    else:
        text = backward_equation(sweep, BACKWARD[step - len(FORWARD) - 1])
    rows = text.split(r"\\")
    tall = sum(r"\frac" in row for row in rows)
    low = len(rows) - tall
    padding = [r"\phantom{\frac{\partial L}{\partial u^1_0}}"] * (3 - tall - max(0, low - 2)) + [r"\phantom{x}"] * (
        2 - low
    )
    return r"\\".join([*rows, *padding])


def forward_equation(sweep: Sweep, name: str) -> str:
    values, own = sweep.values, latex_of(name)
    inputs = [(start, weight) for start, end, weight in EDGES if end == name]
    if inputs[0][1]:
        symbols = " + ".join(rf"{latex_of(w)}\,{latex_of(start)}" for start, w in inputs)
        numbers = " + ".join(rf"{factor(values[w], 2)} \cdot {factor(values[start], 2)}" for start, w in inputs)
    elif name == "L":
        symbols, numbers = r"(o - y)^2", rf"({values['o']:.3f} - {values['y']:g})^2"
    else:
        function = "f^1" if name == "o" else "f^0"
        (start, _), *_ = inputs
        symbols = rf"{function}({latex_of(start)})"
        numbers = rf"\frac{{1}}{{1 + e^{{{-values[start]:.3f}}}}}"
    return rf"{own} & = & {symbols} \\ & = & {numbers} \\ & = & {decimal(values[name], 3)}"


def backward_equation(sweep: Sweep, name: str) -> str:
    gradients, own = sweep.gradients, slope_latex(name)
    if name == "L":
        return rf"{own} & = & 1"
    outputs = [(end, weight) for start, end, weight in EDGES if start == name]
    if name == "o":
        rows = [(own, "2 (o - y)", rf"2 ({sweep.values['o']:.3f} - {sweep.values['y']:g})", gradients[name])]
    else:
        symbols, numbers = [], []
        for end, weight in outputs:
            local = latex_of(weight) if weight else rf"f^{{{1 if end == 'o' else 0}\prime}}({latex_of(name)})"
            symbols.append(rf"{slope_latex(end)}\,{local}")
            numbers.append(rf"{factor(gradients[end])} \cdot {factor(sweep.slopes[name, end], 2 if weight else 3)}")
        rows = [(own, " + ".join(symbols), " + ".join(numbers), gradients[name])]
    text = r" \\ ".join(
        rf"{left} & = & {middle} \\ & = & {right} \\ & = & {decimal(g)}" for left, middle, right, g in rows
    )
    for end, weight in outputs:
        if weight:  # the same step gives the gradient of the weight on the way
            text += (
                rf" \\ {slope_latex(weight)} & = & {slope_latex(end)}\,{latex_of(name)} = {decimal(gradients[weight])}"
            )
    return text
