"""CSV and `.npz` files of the user's."""

import contextlib
import csv
import io
import string
import zipfile

import numpy
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ichikara.data import load_csv, load_npz
from ichikara.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


# CSV


def test_words_are_classes(write):
    data = load_csv(write("a,b,kind\n1,2,yes\n3,4,no\n5,6,yes\n"))
    assert data.inputs.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert (data.classes, data.targets.tolist()) == (("no", "yes"), [1, 0, 1])
    assert (data.input_names, data.name, data.task) == (("a", "b"), "table", "classification")


def test_fractions_are_quantities_in_a_column(write):
    data = load_csv(write("a,y\n1,0.5\n3,1.5\n"))
    assert (data.task, data.targets.tolist(), data.classes) == ("regression", [[0.5], [1.5]], None)


@pytest.mark.parametrize(
    ("column", "task"),
    [
        (["0", "1", "1", "0"], "classification"),
        (["3", "3", "10", "10"], "classification"),
        (["1", "2", "3", "4"], "regression"),  # every value once
        ([str(i) for i in range(21)] * 3, "regression"),  # too many values
        ([str(i) for i in range(20)] * 2, "classification"),
        (["0.0", "1.0", "1.0", "0.0"], "regression"),
    ],
)
def test_whole_numbers_are_classes_if_few_and_repeated(write, column, task):
    path = write("x,y\n" + "".join(f"1,{cell}\n" for cell in column))
    assert load_csv(path).task == task
    assert load_csv(path, task="classification").task == "classification"
    assert load_csv(path, task="regression").targets[:, 0].tolist() == [float(cell) for cell in column]


def test_numbered_classes_keep_their_order_and_their_names(write):
    data = load_csv(write("1,10\n2,9\n3,10\n4,9\n"))
    assert (data.classes, data.targets.tolist()) == (("9", "10"), [1, 0, 1, 0])


@pytest.mark.parametrize(
    ("text", "examples"),
    [("a,b\n1,2\n3,4\n", 2), ("1,2\n3,4\n", 2), ("1,red\n2,blue\n", 2), (",b\n1,2\n3,4\n", 2)],
)
def test_a_header_is_detected(write, text, examples):
    assert len(load_csv(write(text), task="classification")) == examples


def test_a_first_line_of_numbers_is_an_example_or_is_asked_about(write):
    path = write("1990,1991\n1.5,2.5\n3.5,4.5\n")
    with pytest.raises(UserError, match=r"\(1990, 1991\) can hold the names of the columns or an example"):
        load_csv(path)
    assert load_csv(path, header=True).input_names == ("1990",)
    assert len(load_csv(path, header=False)) == 3
    assert load_csv(write("1.5,2\n2.5,4\n")).input_names == ("column 1",)


@pytest.mark.parametrize("target", ["kind", 0, -3])
def test_the_target_can_be_any_column(write, target):
    data = load_csv(write("kind,a,b\nx,1,2\ny,3,4\n"), target)
    assert (data.classes, data.input_names, data.inputs.tolist()) == (("x", "y"), ("a", "b"), [[1, 2], [3, 4]])


def test_what_spreadsheets_write_is_read(write):
    data = load_csv(write('\ufeffa;kind\r\n 1.5 ;"one; two"\r\n\r\n-2e3;three\r\n'), delimiter=";")
    assert (data.inputs[:, 0].tolist(), data.classes) == ([1.5, -2000], ("one; two", "three"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,y\n1,2,0\n1,x,1\n", "table.csv, line 3, column 'b': 'x' is not a number"),
        ("a,b,y\n1,2,0\n1,,1\n", "line 3, column 'b': the cell is empty"),
        ("a,b,y\n1,2,0\n,,1\n", "line 3, column 'a': the cell is empty"),
        ("a,b,y\n\n1,nan,0\n", "line 3, column 'b': 'nan' is not a finite number"),
        ("a,b,y\n1,-inf,0\n", "line 2, column 'b': '-inf' is not a finite number"),
        ("a,b,y\n1,1e39,0\n", "'1e39' is too large"),
        ("a,b,y\n1,1_000,0\n", "'1_000' is not a number"),
        ("a,b,y\n1,2,0.5\n1,2,\n", "line 3, column 'y': the cell is empty"),
        ("a,b,y\n1,2,0.5\n1,2,NaN\n", "line 3, column 'y': 'NaN' is not a finite number"),
        ("a,b,y\n1,2,0.5\n1,2,ten\n", "line 2 holds the number '0.5', line 3 the word 'ten'"),
        ("a,b,y\n1,2,0\n1,2\n", "line 3: 2 cells, where 3 are expected"),
        ("a,b,y\n1,2,0,9\n", "line 2: 4 cells, where 3 are expected"),
        ("x,2\n1,2\n", r"first line \(x, 2\) can hold the names.*header=True.*header=False"),
        ("x,2.5\n1,2\n", "line 1, column 'column 1': 'x' is not a number"),
        ("a;b\n1;2\n", "a single column.*delimiter"),
        ("a,a\n1,2\n", "two columns are called 'a'"),
        ("a,b\n", "a header and no lines after it"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        (b"a,b\n\xff,2\n", "not a text in UTF-8"),
        ('a,b\n1,"2\n', "line 2: unexpected end of data"),
    ],
)
def test_each_fault_of_a_table_is_named(write, text, words):
    with pytest.raises(UserError, match=words):
        load_csv(write(text))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "knid"}, "did you mean 'kind'"),
        ({"target": 2}, "2 columns, from 0 to 1; there is no column 2"),
        ({"task": "regresion"}, "did you mean 'regression'"),
        ({"task": "regression"}, "line 2, column 'kind': 'x' is not a number"),
        ({"delimiter": "::"}, "a single character"),
        ({"delimiter": "\n"}, "a single character"),
        ({"header": "yes"}, "header is true or false"),
    ],
)
def test_each_wrong_option_is_named(write, options, words):
    with pytest.raises(UserError, match=words):
        load_csv(write("a,kind\n1,x\n"), **options)


@pytest.mark.parametrize("load", [load_csv, load_npz])
def test_a_missing_file_and_a_folder(load, tmp_path):
    with pytest.raises(UserError, match=r"none.csv: [Nn]o such file"):
        load(tmp_path / "none.csv")
    with pytest.raises(UserError, match="cannot read"):
        load(tmp_path)


floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
labels = st.text(string.ascii_letters + ' ,"éあ-', min_size=1).map(str.strip).filter(lambda word: word.strip('-, "'))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[floats] * width, labels), min_size=1, max_size=8)))
def test_a_written_table_comes_back(write, rows):
    assume(len({row[-1] for row in rows}) > 1)
    text = io.StringIO()
    csv.writer(text).writerows([[*(f"x{i}" for i in range(len(rows[0]) - 1)), "kind"], *rows])
    data = load_csv(write(text.getvalue()), task="classification")
    assert data.inputs.tolist() == [list(row[:-1]) for row in rows]
    assert [data.classes[label] for label in data.targets] == [row[-1] for row in rows]


# .npz


@pytest.mark.parametrize("x", ["x", "X", "inputs"])
@pytest.mark.parametrize("y", ["y", "targets"])
def test_arrays_are_found_by_either_name(tmp_path, x, y):
    numpy.savez(tmp_path / "a.npz", **{x: numpy.ones((2, 3)), y: numpy.array([0.5, 1.5])})
    data = load_npz(tmp_path / "a.npz")
    assert (data.task, data.inputs.shape, data.targets.tolist()) == ("regression", (2, 3), [[0.5], [1.5]])


@pytest.mark.parametrize(
    ("targets", "classes", "labels"),
    [
        (numpy.array([3, 1, 3]), ("1", "3"), [1, 0, 1]),
        (numpy.array([True, False, True]), ("False", "True"), [1, 0, 1]),
        (numpy.array(["b", "a", "b"]), ("a", "b"), [1, 0, 1]),
        (numpy.array([b"b", b"a", b"b"]), ("a", "b"), [1, 0, 1]),
    ],
)
def test_targets_become_classes(tmp_path, targets, classes, labels):
    numpy.savez_compressed(tmp_path / "a.npz", x=numpy.ones((3, 1)), y=targets)
    data = load_npz(tmp_path / "a.npz")
    assert (data.classes, data.targets.tolist()) == (classes, labels)


def test_names_of_classes_can_be_given(tmp_path):
    numpy.savez(tmp_path / "a.npz", x=numpy.ones((2, 1)), y=[0, 2], classes=["cat", "dog", "owl"])
    assert load_npz(tmp_path / "a.npz").classes == ("cat", "dog", "owl")
    numpy.savez(tmp_path / "b.npz", x=numpy.ones((2, 1)), y=[0, 3], classes=["cat", "dog", "owl"])
    with pytest.raises(UserError, match="targets hold 3 at row 1"):
        load_npz(tmp_path / "b.npz")


def test_the_task_can_be_given(tmp_path):
    numpy.savez(tmp_path / "a.npz", x=numpy.ones((2, 1)), y=[0, 1])
    assert load_npz(tmp_path / "a.npz", task="regression").targets.tolist() == [[0.0], [1.0]]
    numpy.savez(tmp_path / "a.npz", x=numpy.ones((2, 1)), y=[0.0, 1.0])
    assert load_npz(tmp_path / "a.npz", task="classification").classes == ("0.0", "1.0")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"x": numpy.ones((2, 1)), "z": numpy.ones(2)}, r"no array of targets.*holds: x \(2, 1\), z \(2,\)"),
        ({"x": numpy.ones(2), "X": numpy.ones(2), "y": numpy.ones(2)}, "several arrays of inputs: x, X"),
        ({}, "holds: nothing"),
        ({"x": numpy.ones((2, 1)), "y": numpy.float32(1)}, "'y' is a single value"),
        ({"x": numpy.ones((2, 1)), "y": numpy.ones(3)}, "2 inputs but 3 targets"),
        ({"x": numpy.array([1, None]), "y": numpy.ones(2)}, "something else than arrays"),
        ({"x": numpy.array([[1.0], [numpy.nan]]), "y": numpy.ones(2)}, "inputs hold nan at row 1, column 0"),
    ],
)
def test_what_is_in_the_wrong_file_is_said(tmp_path, content, words):
    numpy.savez(tmp_path / "a.npz", **content)
    with pytest.raises(UserError, match=words):
        load_npz(tmp_path / "a.npz")


def test_words_and_holes_cannot_be_predicted(tmp_path):
    numpy.savez(tmp_path / "a.npz", x=numpy.ones((2, 1)), y=["a", "b"])
    with pytest.raises(UserError, match="targets are words"):
        load_npz(tmp_path / "a.npz", task="regression")
    numpy.savez(tmp_path / "a.npz", x=numpy.ones((2, 1)), y=[0, numpy.nan])
    with pytest.raises(UserError, match="targets hold NaN"):
        load_npz(tmp_path / "a.npz", task="classification")


def test_a_file_cut_anywhere_is_a_clear_error(tmp_path):
    path = tmp_path / "a.npz"
    numpy.savez_compressed(path, x=numpy.arange(64.0).reshape(8, 8), y=numpy.arange(8.0))
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="damaged"):
            load_npz(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.data())
def test_a_flipped_byte_never_escapes_as_a_traceback(tmp_path, data):
    path = tmp_path / "a.npz"
    numpy.savez_compressed(path, x=numpy.arange(12.0).reshape(4, 3), y=numpy.arange(4.0))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with contextlib.suppress(UserError):
        assert len(load_npz(path)) == 4


def test_other_files_by_that_name(tmp_path):
    numpy.save(tmp_path / "a.npy", numpy.ones(3))
    with pytest.raises(UserError, match="a single array"):
        load_npz(tmp_path / "a.npy")
    (tmp_path / "b.npz").write_text("hello")
    with pytest.raises(UserError, match="damaged"):
        load_npz(tmp_path / "b.npz")
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(UserError, match="no array of inputs"):
        load_npz(tmp_path / "c.npz")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(arrays.arrays("float32", arrays.array_shapes(min_dims=2, max_dims=4, max_side=4), elements=floats))
def test_saved_arrays_come_back(tmp_path, inputs):
    numpy.savez(tmp_path / "a.npz", inputs=inputs, targets=inputs)
    data = load_npz(tmp_path / "a.npz")
    numpy.testing.assert_array_equal(data.inputs, inputs)
    numpy.testing.assert_array_equal(data.targets, inputs)
