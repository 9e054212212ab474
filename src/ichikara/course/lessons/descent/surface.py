"""A function of two variables, its two slices, and its partial derivatives."""

import math
from functools import lru_cache

import numpy

from ichikara.charts import Arrows, Axis, Chart, Dots, Line, Raster, Rule
from ichikara.course.formulas import formula_of
from ichikara.course.lesson import Handle, Picture
from ichikara.course.pictures import grid, plane_axis

from .ground import FAR, FLOOR, heights, lesson, result, say, written


def surface_of(field, px, py):
    """The function of two variables; its height and both its partial derivatives at a place."""
    f = formula_of(field, ("x", "y"))
    at = numpy.array([px]), numpy.array([py])
    return f, float(f(*at).item()), [float(slope[0]) for slope in f.slopes(*at)]


@lru_cache(16)
def mesh_of(field):
    """Heights of a function of two variables on a grid, by rows of y."""
    f, places = formula_of(field, ("x", "y")), numpy.array(grid(41, FLOOR))
    x, y = (part.ravel() for part in numpy.meshgrid(places, places))
    return f(x, y).numpy().reshape(41, 41)


@lesson.figure
def surface(field, px, py, pace):
    """The surface from above, the place P, the two slices through it, and the step that leads downhill."""
    _, height, slopes = surface_of(field, px, py)
    values = mesh_of(field)
    low, high = heights(values)
    levels = [low + (high - low) * (step + 0.5) / 10 for step in range(10)]
    marks = [
        Raster(values, FLOOR, FLOOR, ink="a", limits=(low, high), levels=levels),
        Rule(y=py, ink="ink", dashed=True),
        Rule(x=px, ink="ink", dashed=True),
    ]
    known = all(map(math.isfinite, (height, *slopes)))
    if known:
        step = [-pace * slope for slope in slopes]
        marks.append(Arrows([px], [py], [step[0]], [step[1]], ink="b", label=say("surface.step")))
    marks.append(Dots([px], [py], ink="b", label="P"))
    places = {"x": written(px), "y": written(py)}
    if not known:
        caption = say("surface.undefined", **places)
    else:
        where = "surface.here" if max(abs(px), abs(py)) <= FLOOR[1] else "surface.outside"
        by_x, by_y = (written(slope) for slope in slopes)
        caption = say(where, **places, height=written(height), by_x=by_x, by_y=by_y)
    alt = say("surface.alt", formula=field, caption=caption)
    axes = plane_axis("x", FLOOR), plane_axis("y", FLOOR)
    chart = Chart(marks, *axes, alt=alt, numbers={"caption": caption}, equal=True)
    handle = Handle("place", inside(px), inside(py), label=say("surface.handle", **places))
    return Picture(chart, [handle])


def inside(place):
    return max(FLOOR[0], min(FLOOR[1], place))


def sliced(field, px, py, held):
    """The slice through P on which one variable is held, with its tangent."""
    f, height, slopes = surface_of(field, px, py)
    name, here, slope = (("x", px, slopes[0]), ("y", py, slopes[1]))[held == "x"]
    along = numpy.linspace(*FLOOR, 81)
    still = numpy.full(81, py if held == "y" else px)
    y = f(along, still).numpy() if held == "y" else f(still, along).numpy()
    low, high = heights(mesh_of(field))
    marks = [Line(along, y)]
    if math.isfinite(height) and math.isfinite(slope):
        half = 1.0 / math.hypot(1, slope * 2 * FLOOR[1] / (high - low))
        ends = [here - half, here + half]
        text = f"∂f/∂{name} = {written(slope)}"
        marks.append(Line(ends, [height - slope * half, height + slope * half], ink="b", label=text))
    marks.append(Dots([here], [height], ink="b"))
    alt = say("slice.alt", along=name, held=held, at=written(py if held == "y" else px), slope=written(slope))
    title = say("slice.axis", along=name, held=held, at=written(py if held == "y" else px))
    return Chart(marks, Axis(title, limits=FLOOR), Axis("f", limits=(low, high)), alt=alt)


@lesson.figure
def slice_x(field, px, py):
    """The slice on which y is held."""
    return sliced(field, px, py, "y")


@lesson.figure
def slice_y(field, px, py):
    """The slice on which x is held."""
    return sliced(field, px, py, "x")


@lesson.handle
def place(x, y):
    """P is moved."""
    return {"px": round(inside(x), 2), "py": round(inside(y), 2)}


@lesson.action
def down(field, px, py, pace):
    """One step: both variables at once, each by its own slope."""
    _, _, slopes = surface_of(field, px, py)
    moved = [at - pace * slope for at, slope in zip((px, py), slopes, strict=True)]
    if not all(map(math.isfinite, moved)):
        return {}
    return dict(zip(("px", "py"), (round(max(-FAR, min(FAR, at)), 4) for at in moved), strict=True))


@lesson.action
def again():
    """P where it was at the start."""
    return {name: lesson.controls[name].value for name in ("px", "py")}


@lesson.formula
def partials(field, px, py):
    """Both partial derivatives: the quotient of a small step, and the exact one."""
    f, height, slopes = surface_of(field, px, py)
    h = 0.01
    along = [float(f(numpy.array([x]), numpy.array([y])).item()) - height for x, y in ((px + h, py), (px, py + h))]
    lines = []
    for name, shifted, rise, slope in zip("xy", ("x + h, y", "x, y + h"), along, slopes, strict=True):
        lines.append(
            rf"\frac{{\partial f}}{{\partial {name}}} & = & \lim_{{h \to 0}} \frac{{f({shifted}) - f(x, y)}}{{h}} \\"
            rf" & \approx & \frac{{{result(rise, 5)}}}{{{h}}} = {result(rise / h, 3)}, \quad "
            rf"\text{{{say('partials.exact')}}} \; {result(slope, 3)}"
        )
    return r" \\ ".join(lines)
