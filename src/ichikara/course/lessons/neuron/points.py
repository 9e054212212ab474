"""Points of two classes, and the widest gap between them."""

import math

import numpy


def pictures():
    """Points of four pictures in a window from −1 to 1."""
    draw = numpy.random.default_rng(4)
    found: dict[str, list] = {name: [] for name in "ABCD"}

    def put(name, kind, middle, spread):
        for _ in range(200):
            x, y = middle + (draw.random(2) - 0.5) * spread
            if max(abs(x), abs(y)) < 0.93 and all(math.hypot(x - a, y - b) > 0.21 for a, b, _ in found[name]):
                return found[name].append((float(x), float(y), kind))

    for _ in range(6):
        put("A", 0, (-0.45, -0.45), 0.9)
        put("A", 1, (0.5, 0.5), 0.8)
        put("C", 1, (0.0, 0.0), 0.8)
    for _ in range(4):
        for side in (1, -1):
            put("B", 1, (side * 0.55, side * 0.55), 0.75)
            put("B", 0, (side * 0.55, -side * 0.55), 0.75)
    for i in range(9):
        put("C", 0, (0.8 * math.cos(0.7 * i), 0.8 * math.sin(0.7 * i)), 0.12)
    for i in range(7):
        x = -0.84 + 0.28 * i
        found["D"] += [(x, 0.62 * x + 0.14 + 0.12 * (i % 2), 0), (x + 0.1, 0.62 * x - 0.05 - 0.13 * ((i + 1) % 2), 1)]
    return found


def random_set(seed):
    """Forty points that a line with a gap separates, and their bound (R/γ)², with x₀ = 1 counted."""
    draw = numpy.random.default_rng(seed)
    angle, shift, gap = draw.uniform(0, 2 * math.pi), draw.uniform(-0.5, 0.5), 10 ** draw.uniform(-1.6, -0.6)
    normal = numpy.array([math.cos(angle), math.sin(angle)])
    places = draw.uniform(-1, 1, (400, 2))
    places = places[abs(places @ normal - shift) > gap][:40]
    points = [(x, y, int(normal @ (x, y) > shift)) for x, y in places.tolist()]
    whole = signed(points)
    return points, (whole**2).sum(1).max() / widest(whole) ** 2


def signed(points):
    """Points with x₀ = 1, those of class 0 turned round: a neuron is right where all its sums are above zero."""
    return numpy.array([(2 * kind - 1) * numpy.array([1.0, x, y]) for x, y, kind in points])


def widest(signed):
    """Half the width of the widest gap between the classes of signed points (n, 3); 0 or less where there is none.

    The shortest vector of the hull of the points has that length; it is found by Gilbert's algorithm.
    """
    best = signed[(signed**2).sum(1).argmin()]
    for _ in range(3000):
        lowest = signed[(signed @ best).argmin()]
        step = lowest - best
        if best @ step > -1e-12 * (best @ best):
            break
        best = best + min(1.0, -(best @ step) / (step @ step)) * step
    size = math.sqrt(best @ best)
    return float((signed @ best).min() / size) if size > 1e-9 else 0.0
