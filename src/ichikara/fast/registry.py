"""Kernels: the loops of the dearest operations written out, and compiled by Numba for the processor at hand.

An operation is written against the array API, and each of its lines makes an array. A kernel does the same in one pass
over the memory. It is found by the operation's name and has the same parameters and results, so an operation does not
know of its kernel, and without Numba everything works, slower::

    @kernel("relu")
    def relu(x): ...

    @kernel("relu", of="x")
    def relu_x(g, y): ...

The second is the rule of the gradient of ``x``; like every rule it names what it needs. An operation need not have
both. What an operation keeps for its gradients takes time too, so there may be a kernel of its value ``alone``. A
kernel takes NumPy arrays of one floating-point type, in any layout, of at least `LARGE` elements: below that NumPy is
done before a kernel has been called, and a small network never waits for a compiler. It computes in what `together` and
`do` call, and asks `room` and `zeros` for arrays, so that replays can repeat these calls alone (`arrays.tape`).

A step that is recorded is done many times, so there it pays to wait. What it does with arrays of fewer elements is done
in replays by *small* kernels, each a function of the same inputs and of places for the results, which is compiled as a
link of a `chain`::

    @small("relu")
    def _relu(x, y): ...

A chain is called in half a microsecond, a quarter of what an operation of NumPy's takes that is given two arrays, and
calls its links in some nanoseconds each.

And where one operation's result goes into another only, both may be done by one kernel, while the result is in the
cache; it is given what the first is given, and then what else the second is::

    @fused("linear", then="relu")
    def linear_relu(x, weight, bias): ...

    @fused("linear", of="x", then="relu")
    def linear_x_relu(g, weight, y): ...
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy

from ..autodiff.arguments import names_of
from ..autodiff.engine import Rule
from .loading import load_kernels

__all__ = [
    "ALONE",
    "ANY",
    "LARGE",
    "Implementation",
    "find",
    "find_fused",
    "find_small",
    "fit_one_kernel",
    "fitting",
    "fitting_in_place",
    "fused",
    "implementation",
    "implementations",
    "in_place",
    "kernel",
    "small",
]

ANY: Any = object()
"""Any value of an option, of which a small kernel needs nothing."""

LARGE = 1 << 14
"""How many elements the first input of an operation must have for its kernel to pay."""

ALONE = "alone"
"""The name under which `find` has the kernel of an operation's value alone."""


class Implementation:
    """Another way to compute an operation: a function of arrays, and rules for the gradients of its inputs.

    Attributes: ``keeps``, the names of the results after the first, which only the rules see, unless the operation
    returns them too; ``rules``, by input, those of the operation where it has none of its own; ``inference``, whether
    it computes the value alone.
    """

    def __init__(self, function: Callable, keeps: tuple[str, ...] = (), rules: Any = (), inference: bool = False):
        self.function, self.keeps, self.rules, self.inference = function, keeps, dict(rules), inference

    def gradient(self, **rules: Callable) -> "Implementation":
        """State the rules that are not the operation's own."""
        self.rules.update({name: Rule("", rule, names_of(rule)) for name, rule in rules.items()})
        return self


implementations: dict[str, Implementation] = {}
"""Implementations by NumPy, for arrays of any size, by the operation's name."""


def implementation(operation: str, keeps: tuple[str, ...] = ()) -> Callable[[Callable], Implementation]:
    """Decorator: a function that computes an operation on NumPy's arrays of any size."""

    def register(function):
        implementations[operation] = Implementation(function, keeps)
        return implementations[operation]

    return register


_known: dict[str, dict[str, Callable]] = {}
_known_fused: dict[tuple[tuple[str, str], tuple[str, str]], Callable] = {}
_known_in_place: dict[str, "InPlace"] = {}
_known_small: dict[tuple[str, str], tuple[Callable, Callable | None, dict[str, Any]]] = {}


def kernel(operation: str, of: str = "", alone: bool = False) -> Callable[[Callable], Callable]:
    """Decorator: the kernel of an operation, or the kernel ``of`` one of its inputs' gradients.

    Arguments: ``alone``, True for one that gives the value of an operation and nothing of what it keeps for gradients;
    it is used where no gradient is wanted.
    """

    def register(function):
        _known.setdefault(operation, {})[ALONE if alone else of] = function
        return function

    return register


def small(
    operation: str, of: str = "", refused: Callable | None = None, **options: Any
) -> Callable[[Callable], Callable]:
    """Decorator: the small kernel of an operation or a gradient, for these options, with which it is not called.

    Arguments: ``refused``, of the same arguments: it says what is wrong where the kernel answers False.
    """

    def register(function):
        _known_small[operation, of] = function, refused, options
        return function

    return register


def fused(operation: str, *, then: str, of: str = "", then_of: str | None = None) -> Callable[[Callable], Callable]:
    """Decorator: the kernel of an operation and of one that is done to its result, ``then``.

    With ``of``, that of the gradient of an input, and of the gradient of what ``then`` was done to before that; with
    ``then_of`` of that input of ``then``, or of its value `ALONE`. What is done to the result of two is done to that
    of "the first then the second". It answers NotImplemented where it cannot do both.
    """
    if then_of is None:
        then_of = "x" if of else ""

    def register(function):
        _known_fused[(operation, of), (then, then_of)] = function
        return function

    return register


_NUMBERS = frozenset((bool, int, float))
_FIXED = _NUMBERS | {tuple, type(None)}  # the types of options that stay as they are


class InPlace(NamedTuple):
    """How parameters and what is remembered of them are changed where they lie, by a rule of an optimiser."""

    numbers_of: Callable[..., tuple[tuple[str, ...], tuple] | None]
    change: Callable[[Any, Any, dict, bool, Any], tuple[Any, dict]]
    again: Callable[[Sequence, Sequence, Sequence[dict], Any], None]

    def told(self, options: dict[str, Any]) -> tuple[tuple[str, ...], Any]:
        """What has to be remembered with these options, and they as numbers; None where these cannot be done so."""
        if not _FIXED.issuperset(map(type, options.values())):  # a list would be told once, and may change
            return (), None
        needed, numbers = self.numbers_of(**options) or ((), ("no number",))
        return needed, numpy.array(numbers, float) if _NUMBERS.issuperset(map(type, numbers)) else None

    @staticmethod
    def can_change(state: dict[str, Any], needed: Sequence[str]) -> bool:
        """Whether all that is needed is remembered, in arrays in C order that may be changed."""
        return all(name in state and state[name].flags.carray for name in needed)


def in_place(rule: str, numbers_of: Callable, again: Callable) -> Callable[[Callable], Callable]:
    """Decorator: the kernel of an optimiser's rule that changes the state it is given, and returns it, in place.

    It is given a parameter, its gradient, what is remembered of it, whether nobody else has the parameter's array, so
    that it may be changed too, and the options as an array of float64; it returns the parameter and the state.

    Arguments: ``numbers_of``, of the options: the names of what has to be remembered, and the numbers that the kernel
    is told, or None where it cannot do what they say; ``again``, of parameters, gradients, states and these numbers:
    it changes them all in words that can be repeated (`arrays.tape`), one for each or one for all of them, which are
    small then and have the same step.
    """

    def register(function):
        _known_in_place[rule] = InPlace(numbers_of, function, again)
        return function

    return register


def find(operation: str) -> dict[str, Callable]:
    """The kernels of an operation: its own under the empty name, those of its gradients under their inputs' names."""
    load_kernels()
    return _known.get(operation, {})


def find_fused(first: tuple[str, str], second: tuple[str, str]) -> Callable | None:
    """The kernel of both of two operations, or of two gradients, each named with the input or an empty word."""
    load_kernels()
    return _known_fused.get((first, second))


def find_small(operation: str, of: str = "") -> tuple[Callable, Callable | None, dict[str, Any]] | None:
    """The small kernel of an operation or a gradient, what says why it refuses, and the options that it is for."""
    load_kernels()
    return _known_small.get((operation, of))


_NONE: dict[str, Callable] = {}


def fitting(operation: str, values: Sequence, mixed: Iterable[int]) -> dict[str, Callable]:
    """The kernels of an operation, if it is called with large NumPy arrays of one type; none otherwise.

    Arguments: ``values``, what it is called with; ``mixed``, the positions of those whose types have to be the same.
    """
    first: Any = values[0] if values else None
    if first.__class__ is not numpy.ndarray or first.size < LARGE or not first.ndim or first.dtype.char not in "fd":
        return _NONE
    found = find(operation)
    if found:
        for i in mixed:
            dtype: Any = getattr(values[i], "dtype", first.dtype)
            if dtype.kind == "f" and dtype != first.dtype:
                return _NONE
    return found


def fit_one_kernel(values: list[Any]) -> bool:
    """Whether a kernel of two operations may be given these values: NumPy arrays, all those of numbers of one type."""
    arrays = [value for value in values if hasattr(value, "dtype")]
    dtypes = {array.dtype for array in arrays if array.dtype.kind == "f"}
    plain = all(array.__class__ is numpy.ndarray for array in arrays)
    return plain and len(dtypes) == 1 and dtypes.pop().char in "fd"


def fitting_in_place(rule: str, parameter: Any, gradient: Any, often: bool) -> InPlace | None:
    """The kernel that does a rule in place, if that pays: for a large parameter, or one that is changed ``often``."""
    if (
        not (often or parameter.size >= LARGE)
        or parameter.__class__ is not numpy.ndarray
        or gradient.__class__ is not numpy.ndarray
        or parameter.dtype.char not in "fd"
        or gradient.dtype != parameter.dtype
        or not parameter.ndim
    ):
        return None
    load_kernels()
    return _known_in_place.get(rule)
