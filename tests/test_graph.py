"""The graph of a computation: its values and gradients are the engine's, modules fold, and boxes do not overlap."""

import itertools
import json
import re

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ichikara
from ichikara import nn
from ichikara.charts import short_text
from ichikara.errors import UserError
from ichikara.glass import lecture
from ichikara.glass.graphs import graph, mermaid
from ichikara.glass.lecture import net_of_matrices, net_of_neurons
from ichikara.glass.naming import named

RNG = numpy.random.default_rng(0)


def leaf(value, name=""):
    tensor = ichikara.asarray(value, requires_grad=True)
    return named(name, tensor) if name else tensor


def array(*shape):
    return ichikara.asarray(RNG.standard_normal(shape))


def boxes(chart):
    return chart.marks[0].vertices


def box(chart, text):
    found = [vertex for vertex in boxes(chart) if vertex.text == text]
    assert len(found) == 1, [vertex.text for vertex in boxes(chart)]
    return found[0]


def check_layout(chart):
    """No two boxes with their texts overlap, and edges connect boxes that there are."""
    mark = chart.marks[0]
    names = {vertex.name for vertex in mark.vertices}
    assert len(names) == len(mark.vertices)
    assert all({edge.source, edge.target} <= names for edge in mark.edges)
    sizes = [(v.x, v.y, *v.outer_size(mark.direction)) for v in mark.vertices]
    for (x, y, w, h), (other_x, other_y, other_w, other_h) in itertools.combinations(sizes, 2):
        assert abs(x - other_x) >= (w + other_w) / 2 - 1e-6 or abs(y - other_y) >= (h + other_h) / 2 - 1e-6
    json.dumps(chart.to_dict(), allow_nan=False)


def test_the_lecture_net():
    chart = graph(net_of_neurons, steps=False)
    check_layout(chart)
    names = ["x₀", "x₁", "w⁰₀₀", "w⁰₀₁", "w⁰₁₀", "w⁰₁₁", "w¹₀₀", "w¹₀₁"]
    assert {*names, "u⁰₀", "o⁰₀\nf⁰", "u¹₀", "o\nf¹", "L"} <= {vertex.text for vertex in boxes(chart)}
    w0, w1, x, target = lecture.HIDDEN, lecture.OUTPUT, lecture.INPUTS, lecture.TARGET
    sigmoid = lambda u: 1 / (1 + numpy.exp(-u))
    hidden = [sigmoid(w0[i][0] * x[0] + w0[i][1] * x[1]) for i in range(2)]
    out = sigmoid(w1[0] * hidden[0] + w1[1] * hidden[1])
    back = 2 * (out - target) * out * (1 - out)
    assert box(chart, "L").value == short_text((out - target) ** 2)
    assert box(chart, "u¹₀").gradient == short_text(back)
    assert box(chart, "w¹₀₁").gradient == short_text(back * hidden[1])
    first = back * w1[0] * hidden[0] * (1 - hidden[0])
    assert box(chart, "w⁰₀₁").value == short_text(w0[0][1])
    assert box(chart, "w⁰₀₁").gradient == short_text(first * x[1])
    edges = {(edge.source, edge.target) for edge in chart.marks[0].edges}
    assert (box(chart, "w⁰₀₁").name, box(chart, "u⁰₀").name) in edges
    assert (box(chart, "w⁰₀₁").name, box(chart, "u⁰₁").name) not in edges


def test_the_lecture_net_in_matrices():
    chart = graph(net_of_matrices, steps=False)
    check_layout(chart)
    assert {"x", "W⁰", "u⁰\n@", "o⁰\nf⁰", "W¹"} <= {vertex.text for vertex in boxes(chart)}
    assert box(chart, "W⁰").value.startswith("2×2  ‖")


def test_what_is_not_computed_is_absent():
    chart = graph(net_of_neurons, gradients=False)
    assert all(vertex.gradient == "" for vertex in boxes(chart))
    chart = graph(net_of_neurons)
    target = box(chart, "y")  # no gradient flows to a constant
    assert (target.kind, target.value, target.gradient) == ("input", "1", "")
    assert [edge.dashed for edge in chart.marks[0].edges if edge.source == target.name] == [True]


@st.composite
def computations(draw):
    """Numbers combined at random by sums, products and functions."""
    values = [leaf(draw(st.floats(-2, 2))) for _ in range(draw(st.integers(1, 4)))]
    leaves = list(values)
    for _ in range(draw(st.integers(1, 10))):
        one, other = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        kind = draw(st.sampled_from(["add", "multiply", "tanh", "subtract", "constant"]))
        if kind == "tanh":
            values.append(ichikara.tanh(one))
        elif kind == "constant":
            values.append(one * draw(st.floats(-2, 2)))
        else:
            values.append(getattr(ichikara, kind)(one, other))
    return values[-1], leaves


@settings(deadline=None, max_examples=40)
@given(computations(), st.booleans())
def test_gradients_are_the_engines_and_sums_over_edges(computation, steps):
    loss, leaves = computation
    if loss._node is None or loss in leaves:
        return
    chart = graph(loss, local=True, steps=steps)
    check_layout(chart)
    number = lambda text: float(text.translate(str.maketrans("−", "-")))
    plain = {v.name: v for v in boxes(chart) if re.fullmatch("−?[0-9.]+", v.gradient)}
    used = [edge for edge in chart.marks[0].edges if not edge.dashed]
    for name, vertex in plain.items():
        onwards = [edge for edge in used if edge.source == name]
        if onwards and all(e.target in plain and re.fullmatch("−?[0-9.]+", e.label) for e in onwards):
            parts = [number(edge.label) * number(plain[edge.target].gradient) for edge in onwards]
            assert number(vertex.gradient) == pytest.approx(sum(parts), abs=0.02 * sum(map(abs, parts)) + 1e-9)
    loss.backward()
    shown = sorted(vertex.gradient for vertex in boxes(chart) if vertex.kind == "parameter")
    assert shown == sorted(short_text(float(tensor.grad)) for tensor in leaves if tensor.grad is not None)


def test_a_product_of_a_number_with_itself_has_two_edges():
    x = leaf(3.0)
    edges = graph(x * x, local=True).marks[0].edges
    assert [edge.label for edge in edges] == ["3", "3"]
    assert edges[0].points != edges[1].points


def test_a_box_of_several_operations_has_one_edge_from_each_input():
    x = leaf(1.0)
    drawn = graph((x + x) + x, local=True, steps=False)
    assert [edge.label for edge in drawn.marks[0].edges] == ["3"] == [box(drawn, "x").gradient]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, x):
        return x + self.fc2(ichikara.relu(self.fc1(x)))


def test_modules_fold_and_unfold():
    net = nn.Sequential(Block(), Block())
    inputs, targets = array(5, 4), array(5, 4)
    loss = lambda: ichikara.mse_loss(net(inputs), targets)
    folded = graph(loss, depth=0)
    assert [vertex.text for vertex in boxes(folded)] == ["inputs", "net\nSequential", "targets", "mse_loss"]
    assert [vertex.kind for vertex in boxes(folded)] == ["input", "module", "target", "output"]
    half = graph(loss, depth=2)
    assert [group.text for group in half.marks[0].groups] == ["net  Sequential", "0  Block", "1  Block"]
    assert sum(vertex.kind == "module" for vertex in boxes(half)) == 4
    check_layout(half)
    whole = graph(loss, depth=3, unfold=["mse_loss"])
    check_layout(whole)
    assert sum(vertex.kind == "parameter" for vertex in boxes(whole)) == 8
    assert {"weight", "bias", "linear", "mean"} <= {vertex.text for vertex in boxes(whole)}
    groups = {group.text: group for group in whole.marks[0].groups}
    outer = groups["net  Sequential"]
    for group in (groups["0  Block"], groups["1  Block"]):
        assert abs(group.x - outer.x) <= (outer.width - group.width) / 2
        assert abs(group.y - outer.y) <= (outer.height - group.height) / 2


def test_a_folded_module_has_the_gradient_of_its_output():
    net = nn.Linear(3, 2)
    inputs = array(4, 3)
    output = []

    def loss():
        output.append(net(inputs))
        return (output[0] ** 2).sum()

    chart = graph(loss, depth=0)
    norm = short_text(float(numpy.linalg.norm(2 * output[0].numpy())))
    assert box(chart, "net\nLinear").gradient == f"‖{norm}‖"


def test_parameters_of_several_calls_share_a_box():
    cell = nn.LSTMCell(4, 5)
    inputs = array(3, 2, 4)

    def loss():
        state = None
        for t in range(3):
            state = cell(inputs[t], state)
        return state[0].sum()

    chart = graph(loss, depth=0)
    check_layout(chart)
    shared = [vertex for vertex in boxes(chart) if vertex.kind == "parameter"]
    assert sorted(line for vertex in shared for line in vertex.text.split("\n")) == [
        "cell.bias_hh", "cell.bias_ih", "cell.weight_hh", "cell.weight_ih",
    ]  # fmt: skip
    assert {"cell\nLSTMCell", "cell (2)\nLSTMCell", "cell (3)\nLSTMCell"} <= {vertex.text for vertex in boxes(chart)}


def test_many_calls_of_a_module_are_one_box():
    cell, head = nn.LSTMCell(4, 5), nn.Linear(5, 4)
    inputs = array(50, 2, 4)

    def loss():
        state = None
        for t in range(50):
            state = cell(inputs[t], state)
        return head(state[0]).sum()

    assert [vertex.text for vertex in boxes(graph(loss))] == ["inputs", "cell ×50\nLSTMCell", "head\nLinear", "sum"]

    def fed_back():
        state, x = None, inputs[0]
        for _ in range(20):
            state = cell(x, state)
            x = head(state[0])
        return x.sum()

    assert len(boxes(graph(fed_back))) > 40  # each call needs what came of the one before: they stay apart


def test_scalars_of_a_small_net():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    inputs, target = ichikara.asarray([0.5, -1.0]), ichikara.asarray([0.0])
    net[0].weight.data, net[0].bias.data = numpy.array([[1.0, 0.0], [0.0, 1.0]]), numpy.zeros(2)
    loss = lambda: ichikara.mse_loss(net(inputs), target)
    chart = graph(loss, view="scalars", local=True)
    check_layout(chart)
    first = box(chart, "weight₁₀")
    loss().backward()
    assert first.gradient == short_text(float(net[0].weight.grad.numpy()[1, 0])) == "0"
    linear = [vertex for vertex in boxes(chart) if vertex.text == "linear"]
    relu = [vertex for vertex in boxes(chart) if vertex.text == "relu"]
    edges = {(edge.source, edge.target): edge for edge in chart.marks[0].edges}
    assert [(a.name, b.name) in edges for a in linear[:2] for b in relu] == [True, False, False, True]
    assert [edges[a.name, b.name].label for a, b in zip(linear, relu, strict=False)] == [
        "1",
        "0",
    ]  # the second is silent
    assert edges[box(chart, "inputs₀").name, linear[1].name].label == "0"  # a weight of 0 is an edge nevertheless
    with pytest.raises(UserError, match="look at its matrices"):
        graph(lambda: nn.Linear(20, 20)(array(20)).sum(), view="scalars")


def test_both_forms_of_the_lecture_net_have_the_same_numbers():
    one, other = graph(net_of_neurons, steps=False), graph(net_of_matrices, view="scalars")
    for text in ("x₀", "x₁"):
        assert (box(one, text).value, box(one, text).gradient) == (box(other, text).value, box(other, text).gradient)
    assert box(one, "w⁰₁₀").gradient == box(other, "W⁰₁₀").gradient
    assert box(one, "o⁰₁\nf⁰").gradient == box(other, "o⁰₁\nf⁰").gradient


def test_lines_of_the_code():
    x = leaf([1.0, 2.0])
    chart = graph(lambda: (x * x).sum())
    lines = {vertex.line.rpartition(":")[0][-13:] for vertex in boxes(chart) if vertex.kind != "parameter"}
    assert lines == {"test_graph.py"}


def test_mermaid():
    net = nn.Linear(2, 1)
    inputs = array(3, 2)
    text = mermaid(lambda: (net(inputs) - 1.0).sum(), depth=1)
    assert text.startswith("flowchart LR\n")
    assert 'subgraph s0["net  Linear"]' in text
    assert text.count("subgraph") == text.count("\n  end") == 1
    assert re.search(r'v\d+\["weight<br>1×2  ‖[\d.]+‖<br>∂ ‖[\d.]+‖"\]', text)
    assert len(re.findall(r"-\.->", text)) == 2  # of the inputs and the constant
    names = re.findall(r"^ *(v\d+)\W", text, re.MULTILINE)
    assert {word for line in text.splitlines() if "->" in line for word in re.findall(r"v\d+", line)} <= set(names)


def test_a_freed_graph_is_answered():
    x = leaf(2.0)
    loss = x * x
    loss.backward()
    with pytest.raises(UserError, match="retain_graph"):
        graph(loss)


def test_what_cannot_be_unfolded_is_said():
    net = nn.Sequential(nn.Linear(2, 2))
    inputs = array(3, 2)
    loss = lambda: net(inputs).sum()
    assert "weight" in {vertex.text for vertex in boxes(graph(loss, depth=0, unfold="net.0"))}
    with pytest.raises(UserError, match=r"did you mean 'net\.0'"):
        graph(loss, unfold="net.00")


def test_the_words_are_in_two_languages():
    x = leaf([1.0, 2.0, 3.0, 4.0])
    chart = graph((x * x).sum(), language="ja")
    assert chart.caption == "箱の上に値、箱の下に結果の勾配を書いています。配列は形とノルムで表します。"
    assert "演算は2個" in chart.alt
    assert "operations: 2; leaves: 1; result: 30." in graph((x * x).sum()).alt
