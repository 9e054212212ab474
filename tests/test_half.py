"""Sums in a type that is too small: half precision is as float32 rounded, and products of whole numbers are NumPy's."""

import warnings

import numpy
import pytest

import ichikara
from ichikara import nn, ops, optim
from ichikara.arrays import Interpreter, interpreting
from ichikara.autodiff import asarray

random = numpy.random.default_rng(0)
MANY = random.uniform(0.1, 0.9, 70_000)  # more than float16 can count
WIDE = random.standard_normal((48, 4, 6)) * 1000  # squares are beyond float16
PLAIN = random.standard_normal((3000, 4))  # sums of 3000 lose their digits in float16
ROWS = random.standard_normal((3000, 4))
LABELS = random.integers(0, 4, 3000)
TRUTH = random.integers(0, 2, 70_000)
NEAR_ONE = 1 + random.standard_normal((300, 3)) * 0.01


def _of(function, *arrays, scale=1.0):
    return function, arrays, scale


CASES = {
    "sum": _of(lambda x: x.sum(), MANY),
    "sum along": _of(lambda x: x.sum(axis=0), PLAIN + 2),
    "mean": _of(lambda x: x.mean(), MANY, scale=30_000),
    "mean along": _of(lambda x: x.mean(axis=0), WIDE, scale=100),
    "max": _of(lambda x: x.max(), numpy.ones(70_000), scale=60_000),
    "min": _of(lambda x: x.min(axis=0), numpy.ones((3000, 2)), scale=1000),
    "var": _of(lambda x: x.var(), MANY, scale=30_000),
    "std": _of(lambda x: x.std(axis=(0, 2), keepdims=True), WIDE, scale=100),
    "logsumexp": _of(lambda x: x.logsumexp(axis=0), PLAIN, scale=1000),
    "softmax": _of(lambda x: x.softmax(axis=0), PLAIN, scale=1000),
    "log_softmax": _of(lambda x: x.log_softmax(axis=0), PLAIN),
    "cumulative_sum": _of(lambda x: x.cumulative_sum(axis=0), PLAIN),
    "prod": _of(lambda x: x.prod(axis=0), NEAR_ONE),
    "einsum": _of(lambda x, y: ops.einsum("ij,ij->j", x, y), PLAIN, ROWS),
    "layer_norm": _of(lambda x: ops.layer_norm(x, 6), WIDE, scale=1000),
    "rms_norm": _of(lambda x: ops.rms_norm(x, 6), WIDE, scale=1000),
    "batch_norm": _of(lambda x: ops.batch_norm(x, training=True), WIDE, scale=1000),
    "group_norm": _of(lambda x: ops.group_norm(x, 2), WIDE, scale=1000),
    "instance_norm": _of(lambda x: ops.instance_norm(x), WIDE, scale=1000),
    "evaluation": _of(
        lambda x: ops.batch_norm(x, numpy.full(4, 900.0, "float32"), numpy.full(4, 1e6, "float32")), WIDE, scale=1000
    ),
    "l1_loss": _of(lambda x: ops.l1_loss(x, ops.zeros_like(x)), MANY, scale=30_000),
    "mse_loss": _of(lambda x: ops.mse_loss(x, ops.zeros_like(x)), MANY, scale=30_000),
    "mse_loss of an outlier": _of(lambda x: ops.mse_loss(x, ops.zeros_like(x)), numpy.array([600.0] + [1.0] * 9)),
    "huber_loss": _of(lambda x: ops.huber_loss(x, ops.zeros_like(x), delta=0.5), MANY, scale=30_000),
    "binary_cross_entropy": _of(lambda x: ops.binary_cross_entropy(x, TRUTH), MANY, scale=30_000),
    "with logits": _of(lambda x: ops.binary_cross_entropy_with_logits(x, TRUTH), MANY, scale=30_000),
    "cross_entropy": _of(lambda x: ops.cross_entropy(x, LABELS), PLAIN, scale=3000),
    "smoothed": _of(lambda x: ops.cross_entropy(x, LABELS, label_smoothing=0.1), PLAIN, scale=3000),
    "nll_loss": _of(lambda x: ops.nll_loss(x, LABELS), PLAIN, scale=3000),
    "avg_pool2d": _of(lambda x: ops.avg_pool2d(x, (4, 6)), WIDE * 20, scale=100),
    "linear": _of(lambda x, w, b: ops.linear(x, w, b), PLAIN, ROWS[:2], ROWS[0, :2]),
    "broadcast": _of(lambda x, b: x + b, PLAIN, ROWS[0]),
    "repeat": _of(lambda x: ops.repeat(x, 3000, axis=0), ROWS[:1]),
    "embedding": _of(lambda w: ops.embedding(LABELS, w), ROWS[:4]),
    "conv1d": _of(lambda x, w, b: ops.conv1d(x, w, b), PLAIN.T[None], ROWS[:2, :, None], ROWS[0, :2]),
}


def value_and_gradients(name, dtype, staged=False):
    function, arrays, scale = CASES[name]
    inputs = [asarray(a.astype("float16").astype(dtype), requires_grad=True) for a in arrays]

    def step():
        y = function(*inputs)
        g = numpy.random.default_rng(1).uniform(0.5, 1.0, y.shape) * scale
        y.backward(g.astype("float16").astype(dtype))
        return y

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "overflow encountered in cast")  # where float64 exceeds float16 too
        if staged:
            step = ichikara.stage(step)
            step()
            for x in inputs:
                x.grad = None
        y = step()
    return [y.detach(), *[x.grad for x in inputs]]


HOW = {
    "eager": lambda name: value_and_gradients(name, "float16"),
    "staged": lambda name: value_and_gradients(name, "float16", staged=True),
    "records": lambda name: _without_the_wing(name),
}


def _without_the_wing(name):
    with interpreting(Interpreter()):
        return value_and_gradients(name, "float16")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", CASES)
def test_half_precision_is_the_exact_result_rounded(name, how):
    exact = value_and_gradients(name, "float64")
    for half, wide in zip(HOW[how](name), exact, strict=True):
        assert half.dtype == "float16"
        with numpy.errstate(over="ignore"):
            expected = wide.numpy().astype("float16").astype("float64")  # infinite beyond 65504
        numpy.testing.assert_allclose(half.numpy().astype("float64"), expected, rtol=1.2e-3, atol=4e-4)


@pytest.mark.parametrize("layer", [nn.BatchNorm1d, nn.InstanceNorm1d])
@pytest.mark.parametrize("converted", [False, True])
def test_running_statistics_of_half_precision_stay_finite(layer, converted):
    options = {"track_running_stats": True}
    half = layer(4, **options).to("float16") if converted else layer(4, dtype="float16", **options)
    wide = layer(4, dtype="float64", **options)
    x = WIDE.astype("float16")
    for _ in range(3):
        y, expected = half(asarray(x)), wide(asarray(x.astype("float64")))
    assert y.dtype == "float16"
    numpy.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-3, atol=1e-3)
    numpy.testing.assert_allclose(half.running_var.numpy(), wide.running_var.numpy(), rtol=2e-3)
    numpy.testing.assert_allclose(half.running_mean.numpy(), wide.running_mean.numpy(), rtol=1e-2, atol=0.1)
    y, expected = half.eval()(asarray(x)), wide.eval()(asarray(x.astype("float64")))
    assert y.dtype == "float16"
    numpy.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=2e-3, atol=2e-3)


def test_the_norm_of_many_gradients_of_half_precision():
    w = asarray(numpy.zeros(70_000, "float16"), requires_grad=True)
    w.grad = numpy.full(70_000, 300.0, "float16")
    total = optim.clip_grad_norm_([w], 1.0)
    numpy.testing.assert_allclose(total.item(), 300 * 70_000**0.5, rtol=1e-5)
    numpy.testing.assert_allclose(w.grad.numpy(), 70_000**-0.5, rtol=1e-2)


# --- whole numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std"])
def test_reductions_of_whole_numbers_are_numpys(name, axis, dtype):
    high = {"b": 2, "i": 101, "u": 101}[numpy.dtype(dtype).kind]
    x = random.integers(1, high, (3, 2)).astype(dtype)
    expected = getattr(numpy, name)(x, axis=axis)
    y = getattr(ops, name)(x, axis=axis).numpy()
    if name in ("sum", "prod"):
        assert y.dtype == expected.dtype
        numpy.testing.assert_array_equal(y, expected)
    else:
        assert y.dtype == "float32"
        numpy.testing.assert_allclose(y, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32"])
def test_running_sums_of_whole_numbers_are_numpys(dtype):
    x = numpy.full(300, 100).astype(dtype)
    y = ops.cumulative_sum(x).numpy()
    assert y.dtype == numpy.cumulative_sum(x).dtype
    numpy.testing.assert_array_equal(y, numpy.cumulative_sum(x))


@pytest.mark.parametrize("correction", [2, 2.5, 3, 7])
@pytest.mark.parametrize("numbers", [[1.0, 2.0], [3.0, 3.0]])
@pytest.mark.parametrize("name", ["var", "std"])
def test_a_correction_of_n_or_more_is_numpys_and_warns(name, numbers, correction):
    with pytest.warns(RuntimeWarning, match="correction"):
        value = getattr(ops, name)(numbers, correction=correction)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        numpy.testing.assert_array_equal(value.numpy(), getattr(numpy, name)(numpy.float32(numbers), ddof=correction))
