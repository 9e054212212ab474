"""`explain`: what it writes is what the engine computes, of any computation."""

import json
import time
import warnings

import numpy
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import ichikara
from ichikara import asarray, nn
from ichikara.errors import UserError
from ichikara.glass import explain, named
from ichikara.glass.computation import computation
from ichikara.glass.explanation import written
from ichikara.glass.forms import from_layout
from ichikara.glass.lecture import net_of_matrices, net_of_neurons
from ichikara.glass.naming import symbol_of
from ichikara.glass.paths import Paths
from ichikara.glass.trace import trace


def leaf(value):
    return asarray(numpy.asarray(value, "float32"), requires_grad=True)


def first_line(explanation, part=0):
    row = explanation.parts[part].lines[0]
    return f"{written(row.name)} = {written(row.formula)}"


# --- the lecture's slides ---------------------------------------------------------------------------------------------


def test_the_slide_of_the_net_in_numbers():
    """B5: what both paths share stands in front."""
    found = explain(net_of_neurons, "x[1]", language="en")
    assert first_line(found) == "∂L/∂x₁ = ∂L/∂o · f¹′(u¹₀)(w¹₀₀ f⁰′(u⁰₀) w⁰₀₁ + w¹₀₁ f⁰′(u⁰₁) w⁰₁₁)"
    text = found.text()
    assert first_line(found) in text.splitlines()
    assert "= (−0.9297) · 0.2488 (0.7 · 0.2486 · 0.2 + (−0.5) · 0.232 · 0.4)" in text
    assert "f¹′(u¹₀) = o (1 − o)" in text


def test_the_slides_of_the_net_in_matrices():
    """B6, in numerator layout, with every shape."""
    found = explain(net_of_matrices, ["x", "W^0"], language="en")
    assert first_line(found) == "∂L/∂x = ∂L/∂o f¹′ W¹ f⁰′(u⁰) W⁰"
    assert first_line(found, 1) == "∂L/∂W⁰ = x (∂L/∂o f¹′ W¹ f⁰′(u⁰))"
    assert found.parts[0].lines[0].shapes == ["(1×2)", "(1×1)", "(1×1)", "(1×2)", "(2×2)", "(2×2)"]
    assert found.parts[1].lines[0].shapes == ["(2×2)", "(2×1)", "(1×1)", "(1×1)", "(1×2)", "(2×2)"]
    assert "f⁰′(u⁰) = diag(o⁰ (1 − o⁰))" in found.text()


def test_both_slides_give_the_same_number():
    neurons, matrices = explain(net_of_neurons, "x[1]"), explain(net_of_matrices, "x")
    assert neurons.parts[0].lines[0].value == pytest.approx(matrices.parts[0].lines[0].value[0, 1], rel=1e-6)


def test_a_wider_net_comes_out_by_the_same_rule():
    """Two inputs, three hidden neurons: three terms in the brackets, and no name or shape is known to `explain`."""
    x1, x2 = leaf(0.3), leaf(-0.7)
    w = [leaf(value) for value in (0.2, -0.1, 0.5)]
    v = [leaf(value) for value in (0.4, 0.3, -0.6)]
    h = [ichikara.tanh(w[i] * x1 + x2) for i in range(3)]
    s = v[0] * h[0] + v[1] * h[1] + v[2] * h[2]
    assert first_line(explain(s, x1)) == (
        "∂s/∂x₁ = v₀ tanh′(w₀ x₁ + x₂) w₀ + v₁ tanh′(w₁ x₁ + x₂) w₁ + v₂ tanh′(w₂ x₁ + x₂) w₂"
    )


RANDOM = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a graph is not made smaller in a useful time
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

# --- random graphs -------------------------------------------------------------------------------------------

UNARY = ("sin", "cos", "tanh", "sigmoid", "exp", "square", "relu", "softplus", "silu", "gelu", "abs", "negative", "log")
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "hypot", "pow"]
NUMBERS = st.floats(-1.5, 1.5, width=32).filter(lambda x: abs(x) > 0.01)


@st.composite
def scalar_graphs(draw):
    """A random number made of leaves by operations, and the leaves. Values are used again and again."""
    leaves = [leaf(draw(NUMBERS)) for _ in range(draw(st.integers(1, 3)))]
    values = list(leaves)
    for _ in range(draw(st.integers(1, 14))):
        one = draw(st.sampled_from(values))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if draw(st.booleans()):
                made = getattr(ichikara, draw(st.sampled_from(UNARY)))(one)
            else:
                kinds = st.sampled_from(values) | NUMBERS | NUMBERS.map(asarray)
                made = getattr(ichikara, draw(st.sampled_from(BINARY)))(one, draw(kinds))
        if numpy.isfinite(made.item()) and 1e-3 < abs(made.item()) < 20:
            values.append(made)
    assume(values[-1]._node is not None and values[-1]._node.operation is not None)
    return values[-1], leaves


SHAPES = st.sampled_from([(), (3,), (2, 3), (3, 2), (1, 3), (2, 1), (3, 3), (2, 2, 3)])


@st.composite
def array_graphs(draw):
    """A random number made of arrays: broadcasting, products, sums, slices, and the leaves."""
    rng = numpy.random.default_rng(draw(st.integers(0, 2**32)))
    leaves = [leaf(rng.standard_normal(draw(SHAPES))) for _ in range(draw(st.integers(1, 4)))]
    values = list(leaves)
    for _ in range(draw(st.integers(1, 8))):
        a, b = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        ways = {
            "one": lambda a=a: getattr(ichikara, draw(st.sampled_from(["sin", "sigmoid", "tanh", "relu", "square"])))(
                a
            ),
            "two": lambda a=a, b=b: getattr(ichikara, draw(st.sampled_from(["add", "subtract", "multiply"])))(a, b),
            "constant": lambda a=a: a * asarray(rng.standard_normal(3).astype("float32")) + 0.5,
            "matmul": lambda a=a, b=b: a @ b,
            "sum": lambda a=a: a.sum(axis=draw(st.integers(0, max(0, a.ndim - 1)))),
            "mean": lambda a=a: a.mean(axis=0),
            "slice": lambda a=a: a[draw(st.integers(0, len(a) - 1))],
            "softmax": lambda a=a: ichikara.softmax(a),
            "transpose": lambda a=a: a.mT,
            "reshape": lambda a=a: ichikara.reshape(a, (-1,)),
            "concat": lambda a=a: ichikara.concat([a, a]),
        }
        made = ways[draw(st.sampled_from([*ways, "one", "two", "two", "matmul"]))]
        try:
            value = made()
        except (ValueError, TypeError, IndexError):
            continue  # the shapes do not fit
        if numpy.abs(value.numpy()).max() < 20:
            values.append(value)
    assume(values[-1]._node is not None and values[-1]._node.operation is not None)
    return (values[-1] * values[-1]).mean() if draw(st.booleans()) else values[-1].sum(), leaves


def check(loss, leaves):
    """What `explain` writes, evaluated, is what `backward` leaves in `grad`; every way to write it works."""
    explained = [(x, explain(loss, x, language="en")) for x in leaves if computation(loss).of(x)]
    loss.backward()
    for x, found in explained:
        (part,) = found.parts
        if part.paths == 0:
            assert x.grad is None
            continue
        value = from_layout(part.lines[0].value, x.shape)
        numpy.testing.assert_allclose(value, x.grad.numpy(), rtol=2e-3, atol=2e-4, err_msg=found.text())
        assert all([found.text("ja"), found.latex(), found.html()])
        json.dumps(found.to_dict())


@RANDOM
@given(scalar_graphs())
def test_the_terms_of_numbers_give_the_gradient(graph):
    check(*graph)


@RANDOM
@given(array_graphs())
def test_the_terms_of_arrays_give_the_gradient(graph):
    check(*graph)


def test_a_wrong_rule_is_seen(monkeypatch):
    """So that the tests above cannot pass by comparing the engine with itself: the formula is what is evaluated."""
    x = leaf(0.7)
    y = ichikara.tanh(x)
    monkeypatch.setitem(ichikara.tanh.rules, "x", ichikara.tanh.rules["x"]._replace(function=lambda g, y: g * 0.9))
    (part,) = explain(y, x).parts
    slope = 1 - numpy.tanh(0.7) ** 2
    assert part.lines[0].value == pytest.approx(slope, rel=1e-6)
    assert float(dict(part.checks)["local"]["difference"]) == pytest.approx(0.9 - slope, rel=0.1)


# --- shared parts, and large graphs -----------------------------------------------------------------------------------


def test_a_chain_of_diamonds_is_written_at_once():
    x = leaf(0.3)
    y = x
    for _ in range(60):
        y = y * 0.5 + y.sin() * 0.7
    began = time.perf_counter()
    found = explain(y, x, language="en")
    text = found.text()
    assert found.parts[0].paths == 2**60
    assert len(text) < 10_000
    assert time.perf_counter() - began < 30  # not 10¹⁸ paths
    assert found.parts[0].lines[0].value == pytest.approx(float(found.parts[0].gradient), rel=1e-4)


def test_what_is_used_twice_is_named_once():
    x, w = leaf(0.4), leaf(0.9)
    h = x
    for _ in range(6):
        h = ichikara.tanh(w * h)
    (part,) = explain(h, w).parts
    names = [written(row.name) for row in part.lines]
    assert len(names) == len(set(names)) > 3
    assert part.lines[0].value == pytest.approx(float(part.gradient), rel=1e-5)


def deep(layers=100):
    parts = [part for _ in range(layers) for part in (nn.Linear(6, 6), nn.ReLU())]
    return nn.Sequential(*parts), asarray(numpy.random.default_rng(0).standard_normal((3, 6)).astype("float32"))


def test_a_net_of_a_hundred_layers_is_folded():
    ichikara.seed(0)
    net, x = deep()

    def f():
        loss = (net(x) ** 2).mean()
        return loss

    for found in (explain(f, "net.0.weight"), explain(f(), net[0].weight)):
        (part,) = found.parts
        assert len(part.folded) > 2
        assert len(found.text()) < 6000
        numpy.testing.assert_allclose(from_layout(part.lines[0].value, (6, 6)), part.gradient, atol=1e-6)
    unfolded = explain(f, "net.0.weight", unfold="net.4", language="en").text()
    assert "net.4.weight" in unfolded


def test_shared_weights_and_a_long_sequence():
    ichikara.seed(0)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.head = nn.LSTM(2, 4), nn.Linear(4, 1)

        def forward(self, x):
            y, _ = self.lstm(x)
            return self.head(y[-1])

    model, x = Model(), asarray(numpy.random.default_rng(0).standard_normal((50, 2, 2)).astype("float32"))

    def f():
        loss = (model(x) ** 2).mean()
        return loss

    of_loss = explain(f(), model.lstm.weight_hh_l0)  # of which no modules are known, but by their parameters
    for found, most in ((explain(f, "model.lstm.weight_hh_l0"), 4000), (of_loss, 20_000)):
        (part,) = found.parts
        assert any("lstm" in name for name in part.folded)
        assert len(found.text()) < most
        numpy.testing.assert_allclose(from_layout(part.lines[0].value, (16, 4)), part.gradient, atol=1e-6)


def test_a_step_over_a_sum_is_the_identity_and_the_rest():
    x, w = leaf([0.5, -0.2]), leaf([[0.1, 0.2], [0.3, 0.4]])
    y = x + w @ ichikara.tanh(w @ x)
    loss = y.sum()
    assert first_line(explain(loss, x)).endswith("(I + w tanh′ w)")


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_are_written_as_the_lecture_writes_them():
    for name in ("w1_00", "w^1_{00}", "w1[0][0]"):
        assert written(symbol_of(name)) == "w¹₀₀"
    assert written(symbol_of("x[1]")) == written(symbol_of("x1")) == "x₁"
    assert written(symbol_of("eta")) == "η"
    assert written(symbol_of("net.0.weight")) == "net.0.weight"


def test_a_given_name_comes_before_the_variables():
    a = named("w_00", leaf(2.0))
    b = named("u", a * 3.0)
    y = b * b
    assert first_line(explain(y, a)) == "∂y/∂w₀₀ = 6 u"


def test_names_come_from_containers_modules_and_letters():
    p = {"w": leaf(1.5), "b": [leaf(0.5)]}
    y = p["w"] * p["b"][0] * leaf(2.0)
    assert first_line(explain(y, p["w"])) == "∂y/∂w = a b₀"
    layer = nn.Linear(2, 1)
    loss = layer([[1.0, 2.0]]).sum()
    assert "layer.weight" in first_line(explain(loss, layer.weight))


def test_a_function_names_its_own_variables():
    def f():
        weight = leaf(2.0)
        hidden = ichikara.tanh(weight * 3.0)
        result = hidden * hidden
        return result

    assert first_line(explain(f, "weight")) == "∂result/∂weight = 6 hidden tanh′(3 weight)"


# --- the trace --------------------------------------------------------------------------------------------------------


def test_a_trace_knows_modules_calls_and_lines():
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    with trace() as seen:
        net(net(asarray([[1.0, 2.0]])))
    found = [(a.operation.name, a.scope.name, a.scope.call) for a in seen.applications]
    assert found == [("linear", "0", 1), ("tanh", "1", 1), ("linear", "0", 2), ("tanh", "1", 2)]
    assert "test_explain.py:" in str(seen.applications[0].line)


def test_a_trace_takes_composed_functions_apart():
    with trace() as seen:
        nn.LSTM(2, 3)(asarray(numpy.zeros((4, 1, 2), "float32")))
    assert {a.scope.path[-1].name for a in seen.applications} >= {"lstm"}
    assert sum(a.operation.name == "tanh" for a in seen.applications) == 8


def test_paths_are_counted_and_not_walked():
    x = leaf(1.0)
    y = x
    for _ in range(200):
        y = y + y * 0.1
    whole = computation(y)
    assert Paths(whole, whole.of(x)).count == 2**200


# --- what cannot be explained -----------------------------------------------------------------------------------------


def test_a_freed_graph_is_answered_with_retain_graph():
    x = leaf(2.0)
    y = x * x
    y.backward()
    with pytest.raises(UserError, match="retain_graph=True"):
        explain(y, x)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda x: explain(x * x, "nothing"), "nothing in this computation is called 'nothing'"),
        (lambda x: explain(asarray(1.0)), "nothing that requires a gradient"),
        (lambda x: explain(x * asarray([1.0, 2.0]), x), "a single number"),
        (lambda x: explain(x * x, leaf(1.0)), "no path"),
        (lambda x: explain(lambda: 3), "the Tensor that is to be explained"),
        (lambda x: explain(x * x, x, unfold="net"), "there is no module 'net'"),
    ],
)
def test_what_cannot_be_explained_is_said(ask, message):
    with pytest.raises(UserError, match=message):
        ask(leaf(2.0))


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_explains_the_lectures_net(run):
    status, out, _ = run("explain", "--lang", "en")
    assert status == 0
    assert "∂L/∂x₁ = ∂L/∂o · f¹′(u¹₀)(w¹₀₀ f⁰′(u⁰₀) w⁰₀₁ + w¹₀₁ f⁰′(u⁰₁) w⁰₁₁)" in out
    assert "による微分" in run("explain", "--lang", "ja")[1]


def test_the_command_explains_a_function_in_a_file(run, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import ichikara\n\ndef loss():\n"
        "    x = ichikara.asarray(3.0, requires_grad=True)\n    y = x * x\n    return y\n"
    )
    status, out, _ = run("explain", f"{file}:loss", "--wrt", "x", "--json")
    assert status == 0
    (part,) = json.loads(out)["parts"]
    assert part["lines"][0]["text"] == "∂y/∂x = 2 x"
    assert part["lines"][0]["value"] == 6.0
    page = tmp_path / "page.html"
    assert run("explain", f"{file}:loss", "--html", page)[0] == 0
    assert "<math" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "function", "message"),
    [
        ("def loss(): pass", "lost", "did you mean 'loss'"),
        ("x = (", "loss", "line 1"),
        ("import nothing_there", "loss", "line 1: ModuleNotFoundError"),
        ("def loss(): return 1 / 0", "loss", "line 1: ZeroDivisionError"),
        ("def loss(): return 1", "loss", "the Tensor that is to be explained"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(run, tmp_path, text, function, message):
    file = tmp_path / "mine.py"
    file.write_text(text)
    status, out, err = run("explain", f"{file}:{function}")
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_the_command_explains_a_recipe(run):
    status, out, _ = run("explain", "two-layer", "--lang", "en")
    assert status == 0
    assert "σ(a) − b" in out  # what is left of a sigmoid and its cross-entropy


def test_a_function_with_a_name_of_the_user_s_is_evaluated():
    f = named("f", ichikara.tanh)
    x, w = leaf(0.5), leaf(2.0)
    y = f(f(w * x) * x) * f(x) + x
    said = explain(y, x, language="en")
    y.backward()
    assert said.parts[0].lines[0].value == pytest.approx(float(x.grad), rel=1e-6)
    assert "f′(w x)" in said.text()
