"""Runs that test the claims of lesson 12."""

import math

import numpy

from ichikara.optim import rules

__all__ = ["CHANGES", "CROSSING", "KAPPAS", "counter_example", "crossing", "descent", "slope_of"]

KAPPAS = (10, 30, 100, 300, 1000, 3000, 10_000)
CROSSING = {
    "sgd": lambda k: {"lr": 2 / (1 + k)},
    "momentum": lambda k: {
        "lr": 4 / (math.sqrt(k) + 1) ** 2,
        "momentum": ((math.sqrt(k) - 1) / (math.sqrt(k) + 1)) ** 2,
    },
    "nesterov": lambda k: {"lr": 1 / k, "momentum": (math.sqrt(k) - 1) / (math.sqrt(k) + 1), "nesterov": True},
    "fixed": lambda k: {"lr": (1 + math.sqrt(0.9)) ** 2 / k, "momentum": 0.9},
}
"""For each the options that are best in a ravine with curvatures 1 and κ; the last one keeps β = 0.9."""


def crossing(kappa, options):
    """Steps until two places in a row are a hundred times nearer to the goal than the start."""
    place, state, curvature = numpy.array([1.0, 1.0]), {}, numpy.array([1.0, float(kappa)])
    before, steps = 1.0, 0
    while True:
        place, state = rules.sgd(place, curvature * place, state, **options)
        steps += 1
        now = max(abs(place.tolist()[0]), abs(place.tolist()[1]))
        if max(now, before) < 0.01:
            return steps
        before = now


def slope_of(x, y):
    """The slope of a line through points on logarithmic axes; 0 for fewer than two."""
    return round(float(numpy.polyfit(numpy.log(x), numpy.log(y), 1)[0]), 6) + 0.0 if len(x) > 1 else 0.0


TURN = numpy.array([[1.0, -1.0], [1.0, 1.0]]) / math.sqrt(2)
CHANGES = {
    "term": (numpy.eye(2), numpy.diag([1.0, 2000.0])),
    "stretch": (numpy.diag([1.0, 0.1]), numpy.diag([1.0, 2000.0])),
    "turn": (TURN, TURN @ numpy.diag([1.0, 20.0]) @ TURN.T),
}
"""What is done to ½ (x² + 20 y²): where its points go, and its curvature afterwards."""


def descent(rule, curvature, begin, **options):
    """Eighty places on a quadratic surface."""
    place, state, found = begin, {}, [begin]
    for _ in range(80):
        place, state = rule(place, curvature @ place, state, **options)
        found.append(place)
    return numpy.array(found)


def counter_example(decay, amsgrad, steps=300):
    """Places of Adam from 0 on, with a slope of 3 in every third step and else −1, kept between −1 and 1."""
    x, state, found = numpy.array(0.0), {}, [0.0]
    for t in range(1, steps + 1):
        slope = numpy.array(3.0 if t % 3 == 1 else -1.0)
        x, state = rules.adam(x, slope, state, lr=0.5 / math.sqrt(t), betas=(0.0, decay), amsgrad=amsgrad)
        x = x.clip(-1, 1)
        found.append(float(x))
    return found
