"""The exercises of lesson 12: three optimisers from the lines of their papers, compared with the library's."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy

from ichikara.course.answers import defines
from ichikara.course.lesson import Exercise
from ichikara.optim import rules

__all__ = ["EXERCISES"]

STEPS = 20
GRADIENTS = numpy.random.default_rng(0).normal(0, 1, STEPS).tolist()


def library(rule: Callable, **options: Any) -> list[float]:
    """Twenty places of the library's rule, from 1, with the gradients of the trial."""
    place, state, found = numpy.array(1.0), {}, []
    for gradient in GRADIENTS:
        place, state = rule(place, numpy.array(gradient), state, **options)
        found.append(float(place))
    return found


def walk(step: Callable, memories: int, counted: bool = False) -> list[float] | None:
    """Twenty places of a learner's step, or None where it gives no numbers."""
    x, memory, found = 1.0, [0.0] * memories, []
    for count, gradient in enumerate(GRADIENTS, 1):
        given = step(x, *memory, gradient, *([count] if counted else []))
        if not isinstance(given, tuple | list) or len(given) != memories + 1:
            return None
        if not all(isinstance(value, int | float) for value in given):
            return None
        x, *memory = given
        found.append(x)
    return found


def verdict(found, wanted: list[float], mistakes: Mapping[str, Callable], memories: int, counted: bool = False):
    """None where the places are the library's, else the mistake whose places they are."""
    if found is None or len(set(found)) == 1:
        return "unwritten"
    agrees = lambda places: numpy.allclose(found, places, rtol=1e-6, atol=1e-9)
    if agrees(wanted):
        return None
    for name, step in mistakes.items():
        if agrees(walk(step, memories, counted)):
            return name
    first = next(i for i in range(STEPS) if not numpy.isclose(found[i], wanted[i], rtol=1e-6, atol=1e-9))
    return "values", {"step": first + 1, "found": round(found[first], 5), "wanted": round(wanted[first], 5)}


def programs(right: str, *changes: tuple[str, str, str]) -> dict[str, str]:
    """Programs with mistakes: by name, the right one with one part replaced by another."""
    return {name: right.replace(old, new) for name, old, new in changes}


def steps_of(texts: Mapping[str, str], name: str) -> dict[str, Callable]:
    """The functions that programs define."""
    found = {}
    for mistake, text in texts.items():
        names: dict[str, Any] = {}
        exec(text, names)
        found[mistake] = names[name]
    return found


MOMENTUM = """def momentum(x, v, g):
    v = 0.9 * v + g
    x = x - 0.1 * v
    return x, v
"""
MOMENTUM_WRONG = programs(
    MOMENTUM,
    ("no_memory", "0.1 * v\n", "0.1 * g\n"),
    ("uphill", "x - 0.1", "x + 0.1"),
    ("mean", "+ g", "+ 0.1 * g"),
    ("not_kept", "return x, v", "return x, g"),
)
MOMENTUM_STUB = """def momentum(x, v, g):
    # v: the velocity so far, 0 at first
    # g: the gradient at x
    # beta is 0.9, the rate is 0.1
    ...
    return x, v
"""

RMSPROP = """def rmsprop(x, s, g):
    s = 0.9 * s + 0.1 * g**2
    x = x - 0.1 * g / (s**0.5 + 0.01)
    return x, s
"""
RMSPROP_WRONG = programs(
    RMSPROP,
    ("no_root", "s**0.5", "s"),
    ("swapped", "0.9 * s + 0.1 * g**2", "0.1 * s + 0.9 * g**2"),
    ("no_square", "g**2", "abs(g)"),
    ("sum", "0.9 * s + 0.1 * g**2", "s + g**2"),
    ("inside", "(s**0.5 + 0.01)", "(s + 0.01) ** 0.5"),
)
RMSPROP_STUB = """def rmsprop(x, s, g):
    # s: the mean of squares so far, 0 at first
    # g: the gradient at x
    # alpha is 0.9, the rate is 0.1, epsilon is 0.01
    ...
    return x, s
"""

ADAM = """def adam(x, m, v, g, t):
    m = 0.9 * m + 0.1 * g
    v = 0.99 * v + 0.01 * g**2
    m_hat = m / (1 - 0.9**t)
    v_hat = v / (1 - 0.99**t)
    x = x - 0.1 * m_hat / (v_hat**0.5 + 0.01)
    return x, m, v
"""
ADAM_WRONG = programs(
    ADAM,
    ("no_correction", "m_hat / (v_hat**0.5", "m / (v**0.5"),
    ("half_corrected", "v_hat**0.5", "v**0.5"),
    ("no_power", "**t)", ")"),
    ("kept_hats", "return x, m, v", "return x, m_hat, v_hat"),
    ("no_root", "v_hat**0.5", "v_hat"),
)
ADAM_STUB = """def adam(x, m, v, g, t):
    # m, v: the two means so far, 0 at first
    # g: the gradient at x    t: 1 in the first step
    # beta1 is 0.9, beta2 is 0.99
    # the rate is 0.1, epsilon is 0.01
    ...
    return x, m, v
"""


@defines("momentum")
def momentum(function):
    wanted = library(rules.sgd, lr=0.1, momentum=0.9)
    return verdict(walk(function, 1), wanted, steps_of(MOMENTUM_WRONG, "momentum"), 1)


@defines("rmsprop")
def rmsprop(function):
    wanted = library(rules.rmsprop, lr=0.1, alpha=0.9, eps=0.01)
    return verdict(walk(function, 1), wanted, steps_of(RMSPROP_WRONG, "rmsprop"), 1)


@defines("adam")
def adam(function):
    wanted = library(rules.adam, lr=0.1, betas=(0.9, 0.99), eps=0.01)
    return verdict(walk(function, 2, True), wanted, steps_of(ADAM_WRONG, "adam"), 2, True)


EXERCISES = (
    Exercise(
        "momentum",
        "code",
        momentum,
        MOMENTUM,
        {"unwritten": MOMENTUM_STUB, **MOMENTUM_WRONG, "values": MOMENTUM.replace("0.9", "0.5")},
        stub=MOMENTUM_STUB,
    ),
    Exercise(
        "rmsprop",
        "code",
        rmsprop,
        RMSPROP,
        {"unwritten": RMSPROP_STUB, **RMSPROP_WRONG, "values": RMSPROP.replace("0.01", "0.5")},
        stub=RMSPROP_STUB,
    ),
    Exercise(
        "adam",
        "code",
        adam,
        ADAM,
        {"unwritten": ADAM_STUB, **ADAM_WRONG, "values": ADAM.replace("x - 0.1", "x - 0.2")},
        stub=ADAM_STUB,
    ),
)
