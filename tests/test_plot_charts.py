"""Charts of a user's own networks and data: their numbers are those of the data."""

import base64
import io
import re

import numpy
import pytest
from PIL import Image

from ichikara.charts import Dots, Line, Raster
from ichikara.plot import (
    confusion_chart,
    confusion_matrix,
    decision_regions_chart,
    draw,
    filters_chart,
    fitted_surface_chart,
    inline_svg,
    sheet_chart,
)
from ichikara.plot.theme import THEMES


def test_wrong_points_are_ringed():
    points = numpy.array([[0.0, 0.0], [1.0, 1.0]])
    for decide in (
        lambda x: (numpy.zeros(len(x), int), None),
        lambda x: (numpy.zeros(len(x), int), numpy.full(len(x), 0.8)),
    ):
        chart = decision_regions_chart(decide, points, numpy.array([0, 1]), ("_a", "$b"))
        dots = [mark for mark in chart.marks if isinstance(mark, Dots)]
        assert [mark.label for mark in dots] == ["_a", "$b", "wrong"]
        assert (dots[2].x.tolist(), dots[2].y.tolist(), dots[2].dashed) == ([1.0], [1.0], True)
        assert chart.numbers == {"points": 2, "wrong": 1}
        assert [text.get_text() for text in draw(chart).axes[0].texts] == ["_a", "$b", "wrong"]


def test_two_classes_with_probabilities_are_one_tint_and_a_level_line():
    points = numpy.array([[-1.0, 0.0], [1.0, 1.0]])
    decide = lambda x: ((x[:, 0] > 0).astype(int), numpy.where(x[:, 0] > 0, 0.9, 0.7))
    raster = decision_regions_chart(decide, points, numpy.array([0, 1]), ("a", "b"), grid=10).marks[0]
    assert (raster.middle, raster.levels) == (0.5, [0.5])
    assert numpy.allclose(raster.values, [[0.3] * 5 + [0.9] * 5] * 10)  # of the second class


def test_more_classes_have_borders_where_the_prediction_changes():
    points = numpy.array([[-2.0, -2.0], [2.0, -2.0], [2.0, 2.0], [-2.0, 2.0]])
    decide = lambda x: (numpy.where(x[:, 1] > 0.3, 2, (x[:, 0] > -0.7).astype(int)), None)
    chart = decision_regions_chart(decide, points, numpy.array([0, 1, 2, 2]), ("a", "b", "c"), grid=41)
    [border] = [mark for mark in chart.marks if isinstance(mark, Line)]
    x, y = border.x[numpy.isfinite(border.x)], border.y[numpy.isfinite(border.y)]
    cell = 4.96 / 41
    assert ((abs(y - 0.3) < cell / 30) | ((abs(x + 0.7) < cell / 30) & (y < 0.3)) | (abs(x + 0.7) < cell)).all()
    assert {mark.shape for mark in chart.marks if isinstance(mark, Dots)} == {"disc", "square", "triangle"}
    filled = sum(numpy.isfinite(mark.values).astype(int) for mark in chart.marks if isinstance(mark, Raster))
    assert (filled == 1).all()  # each place has one class


def test_a_surface_tells_points_above_from_points_below():
    points = numpy.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    chart = fitted_surface_chart(lambda x: x.sum(1), points, numpy.array([0.5, 1.5, 2.0]))
    raster, above, below = chart.marks
    assert (above.x.tolist(), below.x.tolist()) == ([0.0, 0.5], [1.0])
    assert raster.values.shape == (80, 80)
    assert raster.values[0, 0] == pytest.approx(-0.2245, abs=1e-3)
    assert raster.limits == (0.5, 2.0)
    assert all(0.5 <= level <= 2 for level in raster.levels)
    assert not fitted_surface_chart(lambda x: x.sum(1), points, numpy.ones(3)).marks[0].levels


def test_a_confusion_chart_tints_fractions_and_writes_counts():
    chart = confusion_chart(numpy.array([[1500, 500], [0, 3]]), ("a", "a class of many letters"))
    [raster] = chart.marks
    assert raster.values.tolist() == [[0.75, 0.25], [0.0, 1.0]]
    assert raster.text == [["1,500", "500"], ["", "3"]]
    assert chart.y.names == ("a", "a class of ma…")
    assert chart.numbers == {"right": 1503, "wrong": 500, "total": 2003}
    many = confusion_chart(numpy.eye(41, dtype=int), tuple(map(str, range(41))))
    assert (many.marks[0].text, many.x.names) == (False, ())


def test_filters_and_sheets_are_images():
    weights = numpy.array([[[[0.0, 1.0], [-1.0, -2.0]]]])
    chart = filters_chart(weights)
    assert chart.marks[0].images.tolist() == [[[0, 0.5], [-0.5, -1]]]
    assert chart.marks[0].signed
    assert chart.numbers == {"filters": 1, "deepest": 2}
    colours = filters_chart(weights.repeat(3, 1)).marks[0]
    assert (colours.images.shape, colours.images.min(), colours.signed) == ((1, 2, 2, 3), 0, False)
    sheet = sheet_chart(numpy.ones((3, 1, 2, 2)), 2, labels=["a", "b", "a long label"])
    assert sheet.marks[0].captions == ["a", "b", "a long l…"]
    assert sheet.marks[0].images.shape == (3, 2, 2, 3)


def test_tints_on_a_page_can_be_seen_on_light_and_dark_paper():
    figure = confusion_matrix(numpy.array([[3, 1], [0, 2]]), ("a", "b"))
    before = figure.axes[0].images[0].get_array().copy()
    text = inline_svg(figure, "here", "a matrix")
    png = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", text)[1].replace("\n", ""))))
    inks = {tuple(pixel[:3]) for pixel in numpy.asarray(png.convert("RGBA")).reshape(-1, 4).tolist() if pixel[3] > 100}
    assert inks == {tuple(bytes.fromhex(THEMES["dark"].inks["a"][1:]))}
    assert (figure.axes[0].images[0].get_array() == before).all()
