"""`Dataset`, the built-in sets, and the registry that names them."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import numpy
import pytest
from sklearn import datasets as sklearn_datasets

import ichikara.data
from ichikara.data import (
    Dataset,
    datasets,
    load,
    load_blobs,
    load_circles,
    load_cubic,
    load_digits,
    load_moons,
    load_spirals,
    load_xor,
)
from ichikara.data.sets import cubic
from ichikara.errors import UserError

MODULES = [name for _, name, _ in pkgutil.iter_modules(ichikara.data.__path__, "ichikara.data.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_the_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.IGNORE_EXCEPTION_DETAIL).failed == 0


def test_every_public_thing_is_documented():
    for name in ichikara.data.__all__:
        assert getattr(ichikara.data, name).__doc__, name


def test_importing_the_floor_imports_nothing_heavy():
    heavy = ("sklearn", "scipy", "matplotlib", "pandas", "numba", "jax", "torch")
    code = f"import sys, ichikara.data; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Dataset


def tiny(**changes):
    fields = {"inputs": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], "targets": [0, 1, 0], "classes": ("a", "b")}
    return Dataset(**{**fields, **changes})


def test_types_become_those_of_the_task():
    data = tiny(inputs=numpy.arange(6).reshape(3, 2), targets=numpy.array([0, 1, 0], "uint8"))
    assert (data.inputs.dtype, data.targets.dtype, data.task) == ("float32", "int64", "classification")
    data = tiny(targets=[[1], [2], [3]], classes=None)
    assert (data.targets.dtype, data.targets.shape, data.task) == ("float32", (3, 1), "regression")
    data = Dataset([0, 1], [1, 0], classes=("x", "y"), task="text")
    assert (data.inputs.dtype, data.task) == ("int64", "text")
    assert tiny(targets=[0.0, 1.0, 0.0]).targets.dtype == "int64"


def test_it_is_frozen():
    with pytest.raises(AttributeError):
        tiny().inputs = numpy.zeros((3, 2))


@pytest.mark.parametrize("index", [[2, 0], numpy.array([2, 0]), slice(2, None, -2), numpy.array([True, False, True])])
def test_a_subset_is_a_dataset(index):
    data = tiny(name="mine", input_names=("p", "q"), source="here", part="train")
    part = data[index]
    assert isinstance(part, Dataset)
    assert len(part) == 2
    numpy.testing.assert_array_equal(part.inputs, data.inputs[index])
    numpy.testing.assert_array_equal(part.targets, data.targets[index])
    for field in ("name", "classes", "input_names", "source", "task", "part"):
        assert getattr(part, field) == getattr(data, field)


def test_an_empty_subset_keeps_the_shape_of_an_example():
    assert tiny()[[]].inputs.shape == (0, 2)
    assert len(tiny()[:0]) == 0


def test_a_single_row_number_is_answered_with_the_way_to_ask():
    with pytest.raises(TypeError, match=r"dataset\[i : i \+ 1\]"):
        tiny()[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"targets": [0, 1]}, "3 inputs but 2 targets"),
        ({"inputs": [[0, 1], [2, numpy.nan], [4, 5]]}, r"hold nan at row 1, column 1 \(counted from 0\)"),
        (
            {"inputs": [[0, 1], [2, 3], [-numpy.inf, 5]], "input_names": ("age", "pay")},
            r"-inf at row 2, column 0 \('age'",
        ),
        ({"inputs": [[0, 1], [2, 1e300], [4, 5]]}, "1e[+]300 at row 1, column 1"),
        ({"inputs": numpy.full((3, 1, 2, 2), numpy.nan)}, r"row 0, column \(0, 0, 0\)"),
        ({"targets": [0, 1, 2]}, "targets hold 2 at row 2 .* with 2 classes a label is a whole number from 0 to 1"),
        ({"targets": [0, -1, 0]}, "targets hold -1 at row 1"),
        ({"targets": [0, 0.5, 0]}, "targets hold 0.5 at row 1"),
        ({"targets": [0, numpy.nan, 0]}, "targets hold nan at row 1"),
        ({"targets": [0.5, numpy.nan, 0], "classes": None}, "targets hold nan at row 1"),
        ({"inputs": [["a"], ["b"], ["c"]]}, "not real numbers"),
        ({"inputs": [[0, 1], [2], [3, 4]]}, "do not form an array"),
        ({"inputs": 3.0}, "a single number"),
        ({"input_names": ("only one",)}, "1 input names for inputs of shape"),
        ({"task": "clasification"}, "did you mean 'classification'"),
        ({"task": "text", "classes": None}, "needs its classes"),
        ({"part": "testing"}, "did you mean 'test'"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(changes, words):
    with pytest.raises(UserError, match=words):
        tiny(**changes)


def test_the_checksum_tells_data_apart():
    data = tiny()
    assert data.checksum == tiny(name="another name").checksum == data[:].checksum
    assert len(data.checksum) == 64
    others = [
        tiny(targets=[0, 1, 1]),
        tiny(targets=[0, 1, 0], classes=None),  # same numbers, another type
        tiny(inputs=[[[0.0, 1.0]], [[2.0, 3.0]], [[4.0, 5.0]]]),  # same numbers, another shape
        tiny(inputs=[[0.0, 1.0], [2.0, 3.0], [4.0, 5.5]]),
        data[::-1],
    ]
    assert len({data.checksum, *(other.checksum for other in others)}) == 6
    assert (
        data[::-1].checksum == Dataset(data.inputs[::-1].copy(), data.targets[::-1].copy(), classes=("a", "b")).checksum
    )


# The sets


def test_digits_are_scikit_learns_unscaled():
    bunch = sklearn_datasets.load_digits()
    flat, images = load_digits(), load_digits(as_images=True)
    numpy.testing.assert_array_equal(flat.inputs, bunch.data)
    numpy.testing.assert_array_equal(images.inputs[:, 0], bunch.images)
    numpy.testing.assert_array_equal(flat.targets, bunch.target)
    assert (flat.inputs.min(), flat.inputs.max()) == (0, 16)
    assert flat.classes == tuple("0123456789")
    assert flat.input_names[9] == "pixel 1,1"


def test_moons_circles_and_blobs_are_scikit_learns():
    pairs = [
        (load_moons(50, 0.2, seed=3), sklearn_datasets.make_moons(50, noise=0.2, random_state=3)),
        (load_circles(50, 0.1, 0.4, seed=3), sklearn_datasets.make_circles(50, noise=0.1, factor=0.4, random_state=3)),
        (
            load_blobs(50, 4, 3, 0.5, seed=3),
            sklearn_datasets.make_blobs(50, 3, centers=4, cluster_std=0.5, random_state=3),
        ),
    ]
    for data, (inputs, targets) in pairs:
        numpy.testing.assert_allclose(data.inputs, inputs, rtol=1e-6)
        numpy.testing.assert_array_equal(data.targets, targets)


def test_blobs_lie_around_the_centres_given():
    data = load_blobs(400, [[-5, 0, 1], [5, 0, 1]], cluster_std=0.5)
    assert data.inputs.shape == (400, 3)
    for label, centre in enumerate([[-5, 0, 1], [5, 0, 1]]):
        numpy.testing.assert_allclose(data.inputs[data.targets == label].mean(0), centre, atol=0.15)


def test_spirals_wind_outwards_and_do_not_touch():
    data = load_spirals(300, noise=0.0, arms=3, turns=0.75)
    radius = numpy.hypot(*data.inputs.T)
    angle = numpy.arctan2(data.inputs[:, 1], data.inputs[:, 0])
    expected = 2 * numpy.pi * (data.targets / 3 + 0.75 * radius)
    numpy.testing.assert_allclose(numpy.exp(1j * angle), numpy.exp(1j * expected), atol=1e-5)
    assert numpy.bincount(data.targets).tolist() == [100, 100, 100]
    assert radius.max() == pytest.approx(1)


def test_xor_is_xor_however_often_it_is_repeated():
    data = load_xor(10)
    assert ((data.inputs[:, 0] != data.inputs[:, 1]) == data.targets).all()
    noisy = load_xor(400, noise=0.1)
    assert ((noisy.inputs.round() % 2).sum(1) % 2 == noisy.targets).mean() > 0.99
    assert noisy.inputs.std(0).min() > 0.5


def test_cubic_is_the_curve_with_the_noise_that_was_asked_for():
    exact = load_cubic(1000, noise=0.0)
    numpy.testing.assert_array_equal(exact.targets, cubic(exact.inputs))
    assert exact.targets.shape == (1000, 1)
    assert (abs(exact.inputs) <= 1.5).all()
    noisy = load_cubic(1000, noise=0.3)
    assert (noisy.targets - cubic(noisy.inputs)).std() == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("name", ["moons", "circles", "spirals", "blobs", "cubic", "xor"])
def test_a_seed_decides_everything(name):
    options = {"noise": 0.1} if name == "xor" else {}
    first = load(name, seed=1, **options)
    assert first.checksum == load(name, seed=1, **options).checksum
    assert first.checksum != load(name, seed=2, **options).checksum


@pytest.mark.parametrize("n_samples", [1, 2, 7])
@pytest.mark.parametrize("name", ["moons", "circles", "spirals", "blobs", "cubic", "xor"])
def test_any_number_of_samples_can_be_had(name, n_samples):
    assert len(load(name, n_samples=n_samples)) == n_samples


# The registry


def test_every_loader_of_the_floor_is_registered():
    loaders = {name for name in ichikara.data.__all__ if name.startswith("load_")} - {"load_inputs"}  # no targets
    assert {getattr(ichikara.data, name) for name in loaders} == set(datasets.values())


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("digit", {}, "unknown data set 'digit'; did you mean 'digits'"),
        ("digits", {"as_image": True}, "option of digits 'as_image'; did you mean 'as_images'"),
        ("digits", {"as_images": "no"}, "as_images is true or false, not 'no'"),
        ("csv", {}, "csv needs `path`"),
        ("moons", {"n_samples": "many"}, "n_samples is a whole number of at least 1, not 'many'"),
        ("moons", {"n_samples": 0}, "n_samples"),
        ("moons", {"n_samples": True}, "n_samples"),
        ("moons", {"noise": -1}, "noise is a number of at least 0"),
        ("moons", {"noise": "loud"}, "noise is a number"),
        ("moons", {"noise": float("nan")}, "noise is a number"),
        ("moons", {"seed": -1}, "seed"),
        ("moons", {"seed": 2**32}, "below 2"),
        ("circles", {"factor": 1}, "factor is the radius"),
        ("spirals", {"arms": 1}, "arms"),
        ("blobs", {"centers": [[1, 2], [3]]}, "centers is a number of blobs or a list of points"),
        ("blobs", {"centers": "three"}, "centers"),
        ("tinyshakespeare", {"validation": 1}, "validation is a fraction of the text"),
    ],
)
def test_a_wrong_name_or_option_is_answered(name, options, words):
    with pytest.raises(UserError, match=words):
        load(name, **options)
