"""What an operation accepts forward goes backward: single numbers, nothing, axes from the end, several axes or none."""

import itertools
import warnings
from dataclasses import replace

import numpy
import pytest
from cases import DIFFERENTIABLE

from ichikara import ops
from ichikara.autodiff import asarray, operations

SHAPES = [(), (0,), (1,), (3,), (0, 3), (2, 0), (1, 3), (2, 3), (2, 1, 3), (2, 2, 2)]
PAIRED = [(), (0,), (1,), (1, 3), (2, 3)]
AXES = [None, 0, -1, 1, -2, (), (0,), (-1,), (0, -1), (1, 0), [0, 1]]

# One row for each operation that everybody may call, and each choice of its options.
PUBLIC = [case for case in reversed(DIFFERENTIABLE) if case.name in ops.__all__]
ROWS = list({(case.name, tuple(case.options), case.call): case for case in PUBLIC}.values())
NAMES = sorted({case.name for case in ROWS})


def variants(case):
    """The row with other shapes, and with other axes where it has one."""
    own = [sampler.shape for sampler in case.samplers]
    fixed = [sampler(numpy.random.default_rng(0)).dtype.kind != "f" for sampler in case.samplers]
    if len(case.samplers) == 1 or len(set(own)) == 1:
        shapes = [(shape,) * len(own) for shape in SHAPES]
    elif len(own) == 2 and not any(fixed):
        shapes = list(itertools.product(PAIRED, PAIRED))
    else:
        shapes = []
    axes = AXES if "axis" in operations[case.name].parameters else [...]
    for shape, axis in itertools.product([own, *shapes], axes):
        yield shape, case if axis is ... else replace(case, options={**case.options, "axis": axis})


def project(value, weights):
    return float(numpy.sum(numpy.asarray(value) * weights))


def check(case, shapes):
    """Whether the row, with these shapes, is accepted forward; raises where it does not go backward then."""
    arrays = case.sample(shapes=shapes)
    try:
        tensors = [asarray(a, requires_grad=a.dtype.kind == "f") for a in arrays]
        value = case.function()(*tensors)
    except (ValueError, TypeError, IndexError, ZeroDivisionError):
        return False
    if value.dtype.kind != "f":
        return True
    drawn = numpy.random.default_rng(1)
    weights = drawn.standard_normal(value.shape)
    assert value.requires_grad, "the result has lost its graph"
    value.backward(weights)
    along = 0.0
    shifted = [[], []]
    for tensor, array in zip(tensors, arrays, strict=True):
        if array.dtype.kind == "f":
            assert tensor.grad is not None, "an input got no gradient"
            assert (tensor.grad.shape, tensor.grad.dtype) == (array.shape, array.dtype)
            direction = drawn.standard_normal(array.shape)
            along += project(tensor.grad.numpy(), direction)
            shifted[0].append(array + 1e-6 * direction)
            shifted[1].append(array - 1e-6 * direction)
        else:
            shifted[0].append(array)
            shifted[1].append(array)
    if not numpy.isfinite(value.numpy()).all():
        return True  # the mean of nothing is no number
    above, below = [project(case.function()(*map(asarray, inputs)).numpy(), weights) for inputs in shifted]
    numpy.testing.assert_allclose(along, (above - below) / 2e-6, rtol=1e-5, atol=1e-6)
    return True


@pytest.mark.parametrize("name", NAMES)
def test_what_is_accepted_forward_goes_backward(name):
    failed, accepted = {}, 0
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # the mean of nothing
        for case in (case for case in ROWS if case.name == name):
            for shapes, variant in variants(case):
                try:
                    accepted += check(variant, shapes)
                except Exception as error:
                    failed[variant.id, *map(tuple, shapes), str(variant.options)] = f"{type(error).__name__}: {error}"
    assert accepted
    assert not failed, "\n".join(f"{key}: {error}" for key, error in failed.items())
