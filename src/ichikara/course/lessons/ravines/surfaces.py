"""The surfaces of lesson 12, their slopes, and how optimisers run on them."""

import math
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy

from ichikara import nn
from ichikara.arrays import Generator, using
from ichikara.optim import SGD, rules
from ichikara.zoo import MLP

__all__ = ["OPTIMISERS", "SURFACES", "Surface", "arrivals", "best_rate", "race", "surface_of"]

Numbers = numpy.ndarray
FAR = 1e4  # a place beyond it will not come back
NEAR = 1e-3  # arrived: the loss is this part of the first one, and stays below


class Surface(NamedTuple):
    """A loss over a plane. Shapes: places (*, 2) -> value (*), slope (*, 2). The windows are those of its picture."""

    value: Callable[[Numbers], Numbers]
    slope: Callable[[Numbers], Numbers]
    x: tuple[float, float]
    y: tuple[float, float]
    start: tuple[float, float]
    goal: tuple[float, float]


def ravine(kappa: float, turn: float = 0.0) -> Surface:
    """½ (u² + κ v²), with the axes u and v turned by an angle."""
    axes = numpy.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])  # columns u, v
    curvature = numpy.array([1.0, kappa])
    value = lambda p: 0.5 * ((p @ axes) ** 2 @ curvature)
    slope = lambda p: (p @ axes * curvature) @ axes.T
    start = axes @ (-1.7, 0.6)
    return Surface(value, slope, (-2.0, 2.0), (-2.0, 2.0), (float(start[0]), float(start[1])), (0.0, 0.0))


def saddle(kappa: float) -> Surface:
    """x² + ¼ (y² − 1)²: a saddle at the origin between two hollows."""
    value = lambda p: p[..., 0] ** 2 + 0.25 * (p[..., 1] ** 2 - 1) ** 2
    slope = lambda p: numpy.stack([2 * p[..., 0], p[..., 1] * (p[..., 1] ** 2 - 1)], axis=-1)
    return Surface(value, slope, (-2.0, 2.0), (-2.0, 2.0), (-1.6, 0.01), (0.0, 1.0))


def beale(kappa: float) -> Surface:
    """Σ (c_k − x + x yᵏ)², k = 1, 2, 3."""

    def parts(p):
        x, y = p[..., 0], p[..., 1]
        return x, y, [(c - x + x * y**k, k) for k, c in ((1, 1.5), (2, 2.25), (3, 2.625))]

    def slope(p):
        x, y, terms = parts(p)
        along_x = sum(2 * t * (y**k - 1) for t, k in terms)
        along_y = sum(2 * t * k * x * y ** (k - 1) for t, k in terms)
        return numpy.stack([along_x, along_y], axis=-1)

    return Surface(lambda p: sum(t**2 for t, _ in parts(p)[2]), slope, (-0.5, 4.0), (-2.0, 2.5), (1.0, 1.5), (3.0, 0.5))


def rosenbrock(kappa: float) -> Surface:
    """(1 − x)² + 100 (y − x²)²: a bent ravine."""

    def slope(p):
        x, y = p[..., 0], p[..., 1]
        off = y - x * x
        return numpy.stack([-2 * (1 - x) - 400 * x * off, 200 * off], axis=-1)

    value = lambda p: (1 - p[..., 0]) ** 2 + 100 * (p[..., 1] - p[..., 0] ** 2) ** 2
    return Surface(value, slope, (-2.0, 2.0), (-1.0, 3.0), (-1.2, 1.0), (1.0, 1.0))


XOR = numpy.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]), numpy.array([0.0, 1.0, 1.0, 0.0])


@cache
def trained() -> tuple[Numbers, ...]:
    """The weights of a network with three hidden neurons after 300 steps on XOR."""
    with using(Generator(3)):
        net = MLP(2, 1, hidden=[3], activation="tanh")
    x, y = XOR[0].astype("float32"), XOR[1][:, None].astype("float32")
    optimizer, loss = SGD(net.parameters(), lr=0.1, momentum=0.9), nn.BCEWithLogitsLoss()
    for _ in range(300):
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()
    return tuple(parameter.numpy().astype(float) for parameter in net.parameters())


@cache
def net(kappa: float) -> Surface:
    """The loss of a trained network by one weight before a hidden neuron and one after it; the others are fixed."""
    before, bias, after, last = trained()
    x, signs = XOR[0], 2 * XOR[1] - 1
    hidden = numpy.tanh(x @ before.T + bias)
    rest = hidden @ after[0] + last[0] - hidden[:, 0] * after[0, 0]  # what the other neurons give
    fixed = x @ before[0] + bias[0] - x[:, 0] * before[0, 0]

    def parts(p):
        a = numpy.tanh(p[..., :1] * x[:, 0] + fixed)
        return a, signs * (p[..., 1:] * a + rest)

    value = lambda p: numpy.logaddexp(0, -parts(p)[1]).mean(-1)

    def slope(p):
        a, margin = parts(p)
        pull = -signs / (1 + numpy.exp(numpy.clip(margin, -50, 50)))
        return numpy.stack([(pull * p[..., 1:] * (1 - a * a) * x[:, 0]).mean(-1), (pull * a).mean(-1)], axis=-1)

    at = numpy.linspace(-6, 6, 241)
    losses = value(numpy.stack(numpy.meshgrid(at, at), axis=-1))
    low = numpy.unravel_index(losses.argmin(), losses.shape)
    goal = float(at[low[1]]), float(at[low[0]])
    return Surface(value, slope, (-6.0, 6.0), (-6.0, 6.0), (-math.copysign(1.0, goal[0]) * 3.0, 3.0), goal)


SURFACES: dict[str, Callable[[float], Surface]] = {
    "ravine": ravine,
    "turned": lambda kappa: ravine(kappa, math.pi / 4),
    "saddle": saddle,
    "beale": beale,
    "rosenbrock": rosenbrock,
    "net": net,
}


@lru_cache(64)
def surface_of(name: str, kappa: float) -> Surface:
    """A surface by its name; ``kappa`` is how many times steeper a ravine is across than along."""
    return SURFACES[name](kappa)


OPTIMISERS: dict[str, tuple[Callable, Callable[[Mapping[str, float]], dict[str, Any]]]] = {
    "sgd": (rules.sgd, lambda o: {}),
    "momentum": (rules.sgd, lambda o: {"momentum": o["beta"]}),
    "nesterov": (rules.sgd, lambda o: {"momentum": o["beta"], "nesterov": o["beta"] > 0}),
    "rmsprop": (rules.rmsprop, lambda o: {"alpha": o["alpha"], "eps": o["eps"]}),
    "adam": (rules.adam, lambda o: {"betas": (o["beta1"], o["beta2"]), "eps": o["eps"]}),
}
"""The library's rules by their names, and which options each takes of all."""


@lru_cache(32)
def race(surface: str, kappa: float, start: tuple[float, float], rates: tuple, options: tuple, steps: int):
    """Places (steps + 1, 5, 2) and losses (steps + 1, 5) of all five, and the memories of each after each step."""
    ground, of = surface_of(surface, kappa), dict(options)
    runners = [(rule, chosen(of)) for rule, chosen in OPTIMISERS.values()]
    now, states = numpy.tile(start, (len(runners), 1)), [{} for _ in runners]
    places, memories = [now], [states]
    with numpy.errstate(all="ignore"):
        for _ in range(steps):
            slopes = ground.slope(now)
            moved = [
                rule(place, slope, state, lr=rate, **chosen)
                for (rule, chosen), place, slope, state, rate in zip(runners, now, slopes, states, rates, strict=True)
            ]
            now, states = numpy.array([place for place, _ in moved]), [state for _, state in moved]
            now[~(abs(now).max(-1) < FAR)] = numpy.nan
            places.append(now)
            memories.append(states)
        return numpy.array(places), ground.value(numpy.array(places)), memories


def arrivals(surface: Surface, values: Numbers) -> Numbers:
    """The first step from which on the loss is near the least one, or −1. Shapes: (steps + 1, *) -> (*)."""
    least = surface.value(numpy.array(surface.goal))
    limit = least + NEAR * (surface.value(numpy.array(surface.start)) - least)
    away = ~(values <= limit)
    last = len(values) - 1 - away[::-1].argmax(0)  # the last step that is away
    found = numpy.where(away.any(0), last + 1, 0)
    return numpy.where(found < len(values), found, -1)


def run(surface: Surface, name: str, start: Numbers, rates: Numbers, options: Mapping[str, float], steps: int):
    """The places of one optimiser at many rates at a time. Shapes: start (2,), rates (n,) -> (steps + 1, n, 2)."""
    rule, chosen = OPTIMISERS[name]
    place, state = numpy.tile(start, (len(rates), 1)), {}
    places = [place]
    with numpy.errstate(all="ignore"):
        for _ in range(steps):
            place, state = rule(place, surface.slope(place), state, lr=rates[:, None], **chosen(options))
            place = numpy.where(abs(place).max(-1, keepdims=True) < FAR, place, numpy.nan)
            places.append(place)
    return numpy.array(places)


TRIED = numpy.array([round(10 ** (k / 8 - 4), 5) for k in range(33)])
"""The rates among which the best one is looked for, from 0.0001 to 1."""


@lru_cache(64)
def best_rate(surface: str, kappa: float, name: str, start: tuple[float, float], options: tuple, steps: int):
    """The rate with the first arrival among the runs that stay on the map, and its step.

    Where none arrives it is the rate with the least loss, and −1.
    """
    ground = surface_of(surface, kappa)
    places = run(ground, name, numpy.array(start), TRIED, dict(options), steps)
    with numpy.errstate(all="ignore"):
        values = ground.value(places)
    low, high = numpy.transpose([ground.x, ground.y])
    on_map = ((places >= low) & (places <= high)).all((0, 2))
    found = numpy.where(on_map, arrivals(ground, values), -1)
    last = numpy.nan_to_num(values[-1] / (values[-1] + 1), nan=1.0)  # from 0 to 1, to choose among equals
    best = int((numpy.where(found < 0, steps + 1, found) + last / 2).argmin())
    return float(TRIED[best]), int(found[best])
