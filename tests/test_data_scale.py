"""Scalers: scikit-learn's numbers, any shape, and no leakage of held-out data."""

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import preprocessing

from ichikara.data import MinMaxScaler, StandardScaler, load_digits, split, text_dataset
from ichikara.errors import UserError

SCALERS = [StandardScaler, MinMaxScaler]
ORACLES = {StandardScaler: preprocessing.StandardScaler, MinMaxScaler: preprocessing.MinMaxScaler}

both = pytest.mark.parametrize("scaler", SCALERS)
numbers = st.floats(-1000, 1000, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)
data = arrays.arrays("float32", arrays.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=6), elements=numbers)


@both
@settings(deadline=None)
@given(data)
def test_numbers_are_scikit_learns(scaler, x):
    flat = x.reshape(len(x), -1).astype("float64")
    oracle = ORACLES[scaler]().fit(flat)
    expected = oracle.transform(flat).reshape(x.shape)
    numpy.testing.assert_allclose(scaler().fit(x).transform(x), expected, atol=1e-4, rtol=1e-5)
    # over everything at once: as if there were one column
    column = flat.reshape(-1, 1)
    expected = ORACLES[scaler]().fit_transform(column).reshape(x.shape)
    numpy.testing.assert_allclose(scaler(per="all").fit(x).transform(x), expected, atol=1e-4, rtol=1e-5)


@both
@pytest.mark.parametrize("per", ["feature", "all"])
@settings(deadline=None)
@given(data)
def test_the_inverse_undoes_it(scaler, per, x):
    fitted = scaler(per=per).fit(x)
    numpy.testing.assert_allclose(fitted.inverse_transform(fitted.transform(x)), x, rtol=1e-4, atol=1e-3)


def test_standard_means_mean_0_and_deviation_1_even_far_from_0():
    x = (numpy.random.default_rng(0).normal(size=(10_000, 3)) * [1, 10, 0.1] + [1000, -5000, 3]).astype("float32")
    z = StandardScaler().fit(x).transform(x)
    numpy.testing.assert_allclose(z.mean(0, dtype="float64"), 0, atol=1e-5)
    numpy.testing.assert_allclose(z.std(0, dtype="float64"), 1, atol=1e-5)


def test_min_max_fills_0_to_1_and_does_not_clip():
    x = numpy.array([[-3.0, 10.0], [1.0, 20.0]], "float32")
    scaler = MinMaxScaler().fit(x)
    assert scaler.transform(x).tolist() == [[0, 0], [1, 1]]
    assert scaler.transform(numpy.array([[5.0, 5.0]])).tolist() == [[2.0, -0.5]]


@both
def test_a_constant_component_becomes_0_and_its_scale_is_1(scaler):
    x = numpy.full((1000, 2), 0.1, "float32")  # a tenth has no exact mean
    x[:, 1] = numpy.arange(1000)
    fitted = scaler().fit(x)
    assert (fitted.transform(x)[:, 0] == 0).all()
    numpy.testing.assert_allclose(fitted.transform(x + 1)[:, 0], 1, rtol=1e-6)
    assert (scaler(per="all").fit(numpy.ones((3, 2))).transform(numpy.ones((3, 2))) == 0).all()


@both
def test_tiny_components_are_scaled_all_the_same(scaler):
    x = numpy.array([[1e-30], [3e-30]], "float32")
    z = scaler().fit(x).transform(x)
    assert z[1] - z[0] == pytest.approx(2 if scaler is StandardScaler else 1)


@both
@pytest.mark.parametrize(("given_type", "expected"), [("float32",) * 2, ("float64",) * 2, ("int64", "float32")])
def test_floating_types_are_kept(scaler, given_type, expected):
    x = numpy.arange(6, dtype=given_type).reshape(3, 2)
    before = x.copy()
    fitted = scaler().fit(x)
    assert fitted.transform(x).dtype == fitted.inverse_transform(x).dtype == expected
    numpy.testing.assert_array_equal(x, before)


@both
def test_a_dataset_in_a_dataset_out(scaler):
    parts = split(load_digits(as_images=True))
    fitted = scaler().fit(parts.train)
    scaled = fitted.transform(parts.validation)
    numpy.testing.assert_array_equal(scaled.inputs, fitted.transform(parts.validation.inputs))
    assert scaled.targets is parts.validation.targets
    assert (scaled.name, scaled.classes, scaled.part) == ("digits", parts.train.classes, "validation")


@both
def test_only_training_data_is_learnt_from(scaler):
    parts = split(load_digits(), 0.2, 0.2)
    for part in (parts.validation, parts.test):
        with pytest.raises(UserError, match=f"this is the {part.part} part of digits; .* training part only"):
            scaler().fit(part)
    fitted = scaler().fit(parts.train)
    before = fitted.state_dict()
    with pytest.raises(UserError, match=r"already fitted.*refit=True"):
        fitted.fit(parts.train)
    fitted.transform(parts.test)
    for name, array in fitted.state_dict().items():
        numpy.testing.assert_array_equal(array, before[name])
    fitted.fit(parts.train.inputs[:, :3], refit=True)
    assert fitted.transform(parts.test.inputs[:, :3]).shape == (len(parts.test), 3)


@both
@pytest.mark.parametrize("per", ["feature", "all"])
def test_the_state_makes_the_same_scaler(scaler, per):
    x = numpy.random.default_rng(0).normal(3, 2, (20, 1, 4, 4)).astype("float32")
    fitted, other = scaler(per=per).fit(x), scaler(per=per)
    state = fitted.state_dict()
    assert all(type(array) is numpy.ndarray for array in state.values())
    other.load_state_dict(state)
    numpy.testing.assert_array_equal(other.transform(x), fitted.transform(x))
    for array in state.values():
        array[...] = 7  # neither scaler keeps what it gave or was given
    numpy.testing.assert_array_equal(other.transform(x), fitted.transform(x))


@both
def test_each_misuse_is_answered(scaler):
    fitted = scaler().fit(numpy.ones((3, 4)))
    for call in (scaler().transform, scaler().inverse_transform):
        with pytest.raises(UserError, match="was never fitted"):
            call(numpy.ones((3, 4)))
    with pytest.raises(UserError, match="was never fitted"):
        scaler().state_dict()
    with pytest.raises(UserError, match=r"fitted on examples of shape \(4,\), and was given examples of shape \(5,\)"):
        fitted.transform(numpy.ones((3, 5)))
    with pytest.raises(UserError, match=r"given examples of shape \(\)"):
        fitted.inverse_transform(numpy.ones(4))
    with pytest.raises(UserError, match="NaN or infinity"):
        scaler().fit(numpy.array([[1.0], [numpy.nan]]))
    with pytest.raises(UserError, match="needs examples"):
        scaler().fit(numpy.ones((0, 4)))
    with pytest.raises(UserError, match="array of real numbers"):
        scaler().fit(numpy.array(["a"]))
    with pytest.raises(UserError, match="is a text"):
        scaler().fit(text_dataset("abc"))
    with pytest.raises(UserError, match="did you mean 'feature'"):
        scaler(per="features")


@both
def test_a_state_that_does_not_fit_is_refused(scaler):
    state = scaler().fit(numpy.ones((3, 4))).state_dict()
    first, second = state
    with pytest.raises(UserError, match=f"missing {first}, unexpected weight"):
        scaler().load_state_dict({"weight": 1, second: state[second]})
    with pytest.raises(UserError, match=r"its shapes are"):
        scaler().load_state_dict({**state, first: numpy.ones(3)})
    with pytest.raises(UserError, match="per='all'"):
        scaler(per="all").load_state_dict(state)
    with pytest.raises(UserError, match="it is damaged"):
        scaler().load_state_dict({**state, first: numpy.full(4, numpy.nan)})
