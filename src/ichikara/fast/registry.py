"""The registry: which functions can compute an operation. `lookup` finds those that fit given arrays.

An operation is written against the array API, and each of its lines makes an array. The functions here compute the same
in fewer passes over memory. Each is registered under the operation's name and has the operation's parameters and
results, so the operation does not know it. There are five kinds:

An **implementation** uses NumPy, for arrays of any size. It may bring rules for gradients::

    @implementation("linear")
    def linear(x, weight, bias): ...

    linear.gradient(x=lambda g, weight: ...)

A **kernel** is compiled, for arrays of at least `LARGE` elements: below that NumPy has finished before a kernel has
been called, and a small network never waits for a compiler. The kernel of a gradient names what it needs, like every
rule. What an operation saves for its gradients takes time, so there may also be a kernel for inference, which gives the
value and nothing else. A kernel takes NumPy arrays of one floating-point type, in any layout. It allocates and computes
through `workspace`, so that a replay can repeat these calls::

    @kernel("relu")
    def relu(x): ...

    @kernel("relu", of="x")
    def relu_x(g, y): ...

    @kernel("max_pooling", inference=True)
    def max_pooling(x, window): ...

A **small kernel** is for arrays below `LARGE`, in replays alone: what is captured runs often, so compiling it pays. It
is a compiled function of the inputs and of the arrays for its results. Small kernels that follow each other are
*chained* (`jit.chain`): one call runs them all. Such a call takes half a microsecond, a quarter of an operation by
NumPy, and each further kernel in it takes some nanoseconds::

    @small("relu")
    def _relu(x, y): ...

A **fused kernel** computes two operations in a replay, where the second alone uses the result of the first. It has the
first one's parameters and then the further ones of the second::

    @fused("linear", then="relu")
    def linear_relu(x, weight, bias): ...

    @fused("linear", of="x", then="relu")
    def linear_x_relu(g, weight, y): ...

An **in-place kernel** is an optimiser's rule that changes the state, and where possible the parameter, in place.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy

from ..autodiff.arguments import names_of
from ..autodiff.engine import Rule

__all__ = [
    "ANY",
    "INFERENCE",
    "LARGE",
    "Implementation",
    "InPlace",
    "Name",
    "fused",
    "fused_kernels",
    "implementation",
    "implementations",
    "in_place",
    "in_place_kernels",
    "kernel",
    "kernels",
    "small",
    "small_kernels",
]

ANY: Any = object()
"""Any value of an option that a small kernel does not depend on."""

LARGE = 1 << 14
"""How many elements the first input of an operation must have for its kernel to pay."""

INFERENCE = "inference"
"""The name of the kernel that gives an operation's value alone, among the kernels of the operation."""

Name = tuple[str, str]
"""An operation and the input whose gradient is meant, an empty word for the value, or `INFERENCE`."""


class Implementation:
    """Another way to compute an operation: a function of arrays, and rules for the gradients of its inputs.

    Attributes: ``residuals``, the names of the results after the first: they are saved for the rules, and
    returned only if the operation returns them too; ``rules``, by input, where they differ from the operation's;
    ``inference``, whether it computes the value alone.
    """

    def __init__(self, function: Callable, residuals: tuple[str, ...] = (), rules: Any = (), inference: bool = False):
        self.function, self.residuals, self.rules, self.inference = function, residuals, dict(rules), inference

    def gradient(self, **rules: Callable) -> "Implementation":
        """State the rules that differ from the operation's."""
        self.rules.update({name: Rule("", rule, names_of(rule)) for name, rule in rules.items()})
        return self


class InPlace(NamedTuple):
    """An optimiser's rule that changes its state and parameters in place; see `in_place`."""

    numbers_of: Callable[..., tuple[tuple[str, ...], tuple] | None]
    change: Callable[[Any, Any, dict, bool, Any], tuple[Any, dict]]
    launch: Callable[[Sequence, Sequence, Sequence[dict], Any], None]

    def encode(self, options: dict[str, Any]) -> tuple[tuple[str, ...], Any]:
        """The names of the state that these options need, and the options as an array; None if it cannot do them."""
        if not _FIXED.issuperset(map(type, options.values())):  # a list may change after it has been encoded
            return (), None
        state, numbers = self.numbers_of(**options) or ((), ("no number",))
        return state, numpy.array(numbers, float) if _NUMBERS.issuperset(map(type, numbers)) else None

    @staticmethod
    def can_change(state: dict[str, Any], names: Sequence[str]) -> bool:
        """Whether the state has all these names, in arrays in C order that may be changed."""
        return all(name in state and state[name].flags.carray for name in names)


_NUMBERS = frozenset((bool, int, float))
_FIXED = _NUMBERS | {tuple, type(None)}  # the types of options that cannot change in place

implementations: dict[str, Implementation] = {}
"""By operation."""

kernels: dict[str, dict[str, Callable]] = {}
"""By operation; then the value's under the empty word, a gradient's under its input, and the one for `INFERENCE`."""

small_kernels: dict[Name, tuple[Callable, Callable | None, dict[str, Any]]] = {}
"""With each kernel come the function that explains a refusal, and the options that it is for."""

fused_kernels: dict[tuple[Name, Name], Callable] = {}
"""By the first and the second operation."""

in_place_kernels: dict[str, InPlace] = {}
"""By rule."""


def implementation(operation: str, residuals: tuple[str, ...] = ()) -> Callable[[Callable], Implementation]:
    """Decorator: a function that computes an operation on NumPy arrays of any size."""

    def register(function):
        implementations[operation] = Implementation(function, residuals)
        return implementations[operation]

    return register


def kernel(operation: str, of: str = "", inference: bool = False) -> Callable[[Callable], Callable]:
    """Decorator: the kernel of an operation, or the kernel ``of`` the gradient of one of its inputs.

    Arguments: ``inference``, True for one that gives the operation's value and nothing that is saved for gradients. It
    is used where no gradient is wanted.
    """

    def register(function):
        kernels.setdefault(operation, {})[INFERENCE if inference else of] = function
        return function

    return register


def small(
    operation: str, of: str = "", refused: Callable | None = None, **options: Any
) -> Callable[[Callable], Callable]:
    """Decorator: the small kernel of an operation or a gradient, for these options, with which it is not called.

    Arguments: ``refused``, a function of the same arguments, which raises the error where the kernel answers False.
    """

    def register(function):
        small_kernels[operation, of] = function, refused, options
        return function

    return register


def fused(operation: str, *, then: str, of: str = "", then_of: str | None = None) -> Callable[[Callable], Callable]:
    """Decorator: the kernel of an operation and of a second one, ``then``, that is applied to its result.

    With ``of``, it computes the gradient of an input and then that of ``then``, which came before it in the forward
    pass. ``then_of`` names the input of ``then`` whose gradient that is, or says `INFERENCE`. A third operation is
    applied to "the first then the second". The kernel answers NotImplemented where it cannot do both.
    """
    if then_of is None:
        then_of = "x" if of else ""

    def register(function):
        fused_kernels[(operation, of), (then, then_of)] = function
        return function

    return register


def in_place(rule: str, numbers_of: Callable, launch: Callable) -> Callable[[Callable], Callable]:
    """Decorator: the kernel of an optimiser's rule that changes its state in place.

    It gets a parameter, the gradient, the state, whether the parameter's array is donated, so that it may be
    overwritten, and the options as an array of float64. It returns the updated parameter and the state.

    Arguments: ``numbers_of``, a function of the options: the names of the state that they need, and the options as
    numbers, or None where the kernel cannot do them; ``launch``, a function of parameters, gradients, states and these
    numbers: it changes them all by calls through `workspace`, one for each or one for all of them, which are small and
    at the same step then.
    """

    def register(function):
        in_place_kernels[rule] = InPlace(numbers_of, function, launch)
        return function

    return register
