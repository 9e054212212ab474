"""Steps that are recorded once and replayed: the same numbers as eager ones, or a clear word why not."""

import threading
import warnings

import numpy
import pytest
from cases import CASES

import ichikara
from ichikara import nn, optim
from ichikara.autodiff import Tensor, asarray
from ichikara.stage import stage
from ichikara.zoo import GPT

# --- every operation --------------------------------------------------------------------------------------------------

# Rows whose call looks at numbers, or takes its arguments as Python's: they say so, and nothing is replayed.
LOOK_AT_NUMBERS: set[str] = set()


def others(case, seed):
    """Inputs of a row with other numbers than those of `Case.sample`."""
    random = numpy.random.default_rng(seed)
    arrays = [sampler(random) for sampler in case.samplers]
    return [array.astype("float64") if array.dtype.kind == "f" else array for array in arrays]


def value_and_gradients(case):
    """A row as a step: its value, and the gradients of the sum of its squares."""
    function = case.function()

    def step(*arrays):
        tensors = [asarray(a, requires_grad=a.dtype.kind == "f") for a in arrays]
        value = function(*tensors)
        if not value.requires_grad:
            return value
        (value * value).sum().backward()
        return value, [t.grad for t in tensors if t.requires_grad]

    return step


def numbers(result):
    leaves, _ = ichikara.autodiff.flatten(result)
    return [leaf.detach().numpy() for leaf in leaves if isinstance(leaf, Tensor)]


def same(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        numpy.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_row_of_the_table_replayed_is_the_row(case):
    step = value_and_gradients(case)
    staged = stage(step)
    for seed in range(3):
        arrays = others(case, seed)
        expected = numbers(step(*arrays))
        same(numbers(staged(*arrays)), expected)
    assert staged.recordings == 1
