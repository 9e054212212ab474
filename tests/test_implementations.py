"""Implementations of the wing: they give what the records give, and their own rules are tested by mutation."""

import numpy
import pytest
from cases import CASES
from test_mutations import is_noticed, scaled
from test_operations import each, ours

import ichikara
from ichikara.arrays import Interpreter, interpreting
from ichikara.autodiff import GradientError, check_grads, operations
from ichikara.fast import registry
from ichikara.fast.modules import normalise_leaky


@each([case for case in CASES if case.differentiable is True])
def test_implementations_give_what_the_records_give(case):
    """Small arrays, in float64: NumPy's fused implementations against the formulas, value and gradients."""
    for shapes in (None, *case.shapes):
        arrays = case.sample(shapes=shapes)
        value, gradients = ours(case, arrays)
        with interpreting(Interpreter()):
            expected, expected_gradients = ours(case, arrays)
        for found, wanted in zip((value, *gradients), (expected, *expected_gradients), strict=True):
            assert found.shape == wanted.shape
            numpy.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12)


def check_fused(negative_slope):
    """The gradients of what the wing alone has: a normalisation fused with its activation."""
    arrays = [numpy.random.default_rng(0).normal(size=shape) for shape in ((5, 3, 2), (1, 3, 1), (1, 3, 1))]
    function = lambda x, w, b: normalise_leaky(x, w, b, axes=(0, 2), negative_slope=negative_slope)[0]
    check_grads(function, *arrays)
    with interpreting(Interpreter()):
        expected = function(*map(ichikara.asarray, arrays)).numpy()
    numpy.testing.assert_allclose(function(*map(ichikara.asarray, arrays)).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("negative_slope", [0.0, 0.1, 1.0])
def test_a_normalisation_fused_with_its_activation(negative_slope):
    check_fused(negative_slope)


@pytest.mark.parametrize("factor", [0.0, 1.01])
@pytest.mark.parametrize(
    ("name", "input"), [(n, i) for n, found in registry.implementations.items() for i in found.rules]
)
def test_a_wrong_rule_of_an_implementation_is_noticed(name, input, factor, monkeypatch):
    right = registry.implementations[name]
    wrong = registry.Implementation(right.function, right.residuals, right.rules)
    wrong.rules[input] = right.rules[input]._replace(function=scaled(right.rules[input].function, factor))
    monkeypatch.setitem(registry.implementations, name, wrong)
    if name in operations:
        assert is_noticed(name)
    else:
        with pytest.raises(GradientError):
            check_fused(0.1)
