"""Clipping: PyTorch's lengths and gradients, nothing hidden, nothing changed in place."""

import math

import numpy
import pytest

import ichikara
from ichikara.errors import UserError
from ichikara.optim import clip_grad_norm_, clip_grad_value_

SHAPES = [(3, 4), (5,), (), (0, 2), None]


def arrays(dtype="float64", scale=1.0):
    rng = numpy.random.default_rng(3)
    return [None if shape is None else numpy.asarray(scale * rng.normal(size=shape), dtype) for shape in SHAPES]


def parameters(gradients):
    made = []
    for g in gradients:
        made.append(ichikara.asarray(numpy.zeros(()) if g is None else numpy.zeros_like(g), requires_grad=True))
        made[-1].grad = None if g is None else ichikara.asarray(g)
    return made


def theirs(gradients):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    made = []
    for g in gradients:
        made.append(torch.nn.Parameter(torch.tensor(numpy.zeros(()) if g is None else numpy.zeros_like(g))))
        made[-1].grad = None if g is None else torch.tensor(g)
    return torch.nn.utils, made


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3, 0.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.0, 0.3, 1, 100.0, math.inf])
def test_lengths_and_gradients_are_pytorchs(dtype, norm_type, max_norm):
    given = arrays(dtype)
    if math.isinf(norm_type):
        given.pop(3)  # PyTorch has no largest component of nothing; here it is 0, as it is of zeros
    utils, their = theirs(given)
    mine = parameters(given)
    kept = [g if g is None else g.copy() for g in given]
    total = clip_grad_norm_(mine, max_norm, norm_type)
    expected = utils.clip_grad_norm_(their, max_norm, norm_type)
    tolerance = 1e-12 if dtype == "float64" else 1e-6
    assert total.item() == pytest.approx(expected.item(), rel=tolerance)
    assert total.dtype == dtype
    for a, b, before in zip(mine, their, kept, strict=True):
        assert (a.grad is None) == (b.grad is None)
        if before is not None:
            numpy.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=tolerance)
            assert a.grad.dtype == dtype
            assert a.grad.shape == a.shape
    for g, before in zip(given, kept, strict=True):
        numpy.testing.assert_array_equal(g, before) if g is not None else None


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_are_pytorchs(dtype):
    given = arrays(dtype)
    utils, their = theirs(given)
    mine = parameters(given)
    clip_grad_value_(iter(mine), 0.5)
    utils.clip_grad_value_(their, 0.5)
    for a, b in zip(mine, their, strict=True):
        if b.grad is not None:
            numpy.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())
            assert a.grad.dtype == dtype


def test_one_tensor_and_none():
    w = ichikara.asarray([0.0, 0.0], requires_grad=True)
    assert clip_grad_norm_(w, 1.0).item() == 0
    w.grad = ichikara.asarray([3.0, 4.0])
    assert clip_grad_norm_(w, 10.0).item() == 5
    assert w.grad.tolist() == [3, 4]
    clip_grad_value_(w, 2)
    assert w.grad.tolist() == [2, 2]
    assert clip_grad_norm_([], 1.0).item() == 0


def test_a_long_gradient_does_not_overflow():
    w = ichikara.asarray([0.0, 0.0], requires_grad=True)
    w.grad = ichikara.asarray([3e30, 4e30])
    assert clip_grad_norm_(w, 1.0).item() == pytest.approx(5e30)
    numpy.testing.assert_allclose(w.grad.numpy(), [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("wrong", [numpy.nan, numpy.inf, -numpy.inf])
@pytest.mark.parametrize("norm_type", [2.0, 1.0, math.inf])
def test_what_is_not_finite_is_not_hidden(wrong, norm_type):
    given = [numpy.array([1.0, wrong]), numpy.array([2.0])]
    utils, their = theirs(given)
    mine = parameters(given)
    with pytest.raises(RuntimeError, match="not finite"):
        clip_grad_norm_(mine, 1.0, norm_type, error_if_nonfinite=True)
    assert mine[1].grad.tolist() == [2.0]
    with numpy.errstate(invalid="ignore"):
        total = clip_grad_norm_(mine, 1.0, norm_type)
    numpy.testing.assert_array_equal(total.numpy(), utils.clip_grad_norm_(their, 1.0, norm_type).numpy())
    for a, b in zip(mine, their, strict=True):
        numpy.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())


class Net:
    def parameters(self):
        return iter([])


@pytest.mark.parametrize(
    ("misuse", "error", "words"),
    [
        (lambda: clip_grad_norm_([], -1.0), UserError, "max_norm is a number of at least 0, not -1.0"),
        (lambda: clip_grad_norm_([], -math.inf), UserError, "max_norm is a number of at least 0"),
        (lambda: clip_grad_norm_([], "1"), UserError, "max_norm is a number, not '1'"),
        (lambda: clip_grad_norm_([], 1.0, norm_type=0), UserError, "norm_type is a number above 0"),
        (lambda: clip_grad_norm_([], 1.0, norm_type="inf"), UserError, "norm_type is a number"),
        (lambda: clip_grad_value_([], -1.0), UserError, "clip_value is a number of at least 0"),
        (lambda: clip_grad_norm_(Net(), 1.0), TypeError, r"give it the .parameters\(\) of this Net"),
        (lambda: clip_grad_norm_([numpy.zeros(2)], 1.0), TypeError, "parameter 0 is not a Tensor but of type ndarray"),
    ],
)
def test_misuse_is_answered(misuse, error, words):
    with pytest.raises(error, match=words):
        misuse()
