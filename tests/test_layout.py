"""The layered layout of graphs: boxes apart, edges forward and beside boxes, few crossings."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ichikara.errors import UserError
from ichikara.glass.layout import Link, layout

SIDES = st.floats(0.5, 12)


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 14))
    sizes = {f"v{i}": (draw(SIDES), draw(SIDES)) for i in range(n)}
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=30)) if pairs else []
    places = draw(st.permutations(range(n)))
    return sizes, [(f"v{places[i]}", f"v{places[j]}") for i, j in chosen]


def corners(centre, size):
    return [centre[k] - size[k] / 2 for k in (0, 1)] + [centre[k] + size[k] / 2 for k in (0, 1)]


def inside(a, b, box, slack=1e-6):
    """Whether a straight line from a to b goes through a box."""
    first, last = 0.0, 1.0
    for k in (0, 1):
        low, high, step = box[k] + slack, box[k + 2] - slack, b[k] - a[k]
        if low >= high:
            return False
        if abs(step) < 1e-12:
            if not low < a[k] < high:
                return False
            continue
        enters, leaves = sorted(((low - a[k]) / step, (high - a[k]) / step))
        first, last = max(first, enters), min(last, leaves)
    return first < last


@settings(deadline=None)
@given(graphs(), st.sampled_from(["right", "down"]))
def test_boxes_are_apart_and_edges_lead_forward_beside_them(graph, direction):
    sizes, edges = graph
    found = layout(sizes, edges, direction)
    boxes = {name: corners(found.centres[name], sizes[name]) for name in sizes}
    for a, b in itertools.combinations(boxes.values(), 2):
        assert a[2] <= b[0] + 1e-6 or b[2] <= a[0] + 1e-6 or a[3] <= b[1] + 1e-6 or b[3] <= a[1] + 1e-6
    ahead = 0 if direction == "right" else 1
    for (source, target), way in zip(edges, found.ways, strict=True):
        assert all(a[ahead] <= b[ahead] + 1e-9 for a, b in itertools.pairwise(way))
        assert way[0][ahead] == pytest.approx(boxes[source][ahead + 2])
        assert way[-1][ahead] == pytest.approx(boxes[target][ahead])
        for name, box in boxes.items():
            assert not any(inside(a, b, box) for a, b in itertools.pairwise(way)), (source, target, name)
    assert all(box[0] >= -1e-6 and box[2] <= found.width + 1e-6 for box in boxes.values())
    assert all(box[1] >= -1e-6 and box[3] <= found.height + 1e-6 for box in boxes.values())
    assert found.crossings <= found.crossings_before
    assert layout(sizes, edges, direction) == found


@settings(deadline=None, max_examples=30)
@given(graphs())
def test_the_count_of_crossings_is_right(graph):
    """Pieces of edges that cross in the picture are those that were counted, where no two share a place."""
    sizes, edges = graph
    found = layout(sizes, edges)
    pieces = {(a, b) for way in found.ways for a, b in itertools.pairwise(way) if a[1] != b[1] or len(way) == 2}

    def crosses(p, q):
        (a, b), (c, d) = p, q
        turn = lambda o, s, t: (s[0] - o[0]) * (t[1] - o[1]) - (s[1] - o[1]) * (t[0] - o[0])
        return turn(a, b, c) * turn(a, b, d) < -1e-9 and turn(c, d, a) * turn(c, d, b) < -1e-9

    assert sum(crosses(p, q) for p, q in itertools.combinations(pieces, 2)) <= found.crossings


def test_a_chain_is_a_straight_line():
    sizes = {i: (1 + i % 3, 1 + i % 2) for i in range(9)}
    found = layout(sizes, [(i, i + 1) for i in range(8)])
    assert len({y for _, y in found.centres.values()}) == 1
    assert all(len(way) == 2 for way in found.ways)


def test_crossings_that_can_be_avoided_are_avoided():
    sizes = dict.fromkeys(["a", "b", "c", "x", "y", "z", "end"], (2, 2))
    edges = [("a", "z"), ("b", "y"), ("c", "x"), ("x", "end"), ("y", "end"), ("z", "end")]
    found = layout(sizes, edges)
    assert (found.crossings_before, found.crossings) == (3, 0)


def test_a_residual_connection_goes_around():
    found = layout(dict.fromkeys("xfgy", (2, 2)), [("x", "f"), ("f", "g"), ("g", "y"), ("x", "y")])
    heights = {y for _, y in found.ways[3]}
    assert len(found.ways[3]) == 4
    assert max(heights) - min(heights) >= 1.5


def test_parallel_edges_are_two_lines():
    found = layout({"x": (2, 2), "y": (2, 2)}, [("x", "y"), ("x", "y")])
    assert found.ways[0] != found.ways[1]


def test_ends_of_edges_lie_where_they_are_asked_for():
    found = layout({"x": (2, 2), "y": (4, 6)}, [Link("x", "y", 0.0, 2.0)])
    assert found.ways[0][-1][1] - found.centres["y"][1] == pytest.approx(2.0)
    assert len(found.ways[0]) == 2


def test_what_is_no_layered_graph_is_said():
    with pytest.raises(UserError, match="cycle"):
        layout(dict.fromkeys("ab", (1, 1)), [("a", "b"), ("b", "a")])
    with pytest.raises(UserError, match="no vertex 'c'"):
        layout(dict.fromkeys("ab", (1, 1)), [("a", "c")])
    with pytest.raises(UserError, match="'right' or 'down'"):
        layout({}, [], "left")
    assert layout({}, []).centres == {}


def test_a_thousand_vertices():
    draws = random.Random(0)
    sizes = {i: (draws.uniform(2, 8), 2.0) for i in range(1000)}
    edges = [(draws.randrange(max(0, i - 30), i), i) for i in range(1, 1000) for _ in range(1 + i % 2)]
    found = layout(sizes, edges)
    assert len(found.centres) == 1000
    assert found.crossings < found.crossings_before / 2
