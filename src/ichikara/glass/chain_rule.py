"""`explain`: the chain rule of any computation, written out, with its numbers, and checked.

Source: the lecture's parts B4 to B6; D. Rumelhart, G. Hinton and R. Williams, "Learning representations by
back-propagating errors" (1986).
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy

from ..autodiff import Tensor
from ..errors import UserError, did_you_mean, listed
from ..words import language_of
from .computation import computation
from .explanation import Explanation, Part, written
from .folding import folded
from .matrix_part import matrix_part
from .naming import Names
from .paths import Paths
from .run import Run, run
from .scalar_part import scalar_part
from .values import Numbers
from .vertex import Computation, Vertex
from .writing import Writing

__all__ = ["explain", "explained"]

MOST = 8  # by how many leaves a value is differentiated if nobody says by which


def explain(
    loss: Tensor | Callable[[], Tensor],
    wrt: Any = None,
    *,
    unfold: str | Sequence[str] = (),
    depth: int | None = None,
    language: str | None = None,
) -> Explanation:
    r"""Write out how the derivative of a value by what it was made from follows from the chain rule.

    .. math:: \frac{\partial L}{\partial x} = \sum_{\text{paths}} \; \prod_{\text{steps}} \frac{\partial y}{\partial u}

    Of numbers it is the sum over all paths of products of local derivatives, in symbols and in numbers; of arrays, the
    product of Jacobians in numerator layout, with their shapes. The number that comes out is compared with the engine's
    gradient and with a difference quotient. Names are those that `named` gave, else the caller's variables, the paths
    of parameters in modules, and letters.

    Shapes: any.

    Arguments: ``loss``, a tensor, or a function without arguments that computes one, of which more is known: constants,
    and the modules that ran; ``wrt``, by what to differentiate: a tensor, a name, or several; by default everything
    that a gradient is collected in; ``unfold``, paths of modules that are shown operation by operation; ``depth``, to
    which depth modules are unfolded; ``language``, "en" or "ja".

    Raises UserError for a tensor that is not differentiable, a graph that `backward` has freed, or an unknown name.

    >>> import ichikara
    >>> x = ichikara.asarray(3.0, requires_grad=True)
    >>> y = x * x + 2.0 * x
    >>> print(*explain(y, x).text("en").splitlines()[3:6], sep="\n")
    ∂y/∂x = 2 x + 2
          = 2 · 3 + 2
          = 8
    """
    caller = sys._getframe(1)
    found = run(loss, [caller.f_locals, caller.f_globals])
    return explained(found, wrt, unfold=unfold, depth=depth, language=language)


def explained(
    found: Run,
    wrt: Any = None,
    *,
    unfold: str | Sequence[str] = (),
    depth: int | None = None,
    language: str | None = None,
) -> Explanation:
    """The explanation of a computation that has run. Arguments: as of `explain`."""
    language = language_of(language)
    if found.loss.size != 1:
        raise UserError(
            f"the derivative of a single number is explained, and this tensor has shape {found.loss.shape}; "
            "reduce it first (sum(), mean()), or choose an element (t[0])"
        )
    names = Names(found.variables, found.modules)
    whole = computation(found.loss, found.trace, constants=names.constants, known=names.known)
    names.give(whole)
    unfold = [unfold] if isinstance(unfold, str) else unfold
    with numpy.errstate(all="ignore"):  # an operation may be undefined beside the point, as a logarithm at 0
        parts = [_part(whole, target, names, unfold, depth) for target in _targets(whole, wrt)]
    return Explanation(parts, language)


def _part(whole: Computation, target: Vertex, names: Names, unfold: Sequence[str], depth: int | None) -> Part:
    paths = Paths(whole, target)
    if not paths.exist:
        writing = Writing(whole, names)
        of, by = writing.symbol(whole.root), writing.symbol(target)
        return Part(of, by, (), paths=0, checks=[("paths.none", {"of": written(of), "by": written(by)})])
    shown, target, hidden = folded(whole, target, names, unfold, depth)
    paths, writing, numbers = Paths(shown, target), Writing(shown, names), Numbers(shown)
    single = all(vertex.size == 1 for vertex in paths.vertices)
    part = (scalar_part if single else matrix_part)(paths, writing, numbers)
    if hidden:
        about = ("folded", {"modules": listed(hidden), "first": hidden[0].split("…")[0]})
        part = replace(part, folded=hidden, checks=[*part.checks, about])
    return part


def _targets(whole: Computation, wrt: Any) -> list[Vertex]:
    """The vertices by which to differentiate."""
    if wrt is None:
        leaves = [vertex for vertex in whole if vertex.kind == "leaf"]
        if not leaves:
            raise UserError("this value was made from nothing that requires a gradient")
        if len(leaves) > MOST:
            raise UserError(
                f"say by what to differentiate, wrt=…; there is {listed([v.name for v in leaves if v.name])}"
            )
        return leaves
    if isinstance(wrt, list | tuple):
        return [target for one in wrt for target in _targets(whole, one)]
    if isinstance(wrt, str):
        named = {vertex.name: vertex for vertex in whole if vertex.name}
        wrt = next((name for name in (wrt, f"model.{wrt}") if name in named), wrt)
        if wrt not in named:
            raise UserError(
                f"nothing in this computation is called '{wrt}'{did_you_mean(wrt, named)} It has: {listed(named)}"
            )
        return [named[wrt]]
    if not isinstance(wrt, Tensor):
        raise TypeError(f"wrt is a tensor, its name, or several of them, not {type(wrt).__name__}")
    found = whole.of(wrt)
    if found is None:
        if wrt._node is None:
            raise UserError("the tensor in wrt requires no gradient; make it with asarray(…, requires_grad=True)")
        raise UserError("the value was not made from the tensor in wrt, so there is no path to explain")
    return [found]
