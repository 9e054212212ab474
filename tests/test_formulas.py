"""Formulas that a learner types: what they mean, their slopes, and what is said of those that cannot be read."""

import math
import random

import numpy
import pytest

from ichikara.course.controls import ControlError, Formula, read_all
from ichikara.course.formulas import FormulaProblem, formula_of
from ichikara.glass.parse import parse
from ichikara.words import LANGUAGES, in_language

MEANS = {
    "x^2-3x": lambda x: x**2 - 3 * x,
    "x²−3x": lambda x: x**2 - 3 * x,
    "ｘ＾２＋１": lambda x: x**2 + 1,
    "-x^2": lambda x: -(x**2),
    "2^3^x": lambda x: 2 ** (3**x),
    "x^-2": lambda x: x**-2,
    "1/2x": lambda x: x / 2,
    "x/2/4": lambda x: x / 8,
    "½x": lambda x: x / 2,
    "2*-x": lambda x: -2 * x,
    "xsin(x)": lambda x: x * math.sin(x),
    "2(x-1)(x+2)": lambda x: 2 * (x - 1) * (x + 2),
    "|x-1||x+1|": lambda x: abs(x - 1) * abs(x + 1),
    "|x-|x|+3|": lambda x: abs(x - abs(x) + 3),
    "e^(-x^2)": lambda x: math.exp(-(x**2)),
    "pi x": lambda x: math.pi * x,
    "log(x^2)": lambda x: math.log(x**2),
    "sigmoid(x)-σ(x)+relu(x)": lambda x: max(x, 0.0),
    "5": lambda x: 5.0,
}
WRONG = ["", " ", "x^", "x+*2", "sin x", "sin", "(x", "x)", "|x", "y", "0,5x", "x?", ".", "x^^2"]
WRONG += ["=", "x.real", "()", "¹"]
WRONG += ["__import__('os')", "import os", "lambda: x", "x if x else x", "(" * 60, "-" * 60 + "x", "9" * 40, "\0", "∞"]


@pytest.mark.parametrize("text", MEANS)
def test_what_a_formula_means(text):
    formula, places = formula_of(text), [0.5, -1.25, 3.0]
    means = [MEANS[text](x) for x in places]
    assert formula(places).tolist() == pytest.approx(means)
    h = 1e-5
    slopes = [(MEANS[text](x + h) - MEANS[text](x - h)) / (2 * h) for x in places]
    assert formula.slopes(places)[0].tolist() == pytest.approx(slopes, rel=1e-4, abs=1e-6)
    parse(formula.latex)


def test_two_variables():
    formula = formula_of("x^2 + 3x y", ("x", "y"))
    assert [slope.tolist() for slope in formula.slopes([2.0], [5.0])] == [[19.0], [6.0]]
    assert [slope.tolist() for slope in formula.curvatures([2.0], [5.0])] == [[2.0], [0.0]]


def test_places_keep_their_type():
    assert formula_of("x^2/3 + 2^0.5")(numpy.ones(2, "float32")).dtype == "float32"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_read_is_answered_in_words(text, language):
    with in_language(language), pytest.raises(FormulaProblem) as found:
        formula_of(text)
    assert str(found.value).endswith("." if language == "en" else "。")


def test_any_text_is_read_or_answered():
    draw = random.Random(0)
    parts = [*"xy0123.+-*/^()|| e²πa,=½−_", "sin(", "ln(", "**", "10"]
    for _ in range(5000):
        text = "".join(draw.choices(parts, k=draw.randrange(1, 14)))
        try:
            values = formula_of(text)([0.5, -2.0])
        except FormulaProblem:
            continue
        assert values.shape == (2,), text


def test_a_control_says_what_is_wrong_with_its_formula():
    controls = {"formula": Formula("x^2")}
    assert read_all(controls, {}) == {"formula": "x^2"}
    with pytest.raises(ControlError, match="something is missing") as found, in_language("en"):
        read_all(controls, {"formula": "x+"})
    assert found.value.control == "formula"
    assert found.value.reason.startswith("After")
