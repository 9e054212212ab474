"""Tables of the user's: what is decided about one, and that a prediction reads as the training did."""

import re

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ichikara.data import load_csv, load_npz, load_text
from ichikara.errors import UserError
from ichikara.recipes import load_recipe

RECIPE = """
[data]
name = "csv"
path = "table.csv"
{}
[model]
name = "mlp"
hidden = [4]
[optimizer]
name = "Adam"
[training]
epochs = 1
"""


@pytest.fixture
def write(tmp_path):
    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def train(run, write, monkeypatch):
    """Train by a table for an epoch into the folder r, and return what was printed."""
    monkeypatch.setattr("ichikara.recipes.run._report", lambda *_: None)  # which has tests of its own

    def train(table, options="", *words):
        write(table)
        write(RECIPE.format(options), "mine.toml")
        status, _, err = run("train", "mine.toml", "--out", "r", "--set", "baseline=false", *words)
        return status, err

    return train


def table(names, rows, order, delimiter=","):
    """The text of a table with its columns in an order; names may be None for a table without a header."""
    lines = [*([] if names is None else [names]), *rows]
    return "".join(delimiter.join(line[i] for i in order) + "\n" for line in lines)


ROWS = [[f"{i + 0.5}", f"{0.1 * i * i + 0.01:.3f}", "xy"[i % 2]] for i in range(10)]


# What a prediction reads


@pytest.mark.parametrize(
    ("names", "delimiter", "options"),
    [
        (["a", "b", "kind"], ",", ""),
        (["a", "b", "kind"], ";", 'delimiter = ";"'),
        (["a", "b", "kind"], "\t", 'delimiter = "\\t"'),
        (["2019", "2020", "kind"], ",", ""),
        (["2019", "2020", "2021"], ",", "header = true"),
    ],
)
def test_columns_are_found_by_name(run, train, write, names, delimiter, options):
    status, err = train(table(names, ROWS, (0, 1, 2), delimiter), f'{options}\ntarget = "{names[2]}"')
    assert status == 0, err
    wanted = run("predict", "r", "table.csv", "--json")
    assert wanted[1].count("class") == len(ROWS), wanted
    names, rows = [*names, "note", "9"], [[*row, "?", "9"] for row in ROWS]  # others are not even numbers
    for order in ((2, 0, 1), (4, 1, 2, 0, 3), (1, 0)):
        write(table(names, rows, order, delimiter), "ask.csv")
        assert run("predict", "r", "ask.csv", "--json")[1] == wanted[1]
    write(table(names, ROWS, (2, 1), delimiter), "ask.csv")
    status, _, err = run("predict", "r", "ask.csv")
    assert status == 2
    assert f"lacks the columns {names[0]}; it has {names[2]}, {names[1]}" in err


@pytest.mark.parametrize("trained", [["a", "b", "kind"], None])
def test_a_table_without_a_header_is_taken_by_place_if_the_counts_agree(run, train, write, trained):
    assert train(table(trained, ROWS, (0, 1, 2)))[0] == 0
    wanted = run("predict", "r", "table.csv", "--json")[1]
    for order in ((0, 1, 2), (0, 1)):
        write(table(None, ROWS, order), "ask.csv")
        status, out, err = run("predict", "r", "ask.csv", "--json")
        assert (status, out) == (0, wanted)
        assert ("has no header; its columns are taken in this order: a, b" in err) == (trained is not None)
    write(table(None, [[*row, "1"] for row in ROWS], (0, 1, 2, 3)), "ask.csv")
    status, _, err = run("predict", "r", "ask.csv")
    assert status == 2
    assert "has 4 columns" in err
    assert "needs 2" in err


def test_where_names_are_numbers_an_example_is_not_taken_for_them(run, train, write):
    assert train(table(["2019", "2020", "kind"], ROWS, (0, 1, 2)))[0] == 0
    write("2017,2018\n1.5,2.5\n", "ask.csv")
    status, _, err = run("predict", "r", "ask.csv")
    assert status == 2
    assert "the first line has none of the columns 2019, 2020" in err


def test_a_table_that_changed_is_not_evaluated(run, train, write):
    assert train(table(["a", "b", "kind"], ROWS, (0, 1, 2)), "", "--set", "split.test=0.2")[0] == 0
    write(table(["a", "b", "kind"], [[*row[:2], row[2].replace("x", "z")] for row in ROWS], (0, 1, 2)))
    status, _, err = run("evaluate", "r")
    assert status == 2
    assert "has changed since r was trained: the target has other classes: y, z" in err
    write(table(["a", "c", "kind"], ROWS, (0, 1, 2)))
    assert "its columns are others (without b, with c)" in run("evaluate", "r")[2]
    write(table(["a", "b", "kind"], ROWS, (0, 1, 2)))
    assert run("evaluate", "r")[0] == 0


# Whether the first line is a header


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("2019,2020,kind\n6.5,2.5,a\n3.5,0.5,b\n4.5,1.5,a\n1.5,2.5,b\n", ("2019", "2020")),
        ("0,1,2\n6.5,2.5,0\n3.5,0.5,1\n4.5,1.5,0\n1.5,2.5,1\n", ("0", "1")),  # as pandas numbers columns
        ("label,0,1,2,3,4\na,0,7,7,0,0\nb,0,8,7,0,0\na,0,7,7,0,0\nb,0,7,7,0,0\n", ("label", "0", "1", "2", "3")),
        ("2019,2020,kind\n6,2,a\n3,0,b\n4,1,a\n1,2,b\n", None),  # or an example of a class of its own
        ("?,5,0\n3.5,4.5,1\n2.5,2.5,0\n", ()),  # a gap is no name
        ("1990,1991\n1.5,2.5\n3.5,4.5\n", None),
        ("x,2\n1,2\n3,4\n", None),
        ("6.07,2.27,rare\n3.5,0.7,b\n4.1,1.2,a\n4.1,1.2,b\n4.1,1.2,a\n", ()),  # names have no fractions
        ("1,red\n2,blue\n", ()),
        ("0,0,0\n0,1,1\n1,0,1\n1,1,0\n", ()),
        ("1,2,3\n4,5,6\n7,8,9\n", ()),
        ("5,3,1,0\n5.1,3.5,1.4,0\n4.9,3,1.4,1\n4.7,3.2,1.3,1\n", ()),
    ],
)
def test_a_first_line_with_numbers(write, text, names):
    path, target = write(text), 0 if text.startswith("label") else -1
    if names is None:
        with pytest.raises(UserError, match=r"can hold the names of the columns or an example.*header=True"):
            load_csv(path, target)
        return
    if not names:
        try:
            data = load_csv(path, target)
        except UserError as error:
            assert "is not a number" in str(error)  # the line was taken for an example  # noqa: PT017
            return
        assert (len(data), data.table.header) == (text.count("\n"), False)
        return
    data = load_csv(path, target)
    expected = names if target else names[1:]
    assert (data.input_names[: len(expected)], len(data)) == (expected, text.count("\n") - 1)


cells = st.floats(-1e4, 1e4).map(lambda x: f"{x:.3f}") | st.integers(-99, 99).map(str)
tables = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.tuples(*[cells] * width), min_size=4, max_size=9).map(
        lambda rows: [(*row, "ab"[i % 2]) for i, row in enumerate(rows)]
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(tables)
def test_no_example_is_taken_for_a_header(write, rows):
    try:
        data = load_csv(write("".join(",".join(row) + "\n" for row in rows)))
    except UserError as error:
        assert "or an example" in str(error)  # noqa: PT017
        return
    assert len(data) == len(rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(tables, st.sampled_from([0, 1, 1990, 2024]), st.sampled_from(["kind", ""]))
def test_no_header_of_numbers_is_taken_for_an_example(write, rows, start, last):
    width = len(rows[0]) - 1
    names = [*(str(start + i) for i in range(width)), last or str(start + width)]
    try:
        data = load_csv(write("".join(",".join(row) + "\n" for row in [names, *rows])))
    except UserError as error:
        assert "or an example" in str(error) or "holds the number" in str(error)  # noqa: PT017
        return
    # A number among numbers is an example to any reader; the label among the labels never is.
    assert len(data) == len(rows)


# Numbers that float32 cannot tell apart


@pytest.mark.parametrize("first", [2**24, 10**9, 9007199254740993, 10**30])
@pytest.mark.parametrize("target", ["id", "y"])
def test_ids_that_become_one_number_are_refused(write, first, target):
    path = write("id,y\n" + "".join(f"{first + i},{0.5 * i}\n" for i in range(30)))
    with pytest.raises(UserError, match=r"column 'id': \d+ in line \d+ and \d+ in line \d+ are the same number"):
        load_csv(path, target, task="regression")


@pytest.mark.parametrize("kind", ["int64", "uint64", "float64"])
def test_ids_in_an_array_are_refused(tmp_path, kind):
    ids = numpy.arange(2**30, 2**30 + 40, dtype=kind)
    numpy.savez(tmp_path / "a.npz", x=numpy.stack([ids * 0, ids], axis=1), y=numpy.arange(40) % 2)
    with pytest.raises(UserError, match=r"inputs hold 1073741824(\.0)? and 1073741825(\.0)? at row 1, column 1"):
        load_npz(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "numbers",
    [
        numpy.arange(2**24 - 50, 2**24),
        numpy.arange(50) * 86400 + 1_600_000_000,  # days, in seconds
        numpy.random.default_rng(0).random(2000),  # digits that are lost are noise
        numpy.repeat(2**30, 50),
        10.0 ** numpy.arange(-30, 30),
    ],
    ids=["below", "days", "random", "constant", "powers"],
)
def test_numbers_that_keep_what_tells_them_apart_are_read(write, numbers):
    data = load_csv(write("x,y\n" + "".join(f"{x!s},{i / 2}\n" for i, x in enumerate(numbers.tolist()))))
    numpy.testing.assert_array_equal(data.inputs[:, 0], numbers.astype("float32"))


# Shapes and classes


@pytest.mark.parametrize("labels", [[[0], [1], [0], [1]], [["no"], ["yes"], ["no"], ["yes"]], [[0.0], [1.0]] * 2])
@pytest.mark.parametrize("classes", [None, ["no", "yes"]])
def test_labels_in_a_column_are_labels(tmp_path, labels, classes):
    options = {} if classes is None else {"classes": classes}
    numpy.savez(tmp_path / "a.npz", x=numpy.ones((4, 3)), y=labels, **options)
    data = load_npz(tmp_path / "a.npz", task="classification")
    assert data.targets.tolist() == [0, 1, 0, 1]


def test_labels_that_are_none(tmp_path):
    numpy.savez(tmp_path / "a.npz", x=numpy.ones((4, 3)), y=numpy.eye(4, dtype=int))
    with pytest.raises(UserError, match=r"shape \(4, 4\).*y.argmax\(axis=1\)"):
        load_npz(tmp_path / "a.npz")
    numpy.savez(tmp_path / "a.npz", x=numpy.ones((4, 3)), y=[1, 1, 1, 1])
    with pytest.raises(UserError, match="every example has the class '1'"):
        load_npz(tmp_path / "a.npz")


# What is said to whom


@pytest.mark.parametrize(
    ("text", "options", "words", "said"),
    [
        (table(None, ROWS[:1] * 4, (0, 1, 2)), "", [], "every line has the class 'x'.*data.target = "),
        ("a,b,kind\n" + "1,2,x\n3,4,y\n" * 5 + "5,6,z\n", "", [], "class 'z' has 1 member.*split.stratify = false"),
        ("x,2\n1,2\n3,4\n", "", [], "data.header = true.*data.header = false"),
        ("a;kind\n1;x\n2;y\n", "", [], "data.delimiter = "),
        ("a,b\n1,0.5\n2,ten\n", "", [], 'data.task = "classification"'),
        ("kind,b\nx,1.5\ny,2.5\nx,3.5\ny,4.5\n", "", [], """'kind' holds words.*data.target = "kind"$"""),
        (
            "a,y\n" + "".join(f"1,{i}\n" for i in range(25)),
            "",
            [],
            "column 'y'.*quantities .from 0 to 24.*data.task = \"classif",
        ),
        ("a,y\n" + "1,0.0\n1,1.0\n" * 5, "", [], "column 'y'.*quantities.*data.task = .*data.target.*loss.name"),
        ("0,1.5\n1,2.5\n" * 5, "", [], r"data.target \(column 1\)"),
        ("a,b\n1,2\n", 'delimiter = "::"', [], "data.delimiter is a single character"),
        ("a,b\n1,2\n", 'task = "regresion"', [], "data.task 'regresion'; did you mean 'regression'"),
        ("a,kind\n1,x\n2,y\n", "", ["--set", "split.test=0.9"], "split.validation 0.2 and split.test 0.9"),
    ],
)
def test_a_recipes_user_hears_of_recipe_keys(train, text, options, words, said):
    status, err = train(text, options, *words)
    assert status == 2
    assert re.search(said, err.strip()), err
    assert not re.search(r"\w=(True|False|'|\")|\bpass\b", err), err
    for key, value in re.findall(r"((?:data|split)\.\w+) = (\"[^\"]*\"|\w+)", err):
        load_recipe("mine.toml", [f"{key}={value}"])  # which knows the key


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            table(["a", "b", "kind"], ROWS, (0, 1, 2)),
            ["target     column 'kind', 2 classes: x, y", "inputs     2 columns, named in the first line: a, b"],
        ),
        (
            table(None, [[row[0], "01"[i % 2]] for i, row in enumerate(ROWS)], (0, 1)),
            ["column 'column 2', 2 classes: 0, 1 (if they are quantities: data.task = ", "by place, the file has no"],
        ),
        (table(["a", "2020"], ROWS, (0, 1)), ["target     column '2020', quantities from 0.01 to 8.11"]),
    ],
)
def test_the_opening_lines_say_what_was_taken_for_what(train, text, lines):
    loss = ["--set", "loss.name=mse"] if "8.11" in lines[0] else []
    status, err = train(text, "", *loss)
    assert status == 0, err
    for line in lines:
        assert line in err


# Byte-order marks


def test_a_byte_order_mark_is_no_letter(run, write):
    mark = b"\xef\xbb\xbf"
    for text in (mark + b"abab" * 20, mark + mark + b"abab" * 20, b"abab" * 10 + mark + b"abab" * 10):
        train, validation = load_text(write(text, "a.txt"))
        assert (train.classes, len(train), len(validation)) == (("a", "b"), 71, 7)
    data = load_csv(write(mark + b'"a","kind"\n1,x\n2,y\n'))
    assert data.input_names == ("a",)
    write(mark + RECIPE.format("").encode(), "mine.toml")
    assert load_recipe("mine.toml").data.name == "csv"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_other_encodings_are_named_or_refused(write, encoding):
    for read, name in ((load_csv, "a.csv"), (load_text, "a.txt"), (load_recipe, "a.toml")):
        with pytest.raises(UserError, match=r"UTF-16|is no text: byte 1 is zero"):
            read(write("a,b\n1,2\n".encode(encoding), name))
