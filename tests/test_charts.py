"""Charts: numbers that JSON holds, limits around the marks, ticks that a person would choose."""

import itertools
import json
import math
import re

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ichikara.charts import Axis, Bars, Chart, Dots, Label, Line, Raster, Rule, short_text, ticks_between

NUMBERS = st.floats(-1e100, 1e100)


@given(NUMBERS, st.floats(1e-6, 1e6), st.booleans())
def test_at_most_five_ticks_on_nice_numbers(low, ratio, whole):
    high = low + max(abs(low), 1e-30) * ratio
    ticks = ticks_between(low, high, whole=whole)
    assert len(ticks) <= 5
    assert len(ticks) >= 2 or whole
    slack = 1e-8 * (high - low)
    assert all(low - slack <= tick.at <= high + slack for tick in ticks)
    steps = {round((b.at - a.at) / (high - low), 5) for a, b in itertools.pairwise(ticks)}
    assert len(steps) <= 1
    assert len({tick.text for tick in ticks}) == len(ticks)
    assert not whole or all(tick.at == round(tick.at) for tick in ticks)


@given(st.floats(-3, 3), st.integers(-12, 12))
def test_ticks_are_multiples_of_one_two_or_five(start, exponent):
    low, high = start * 10.0**exponent, (start + 1.7) * 10.0**exponent
    ticks = ticks_between(low, high)
    step = f"{ticks[1].at - ticks[0].at:.6e}"
    assert step[0] in "125"
    assert set(step[2:8]) == {"0"}


@given(st.floats(1e-30, 1e30), st.floats(1.01, 1e30))
def test_ticks_of_a_log_scale(low, factor):
    ticks = ticks_between(low, low * factor, "log")
    assert 1 <= len(ticks) <= 5
    assert all(low * (1 - 1e-6) <= tick.at <= low * factor * (1 + 1e-6) for tick in ticks)
    if factor > 1000:
        assert all(math.log10(tick.at) == pytest.approx(round(math.log10(tick.at))) for tick in ticks)


@given(st.floats(-1e300, 1e300))
def test_a_short_text_is_near_its_number(value):
    plain, power = re.fullmatch("([^⁰¹²³⁴⁵⁶⁷⁸⁹⁻]*)([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]*)", short_text(value).replace("−", "-")).groups()
    exponent = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    mantissa = plain.removesuffix("10").rstrip("·") + ("1" if plain in ("10", "-10") else "") if power else plain
    assert float(f"{mantissa}e{exponent or 0}") == pytest.approx(value, rel=0.0051)


@given(st.lists(st.floats(-1e30, 1e30) | st.just(float("nan")), max_size=8), st.sampled_from(["linear", "log"]))
def test_limits_reach_every_number_that_can_be_shown(values, scale):
    chart = Chart([Line(range(len(values)), values)], Axis(), Axis(scale=scale))
    (_, _), (low, high) = chart.limits()
    assert low < high
    for value in values:
        if not math.isnan(value) and (scale == "linear" or value > 0):
            assert low <= value <= high
    json.dumps(chart.to_dict(), allow_nan=False)


def test_bars_stand_on_the_axis_and_a_raster_fills_it():
    assert Chart([Bars([0, 1], [2.0, 4.0])], Axis(), Axis()).limits()[1][0] == 0
    assert Chart([Raster([[1.0]], (0, 2), (0, 3))], Axis(), Axis()).limits() == ((0, 2), (0, 3))


def test_one_limit_alone_can_be_asked_for():
    low, high = Chart([Line([0, 1], [1.0, 2.0])], Axis(), Axis(limits=(0, None))).limits()[1]
    assert low == 0
    assert 2 < high < 2.2


def test_a_fraction_has_percentages_at_its_ticks():
    axis = Axis("accuracy", percent=True)
    assert axis.ticks(0.905, 0.955) == [(0.91, "91%"), (0.92, "92%"), (0.93, "93%"), (0.94, "94%"), (0.95, "95%")]


def test_limits_beyond_the_marks_are_kept():
    assert Chart([Line([0, 1], [1.0, 2.0])], Axis(), Axis(limits=(5, None))).limits()[1][0] == 5


def test_a_shape_of_dots_is_a_known_one():
    with pytest.raises(ValueError, match="disc, square, triangle, diamond"):
        Dots([0], [1], shape="star")


def test_a_chart_of_arrays_is_json():
    array = numpy.linspace(0, 1, 3, dtype="float32")
    chart = Chart(
        [Line(array, array), Dots(array, array), Raster(numpy.eye(2), (0, 1), (0, 1))], Axis("x"), Axis("y", "s")
    )
    told = json.loads(json.dumps(chart.to_dict(), allow_nan=False))
    assert told["marks"][2]["values"] == [[1, 0], [0, 1]]
    assert told["y"]["title"] == "y (s)"
    assert [tick["text"] for tick in told["x"]["ticks"]] == ["0.0", "0.5", "1.0"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Line([0, 1], [1.0]),
        lambda: Line([0], [1.0], ink="red"),
        lambda: Rule(),
        lambda: Rule(x=1, y=1),
        lambda: Axis(scale="square"),
        lambda: Axis(limits=(2, 1)),
        lambda: Axis(scale="log", limits=(0, 1)),
    ],
)
def test_what_is_no_chart_is_refused(wrong):
    with pytest.raises(ValueError, match="not"):
        wrong()


def test_a_label_is_words_and_no_numbers():
    assert Chart([Label(1.0, 2.0, "損失")]).to_dict()["marks"][0]["text"] == "損失"
