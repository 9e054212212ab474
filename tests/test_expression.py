"""Expressions: writing and reading them gives them back, and simplifying keeps their values."""

import json
import math
import warnings
from xml.etree import ElementTree

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ichikara.errors import UserError
from ichikara.glass.evaluate import evaluate
from ichikara.glass.expression import (
    Call,
    Comparison,
    Derivative,
    Elementwise,
    Equation,
    Iverson,
    Logic,
    MatrixProduct,
    Negative,
    Number,
    Over,
    Power,
    Product,
    Quotient,
    Sum,
    Symbol,
    Transpose,
    Tuple,
    Where,
    from_dict,
    number,
    substitute,
    symbols,
    to_dict,
)
from ichikara.glass.latex import to_latex
from ichikara.glass.mathml import to_mathml
from ichikara.glass.parse import FormulaError, parse
from ichikara.glass.simplify import simplify
from ichikara.glass.text import to_text

NUMBERS = st.integers(0, 10**6).map(Number) | st.floats(0, 1e12).map(Number)
BASES = st.sampled_from([*"abcuvwxyzLWXdei", "α", "σ", "β", "w00", "net.0.weight", "x[1]", "my_x", "été", "𝟏", "T"])
INDEX_NAMES = st.sampled_from("ijk").map(Symbol)
INDICES = st.one_of(
    st.sampled_from(["", "0", "00", "12", "i", "ij", "0i"]),
    st.lists(st.integers(0, 20).map(Number) | INDEX_NAMES, max_size=3).map(tuple),
    st.just((Sum((Symbol("i"), Number(1))),)),
    st.just((Symbol("i"), Product((Number(2), Symbol("j"))))),
    st.just((Product((Number(2), Symbol("j"))),)),
)
PLAIN = st.builds(Symbol, BASES)
SYMBOLS = PLAIN | st.builds(
    Symbol, BASES, INDICES, INDICES, st.integers(0, 2), st.sampled_from(["", "", "bar", "hat", "tilde"])
)
FUNCTIONS = st.builds(Symbol, st.sampled_from([*"fgσΦ", "diag", "reshape"]), INDICES, INDICES, st.integers(0, 2))
KNOWN = ["tanh", "ln", "exp", "sqrt", "abs", "floor", "ceil", "round", "sign", "erf", "log2", "log10", "not", "invert"]


def some(tree, least=2):
    return st.lists(tree, min_size=least, max_size=3).map(tuple)


def larger(tree):
    condition = st.builds(lambda a, b, s: Comparison((a, b), (s,)), tree, tree, st.sampled_from("=≠<≤>≥∈"))
    condition = condition | st.builds(
        lambda s, terms: Logic(s, terms), st.sampled_from("∧∨⊕&|≪≫"), some(condition | tree)
    )
    index = INDEX_NAMES | st.builds(lambda a, b: Comparison((a, b), ("≠",)), INDEX_NAMES, INDEX_NAMES)
    return st.one_of(
        some(tree).map(Sum),
        some(tree).map(Product),
        some(tree).map(MatrixProduct),
        some(tree).map(Elementwise),
        some(tree).map(Tuple),
        tree.map(Negative),
        tree.map(Transpose),
        st.builds(Quotient, tree, tree),
        st.builds(Power, tree, tree),
        st.builds(Derivative, tree, tree),
        st.builds(lambda name, x: Call(Symbol(name), (x,)), st.sampled_from(KNOWN), tree),
        st.builds(Call, FUNCTIONS, some(tree, 1)),
        st.builds(
            Over,
            st.sampled_from(["sum", "prod", "max", "min", "argmax", "argmin", "all", "any"]),
            tree,
            some(index, 1),
            st.none() | condition,
        ),
        st.builds(Where, condition, tree, tree),
        condition.map(Iverson),
        condition,
    )


TREES = st.recursive(NUMBERS | SYMBOLS, larger, max_leaves=12)


@given(TREES)
@settings(max_examples=300, deadline=None)
def test_latex_is_read_back_as_the_same_tree(tree):
    tree = Iverson(tree)  # for alone, a comparison is an equation
    assert parse(to_latex(tree)) == tree


@given(st.lists(PLAIN | TREES.filter(lambda t: not isinstance(t, Comparison | Logic | Where)), min_size=2, max_size=3))
@settings(max_examples=50, deadline=None)
def test_equations_are_read_back(sides):
    assert parse(to_latex(Equation(tuple(sides)))) == Equation(tuple(sides))


@given(TREES)
@settings(max_examples=100, deadline=None)
def test_what_json_holds_is_read_back_as_the_same_tree(tree):
    assert from_dict(json.loads(json.dumps(to_dict(tree)))) == tree


# --- the value that simplifying keeps ---------------------------------------------------------------------------------

VALUES = {"x": 0.7, "y": -1.3, "z": 2.4}
ARITHMETIC = st.recursive(
    st.integers(0, 4).map(Number) | st.sampled_from([0.5, 1.25]).map(Number) | st.sampled_from("xyz").map(Symbol),
    lambda tree: st.one_of(
        some(tree).map(Sum),
        some(tree).map(Product),
        tree.map(Negative),
        st.builds(Quotient, tree, tree),
        st.builds(Power, tree, st.integers(-3, 3).map(number) | st.just(Number(2) - 1)),
        st.builds(lambda name, x: Call(Symbol(name), (x,)), st.sampled_from(["tanh", "abs", "sign", "floor"]), tree),
        st.builds(lambda a, b, s: Iverson(Comparison((a, b), (s,))), tree, tree, st.sampled_from("=≠<≤>≥")),
        st.builds(lambda a, b, c, d: Where(Comparison((a, b), ("<",)), c, d), tree, tree, tree, tree),
    ),
    max_leaves=15,
)


def _value(tree):
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        return float(evaluate(tree, VALUES))


def _has_step(tree):
    """Whether it jumps, so that a rounding error may be magnified."""
    return any(word in repr(tree) for word in ("floor", "sign", "Comparison"))


@given(ARITHMETIC)
@settings(max_examples=500, deadline=None)
def test_simplifying_keeps_the_value_where_there_is_one(tree):
    value = _value(tree)
    if math.isfinite(value) and abs(value) < 1e30:
        simple = _value(simplify(tree))
        assert simple == pytest.approx(value, rel=1e-9, abs=1e-9) or _has_step(tree)


@given(ARITHMETIC)
@settings(max_examples=200, deadline=None)
def test_what_is_simple_stays_as_it_is(tree):
    assert simplify(simplify(tree)) == simplify(tree)


@pytest.mark.parametrize(
    ("formula", "simple"),
    [
        (r"2\,t^{2 - 1}", "2·t"),
        (r"1\,x + 0", "x"),
        (r"-(-x)", "x"),
        (r"a - (-b)", "a + b"),
        (r"(-a)\,(-b)", "a·b"),
        (r"(-a)\,b", "−a·b"),
        (r"x\,2\,y \cdot 3", "6·x·y"),
        (r"(a\,b)\,c", "a·b·c"),
        (r"(a + b) + c", "a + b + c"),
        (r"x\,x^{-1}", "1"),
        (r"x\,x", "x²"),
        (r"0\,x", "0"),
        (r"\frac{2\,x}{4\,y}", "x/(2·y)"),
        (r"\frac{-x}{y}", "−x/y"),
        (r"\frac{x\,y}{y}", "x"),
        (r"w\,x", "w·x"),
        (r"x\,w", "x·w"),
        (r"[2 > 1]\,x", "x"),
        (r"(x^\top)^\top", "x"),
        ("0.1 + 0.2", "0.1 + 0.2"),
    ],
)
def test_simplified_as_a_person_would(formula, simple):
    assert to_text(simplify(parse(formula))) == simple


# --- how it looks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (r"{w^{1}_{00}}\,{f^0}'({u^0_0})\,{w^0_{01}}", "w¹₀₀·f⁰′(u⁰₀)·w⁰₀₁"),
        (r"a\,(-b)", "a·(−b)"),
        (r"-a\,b", "−a·b"),
        (r"a - b", "a − b"),
        (r"a - (b - c)", "a − (b − c)"),
        (r"\frac{a}{b}\,c", "(a/b)·c"),
        (r"a / (b\,c)", "a/(b·c)"),
        (r"\bar y\,[l \le x < h]", "ȳ·[l ≤ x < h]"),
        (r"x^{-1}", "x⁻¹"),
        (r"(a + b)^2", "(a + b)²"),
        (r"({u^1})^2", "(u¹)²"),
        (r"e^{-x}", "e^(−x)"),
        (r"\frac{\partial L}{\partial y} W x^\top", "∂L/∂y W xᵀ"),
        (r"\sum_{j \ne k} x_j", "Σ_(j≠k) xⱼ"),
        (r"\mathit{net.0.weight} \cdot 2.5", "net.0.weight·2.5"),
        (r"1.5 \times 10^{-7}", "1.5·10⁻⁷"),
        (r"x_{ij}", "xᵢⱼ"),
        (r"y \text{ where } x > 0 \text{ else } a\,y", "y where x > 0 else a·y"),
    ],
)
def test_text(formula, text):
    assert to_text(parse(formula)) == text


def test_numbers_of_an_array_are_written_as_python_s():
    assert to_text(number(numpy.float64(-0.5)) * numpy.int64(3)) == "(−0.5)·3"
    assert to_dict(number(numpy.float32(0.5))) == {"kind": "Number", "value": 0.5}
    assert to_text(number(math.inf) + number(math.nan)) == "∞ + nan"


def test_figures_are_as_many_as_asked_for():
    assert to_text(number(-0.123456) * number(1234.5), 3) == "(−0.123)·1.23·10³"
    assert to_text(Number(7), 3) == "7"


@pytest.mark.parametrize(
    ("formula", "place"),
    [(r"\tanh", "its end"), ("x + )", "')'"), (r"\int x", r"'\int x'"), ("a / b c", "'c'"), ("(a, ", "its end")],
)
def test_what_cannot_be_read_is_named_with_its_place(formula, place):
    with pytest.raises(FormulaError, match="cannot be read at") as error:
        parse(formula)
    assert f"at {place}" in str(error.value)


# --- values -----------------------------------------------------------------------------------------------------------


def test_values_of_arrays_and_elements():
    x, a = numpy.array([1.0, 2.0, 4.0]), numpy.arange(6.0).reshape(2, 3)
    assert evaluate(parse(r"\sum_j a_{ij} x_j"), {"a": a, "x": x, "i": 1}) == a[1] @ x
    assert evaluate(parse(r"\sum_{j \ne k} x_j"), {"x": x, "k": 0}) == 6
    assert evaluate(parse(r"\max_j x_j"), {"x": x}) == 4
    numpy.testing.assert_array_equal(evaluate(parse(r"A x"), {"A": a, "x": x}), a @ x)
    numpy.testing.assert_array_equal(evaluate(parse(r"x x^\top"), {"x": x}), numpy.outer(x, x))
    numpy.testing.assert_array_equal(evaluate(parse(r"x\,x"), {"x": x}), x * x)
    numpy.testing.assert_array_equal(evaluate(parse(r"[x > 1]"), {"x": x}), [0, 1, 1])


def test_a_symbol_without_a_value_is_named():
    with pytest.raises(UserError, match="no value was given for u₀"):
        evaluate(Symbol("u", "0"), {"v": 1})
    with pytest.raises(UserError, match="no function g"):
        evaluate(parse("g(x)"), {"x": 1})


def test_substituting():
    x = Symbol("x")
    assert to_text(substitute(parse("x^2 + y_x"), {x: Symbol("t")})) == "t² + yₜ"
    assert symbols(parse(r"\tanh(b) a + b")) == [Symbol("b"), Symbol("a")]


# --- MathML -----------------------------------------------------------------------------------------------------------

_CHILDREN = {"msup": 2, "msub": 2, "msubsup": 3, "mfrac": 2, "mover": 2, "munder": 2, "math": 1}
_LEAVES = {"mi", "mn", "mo", "mtext"}


def _check(element):
    """Raise AssertionError where an element has not what MathML Core says it has."""
    assert element.tag in {*_CHILDREN, *_LEAVES, "mrow", "msqrt", "mspace"}
    assert len(element) == _CHILDREN.get(element.tag, len(element)), element.tag
    if element.tag in _LEAVES:
        assert not len(element)
        assert element.text
    else:
        assert not (element.text or "").strip()
        assert element.tag == "mspace" or len(element)
    for child in element:
        assert not (child.tail or "").strip()
        _check(child)


@given(TREES)
@settings(max_examples=200, deadline=None)
def test_mathml_has_the_elements_that_its_specification_asks_for(tree):
    _check(ElementTree.fromstring(to_mathml(tree)))


def test_mathml():
    assert to_mathml(parse(r"\bar y\,[a < b]"), display=True) == (
        '<math display="block"><mrow><mover accent="true"><mi>y</mi><mo>¯</mo></mover><mo>\u2062</mo>'
        '<mspace width="0.17em"/><mrow><mo>[</mo><mrow><mi>a</mi><mo>&lt;</mo><mi>b</mi></mrow><mo>]</mo></mrow>'
        "</mrow></math>"
    ).replace("\u2062", "&#x2062;")
