"""The computation of a tensor as a graph: values going forward, gradients coming back, modules folded."""

import sys
from collections.abc import Callable, Collection
from typing import Any

from ..autodiff import Tensor
from ..charts import Chart, Graph
from ..errors import choose
from ..words import language_of, say
from .boxes import Folded, number_text
from .computation import UNKNOWN, Computation, computation
from .drawing import Drawing
from .elements import scalars
from .naming import Names
from .run import Run, run

__all__ = ["graph", "mermaid"]

WIDEST = 64  # times the text's height; a graph that is wider turns upright, if it is much narrower then
VIEWS = {
    "matrices": "a box for each array",
    "scalars": "a box for each number",
}


def graph(
    loss: Tensor | Callable[[], Tensor] | Run,
    *,
    view: str = "matrices",
    gradients: bool = True,
    local: bool = False,
    steps: bool = True,
    unfold: str | Collection[str] = (),
    depth: int | None = None,
    direction: str | None = None,
    language: str | None = None,
) -> Chart:
    """The computation of a tensor as a chart: a box for each operation, its value above it, its gradient below it.

    Arguments: ``loss``, the tensor, or a function without arguments that computes one, of which more is known: modules,
    constants and lines; ``view``, "matrices", a box for each array, or "scalars", a box for each number;
    ``gradients``, whether gradients are computed and shown; ``local``, whether edges between numbers carry local
    derivatives; ``steps``, whether operations whose result has no name are boxes of their own; ``unfold``, the paths of
    modules, or the names of functions, of which the inside is shown; ``depth``, how many modules around each other are
    unfolded, by default as many as leave at most 16 boxes; ``direction``, "right" or "down", by default "right" unless
    that is too wide for a page; ``language``, of the words.

    The boxes have the names that `explain` writes, and the lines of the code that computed them. Raises UserError where
    `backward` has freed the graph, for more scalars than can be drawn, and for a name in ``unfold`` that there is not.

    >>> import ichikara
    >>> x = ichikara.asarray(2.0, requires_grad=True)
    >>> [(box.text, box.value, box.gradient) for box in graph(x * x).marks[0].vertices]
    [('x', '2', '4'), ('×', '4', '1')]
    """
    choose("view", view, VIEWS)
    language = language_of(language)
    whole, names = _computed(loss, sys._getframe(1))
    drawing = _drawing(whole, names, view, gradients, local, steps, unfold, depth)
    if direction is not None:
        return _chart(drawing.graph(direction), whole, gradients, language)
    wide, upright = _chart(drawing.graph("right"), whole, gradients, language), None
    if _width(wide) > WIDEST:
        upright = _chart(drawing.graph("down"), whole, gradients, language)
    return upright if upright and _width(wide) > 1.3 * _width(upright) else wide


def mermaid(
    loss: Tensor | Callable[[], Tensor] | Run,
    *,
    view: str = "matrices",
    gradients: bool = True,
    local: bool = False,
    steps: bool = True,
    unfold: str | Collection[str] = (),
    depth: int | None = None,
    direction: str = "right",
) -> str:
    """The computation of a tensor as text that Mermaid draws, as many pages and editors do. Arguments: as of `graph`.

    >>> import ichikara
    >>> x = ichikara.asarray(2.0, requires_grad=True)
    >>> print(mermaid(x.tanh()))
    flowchart LR
      v0["x<br>2<br>∂ 0.0707"]
      v1(["tanh<br>0.964<br>∂ 1"])
      v0 --> v1
    """
    choose("view", view, VIEWS)
    whole, names = _computed(loss, sys._getframe(1))
    return _drawing(whole, names, view, gradients, local, steps, unfold, depth).mermaid(direction)


def _computed(loss: Any, frame: Any) -> tuple[Computation, Names]:
    """The computation of a tensor, with names. Arguments: ``frame``, whose variables are looked through."""
    found = loss if isinstance(loss, Run) else run(loss, [frame.f_locals, frame.f_globals])
    names = Names(found.variables, found.modules)
    whole = computation(found.loss, found.trace, unfuse=False, known=names.known)
    names.give(whole)
    return whole, names


def _drawing(whole: Computation, names: Names, view: str, gradients, local, steps, unfold, depth) -> Drawing:
    if view == "scalars":
        return scalars(whole, names, gradients, local)
    return Folded(whole, names, gradients, local, steps, unfold, depth).drawing()


def _chart(mark: Graph, whole: Computation, gradients: bool, language: str) -> Chart:
    root = whole.root
    counts = {"operations": sum(v.operation is not None for v in whole), "leaves": sum(v.kind == "leaf" for v in whole)}
    alt = say("graph.alt", language, **counts, boxes=len(mark.vertices), value=number_text(root.value, root.shape))
    captions = [f"{mark.direction}_{'both' if gradients else 'values'}"]
    captions += ["arrays"] * any("‖" in vertex.value for vertex in mark.vertices)
    caption = "".join(say(f"graph.{name}", language) for name in captions)
    numbers = {"value": float(root.value)} if root.size == 1 and root.value is not UNKNOWN else {}
    return Chart([mark], caption=caption, alt=alt, numbers=numbers)


def _width(chart: Chart) -> float:
    low, high = chart.limits()[0]
    return high - low
