"""The charts of a record: signals by depth, distributions, updates, and units that no longer learn."""

import math
from collections.abc import Sequence
from typing import Any

from ..charts import Area, Axis, Bars, Chart, Line, Mark, Rule
from ..words import say
from .record import BINS, Record

__all__ = ["by_depth", "histograms", "record_charts", "units", "updates"]

ROWS = 12
"""The most layers of a chart that has a row for each; of more, so many that lie evenly."""

FEWEST = 5
"""The least number of places on an axis of bars, so that few bars are not wide."""

LINES = 5
"""The most parameters of a chart that has a line for each."""

USUAL = 1e-3
"""The ratio of update to weight that is usual. Source: A. Karpathy, CS231n, "Neural Networks Part 3"."""


def record_charts(record: Record, language: str = "en") -> list[Chart]:
    """All charts of a record for which it has numbers.

    >>> from ichikara.glass.record import Row
    >>> rows = [Row(s, "0.weight", "update_ratio", 0.01 / s) for s in (1, 2, 3)]
    >>> [chart.title for chart in record_charts(Record(rows))]
    ['How much an update changes the weights']
    """
    made = (build(record, language) for build in (by_depth, updates, histograms, units))
    return [chart for chart in made if chart is not None]


def by_depth(record: Record, language: str = "en") -> Chart | None:
    """How large the outputs of the layers are, and the gradients by them, at the last watched step."""
    layers = record.layers("activation_norm")
    step = _last_step(record, "activation_norm", layers)
    places = [layer for layer in layers if _at(record, "activation_norm", layer, step) is not None]
    if len(places) < 2:
        return None
    forward = [_positive(_at(record, "activation_norm", layer, step)) for layer in places]
    backward = [_positive(_at(record, "output_gradient_norm", layer, step)) for layer in places]
    x = list(range(len(places)))
    known = [g for g in backward if g == g]
    ratio = known[0] / known[-1] if known else math.nan
    marks: list[Mark] = [Line(x, forward, ink="a", label=_say("depth.forward", language))]
    if known:
        marks.append(Line(x, backward, ink="b", dashed=True, label=_say("depth.backward", language)))
    return Chart(
        marks,
        Axis(_say("depth.x", language), whole=True),
        Axis(_say("depth.y", language), scale="log"),
        title=_say("depth.title", language),
        caption=_say("depth.caption", language, step=step, ratio=ratio),
        alt=_alt("depth", language, step=step, ratio=ratio),
        numbers={"step": step, "ratio": ratio, "layers": len(places)},
    )


def updates(record: Record, language: str = "en") -> Chart | None:
    """The ratio of update to weight over the steps, for some layers."""
    layers = record.layers("update_ratio")
    drawn = [
        layer for layer in layers if any(record.series("weight_std", layer)[1][:1])
    ]  # not biases, scales and shifts
    layers = _spread([layer for layer in drawn if not layer.endswith("bias")] or layers, LINES)
    if not layers:
        return None
    marks: list[Mark] = [Rule(y=USUAL, ink="quiet")]
    last = []
    for i, layer in enumerate(layers):
        steps, values = record.series("update_ratio", layer)
        values = [_positive(value) for value in values]
        last += [value for value in values[-1:] if value == value]
        marks.append(Line(steps, values, ink="ink" if i else "a", dashed=i % 2 == 1, label=layer))
    step = record.series("update_ratio", layers[0])[0][-1]
    said = {"step": step, "low": min(last, default=math.nan), "high": max(last, default=math.nan)}
    return Chart(
        marks,
        Axis(_say("updates.x", language), scale="log", whole=True),
        Axis(_say("updates.y", language), scale="log"),
        title=_say("updates.title", language),
        caption=_say("updates.caption", language, **said),
        alt=_alt("updates", language, **said),
        numbers=said,
    )


def histograms(record: Record, language: str = "en") -> Chart | None:
    """The distribution of each layer's output at the last watched step, one row for each, the first one on top."""
    layers = record.layers("activation_std")
    step = _last_step(record, "activation_std", layers)
    rows = _spread([layer for layer in layers if _heights(record, layer, step)], ROWS)
    if not rows:
        return None
    marks: list[Mark] = []
    for i, layer in enumerate(rows):
        edges, heights = zip(*_heights(record, layer, step), strict=True)
        base = float(len(rows) - 1 - i)
        marks.append(Area(edges, [base] * len(edges), [base + 0.85 * height for height in heights], ink="a"))
    return Chart(
        marks,
        Axis(_say("histograms.x", language), limits=(-4.0, 4.0)),
        Axis("", names=rows[::-1], limits=(-0.2, float(len(rows)))),
        title=_say("histograms.title", language),
        caption=_say("histograms.caption", language, step=step),
        alt=_alt("histograms", language, step=step),
        numbers={"step": step, "layers": len(rows)},
    )


def _heights(record, layer, step) -> list[tuple[float, float]]:
    """The outline of a layer's histogram: where, in deviations from the mean, and how high, the highest bin 1."""
    shares = record.parts("activation_histogram", layer, step)
    mean, std, low, high = (_at(record, f"activation_{name}", layer, step) for name in ("mean", "std", "min", "max"))
    if not shares or None in (mean, std, low, high) or not std or not math.isfinite(high - low):
        return []
    width = (high - low) / BINS
    edges = [((low + k * width) - mean) / std for k in range(BINS + 1)]
    return [(x, share / max(shares)) for k, share in enumerate(shares) for x in edges[k : k + 2]]


def units(record: Record, language: str = "en") -> Chart | None:
    """The shares of dead and of saturated units, by layer, at the last watched step; None where there are none."""
    found = []
    for quantity, name in (("dead_share_lately", "dead"), ("saturated_share", "saturated")):
        layers = record.layers(quantity)
        step = _last_step(record, quantity, layers)
        found += [(layer, name, step, _at(record, quantity, layer, step)) for layer in layers]
    found = [row for row in found if row[3] is not None]
    rows = _spread(found, ROWS)
    if not any(row[3] for row in found):
        return None
    step, most = max(row[2] for row in found), max(found, key=lambda row: row[3])
    said = {"step": step, "layer": most[0], "most": most[3]}
    bars = [(i, row[3], row[1]) for i, row in enumerate(rows)]
    marks: list[Mark] = [
        Bars([i for i, _, name in bars if name == kind], [v for _, v, name in bars if name == kind], ink=ink)
        for kind, ink in (("dead", "ink"), ("saturated", "quiet"))
        if any(name == kind for _, _, name in bars)
    ]
    kinds = {name for _, _, name in bars}
    names = [f"{row[0]}: {_say(f'units.{row[1]}', language)}" if len(kinds) > 1 else row[0] for row in rows]
    side = (
        _say("units.y", language)
        if len(kinds) > 1
        else f"{_say('units.y', language)}, {_say(f'units.{kinds.pop()}', language)}"
    )
    return Chart(
        marks,
        Axis("", names=names, limits=(-0.5, max(len(rows), FEWEST) - 0.5)),
        Axis(side, limits=(0.0, 1.0)),
        title=_say("units.title", language),
        caption=_say("units.caption", language, **said),
        alt=_alt("units", language, **said),
        numbers={"step": step, "most": most[3]},
    )


def _say(name: str, language: str, **values) -> str:
    return say(f"record.{name}", language, **values)


def _alt(name: str, language: str, **values) -> str:
    return f"{_say(f'{name}.title', language)}. {_say(f'{name}.caption', language, **values)}"


def _at(record: Record, quantity: str, layer: str, step: int) -> Any:
    """A quantity at a step; None where it was not measured."""
    steps, values = record.series(quantity, layer)
    return values[steps.index(step)] if step in steps else None


def _last_step(record: Record, quantity: str, layers: Sequence[str]) -> int:
    return max((record.series(quantity, layer)[0][-1] for layer in layers), default=0)


def _positive(value: float | None) -> float:
    """A number for a log scale; NaN, which interrupts a line, for what has no place there."""
    return value if value is not None and 0 < value < math.inf else math.nan


def _spread(items: Sequence, most: int) -> list:
    """All items, or so many of them that lie evenly, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
