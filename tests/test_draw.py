"""Charts drawn by Matplotlib: files, labels that can be read, colours with contrast."""

import itertools
import re

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ichikara.charts import (
    Area,
    Arrows,
    Axis,
    Bars,
    Chart,
    Dots,
    Edge,
    Graph,
    Group,
    Images,
    Label,
    Line,
    Raster,
    Rule,
    Vertex,
)
from ichikara.errors import UserError
from ichikara.plot import draw, save
from ichikara.plot.theme import THEMES

EVERY = {
    "Line": Line([0, 1, 2], [1.0, float("nan"), 0.5], ink="a", label="training"),
    "Dots": Dots([0, 1], [0.2, 0.8], hollow=True, shape="diamond", label="class 0"),
    "Bars": Bars([0, 1], [0.5, -0.5], label="ratio", dashed=True),
    "Area": Area([0, 1, 2], [0.0, 0.1, 0.2], [0.5, 0.6, 0.7], ink="b", label="one deviation"),
    "Rule": Rule(y=0.3, ink="quiet", label="threshold"),
    "Raster": Raster(numpy.arange(6.0).reshape(2, 3), (0, 2), (0, 1), middle=2.0, levels=(1.5,), text=True),
    "Arrows": Arrows([0.5], [0.5], [0.5], [0.3], label="w"),
    "Label": Label(1.0, 0.5, "here"),
    "Images": Images(numpy.linspace(-1, 1, 75).reshape(3, 5, 5), 2, captions=["a", "b", "c"], signed=True),
    "Graph": Graph(
        [Vertex("x", "x", 1, 2, 2, 2, "input", "0.5", "−1"), Vertex("f", "tanh", 8, 2, 4, 2)],
        [Edge("x", "f", [(2, 2), (4, 3), (6, 2)], "1 − y²")],
        [Group("layer", 4, 2, 10, 5)],
    ),
}


def words_of(figure):
    return {text.get_text(): text for ax in figure.axes for text in ax.texts if text.get_text()}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("kind", EVERY)
def test_every_mark_is_drawn(kind, theme):
    axes = (None, None) if kind in ("Images", "Graph") else (Axis("x"), Axis("y"))
    figure = draw(Chart([EVERY[kind]], *axes), theme)
    figure.canvas.draw()
    picture = numpy.asarray(figure.canvas.buffer_rgba())
    assert len(numpy.unique(picture.view("uint32"))) > 3
    assert "#" + bytes(picture[0, 0, :3]).hex() == THEMES[theme].paper
    label = EVERY[kind].label
    assert not label or label in words_of(figure)


def test_there_is_a_drawing_for_every_kind_of_mark():
    from ichikara.charts import Mark

    assert {kind.__name__ for kind in Mark.__subclasses__()} == set(EVERY)


def test_a_vertex_may_be_without_words_and_long_words_stay_inside():
    words = "o = 0.6543210"
    vertices = [Vertex("a", "", 0, 0, 2, 2, "neuron"), Vertex("b", words, 10, 0, 5, 2), Vertex("c", "o", 20, 0, 5, 2)]
    texts = words_of(draw(Chart([Graph(vertices, [])])))
    assert "" not in texts
    assert texts[words].get_fontsize() < texts["o"].get_fontsize()


def test_level_lines_say_their_numbers():
    values = numpy.linspace(0, 20, 40)[None].repeat(30, 0)
    raster = Raster(values, (0, 1), (0, 1), levels=[0.5, 10.5])
    assert {".5", "10.5"} <= set(words_of(draw(Chart([raster], Axis(), Axis()))))
    many = Raster(values, (0, 1), (0, 1), levels=range(1, 19))
    assert len(words_of(draw(Chart([many], Axis(), Axis())))) == 6


def test_cells_of_a_raster_may_hold_words():
    raster = Raster([[0.5, 1.0]], (0, 2), (0, 1), text=[["7", "$8"]])
    assert set(words_of(draw(Chart([raster], Axis(), Axis())))) == {"7", "$8"}


def test_a_file_says_what_it_shows(tmp_path):
    chart = Chart([EVERY["Line"]], Axis("epoch"), Axis("loss"), title="Loss <1>", alt="The loss falls & rises.")
    text = save(chart, tmp_path / "a.svg").read_text()
    assert re.search(r'<svg role="img" aria-label="The loss falls &amp; rises."', text)
    assert "<title>The loss falls &amp; rises.</title>" in text
    assert ">training</text>" in text
    assert save(chart, tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert save(chart, tmp_path / "a.pdf", "dark").read_bytes()[:4] == b"%PDF"


def test_the_same_chart_is_the_same_file(tmp_path):
    chart = Chart(list(EVERY.values())[:6], Axis("x"), Axis("y"))
    for kind in ("svg", "png"):
        once, again = (save(chart, tmp_path / f"{name}.{kind}").read_bytes() for name in "ab")
        assert once == again


def test_japanese_is_text_in_a_file(tmp_path):
    chart = Chart([Line([1, 2], [2.0, 1.0], label="訓練")], Axis("エポック"), Axis("損失"), title="学習曲線")
    text = save(chart, tmp_path / "a.svg").read_text()
    assert all(word in text for word in ("訓練", "エポック", "損失", "学習曲線"))


def test_several_charts_stand_in_a_grid():
    charts = [Chart([EVERY["Line"]], Axis("x"), Axis(f"y{i}")) for i in range(5)]
    figure = draw(charts, columns=2)
    boxes = [ax.get_position() for ax in figure.axes]
    assert len(boxes) == 5
    assert len({round(box.x0, 6) for box in boxes}) == 2
    assert all(box.x0 >= 0 and box.x1 <= 1 and box.y0 >= 0 and box.y1 <= 1 for box in boxes)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-2, 2), st.floats(0, 2)), min_size=2, max_size=5))
def test_labels_of_lines_stand_apart_and_inside(lines):
    x = numpy.linspace(0, 1, 30)
    marks = [Line(x, a + b * x + c * numpy.sin(7 * x), label=f"line number {i}") for i, (a, b, c) in enumerate(lines)]
    figure = draw(Chart(marks, Axis("x"), Axis("y")))
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in words_of(figure).values()]
    frame = figure.axes[0].get_window_extent(renderer).padded(2)
    assert len(boxes) == len(lines)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)


def test_a_label_is_nearest_to_its_own_line():
    marks = [Line([0, 1], [i, i + 0.2], label=f"at {i}") for i in range(6)]
    figure = draw(Chart(marks, Axis("x"), Axis("y")))
    ax = figure.axes[0]
    for i, text in enumerate(words_of(figure).values()):
        x, y = text.get_position()
        own, *others = [abs(k + 0.2 * x - y) for k in (i, *(j for j in range(6) if j != i))]
        assert own < min(others), ax


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_colours_have_contrast(theme):
    def contrast(colour):
        one, other = sorted((luminance(colour), luminance(theme.paper)))
        return (other + 0.05) / (one + 0.05)

    assert all(contrast(colour) >= 4.5 for colour in (*theme.texts.values(), theme.ink, theme.ink2))
    assert all(contrast(colour) >= 3 for colour in (*theme.inks.values(), theme.axis))
    assert abs(luminance(theme.inks["a"]) - luminance(theme.inks["b"])) > 0.15  # they part in grey


def test_what_cannot_be_drawn_is_said(tmp_path):
    chart = Chart([EVERY["Line"]], Axis(), Axis())
    with pytest.raises(UserError, match="unknown format 'gif'"):
        save(chart, tmp_path / "a.gif")
    with pytest.raises(UserError, match="unknown theme 'sepia'"):
        draw(chart, "sepia")
    with pytest.raises(UserError, match="no chart"):
        draw([])
